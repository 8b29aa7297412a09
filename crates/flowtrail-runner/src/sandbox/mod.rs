//! JavaScript without I/O, within limits of time, memory and stack.
//!
//! Scripts run in worker processes, which are killed when they do not end in time: a few native loops of the engine cannot
//! be interrupted. Where no worker program is set they run in threads of this process.

mod confine;
mod doubles;
mod engine;
mod failure;
mod frame;
mod outputs;
mod pool;
mod program;
mod source;
mod task;
mod thread;
mod thrown;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowtrail_types::{ErrorKind, Json, UserId, read_json};

use self::engine::Task;
use self::outputs::Outputs;
use self::pool::Pool;
use self::task::What;
use self::thread::Threads;
use crate::places::Places;
use crate::template::Shared;

pub(crate) use doubles::check as check_doubles;
pub(crate) use failure::ScriptError;
pub use program::WorkerProgram;
pub(crate) use source::Script;
pub use worker::run_script_worker;

/// The memory that a script may use, in bytes.
const MEMORY: usize = 64 * 1024 * 1024;

/// The stack that a script may use, in bytes.
const STACK: usize = 512 * 1024;

/// The most bytes that a result may have as JSON.
const MAX_RESULT: usize = 16 * 1024 * 1024;

/// How long after its limit a script is given up that does not stop by itself.
const GRACE: Duration = Duration::from_millis(500);

/// Runs scripts, so many at a time. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Sandbox {
    places: Places,
    ways: Ways,
    time: Duration,
}

/// The way in which scripts run.
#[derive(Debug, Clone)]
enum Ways {
    Workers(Pool),
    Threads(Threads),
}

impl Sandbox {
    /// A sandbox that gives each script so much time, and each user this part of the places. Scripts run in processes of
    /// this program, if there is one.
    pub(crate) fn new(time: Duration, share: u8, program: Option<WorkerProgram>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let capacity = (processors * 2).max(4);
        let ways = match program {
            Some(program) => Ways::Workers(Pool::new(program)),
            None => Ways::Threads(Threads::new(capacity)),
        };
        Self { places: Places::new(capacity, crate::places::share(capacity, share)), ways, time }
    }

    /// Runs a user's script on its input, whose numbers [`check_doubles`] has checked, and on the outputs of the nodes before.
    /// Dropping the future stops it.
    pub(crate) async fn run(
        &self,
        user: UserId,
        script: Script,
        input: &Shared,
        nodes: Arc<BTreeMap<String, Shared>>,
    ) -> Result<Json, ScriptError> {
        let Some(_place) = self.places.take(user).await else {
            return Err(ScriptError::new(ErrorKind::Internal, "the sandbox is closed"));
        };
        let outputs = Arc::new(Outputs::new(nodes));
        let task = Task { script, input: input.json().to_string(), nodes: outputs.ids(), time: self.time };
        let result = match &self.ways {
            Ways::Workers(pool) => pool.run(task, Arc::clone(&outputs)).await,
            Ways::Threads(threads) => threads.run(task, Arc::clone(&outputs)).await,
        };
        // However the script went on after that.
        if let Some(error) = outputs.refused() {
            return Err(error);
        }
        // A string may have half of a surrogate pair, which the engine writes as an escape.
        read_json(result?.as_bytes()).map_err(|error| {
            let message = if error.to_string().contains("recursion limit") {
                "the result is nested deeper than 128 levels".to_owned()
            } else {
                format!("the result has text that is not valid Unicode: {error}")
            };
            ScriptError::new(ErrorKind::Failed, message)
        })
    }
}

/// Compiles the scripts of a flow that is checked, in what time there is for all of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compiler<'s> {
    workers: Option<(&'s Sandbox, &'s Pool, UserId)>,
    until: Instant,
}

/// Time limit for compiling all scripts that come in at a time.
const COMPILING: Duration = Duration::from_secs(10);

impl Compiler<'static> {
    /// One that compiles in this thread.
    pub(crate) fn here() -> Self {
        Self { workers: None, until: Instant::now() + COMPILING }
    }
}

impl<'s> Compiler<'s> {
    /// One that compiles where a user's scripts run.
    pub(crate) fn of(sandbox: &'s Sandbox, user: UserId) -> Self {
        let workers = match &sandbox.ways {
            Ways::Workers(pool) => Some((sandbox, pool, user)),
            Ways::Threads(_) => None,
        };
        Self { workers, until: Instant::now() + COMPILING }
    }

    /// Checks the syntax of a script. Blocks.
    ///
    /// # Errors
    ///
    /// A place that the engine does not understand, with line and column of the user's code.
    pub(crate) fn check(&self, script: &Script) -> Result<(), ScriptError> {
        match self.workers {
            Some(_) => self.ask(What::Check, script).map(drop),
            None => script.check(),
        }
    }

    /// Returns whether a function body that is right returns anything itself. Blocks.
    pub(crate) fn returns(&self, script: &Script) -> bool {
        match self.workers {
            Some(_) => self.ask(What::Returns, script).is_ok_and(|answer| answer == "true"),
            None => script.returns(),
        }
    }

    fn ask(&self, what: What, script: &Script) -> Result<String, ScriptError> {
        let closed = || ScriptError::new(ErrorKind::Internal, "the sandbox is closed");
        let (sandbox, pool, user) = self.workers.ok_or_else(closed)?;
        let _place = sandbox.places.take_blocking(user).ok_or_else(closed)?;
        let time = self.until.saturating_duration_since(Instant::now()).min(sandbox.time);
        if time.is_zero() {
            let message = "was not compiled: the code before took too long";
            return Err(ScriptError::new(ErrorKind::Limit, message));
        }
        pool.ask(what, Task { script: script.clone(), input: String::new(), nodes: Vec::new(), time })
    }
}

#[cfg(test)]
mod tests;
