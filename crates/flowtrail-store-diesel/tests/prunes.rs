//! What is left of prunes: nothing in their tables once they are over, and nothing of what they cover in an older schema.

mod support;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use flowtrail_store::{Command, NewPrune, Store};
use flowtrail_store_diesel::{DatabaseUrl, PostgresStore, Schema, SqliteStore, open_store, testing};
use flowtrail_types::{Place, StatsQuery, StatsScope};
use support::{T0, execution_id, fill, flow_id, record, start};
use time::Duration;

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

const LEFT: &str = "SELECT (SELECT count(*) FROM prunes) + (SELECT count(*) FROM prune_late) AS count";

/// Prunes all flows, and beside that one that keeps what came late, and counts rows meanwhile.
fn prune(store: &dyn Store, mut left: impl FnMut() -> i64) {
    fill(store, 2_000);
    let executions = store.executions();
    let before = T0 + Duration::hours(6);
    let total = || executions.tally(&StatsQuery::of_all()).unwrap().total();
    let filled = total();
    let gone = executions.begin_prune(&NewPrune::of_all(before)).unwrap();
    assert!(gone > 1_000, "{gone}");
    for (number, flow) in [(8_002, 1), (8_004, 2)] {
        let mut late = start(number);
        (late.flow_id, late.started_at) = (flow_id(flow), T0);
        executions.commit(&[Command::Start(Box::new(late))]).unwrap();
        let id = execution_id(number);
        let over = support::end(&start(number), flowtrail_types::lifecycle::Outcome::Fulfilled);
        executions.commit(&[Command::End { execution: id, end: Box::new(over) }]).unwrap();
    }
    executions.commit(&[record(9_001)]).unwrap();
    executions.continue_prune(100).unwrap();
    let below = Place { started_at: T0 + Duration::hours(7), id: execution_id(1) };
    let of_flow = executions.begin_prune(&NewPrune::of_flow(flow_id(1), Some(below))).unwrap();
    assert!(of_flow > 0);
    assert!(left() > 2);
    let expected = filled + 3 - i64::try_from(gone + of_flow).unwrap();
    loop {
        assert_eq!(total(), expected);
        if executions.continue_prune(300).unwrap().is_done {
            break;
        }
    }
    assert_eq!((left(), total()), (0, expected));
    let flows: Vec<_> = (0..40).map(flow_id).collect();
    let counts = executions.status_counts(&StatsScope::Flows(flows)).unwrap();
    assert_eq!(i64::try_from(counts.total()).unwrap(), expected, "of the flows, one by one");
}

#[test]
fn prunes_leave_nothing_behind_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flowtrail.db");
    let store = SqliteStore::open(&DatabaseUrl::Sqlite(path.clone())).unwrap();
    let mut conn = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
    prune(&store, || diesel::sql_query(LEFT).get_result::<Count>(&mut conn).unwrap().count);
}

#[test]
fn prunes_leave_nothing_behind_in_postgres() {
    let Some(database) = testing::test_database() else { return };
    let store = PostgresStore::open(&database.url().parse().unwrap()).unwrap();
    let mut conn = PgConnection::establish(database.url()).unwrap();
    prune(&store, || diesel::sql_query(LEFT).get_result::<Count>(&mut conn).unwrap().count);
}

/// Goes down and up again while the rows of a prune of all are being deleted.
fn migrate(url: &DatabaseUrl) {
    let store = open_store(url, true).unwrap();
    fill(&*store, 300);
    assert_eq!(store.executions().begin_prune(&NewPrune::of_all(T0 + Duration::HOUR)).unwrap(), 212);
    let mut late = start(8_002);
    late.started_at = T0;
    store.executions().commit(&[Command::Start(Box::new(late))]).unwrap();
    let counts = store.executions().status_counts(&StatsScope::All).unwrap();
    drop(store);
    let mut schema = Schema::open(url).unwrap();
    assert_eq!((schema.down(3).unwrap().len(), schema.up().unwrap().len()), (3, 3));
    let store = open_store(url, true).unwrap();
    assert_eq!(store.executions().status_counts(&StatsScope::All).unwrap(), counts);
    assert_eq!(store.executions().lookup_summary(execution_id(3)).unwrap(), None);
}

#[test]
fn an_older_schema_on_sqlite_has_nothing_of_what_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    migrate(&DatabaseUrl::Sqlite(folder.path().join("flowtrail.db")));
}

#[test]
fn an_older_schema_on_postgres_has_nothing_of_what_is_gone() {
    let Some(database) = testing::test_database() else { return };
    migrate(&database.url().parse().unwrap());
}
