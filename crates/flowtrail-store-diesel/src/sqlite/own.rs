//! What a process has of its own on a SQLite file: locks on files beside it, which the system frees when it ends.

use std::collections::VecDeque;
use std::fs::{File, TryLockError};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Mutex, OnceLock, PoisonError};

use flowtrail_store::{Job, StoreError};
use flowtrail_types::{IdSource, RandomIds};
use uuid::Uuid;

use super::backend::{self, Address, Conn};
use super::content::Content;
use super::liveness::Liveness;
use super::log::Log;
use super::rules::mark_rules;
use super::shared::{Slots, WriteError};

/// The locks that this process holds, and how large its database may become.
#[derive(Debug)]
pub(crate) struct Own {
    pub(super) liveness: Liveness,
    address: Address,
    /// True when the disk was too full to write when this process began.
    pub(super) only_reads: bool,
    jobs: Mutex<Vec<(Job, File)>>,
    slot: Mutex<Option<File>>,
    /// In bytes, with the log; 0 for no ceiling.
    pub(super) ceiling: AtomicU64,
    /// The log of what was written, as this process makes sure of it.
    pub(super) log: Log,
    /// By which this process's own words are told from others'.
    pub(super) name: Uuid,
    /// Whether other processes are there.
    pub(super) has_company: AtomicBool,
    /// Up to which batch was listened.
    pub(super) heard: Mutex<Option<i64>>,
    /// The last marks that this process made: of these it need not be told.
    pub(super) made: Mutex<VecDeque<i64>>,
    /// How many changes of rules could not be marked for others.
    pub(super) unmarked: AtomicU64,
    /// The file whose length tells how often rules have changed; none where it cannot be opened.
    pub(super) rules: OnceLock<Option<File>>,
    /// What tells whether anything was committed.
    pub(super) content: Content,
}

impl Own {
    pub(crate) fn open(address: &Address, only_reads: bool) -> Result<Self, StoreError> {
        // Whatever name the file was reached by, all who have it open must find each other.
        let liveness = Liveness::beside(&backend::real_path(address)?);
        let own = Self {
            liveness,
            address: address.clone(),
            only_reads,
            jobs: Mutex::default(),
            slot: Mutex::default(),
            ceiling: AtomicU64::new(0),
            log: Log::default(),
            // Of no time: only its random part matters.
            name: RandomIds::default().next(time::OffsetDateTime::UNIX_EPOCH),
            has_company: AtomicBool::new(false),
            heard: Mutex::default(),
            made: Mutex::default(),
            unmarked: AtomicU64::new(0),
            rules: OnceLock::new(),
            content: Content::default(),
        };
        mark_rules(&own);
        if !only_reads {
            super::room::keep(&own.address);
        }
        Ok(own)
    }

    /// Whether this process does a job, now or already.
    pub(super) fn lead(&self, job: Job) -> Result<bool, StoreError> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs.iter().any(|(held, _)| *held == job) {
            return Ok(true);
        }
        let lock = self.try_lock(&format!("job-{}", job.as_str()))?;
        Ok(lock.map(|file| jobs.push((job, file))).is_some())
    }

    /// The lock of that name, unless another process holds it.
    fn try_lock(&self, name: &str) -> Result<Option<File>, StoreError> {
        let folder = self.liveness.folder();
        let failed = |error: io::Error| StoreError::NotWritable {
            reason: format!("cannot lock {name} in {}: {error}", folder.display()),
            source: Some(Box::new(error)),
        };
        let file = self.liveness.open_file(&format!("{name}.lock")).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Connections are closed by now, and their files are gone: the next process finds that room.
        if !self.only_reads {
            super::room::keep_for_later(&self.address);
        }
    }
}

/// More processes than could ever share a file.
const SLOTS: i32 = 10_000;

impl Slots for Own {
    fn take(&self, _conn: &mut Conn) -> Result<i32, WriteError> {
        for slot in 0..SLOTS {
            if let Some(file) = self.try_lock(&format!("slot-{slot}"))? {
                *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
                return Ok(slot);
            }
        }
        Err(StoreError::Busy(None).into())
    }
}

/// The slot of whoever has the database for itself.
pub(crate) struct OnlySlot;

impl Slots for OnlySlot {
    fn take(&self, _conn: &mut Conn) -> Result<i32, WriteError> {
        Ok(0)
    }
}
