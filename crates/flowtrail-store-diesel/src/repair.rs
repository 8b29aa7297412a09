//! Databases that are damaged: what is broken, and what can still be read.

use std::path::Path;

use flowtrail_store::{Damage, StoreError};

use crate::{DatabaseUrl, postgres, sqlite};

/// Something that is broken in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The file, in the words of the database.
    File(String),
    /// A row.
    Row {
        /// The row.
        damage: Damage,
        /// The fault, in words.
        reason: String,
    },
}

/// The content of a new database, and what it lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// The tables.
    pub tables: Vec<SalvagedTable>,
    /// How many executions have lost their data: their parameters, their output, their nodes.
    pub without_data: u64,
    /// How many executions are lost of which the data could be read.
    pub without_row: u64,
}

/// A table of which the rows were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SalvagedTable {
    /// Its name.
    pub name: String,
    /// How many rows were written.
    pub rows: u64,
    /// How many stretches of it could not be read. How many rows stood there is not known.
    pub gaps: u64,
}

/// Reads everything in a database and tells what is broken, and to `progress` how many executions were read. Gives their number.
///
/// # Errors
///
/// [`StoreError::Schema`] when there is no database or its schema is another one, [`StoreError::Damaged`] when nothing of it can
/// be read, and what keeps it from being read otherwise.
pub fn check_database(
    url: &DatabaseUrl,
    found: &mut dyn FnMut(Finding),
    progress: &dyn Fn(u64),
) -> Result<u64, StoreError> {
    match url {
        DatabaseUrl::Sqlite(path) => {
            sqlite::check_file(path, found)?;
            sqlite::SqliteStore::open_without_migrating(url)?.check_rows(found, progress)
        }
        DatabaseUrl::Postgres(_) => {
            postgres::PostgresStore::open_without_migrating(url)?.check_rows(found, progress)
        }
    }
}

/// Writes what can be read of a SQLite database to a new one, and tells `progress` how many rows of which table were written. The
/// database itself stays as it is.
///
/// # Errors
///
/// [`StoreError::NoCopy`] when the new one cannot be written or is there already, [`StoreError::Schema`] when there is no
/// database, [`StoreError::Damaged`] when nothing of it can be read.
pub fn salvage_database(
    url: &DatabaseUrl,
    to: &Path,
    progress: &dyn Fn(&str, u64),
) -> Result<Salvaged, StoreError> {
    match url {
        DatabaseUrl::Sqlite(path) => sqlite::salvage(path, to, progress),
        DatabaseUrl::Postgres(_) => Err(StoreError::NoCopy(
            "only files of SQLite can be salvaged: for PostgreSQL restore a copy, or use `pg_dump` table by table".to_owned(),
        )),
    }
}
