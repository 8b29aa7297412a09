//! What a process has of its own in a PostgreSQL database: its lease, its slot in the statistics, the jobs that it does.
//! Slots and jobs are advisory locks, which the server frees when the connection that holds them ends.

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer};
use flowtrail_store::{Job, StoreError};
use flowtrail_types::{IdSource, RandomIds};
use uuid::Uuid;

use super::backend::{self, Address, Conn, LOCK_CLASS};
use super::company::Ear;
use super::lease::Leases;
use super::line::Line;
use super::shared::{Slots, WriteError};

/// The lease and the locks of this process.
pub(crate) struct Own {
    pub(super) leases: Leases,
    /// The connection that holds the locks of jobs, and which ones.
    jobs: Mutex<Option<(Conn, Vec<Job>)>>,
    address: Address,
    /// By which this process's own words are told from others'.
    pub(super) name: Uuid,
    /// Whether other processes are there.
    pub(super) has_company: AtomicBool,
    /// Since when this process may be known to them.
    pub(super) opened_at: Instant,
    /// What is to be told when the transaction is committed.
    pub(super) word: Mutex<Option<String>>,
    /// The connection that writes.
    line: Mutex<Line>,
    /// By which others' words are heard, while anybody wants to.
    pub(super) ear: Mutex<Option<Ear>>,
}

/// Locks of jobs have the numbers below that of migrations.
fn lock_of(job: Job) -> i32 {
    match job {
        Job::Upkeep => -2,
    }
}

impl Own {
    pub(crate) fn open(address: &Address, _only_reads: bool) -> Result<Self, StoreError> {
        Ok(Self {
            leases: Leases::new(address),
            jobs: Mutex::default(),
            address: address.clone(),
            // Of no time: only its random part matters.
            name: RandomIds::default().next(time::OffsetDateTime::UNIX_EPOCH),
            has_company: AtomicBool::new(false),
            opened_at: Instant::now(),
            word: Mutex::default(),
            line: Mutex::default(),
            ear: Mutex::default(),
        })
    }

    /// The connection that writes.
    pub(super) fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this process does a job, now or still.
    pub(super) fn lead(&self, job: Job) -> Result<bool, StoreError> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((conn, held)) = &mut *jobs
            && held.contains(&job)
        {
            // The lock is held as long as the connection is: that is asked, not assumed.
            match conn.batch_execute("SELECT 1") {
                Ok(()) => return Ok(true),
                Err(error) => {
                    *jobs = None;
                    return Err(backend::translate(error));
                }
            }
        }
        let (conn, held) = match &mut *jobs {
            Some(open) => open,
            closed => closed.insert((backend::open_writer(&self.address)?, Vec::new())),
        };
        #[derive(QueryableByName)]
        struct Locked {
            #[diesel(sql_type = Bool)]
            locked: bool,
        }
        let asked = diesel::sql_query("SELECT pg_try_advisory_lock($1, $2) AS locked")
            .bind::<Integer, _>(LOCK_CLASS)
            .bind::<Integer, _>(lock_of(job))
            .get_result::<Locked>(conn);
        match asked {
            Ok(Locked { locked: true }) => {
                held.push(job);
                Ok(true)
            }
            Ok(Locked { locked: false }) => Ok(false),
            Err(error) => {
                *jobs = None;
                Err(backend::translate(error))
            }
        }
    }
}

impl Slots for Own {
    fn take(&self, conn: &mut Conn) -> Result<i32, WriteError> {
        #[derive(QueryableByName)]
        struct Slot {
            #[diesel(sql_type = Integer)]
            slot: i32,
        }
        let slot: Slot = diesel::sql_query(
            "SELECT slot FROM generate_series(0, 9999) AS slot WHERE pg_try_advisory_lock($1, slot) LIMIT 1",
        )
        .bind::<Integer, _>(LOCK_CLASS)
        .get_result(conn)?;
        Ok(slot.slot)
    }
}

/// The slot of whoever has the database for itself.
pub(crate) struct OnlySlot;

impl Slots for OnlySlot {
    fn take(&self, _conn: &mut Conn) -> Result<i32, WriteError> {
        Ok(0)
    }
}
