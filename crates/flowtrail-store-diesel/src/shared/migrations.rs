//! The schema's versions: up, down, and what is there.

use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel::prelude::*;
use diesel_migrations::MigrationHarness;
use flowtrail_store::StoreError;

use super::backend::{self, Address, Conn, Db, MIGRATIONS};
use super::executions;
use super::statistics;
use super::store::WriteError;
use crate::schema::{AppliedMigration, MigrationStatus};

/// The migration before which data was not packed.
const PACKING: &str = "20261122000000";
/// The migration before which packed nodes always had a start and a duration.
const UNKNOWN_TIMES: &str = "20261128000000";

/// A database's schema.
pub(crate) struct Schema {
    conn: Conn,
}

impl Schema {
    /// Opens a database, making it if there is none, without touching its schema.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub(crate) fn open(address: &Address) -> Result<Self, StoreError> {
        let mut conn = backend::open_writer(address)?;
        backend::refuse_unusable(&mut conn)?;
        Ok(Self { conn })
    }

    /// Opens a database that must be there.
    ///
    /// # Errors
    ///
    /// [`StoreError::Schema`] when there is none, otherwise as [`open`](Self::open).
    pub(crate) fn open_existing(address: &Address) -> Result<Self, StoreError> {
        let mut conn = backend::open_existing(address)?;
        backend::refuse_unusable(&mut conn)?;
        Ok(Self { conn })
    }

    /// True when the database can only be read.
    pub(super) fn only_reads(&mut self) -> Result<bool, StoreError> {
        backend::only_reads(&mut self.conn)
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
    pub(crate) fn up(&mut self) -> Result<Vec<AppliedMigration>, StoreError> {
        // The lock is taken before looking, so that what is missing is still missing when it is applied.
        backend::write_alone(&mut self.conn, |conn| -> Result<_, MigrationFailed> {
            refuse_newer(conn)?;
            // The harness makes its table first, which needs a right that who only serves may not have.
            if known()?.len() == applied(conn)?.len() {
                statistics::recount_if_wanted(conn, &backend::OnlySlot)?;
                return Ok(Vec::new());
            }
            let versions = conn.run_pending_migrations(MIGRATIONS).map_err(MigrationFailed::Migration)?;
            let applied: Vec<AppliedMigration> = versions.iter().map(ToString::to_string).collect();
            statistics::recount_if_wanted(conn, &backend::OnlySlot)?;
            Ok(applied)
        })
        .map_err(MigrationFailed::into_store_error)
    }

    /// Takes back the last migrations, newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Schema`] when the database was made by a newer version, or a migration fails.
    pub(crate) fn down(&mut self, steps: u32) -> Result<Vec<AppliedMigration>, StoreError> {
        let mut reverted = Vec::new();
        for _ in 0..steps {
            let version = backend::write_alone(&mut self.conn, |conn| -> Result<_, MigrationFailed> {
                refuse_newer(conn)?;
                let Some(last) = applied(conn)?.into_iter().max() else { return Ok(None) };
                if [PACKING, UNKNOWN_TIMES].contains(&last.to_string().as_str()) {
                    executions::unpack_all(conn)?;
                }
                conn.revert_last_migration(MIGRATIONS).map(Some).map_err(MigrationFailed::Migration)
            });
            match version.map_err(MigrationFailed::into_store_error)? {
                Some(version) => reverted.push(version.to_string()),
                None => break,
            }
        }
        Ok(reverted)
    }

    /// All migrations that this program knows, oldest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    pub(crate) fn status(&mut self) -> Result<Vec<MigrationStatus>, StoreError> {
        let applied = applied(&mut self.conn)?;
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
    pub(crate) fn check(&mut self) -> Result<(), StoreError> {
        refuse_newer(&mut self.conn)?;
        let missing = self.status()?.into_iter().filter(|migration| !migration.applied).count();
        if missing == 0 {
            return Ok(());
        }
        Err(StoreError::Schema(format!(
            "the database's schema is {missing} migrations behind: run `flowtrail migrate up`"
        )))
    }
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schema").finish_non_exhaustive()
    }
}

/// Fails when the database is another program's, or a newer version of this one made it.
fn refuse_newer(conn: &mut Conn) -> Result<(), StoreError> {
    let (tables, of_migrations) = backend::count_tables(conn).map_err(backend::translate)?;
    if tables > 0 && of_migrations == 0 {
        return Err(StoreError::Schema(
            "this is another program's database, and nothing in it was changed: name another one".to_owned(),
        ));
    }
    let known = known()?;
    match applied(conn)?.iter().find(|version| !known.iter().any(|(_, known)| known == *version)) {
        None => Ok(()),
        Some(version) => Err(StoreError::Schema(format!(
            "the database was made by a newer version of Flowtrail (it has migration {version}, which this one does not \
             know): use that version, or restore a backup"
        ))),
    }
}

fn applied(conn: &mut Conn) -> Result<Vec<MigrationVersion<'static>>, StoreError> {
    // Not by the harness, which makes its table if there is none: of two that do so at once one fails, and who has rights on
    // rows alone may not.
    let (_, of_migrations) = backend::count_tables(conn).map_err(backend::translate)?;
    if of_migrations == 0 {
        return Ok(Vec::new());
    }
    let versions: Vec<String> = __diesel_schema_migrations::table
        .select(__diesel_schema_migrations::version)
        .order(__diesel_schema_migrations::version.desc())
        .load(conn)
        .map_err(|error| StoreError::Schema(format!("the schema's versions cannot be read: {error}")))?;
    Ok(versions.into_iter().map(MigrationVersion::from).collect())
}

diesel::table! {
    __diesel_schema_migrations (version) {
        version -> Text,
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
    Write(WriteError),
}

impl From<diesel::result::Error> for MigrationFailed {
    fn from(error: diesel::result::Error) -> Self {
        Self::Write(error.into())
    }
}

impl From<WriteError> for MigrationFailed {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

impl From<StoreError> for MigrationFailed {
    fn from(error: StoreError) -> Self {
        Self::Write(error.into())
    }
}

impl MigrationFailed {
    fn into_store_error(self) -> StoreError {
        match self {
            Self::Migration(error) => StoreError::Schema(format!("a migration failed: {error}")),
            Self::Write(error) => error.into_store_error(),
        }
    }
}
