//! The database itself: what it takes, what goes, what is left behind when it is gone.

use crate::{StorageSize, StoreError};

/// Work that one process does for all that share a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Job {
    /// Retention, packing, giving back space.
    Upkeep,
}

impl Job {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::Upkeep];

    /// Its name, for locks.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upkeep => "upkeep",
        }
    }
}

/// Connections that are kept open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolState {
    /// How many there are.
    pub connections: u32,
    /// How many of them nobody uses just now.
    pub idle: u32,
}

/// The database itself.
pub trait Upkeep: Send + Sync {
    /// The connections for reading; none where there is no such thing.
    fn pool(&self) -> Option<PoolState> {
        None
    }

    /// Tries to be the one process that does a job, and stays it until the process ends or cannot reach the database
    /// any more. False while another one is.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn lead(&self, job: Job) -> Result<bool, StoreError>;

    /// What the database takes, table by table. Reads all of it.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn size(&self) -> Result<StorageSize, StoreError>;

    /// What the database takes on disk now, in bytes, with its log. Cheap.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn bytes_on_disk(&self) -> Result<u64, StoreError>;

    /// What of it is in use: what would be left if all that is free were given back. Cheap.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn bytes_in_use(&self) -> Result<u64, StoreError>;

    /// How many bytes nothing uses that could be given back now. Cheap.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn bytes_to_give_back(&self) -> Result<u64, StoreError>;

    /// Never lets the database grow beyond so many bytes, log included. A write that would is refused as
    /// [`StoreError::NotWritable`].
    ///
    /// # Errors
    ///
    /// [`StoreError::NoCeiling`] where files do not shrink when rows are deleted; when the database does not answer.
    fn set_ceiling(&self, bytes: u64) -> Result<(), StoreError>;

    /// Gives at most so many bytes that nothing uses back to the file system, and tells how many. What the database
    /// does so by itself is not told.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn give_back(&self, most: u64) -> Result<u64, StoreError>;

    /// Gives back what the database's log takes beside it, for when nobody writes, and tells how many bytes. Does nothing
    /// when there is nothing to give back, or while a reader needs the log.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn settle(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    /// Writes a consistent copy of the database to a file that is not there yet, while it is in use. It holds all that
    /// was committed before it began. `progress` is told the bytes written, now and then.
    ///
    /// # Errors
    ///
    /// When the file is there, cannot be written, or this database is copied by its own tools.
    fn backup(&self, to: &std::path::Path, progress: &(dyn Fn(u64) + Sync)) -> Result<(), StoreError>;
}
