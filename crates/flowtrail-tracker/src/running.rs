//! The executions that run in this process, and how they are told to stop.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use flowtrail_types::ExecutionId;
use tokio_util::sync::CancellationToken;

/// The executions that run in this process.
#[derive(Debug, Default)]
pub(crate) struct Running {
    tokens: Mutex<HashMap<ExecutionId, CancellationToken>>,
}

impl Running {
    /// Notes that an execution runs here.
    pub(crate) fn add(&self, id: ExecutionId, token: CancellationToken) {
        self.lock().insert(id, token);
    }

    /// Forgets an execution that has ended.
    pub(crate) fn remove(&self, id: ExecutionId) {
        self.lock().remove(&id);
    }

    /// Whether an execution runs here.
    pub(crate) fn contains(&self, id: ExecutionId) -> bool {
        self.lock().contains_key(&id)
    }

    /// How many run here.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Tells an execution to stop, if it runs here.
    pub(crate) fn cancel(&self, id: ExecutionId) {
        let token = self.lock().get(&id).cloned();
        if let Some(token) = token {
            token.cancel();
        }
    }

    /// Tells all of them to stop.
    pub(crate) fn cancel_all(&self) {
        let tokens: Vec<CancellationToken> = self.lock().values().cloned().collect();
        // Outside of the lock: a token may run what waits for it at once.
        tokens.iter().for_each(CancellationToken::cancel);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ExecutionId, CancellationToken>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
