//! The thread that keeps promises in time while the writer waits for the database.

use std::sync::Arc;
use std::sync::PoisonError;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flowtrail_store::Store;

use super::promise::Promise;
use super::queue::{Queue, Shared};

/// Interval of looking.
const LOOK: Duration = Duration::from_millis(100);

/// The same when the queue is closed, and those that wait are the last.
const LAST_LOOK: Duration = Duration::from_millis(5);

/// Time that a batch may take before the store is looked at, and the interval of that.
const LONG: Duration = Duration::from_secs(5);

/// Answers whoever has waited too long, until there is nobody left to wait.
pub(super) fn run(shared: &Shared, store: &Arc<dyn Store>) {
    let mut helper = Helper::default();
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
        if queue.writing_since.is_some_and(|since| since.elapsed() > LONG) {
            helper.look(store);
        }
        let look = if queue.closed { LAST_LOOK } else { LOOK };
        let woken = shared.closing.wait_timeout(queue, look);
        queue = woken.unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// A thread that looks at the store while the writer waits for it, and lets the store end what is stuck. One at a time: it may
/// get stuck itself.
#[derive(Default)]
struct Helper(Option<(Instant, JoinHandle<()>)>);

impl Helper {
    fn look(&mut self, store: &Arc<dyn Store>) {
        let looked = self.0.as_ref();
        if looked.is_some_and(|(at, thread)| at.elapsed() < LONG || !thread.is_finished()) {
            return;
        }
        let store = Arc::clone(store);
        let look = move || {
            if let Err(error) = store.check() {
                log::debug!("the database does not answer: {error}");
            }
        };
        let thread = std::thread::Builder::new().name("flowtrail-look".to_owned()).spawn(look);
        self.0 = thread.ok().map(|thread| (Instant::now(), thread));
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

    /// Time for which the oldest has waited, answered or not: who was told that the outcome is not known still waits to be
    /// written.
    pub(super) fn oldest(&mut self) -> Option<Duration> {
        self.forget_answered(usize::MAX);
        let promised = self.promised.front().map(|(at, _)| at.elapsed());
        promised.max(self.writing_since.map(|since| since.elapsed()))
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
