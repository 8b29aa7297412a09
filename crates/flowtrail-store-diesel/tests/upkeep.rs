//! Upkeep goes on beside a reader that takes long, and beside rows that make no sense.

mod support;

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use flowtrail_store::{Command, Store, StoreError};
use flowtrail_store_diesel::{DatabaseUrl, PostgresStore, SqliteStore, testing};
use flowtrail_types::lifecycle::Outcome;
use support::{T0, end, execution_id, node, start};

#[test]
fn a_long_reader_does_not_make_every_write_wait() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flowtrail.db");
    let store = SqliteStore::open(&DatabaseUrl::Sqlite(path.clone())).unwrap();
    store.upkeep().set_ceiling(16 << 20).unwrap();
    let mut reader = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
    reader.batch_execute("BEGIN; SELECT * FROM executions LIMIT 1").unwrap();
    // More than the log's share of the ceiling, which cannot be moved.
    support::fill(&store, 2_000);
    let log = std::fs::metadata(folder.path().join("flowtrail.db-wal")).unwrap().len();
    assert!(log > 2 << 20, "{log} bytes of log");
    let begun = Instant::now();
    store.executions().commit(&[support::record(9_000)]).unwrap();
    store.executions().commit(&[support::record(9_001)]).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());

    // A write of another process is waited for as before.
    reader.batch_execute("ROLLBACK").unwrap();
    let (locked, is_locked) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            reader.batch_execute("BEGIN IMMEDIATE").unwrap();
            locked.send(()).unwrap();
            std::thread::park_timeout(Duration::from_millis(300));
            reader.batch_execute("COMMIT").unwrap();
        });
        is_locked.recv().unwrap();
        store.executions().commit(&[support::record(9_002)]).unwrap();
    });
}

/// Writes executions whose data is not packed.
fn write_unpacked(store: &dyn Store, count: u64) {
    for number in 0..count {
        let begun = start(number);
        let over = Box::new(end(&begun, Outcome::Fulfilled));
        let execution = begun.id;
        store.executions().commit(&[Command::Start(Box::new(begun))]).unwrap();
        store
            .executions()
            .commit(&[Command::Append { execution, nodes: vec![node(1)], at: T0, renewed_until: None }])
            .unwrap();
        store.executions().commit(&[Command::End { execution, end: over }]).unwrap();
    }
}

/// Rows that make no sense stay as they are, and everything else is packed.
fn all_others_are_packed(store: &dyn Store) {
    let pack = || store.executions().pack(T0 + time::Duration::days(1), 2).unwrap();
    let packed: usize = (0..10).map(|_| pack()).sum();
    assert_eq!(packed, 6, "two of eight are corrupt");
    for number in 0..2 {
        let error = store.executions().lookup(execution_id(number)).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    }
    assert_eq!(store.executions().lookup(execution_id(7)).unwrap().unwrap().node_executions.len(), 1);
}

#[test]
fn corrupt_rows_do_not_keep_others_from_being_packed() {
    let corrupt = "UPDATE execution_payloads SET params = ";
    let oldest = "WHERE execution_id IN (SELECT id FROM executions ORDER BY ended_at LIMIT 2)";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flowtrail.db");
    let store = SqliteStore::open(&DatabaseUrl::Sqlite(path.clone())).unwrap();
    write_unpacked(&store, 8);
    let mut raw = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
    raw.batch_execute(&format!("{corrupt} x'ff' {oldest}")).unwrap();
    all_others_are_packed(&store);

    let Some(database) = testing::test_database() else { return };
    let store = PostgresStore::open(&database.url().parse().unwrap()).unwrap();
    write_unpacked(&store, 8);
    let mut raw = PgConnection::establish(database.url()).unwrap();
    raw.batch_execute(&format!("{corrupt} '\\xff' {oldest}")).unwrap();
    all_others_are_packed(&store);
}
