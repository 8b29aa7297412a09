//! JavaScript without I/O, within limits of time, memory and stack.
//!
//! Every script has an engine and a thread of its own. The engine asks often whether it should stop, but a
//! few of its native loops do not (`Array.prototype.reverse` of an array-like that claims a length of 2^53,
//! for one). So whoever waits does not wait for the thread: a while after the limit it gives the script up.
//! Such a strayed thread is counted, and when there are too many no more scripts are begun. They are
//! threads of ours and not of tokio's blocking pool, because a runtime that shuts down waits for that pool.

mod doubles;
mod failure;
mod source;
mod thread;
mod thrown;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use flowtrail_types::{ErrorKind, Json};
use tokio::sync::{Semaphore, oneshot};

use crate::template::Shared;

pub(crate) use doubles::check as check_doubles;
pub(crate) use failure::ScriptError;
pub(crate) use source::Script;

/// The memory that a script may use, in bytes.
const MEMORY: usize = 64 * 1024 * 1024;

/// The stack that a script may use, in bytes.
const STACK: usize = 512 * 1024;

/// The most bytes that a result may have as JSON.
const MAX_RESULT: usize = 16 * 1024 * 1024;

/// How long after its limit a script is given up that does not stop by itself.
const GRACE: Duration = Duration::from_millis(500);

/// How many threads may have strayed before no more scripts are begun.
const MAX_STRAYED: usize = 64;

/// Runs scripts, so many at a time. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Sandbox {
    places: Arc<Semaphore>,
    threads: Arc<AtomicUsize>,
    capacity: usize,
    time: Duration,
}

impl Sandbox {
    /// A sandbox that gives each script so much time.
    pub(crate) fn new(time: Duration) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let capacity = (processors * 2).max(4);
        Self { places: Arc::new(Semaphore::new(capacity)), threads: Arc::default(), capacity, time }
    }

    /// Runs a script on its input, whose numbers [`check_doubles`] has checked, and on the outputs of the nodes before.
    /// Dropping the future stops it.
    pub(crate) async fn run(
        &self,
        script: Script,
        input: Shared,
        nodes: Arc<BTreeMap<String, Shared>>,
    ) -> Result<Json, ScriptError> {
        let Ok(_place) = self.places.acquire().await else {
            return Err(ScriptError::new(ErrorKind::Internal, "the sandbox is closed"));
        };
        if self.threads.load(Ordering::Relaxed) >= self.capacity + MAX_STRAYED {
            let message = "too many scripts are running that could not be stopped";
            return Err(ScriptError::new(ErrorKind::Limit, message));
        }
        let stop = StopOnDrop::default();
        let (answer, answered) = oneshot::channel();
        let job = thread::Job { script, input, nodes, time: self.time, stop: stop.0.clone() };
        thread::start(job, Counted::new(self.threads.clone()), answer)?;
        match tokio::time::timeout(self.time + GRACE, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(ScriptError::new(ErrorKind::Internal, "the script's thread died")),
            Err(_) => Err(ScriptError::too_slow(self.time)),
        }
    }
}

/// Tells a script to stop once nobody waits for it.
#[derive(Default)]
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Counts a thread as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(threads: Arc<AtomicUsize>) -> Self {
        threads.fetch_add(1, Ordering::Relaxed);
        Self(threads)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
