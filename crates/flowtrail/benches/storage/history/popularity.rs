//! Which flow an execution is of.

use crate::random::Random;

/// How many flows there are.
pub(crate) const FLOWS: usize = 1_000;
/// The flow with exactly a tenth of all executions.
pub(crate) const TENTH: usize = 0;
/// The flow with exactly a hundredth.
const HUNDREDTH: usize = 1;
/// The flow with exactly 1,000, where there are 10,000 or more of all.
pub(crate) const THOUSAND: usize = 2;

/// How many executions the flow [`THOUSAND`] has.
const A_THOUSAND: u64 = 1_000;

/// The popularity of flows: three of them have numbers that are known, the others fall off by Zipf's law, shifted
/// (Mandelbrot) so that none of them comes near the first.
#[derive(Debug)]
pub(crate) struct Popularity {
    executions: u64,
    /// Of the other flows, what they and those before them have of 1.
    sums: Vec<f64>,
}

impl Popularity {
    pub(crate) fn of(executions: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let weights: Vec<f64> = (0..FLOWS - 3).map(|rank| 1.0 / (rank as f64 + 11.0)).collect();
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let sums = weights.iter().map(|weight| {
            sum += weight / total;
            sum
        });
        Self { executions, sums: sums.collect() }
    }

    /// The flow of the execution with this number.
    pub(crate) fn flow(&self, number: u64, random: &mut Random) -> usize {
        let step = self.executions / A_THOUSAND;
        if number.is_multiple_of(10) {
            TENTH
        } else if number % 100 == 1 {
            HUNDREDTH
        } else if step >= 10 && number % step == 2 && number / step < A_THOUSAND {
            THOUSAND
        } else {
            let share = random.share();
            let rank = self.sums.partition_point(|sum| *sum < share);
            (rank + 3).min(FLOWS - 1)
        }
    }
}
