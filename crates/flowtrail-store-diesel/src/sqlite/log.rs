//! The write-ahead log: when the disk has what was written.
//!
//! SQLite can flush its log with each commit (`synchronous = FULL`), but the connection waits meanwhile. Here it commits
//! without (`synchronous = NORMAL`, which keeps the database whole in every case), and the log is flushed by its own file
//! handle afterwards, while the connection writes what comes next. Nobody is told that something was written before that.
//!
//! Moving the log's pages to the database is no work for the connection that writes either: a thread does it now and then,
//! and again with what was written meanwhile, until there is little left. That the connection moves itself, so that its
//! next commit begins the log anew. Only when the log has grown long all the same does SQLite move it with a commit.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Integer;
use flowtrail_store::StoreError;

use super::backend::{Conn, open_writer, translate};
use super::shared::DieselStore;

/// About how many pages are written to the log before they are moved to the database: 32 MiB. The longer that is put off, the
/// more often a page was written again meanwhile, and moves once; the shorter, the less the log takes and the sooner it
/// is read when a process begins.
const MOVED_AFTER: usize = 8_000;
/// No more pages than these are moved between two commits, which wait for it.
const MOVED_BETWEEN: i32 = 2_000;
/// How often what was written meanwhile is moved before the rest is left for another time.
const ROUNDS: usize = 6;
/// After how many pages SQLite moves them itself: 128 MiB, twice what its file keeps when it begins anew.
pub(super) const MOVED_AT_LAST: usize = 32_000;

/// The log of a database, as this process makes sure of it.
#[derive(Debug, Default)]
pub(super) struct Log {
    flushed: Mutex<Flushed>,
    /// About how many pages were written since they were moved to the database.
    pages: AtomicUsize,
    /// Whether the database has nearly all of the log.
    is_nearly_moved: Arc<AtomicBool>,
    mover: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Log {
    fn drop(&mut self) {
        let mover = self.mover.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if mover.is_some_and(|mover| mover.join().is_err()) {
            log::error!("the thread that moves the log panicked");
        }
    }
}

/// The log's file, as it was flushed last.
#[derive(Debug, Default)]
struct Flushed {
    file: Option<File>,
    /// Whether the system may have dropped something that it could not write. It says so once, and not again.
    has_holes: bool,
}

/// What a checkpoint tells.
#[derive(QueryableByName)]
struct Moved {
    /// Whether a reader or another writer kept it from being whole.
    #[diesel(sql_type = Integer)]
    busy: i32,
    /// How many of the log's pages the database has.
    #[diesel(sql_type = Integer)]
    checkpointed: i32,
}

/// The file of the log beside a database.
pub(super) fn path_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// Makes a connection the one that writes: it commits without waiting for the disk, and keeps in memory what it goes back
/// to all the time (16 MiB: the ends of the indexes of some thousand flows).
pub(crate) fn write_unflushed(conn: &mut Conn) -> QueryResult<()> {
    conn.batch_execute("PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384")
}

/// Waits until the disk has all that was written to the log before.
pub(crate) fn flush(store: &DieselStore) -> Result<(), StoreError> {
    let path = path_of(store.address());
    let mut flushed = store.own().log.flushed.lock().unwrap_or_else(PoisonError::into_inner);
    if flushed.has_holes {
        // What stands in the log after a hole would be lost with it: all of it is moved to the database, and the log begins
        // anew.
        let moved: Moved =
            store.on_writer(|conn| diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").get_result(conn))?;
        if moved.busy != 0 {
            return Err(StoreError::Busy(None));
        }
        flushed.has_holes = false;
    }
    flushed.flush(&path).map_err(|error| {
        flushed.has_holes = true;
        let reason = format!("cannot flush {}: {error}", path.display());
        let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let source = Some(error.into());
        if is_full { StoreError::Full { reason, source } } else { StoreError::NotWritable { reason, source } }
    })
}

impl Flushed {
    fn flush(&mut self, path: &Path) -> io::Result<()> {
        let there = match std::fs::metadata(path) {
            Ok(there) => there,
            // Whoever removed it has moved all of it to the database.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let is_the_same = |file: &File| file.metadata().is_ok_and(|kept| same_file(&kept, &there));
        let file = match self.file.take().filter(is_the_same) {
            Some(file) => file,
            None => File::open(path)?,
        };
        self.file.insert(file).sync_data()
    }
}

/// A batch of so many executions was written: if that makes much, a thread moves the log to the database.
pub(crate) fn wrote(store: &DieselStore, executions: usize) {
    // An execution takes about two pages, and each commit some for statistics and the ends of indexes.
    let log = &store.own().log;
    let pages = log.pages.fetch_add(10 + 2 * executions, Ordering::Relaxed);
    if log.is_nearly_moved.swap(false, Ordering::Relaxed) {
        // Between two commits all of it can be moved, and only then does the next one begin the log anew.
        let moved = store.on_writer(move_once);
        log_trouble(moved.map(drop));
    }
    if pages < MOVED_AFTER {
        return;
    }
    let mut mover = log.mover.lock().unwrap_or_else(PoisonError::into_inner);
    if mover.as_ref().is_some_and(|mover| !mover.is_finished()) {
        return;
    }
    log.pages.store(0, Ordering::Relaxed);
    let (path, is_nearly_moved) = (store.address().clone(), Arc::clone(&log.is_nearly_moved));
    let spawned = std::thread::Builder::new().name("flowtrail-log".to_owned()).spawn(move || {
        let moved = move_nearly_all(&path);
        is_nearly_moved.store(matches!(moved, Ok(true)), Ordering::Relaxed);
        log_trouble(moved.map(drop));
    });
    // Without a thread SQLite moves it at last.
    *mover = spawned.ok();
}

/// All of the log was moved to the database otherwise.
pub(super) fn moved(store: &DieselStore) {
    let log = &store.own().log;
    log.pages.store(0, Ordering::Relaxed);
    log.is_nearly_moved.store(false, Ordering::Relaxed);
}

fn log_trouble(moved: Result<(), StoreError>) {
    if let Err(error) = moved {
        log::debug!("the log is not moved now: {error}");
    }
}

/// Moves what stands in the log to the database, keeping nobody from writing, and then what was written meanwhile, until
/// little is left. Tells whether it came so far.
fn move_nearly_all(path: &Path) -> Result<bool, StoreError> {
    let mut conn = open_writer(&path.to_owned())?;
    let mut before = 0;
    for _ in 0..ROUNDS {
        let moved = move_once(&mut conn).map_err(translate)?;
        // What took so short a time to move leaves less to be written during it.
        if (0..MOVED_BETWEEN).contains(&(moved.checkpointed - before)) {
            return Ok(true);
        }
        before = moved.checkpointed;
    }
    Ok(false)
}

fn move_once(conn: &mut Conn) -> QueryResult<Moved> {
    diesel::sql_query("PRAGMA wal_checkpoint(PASSIVE)").get_result(conn)
}

#[cfg(unix)]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Where files have no number it is opened anew each time.
#[cfg(not(unix))]
fn same_file(_a: &Metadata, _b: &Metadata) -> bool {
    false
}
