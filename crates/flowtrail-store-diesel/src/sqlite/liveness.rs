//! How processes on one SQLite file know of each other's lives: each holds an operating-system lock on a file
//! of its own. The system frees the lock when the process ends, however it ends, and clocks play no part.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use flowtrail_store::StoreError;
use flowtrail_types::InstanceId;

use crate::private;

/// The lock files beside a database.
#[derive(Debug)]
pub(crate) struct Liveness {
    folder: PathBuf,
    held: Mutex<HashMap<InstanceId, File>>,
}

impl Liveness {
    /// The lock files of the database at `path`, in a folder beside it.
    pub(crate) fn beside(path: &Path) -> Self {
        let mut folder = path.as_os_str().to_owned();
        folder.push("-instances");
        Self { folder: PathBuf::from(folder), held: Mutex::default() }
    }

    /// The folder that they are in.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Shows that a process lives. To be called before its row is written: a row without a lock is a dead one.
    pub(crate) fn show(&self, id: InstanceId) -> Result<(), StoreError> {
        let file = self.open_file(&format!("{id}.lock")).map_err(|error| self.failed(error))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => self.failed(error),
            TryLockError::WouldBlock => self.failed(io::ErrorKind::AlreadyExists.into()),
        })?;
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(id, file);
        Ok(())
    }

    /// Opens a file of the folder to lock it. Nobody else's process can, or it could pass for a live instance.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<File> {
        private::make_folder(&self.folder)?;
        private::close_to_others(&self.folder);
        let mut options = OpenOptions::new();
        private::open(options.create(true).truncate(false).write(true), &self.folder.join(name))
    }

    /// Whether a process lives.
    pub(crate) fn is_alive(&self, id: InstanceId) -> Result<bool, StoreError> {
        let file = match File::open(self.file_of(id)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(self.failed(error)),
        };
        match file.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(self.failed(error)),
        }
    }

    /// A process of this store no longer lives.
    pub(crate) fn release(&self, id: InstanceId) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Removes what a dead process left.
    pub(crate) fn forget(&self, id: InstanceId) {
        self.release(id);
        if let Err(error) = std::fs::remove_file(self.file_of(id))
            && error.kind() != io::ErrorKind::NotFound
        {
            log::warn!("cannot remove {}: {error}", self.file_of(id).display());
        }
    }

    fn file_of(&self, id: InstanceId) -> PathBuf {
        self.folder.join(format!("{id}.lock"))
    }

    fn failed(&self, error: io::Error) -> StoreError {
        StoreError::NotWritable {
            reason: format!("cannot lock a file in {}: {error}", self.folder.display()),
            source: Some(Box::new(error)),
        }
    }
}
