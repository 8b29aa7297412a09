//! The thread that writes batches.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flowtrail_store::fold::Outcomes;
use flowtrail_store::{Command, Store, StoreError};

use super::Patience;
use super::answers::{Answers, Written, panicked};
use super::queue::{Queue, Shared, Waiter, WriterIs};
use crate::TrackerError;
use crate::upkeep::make_room;

/// How long the writer waits before it tries again when the database is locked or away.
const RETRY: Duration = Duration::from_millis(50);

/// Interval of the log's lines about waiting.
const TELLING: Duration = Duration::from_secs(1);

/// How long a command that nobody waits for may stay, so that it shares its commit with what comes next. A crash
/// costs at most the nodes of so long.
const LINGER: Duration = Duration::from_millis(20);

/// How many are waited for in a batch when there is much to do. Then the next one waits for as many, for a moment at most: what a
/// commit costs by itself is shared by more, and those who wait are answered sooner for it.
const BUSY: usize = 8;
/// How long that moment is. A commit with its flush takes about as long.
const GATHERING: Duration = Duration::from_micros(500);

/// The thread that writes.
pub(super) struct Writer {
    pub(super) store: Arc<dyn Store>,
    pub(super) shared: Arc<Shared>,
    pub(super) max_disk: Option<u64>,
    pub(super) answers: Arc<Answers>,
    pub(super) to_flusher: SyncSender<Written>,
}

impl Writer {
    pub(super) fn run(self) {
        let mut last = 0;
        while let Some((commands, waiters)) = self.next_batch(last) {
            last = waiters.iter().filter(|waiter| waiter.is_urgent()).count();
            self.write(commands, waiters);
        }
    }

    /// Whatever is waiting, oldest first, up to the bounds of a batch. In the one before so many were waited for. None
    /// when closed and empty.
    fn next_batch(&self, last: usize) -> Option<(Vec<Command>, Vec<Waiter>)> {
        let limits = &self.shared.limits;
        let mut queue = self.shared.lock();
        let mut gathers = last >= BUSY;
        loop {
            let Some((_, oldest)) = queue.waiting.front() else {
                if queue.closed {
                    return None;
                }
                queue = self.sleep(queue, WriterIs::Idle, None);
                continue;
            };
            let linger = LINGER.saturating_sub(oldest.queued_at.elapsed());
            if gathers && (1..last).contains(&queue.urgent) && !queue.closed {
                gathers = false;
                queue = self.sleep(queue, WriterIs::Gathering(last), Some(GATHERING));
                continue;
            }
            if queue.urgent > 0 || queue.closed || linger.is_zero() {
                break;
            }
            queue = self.sleep(queue, WriterIs::Lingering, Some(linger));
        }
        let mut bytes = 0;
        let mut count = 0;
        let mut urgent = 0;
        for (_, waiter) in queue.waiting.iter().take(limits.max_batch) {
            if count > 0 && bytes + waiter.bytes > limits.max_batch_bytes {
                break;
            }
            bytes += waiter.bytes;
            count += 1;
            urgent += usize::from(waiter.is_urgent());
        }
        queue.bytes -= bytes;
        queue.urgent -= urgent;
        Some(queue.waiting.drain(..count).unzip())
    }

    /// Sleeps until it is woken, or for so long.
    fn sleep<'a>(
        &self,
        mut queue: MutexGuard<'a, Queue>,
        until: WriterIs,
        longest: Option<Duration>,
    ) -> MutexGuard<'a, Queue> {
        queue.writer = until;
        let filled = &self.shared.filled;
        let mut queue = match longest {
            Some(longest) => {
                let woken = filled.wait_timeout(queue, longest);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
            None => filled.wait(queue).unwrap_or_else(PoisonError::into_inner),
        };
        queue.writer = WriterIs::Awake;
        queue
    }

    /// Writes a batch, waiting while the database is locked or away. On an unexpected failure it is cut in half,
    /// so that what cannot be written costs only itself.
    fn write(&self, mut commands: Vec<Command>, mut waiters: Vec<Waiter>) {
        let mut last_error: Option<Arc<StoreError>> = None;
        let mut told: Option<Instant> = None;
        loop {
            (commands, waiters) = self.refuse_expired(commands, waiters, last_error.as_ref());
            if commands.is_empty() {
                return;
            }
            (commands, waiters) = sent_off(commands, waiters);
            if commands.is_empty() {
                return;
            }
            let begun = Instant::now();
            self.shared.lock().writing_since = Some(begun);
            let committed = self.commit(&commands);
            self.shared.lock().writing_since = None;
            let error = match committed.map_err(Arc::new) {
                Ok(outcomes) => {
                    self.answers.counters.wrote(&commands, &outcomes, begun.elapsed());
                    let executions = commands.iter().map(Command::execution).collect();
                    self.hand_over(Written { executions, waiters, outcomes });
                    self.shared.lock().batches += 1;
                    return;
                }
                Err(error) => error,
            };
            if !matches!(*error, StoreError::Unavailable { .. }) {
                // The database answered, and took nothing.
                waiters.iter().for_each(|waiter| waiter.promise.come_back());
            }
            last_error = Some(Arc::clone(&error));
            let is_full = error.is_of_disk();
            if is_full {
                // Who can report again is told at once; the ends of what runs here wait until there is room.
                (commands, waiters) = answer_where(commands, waiters, |waiter| {
                    (waiter.patience != Patience::Endless).then(|| TrackerError::Store(Arc::clone(&error)))
                });
            }
            if error.is_transient() || (is_full && !self.shared.lock().closed) {
                if !commands.is_empty() && told.is_none_or(|told| told.elapsed() >= TELLING) {
                    told = Some(Instant::now());
                    log::warn!("{} records wait: {error}", commands.len());
                }
                self.pause();
            } else if commands.len() <= 1 {
                log::error!("a record cannot be written: {error}");
                for waiter in waiters {
                    waiter.answer(Err(TrackerError::Store(Arc::clone(&error))));
                }
                return;
            } else {
                log::warn!("a batch of {} is cut in half: {error}", commands.len());
                let middle = commands.len() / 2;
                let second = (commands.split_off(middle), waiters.split_off(middle));
                self.write(commands, waiters);
                (commands, waiters) = second;
            }
        }
    }

    /// While others wait to be written, somebody else answers those that were.
    fn hand_over(&self, written: Written) {
        if self.shared.lock().urgent == 0 {
            self.answers.give(vec![written]);
        } else {
            // The other thread is there as long as this one.
            let _ = self.to_flusher.send(written);
        }
    }

    /// Gives a batch to the store. Should that panic, whoever waits is told, and the next batch is written.
    fn commit(&self, commands: &[Command]) -> Result<Outcomes, StoreError> {
        catch_unwind(AssertUnwindSafe(|| {
            if let Some(ceiling) = self.max_disk {
                // Here, where everything passes: nobody can write faster than room is made.
                let evicted = make_room(&*self.store, self.shared.clock.now(), ceiling)?;
                if evicted > 0 {
                    self.answers.counters.pruned(evicted);
                    log::info!("disk ceiling: {evicted} of the oldest executions were deleted");
                }
            }
            self.store.executions().commit_unflushed(commands)
        }))
        .unwrap_or_else(|_| Err(panicked()))
    }

    /// Answers those that have waited too long, with what they waited for, and gives back the others.
    fn refuse_expired(
        &self,
        commands: Vec<Command>,
        waiters: Vec<Waiter>,
        last_error: Option<&Arc<StoreError>>,
    ) -> (Vec<Command>, Vec<Waiter>) {
        let max_wait = self.shared.limits.max_wait;
        let closed = self.shared.lock().closed;
        // When the process ends, not even patience waits for a database that is away.
        let is_expired = |waiter: &Waiter| {
            (waiter.patience != Patience::Endless || closed) && waiter.queued_at.elapsed() > max_wait
        };
        if !waiters.iter().any(is_expired) {
            return (commands, waiters);
        }
        let reason = || match last_error {
            Some(error) if matches!(**error, StoreError::Unavailable { .. }) => {
                TrackerError::Store(Arc::clone(error))
            }
            _ => TrackerError::Busy,
        };
        answer_where(commands, waiters, |waiter| is_expired(waiter).then(reason))
    }

    fn pause(&self) {
        let queue = self.shared.lock();
        let no_longer_than_the_pause =
            self.shared.filled.wait_timeout_while(queue, RETRY, |queue| !queue.closed);
        drop(no_longer_than_the_pause);
    }
}

/// Notes that commands go to the database, and leaves those out who were told that theirs does not.
fn sent_off(commands: Vec<Command>, waiters: Vec<Waiter>) -> (Vec<Command>, Vec<Waiter>) {
    commands.into_iter().zip(waiters).filter(|(_, waiter)| waiter.promise.send_off()).unzip()
}

/// Answers those for whom there is an error, and gives back the others.
fn answer_where(
    commands: Vec<Command>,
    waiters: Vec<Waiter>,
    refused: impl Fn(&Waiter) -> Option<TrackerError>,
) -> (Vec<Command>, Vec<Waiter>) {
    let mut kept = (Vec::new(), Vec::new());
    for (command, waiter) in commands.into_iter().zip(waiters) {
        match refused(&waiter) {
            Some(error) => waiter.answer(Err(error)),
            None => {
                kept.0.push(command);
                kept.1.push(waiter);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use flowtrail_types::ExecutionId;

    use super::super::promise::Promise;
    use super::*;

    #[test]
    fn each_command_that_goes_to_the_database_is_noted() {
        let (mut commands, mut waiters, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..3 {
            let (sender, answer) = oneshot::channel();
            let execution = ExecutionId::from_uuid(uuid::Uuid::from_u128(number));
            commands.push(Command::RequestCancel { execution, at: time::OffsetDateTime::UNIX_EPOCH });
            let promise = Arc::new(Promise::new(Some(execution), sender));
            let patience = Patience::Refusable;
            waiters.push(Waiter { bytes: 0, queued_at: Instant::now(), patience, promise });
            answers.push(answer);
        }
        // The first was answered as busy meanwhile, so it must not be written; those behind it are.
        waiters[0].promise.expire();
        let (commands, waiters) = sent_off(commands, waiters);
        assert_eq!((commands.len(), waiters.len()), (2, 2));
        waiters.iter().for_each(|waiter| waiter.promise.expire());
        let told: Vec<_> = answers.into_iter().map(|answer| answer.recv().unwrap()).collect();
        assert!(matches!(told[0], Err(TrackerError::Busy)), "{told:?}");
        assert!(told[1..].iter().all(|told| matches!(told, Err(TrackerError::Unknown { .. }))), "{told:?}");
    }
}
