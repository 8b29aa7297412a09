//! The executions that run in this process, and how they are told to stop.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use flowtrail_types::ExecutionId;
use tokio_util::sync::CancellationToken;

/// The executions that run in this process.
#[derive(Debug, Default)]
pub(crate) struct Running {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tokens: HashMap<ExecutionId, CancellationToken>,
    /// The process ends: whatever begins now is told so at once.
    is_shutting_down: bool,
}

impl Running {
    /// Notes that an execution runs here.
    pub(crate) fn add(&self, id: ExecutionId, token: CancellationToken) {
        let mut state = self.lock();
        state.tokens.insert(id, token.clone());
        let is_shutting_down = state.is_shutting_down;
        drop(state);
        if is_shutting_down {
            token.cancel();
        }
    }

    /// Forgets an execution that has ended.
    pub(crate) fn remove(&self, id: ExecutionId) {
        self.lock().tokens.remove(&id);
    }

    /// Whether an execution runs here.
    pub(crate) fn contains(&self, id: ExecutionId) -> bool {
        self.lock().tokens.contains_key(&id)
    }

    /// How many run here.
    pub(crate) fn count(&self) -> usize {
        self.lock().tokens.len()
    }

    /// Tells an execution to stop, if it runs here.
    pub(crate) fn cancel(&self, id: ExecutionId) {
        let token = self.lock().tokens.get(&id).cloned();
        if let Some(token) = token {
            token.cancel();
        }
    }

    /// Tells all of them to stop, and those that begin later.
    pub(crate) fn shut_down(&self) {
        let mut state = self.lock();
        state.is_shutting_down = true;
        let tokens: Vec<CancellationToken> = state.tokens.values().cloned().collect();
        // Outside of the lock: a token may run what waits for it at once.
        drop(state);
        tokens.iter().for_each(CancellationToken::cancel);
    }

    /// Whether the process ends.
    pub(crate) fn is_shutting_down(&self) -> bool {
        self.lock().is_shutting_down
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
