//! Room on the disk of a SQLite file: some is kept in reserve, so that on a full disk it is still possible to delete, to log
//! in and to end what runs.
//!
//! The reserve is a file beside the database. It is given up when the disk is nearly full and something other than a new
//! record is to be written, and made again when there is room. Until then new records are refused: they would take it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use diesel::prelude::*;
use flowtrail_store::StoreError;

use super::backend::{Conn, translate};
use super::own::Own;
use super::upkeep::number;
use crate::private;

/// The most bytes in reserve.
const MOST: u64 = 8 << 20;
/// The least: below this not even a key can be revoked.
const LEAST: u64 = 256 << 10;
/// The part of a small disk that is kept in reserve.
const PART: u64 = 8;

/// The purpose of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// New records: they are refused when the disk is full.
    Records,
    /// Anything else, which may use the reserve.
    Other,
}

/// The disk that a path is on.
struct Disk {
    /// Bytes that may still be written.
    available: u64,
    /// Bytes to keep in reserve.
    reserve: u64,
}

impl Disk {
    /// Nothing where the system does not tell.
    #[cfg(unix)]
    fn of(path: &Path) -> Option<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let told = rustix::fs::statvfs(folder.unwrap_or_else(|| Path::new("."))).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
        let reserve = (bytes(told.f_blocks) / PART).clamp(LEAST, MOST);
        Some(Self { available: bytes(told.f_bavail), reserve })
    }

    #[cfg(not(unix))]
    fn of(_path: &Path) -> Option<Self> {
        None
    }
}

/// The file of the reserve beside a database.
fn path_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-reserve");
    PathBuf::from(name)
}

/// Before a database is opened: gives up the reserve of a full disk, on which it could not be opened otherwise.
pub(super) fn make_way(database: &Path) {
    if Disk::of(database).is_some_and(|disk| disk.available < disk.reserve) {
        give_up(database);
    }
}

/// True when so little is left that SQLite cannot begin to write: its files beside the database take more.
pub(super) fn is_full(database: &Path) -> bool {
    Disk::of(database).is_some_and(|disk| disk.available < LEAST)
}

/// True when all of a database is in its file.
pub(super) fn is_whole(database: &Path) -> bool {
    let log = std::fs::metadata(super::log::path_of(database)).map_or(0, |log| log.len());
    database.is_file() && log == 0
}

/// Refuses to write to a database that was opened on a full disk.
pub(super) fn refuse_read_only(own: &Own) -> Result<(), StoreError> {
    if own.only_reads {
        let reason =
            "it was so when this process began, which only reads since: start it again when there is room";
        return Err(StoreError::Full { reason: reason.to_owned(), source: None });
    }
    Ok(())
}

/// Makes sure that there is a reserve, where there is room for one.
pub(super) fn keep(database: &Path) {
    if let Some(disk) = Disk::of(database) {
        // A full disk is told of when something is to be written.
        let _ = renew(database, &disk);
    }
}

/// When a process ends: keeps in reserve what there is, so that the next one can begin on a disk that others fill meanwhile.
pub(super) fn keep_for_later(database: &Path) {
    let Some(disk) = Disk::of(database).filter(|_| !is_there(database)) else { return };
    let bytes = disk.reserve.min(disk.available);
    // The next process says what there is to say.
    let _ = make(database, bytes);
}

/// Before something is written.
///
/// # Errors
///
/// [`StoreError::Full`] when it is a new record, and there is no room.
pub(super) fn prepare(conn: &mut Conn, database: &Path, purpose: Purpose) -> Result<(), StoreError> {
    let Some(disk) = Disk::of(database) else { return Ok(()) };
    match purpose {
        Purpose::Other if disk.available < disk.reserve => give_up(database),
        Purpose::Other => {}
        Purpose::Records if is_there(database) || renew(database, &disk).is_ok() => {}
        // What was deleted left pages in the file that can be written again.
        Purpose::Records if has_free_pages(conn, disk.reserve)? && disk.available >= disk.reserve / 2 => {}
        Purpose::Records => return Err(full(&disk)),
    }
    Ok(())
}

/// Check of the room for a new record.
///
/// # Errors
///
/// [`StoreError::Full`] when there is no room.
pub(super) fn check(conn: &mut Conn, database: &Path) -> Result<(), StoreError> {
    let Some(disk) = Disk::of(database) else { return Ok(()) };
    // Less than this is no room for a batch.
    const BATCH: u64 = 64 << 10;
    let has_room = disk.available >= BATCH || has_free_pages(conn, disk.reserve)?;
    if has_room { prepare(conn, database, Purpose::Records) } else { Err(full(&disk)) }
}

/// Size of the log from which on it is moved to the database: on a small disk it must not take what records need.
pub(super) fn log_limit(database: &Path, log_size: u64) -> u64 {
    /// With more than this there is no need to spare any.
    const PLENTY: u64 = 1 << 30;
    match Disk::of(database) {
        Some(disk) if disk.available < PLENTY => (disk.available + log_size) / 8,
        _ => u64::MAX,
    }
}

fn is_there(database: &Path) -> bool {
    path_of(database).exists()
}

fn give_up(database: &Path) {
    match std::fs::remove_file(path_of(database)) {
        Ok(()) => {
            log::warn!("the disk is full: the room kept in reserve is used for deleting and logging in");
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => log::warn!("the room kept in reserve cannot be used: {error}"),
    }
}

/// Makes the reserve anew, when there is twice the room for it.
fn renew(database: &Path, disk: &Disk) -> io::Result<()> {
    if is_there(database) {
        return Ok(());
    }
    if disk.available < 2 * disk.reserve {
        return Err(io::ErrorKind::StorageFull.into());
    }
    make(database, disk.reserve)
}

fn make(database: &Path, bytes: u64) -> io::Result<()> {
    let path = path_of(database);
    let made = private::open(OpenOptions::new().create(true).truncate(true).write(true), &path)
        .and_then(|file| fill(file, bytes));
    if made.is_err() {
        // A part of it is none.
        let _ = std::fs::remove_file(&path);
    }
    made
}

/// Gives a file so many bytes, so that it has them for sure.
fn fill(mut file: std::fs::File, bytes: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes).is_ok() {
        return Ok(());
    }
    let block = [0; 64 << 10];
    let mut left = bytes;
    while left > 0 {
        let part = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        file.write_all(&block[..part])?;
        left -= part as u64;
    }
    Ok(())
}

fn has_free_pages(conn: &mut Conn, bytes: u64) -> Result<bool, StoreError> {
    let free = |conn: &mut Conn| -> QueryResult<u64> {
        Ok(number(conn, "freelist_count")? * number(conn, "page_size")?)
    };
    Ok(free(conn).map_err(translate)? >= 2 * bytes)
}

fn full(disk: &Disk) -> StoreError {
    let reason = format!(
        "{} KiB are left, which are kept for deleting and logging in: make room, or delete executions",
        disk.available >> 10
    );
    StoreError::Full { reason, source: None }
}
