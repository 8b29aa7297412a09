//! All that the shared source must know of SQLite. No other file of this crate asks which database it is.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use flowtrail_store::StoreError;

use crate::{DatabaseUrl, private};

pub(super) use super::counters::put_statistics;
pub(super) use super::ends::update_ends;
pub(super) use super::inserts::insert_executions;
pub(crate) use super::log::{flush, write_unflushed, wrote};
pub(super) use super::own::{OnlySlot, Own};
use super::room;
pub(crate) use super::room::Purpose;
use super::shared::{DieselStore, WriteError};

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

/// Where a database is.
pub(crate) type Address = PathBuf;

/// The schema's versions.
pub(crate) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// The condition of the index by flow and status, in the words of the migration: only so is it used.
pub(crate) const IS_INDEXED_BY_FLOW_STATUS: &str = "executions.status NOT IN ('pending', 'fulfilled')";
/// The same for the index by status of all flows.
pub(crate) const IS_INDEXED_BY_STATUS: &str = "executions.status IN ('error', 'aborted')";
/// The same for the index of what is not packed.
pub(crate) const IS_UNPACKED: &str = "executions.packed = 0";

/// Whether a column has a text in whatever case, as what stands before the column, between it and the text in lower case, and
/// after the text. Lower case is that of ASCII, as it is here anyway.
pub(crate) const HAS_TEXT: [&str; 3] = ["instr(lower(", "), ", ") > 0"];

/// Lengths of time, to be added to a time.
pub(crate) const ONE_HOUR: &str = "3600000000";
/// The same.
pub(crate) const ONE_DAY: &str = "86400000000";
/// What stands for the values of a statement, in their order.
pub(crate) const PARAMETERS: [&str; 7] = ["?1", "?2", "?3", "?4", "?5", "?6", "?7"];

/// Whether rows share a statement to save the way to the database and back. Here there is no way, and a statement for one
/// row is prepared once.
pub(crate) const SHARES_STATEMENTS: bool = false;

/// Keeps the rows that a statement reads from others until the transaction ends. Here a transaction that writes is the
/// only one.
macro_rules! locked {
    ($statement:expr) => {
        $statement
    };
}
pub(crate) use locked;

/// The file that an address names.
pub(crate) fn address(url: &DatabaseUrl) -> Result<Address, StoreError> {
    match url {
        DatabaseUrl::Sqlite(path) => Ok(path.clone()),
        DatabaseUrl::Postgres(_) => Err(StoreError::Internal {
            reason: "a store on SQLite was asked for a PostgreSQL database".to_owned(),
            source: None,
        }),
    }
}

/// A text as the database keeps it.
pub(crate) fn text(text: &str) -> std::borrow::Cow<'_, str> {
    text.into()
}

/// A text as the database kept it.
pub(crate) fn from_text(text: String) -> String {
    text
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

/// Runs `work` as one transaction beside which nobody else migrates.
pub(crate) fn write_alone<T, E: From<DieselError>>(
    conn: &mut Conn,
    work: impl FnOnce(&mut Conn) -> Result<T, E>,
) -> Result<T, E> {
    write(conn, work)
}

/// Runs `work` so that all it reads is of one moment.
pub(crate) fn snapshot<T, E: From<DieselError>>(
    conn: &mut Conn,
    work: impl FnOnce(&mut Conn) -> Result<T, E>,
) -> Result<T, E> {
    conn.transaction(work)
}

/// Whether a connection is of no more use after an error. A file does not hang up.
pub(crate) fn is_lost(_conn: &mut Conn, _error: Option<&StoreError>) -> bool {
    false
}

/// Keeps prunes from being changed by others until the transaction ends. Here nobody else writes anyway.
pub(crate) fn lock_prunes(_conn: &mut Conn) -> QueryResult<()> {
    Ok(())
}

/// Makes a prune that begins wait for the end of this transaction. Here nobody else writes anyway.
pub(crate) fn join_writers(_conn: &mut Conn) -> QueryResult<()> {
    Ok(())
}

/// Waits until no batch is being written. Here none is.
pub(crate) fn wait_for_writers(_conn: &mut Conn) -> QueryResult<()> {
    Ok(())
}

/// After a write: nothing here. What is told is part of the transaction.
pub(crate) fn after_write(_own: &Own, _conn: &mut Conn, _is_committed: bool) {}

/// Before a write: keeps the log small where there is a ceiling to all, and looks whether the disk has room.
pub(crate) fn prepare(
    conn: &mut Conn,
    own: &Own,
    address: &Address,
    purpose: Purpose,
) -> Result<(), StoreError> {
    room::refuse_read_only(own)?;
    let ceiling = own.ceiling.load(std::sync::atomic::Ordering::Relaxed);
    super::upkeep::keep_log_small(conn, address, ceiling);
    room::prepare(conn, address, purpose)
}

/// Notes that the connection that writes is another one: a file is the same.
pub(crate) fn writer_is_new(_own: &Own) {}

/// Check of the room for new records.
pub(crate) fn check_room(conn: &mut Conn, own: &Own, address: &Address) -> Result<(), StoreError> {
    room::refuse_read_only(own)?;
    room::check(conn, address)
}

/// A connection from the pool, or why there is none.
pub(crate) fn checked_out<T>(
    got: Result<T, diesel::r2d2::PoolError>,
    _address: &Address,
) -> Result<T, StoreError> {
    got.map_err(|error| StoreError::Busy(Some(Box::new(error))))
}

/// The number of this batch, by which a prune tells what was written before it, and whether there is any prune.
pub(crate) fn next_mark(conn: &mut Conn) -> Result<(i64, bool), WriteError> {
    Ok(NextMark.get_result(conn)?)
}

/// Prepared once, unlike `sql_query`.
#[derive(diesel::query_builder::QueryId)]
struct NextMark;

impl diesel::query_builder::QueryFragment<Db> for NextMark {
    fn walk_ast<'b>(&'b self, mut out: diesel::query_builder::AstPass<'_, 'b, Db>) -> QueryResult<()> {
        out.push_sql(
            "UPDATE write_mark SET mark = mark + 1 RETURNING mark, EXISTS (SELECT 1 FROM prunes) AS has_prunes",
        );
        Ok(())
    }
}

impl diesel::query_builder::Query for NextMark {
    type SqlType = (diesel::sql_types::BigInt, diesel::sql_types::Bool);
}

impl diesel::RunQueryDsl<Conn> for NextMark {}

/// Opens the connection that writes, making the file if there is none. On a disk that is so full that SQLite cannot begin to
/// write, it is one that only reads.
pub(crate) fn open_writer(path: &Address) -> Result<Conn, StoreError> {
    open_to_write(path).or_else(|error| {
        if room::is_full(path) && room::is_whole(path) {
            open_as_it_is(path).map_err(|_| error)
        } else {
            Err(error)
        }
    })
}

/// Opens a file that nobody changes, which needs no file beside it.
fn open_as_it_is(path: &Path) -> Result<Conn, StoreError> {
    let mut conn =
        Conn::establish(&as_it_is(path)).map_err(|error| cannot_open(path, &error.to_string(), error))?;
    conn.batch_execute("PRAGMA query_only = ON").map_err(translate)?;
    Ok(conn)
}

/// The name by which SQLite opens a file that nobody changes.
fn as_it_is(path: &Path) -> String {
    format!("{}?immutable=1", file_name(path))
}

/// The name by which SQLite opens a file without changing it.
pub(super) fn read_only(path: &Path) -> String {
    format!("{}?mode=ro", file_name(path))
}

fn file_name(path: &Path) -> String {
    let path = path.to_string_lossy();
    let escaped = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{escaped}")
}

/// True for a connection that only reads.
pub(crate) fn only_reads(conn: &mut Conn) -> Result<bool, StoreError> {
    super::upkeep::number(conn, "query_only").map(|value| value != 0).map_err(translate)
}

fn open_to_write(path: &Address) -> Result<Conn, StoreError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        private::make_folder(folder).map_err(|error| cannot_open(path, &error.to_string(), error))?;
    }
    room::make_way(path);
    make_private(path).map_err(|error| cannot_open(path, &error.to_string(), error))?;
    let mut conn = Conn::establish(&path.to_string_lossy())
        .map_err(|error| cannot_open(path, &error.to_string(), error))?;
    // `auto_vacuum` can be chosen only before the first table, and only before the journal is a WAL. The
    // timeout comes first, since changing the journal needs a lock that another process may hold.
    conn.batch_execute(&format!(
        "PRAGMA busy_timeout = 5000;
         PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA wal_autocheckpoint = {};
         PRAGMA journal_size_limit = 67108864;",
        super::log::MOVED_AT_LAST
    ))
    .map_err(|error| match error {
        // The file opens, but is something else: say which file.
        DieselError::DatabaseError(_, ref info) if info.message().contains("not a database") => {
            let reason = format!(
                "{} is not a SQLite database, or its beginning is damaged: `flowtrail db salvage FILE` writes what can \
                 be read to a new one",
                path.display()
            );
            StoreError::Damaged { reason, source: Some(Box::new(error)) }
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
pub(super) fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    match private::open(options.create(true).truncate(false).write(true), path) {
        // One that may not be written is SQLite's to complain about.
        Err(error) if error.kind() != std::io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(()),
    }
}

/// Opens a database that must be there, for a look at its schema.
pub(crate) fn open_existing(path: &Address) -> Result<Conn, StoreError> {
    if path.is_file() {
        return open_writer(path);
    }
    Err(StoreError::Schema(format!(
        "there is no database at {}: `flowtrail migrate up` makes one",
        path.display()
    )))
}

/// Fails when the database cannot keep every text: a SQLite database can.
pub(crate) fn refuse_unusable(_conn: &mut Conn) -> Result<(), StoreError> {
    Ok(())
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

/// Where a database is that is there, by the name that SQLite calls it: links are followed, also by what it keeps beside it.
pub(crate) fn resolved(path: &Address) -> Result<Address, StoreError> {
    real_path(path)
}

/// The one name of a file that is there, links resolved.
pub(crate) fn real_path(path: &Path) -> Result<PathBuf, StoreError> {
    path.canonicalize().map_err(|error| cannot_open(path, &error.to_string(), error))
}

/// Opens the connections that read.
pub(crate) fn open_readers(path: &Address, own: &Own) -> Result<Readers, StoreError> {
    let name = if own.only_reads { as_it_is(path) } else { path.to_string_lossy().into_owned() };
    Pool::builder()
        .max_size(READERS)
        .min_idle(Some(0))
        .connection_timeout(Duration::from_secs(5))
        .test_on_check_out(false)
        .connection_customizer(Box::new(ReadOnly))
        .build(ConnectionManager::new(name))
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
pub(crate) fn foreign_changes(store: &DieselStore) -> Result<Option<i64>, StoreError> {
    use diesel::sql_types::BigInt;
    #[derive(QueryableByName)]
    struct DataVersion {
        #[diesel(sql_type = BigInt)]
        data_version: i64,
    }
    store.on_writer(|conn| {
        let row: DataVersion = diesel::sql_query("PRAGMA data_version").get_result(conn)?;
        Ok(Some(row.data_version))
    })
}

pub(crate) use super::content::content_mark;
pub(crate) use super::rules::{mark_rules, rules_mark};

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
    } else if says("disk is full") {
        StoreError::Full { reason: message, source: Some(Box::new(error)) }
    } else if says("readonly database") || says("disk I/O error") {
        StoreError::NotWritable { reason: message, source: Some(Box::new(error)) }
    } else if says("not a database") || says("malformed") {
        StoreError::Damaged { reason: message, source: Some(Box::new(error)) }
    } else if says("unable to open") {
        StoreError::Unavailable { reason: message, source: Some(Box::new(error)) }
    } else {
        StoreError::Internal { reason: message, source: Some(Box::new(error)) }
    }
}
