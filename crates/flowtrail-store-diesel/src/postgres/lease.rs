//! How processes on one PostgreSQL know of each other's lives: each renews a lease, by the database's clock alone.
//!
//! A thread of its own renews it, so that nothing else that takes long lets it run out. Whoever could not renew for a
//! while, because the database was away, takes nobody for dead until everybody has had the time of one lease to renew.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Uuid};
use flowtrail_store::StoreError;
use flowtrail_types::InstanceId;

use super::backend::{self, Address, Conn};
use crate::columns::Id;

/// How long a process may be silent before it counts as dead.
pub(super) const LEASE: Duration = Duration::from_secs(10);

/// How often a lease is renewed: several times over, since a renewal may fail or be slow.
const RENEW_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
struct State {
    instances: BTreeSet<InstanceId>,
    /// When the last renewal succeeded, and since when none has been late.
    renewed_at: Option<Instant>,
    steady_since: Option<Instant>,
    is_closed: bool,
}

/// The leases of this process.
pub(crate) struct Leases {
    shared: Arc<(Mutex<State>, Condvar)>,
    thread: Mutex<Option<JoinHandle<()>>>,
    address: Address,
}

impl std::fmt::Debug for Leases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address holds a password.
        f.debug_struct("Leases").finish_non_exhaustive()
    }
}

impl Leases {
    pub(super) fn new(address: &Address) -> Self {
        Self { shared: Arc::default(), thread: Mutex::default(), address: address.clone() }
    }

    /// Begins to hold a lease, and gives it a first time.
    pub(super) fn hold(&self, conn: &mut Conn, id: InstanceId) -> Result<(), StoreError> {
        renew(conn, &BTreeSet::from([id])).map_err(backend::translate)?;
        let mut state = self.lock();
        state.instances.insert(id);
        state.note_renewal(Instant::now());
        drop(state);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            let (shared, address) = (Arc::clone(&self.shared), self.address.clone());
            let started = std::thread::Builder::new()
                .name("flowtrail-lease".to_owned())
                .spawn(move || keep(&shared, &address))
                .map_err(|error| StoreError::Internal {
                    reason: "the thread that renews the lease cannot be started".to_owned(),
                    source: Some(Box::new(error)),
                })?;
            *thread = Some(started);
        }
        Ok(())
    }

    /// Stops holding a lease.
    pub(super) fn release(&self, id: InstanceId) {
        self.lock().instances.remove(&id);
    }

    /// Whether this process has heard of the database for so long without a break that another one, if it lived, would
    /// have renewed its lease in the meantime.
    pub(super) fn may_judge(&self) -> bool {
        let state = self.lock();
        let now = Instant::now();
        state.renewed_at.is_some_and(|renewed| now - renewed < LEASE / 2)
            && state.steady_since.is_some_and(|since| now - since >= LEASE)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        self.lock().is_closed = true;
        self.shared.1.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            log::error!("the thread that renews the lease panicked");
        }
    }
}

impl State {
    fn note_renewal(&mut self, now: Instant) {
        let is_late = self.renewed_at.is_none_or(|before| now - before >= LEASE / 2);
        if is_late || self.steady_since.is_none() {
            self.steady_since = Some(now);
        }
        self.renewed_at = Some(now);
    }
}

fn keep(shared: &(Mutex<State>, Condvar), address: &Address) {
    let (state, wake) = shared;
    let mut conn: Option<Conn> = None;
    let mut is_silent = false;
    loop {
        let held = {
            let state = state.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = wake.wait_timeout_while(state, RENEW_EVERY, |state| !state.is_closed);
            let state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.is_closed {
                return;
            }
            state.instances.clone()
        };
        if held.is_empty() {
            continue;
        }
        let renewed = match &mut conn {
            Some(open) => renew(open, &held).map_err(backend::translate),
            None => backend::open_writer(address).and_then(|mut fresh| {
                renew(&mut fresh, &held).map_err(backend::translate)?;
                conn = Some(fresh);
                Ok(())
            }),
        };
        match renewed {
            Ok(()) => {
                state.lock().unwrap_or_else(PoisonError::into_inner).note_renewal(Instant::now());
                if std::mem::take(&mut is_silent) {
                    log::info!("the database answers again");
                }
            }
            Err(error) => {
                conn = None;
                // Once is enough: those who write say it themselves.
                if !std::mem::replace(&mut is_silent, true) {
                    log::warn!("the lease of this process cannot be renewed: {error}");
                }
            }
        }
    }
}

/// Renews leases by the database's clock. One that was forgotten meanwhile is there again.
fn renew(conn: &mut Conn, held: &BTreeSet<InstanceId>) -> QueryResult<()> {
    let ids: Vec<Id> = held.iter().map(|id| Id(*id.as_uuid())).collect();
    diesel::sql_query(
        "INSERT INTO instances (id, started_at, renewed_at) \
         SELECT id, clock_timestamp(), clock_timestamp() FROM unnest($1::uuid[]) AS held (id) \
         ON CONFLICT (id) DO UPDATE SET renewed_at = clock_timestamp()",
    )
    .bind::<Array<Uuid>, _>(&ids)
    .execute(conn)?;
    Ok(())
}

/// The processes whose lease has run out, or only those that gave theirs back themselves.
pub(super) fn run_out(conn: &mut Conn, may_judge: bool) -> QueryResult<Vec<InstanceId>> {
    #[derive(QueryableByName)]
    struct Dead {
        #[diesel(sql_type = Uuid)]
        id: Id,
    }
    let dead: Vec<Dead> = diesel::sql_query(
        "SELECT id FROM instances WHERE renewed_at = '-infinity' \
         OR ($2 AND renewed_at < clock_timestamp() - $1 * interval '1 millisecond') ORDER BY id",
    )
    .bind::<BigInt, _>(i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX))
    .bind::<Bool, _>(may_judge)
    .load(conn)?;
    Ok(dead.into_iter().map(|dead| InstanceId::from_uuid(dead.id.0)).collect())
}
