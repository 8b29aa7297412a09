//! A script in a thread of this process: where no worker program is set.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use flowtrail_types::ErrorKind;
use tokio::sync::oneshot;

use super::engine::{self, NodeOutput, Task};
use super::{GRACE, Outputs, ScriptError};

/// The thread's own stack: the script's, and as much again for what Rust and C need around it.
const THREAD_STACK: usize = 2 * 1024 * 1024;

/// Number of strayed threads from which on no more scripts are begun.
const MAX_STRAYED: usize = 64;

/// Runs each script in a thread of its own.
///
/// The engine asks often whether it should stop, but a few of its native loops do not (`Array.prototype.reverse` of an
/// array-like that claims a length of 2^53, for one). So whoever waits does not wait for the thread: a while after the
/// limit it gives the script up. Such a strayed thread is counted, and when there are too many no more scripts are begun.
/// They are threads of ours and not of tokio's blocking pool, because a runtime that shuts down waits for that pool.
#[derive(Debug, Clone)]
pub(super) struct Threads {
    alive: Arc<AtomicUsize>,
    most: usize,
}

impl Threads {
    /// Threads of which so many are wanted at a time.
    pub(super) fn new(capacity: usize) -> Self {
        Self { alive: Arc::default(), most: capacity + MAX_STRAYED }
    }

    /// Runs a script, and returns its result as JSON. Dropping the future stops it.
    pub(super) async fn run(&self, task: Task, outputs: Arc<Outputs>) -> Result<String, ScriptError> {
        if self.alive.load(Ordering::Relaxed) >= self.most {
            let message = "too many scripts are running that could not be stopped";
            return Err(ScriptError::new(ErrorKind::Limit, message));
        }
        let stop = StopOnDrop::default();
        let (answer, answered) = oneshot::channel();
        let (time, stopped) = (task.time, Arc::clone(&stop.0));
        let counted = Counted::new(Arc::clone(&self.alive));
        let body = move || {
            let _counted = counted;
            let is_stopped = move || stopped.load(Ordering::Relaxed);
            let result = engine::run(&task, is_stopped, move |id| match outputs.json(id) {
                Ok(json) => NodeOutput::Json(json),
                Err(_) => NodeOutput::Refused,
            });
            // Whoever asked may have given up; then nobody is there to be told.
            drop(answer.send(result));
        };
        start(body)?;
        match tokio::time::timeout(time + GRACE, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(ScriptError::new(ErrorKind::Internal, "the script's thread died")),
            Err(_) => Err(ScriptError::too_slow(time)),
        }
    }
}

fn start(body: impl FnOnce() + Send + 'static) -> Result<(), ScriptError> {
    std::thread::Builder::new()
        .name("flowtrail-script".to_owned())
        .stack_size(THREAD_STACK)
        .spawn(body)
        .map(drop)
        .map_err(|error| ScriptError::new(ErrorKind::Internal, format!("no thread for the script: {error}")))
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
