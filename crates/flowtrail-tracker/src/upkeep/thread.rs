//! The thread that does the upkeep, and how it leaves time to those who record.

use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flowtrail_store::{Job, StoreError};

use super::{GIVEN_BACK_AT_ONCE, KEPT_FREE, Kept};
use crate::changes::Changed;
use crate::tracker::Inner;
use crate::{TrackerError, threads};

/// What the upkeep's thread is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Signal {
    /// Nothing.
    #[default]
    Quiet,
    /// There is something to do.
    Wanted,
    /// The tracker is gone.
    Stopped,
}

pub(crate) type UpkeepSignal = Arc<(Mutex<Signal>, Condvar)>;

/// The thread that does it.
#[derive(Debug)]
pub(crate) struct UpkeepThread {
    signal: UpkeepSignal,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How long upkeep waits when there is nothing to do.
const IDLE: Duration = Duration::from_millis(500);
/// How much longer than a step the pause after it is while executions are recorded.
const PAUSE: f64 = 4.0;
/// How long a step should take that deletes rows, since those who record wait for it. What one costs depends on the
/// database: the rows of one flow lie scattered among all others', those of all flows side by side.
const STEP: Duration = Duration::from_millis(35);

/// How often retention rules are looked at.
const RETENTION_EVERY: Duration = Duration::from_secs(60);

impl UpkeepThread {
    pub(crate) fn start(inner: Weak<Inner>, signal: UpkeepSignal) -> Result<Self, TrackerError> {
        let thread_signal = Arc::clone(&signal);
        let thread = std::thread::Builder::new()
            .name("flowtrail-upkeep".to_owned())
            .spawn(move || run(&inner, &thread_signal))
            .map_err(|error| StoreError::Internal {
                reason: "the upkeep's thread cannot be started".to_owned(),
                source: Some(Box::new(error)),
            })?;
        Ok(Self { signal, thread: Mutex::new(Some(thread)) })
    }
}

impl Drop for UpkeepThread {
    fn drop(&mut self) {
        let (signal, wake) = &*self.signal;
        *signal.lock().unwrap_or_else(PoisonError::into_inner) = Signal::Stopped;
        wake.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            threads::join(vec![thread], "the upkeep", || 0);
        }
    }
}

fn run(inner: &Weak<Inner>, signal: &(Mutex<Signal>, Condvar)) {
    let (mut untold, mut told_at) = (0, None::<Instant>);
    let mut retention_at: Option<Instant> = None;
    let mut pause = Duration::from_millis(200);
    let mut seen = 0;
    let mut quiet_since: Option<Instant> = None;
    let mut rows = Rows::default();
    loop {
        let (state, wake) = signal;
        {
            let state = state.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = wake.wait_timeout_while(state, pause, |state| *state == Signal::Quiet);
            let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if *state == Signal::Stopped {
                return;
            }
            *state = Signal::Quiet;
        }
        let Some(inner) = inner.upgrade() else { return };
        let is_retention_due = retention_at.is_none_or(|at| at.elapsed() >= RETENTION_EVERY);
        let begun = Instant::now();
        let is_quiet = quiet_since.is_some_and(|since| since.elapsed() >= QUIET);
        match inner.one_round(is_retention_due, is_quiet, &mut rows) {
            Ok(Some(kept)) => {
                if is_retention_due {
                    retention_at = Some(Instant::now());
                }
                report(kept);
                untold += kept.pruned + kept.evicted;
                inner.counters.pruned(kept.pruned + kept.evicted);
                // What goes by rules is old: who watches need not hear of each piece.
                if untold > 0 && told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                    inner.deleted(Changed::Missed);
                    untold = 0;
                    told_at = Some(Instant::now());
                }
                let submitted = inner.recorder.submitted();
                if submitted == seen && kept.is_at_rest() {
                    quiet_since.get_or_insert_with(Instant::now);
                } else {
                    quiet_since = None;
                }
                pause = match (kept.is_idle(), submitted == seen) {
                    (true, _) => IDLE,
                    // Nobody records: nobody waits.
                    (false, true) => Duration::ZERO,
                    // Those who record get most of the time: their batches wait for a lock that does not stand in line.
                    (false, false) => begun.elapsed().mul_f64(PAUSE),
                };
                seen = submitted;
            }
            Ok(None) => pause = Duration::from_secs(1),
            Err(TrackerError::Closed) => return,
            Err(error) => {
                log::warn!("upkeep: {error}");
                pause = Duration::from_secs(1);
            }
        }
    }
}

/// How many executions' rows the next step deletes: the more, the less often the same pages of the indexes are written;
/// the fewer, the shorter is the wait of those who record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rows(u32);

impl Default for Rows {
    fn default() -> Self {
        Self(250)
    }
}

impl Rows {
    const FEWEST: u32 = 100;
    const MOST: u32 = 2_000;

    /// As many as would have taken as long as a step should, no more than twice as many as before and no fewer than half:
    /// one step may have met a slow disk.
    fn after(self, took: Duration) -> Self {
        let wanted = f64::from(self.0) * STEP.as_secs_f64() / took.as_secs_f64().max(1e-6);
        let (fewest, most) = (self.0 / 2, self.0 * 2);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is bounded next")]
        let wanted = wanted.min(f64::from(u32::MAX)) as u32;
        Self(wanted.clamp(fewest, most).clamp(Self::FEWEST, Self::MOST))
    }
}

impl Inner {
    /// One step of each kind of work; None when another process does it.
    fn one_round(
        &self,
        is_retention_due: bool,
        is_quiet: bool,
        rows: &mut Rows,
    ) -> Result<Option<Kept>, TrackerError> {
        if !self.store.upkeep().lead(Job::Upkeep)? {
            return Ok(None);
        }
        let mut kept = Kept::default();
        self.stay_below_ceiling(&mut kept)?;
        if is_retention_due {
            self.apply_retention(&mut kept)?;
        }
        let begun = Instant::now();
        let step = self.store.executions().continue_prune(rows.0)?;
        *rows = if step.is_done { Rows::default() } else { rows.after(begun.elapsed()) };
        kept.deleted += step.deleted;
        kept.is_pruning = !step.is_done;
        if !kept.is_pruning {
            self.pack(&mut kept)?;
            // What comes next may want the space that is free; when nothing comes, it is of no use.
            self.give_back_a_little(&mut kept, if is_quiet { 0 } else { KEPT_FREE })?;
            if is_quiet {
                kept.given_back += self.store.upkeep().settle()?;
            }
        }
        Ok(Some(kept))
    }

    fn give_back_a_little(&self, kept: &mut Kept, keep_free: u64) -> Result<(), StoreError> {
        let upkeep = self.store.upkeep();
        let free = upkeep.bytes_to_give_back()?;
        if free > keep_free {
            kept.given_back += upkeep.give_back(GIVEN_BACK_AT_ONCE.min(free - keep_free))?;
        }
        Ok(())
    }
}

/// How long nobody may have recorded before all free space is given back, and that of the log.
const QUIET: Duration = Duration::from_secs(2);
/// How often, at most, those who watch are told that retention has deleted something.
const TELL_EVERY: Duration = Duration::from_secs(60);

fn report(kept: Kept) {
    if kept.pruned > 0 {
        log::info!("retention: {} executions were deleted", kept.pruned);
    }
    if kept.evicted > 0 {
        log::info!("disk ceiling: {} of the oldest executions were deleted", kept.evicted);
    }
    if kept.deleted + kept.packed > 0 {
        log::debug!("upkeep: {} rows deleted, {} packed", kept.deleted, kept.packed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_grows_while_it_is_quick_and_shrinks_when_it_is_slow() {
        let quick = Rows::default().after(STEP / 10);
        assert_eq!(quick, Rows(500), "no more than twice as many");
        assert_eq!(quick.after(Duration::ZERO).after(Duration::ZERO).after(Duration::ZERO), Rows(Rows::MOST));
        assert_eq!(Rows(1_000).after(STEP * 100), Rows(500), "no fewer than half");
        assert_eq!(Rows(150).after(STEP * 100), Rows(Rows::FEWEST));
        assert_eq!(Rows(600).after(STEP), Rows(600));
    }
}
