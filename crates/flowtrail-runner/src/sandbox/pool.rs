//! Workers: processes that run scripts, kept for the next one, and killed when one does not end in time.

use std::io::BufReader;
use std::process::{Child, ChildStdin};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use std::{io, thread};

use flowtrail_types::ErrorKind;
use tokio::sync::oneshot;

use super::engine::Task;
use super::frame::{self, Mark};
use super::outputs::Outputs;
use super::task::{Asked, Failed, What};
use super::{GRACE, ScriptError, WorkerProgram};

/// Idle time after which a worker ends, unless it is the last one.
const IDLE: Duration = Duration::from_secs(3);

/// Number of scripts after which another worker takes the place of one.
const MOST_SCRIPTS: u32 = 10_000;

/// The memory that a worker may keep between scripts, in bytes.
const MOST_KEPT: u64 = 64 << 20;

/// A script that took longer than this may have left memory behind.
const LONG: Duration = Duration::from_millis(20);

/// The stack of the thread that a worker has here.
const THREAD_STACK: usize = 256 * 1024;

/// Workers, of which as many run as scripts do at the same time. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    program: WorkerProgram,
    idle: Mutex<Vec<Worker>>,
}

/// A worker, as whoever hands it a script knows it.
#[derive(Debug, Clone)]
struct Worker {
    jobs: mpsc::Sender<Job>,
    process: Arc<Process>,
}

/// A task of a worker, and the receiver of its answer.
struct Job {
    what: What,
    task: Task,
    outputs: Arc<Outputs>,
    answer: Box<dyn FnOnce(Result<String, ScriptError>) + Send>,
}

/// A worker's process, which anybody may end.
#[derive(Debug, Default)]
struct Process(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Starting,
    Runs(Child),
    Ended,
}

impl Process {
    fn kill(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Runs(child) = &mut *state {
            // It fails when the process has ended by itself; waiting for it is right either way.
            let _ = child.kill();
            let _ = child.wait();
        }
        *state = State::Ended;
    }

    /// The process has started. Fails when it is wanted no longer.
    fn started(&self, mut child: Child) -> io::Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Ended) {
            let _ = child.kill();
            let _ = child.wait();
            return Err(io::ErrorKind::Interrupted.into());
        }
        *state = State::Runs(child);
        Ok(())
    }

    /// Its resident memory in bytes, where the system tells.
    fn resident(&self) -> Option<u64> {
        let id = match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Runs(child) => child.id(),
            State::Starting | State::Ended => return None,
        };
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?;
        Some(kib.parse::<u64>().ok()? << 10)
    }
}

/// Ends a process unless it has answered.
struct Killer(Option<Arc<Process>>);

impl Killer {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Killer {
    fn drop(&mut self) {
        if let Some(process) = &self.0 {
            process.kill();
        }
    }
}

impl Pool {
    /// Workers of this program. One is started at once, so that the first script finds it.
    pub(super) fn new(program: WorkerProgram) -> Self {
        let pool = Self(Arc::new(Shared { program, idle: Mutex::default() }));
        match pool.start() {
            Ok(worker) => pool.0.idle().push(worker),
            Err(error) => log::error!("no worker for scripts: {}", error.message),
        }
        pool
    }

    /// Runs a script, and returns its result as JSON. Dropping the future ends the worker.
    pub(super) async fn run(&self, task: Task, outputs: Arc<Outputs>) -> Result<String, ScriptError> {
        let time = task.time;
        let (answer, answered) = oneshot::channel();
        // Whoever asked may have given up; then nobody is there to be told.
        let killer = self.hand_over(What::Run, task, outputs, |result| drop(answer.send(result)))?;
        let result = match tokio::time::timeout(time + GRACE, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => return Err(died()),
            Err(_) => return Err(ScriptError::too_slow(time)),
        };
        killer.disarm();
        result
    }

    /// Does something with a script that has no input. Blocks.
    pub(super) fn ask(&self, what: What, task: Task) -> Result<String, ScriptError> {
        let time = task.time;
        let (answer, answered) = mpsc::channel();
        let killer = self.hand_over(what, task, Arc::default(), move |result| drop(answer.send(result)))?;
        let result = match answered.recv_timeout(time) {
            Ok(result) => result,
            Err(RecvTimeoutError::Disconnected) => return Err(died()),
            Err(RecvTimeoutError::Timeout) => {
                let message = format!("takes longer than {} to compile", crate::duration::spoken(time));
                return Err(ScriptError::new(ErrorKind::Limit, message));
            }
        };
        killer.disarm();
        result
    }

    fn hand_over(
        &self,
        what: What,
        task: Task,
        outputs: Arc<Outputs>,
        answer: impl FnOnce(Result<String, ScriptError>) + Send + 'static,
    ) -> Result<Killer, ScriptError> {
        let mut job = Job { what, task, outputs, answer: Box::new(answer) };
        loop {
            let idle = self.0.idle().pop();
            let is_new = idle.is_none();
            let worker = idle.map_or_else(|| self.start(), Ok)?;
            match worker.jobs.send(job) {
                Ok(()) => return Ok(Killer(Some(worker.process))),
                // It has just ended, having been idle for too long.
                Err(mpsc::SendError(returned)) if !is_new => job = returned,
                Err(_) => return Err(died()),
            }
        }
    }

    fn start(&self) -> Result<Worker, ScriptError> {
        let (jobs, asked) = mpsc::channel();
        let worker = Worker { jobs, process: Arc::default() };
        let keeper = Keeper {
            pool: Arc::downgrade(&self.0),
            program: self.0.program.clone(),
            worker: worker.clone(),
            scripts: 0,
        };
        thread::Builder::new()
            .name("flowtrail-script".to_owned())
            .stack_size(THREAD_STACK)
            .spawn(move || keeper.keep(&asked))
            .map_err(|error| {
                ScriptError::new(ErrorKind::Internal, format!("no thread for a script: {error}"))
            })?;
        Ok(worker)
    }
}

impl Shared {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an idle worker out for good, unless it is the last one. False when it is, or is not idle any more.
    fn retire(&self, process: &Arc<Process>) -> bool {
        let mut idle = self.idle();
        let place = idle.iter().position(|worker| Arc::ptr_eq(&worker.process, process));
        match place.filter(|_| idle.len() > 1) {
            Some(place) => {
                idle.remove(place);
                true
            }
            None => false,
        }
    }
}

/// The thread of one worker: it starts the process, talks to it and waits for its end.
struct Keeper {
    pool: Weak<Shared>,
    program: WorkerProgram,
    worker: Worker,
    scripts: u32,
}

impl Keeper {
    fn keep(mut self, asked: &mpsc::Receiver<Job>) {
        if let Err(error) = self.serve(asked) {
            log::debug!("a worker for scripts ended: {error}");
        }
        self.worker.process.kill();
    }

    fn serve(&mut self, asked: &mpsc::Receiver<Job>) -> io::Result<()> {
        let (mut command, from) = self.program.command()?;
        let mut child = command.spawn().inspect_err(|error| log::error!("no worker for scripts: {error}"))?;
        // Ours are closed, so that the pipe ends with the process.
        drop(command);
        let to = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        self.worker.process.started(child)?;
        let mut pipes = (BufReader::new(from), to);
        loop {
            match asked.recv_timeout(IDLE) {
                Ok(job) => self.run(job, &mut pipes)?,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => match self.pool.upgrade() {
                    Some(pool) if !pool.retire(&self.worker.process) => {}
                    _ => return Ok(()),
                },
            }
        }
    }

    /// Has a script run, and goes back to the others.
    fn run(&mut self, job: Job, pipes: &mut (BufReader<io::PipeReader>, ChildStdin)) -> io::Result<()> {
        let begun = Instant::now();
        // When it fails, whoever waits is told by the answer that never comes.
        let result = talk(&job, pipes)?;
        self.scripts += 1;
        let looks = begun.elapsed() > LONG || self.scripts.is_multiple_of(64);
        let is_large = looks && self.worker.process.resident().is_some_and(|bytes| bytes > MOST_KEPT);
        let is_kept = !is_large && self.scripts < MOST_SCRIPTS;
        match self.pool.upgrade().filter(|_| is_kept) {
            Some(pool) => {
                // First, so that who is told finds it idle.
                pool.idle().push(self.worker.clone());
                (job.answer)(result);
                Ok(())
            }
            None => {
                (job.answer)(result);
                Err(io::Error::other("it has run long enough"))
            }
        }
    }
}

/// Sends a job and what is asked for meanwhile, and returns the answer.
fn talk(
    job: &Job,
    (from, to): &mut (BufReader<io::PipeReader>, ChildStdin),
) -> io::Result<Result<String, ScriptError>> {
    let asked = serde_json::to_vec(&Asked::of(job.what, &job.task))?;
    if asked.len() > frame::LONGEST || job.task.input.len() > frame::LONGEST {
        return Ok(Err(ScriptError::out_of_memory()));
    }
    frame::write(to, Mark::Task, &asked)?;
    if job.what == What::Run {
        frame::write(to, Mark::Input, job.task.input.as_bytes())?;
    }
    loop {
        let (mark, content) = frame::read(from)?;
        let content = frame::text(content)?;
        match mark {
            Mark::Ask => match job.outputs.json(&content) {
                Ok(json) => frame::write(to, Mark::Output, json.as_bytes())?,
                Err(_) => frame::write(to, Mark::Refused, &[])?,
            },
            Mark::Result => return Ok(Ok(content)),
            Mark::Error => {
                let failed: Failed = serde_json::from_str(&content)?;
                let kind = failed.kind.parse().unwrap_or(ErrorKind::Internal);
                return Ok(Err(ScriptError::new(kind, failed.message)));
            }
            Mark::Task | Mark::Input | Mark::Output | Mark::Refused => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("unexpected {mark:?}")));
            }
        }
    }
}

/// A worker ended instead of answering.
fn died() -> ScriptError {
    let message = "the process that ran the code ended: it used more memory or stack than it may";
    ScriptError::new(ErrorKind::Limit, message)
}
