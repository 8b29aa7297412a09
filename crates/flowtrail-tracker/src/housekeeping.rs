//! What has to be looked after: executions that time out, processes that die, wishes to cancel, changed flows.

use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use flowtrail_store::{Command, StoreError};
use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{CapturePolicy, ErrorInfo, ErrorKind, ExecutionId};

use crate::changes::Changed;
use crate::handle::new_end;
use crate::recorder::Patience;
use crate::tracker::Inner;
use crate::{Ending, Tracker, TrackerError};

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

/// Who runs an execution ends it when its time is over, with the nodes that were running, which nobody else knows.
/// Only when that has not happened for this long it is ended from outside.
const GRACE: Duration = Duration::from_secs(5);

/// Dead processes and timeouts are looked for once in so many rounds.
const SLOW_ROUNDS: u32 = 5;

impl Tracker {
    /// Does one whole round of housekeeping now. Blocks.
    ///
    /// # Errors
    ///
    /// When the store does not answer; what was done until then stays done.
    pub fn housekeep(&self) -> Result<Housekept, TrackerError> {
        let mut done = Housekept::default();
        self.inner.look_for_foreign_changes(&mut done, true)?;
        self.inner.end_overdue(&mut done)?;
        self.inner.end_interrupted(&mut done)?;
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

    /// Ends executions of which nothing was heard in time, and a little longer: who runs one ends it better.
    fn end_overdue(&self, done: &mut Housekept) -> Result<(), TrackerError> {
        let overdue =
            self.store.executions().list_overdue(self.instance, self.clock.now() - GRACE, AT_ONCE)?;
        overdue.iter().for_each(|id| self.running.cancel(*id));
        let executions = self.store.executions();
        let mut timed_out = Vec::new();
        for id in overdue {
            match executions.lookup_summary(id)?.and_then(|execution| execution.lease) {
                None => timed_out.push(id),
                Some(lease) => {
                    let message =
                        format!("interrupted: nothing was heard of it within its lease of {lease:?}");
                    let error = ErrorInfo::new(ErrorKind::Interrupted, message);
                    done.interrupted += self.infer_errors(&[id], &error)?;
                }
            }
        }
        let error = ErrorInfo::new(ErrorKind::Timeout, "nothing was heard of it in time");
        done.timed_out += self.infer_errors(&timed_out, &error)?;
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
                let error =
                    ErrorInfo::new(ErrorKind::Interrupted, "interrupted: the process that ran it died");
                done.interrupted += self.infer_errors(&left, &error)?;
            }
            self.store.instances().forget(instance)?;
        }
        Ok(())
    }

    /// Ends executions by conclusion, all in as few commits as they fit, and tells how many had not ended by
    /// themselves meanwhile.
    fn infer_errors(&self, ids: &[ExecutionId], error: &ErrorInfo) -> Result<usize, TrackerError> {
        let now = self.clock.now();
        // The message is Flowtrail's own: whatever the flow's policy, there is nothing in it to hide.
        let capture = self.capture(CapturePolicy::Full);
        let submitted: Vec<_> = ids
            .iter()
            .map(|id| {
                let outcome = Outcome::Error(error.clone());
                let end = new_end(&capture, Told::Inferred, Ending::now(outcome), now, Vec::new());
                let command = Command::End { execution: *id, end: Box::new(end) };
                self.recorder.submit(command, Patience::Refusable)
            })
            .collect();
        let mut ended = 0;
        for receiver in submitted {
            match receiver.recv() {
                Ok(Ok(_)) => ended += 1,
                Ok(Err(TrackerError::AlreadyEnded { .. } | TrackerError::NotFound(_))) => {}
                Ok(Err(error)) => return Err(error),
                Err(oneshot::RecvError) => return Err(TrackerError::Closed),
            }
        }
        Ok(ended)
    }
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
            && thread.join().is_err()
        {
            log::error!("the housekeeping's thread panicked");
        }
    }
}

fn run(inner: &Weak<Inner>, every: Duration, stop: &(Mutex<bool>, Condvar)) {
    let (stopped, wake) = stop;
    for round in 0u32.. {
        {
            let Some(inner) = inner.upgrade() else { return };
            let mut done = Housekept::default();
            let is_slow = round.is_multiple_of(SLOW_ROUNDS);
            let mut result = inner.look_for_foreign_changes(&mut done, is_slow).map_err(TrackerError::from);
            if is_slow {
                result = result
                    .and_then(|()| inner.end_overdue(&mut done))
                    .and_then(|()| inner.end_interrupted(&mut done));
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
        }
        let guard = stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = wake.wait_timeout_while(guard, every, |stopped| !*stopped);
        if *waited.unwrap_or_else(PoisonError::into_inner).0 {
            return;
        }
    }
}
