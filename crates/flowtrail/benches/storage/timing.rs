//! How long something took, and what is told of many such times.

use std::time::{Duration, Instant};

/// Many durations, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<f64>);

impl Times {
    pub(crate) fn push(&mut self, took: Duration) {
        self.0.push(took.as_secs_f64() * 1e3);
    }

    pub(crate) fn extend(&mut self, others: impl IntoIterator<Item = Duration>) {
        self.0.extend(others.into_iter().map(|took| took.as_secs_f64() * 1e3));
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// By the nearest rank; 0 of none.
    pub(crate) fn quantile(&mut self, share: f64) -> f64 {
        if self.0.is_empty() {
            return 0.0;
        }
        self.0.sort_by(f64::total_cmp);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "few"
        )]
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0[rank.clamp(1, self.0.len()) - 1]
    }

    /// The median and what 99 of 100 do not exceed.
    pub(crate) fn told(&mut self) -> String {
        format!("p50 {} p99 {}", millis(self.quantile(0.5)), millis(self.quantile(0.99)))
    }
}

/// Milliseconds as people read them.
pub(crate) fn millis(millis: f64) -> String {
    if millis < 10.0 { format!("{millis:.3} ms") } else { format!("{millis:.1} ms") }
}

/// The most that one measurement takes.
const LONGEST: Duration = Duration::from_secs(6);

/// How long each of so many calls takes; fewer when they take too long.
pub(crate) fn each(calls: usize, mut call: impl FnMut()) -> Times {
    let mut times = Times::default();
    let begun = Instant::now();
    while times.count() < calls && begun.elapsed() < LONGEST {
        let begun = Instant::now();
        call();
        times.push(begun.elapsed());
    }
    times
}

/// How long two kinds of calls take, in turns, so that whatever else goes on hits both.
pub(crate) fn in_turns(calls: usize, mut one: impl FnMut(), mut other: impl FnMut()) -> (Times, Times) {
    let (mut ones, mut others) = (Times::default(), Times::default());
    let begun = Instant::now();
    while ones.count() < calls && begun.elapsed() < LONGEST {
        for (times, call) in [(&mut ones, &mut one as &mut dyn FnMut()), (&mut others, &mut other)] {
            let begun = Instant::now();
            call();
            times.push(begun.elapsed());
        }
    }
    (ones, others)
}

/// The middle one.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
pub(crate) fn rate(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}
