//! The schema's versions: up, down, and what is there.

use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use flowtrail_store::StoreError;

use super::backend::{self, Conn, Db};
use crate::DatabaseUrl;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// A database's schema.
pub struct Schema {
    conn: Conn,
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

impl Schema {
    /// Opens a database, making it if there is none, without touching its schema.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        Ok(Self { conn: backend::open_writer(url.path())? })
    }

    /// Opens a database that must be there.
    ///
    /// # Errors
    ///
    /// [`StoreError::Schema`] when there is none, otherwise as [`open`](Self::open).
    pub fn open_existing(url: &DatabaseUrl) -> Result<Self, StoreError> {
        Ok(Self { conn: backend::open_existing(url.path())? })
    }

    pub(super) fn into_connection(self) -> Conn {
        self.conn
    }

    /// Applies all migrations that are missing. Of two processes that do so at once, one does the work and the
    /// other finds it done.
    ///
    /// # Errors
    ///
    /// [`StoreError::Schema`] when the database was made by a newer version, or a migration fails; a migration
    /// that failed has changed nothing.
    pub fn up(&mut self) -> Result<Vec<AppliedMigration>, StoreError> {
        self.refuse_newer()?;
        // The write lock is taken before looking, so that what is missing is still missing when it is applied.
        backend::write(&mut self.conn, |conn| -> Result<_, MigrationFailed> {
            conn.run_pending_migrations(MIGRATIONS)
                .map(|versions| versions.iter().map(ToString::to_string).collect())
                .map_err(MigrationFailed::Migration)
        })
        .map_err(MigrationFailed::into_store_error)
    }

    /// Takes back the last migrations, newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Schema`] when the database was made by a newer version, or a migration fails.
    pub fn down(&mut self, steps: u32) -> Result<Vec<AppliedMigration>, StoreError> {
        self.refuse_newer()?;
        let mut reverted = Vec::new();
        for _ in 0..steps {
            if self.applied()?.is_empty() {
                break;
            }
            let version = self
                .conn
                .revert_last_migration(MIGRATIONS)
                .map_err(|error| StoreError::Schema(format!("a migration cannot be taken back: {error}")))?;
            reverted.push(version.to_string());
        }
        Ok(reverted)
    }

    /// All migrations that this program knows, oldest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub fn status(&mut self) -> Result<Vec<MigrationStatus>, StoreError> {
        let applied = self.applied()?;
        Ok(known()?
            .into_iter()
            .map(|(name, version)| MigrationStatus { name, applied: applied.contains(&version) })
            .collect())
    }

    /// Fails unless the schema is exactly the one that this program knows.
    ///
    /// # Errors
    ///
    /// [`StoreError::Schema`] when it is newer or older.
    pub fn check(&mut self) -> Result<(), StoreError> {
        self.refuse_newer()?;
        let missing = self.status()?.into_iter().filter(|migration| !migration.applied).count();
        if missing == 0 {
            return Ok(());
        }
        Err(StoreError::Schema(format!(
            "the database's schema is {missing} migrations behind: run `flowtrail migrate up`"
        )))
    }

    fn refuse_newer(&mut self) -> Result<(), StoreError> {
        let (tables, of_migrations) = backend::count_tables(&mut self.conn).map_err(backend::translate)?;
        if tables > 0 && of_migrations == 0 {
            return Err(StoreError::Schema(
                "this is another program's database, and nothing in it was changed: name another file"
                    .to_owned(),
            ));
        }
        let known = known()?;
        match self.applied()?.iter().find(|version| !known.iter().any(|(_, known)| known == *version)) {
            None => Ok(()),
            Some(version) => Err(StoreError::Schema(format!(
                "the database was made by a newer version of Flowtrail (it has migration {version}, which \
                 this one does not know): use that version, or restore a backup"
            ))),
        }
    }

    fn applied(&mut self) -> Result<Vec<MigrationVersion<'static>>, StoreError> {
        self.conn
            .applied_migrations()
            .map_err(|error| StoreError::Schema(format!("the schema's versions cannot be read: {error}")))
    }
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schema").finish_non_exhaustive()
    }
}

fn known() -> Result<Vec<(String, MigrationVersion<'static>)>, StoreError> {
    let mut migrations: Vec<Box<dyn Migration<Db>>> = MIGRATIONS
        .migrations()
        .map_err(|error| StoreError::Schema(format!("the migrations in this program are broken: {error}")))?;
    migrations.sort_by_key(|migration| migration.name().version().as_owned());
    Ok(migrations
        .iter()
        .map(|migration| (migration.name().to_string(), migration.name().version().as_owned()))
        .collect())
}

enum MigrationFailed {
    Migration(Box<dyn std::error::Error + Send + Sync>),
    Diesel(diesel::result::Error),
}

impl From<diesel::result::Error> for MigrationFailed {
    fn from(error: diesel::result::Error) -> Self {
        Self::Diesel(error)
    }
}

impl MigrationFailed {
    fn into_store_error(self) -> StoreError {
        match self {
            Self::Migration(error) => StoreError::Schema(format!("a migration failed: {error}")),
            Self::Diesel(error) => backend::translate(error),
        }
    }
}
