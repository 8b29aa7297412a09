//! Whether anything was committed since. Processes on one SQLite file share a little memory, the file `-shm` beside the database,
//! whose head says what the last commit was: whoever reads looks at it first. It is looked at here as well, which takes half a
//! microsecond; to ask a connection (`PRAGMA data_version`) takes five and two locks.
//!
//! The head is [the wal-index header](https://sqlite.org/walformat.html#the_wal_index_header): 48 bytes, twice. A commit writes
//! the second copy and then the first, so that copies that differ are those of a commit that nobody can read yet.

use std::fmt::{self, Debug};
use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::mem::ManuallyDrop;
use std::sync::{Mutex, OnceLock};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::backend::{Address, Conn};
use super::shared::DieselStore;

/// The version of the head that is understood here, which SQLite has had since there are logs.
const VERSION: u32 = 3_007_000;
/// How long each of both copies is.
const COPY: usize = 48;
/// Where it stands in a copy that it is whole.
const IS_WHOLE: usize = 12;

/// What is looked at, opened when it is first needed; none where that is not possible.
#[derive(Default)]
pub(crate) struct Content(OnceLock<Option<Watched>>);

struct Watched {
    /// As long as a connection is open that has read, the file stays.
    _conn: Mutex<Conn>,
    /// Never closed: the system would free the locks that connections of this process hold on it.
    file: ManuallyDrop<File>,
}

impl Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").finish_non_exhaustive()
    }
}

/// A number that is another one whenever anything was committed, by whatever process; none when that is not known.
pub(crate) fn content_mark(store: &DieselStore) -> Option<u64> {
    let watched = store.own().content.0.get_or_init(|| watch(store.address()));
    let mut head = [0; 2 * COPY];
    read_start(&watched.as_ref()?.file, &mut head)?;
    let (first, second) = head.split_at(COPY);
    let version = u32::from_ne_bytes(first.first_chunk().copied()?);
    if first != second || version != VERSION || first[IS_WHOLE] != 1 {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    hasher.write(first);
    Some(hasher.finish())
}

fn watch(address: &Address) -> Option<Watched> {
    let mut conn = Conn::establish(&address.to_string_lossy()).ok()?;
    conn.batch_execute(
        "PRAGMA busy_timeout = 1000; PRAGMA query_only = ON; SELECT count(*) FROM sqlite_master;",
    )
    .ok()?;
    let mut path = address.clone().into_os_string();
    path.push("-shm");
    let file =
        File::open(path).inspect_err(|error| log::warn!("what is read is looked up every time: {error}"));
    Some(Watched { _conn: Mutex::new(conn), file: ManuallyDrop::new(file.ok()?) })
}

/// Reads the start of a file. Only there does it take one call of the system.
#[cfg(unix)]
fn read_start(file: &File, bytes: &mut [u8]) -> Option<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, 0).ok()
}

#[cfg(not(unix))]
fn read_start(_file: &File, _bytes: &mut [u8]) -> Option<()> {
    None
}
