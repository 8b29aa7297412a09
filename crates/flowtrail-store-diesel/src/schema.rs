//! The schema's versions: up, down, and what is there, on whichever database.

use flowtrail_store::StoreError;

use crate::{DatabaseUrl, postgres, sqlite};

/// A database's schema.
#[derive(Debug)]
pub struct Schema(Of);

#[derive(Debug)]
enum Of {
    Sqlite(sqlite::Schema),
    Postgres(postgres::Schema),
}

/// A migration, and whether it has been applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its name.
    pub name: String,
    /// Whether it has been applied.
    pub applied: bool,
}

/// The name of a migration that was applied, or taken back.
pub type AppliedMigration = String;

macro_rules! delegate {
    ($self:ident, $schema:ident => $call:expr) => {
        match &mut $self.0 {
            Of::Sqlite($schema) => $call,
            Of::Postgres($schema) => $call,
        }
    };
}

impl Schema {
    /// Opens a database, making it if there is none, without touching its schema.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        Ok(Self(match url {
            DatabaseUrl::Sqlite(path) => Of::Sqlite(sqlite::Schema::open(path)?),
            DatabaseUrl::Postgres(address) => Of::Postgres(postgres::Schema::open(address)?),
        }))
    }

    /// Opens a database that must be there.
    ///
    /// # Errors
    ///
    /// [`StoreError::Schema`] when there is none, otherwise as [`open`](Self::open).
    pub fn open_existing(url: &DatabaseUrl) -> Result<Self, StoreError> {
        Ok(Self(match url {
            DatabaseUrl::Sqlite(path) => Of::Sqlite(sqlite::Schema::open_existing(path)?),
            DatabaseUrl::Postgres(address) => Of::Postgres(postgres::Schema::open_existing(address)?),
        }))
    }

    /// Applies all migrations that are missing. Of two processes that do so at once, one does the work and the
    /// other finds it done.
    ///
    /// # Errors
    ///
    /// [`StoreError::Schema`] when the database was made by a newer version, or a migration fails; a migration
    /// that failed has changed nothing.
    pub fn up(&mut self) -> Result<Vec<AppliedMigration>, StoreError> {
        delegate!(self, schema => schema.up())
    }

    /// Takes back the last migrations, newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Schema`] when the database was made by a newer version, or a migration fails.
    pub fn down(&mut self, steps: u32) -> Result<Vec<AppliedMigration>, StoreError> {
        delegate!(self, schema => schema.down(steps))
    }

    /// All migrations that this program knows, oldest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub fn status(&mut self) -> Result<Vec<MigrationStatus>, StoreError> {
        delegate!(self, schema => schema.status())
    }

    /// Fails unless the schema is exactly the one that this program knows.
    ///
    /// # Errors
    ///
    /// [`StoreError::Schema`] when it is newer or older.
    pub fn check(&mut self) -> Result<(), StoreError> {
        delegate!(self, schema => schema.check())
    }
}

/// Opens the store in a database, making it if there is none.
///
/// # Errors
///
/// [`StoreError::Unavailable`] when it cannot be opened, [`StoreError::Schema`] when a newer version made it, a migration
/// fails, or `migrate` is false and migrations are missing.
pub fn open_store(url: &DatabaseUrl, migrate: bool) -> Result<Box<dyn flowtrail_store::Store>, StoreError> {
    Ok(match (url, migrate) {
        (DatabaseUrl::Sqlite(_), true) => Box::new(sqlite::SqliteStore::open(url)?),
        (DatabaseUrl::Sqlite(_), false) => Box::new(sqlite::SqliteStore::open_without_migrating(url)?),
        (DatabaseUrl::Postgres(_), true) => Box::new(postgres::PostgresStore::open(url)?),
        (DatabaseUrl::Postgres(_), false) => Box::new(postgres::PostgresStore::open_without_migrating(url)?),
    })
}
