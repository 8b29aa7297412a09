//! What can be read of a damaged database, in a new one.
//!
//! SQLite gives up a statement at the first page that makes no sense. So each table is read in pieces by its key, from both ends
//! towards the damage, and between two damages from the middle.

use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};
use flowtrail_store::StoreError;

use super::backend::{self, Conn};
use super::backup::publish;
use super::shared::Schema;
use super::{broken_header, pieces};
use crate::{Salvaged, SalvagedTable};

/// Tables that a new database fills by itself, or that are of no use without the process that filled them.
const LEFT_OUT: [&str; 4] = ["__diesel_schema_migrations", "recount_wanted", "instances", "write_log"];

/// A table and its key.
pub(super) struct TableToRead {
    pub(super) name: String,
    /// The first column of its primary key.
    pub(super) key: String,
    /// True for a key of bytes; otherwise it is a number.
    pub(super) has_bytes: bool,
    /// True when it can also be read by the number of the row.
    pub(super) has_rowid: bool,
}

/// Writes what can be read of the database at `from` to a new one at `to`. The one at `from` stays as it is.
pub(crate) fn salvage(from: &Path, to: &Path, progress: &dyn Fn(&str, u64)) -> Result<Salvaged, StoreError> {
    let failed = StoreError::NoCopy;
    if !from.is_file() {
        return Err(StoreError::Schema(format!("there is no database at {}", from.display())));
    }
    if to.exists() {
        let message = format!("{} is there already: name a new file, or remove it first", to.display());
        return Err(failed(message));
    }
    let work = Work::beside(to)?;
    let source = broken_header::readable(from, &work.repaired)?;
    let (mut conn, mut schema) = begin(&source, &work.partial)?;
    let mut salvaged = Salvaged::default();
    for table in tables(&mut conn)? {
        let tell = |rows| progress(&table.name, rows);
        let (rows, gaps) = pieces::copy(&mut conn, &table, &tell)?;
        salvaged.tables.push(SalvagedTable { name: table.name, rows, gaps });
    }
    tidy_up(&mut conn, &mut salvaged).map_err(backend::translate)?;
    conn.batch_execute("DETACH old; PRAGMA wal_checkpoint(TRUNCATE)").map_err(backend::translate)?;
    drop(conn);
    if schema.check().is_ok() {
        // The statistics are counted anew.
        schema.up()?;
    }
    drop(schema);
    publish(&work.partial, to).map_err(|error| failed(format!("{}: {error}", to.display())))?;
    Ok(salvaged)
}

/// The files of a salvage. They go with it.
struct Work {
    partial: PathBuf,
    repaired: PathBuf,
}

impl Work {
    fn beside(to: &Path) -> Result<Self, StoreError> {
        let name = to.file_name();
        let name =
            name.ok_or_else(|| StoreError::NoCopy(format!("{} is no name of a file", to.display())))?;
        let named = |ending: &str| {
            let name = format!(".{}.{}.{ending}", name.to_string_lossy(), std::process::id());
            to.with_file_name(name)
        };
        Ok(Self { partial: named("partial"), repaired: named("repaired") })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        for file in [&self.partial, &self.repaired] {
            for ending in ["", "-wal", "-shm"] {
                let mut path = file.clone().into_os_string();
                path.push(ending);
                // What was never made is gone already.
                drop(std::fs::remove_file(path));
            }
        }
    }
}

/// A new database with the schema of the old one, which is attached to it as `old` for reading.
fn begin(from: &Path, partial: &Path) -> Result<(Conn, Schema), StoreError> {
    let partial = partial.to_path_buf();
    let mut schema = Schema::open(&partial)?;
    schema.up()?;
    let mut conn =
        Conn::establish(&partial.to_string_lossy()).map_err(|error| cannot_open(&partial, error))?;
    attach(&mut conn, from).map_err(|error| cannot_read(from, error))?;
    let missing = missing_migrations(&mut conn).map_err(|error| cannot_read(from, error))?;
    if missing > 0 {
        // As old as what is read, so that columns are the same. `flowtrail migrate up` goes on from there.
        drop(conn);
        schema.down(missing)?;
        conn = Conn::establish(&partial.to_string_lossy()).map_err(|error| cannot_open(&partial, error))?;
        attach(&mut conn, from).map_err(|error| cannot_read(from, error))?;
    }
    Ok((conn, schema))
}

fn attach(conn: &mut Conn, from: &Path) -> QueryResult<()> {
    let address = backend::read_only(from).replace('\'', "''");
    conn.batch_execute(&format!(
        "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; ATTACH '{address}' AS old;"
    ))
}

fn cannot_open(path: &Path, error: ConnectionError) -> StoreError {
    let reason = format!("cannot open {}: {error}", path.display());
    StoreError::Unavailable { reason, source: Some(Box::new(error)) }
}

fn cannot_read(path: &Path, error: diesel::result::Error) -> StoreError {
    let reason = format!("{}: nothing can be read of it: {error}", path.display());
    StoreError::Damaged { reason, source: Some(Box::new(error)) }
}

/// How many of the new database's migrations the old one does not have.
fn missing_migrations(conn: &mut Conn) -> QueryResult<u32> {
    let query = "SELECT count(*) AS number FROM main.__diesel_schema_migrations \
                 WHERE version NOT IN (SELECT version FROM old.__diesel_schema_migrations)";
    let newer = "SELECT count(*) AS number FROM old.__diesel_schema_migrations \
                 WHERE version NOT IN (SELECT version FROM main.__diesel_schema_migrations)";
    if number(conn, newer)? > 0 {
        let message = "a newer version of Flowtrail made it: use that version".to_owned();
        return Err(diesel::result::Error::QueryBuilderError(message.into()));
    }
    Ok(u32::try_from(number(conn, query)?).unwrap_or(0))
}

/// The tables, those first that others refer to.
fn tables(conn: &mut Conn) -> Result<Vec<TableToRead>, StoreError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = Text)]
        key: String,
        #[diesel(sql_type = Text)]
        kind: String,
        #[diesel(sql_type = BigInt)]
        has_rowid: i64,
    }
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT m.name AS name, c.name AS key, c.type AS kind, \
             m.sql NOT LIKE '%WITHOUT ROWID%' AS has_rowid \
         FROM main.sqlite_master AS m JOIN pragma_table_info(m.name) AS c ON c.pk = 1 \
         WHERE m.type = 'table' ORDER BY m.rowid",
    )
    .load(conn)
    .map_err(backend::translate)?;
    let wanted = rows.into_iter().filter(|row| !LEFT_OUT.contains(&row.name.as_str()));
    let table = |row: Row| TableToRead {
        name: row.name,
        key: row.key,
        has_bytes: row.kind == "BLOB",
        has_rowid: row.has_rowid != 0,
    };
    Ok(wanted.map(table).collect())
}

/// Makes what was read whole: takes away parts of executions that could not be read, gives executions of which the data could
/// not be read an empty one, and has the statistics counted anew.
fn tidy_up(conn: &mut Conn, salvaged: &mut Salvaged) -> QueryResult<()> {
    conn.transaction(|conn| {
        for table in ["execution_payloads", "node_executions", "execution_tags", "waiting_calls"] {
            if !has_table(conn, table)? {
                continue;
            }
            let orphans =
                format!("DELETE FROM main.{table} WHERE execution_id NOT IN (SELECT id FROM main.executions)");
            let deleted = changed(conn, orphans)?;
            if table == "execution_payloads" {
                salvaged.without_row = deleted;
            }
        }
        // A schema from before is counted anew when it is brought up to date.
        if !has_table(conn, "write_mark")? {
            return Ok(());
        }
        let lost = "SELECT id FROM main.executions WHERE id NOT IN (SELECT execution_id FROM main.execution_payloads)";
        salvaged.without_data =
            changed(conn, format!("INSERT INTO main.execution_payloads (execution_id) {lost}"))?;
        conn.batch_execute(
            "UPDATE main.executions SET packed = 0 WHERE packed AND id IN \
                 (SELECT execution_id FROM main.execution_payloads WHERE packed IS NULL);
             INSERT OR REPLACE INTO main.recount_wanted (id) VALUES (1);
             UPDATE main.write_mark SET mark = max(mark, (SELECT coalesce(max(written), 0) FROM main.executions));",
        )
    })
}

/// True when the new database has this table, which it may be too old for.
fn has_table(conn: &mut Conn, name: &str) -> QueryResult<bool> {
    let query =
        format!("SELECT count(*) AS number FROM main.sqlite_master WHERE type = 'table' AND name = '{name}'");
    Ok(number(conn, &query)? > 0)
}

/// Runs a statement and counts the rows that it changed.
fn changed(conn: &mut Conn, statement: String) -> QueryResult<u64> {
    run(conn, statement, &[])
}

fn number(conn: &mut Conn, query: &str) -> QueryResult<i64> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }
    diesel::sql_query(query).get_result::<Row>(conn).map(|row| row.number)
}

/// A key as it is bound to a statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Bytes(Vec<u8>),
    Number(i64),
}

/// Binds keys to a statement and runs it.
macro_rules! with_keys {
    ($query:expr, $keys:expr, $run:ident ( $($argument:expr),* )) => {{
        let mut query = diesel::sql_query($query).into_boxed::<diesel::sqlite::Sqlite>();
        for key in $keys {
            query = match key {
                Key::Bytes(bytes) => query.bind::<Binary, _>(bytes),
                Key::Number(number) => query.bind::<BigInt, _>(number),
            };
        }
        query.$run($($argument),*)
    }};
}

/// The keys of a piece, in a direction.
pub(super) fn keys(conn: &mut Conn, query: String, bound: &[Key], has_bytes: bool) -> QueryResult<Vec<Key>> {
    #[derive(QueryableByName)]
    struct Bytes {
        #[diesel(sql_type = Binary)]
        key: Vec<u8>,
    }
    #[derive(QueryableByName)]
    struct Number {
        #[diesel(sql_type = BigInt)]
        key: i64,
    }
    let bound = bound.to_vec();
    if has_bytes {
        let rows: Vec<Bytes> = with_keys!(query, bound, load(conn))?;
        Ok(rows.into_iter().map(|row| Key::Bytes(row.key)).collect())
    } else {
        let rows: Vec<Number> = with_keys!(query, bound, load(conn))?;
        Ok(rows.into_iter().map(|row| Key::Number(row.key)).collect())
    }
}

/// Runs a statement and counts the rows that it changed.
pub(super) fn run(conn: &mut Conn, statement: String, bound: &[Key]) -> QueryResult<u64> {
    let bound = bound.to_vec();
    Ok(with_keys!(statement, bound, execute(conn))? as u64)
}
