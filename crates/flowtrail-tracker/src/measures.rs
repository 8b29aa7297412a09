//! What the process has done since it began, for those who watch over it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flowtrail_store::fold::Outcomes;
use flowtrail_store::{Applied, Command, PoolState};
use flowtrail_types::{ExecutionStatus, Source};

use crate::Tracker;

/// Upper bounds of the sizes of batches.
const SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];
/// Upper bounds of times, in seconds.
const TIMES: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// A distribution that is only ever added to.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static [f64],
    /// One for each bound, and one for what lies above all of them.
    counts: Vec<AtomicU64>,
    /// The sum, in millionths.
    sum: AtomicU64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    fn add(&self, value: f64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number"
        )]
        self.sum.fetch_add((value * 1e6) as u64, Ordering::Relaxed);
    }

    #[expect(clippy::cast_precision_loss, reason = "a sum below 2^53")]
    fn read(&self) -> Distribution {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        Distribution { bounds: self.bounds, counts, sum: self.sum.load(Ordering::Relaxed) as f64 / 1e6 }
    }
}

/// A distribution as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// Upper bounds, each part of its bucket.
    pub bounds: &'static [f64],
    /// How many lie in each bucket; one more than there are bounds, the last for what lies above all of them.
    pub counts: Vec<u64>,
    /// What all of them add up to.
    pub sum: f64,
}

/// What is counted while it happens.
#[derive(Debug)]
pub(crate) struct Counters {
    batches: Histogram,
    commits: Histogram,
    flushes: Histogram,
    started: [AtomicU64; Source::ALL.len()],
    ended: [AtomicU64; ExecutionStatus::ALL.len()],
    rejected: AtomicU64,
    pruned: AtomicU64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            batches: Histogram::new(SIZES),
            commits: Histogram::new(TIMES),
            flushes: Histogram::new(TIMES),
            started: Default::default(),
            ended: Default::default(),
            rejected: AtomicU64::new(0),
            pruned: AtomicU64::new(0),
        }
    }
}

impl Counters {
    /// A batch was written, within this time.
    pub(crate) fn wrote(&self, commands: &[Command], outcomes: &Outcomes, took: Duration) {
        #[expect(clippy::cast_precision_loss, reason = "a batch has a few hundred commands")]
        self.batches.add(commands.len() as f64);
        self.commits.add(took.as_secs_f64());
        for (command, outcome) in commands.iter().zip(outcomes) {
            if *outcome != Ok(Applied::Written) {
                continue;
            }
            if is_rejected(command) {
                self.rejected.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            if let Command::Start(start) | Command::Record { start, .. } = command {
                count(&self.started, Source::ALL, start.source);
            }
            if let Command::End { end, .. } | Command::Record { end, .. } = command {
                count(&self.ended, ExecutionStatus::ALL, end.outcome.status());
            }
        }
    }

    /// The disk took what was written, within this time.
    pub(crate) fn flushed(&self, took: Duration) {
        self.flushes.add(took.as_secs_f64());
    }

    /// Retention or a prune took so many executions away.
    pub(crate) fn pruned(&self, count: u64) {
        self.pruned.fetch_add(count, Ordering::Relaxed);
    }
}

fn is_rejected(command: &Command) -> bool {
    match command {
        Command::CountRejected { .. } => true,
        Command::Record { start, .. } => start.is_rejected,
        _ => false,
    }
}

fn count<T: PartialEq>(counters: &[AtomicU64], all: &[T], one: T) {
    if let Some(place) = all.iter().position(|known| *known == one) {
        counters[place].fetch_add(1, Ordering::Relaxed);
    }
}

fn read<T: Copy>(counters: &[AtomicU64], all: &[T]) -> Vec<(T, u64)> {
    all.iter().copied().zip(counters.iter().map(|count| count.load(Ordering::Relaxed))).collect()
}

/// What the process has done since it began, and what it does now.
#[derive(Debug, Clone, PartialEq)]
pub struct Measures {
    /// How many commands wait to be written, and the bytes of their payloads.
    pub waiting: (u64, u64),
    /// How many executions run in this process.
    pub running: u64,
    /// How many listen to events.
    pub listeners: u64,
    /// How many commands shared a transaction.
    pub batches: Distribution,
    /// How long transactions took, in seconds.
    pub commits: Distribution,
    /// How long the disk took to have them, in seconds.
    pub flushes: Distribution,
    /// How many executions began, by who reported them.
    pub started: Vec<(Source, u64)>,
    /// How many ended, by how.
    pub ended: Vec<(ExecutionStatus, u64)>,
    /// How many calls were rejected before they ran; 0 unless that is recorded.
    pub rejected: u64,
    /// How many executions were taken away by retention rules and prunes.
    pub pruned: u64,
    /// The connections to the database for reading, if there are any.
    pub pool: Option<PoolState>,
}

impl Tracker {
    /// What the process has done since it began, and what it does now. Asks no database.
    #[must_use]
    pub fn measures(&self) -> Measures {
        let inner = &self.inner;
        let counters = &inner.counters;
        Measures {
            waiting: inner.recorder.waiting(),
            running: self.running() as u64,
            listeners: self.listeners() as u64,
            batches: counters.batches.read(),
            commits: counters.commits.read(),
            flushes: counters.flushes.read(),
            started: read(&counters.started, Source::ALL),
            ended: read(&counters.ended, ExecutionStatus::ALL),
            rejected: counters.rejected.load(Ordering::Relaxed),
            pruned: counters.pruned.load(Ordering::Relaxed),
            pool: inner.store.upkeep().pool(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lies_in_the_bucket_of_the_first_bound_that_is_not_below_it() {
        let histogram = Histogram::new(&[1.0, 2.0]);
        for value in [0.5, 1.0, 1.5, 2.0, 9.0] {
            histogram.add(value);
        }
        let read = histogram.read();
        assert_eq!(read.counts, [2, 2, 1]);
        assert!((read.sum - 14.0).abs() < 1e-6, "{read:?}");
    }
}
