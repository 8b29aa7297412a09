//! Answers to those who wait, when the disk has what was written.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use flowtrail_store::fold::Outcomes;
use flowtrail_store::{Applied, Refusal, Store, StoreError};
use flowtrail_types::ExecutionId;
use tokio::sync::broadcast;

use super::queue::Waiter;
use crate::TrackerError;
use crate::changes::Changed;
use crate::measures::Counters;

/// What was written, and who waits for it to be on disk.
#[derive(Debug)]
pub(super) struct Written {
    /// The execution of each command that is about one.
    pub(super) executions: Vec<Option<ExecutionId>>,
    pub(super) waiters: Vec<Waiter>,
    pub(super) outcomes: Outcomes,
}

/// Makes sure of what was written, and answers those who wait for it.
pub(super) struct Answers {
    pub(super) changes: broadcast::Sender<Changed>,
    pub(super) counters: Arc<Counters>,
    pub(super) store: Arc<dyn Store>,
}

impl Answers {
    /// Gives all answers until the writer has ended, while it writes the next batches.
    pub(super) fn give_all(&self, written: &Receiver<Written>) {
        while let Ok(first) = written.recv() {
            // One flush is enough for all that was written until now.
            self.give(std::iter::once(first).chain(written.try_iter()).collect());
        }
    }

    pub(super) fn give(&self, batches: Vec<Written>) {
        let begun = Instant::now();
        let flushed = catch_unwind(AssertUnwindSafe(|| self.store.executions().flush()));
        match flushed.unwrap_or_else(|_| Err(panicked())) {
            Ok(()) => {
                self.counters.flushed(begun.elapsed());
                batches.into_iter().for_each(|written| self.answer(written));
            }
            Err(error) => {
                let waiters: Vec<Waiter> = batches.into_iter().flat_map(|written| written.waiters).collect();
                log::error!("{} records are not sure to be on disk: {error}", waiters.len());
                let error = Arc::new(error);
                for waiter in waiters {
                    waiter.answer(Err(TrackerError::Store(Arc::clone(&error))));
                }
            }
        }
    }

    fn answer(&self, written: Written) {
        if self.changes.receiver_count() > 0 {
            self.tell(&written);
        }
        for (waiter, outcome) in written.waiters.into_iter().zip(written.outcomes) {
            waiter.answer(outcome.map_err(TrackerError::from));
        }
    }

    /// Tells those who watch what has been written.
    fn tell(&self, written: &Written) {
        let is_written =
            |outcome: &Result<Applied, Refusal>| matches!(outcome, Ok(Applied::Written | Applied::Corrected));
        let mut ids: Vec<ExecutionId> = written
            .executions
            .iter()
            .zip(&written.outcomes)
            .filter(|(_, outcome)| is_written(outcome))
            .filter_map(|(id, _)| *id)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        if !ids.is_empty() {
            // Whoever watched may have gone meanwhile.
            let _ = self.changes.send(Changed::Executions(ids.into()));
        }
    }
}

pub(super) fn panicked() -> StoreError {
    StoreError::Internal { reason: "the store panicked".to_owned(), source: None }
}
