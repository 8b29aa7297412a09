//! What has to be looked after: executions that time out, processes that die, wishes to cancel, changed flows.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flowtrail_store::{Command, NewEnd, PendingExecution, StoreError};
use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{CapturePolicy, ErrorInfo, ErrorKind, Source};
use time::OffsetDateTime;

use crate::ack::Reply;
use crate::changes::Changed;
use crate::handle::new_end;
use crate::recorder::Patience;
use crate::tracker::Inner;
use crate::{Ending, Tracker, TrackerError, threads};

/// What one round of housekeeping did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Housekept {
    /// Executions that were ended because nothing was heard of them.
    pub timed_out: usize,
    /// Executions that were ended because their process died.
    pub interrupted: usize,
    /// Executions of this process that were told to stop.
    pub cancelled: usize,
    /// Whether flows had been changed by another process.
    pub flows_changed: bool,
}

/// How many executions are ended in one go.
const AT_ONCE: u32 = 500;

/// Dead processes are looked for once in so many rounds.
const SLOW_ROUNDS: u32 = 5;

/// Executions of this process whose end could not be written are looked for once in so many rounds.
const LEFT_ROUNDS: u32 = 150;

/// How often executions that run elsewhere are looked at, so that they end within a quarter of a second of their deadline.
const LOOK: Duration = Duration::from_millis(100);

impl Tracker {
    /// Does one whole round of housekeeping now. Blocks.
    ///
    /// # Errors
    ///
    /// When the store does not answer; what was done until then stays done.
    pub fn housekeep(&self) -> Result<Housekept, TrackerError> {
        let mut done = Housekept::default();
        for written in self.inner.give_up_overdue(&mut done) {
            // What could not be written is logged, and tried again by the last step.
            let _ = written.recv();
        }
        self.inner.look_for_foreign_changes(&mut done, true)?;
        self.inner.end_overdue(&mut done)?;
        self.inner.end_interrupted(&mut done)?;
        self.inner.end_left_behind(&mut done)?;
        Ok(done)
    }
}

impl Inner {
    fn look_for_foreign_changes(&self, done: &mut Housekept, always: bool) -> Result<(), StoreError> {
        let sign = match self.foreign_changes()? {
            Some(sign) => sign,
            None if always => self.store.foreign_changes()?,
            None => return Ok(()),
        };
        done.flows_changed = self.catalog.refresh(&*self.store)?;
        self.listen_to_others()?;
        for id in self.store.executions().list_cancel_requested(self.instance)? {
            if self.running.contains(id) {
                self.running.cancel(id);
                done.cancelled += 1;
            }
        }
        // Only now: if this has failed, it is tried again.
        self.saw_foreign_changes(sign);
        Ok(())
    }

    /// Passes on what other processes have written, if anybody watches.
    fn listen_to_others(&self) -> Result<(), StoreError> {
        if self.changes.receiver_count() == 0 {
            return Ok(());
        }
        let writes = self.store.executions().foreign_writes()?;
        // Whoever watched may have gone meanwhile.
        if writes.missed {
            let _ = self.changes.send(Changed::Missed);
        }
        if !writes.executions.is_empty() {
            let _ = self.changes.send(Changed::Executions(writes.executions.into()));
        }
        Ok(())
    }

    /// Ends what runs in this process and has used up its time, by a clock that does not jump.
    fn give_up_overdue(&self, done: &mut Housekept) -> Vec<oneshot::Receiver<Reply>> {
        let due = self.running.take_due(self.clock.monotonic());
        done.timed_out += due.len();
        due.iter().filter_map(|handle| handle.give_up()).collect()
    }

    /// Ends executions that no process runs and of which nothing was heard in time. They ended at their deadline.
    fn end_overdue(&self, done: &mut Housekept) -> Result<(), TrackerError> {
        let overdue = self.store.executions().list_overdue(self.clock.now(), AT_ONCE)?;
        let (leases, others): (Vec<_>, Vec<_>) =
            overdue.into_iter().partition(|execution| execution.lease.is_some());
        done.timed_out += self.infer_errors(&others, |execution| InferredEnd {
            error: ErrorInfo::new(ErrorKind::Timeout, "nothing was heard of it in time"),
            ended_at: execution.deadline_at,
            due_at: Some(execution.deadline_at),
        })?;
        done.interrupted += self.infer_errors(&leases, |execution| {
            let lease = execution.lease.unwrap_or_default();
            let message = format!("interrupted: nothing was heard of it within its lease of {lease:?}");
            InferredEnd {
                error: ErrorInfo::new(ErrorKind::Interrupted, message),
                ended_at: execution.deadline_at,
                due_at: Some(execution.deadline_at),
            }
        })?;
        Ok(())
    }

    /// Ends what processes that died have left behind, and forgets them.
    fn end_interrupted(&self, done: &mut Housekept) -> Result<(), TrackerError> {
        for instance in self.store.instances().list_dead()? {
            if instance == self.instance {
                continue;
            }
            loop {
                let left = self.store.executions().list_pending(instance, AT_ONCE)?;
                if left.is_empty() {
                    break;
                }
                done.interrupted += self.infer_errors(&left, |execution| InferredEnd {
                    error: ErrorInfo::new(
                        ErrorKind::Interrupted,
                        "interrupted: the process that ran it died",
                    ),
                    // By then it would have been over, however late somebody looks.
                    ended_at: self.clock.now().min(execution.deadline_at),
                    due_at: None,
                })?;
            }
            self.store.instances().forget(instance)?;
        }
        Ok(())
    }

    /// Ends what no handle of this process holds any more although it is pending: its end could not be written.
    fn end_left_behind(&self, done: &mut Housekept) -> Result<(), TrackerError> {
        let running = u32::try_from(self.running.count()).unwrap_or(u32::MAX);
        let pending = self.store.executions().list_pending(self.instance, running.saturating_add(AT_ONCE))?;
        let left: Vec<_> = pending.into_iter().filter(|left| !self.running.contains(left.id)).collect();
        // Of one whose end is on its way just now, that comes first, and this one is void.
        done.interrupted += self.infer_errors(&left, |execution| InferredEnd {
            error: ErrorInfo::new(ErrorKind::Interrupted, "interrupted: how it ended could not be recorded"),
            ended_at: self.clock.now().min(execution.deadline_at),
            due_at: None,
        })?;
        Ok(())
    }

    /// Ends executions by conclusion, all in as few commits as they fit, and tells how many had not ended by
    /// themselves meanwhile.
    fn infer_errors(
        &self,
        executions: &[PendingExecution],
        how: impl Fn(&PendingExecution) -> InferredEnd,
    ) -> Result<usize, TrackerError> {
        let now = self.clock.now();
        // The message is Flowtrail's own: whatever the flow's policy, there is nothing in it to hide.
        let capture = self.capture(CapturePolicy::Full);
        let mut submitted = Vec::with_capacity(executions.len());
        for execution in executions {
            let InferredEnd { error, ended_at, due_at } = how(execution);
            // Only calls that pass wait for answers, and nobody else closes their questions.
            let unanswered = match execution.source {
                Source::Proxy => self.unanswered(execution.id)?,
                _ => Vec::new(),
            };
            let ending = Ending { ended_at: Some(ended_at), ..Ending::now(Outcome::Error(error)) };
            let end = NewEnd { due_at, ..new_end(&capture, Told::Inferred, ending, now, unanswered) };
            let command = Command::End { execution: execution.id, end: Box::new(end) };
            submitted.push(self.recorder.submit(command, Patience::Refusable));
        }
        let mut ended = 0;
        for receiver in submitted {
            match receiver.recv() {
                Ok(Ok(_)) => ended += 1,
                Ok(Err(
                    TrackerError::AlreadyEnded { .. } | TrackerError::Changed | TrackerError::NotFound(_),
                )) => {}
                Ok(Err(error)) => return Err(error),
                Err(oneshot::RecvError) => return Err(TrackerError::Closed),
            }
        }
        Ok(ended)
    }
}

/// An end that is concluded.
struct InferredEnd {
    error: ErrorInfo,
    ended_at: OffsetDateTime,
    /// The deadline that has passed, if it ended for its silence.
    due_at: Option<OffsetDateTime>,
}

/// The thread that does it.
#[derive(Debug)]
pub(crate) struct Housekeeper {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Housekeeper {
    pub(crate) fn start(inner: Weak<Inner>, every: Duration) -> Result<Self, TrackerError> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let thread_stop = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("flowtrail-housekeeping".to_owned())
            .spawn(move || run(&inner, every, &thread_stop))
            .map_err(|error| StoreError::Internal {
                reason: "the housekeeping's thread cannot be started".to_owned(),
                source: Some(Box::new(error)),
            })?;
        Ok(Self { stop, thread: Mutex::new(Some(thread)) })
    }
}

impl Drop for Housekeeper {
    fn drop(&mut self) {
        let (stopped, wake) = &*self.stop;
        *stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        wake.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The last clone of a tracker may be dropped by the housekeeping itself; it cannot wait for itself.
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            threads::join(vec![thread], "the housekeeping", || 0);
        }
    }
}

fn run(inner: &Weak<Inner>, every: Duration, stop: &(Mutex<bool>, Condvar)) {
    let (stopped, wake) = stop;
    let look = every.min(LOOK);
    let mut round = 0u32;
    let mut round_began: Option<Instant> = None;
    loop {
        let wait = {
            let Some(inner) = inner.upgrade() else { return };
            let mut done = Housekept::default();
            // Nobody waits for what is written of them.
            drop(inner.give_up_overdue(&mut done));
            let mut result = inner.end_overdue(&mut done);
            if round_began.is_none_or(|began| began.elapsed() >= every) {
                round_began = Some(Instant::now());
                result = result.and_then(|()| inner.round(round, &mut done));
                round = round.wrapping_add(1);
            }
            match result {
                Ok(()) => {}
                Err(TrackerError::Closed) => return,
                Err(error) => log::warn!("housekeeping: {error}"),
            }
            if done.timed_out + done.interrupted > 0 {
                log::info!(
                    "ended {} timed out and {} interrupted executions",
                    done.timed_out,
                    done.interrupted
                );
            }
            let next = inner.running.next_deadline();
            next.map_or(look, |deadline| look.min(deadline.saturating_sub(inner.clock.monotonic())))
        };
        let guard = stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = wake.wait_timeout_while(guard, wait, |stopped| !*stopped);
        if *waited.unwrap_or_else(PoisonError::into_inner).0 {
            return;
        }
    }
}

impl Inner {
    /// Makes this process known to the store, when that could not be done at its start because the disk was full.
    fn register(&self) -> Result<(), StoreError> {
        if !self.is_registered.load(Ordering::Relaxed) {
            self.store.instances().register(self.instance, self.clock.now())?;
            self.is_registered.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn round(&self, round: u32, done: &mut Housekept) -> Result<(), TrackerError> {
        let is_slow = round.is_multiple_of(SLOW_ROUNDS);
        self.look_for_foreign_changes(done, is_slow)?;
        if is_slow {
            self.register()?;
            self.end_interrupted(done)?;
        }
        if round.wrapping_add(1).is_multiple_of(LEFT_ROUNDS) {
            self.end_left_behind(done)?;
        }
        Ok(())
    }
}
