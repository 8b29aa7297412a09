//! The recorder: a bounded queue, and one thread that writes whatever is waiting in one transaction.
//!
//! Throughput comes from sharing the commit, not from skipping it: while one batch is being written the next
//! one gathers, and each waiter is answered when its own batch is durable.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flowtrail_store::fold::Outcomes;
use flowtrail_store::{Applied, Command, NewEnd, NewNode, Refusal, Store, StoreError};
use flowtrail_types::{Clock, ExecutionId};
use tokio::sync::broadcast;

use crate::TrackerError;
use crate::ack::Reply;
use crate::changes::Changed;
use crate::upkeep::make_room;

/// How much may wait to be written, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecorderLimits {
    /// How many commands may wait. What comes when they do is refused as busy.
    pub max_waiting: usize,
    /// How many bytes of payload may wait.
    pub max_waiting_bytes: usize,
    /// How long a command may wait before it is refused as busy.
    pub max_wait: Duration,
    /// How many commands are written in one transaction.
    pub max_batch: usize,
    /// How many bytes of payload are written in one transaction.
    pub max_batch_bytes: usize,
}

impl Default for RecorderLimits {
    fn default() -> Self {
        Self {
            max_waiting: 16_384,
            max_waiting_bytes: 64 << 20,
            max_wait: Duration::from_secs(10),
            max_batch: 512,
            max_batch_bytes: 8 << 20,
        }
    }
}

/// How long the writer waits before it tries again when the database is locked or away.
const RETRY: Duration = Duration::from_millis(50);

/// How long a command that nobody waits for may stay, so that it shares its commit with what comes next. A crash
/// costs at most the nodes of so long.
const LINGER: Duration = Duration::from_millis(20);

/// How a command waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Somebody waits for it. It may be refused because too much is waiting: then they are told, and can try again.
    Refusable,
    /// Nobody waits for it. It may be refused as well, and need not be written at once.
    Lazy,
    /// It may not. For the ends of executions that run here: there are no more of them than there are running
    /// executions, and nobody could report them again.
    Endless,
}

/// Who waits for a command, and since when.
#[derive(Debug)]
struct Waiter {
    bytes: usize,
    queued_at: Instant,
    patience: Patience,
    reply: oneshot::Sender<Reply>,
}

impl Waiter {
    fn answer(self, reply: Reply) {
        // Whoever waited may be gone; what they sent is written all the same.
        let _ = self.reply.send(reply);
    }
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(Command, Waiter)>,
    bytes: usize,
    /// How many of those that wait are waited for.
    urgent: usize,
    closed: bool,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    limits: RecorderLimits,
    clock: Arc<dyn Clock>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one road by which executions are written.
#[derive(Debug)]
pub(crate) struct Recorder {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Recorder {
    /// Starts the writer.
    pub(crate) fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        limits: RecorderLimits,
        max_disk: Option<u64>,
        changes: broadcast::Sender<Changed>,
    ) -> Result<Self, TrackerError> {
        let shared = Arc::new(Shared { queue: Mutex::default(), filled: Condvar::new(), limits, clock });
        let writer = Writer { changes, store, shared: Arc::clone(&shared), max_disk };
        let thread = std::thread::Builder::new()
            .name("flowtrail-recorder".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::Internal {
                reason: "the recorder's thread cannot be started".to_owned(),
                source: Some(Box::new(error)),
            })?;
        Ok(Self { shared, writer: Mutex::new(Some(thread)) })
    }

    /// Hands over a command. Never blocks; the answer comes when the command is durable, or refused.
    pub(crate) fn submit(&self, mut command: Command, patience: Patience) -> oneshot::Receiver<Reply> {
        let (sender, receiver) = oneshot::channel();
        let bytes = weight(&command);
        let limits = &self.shared.limits;
        let mut queue = self.shared.lock();
        // Under the lock: the order of the stamps is that of the queue, which anchors rely on.
        command.stamp(self.shared.clock.now());
        let waiter = Waiter { bytes, queued_at: Instant::now(), patience, reply: sender };
        let is_full =
            queue.waiting.len() >= limits.max_waiting || queue.bytes + bytes > limits.max_waiting_bytes;
        if queue.closed {
            waiter.answer(Err(TrackerError::Closed));
        } else if is_full && patience != Patience::Endless && !queue.waiting.is_empty() {
            waiter.answer(Err(TrackerError::Busy));
        } else {
            queue.bytes += bytes;
            queue.urgent += usize::from(patience != Patience::Lazy);
            queue.waiting.push_back((command, waiter));
            // The writer is woken for the first of a batch, and for what is waited for.
            let wakes = patience != Patience::Lazy || queue.waiting.len() == 1;
            drop(queue);
            if wakes {
                self.shared.filled.notify_one();
            }
        }
        receiver
    }

    /// Whether a command that came now would be refused as busy.
    pub(crate) fn is_full(&self) -> bool {
        let queue = self.shared.lock();
        let limits = &self.shared.limits;
        queue.waiting.len() >= limits.max_waiting || queue.bytes >= limits.max_waiting_bytes
    }

    /// Writes what is waiting, refuses what comes later, and returns when all is on disk.
    pub(crate) fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.filled.notify_all();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer
            && writer.join().is_err()
        {
            log::error!("the recorder's thread panicked");
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.close();
    }
}

struct Writer {
    changes: broadcast::Sender<Changed>,
    store: Arc<dyn Store>,
    shared: Arc<Shared>,
    max_disk: Option<u64>,
}

impl Writer {
    fn run(self) {
        while let Some((commands, waiters)) = self.next_batch() {
            self.write(commands, waiters);
        }
    }

    /// Whatever is waiting, oldest first, up to the bounds of a batch. None when closed and empty.
    fn next_batch(&self) -> Option<(Vec<Command>, Vec<Waiter>)> {
        let mut queue = self.shared.lock();
        loop {
            let Some((_, oldest)) = queue.waiting.front() else {
                if queue.closed {
                    return None;
                }
                queue = self.shared.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let linger = LINGER.saturating_sub(oldest.queued_at.elapsed());
            if queue.urgent > 0 || queue.closed || linger.is_zero() {
                break;
            }
            let woken = self.shared.filled.wait_timeout(queue, linger);
            queue = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        let limits = &self.shared.limits;
        let mut bytes = 0;
        let mut count = 0;
        let mut urgent = 0;
        for (_, waiter) in queue.waiting.iter().take(limits.max_batch) {
            if count > 0 && bytes + waiter.bytes > limits.max_batch_bytes {
                break;
            }
            bytes += waiter.bytes;
            count += 1;
            urgent += usize::from(waiter.patience != Patience::Lazy);
        }
        queue.bytes -= bytes;
        queue.urgent -= urgent;
        Some(queue.waiting.drain(..count).unzip())
    }

    /// Writes a batch, waiting while the database is locked or away. On an unexpected failure it is cut in half,
    /// so that what cannot be written costs only itself.
    fn write(&self, mut commands: Vec<Command>, mut waiters: Vec<Waiter>) {
        let mut last_error: Option<Arc<StoreError>> = None;
        loop {
            (commands, waiters) = self.refuse_expired(commands, waiters, last_error.as_ref());
            if commands.is_empty() {
                return;
            }
            let error = match self.commit(&commands).map_err(Arc::new) {
                Ok(outcomes) => {
                    self.tell(&commands, &outcomes);
                    for (waiter, outcome) in waiters.into_iter().zip(outcomes) {
                        waiter.answer(outcome.map_err(TrackerError::from));
                    }
                    return;
                }
                Err(error) => error,
            };
            last_error = Some(Arc::clone(&error));
            let is_full = matches!(*error, StoreError::NotWritable { .. });
            if is_full {
                // Who can report again is told at once; the ends of what runs here wait until there is room.
                (commands, waiters) = answer_where(commands, waiters, |waiter| {
                    (waiter.patience != Patience::Endless).then(|| TrackerError::Store(Arc::clone(&error)))
                });
            }
            if error.is_transient() || (is_full && !self.shared.lock().closed) {
                log::warn!("{} records wait: {error}", commands.len());
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

    /// Tells those who watch what has been written.
    fn tell(&self, commands: &[Command], outcomes: &Outcomes) {
        if self.changes.receiver_count() == 0 {
            return;
        }
        let is_written =
            |outcome: &Result<Applied, Refusal>| matches!(outcome, Ok(Applied::Written | Applied::Corrected));
        let mut ids: Vec<ExecutionId> = commands
            .iter()
            .zip(outcomes)
            .filter(|(_, outcome)| is_written(outcome))
            .map(|(command, _)| command.execution())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        if !ids.is_empty() {
            // Whoever watched may have gone meanwhile.
            let _ = self.changes.send(Changed::Executions(ids.into()));
        }
    }

    /// Gives a batch to the store. Should that panic, whoever waits is told, and the next batch is written.
    fn commit(&self, commands: &[Command]) -> Result<Outcomes, StoreError> {
        catch_unwind(AssertUnwindSafe(|| {
            if let Some(ceiling) = self.max_disk {
                // Here, where everything passes: nobody can write faster than room is made.
                let evicted = make_room(&*self.store, ceiling)?;
                if evicted > 0 {
                    log::info!("disk ceiling: {evicted} of the oldest executions were deleted");
                }
            }
            self.store.executions().commit(commands)
        }))
        .unwrap_or_else(|_| {
            Err(StoreError::Internal { reason: "the store panicked".to_owned(), source: None })
        })
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

/// Roughly how many bytes a command keeps in memory.
fn weight(command: &Command) -> usize {
    const ROW: usize = 512;
    let size = |payload: &Option<flowtrail_types::Payload>| payload.as_ref().map_or(0, |p| p.size());
    let of_nodes = |nodes: &[NewNode]| -> usize {
        let text = |node: &NewNode| node.error.as_ref().map_or(0, String::len);
        nodes.iter().map(|node| ROW + size(&node.input) + size(&node.output) + text(node)).sum()
    };
    let of_end = |end: &NewEnd| {
        let message = end.outcome.error().map_or(0, |error| error.message.len());
        size(&end.outputs) + message + of_nodes(&end.running)
    };
    ROW + match command {
        Command::Start(start) => size(&start.params) + size(&start.meta),
        Command::Append { nodes, .. } => of_nodes(nodes),
        Command::End { end, .. } => of_end(end),
        Command::Record { packed, .. } => packed.size(),
        Command::RequestCancel { .. } => 0,
    }
}
