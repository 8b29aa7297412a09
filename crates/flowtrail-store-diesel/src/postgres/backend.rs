//! All that the shared source must know of PostgreSQL.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool, PoolError};
use diesel::result::Error as DieselError;
use diesel::sql_types::{BigInt, Bool};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use flowtrail_store::StoreError;

use super::confirm::confirm;
pub(super) use super::counters::put_statistics;
pub(super) use super::ends::update_ends;
use super::errors::in_one_line;
pub(crate) use super::errors::translate;
pub(super) use super::inserts::insert_executions;
use super::line::Ends;
pub(super) use super::own::{OnlySlot, Own};
use super::shared::{DieselStore, WriteError};
use crate::DatabaseUrl;

/// The connection.
pub(crate) type Conn = PgConnection;
/// Diesel's name of the database.
pub(crate) type Db = diesel::pg::Pg;
/// A pool of connections for reading.
pub(crate) type Readers = Pool<ConnectionManager<Conn>>;
/// Where a database is, as libpq takes it.
pub(crate) type Address = String;

/// The column types that differ between databases, by the names that the schema uses.
pub(crate) mod sql {
    pub(crate) use diesel::sql_types::*;
    /// An id.
    pub(crate) type IdSql = Uuid;
    /// A time.
    pub(crate) type AtSql = Timestamptz;
}

/// The schema's versions.
pub(crate) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// How many reads may go on at once.
const READERS: u32 = 8;

/// How many values one statement may bind: the protocol's limit is 65,535.
pub(crate) const MAX_BINDS: usize = 30_000;

/// The condition of the index by flow and status, in the words of the migration: only so is it used.
pub(crate) const IS_INDEXED_BY_FLOW_STATUS: &str = "executions.status NOT IN ('pending', 'fulfilled')";
/// The same for the index by status of all flows.
pub(crate) const IS_INDEXED_BY_STATUS: &str = "executions.status IN ('error', 'aborted')";
/// The same for the index of what is not packed.
pub(crate) const IS_UNPACKED: &str = "NOT executions.packed";

/// Whether a column has a text in whatever case, as what stands before the column, between it and the text in lower case, and
/// after the text. Lower case is that of ASCII, by the collation.
pub(crate) const HAS_TEXT: [&str; 3] = ["strpos(lower(", " COLLATE \"C\"), ", ") > 0"];

/// Lengths of time, to be added to a time.
pub(crate) const ONE_HOUR: &str = "interval '1 hour'";
/// The same.
pub(crate) const ONE_DAY: &str = "interval '24 hours'";
/// What stands for the values of a statement, in their order.
pub(crate) const PARAMETERS: [&str; 7] = ["$1", "$2", "$3", "$4", "$5", "$6", "$7"];

/// Whether rows share a statement to save the way to the database and back, which costs more than anything else.
pub(crate) const SHARES_STATEMENTS: bool = true;

/// Keeps the rows that a statement reads from others until the transaction ends.
macro_rules! locked {
    ($statement:expr) => {
        $statement.for_update()
    };
}
pub(crate) use locked;

/// The address that libpq takes, with bounds to how long it waits.
pub(crate) fn address(url: &DatabaseUrl) -> Result<Address, StoreError> {
    let DatabaseUrl::Postgres(address) = url else {
        return Err(StoreError::Internal {
            reason: "a store on PostgreSQL was asked for another database".to_owned(),
            source: None,
        });
    };
    let mut address = address.clone();
    // A database that went away without a word must not be waited for by the system's own, very long bounds.
    for (option, value) in [
        ("connect_timeout", "5"),
        ("tcp_user_timeout", "10000"),
        ("keepalives_idle", "10"),
        ("keepalives_interval", "5"),
        ("keepalives_count", "3"),
        ("application_name", "flowtrail"),
    ] {
        if !address.contains(&format!("{option}=")) {
            address.push(if address.contains('?') { '&' } else { '?' });
            address.push_str(&format!("{option}={value}"));
        }
    }
    Ok(address)
}

/// The character that stands before a character which PostgreSQL's texts cannot hold, or which is it itself.
const ESCAPE: char = '\u{1a}';

/// A text as the database keeps it: U+0000 is written as two characters.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if text.contains(['\0', ESCAPE]) {
        Cow::Owned(text.replace(ESCAPE, "\u{1a}\u{1a}").replace('\0', "\u{1a}0"))
    } else {
        Cow::Borrowed(text)
    }
}

/// A text as the database kept it.
pub(crate) fn from_text(text: String) -> String {
    if !text.contains(ESCAPE) {
        return text;
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, character == ESCAPE) {
            (_, true) => plain.push(if characters.next() == Some('0') { '\0' } else { ESCAPE }),
            (character, false) => plain.push(character),
        }
    }
    plain
}

/// Runs `work` as one transaction that writes.
pub(crate) fn write<T, E: From<DieselError>>(
    conn: &mut Conn,
    work: impl FnOnce(&mut Conn) -> Result<T, E>,
) -> Result<T, E> {
    let mut worked_until = None;
    let done = conn.build_transaction().read_committed().read_write().run(|conn| {
        let done = work(conn);
        worked_until = Some(Instant::now());
        done
    })?;
    confirm(conn, worked_until.map_or(Duration::ZERO, |until| until.elapsed()))?;
    Ok(done)
}

/// A number of Flowtrail's own, so that its locks are not taken for another program's in the same database.
pub(super) const LOCK_CLASS: i32 = 0x666c_6f77;
/// The lock of whoever migrates. Slots of statistics have the numbers from 0 on.
const MIGRATING: i32 = -1;

/// Runs `work` as one transaction beside which nobody else migrates.
pub(crate) fn write_alone<T, E: From<DieselError>>(
    conn: &mut Conn,
    work: impl FnOnce(&mut Conn) -> Result<T, E>,
) -> Result<T, E> {
    write(conn, |conn| {
        conn.batch_execute(&format!("SELECT pg_advisory_xact_lock({LOCK_CLASS}, {MIGRATING})"))?;
        work(conn)
    })
}

/// The lock of whoever changes prunes. Jobs have the numbers below.
const PRUNING: i32 = -100;

/// Keeps prunes from being changed by others until the transaction ends.
pub(crate) fn lock_prunes(conn: &mut Conn) -> QueryResult<()> {
    conn.batch_execute(&format!("SELECT pg_advisory_xact_lock({LOCK_CLASS}, {PRUNING})"))
}

/// The lock of batches that are being written.
const WRITING: i32 = -101;

/// Makes a prune that begins wait for the end of this transaction. A batch and a prune could not otherwise be told apart that
/// go on at once: whether the one knew of the other decides what the prune covers.
pub(crate) fn join_writers(conn: &mut Conn) -> QueryResult<()> {
    conn.batch_execute(&format!("SELECT pg_advisory_xact_lock_shared({LOCK_CLASS}, {WRITING})"))
}

/// Waits until no batch is being written, and keeps others from beginning until the transaction ends.
pub(crate) fn wait_for_writers(conn: &mut Conn) -> QueryResult<()> {
    conn.batch_execute(&format!("SELECT pg_advisory_xact_lock({LOCK_CLASS}, {WRITING})"))
}

/// Runs `work` so that all it reads is of one moment.
pub(crate) fn snapshot<T, E: From<DieselError>>(
    conn: &mut Conn,
    work: impl FnOnce(&mut Conn) -> Result<T, E>,
) -> Result<T, E> {
    conn.build_transaction().repeatable_read().read_only().run(work)
}

/// Whether a connection is of no more use after an error.
pub(crate) fn is_lost(conn: &mut Conn, error: Option<&StoreError>) -> bool {
    use diesel::connection::TransactionManager;
    type Manager = <Conn as Connection>::TransactionManager;
    matches!(error, Some(StoreError::Unavailable { .. })) || Manager::is_broken_transaction_manager(conn)
}

/// A connection from the pool, or why there is none.
pub(crate) fn checked_out<T>(got: Result<T, PoolError>, address: &Address) -> Result<T, StoreError> {
    got.map_err(|error| {
        let reason = scrubbed(address, &error.to_string());
        // Without a reason of the database's own all connections were in use.
        if reason.trim_end() == "timed out waiting for connection" {
            StoreError::Busy(Some(Box::new(error)))
        } else {
            // Without the error itself, which is printed with what libpq says.
            StoreError::Unavailable { reason: in_one_line(&reason), source: None }
        }
    })
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
        out.push_sql("SELECT nextval('write_mark'), EXISTS (SELECT 1 FROM prunes)");
        Ok(())
    }
}

impl diesel::query_builder::Query for NextMark {
    type SqlType = (BigInt, Bool);
}

impl diesel::RunQueryDsl<Conn> for NextMark {}

/// Opens the connection that writes.
pub(crate) fn open_writer(address: &Address) -> Result<Conn, StoreError> {
    let mut conn = Conn::establish(address).map_err(|error| cannot_connect(address, &error))?;
    settle(&mut conn).map_err(translate)?;
    Ok(conn)
}

/// What every connection of ours relies on, whatever the database's or the role's own settings are.
///
/// Each statement is written for one plan: along an index, in its order, no further than the page is long. The planner
/// would leave it for another one (all rows, sorted) whenever it takes what is asked for to be little, and be right
/// until it is not.
#[cfg_attr(not(feature = "testing"), allow(unreachable_pub, reason = "tests of plans need it"))]
pub const SESSION: &str = "SET TIME ZONE 'UTC';
     SET lock_timeout = '10s';
     SET idle_in_transaction_session_timeout = '60s';
     SET enable_seqscan = off;
     SET enable_bitmapscan = off;
     SET enable_sort = off;
     SET enable_hashjoin = off;
     SET enable_mergejoin = off;
     SET jit = off;
     SELECT set_config('synchronous_commit', 'on', false)
         WHERE current_setting('synchronous_commit') IN ('off', 'local');";

fn settle(conn: &mut Conn) -> QueryResult<()> {
    conn.batch_execute(SESSION)
}

/// The time that a statement may take, unless less is configured. What changes the schema has no such limit.
const LIMIT: &str = "SELECT set_config('statement_timeout', '30s', false) FROM pg_settings \
     WHERE name = 'statement_timeout' AND (setting = '0' OR setting::bigint > 30000)";

/// Limits the time of the statements of a connection.
fn limit(conn: &mut Conn) -> QueryResult<()> {
    conn.batch_execute(LIMIT)
}

fn cannot_connect(address: &Address, error: &ConnectionError) -> StoreError {
    let said = scrubbed(address, &in_one_line(&error.to_string()));
    let reason = format!("cannot connect to PostgreSQL: {said}");
    // Without the error itself, which is printed with what libpq says.
    StoreError::Unavailable { reason, source: None }
}

/// A message without the passwords of an address: libpq repeats parts of it.
pub(super) fn scrubbed(address: &Address, message: &str) -> String {
    let hide = |message: String, password: &String| message.replace(password.as_str(), "***");
    crate::url::passwords(address).iter().fold(message.to_owned(), hide)
}

/// Fails when the database cannot keep every text.
pub(crate) fn refuse_unusable(conn: &mut Conn) -> Result<(), StoreError> {
    #[derive(QueryableByName)]
    struct Encoding {
        #[diesel(sql_type = diesel::sql_types::Text)]
        encoding: String,
    }
    let found: Encoding = diesel::sql_query("SELECT current_setting('server_encoding') AS encoding")
        .get_result(conn)
        .map_err(translate)?;
    if found.encoding == "UTF8" {
        return Ok(());
    }
    Err(StoreError::Schema(format!(
        "the database's encoding is {}, and Flowtrail needs UTF8: make one with \
         CREATE DATABASE name TEMPLATE template0 ENCODING 'UTF8'",
        found.encoding
    )))
}

/// Opens a database that must be there. A server that answers has one.
pub(crate) fn open_existing(address: &Address) -> Result<Conn, StoreError> {
    open_writer(address)
}

/// How many tables a database has, and how many of them tell of migrations.
pub(crate) fn count_tables(conn: &mut Conn) -> QueryResult<(i64, i64)> {
    #[derive(QueryableByName)]
    struct Tables {
        #[diesel(sql_type = BigInt)]
        tables: i64,
        #[diesel(sql_type = BigInt)]
        of_migrations: i64,
    }
    let row: Tables = diesel::sql_query(
        // Not the information schema, which shows a role only what it has a right to.
        "SELECT count(*) AS tables, \
         count(*) FILTER (WHERE relname = '__diesel_schema_migrations') AS of_migrations \
         FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace",
    )
    .get_result(conn)?;
    Ok((row.tables, row.of_migrations))
}

/// Opens the connections that read.
pub(crate) fn open_readers(address: &Address, _own: &Own) -> Result<Readers, StoreError> {
    Pool::builder()
        .max_size(READERS)
        .min_idle(Some(0))
        .connection_timeout(Duration::from_secs(5))
        // One that was lost while nobody used it is found out here, and not by who reads.
        .test_on_check_out(true)
        .connection_customizer(Box::new(Settled))
        .error_handler(Box::new(Logged(address.clone())))
        .build(ConnectionManager::new(address))
        .map_err(|error| StoreError::Unavailable {
            reason: in_one_line(&scrubbed(address, &error.to_string())),
            source: None,
        })
}

/// Logs why a connection of the pool cannot be made, without the password.
struct Logged(Address);

impl std::fmt::Debug for Logged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Logged")
    }
}

impl diesel::r2d2::HandleError<diesel::r2d2::Error> for Logged {
    fn handle_error(&self, error: diesel::r2d2::Error) {
        log::warn!("a connection for reading: {}", scrubbed(&self.0, &in_one_line(&error.to_string())));
    }
}

#[derive(Debug)]
struct Settled;

impl CustomizeConnection<Conn, diesel::r2d2::Error> for Settled {
    fn on_acquire(&self, conn: &mut Conn) -> Result<(), diesel::r2d2::Error> {
        settle(conn).and_then(|()| limit(conn)).map_err(diesel::r2d2::Error::QueryError)
    }
}

/// After a transaction.
pub(super) fn after_write(own: &Own, conn: &mut Conn, is_committed: bool) {
    own.line().end(is_committed);
    super::company::after_write(own, conn, is_committed);
}

/// Nothing here: the server looks after its log itself.
pub(crate) fn wrote(_store: &DieselStore, _executions: usize) {}

/// Nothing here: the server has flushed what it says that it has committed. To let it commit without, and to flush by a
/// second connection meanwhile, was tried, and gained nothing: the processors are what it waits for.
pub(crate) fn flush(_store: &DieselStore) -> Result<(), StoreError> {
    Ok(())
}

/// Makes a connection the one that writes.
pub(crate) fn write_unflushed(conn: &mut Conn) -> QueryResult<()> {
    limit(conn)
}

/// Before a write: others may look how long it takes.
pub(crate) fn prepare(
    conn: &mut Conn,
    own: &Own,
    _address: &Address,
    _purpose: Purpose,
) -> Result<(), StoreError> {
    let known = own.line().ends();
    let ends = match known {
        Some(ends) => ends,
        None => Ends::of(conn).map_err(translate)?,
    };
    own.line().begin(ends);
    Ok(())
}

/// Notes that the connection that writes is another one.
pub(crate) fn writer_is_new(own: &Own) {
    own.line().forget();
}

/// The purpose of a write. Here the disk is another machine's.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// New records.
    Records,
    /// Anything else.
    Other,
}

/// True for a connection that only reads: none does.
pub(crate) fn only_reads(_conn: &mut Conn) -> Result<bool, StoreError> {
    Ok(false)
}

/// Check of the room for new records: the server tells when one is written. A write that is stuck is seen to.
pub(crate) fn check_room(conn: &mut Conn, own: &Own, _address: &Address) -> Result<(), StoreError> {
    let busy = own.line().busy();
    busy.map_or(Ok(()), |busy| busy.look_after(conn)).map_err(translate)
}

/// Nothing tells cheaper than looking whether another process has written. Whoever watches looks each time this is asked.
pub(crate) fn foreign_changes(store: &DieselStore) -> Result<Option<i64>, StoreError> {
    super::company::rest(store.own());
    Ok(None)
}

/// Where a database is: a server's name is as good as any.
pub(crate) fn resolved(address: &Address) -> Result<Address, StoreError> {
    Ok(address.clone())
}

/// Nothing tells cheaper than looking whether a rule has changed.
pub(crate) fn rules_mark(_own: &Own) -> Option<u64> {
    None
}

pub(crate) fn mark_rules(_own: &Own) {}

/// Nothing tells cheaper than asking anew whether anything has changed.
pub(crate) fn content_mark(_store: &DieselStore) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back() {
        for plain in ["", "plain", "a\0b", "\0", "\u{1a}", "\u{1a}0", "\u{1a}\0\u{1a}0ü"] {
            let kept = text(plain).into_owned();
            assert!(!kept.contains('\0'), "{plain:?}");
            assert_eq!(from_text(kept), plain);
        }
    }

    #[test]
    fn what_the_address_says_is_not_overruled() {
        let of = |text: &str| address(&text.parse().unwrap()).unwrap();
        assert!(of("postgres://h/db").contains("?connect_timeout=5&"));
        assert!(
            of("postgres://h/db?connect_timeout=9&sslmode=require")
                .contains("connect_timeout=9&sslmode=require&tcp")
        );
    }
}
