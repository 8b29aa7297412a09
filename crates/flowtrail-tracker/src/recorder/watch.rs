//! The thread that keeps promises in time while the writer waits for the database.

use std::sync::Arc;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::promise::Promise;
use super::queue::{Queue, Shared};

/// Interval of looking.
const LOOK: Duration = Duration::from_millis(100);

/// The same when the queue is closed, and those that wait are the last.
const LAST_LOOK: Duration = Duration::from_millis(5);

/// Answers whoever has waited too long, until there is nobody left to wait.
pub(super) fn run(shared: &Shared) {
    let mut queue = shared.lock();
    while !(queue.closed && queue.promised.is_empty()) {
        let expired = queue.expired(shared.limits.max_wait);
        if !expired.is_empty() {
            drop(queue);
            expired.iter().for_each(|promise| promise.expire());
            log::warn!("{} records were not answered in time: the database does not answer", expired.len());
            queue = shared.lock();
            queue.forget_refused();
        }
        let look = if queue.closed { LAST_LOOK } else { LOOK };
        let woken = shared.closing.wait_timeout(queue, look);
        queue = woken.unwrap_or_else(PoisonError::into_inner).0;
    }
}

impl Queue {
    /// Remembers a promise.
    pub(super) fn promise(&mut self, at: Instant, promise: Arc<Promise>) {
        // As many go as come, so that there are never many more than wait.
        self.forget_answered(2);
        self.promised.push_back((at, promise));
    }

    fn forget_answered(&mut self, most: usize) {
        for _ in 0..most {
            if self.promised.front().is_none_or(|(_, promise)| !promise.is_answered()) {
                break;
            }
            self.promised.pop_front();
        }
    }

    /// Those that have waited for longer than this.
    fn expired(&mut self, max_wait: Duration) -> Vec<Arc<Promise>> {
        self.forget_answered(usize::MAX);
        let is_old =
            |(at, promise): &&(Instant, Arc<Promise>)| at.elapsed() > max_wait && !promise.is_answered();
        let old = self.promised.iter().take_while(|(at, _)| at.elapsed() > max_wait).filter(is_old);
        old.map(|(_, promise)| Arc::clone(promise)).collect()
    }

    /// Time for which the oldest has waited.
    pub(super) fn oldest(&mut self) -> Option<Duration> {
        self.forget_answered(usize::MAX);
        self.promised.front().map(|(at, _)| at.elapsed())
    }

    /// Takes those out of the queue who were told that nothing was written.
    fn forget_refused(&mut self) {
        while let Some((_, front)) = self.waiting.front()
            && front.promise.is_answered()
        {
            if let Some((_, refused)) = self.waiting.pop_front() {
                self.bytes -= refused.bytes;
                self.urgent -= usize::from(refused.is_urgent());
            }
        }
    }
}
