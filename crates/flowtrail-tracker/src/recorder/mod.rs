//! The recorder: a bounded [`queue`], a thread that writes whatever is waiting in one transaction ([`writer`]), and
//! [`answers`] to those who wait, when the disk has what was written.
//!
//! Throughput comes from sharing the commit, not from skipping it: while one batch is being written the next
//! one gathers, while it is being flushed the next one is written, and each waiter is answered when its own batch is
//! durable.

mod answers;
mod promise;
mod queue;
mod watch;
mod writer;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flowtrail_store::{Command, NewEnd, NewNode, Store, StoreError};
use flowtrail_types::Clock;
use time::OffsetDateTime;
use tokio::sync::broadcast;

use self::answers::Answers;
use self::promise::Promise;
use self::queue::{Shared, Waiter};
use self::writer::Writer;
use crate::ack::Reply;
use crate::changes::Changed;
use crate::measures::Counters;
use crate::{TrackerError, threads};

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

/// The one road by which executions are written.
#[derive(Debug)]
pub(crate) struct Recorder {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// True when the threads did not end when they were told to.
    is_stuck: AtomicBool,
}

impl Recorder {
    /// Starts the writer.
    pub(crate) fn start(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        limits: RecorderLimits,
        max_disk: Option<u64>,
        changes: broadcast::Sender<Changed>,
        counters: Arc<Counters>,
    ) -> Result<Self, TrackerError> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            filled: Condvar::new(),
            closing: Condvar::new(),
            limits,
            clock,
        });
        // While one batch is being flushed, so many others may wait for it: one flush is enough for all of them.
        let (to_flusher, written) = std::sync::mpsc::sync_channel(2);
        let looked_at = Arc::clone(&store);
        let answers = Arc::new(Answers { changes, counters, store: Arc::clone(&store) });
        let writer = Writer {
            store,
            shared: Arc::clone(&shared),
            max_disk,
            answers: Arc::clone(&answers),
            to_flusher,
        };
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(|error| {
                StoreError::Internal {
                    reason: "the recorder's thread cannot be started".to_owned(),
                    source: Some(Box::new(error)),
                }
            })
        };
        // The flusher ends when the writer has.
        let flusher = spawn("flowtrail-flusher", Box::new(move || answers.give_all(&written)))?;
        let writer = spawn("flowtrail-recorder", Box::new(move || writer.run()))?;
        let watched = Arc::clone(&shared);
        let watch = spawn("flowtrail-waiting", Box::new(move || watch::run(&watched, &looked_at)))?;
        Ok(Self {
            shared,
            threads: Mutex::new(vec![writer, flusher, watch]),
            is_stuck: AtomicBool::new(false),
        })
    }

    /// Hands over a command. Never blocks; the answer comes when the command is durable, or refused.
    pub(crate) fn submit(&self, command: Command, patience: Patience) -> oneshot::Receiver<Reply> {
        self.submit_stamped(command, patience).0
    }

    /// The same, with the time that is recorded as that of the command.
    pub(crate) fn submit_stamped(
        &self,
        mut command: Command,
        patience: Patience,
    ) -> (oneshot::Receiver<Reply>, OffsetDateTime) {
        let (sender, receiver) = oneshot::channel();
        let bytes = weight(&command);
        let limits = &self.shared.limits;
        let mut queue = self.shared.lock();
        // Under the lock: the order of the stamps is that of the queue.
        let now = queue.stamp(self.shared.clock.now());
        command.stamp(now);
        let promise = Arc::new(Promise::new(command.execution(), sender));
        let queued_at = Instant::now();
        let waiter = Waiter { bytes, queued_at, patience, promise: Arc::clone(&promise) };
        let is_full =
            queue.waiting.len() >= limits.max_waiting || queue.bytes + bytes > limits.max_waiting_bytes;
        if queue.closed {
            waiter.answer(Err(TrackerError::Closed));
        } else if is_full && patience != Patience::Endless && !queue.waiting.is_empty() {
            waiter.answer(Err(TrackerError::Busy));
        } else {
            queue.submitted += 1;
            queue.bytes += bytes;
            queue.urgent += usize::from(patience != Patience::Lazy);
            queue.waiting.push_back((command, waiter));
            // Ends of what runs here are not given up, however long it takes.
            if patience != Patience::Endless {
                queue.promise(queued_at, promise);
            }
            let wakes = queue.takes_writer_up();
            drop(queue);
            if wakes {
                self.shared.filled.notify_one();
            }
        }
        (receiver, now)
    }

    /// How many commands wait, and the bytes of their payloads.
    pub(crate) fn waiting(&self) -> (u64, u64) {
        let queue = self.shared.lock();
        (queue.waiting.len() as u64, queue.bytes as u64)
    }

    /// Time for which the oldest promise has waited.
    pub(crate) fn oldest(&self) -> Option<Duration> {
        self.shared.lock().oldest()
    }

    /// How many commands have come so far.
    pub(crate) fn submitted(&self) -> u64 {
        self.shared.lock().submitted
    }

    /// Whether a command that came now would be refused as busy.
    pub(crate) fn is_full(&self) -> bool {
        let queue = self.shared.lock();
        let limits = &self.shared.limits;
        queue.waiting.len() >= limits.max_waiting || queue.bytes >= limits.max_waiting_bytes
    }

    /// Writes what is waiting, refuses what comes later, and returns when all is on disk: true. When the database does not
    /// answer, what waits is not written: false.
    pub(crate) fn close(&self) -> bool {
        self.shared.lock().closed = true;
        self.shared.filled.notify_all();
        self.shared.closing.notify_all();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        if !threads::join(threads, "the recorder", || self.shared.lock().batches) {
            self.is_stuck.store(true, Ordering::Relaxed);
        }
        !self.is_stuck.load(Ordering::Relaxed)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.close();
    }
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
        Command::HandOver { handover, .. } => of_nodes(&handover.nodes),
        Command::RequestCancel { .. } | Command::CountRejected { .. } => 0,
    }
}
