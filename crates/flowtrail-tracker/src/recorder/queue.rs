//! What waits to be written.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use flowtrail_store::Command;
use flowtrail_types::Clock;
use time::OffsetDateTime;

use super::promise::Promise;
use super::{Patience, RecorderLimits};
use crate::ack::Reply;

/// Who waits for a command, and since when.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) bytes: usize,
    pub(super) queued_at: Instant,
    pub(super) patience: Patience,
    pub(super) promise: Arc<Promise>,
}

impl Waiter {
    pub(super) fn answer(self, reply: Reply) {
        self.promise.answer(reply);
    }

    /// True when somebody waits for it.
    pub(super) fn is_urgent(&self) -> bool {
        self.patience != Patience::Lazy
    }
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) waiting: VecDeque<(Command, Waiter)>,
    pub(super) bytes: usize,
    /// How many of those that wait are waited for.
    pub(super) urgent: usize,
    pub(super) closed: bool,
    /// How many commands have come so far.
    pub(super) submitted: u64,
    pub(super) writer: WriterIs,
    /// Promised answers and their times, the oldest first. Some may be given already.
    pub(super) promised: VecDeque<(Instant, Arc<Promise>)>,
    /// When the batch that is being written went to the store.
    pub(super) writing_since: Option<Instant>,
    /// Number of batches that were written.
    pub(super) batches: u64,
    /// The stamp of the newest command.
    stamped_at: Option<OffsetDateTime>,
}

/// What the writer does, by which a caller knows whether to wake it: to wake a thread costs more than to queue a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum WriterIs {
    /// It will look at the queue by itself.
    #[default]
    Awake,
    /// It sleeps until anything comes.
    Idle,
    /// It sleeps until something comes that is waited for.
    Lingering,
    /// It sleeps for a moment, unless so many come before that are waited for.
    Gathering(usize),
}

impl Queue {
    /// The time of a new command, after that of the one before: anchors rely on it. A clock that was set back by more than
    /// a moment is believed.
    pub(super) fn stamp(&mut self, now: OffsetDateTime) -> OffsetDateTime {
        const MOMENT: time::Duration = time::Duration::seconds(1);
        let stamp = match self.stamped_at {
            Some(last) if now <= last && last - now < MOMENT => last + time::Duration::MICROSECOND,
            _ => now,
        };
        self.stamped_at = Some(stamp);
        stamp
    }

    /// Whether what has just come is what the writer sleeps for. Whoever is told so wakes it.
    pub(super) fn takes_writer_up(&mut self) -> bool {
        let wakes = match self.writer {
            WriterIs::Awake => false,
            WriterIs::Idle => true,
            WriterIs::Lingering => self.urgent > 0,
            WriterIs::Gathering(count) => self.urgent >= count,
        };
        if wakes {
            self.writer = WriterIs::Awake;
        }
        wakes
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) queue: Mutex<Queue>,
    pub(super) filled: Condvar,
    /// Told when the queue is closed.
    pub(super) closing: Condvar,
    pub(super) limits: RecorderLimits,
    pub(super) clock: Arc<dyn Clock>,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
