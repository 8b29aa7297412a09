//! All that the shared source must know of SQLite. No other file of this crate asks which database it is.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use flowtrail_store::StoreError;

pub(super) use super::liveness::Liveness;

/// The connection.
pub(crate) type Conn = SqliteConnection;
/// Diesel's name of the database.
pub(crate) type Db = diesel::sqlite::Sqlite;
/// A pool of connections for reading.
pub(crate) type Readers = Pool<ConnectionManager<Conn>>;

/// The column types that differ between databases, by the names that the schema uses.
pub(crate) mod sql {
    pub(crate) use diesel::sql_types::*;
    /// An id.
    pub(crate) type IdSql = Binary;
    /// A time.
    pub(crate) type AtSql = BigInt;
}

/// How many reads may go on at once.
const READERS: u32 = 4;

/// How many values one statement may bind: SQLite's limit is 32,766.
pub(crate) const MAX_BINDS: usize = 30_000;

/// Runs `work` as one transaction that writes. It holds the database's only write lock from the beginning, so
/// that what it reads stays true until it commits.
pub(crate) fn write<T, E: From<DieselError>>(
    conn: &mut Conn,
    work: impl FnOnce(&mut Conn) -> Result<T, E>,
) -> Result<T, E> {
    conn.immediate_transaction(work)
}

/// Opens the connection that writes, making the file if there is none.
pub(crate) fn open_writer(path: &Path) -> Result<Conn, StoreError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| cannot_open(path, &error.to_string(), error))?;
    }
    make_private(path).map_err(|error| cannot_open(path, &error.to_string(), error))?;
    let mut conn = Conn::establish(&path.to_string_lossy())
        .map_err(|error| cannot_open(path, &error.to_string(), error))?;
    // `auto_vacuum` can be chosen only before the first table, and only before the journal is a WAL. The
    // timeout comes first, since changing the journal needs a lock that another process may hold.
    conn.batch_execute(
        "PRAGMA busy_timeout = 5000;
         PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA journal_size_limit = 67108864;",
    )
    .map_err(|error| match error {
        // The file opens, but is something else: say which file.
        DieselError::DatabaseError(_, ref info) if info.message().contains("not a database") => {
            cannot_open(path, "it is not a SQLite database", error)
        }
        other => translate(other),
    })?;
    #[derive(QueryableByName)]
    struct Journal {
        #[diesel(sql_type = diesel::sql_types::Text)]
        journal_mode: String,
    }
    let journal: Journal =
        diesel::sql_query("PRAGMA journal_mode").get_result(&mut conn).map_err(translate)?;
    if journal.journal_mode != "wal" {
        let reason = "its file system has no shared memory, which SQLite's write-ahead log needs";
        return Err(StoreError::Unavailable {
            reason: format!("cannot use {}: {reason}", path.display()),
            source: None,
        });
    }
    Ok(conn)
}

/// Makes the file for its owner's eyes only, if there is none; SQLite gives its other files the same mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        // One that may not be written is SQLite's to complain about.
        Err(error) if error.kind() != std::io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(()),
    }
}

/// Opens a database that must be there, for a look at its schema.
pub(crate) fn open_existing(path: &Path) -> Result<Conn, StoreError> {
    if path.is_file() {
        return open_writer(path);
    }
    Err(StoreError::Schema(format!(
        "there is no database at {}: `flowtrail migrate up` makes one",
        path.display()
    )))
}

/// How many tables a database has, and how many of them tell of migrations.
pub(crate) fn count_tables(conn: &mut Conn) -> QueryResult<(i64, i64)> {
    use diesel::sql_types::BigInt;
    #[derive(QueryableByName)]
    struct Tables {
        #[diesel(sql_type = BigInt)]
        tables: i64,
        #[diesel(sql_type = BigInt)]
        of_migrations: i64,
    }
    let row: Tables = diesel::sql_query(
        "SELECT count(*) AS tables, \
         coalesce(sum(name = '__diesel_schema_migrations'), 0) AS of_migrations \
         FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )
    .get_result(conn)?;
    Ok((row.tables, row.of_migrations))
}

/// The one name of a file that is there, links resolved.
pub(crate) fn real_path(path: &Path) -> Result<PathBuf, StoreError> {
    path.canonicalize().map_err(|error| cannot_open(path, &error.to_string(), error))
}

/// Opens the connections that read.
pub(crate) fn open_readers(path: &Path) -> Result<Readers, StoreError> {
    Pool::builder()
        .max_size(READERS)
        .min_idle(Some(0))
        .connection_timeout(Duration::from_secs(5))
        .test_on_check_out(false)
        .connection_customizer(Box::new(ReadOnly))
        .build(ConnectionManager::new(path.to_string_lossy()))
        .map_err(|error| cannot_open(path, &error.to_string(), error))
}

#[derive(Debug)]
struct ReadOnly;

impl CustomizeConnection<Conn, diesel::r2d2::Error> for ReadOnly {
    fn on_acquire(&self, conn: &mut Conn) -> Result<(), diesel::r2d2::Error> {
        conn.batch_execute("PRAGMA busy_timeout = 5000; PRAGMA query_only = ON;")
            .map_err(diesel::r2d2::Error::QueryError)
    }
}

/// A number that changes when another process commits. Asked of the connection that writes, since on that one
/// this process's own commits do not count.
pub(crate) fn foreign_changes(conn: &mut Conn) -> QueryResult<Option<i64>> {
    use diesel::sql_types::BigInt;
    #[derive(QueryableByName)]
    struct DataVersion {
        #[diesel(sql_type = BigInt)]
        data_version: i64,
    }
    let row: DataVersion = diesel::sql_query("PRAGMA data_version").get_result(conn)?;
    Ok(Some(row.data_version))
}

fn cannot_open(path: &Path, reason: &str, source: impl Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable {
        reason: format!("cannot open {}: {reason}", path.display()),
        source: Some(Box::new(source)),
    }
}

/// Diesel's error in the words of the store. The only place that does it.
pub(crate) fn translate(error: DieselError) -> StoreError {
    let (kind, message, column) = match &error {
        DieselError::DatabaseError(kind, info) => (kind, info.message().to_owned(), info.column_name()),
        other => {
            let reason = other.to_string();
            return StoreError::Internal { reason, source: Some(Box::new(error)) };
        }
    };
    if matches!(kind, DatabaseErrorKind::UniqueViolation) {
        let field = if message.contains("flows.tool_name") || column == Some("tool_name") {
            "toolName"
        } else {
            "id"
        };
        return StoreError::Taken { field };
    }
    let says = |text: &str| message.contains(text);
    if says("database is locked") || says("database table is locked") {
        StoreError::Busy(Some(Box::new(error)))
    } else if says("disk is full") || says("readonly database") || says("disk I/O error") {
        StoreError::NotWritable { reason: message, source: Some(Box::new(error)) }
    } else if says("unable to open") || says("not a database") || says("malformed") {
        StoreError::Unavailable { reason: message, source: Some(Box::new(error)) }
    } else {
        StoreError::Internal { reason: message, source: Some(Box::new(error)) }
    }
}
