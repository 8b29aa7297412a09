//! By what it is told that nothing was written.

mod support;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use flowtrail_store::Store;
use flowtrail_store_diesel::{DatabaseUrl, SqliteStore};

struct Fixture {
    url: DatabaseUrl,
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { url: DatabaseUrl::Sqlite(folder.path().join("flowtrail.db")), folder }
    }

    fn store(&self) -> SqliteStore {
        SqliteStore::open(&self.url).unwrap()
    }

    fn raw(&self) -> SqliteConnection {
        let path = self.folder.path().join("flowtrail.db");
        SqliteConnection::establish(&path.to_string_lossy()).unwrap()
    }
}

#[test]
fn the_mark_of_content_is_another_one_after_each_commit_and_after_nothing_else() {
    let fixture = Fixture::new();
    let (store, other) = (fixture.store(), fixture.store());
    let mark = || store.content_mark().expect("on SQLite it is known");
    let mut seen = vec![mark()];
    for number in 0..300 {
        assert_eq!(mark(), *seen.last().unwrap(), "reading changes nothing");
        let by = if number % 2 == 0 { &store } else { &other };
        by.executions().commit(&[support::record(number)]).unwrap();
        by.executions().last_recorded_at().unwrap();
        seen.push(mark());
    }
    let last = *seen.last().unwrap();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 301);

    // What is rolled back was never there.
    let mut raw = fixture.raw();
    raw.batch_execute("BEGIN IMMEDIATE; DELETE FROM executions; ROLLBACK").unwrap();
    assert_eq!(mark(), last);
    // The log may begin anew, of whose head the mark is made.
    raw.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let moved = mark();
    raw.batch_execute("UPDATE write_mark SET mark = mark + 1").unwrap();
    assert_ne!(mark(), moved);
}

#[test]
fn the_mark_is_known_again_after_the_store_was_closed() {
    let fixture = Fixture::new();
    let before = fixture.store().content_mark();
    assert!(before.is_some());
    let store = fixture.store();
    let mark = store.content_mark().unwrap();
    support::fill(&store, 1);
    assert_ne!(store.content_mark().unwrap(), mark);
}

/// Of whatever file is closed, the system frees all the locks that the process holds on it.
#[cfg(target_os = "linux")]
#[test]
fn to_look_at_the_mark_frees_no_lock_of_the_database() {
    use std::os::unix::fs::MetadataExt;

    let fixture = Fixture::new();
    let store = fixture.store();
    let mut reading = fixture.raw();
    reading.batch_execute("BEGIN; SELECT count(*) FROM executions").unwrap();
    let file = fixture.folder.path().join("flowtrail.db-shm").metadata().unwrap().ino();
    let locks = || {
        let all = std::fs::read_to_string("/proc/locks").unwrap();
        let process = std::process::id().to_string();
        let of_file = format!(":{file}");
        all.lines()
            .filter(|line| {
                let mut words = line.split_whitespace().skip(4);
                words.next() == Some(&process) && words.next().is_some_and(|word| word.ends_with(&of_file))
            })
            .count()
    };
    let held = locks();
    assert!(held > 0, "a connection that reads holds one");
    let looked = fixture.store();
    looked.content_mark().unwrap();
    drop(looked);
    assert!(locks() >= held);
    drop(store);
    assert!(locks() >= held);
}

/// SQLite follows links, and keeps its log beside the file that they lead to: there it has to be flushed.
#[cfg(target_os = "linux")]
#[test]
fn a_database_behind_a_link_is_flushed_and_watched() {
    let fixture = Fixture::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let (real, link) = (elsewhere.path().join("real.db"), fixture.folder.path().join("flowtrail.db"));
    std::fs::write(&real, "").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let store = fixture.store();
    let mark = store.content_mark().expect("it is known");
    support::fill(&store, 3);
    assert_ne!(store.content_mark(), Some(mark));
    // Whoever flushes has the log open for reading; connections have it open for writing.
    let log = std::fs::canonicalize(elsewhere.path()).unwrap().join("real.db-wal");
    let flushers = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(Result::ok).filter(|entry| {
        let number = entry.file_name().into_string().unwrap();
        let about = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let flags = about.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or_default();
        std::fs::read_link(entry.path()).is_ok_and(|path| path == log) && flags.trim().ends_with('0')
    });
    assert_eq!(flushers.count(), 1);
}
