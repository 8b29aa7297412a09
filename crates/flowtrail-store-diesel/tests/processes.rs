//! Several processes on one PostgreSQL, as far as stores in one process can stand for them, and a server that goes away.

mod support;

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use flowtrail_store::{Applied, Command, Job, Store, StoreError};
use flowtrail_store_diesel::testing::{self, PostgresServer};
use flowtrail_store_diesel::{DatabaseUrl, PostgresStore, Schema, SqliteStore};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{
    Counting, ExecutionFilter, ExecutionQuery, ExecutionStatus, InstanceId, StatsQuery, StatsScope,
};
use uuid::Uuid;

fn instance(number: u128) -> InstanceId {
    InstanceId::from_uuid(Uuid::from_u128(number))
}

fn total(store: &dyn Store) -> u64 {
    store.executions().status_counts(&StatsScope::All).unwrap().total()
}

#[test]
fn processes_that_count_for_the_same_flow_do_not_wait_for_each_other() {
    let Some(database) = testing::test_database() else { return };
    let url: DatabaseUrl = database.url().parse().unwrap();
    let (one, other) = (PostgresStore::open(&url).unwrap(), PostgresStore::open(&url).unwrap());
    one.executions().commit(&[support::record(2)]).unwrap();
    other.executions().commit(&[support::record(4)]).unwrap();

    // As if the first one were in the middle of a very long transaction.
    let mut held = PgConnection::establish(database.url()).unwrap();
    held.batch_execute("BEGIN; SELECT * FROM flow_stats WHERE slot = 0 FOR UPDATE").unwrap();
    other.executions().commit(&[support::record(6)]).unwrap();
    held.batch_execute("SET LOCAL statement_timeout = '1s'").unwrap();
    let waits = held.batch_execute("SELECT * FROM flow_stats WHERE slot = 1 FOR UPDATE NOWAIT");
    waits.expect("the rows of the second one are its own, and nobody holds them");
    held.batch_execute("COMMIT").unwrap();

    // And with all their might at once: nothing is lost, nothing is refused.
    std::thread::scope(|scope| {
        for (thread, store) in [&one, &other, &one, &other].into_iter().enumerate() {
            scope.spawn(move || {
                for round in 0..20u64 {
                    let first = 1_000 + (thread as u64 * 20 + round) * 20;
                    let batch: Vec<Command> = (first..first + 20).map(support::record).collect();
                    let outcomes = store.executions().commit(&batch).unwrap();
                    assert!(outcomes.iter().all(|outcome| *outcome == Ok(Applied::Written)));
                }
            });
        }
    });
    assert_eq!(total(&one), 1_603);
    assert_eq!(total(&other), 1_603);
    let query = StatsQuery { counting: Counting::Stored, ..StatsQuery::of_all() };
    assert_eq!(one.executions().tally(&query).unwrap().durations.count(), 1_603);
}

#[test]
fn the_same_execution_in_two_processes_ends_once() {
    let Some(database) = testing::test_database() else { return };
    let url: DatabaseUrl = database.url().parse().unwrap();
    let (one, other) = (PostgresStore::open(&url).unwrap(), PostgresStore::open(&url).unwrap());
    for number in 0..40 {
        one.executions().commit(&[Command::Start(Box::new(support::start(number)))]).unwrap();
    }
    let ends = |outcome: Outcome, numbers: Vec<u64>| -> Vec<Command> {
        numbers
            .into_iter()
            .map(|number| {
                let end = support::end(&support::start(number), outcome.clone());
                Command::End { execution: support::execution_id(number), end: Box::new(end) }
            })
            .collect()
    };
    let (first, second) = std::thread::scope(|scope| {
        // In opposite orders, so that they would wait in a circle if each locked as it went.
        let first =
            scope.spawn(|| one.executions().commit(&ends(Outcome::Fulfilled, (0..40).collect())).unwrap());
        let second = scope.spawn(|| {
            other.executions().commit(&ends(Outcome::Aborted(None), (0..40).rev().collect())).unwrap()
        });
        (first.join().unwrap(), second.join().unwrap())
    });
    let written = first.iter().chain(&second).filter(|outcome| **outcome == Ok(Applied::Written)).count();
    assert_eq!(written, 40, "each of them once");
    let counts = one.executions().status_counts(&StatsScope::All).unwrap();
    assert_eq!((counts.pending, counts.fulfilled + counts.aborted), (0, 40));
}

#[test]
fn a_job_is_one_process_s_until_it_ends() {
    let Some(database) = testing::test_database() else { return };
    let url: DatabaseUrl = database.url().parse().unwrap();
    let (one, other) = (PostgresStore::open(&url).unwrap(), PostgresStore::open(&url).unwrap());
    assert!(one.upkeep().lead(Job::Upkeep).unwrap());
    assert!(!other.upkeep().lead(Job::Upkeep).unwrap());
    assert!(one.upkeep().lead(Job::Upkeep).unwrap(), "still");
    drop(one);
    let begun = Instant::now();
    while !other.upkeep().lead(Job::Upkeep).unwrap() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the lock of a process that is gone is free");
        std::thread::yield_now();
    }

    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("flowtrail.db"));
    let (one, other) = (SqliteStore::open(&url).unwrap(), SqliteStore::open(&url).unwrap());
    assert!(one.upkeep().lead(Job::Upkeep).unwrap() && !other.upkeep().lead(Job::Upkeep).unwrap());
    drop(one);
    assert!(other.upkeep().lead(Job::Upkeep).unwrap());
}

/// What one process writes, another one hears of.
fn what_is_written_is_heard_of(one: &dyn Store, other: &dyn Store) {
    one.instances().register(instance(1), support::T0).unwrap();
    other.instances().register(instance(2), support::T0).unwrap();
    for store in [one, other] {
        assert!(
            store.executions().foreign_writes().unwrap().missed,
            "nobody heard what was before the first look"
        );
    }
    other.instances().list_dead().unwrap();
    one.instances().list_dead().unwrap();
    for round in 0..3u64 {
        let batch: Vec<Command> = (round * 10..round * 10 + 5).map(support::record).collect();
        one.executions().commit(&batch).unwrap();
        let mut heard = until("a word", || {
            let writes = other.executions().foreign_writes().unwrap();
            assert!(!writes.missed);
            (!writes.executions.is_empty()).then_some(writes.executions)
        });
        heard.sort();
        let written: Vec<_> = (round * 10..round * 10 + 5).map(support::execution_id).collect();
        assert_eq!(heard, written);
        assert_eq!(other.executions().foreign_writes().unwrap().executions, [], "once");
        assert_eq!(one.executions().foreign_writes().unwrap().executions, [], "not of one's own");
    }
    // More than a word has room for: who listens is told to look for himself.
    let many: Vec<Command> = (1_000..1_400).map(support::record).collect();
    one.executions().commit(&many).unwrap();
    until("that something was missed, or all of it", || {
        let writes = other.executions().foreign_writes().unwrap();
        (writes.missed || writes.executions.len() == 400).then_some(())
    });
}

#[test]
fn processes_hear_of_each_other_s_writes() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("flowtrail.db"));
    what_is_written_is_heard_of(&SqliteStore::open(&url).unwrap(), &SqliteStore::open(&url).unwrap());
    let Some(database) = testing::test_database() else { return };
    let url: DatabaseUrl = database.url().parse().unwrap();
    what_is_written_is_heard_of(&PostgresStore::open(&url).unwrap(), &PostgresStore::open(&url).unwrap());
}

#[test]
fn who_no_longer_listens_does_not_hold_what_others_say() {
    let Some(database) = testing::test_database() else { return };
    let store = PostgresStore::open(&database.url().parse().unwrap()).unwrap();
    let mut raw = PgConnection::establish(database.url()).unwrap();
    let mut ears = || -> i64 {
        #[derive(QueryableByName)]
        struct Ears {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            ears: i64,
        }
        let asked = "SELECT count(*) AS ears FROM pg_stat_activity \
                     WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        diesel::sql_query(asked).get_result::<Ears>(&mut raw).unwrap().ears
    };
    assert!(store.executions().foreign_writes().unwrap().missed);
    for _ in 0..100 {
        store.foreign_changes().unwrap();
        assert!(!store.executions().foreign_writes().unwrap().missed, "as long as somebody asks, it listens");
    }
    assert_eq!(ears(), 1);
    for _ in 0..100 {
        store.foreign_changes().unwrap();
    }
    until("the end of its connection", || (ears() == 0).then_some(()));
    assert!(
        store.executions().foreign_writes().unwrap().missed,
        "whoever watches next has to look at everything"
    );
}

#[test]
fn many_processes_may_start_on_an_empty_database() {
    for _ in 0..3 {
        let Some(database) = testing::test_database() else { return };
        let url: DatabaseUrl = database.url().parse().unwrap();
        let start = std::sync::Barrier::new(6);
        let opened: Vec<Result<(), StoreError>> = std::thread::scope(|scope| {
            let open = || {
                start.wait();
                flowtrail_store_diesel::open_store(&url, true).map(drop)
            };
            let threads: Vec<_> = (0..6).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for result in opened {
            result.unwrap();
        }
        Schema::open(&url).unwrap().check().unwrap();
    }
}

/// Until a store does what is asked, and how long that took.
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} took too long");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

fn durable_server() -> Option<PostgresServer> {
    testing::test_server(PostgresServer::builder().durable(true))
}

#[test]
fn a_database_that_goes_away_and_comes_back_loses_and_doubles_nothing() {
    let Some(server) = durable_server() else { return };
    let database = server.create_database().unwrap();
    let store = PostgresStore::open(&database.url().parse().unwrap()).unwrap();
    store.instances().register(instance(1), support::T0).unwrap();
    let mut acknowledged = 0u64;
    for round in 0..3u64 {
        for number in round * 100..round * 100 + 50 {
            store.executions().commit(&[support::record(number)]).unwrap();
            acknowledged += 1;
        }
        store.check().unwrap();
        if round == 1 {
            server.kill().unwrap();
        } else {
            server.stop().unwrap();
        }
        let number = round * 100 + 50;
        let error = store.executions().commit(&[support::record(number)]).unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
        assert!(store.check().is_err(), "not ready while it is away");
        let error = store.executions().lookup(support::execution_id(1)).unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
        server.start_again().unwrap();
        // The same record again, as the recorder sends it: whether it had been written or not, it is there once.
        until("the retry", || store.executions().commit(&[support::record(number)]).ok());
        acknowledged += 1;
        until("readiness", || store.check().ok());
        assert_eq!(total(&store), acknowledged);
    }
    let tally = store.executions().tally(&StatsQuery::of_all()).unwrap();
    assert_eq!(u64::try_from(tally.total()).unwrap(), acknowledged);
    assert!(store.instances().list_dead().unwrap().is_empty());
}

#[test]
fn who_dies_is_found_out_and_who_lives_is_not_taken_for_dead_after_an_outage() {
    let Some(server) = durable_server() else { return };
    let database = server.create_database().unwrap();
    let url: DatabaseUrl = database.url().parse().unwrap();
    let (one, other) = (PostgresStore::open(&url).unwrap(), PostgresStore::open(&url).unwrap());
    one.instances().register(instance(1), support::T0).unwrap();
    other.instances().register(instance(2), support::T0).unwrap();
    // One that died without a word, long before the outage.
    let mut raw = PgConnection::establish(database.url()).unwrap();
    raw.batch_execute(
        "INSERT INTO instances (id, started_at, renewed_at) \
         VALUES ('00000000-0000-0000-0000-000000000003', now(), now() - interval '1 minute')",
    )
    .unwrap();
    drop(raw);
    assert_eq!(other.instances().list_dead().unwrap(), [], "who has just come does not judge");
    until("the dead one's lease", || {
        let dead = other.instances().list_dead().unwrap();
        assert!(dead.iter().all(|dead| *dead == instance(3)), "{dead:?}");
        (!dead.is_empty()).then_some(())
    });
    other.instances().forget(instance(3)).unwrap();

    // Away for longer than a lease: everybody's has run out when it comes back.
    server.stop().unwrap();
    std::thread::park_timeout(Duration::from_secs(12));
    server.start_again().unwrap();
    let back = Instant::now();
    while back.elapsed() < Duration::from_secs(14) {
        for store in [&one, &other] {
            if let Ok(dead) = store.instances().list_dead() {
                assert_eq!(dead, [], "{:?} after the database was back", back.elapsed());
            }
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

#[test]
fn a_postgres_schema_goes_up_down_and_up_again_with_data_in_it() {
    let Some(database) = testing::test_database() else { return };
    let url: DatabaseUrl = database.url().parse().unwrap();
    migrations_keep_the_data(&url);
}

#[test]
fn a_sqlite_schema_goes_up_down_and_up_again_with_data_in_it() {
    let folder = tempfile::tempdir().unwrap();
    migrations_keep_the_data(&DatabaseUrl::Sqlite(folder.path().join("flowtrail.db")));
}

fn migrations_keep_the_data(url: &DatabaseUrl) {
    let mut schema = Schema::open(url).unwrap();
    let names: Vec<String> = schema.status().unwrap().into_iter().map(|migration| migration.name).collect();
    assert_eq!(names.len(), schema.up().unwrap().len());
    let open = || flowtrail_store_diesel::open_store(url, true).unwrap();
    let store = open();
    support::fill(&*store, 300);
    let whole = |store: &dyn Store| -> Vec<_> {
        (0..320)
            .map(|number| store.executions().lookup(support::execution_id(number)).unwrap().unwrap())
            .collect()
    };
    let by_hour = |store: &dyn Store| {
        let query = StatsQuery { counting: Counting::Stored, ..StatsQuery::of_all() };
        let series = store.executions().tally_by(&query, flowtrail_types::Step::Hour).unwrap();
        series
            .into_iter()
            .map(|(at, mut tally)| {
                // What data takes is counted anew when it is packed anew.
                tally.bytes = 0;
                (at, tally)
            })
            .collect::<Vec<_>>()
    };
    let tagged = |store: &dyn Store| -> Vec<_> {
        let tag = Some("shop:north".parse().unwrap());
        let filter = ExecutionFilter { tag, ..ExecutionFilter::default() };
        let found = store.executions().list(&ExecutionQuery::newest(filter, 1_000)).unwrap();
        found.items.into_iter().map(|item| item.id).collect()
    };
    let (before, counted, listed) = (whole(&*store), by_hour(&*store), tagged(&*store));
    assert_eq!(listed, (0..320).rev().map(support::execution_id).collect::<Vec<_>>());
    drop(store);
    // The last three keep everything: packed data is unpacked on the way down, statistics and the order of tags are filled in
    // on the way up.
    assert_eq!(schema.down(3).unwrap().len(), 3);
    assert!(flowtrail_store_diesel::open_store(url, false).is_err(), "an old schema is refused");
    assert_eq!(schema.up().unwrap().len(), 3);
    let store = open();
    assert_eq!(whole(&*store), before);
    assert_eq!(by_hour(&*store), counted);
    assert_eq!(tagged(&*store), listed);
    let pending = store.executions().status_counts(&StatsScope::All).unwrap().of(ExecutionStatus::Pending);
    assert_eq!(pending, 20);
    while store.executions().pack(support::T0 + time::Duration::days(900), 200).unwrap() > 0 {}
    assert_eq!(whole(&*store), before);
    drop(store);
    for steps in 1..=names.len() {
        assert_eq!(schema.down(u32::try_from(steps).unwrap()).unwrap().len(), steps);
        assert_eq!(schema.up().unwrap().len(), steps);
        schema.check().unwrap();
    }
    // Many at once: one does it, the others find it done.
    schema.down(99).unwrap();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
        threads.into_iter().for_each(|thread| drop(thread.join().unwrap()));
    });
    schema.check().unwrap();
}

#[test]
fn space_that_is_free_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("flowtrail.db"));
    let store = SqliteStore::open(&url).unwrap();
    support::fill(&store, 8_000);
    let upkeep = store.upkeep();
    let full = upkeep.bytes_in_use().unwrap();
    let gone: u64 = (0..40)
        .map(|number| flowtrail_store::NewPrune::of_flow(support::flow_id(number), None))
        .map(|prune| store.executions().begin_prune(&prune).unwrap())
        .sum();
    assert_eq!(gone, 8_000);
    while !store.executions().continue_prune(500).unwrap().is_done {}
    let used = upkeep.bytes_in_use().unwrap();
    assert!(used < full / 2, "{used} of {full} bytes are in use");
    let size = upkeep.size().unwrap();
    assert!(size.reclaimable > 0 && size.tables.iter().any(|table| table.name == "executions"), "{size:?}");
    let mut given = 0;
    loop {
        match upkeep.give_back(256 << 10).unwrap() {
            0 => break,
            some => given += some,
        }
    }
    assert!(given >= full - used - (64 << 10), "{given} bytes were given back");
    assert_eq!(upkeep.size().unwrap().reclaimable, 0);
}

#[test]
fn a_search_without_an_index_stops_and_can_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&DatabaseUrl::Sqlite(folder.path().join("flowtrail.db"))).unwrap();
    support::fill(&store, 42_000);
    let nobody = flowtrail_types::UserId::from_uuid(Uuid::from_u128(99));
    let filter = ExecutionFilter { user: Some(nobody), ..ExecutionFilter::of_flow(support::flow_id(0)) };
    let mut query = ExecutionQuery::newest(filter, 20);
    let found = store.executions().list(&query).unwrap();
    let stopped_at = found.searched_to.expect("twenty thousand of its rows are looked at, and it has more");
    assert!(found.items.is_empty());
    query.after = Some(flowtrail_types::Cursor::below(stopped_at, 0));
    assert_eq!(store.executions().list(&query).unwrap().searched_to, None, "the rest is less");
    let counted = store.executions().count(&query, 100).unwrap();
    assert!(counted.count == 0 && !counted.is_exact);
}
