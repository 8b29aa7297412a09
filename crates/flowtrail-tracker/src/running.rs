//! The executions that run in this process: how they are told to stop, and when their time is over.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use flowtrail_types::ExecutionId;
use tokio_util::sync::CancellationToken;

use crate::handle::Shared;

/// The executions that run in this process.
#[derive(Debug, Default)]
pub(crate) struct Running {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<ExecutionId, Entry>,
    /// When the time of each is over, by the clock that does not jump.
    deadlines: BTreeSet<(Duration, ExecutionId)>,
    /// The process ends: whatever begins now is told so at once.
    is_shutting_down: bool,
}

#[derive(Debug)]
struct Entry {
    stop: CancellationToken,
    deadline: Duration,
    /// Not counted: the handle holds the tracker, which holds this.
    handle: Weak<Shared>,
}

impl Running {
    /// Notes that an execution runs here, and when its time is over.
    pub(crate) fn add(&self, id: ExecutionId, handle: &Arc<Shared>) {
        let (stop, deadline) = (handle.stop_token(), handle.deadline());
        let mut state = self.lock();
        state.deadlines.insert((deadline, id));
        let entry = Entry { stop: stop.clone(), deadline, handle: Arc::downgrade(handle) };
        state.entries.insert(id, entry);
        let is_shutting_down = state.is_shutting_down;
        drop(state);
        if is_shutting_down {
            stop.cancel();
        }
    }

    /// Forgets an execution that has ended.
    pub(crate) fn remove(&self, id: ExecutionId) {
        let mut state = self.lock();
        if let Some(entry) = state.entries.remove(&id) {
            state.deadlines.remove(&(entry.deadline, id));
        }
    }

    /// Returns when the time of the next one is over.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        self.lock().deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Takes those whose time is over. They run on until they have stopped, and are not given twice.
    pub(crate) fn take_due(&self, now: Duration) -> Vec<Arc<Shared>> {
        let mut state = self.lock();
        let mut due = Vec::new();
        while let Some((deadline, id)) = state.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            state.deadlines.remove(&(deadline, id));
            due.extend(state.entries.get(&id).and_then(|entry| entry.handle.upgrade()));
        }
        due
    }

    /// Whether an execution runs here.
    pub(crate) fn contains(&self, id: ExecutionId) -> bool {
        self.lock().entries.contains_key(&id)
    }

    /// How many run here.
    pub(crate) fn count(&self) -> usize {
        self.lock().entries.len()
    }

    /// Tells an execution to stop, if it runs here.
    pub(crate) fn cancel(&self, id: ExecutionId) {
        let stop = self.lock().entries.get(&id).map(|entry| entry.stop.clone());
        if let Some(stop) = stop {
            stop.cancel();
        }
    }

    /// Tells all of them to stop, and those that begin later.
    pub(crate) fn shut_down(&self) {
        let mut state = self.lock();
        state.is_shutting_down = true;
        let stops: Vec<CancellationToken> = state.entries.values().map(|entry| entry.stop.clone()).collect();
        // Outside of the lock: a token may run what waits for it at once.
        drop(state);
        stops.iter().for_each(CancellationToken::cancel);
    }

    /// Whether the process ends.
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.lock().is_shutting_down
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
