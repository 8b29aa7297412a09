//! Migrations, and what is said when a file is not what it should be.

mod support;

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use flowtrail_store::{Command, Store, StoreError};
use flowtrail_store_diesel::{DatabaseUrl, PostgresStore, Schema, SqliteStore};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{ErrorInfo, ErrorKind, FlowId, Role, SavedBy, StatsQuery, Tally, User};

fn url(folder: &Path) -> DatabaseUrl {
    DatabaseUrl::Sqlite(folder.join("flowtrail.db"))
}

fn raw(url: &DatabaseUrl) -> SqliteConnection {
    SqliteConnection::establish(&url.path().unwrap().to_string_lossy()).unwrap()
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    value: i64,
}

fn number(conn: &mut SqliteConnection, query: &str) -> i64 {
    diesel::sql_query(query).get_result::<Number>(conn).unwrap().value
}

#[test]
fn every_migration_goes_up_down_and_up_again_with_data_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let url = url(folder.path());
    let mut schema = Schema::open(&url).unwrap();
    let all = schema.up().unwrap();
    assert!(!all.is_empty());
    assert!(schema.up().unwrap().is_empty(), "up again changes nothing");
    let store = SqliteStore::open(&url).unwrap();
    let id = flowtrail_types::UserId::from_uuid(uuid::Uuid::from_u128(1));
    let at = time::OffsetDateTime::UNIX_EPOCH;
    let role = flowtrail_types::Role::Admin;
    store.users().add(&flowtrail_types::User { id, name: "ana".to_owned(), role, created_at: at }).unwrap();
    drop(store);
    for steps in 1..=all.len() {
        let reverted = schema.down(u32::try_from(steps).unwrap()).unwrap();
        assert_eq!(reverted.len(), steps);
        assert!(matches!(SqliteStore::open_without_migrating(&url), Err(StoreError::Schema(_))));
        assert_eq!(schema.up().unwrap().len(), steps);
        schema.check().unwrap();
    }
    assert_eq!(schema.down(99).unwrap().len(), all.len(), "down stops at the bottom");
    assert!(schema.status().unwrap().iter().all(|migration| !migration.applied));
    let tables = "SELECT count(*) AS value FROM sqlite_master WHERE type IN ('table', 'view') \
                  AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_\\_%' ESCAPE '\\'";
    assert_eq!(number(&mut raw(&url), tables), 0, "down takes away all that up has made");
}

#[test]
fn two_that_migrate_at_once_do_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = url(folder.path());
    let opened = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| SqliteStore::open(&url).map(drop))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for result in opened {
        result.unwrap();
    }
}

#[test]
fn a_newer_schema_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let url = url(folder.path());
    drop(SqliteStore::open(&url).unwrap());
    raw(&url)
        .batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')")
        .unwrap();
    let error = SqliteStore::open(&url).unwrap_err().to_string();
    assert!(error.contains("newer version") && error.contains("99990101000000"), "{error}");
}

#[test]
fn space_can_be_given_back_and_commits_are_synchronous() {
    let folder = tempfile::tempdir().unwrap();
    let url = url(folder.path());
    drop(SqliteStore::open(&url).unwrap());
    let mut conn = raw(&url);
    assert_eq!(number(&mut conn, "SELECT auto_vacuum AS value FROM pragma_auto_vacuum"), 2, "incremental");
    let wal = "SELECT journal_mode = 'wal' AS value FROM pragma_journal_mode";
    assert_eq!(number(&mut conn, wal), 1);
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let url = url(folder.path());
    std::fs::write(url.path().unwrap(), "This is a letter, not a database. ".repeat(100)).unwrap();
    let error = SqliteStore::open(&url).unwrap_err().to_string();
    assert!(error.contains("flowtrail.db") && error.contains("not a SQLite database"), "{error}");
    let below_a_file = DatabaseUrl::Sqlite(url.path().unwrap().join("deeper.db"));
    let error = SqliteStore::open(&below_a_file).unwrap_err().to_string();
    assert!(error.contains("deeper.db"), "{error}");
}

#[test]
fn a_corrupt_row_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let url = url(folder.path());
    let store = SqliteStore::open(&url).unwrap();
    raw(&url)
        .batch_execute(
            "INSERT INTO flows VALUES (x'00000000000000000000000000000001', 'runnable', 'n', 'n', 'not a tool name', \
             '', 1, 1, NULL, 0, 'full', x'00000000000000000000000000000001', 0, 0, NULL, NULL);
             INSERT INTO flow_versions (flow_id, version, definition) VALUES (x'00000000000000000000000000000001', 1, '{}')",
        )
        .unwrap();
    assert_eq!(store.flows().list_all().unwrap(), [], "lists leave it out");
    let error = store.flows().lookup(FlowId::from_uuid(uuid::Uuid::from_u128(1))).unwrap_err().to_string();
    assert_eq!(error, "a row of flows is corrupt: tool_name of 00000000-0000-0000-0000-000000000001");
}

/// Definitions of earlier editions do not tell who saved them.
#[test]
fn the_owner_stands_for_an_unknown_saver() {
    let folder = tempfile::tempdir().unwrap();
    let url = url(folder.path());
    let store = SqliteStore::open(&url).unwrap();
    let flow = support::flow(1);
    store.flows().add(std::slice::from_ref(&flow)).unwrap();
    let saver = || store.flows().lookup(flow.id).unwrap().unwrap().saved_by;
    assert_eq!(saver(), flow.saved_by);
    raw(&url).batch_execute("UPDATE flow_versions SET saved_by = NULL, saved_by_name = NULL").unwrap();
    assert_eq!(saver(), SavedBy::id_only(flow.owner_id), "nobody of this id is known");
    let name = "ana".to_owned();
    let owner =
        User { id: flow.owner_id, name: name.clone(), role: Role::Admin, created_at: flow.created_at };
    store.users().add(&owner).unwrap();
    assert_eq!(saver(), SavedBy { id: flow.owner_id, name, is_admin: true });
}

#[test]
fn a_person_can_read_the_history_in_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let url = url(folder.path());
    drop(SqliteStore::open(&url).unwrap());
    let mut conn = raw(&url);
    conn.batch_execute(
        "INSERT INTO executions (id, flow_id, flow_name, source, status, inferred, started_at, deadline_at, \
         cancel_requested, capture_policy, digest, created_at, updated_at) VALUES \
         (x'0198', x'01', 'Orders', 'mcp', 'pending', 0, 1767700800123000, 1, 0, 'full', x'00', 0, 0)",
    )
    .unwrap();
    let readable = "SELECT started_at = '2026-01-06T12:00:00.123Z' AND id = '0198' AS value FROM history";
    assert_eq!(number(&mut conn, readable), 1);
}

/// Writes a call that was rejected, and two that were only counted, beside other executions.
fn fill_with_rejected(store: &dyn Store) -> [Tally; 2] {
    support::fill(store, 60);
    let mut begun = support::start(2_000);
    begun.is_rejected = true;
    let failed = Outcome::Error(ErrorInfo::new(ErrorKind::InvalidInput, "orderId: is missing"));
    let over = support::end(&begun, failed);
    let flow = begun.flow_id;
    let counted = Command::CountRejected { flow, at: begun.started_at };
    let rejected = Command::record(begun, Vec::new(), over).unwrap().unwrap();
    store.executions().commit(&[rejected, counted.clone(), counted]).unwrap();
    let tallies = rejected_and_all(store, flow);
    assert!(tallies.iter().all(|tally| (tally.rejected, tally.unrecorded) == (1, 2)), "{tallies:?}");
    tallies
}

fn rejected_and_all(store: &dyn Store, flow: FlowId) -> [Tally; 2] {
    [StatsQuery::of_flow(flow), StatsQuery::of_all()].map(|query| store.executions().tally(&query).unwrap())
}

const REJECTED: &str = "SELECT CAST(rejected * 1000 + error AS BIGINT) AS value FROM history_stats \
                        WHERE period = 'all' ORDER BY fulfilled DESC LIMIT 1";

#[test]
fn counting_anew_keeps_what_no_row_tells_of() {
    let folder = tempfile::tempdir().unwrap();
    let url = url(folder.path());
    let store = SqliteStore::open(&url).unwrap();
    let before = fill_with_rejected(&store);
    drop(store);
    assert_eq!(number(&mut raw(&url), REJECTED), 3_000 + before[1].error - 1);
    raw(&url).batch_execute("INSERT INTO recount_wanted (id) VALUES (1)").unwrap();
    let store = SqliteStore::open(&url).unwrap();
    assert_eq!(number(&mut raw(&url), "SELECT count(*) AS value FROM recount_wanted"), 0, "it was counted");
    assert_eq!(rejected_and_all(&store, support::start(2_000).flow_id), before);
}

#[test]
fn counting_anew_keeps_what_no_row_tells_of_in_postgres() {
    let Some(database) = flowtrail_store_diesel::testing::test_database() else { return };
    let url: DatabaseUrl = database.url().parse().unwrap();
    let store = PostgresStore::open(&url).unwrap();
    let before = fill_with_rejected(&store);
    drop(store);
    let mut raw = PgConnection::establish(database.url()).unwrap();
    let told = diesel::sql_query(REJECTED).get_result::<Number>(&mut raw).unwrap().value;
    assert_eq!(told, 3_000 + before[1].error - 1);
    raw.batch_execute("INSERT INTO recount_wanted (id) VALUES (1)").unwrap();
    let store = PostgresStore::open(&url).unwrap();
    let wanted = diesel::sql_query("SELECT count(*) AS value FROM recount_wanted");
    assert_eq!(wanted.get_result::<Number>(&mut raw).unwrap().value, 0, "it was counted");
    assert_eq!(rejected_and_all(&store, support::start(2_000).flow_id), before);
}

#[test]
fn migrations_of_both_databases_go_in_lock_step() {
    let names = |database: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(database);
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("sqlite"), names("postgres"));
}

#[test]
fn a_newer_postgres_schema_and_somebody_else_s_tables_are_refused() {
    let Some(database) = flowtrail_store_diesel::testing::test_database() else { return };
    let url: DatabaseUrl = database.url().parse().unwrap();
    let mut raw = PgConnection::establish(database.url()).unwrap();
    raw.batch_execute("CREATE TABLE orders (id integer)").unwrap();
    let error = PostgresStore::open(&url).unwrap_err().to_string();
    assert!(error.contains("another program's database"), "{error}");
    raw.batch_execute("DROP TABLE orders").unwrap();
    drop(PostgresStore::open(&url).unwrap());
    raw.batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')").unwrap();
    let error = PostgresStore::open(&url).unwrap_err().to_string();
    assert!(error.contains("newer version") && error.contains("99990101000000"), "{error}");
    let away: DatabaseUrl = "postgres://ana:hunter2@127.0.0.1:1/nowhere".parse().unwrap();
    let error = PostgresStore::open(&away).unwrap_err().to_string();
    assert!(error.contains("cannot connect to PostgreSQL") && !error.contains("hunter2"), "{error}");
}

#[test]
fn a_person_can_read_the_history_in_postgres() {
    let Some(database) = flowtrail_store_diesel::testing::test_database() else { return };
    drop(PostgresStore::open(&database.url().parse().unwrap()).unwrap());
    let mut raw = PgConnection::establish(database.url()).unwrap();
    raw.batch_execute(
        "INSERT INTO executions (id, flow_id, flow_name, source, status, inferred, started_at, deadline_at, \
         cancel_requested, capture_policy, digest, created_at, updated_at) VALUES \
         ('019b9335-4200-7000-8000-000000000001', '019b9335-4200-7000-8000-000000000002', 'Orders', 'mcp', 'pending', \
          false, '2026-01-06T12:00:00.123Z', now(), false, 'full', '', now(), now())",
    )
    .unwrap();
    let readable = "SELECT count(*) AS value FROM history WHERE status = 'pending' \
                    AND started_at = '2026-01-06 12:00:00.123+00' AND id::text LIKE '019b9335-%01'";
    assert_eq!(diesel::sql_query(readable).get_result::<Number>(&mut raw).unwrap().value, 1);
}
