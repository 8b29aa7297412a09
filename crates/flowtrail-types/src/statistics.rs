//! What is counted of executions, and the figures that are told of it.

use serde::Serialize;
use time::OffsetDateTime;

use crate::{Durations, ExecutionStatus, FlowId, timestamp};

/// What is counted of some executions, or of a change of some: parts of it may be negative then.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Pending ones.
    pub pending: i64,
    /// Fulfilled ones.
    pub fulfilled: i64,
    /// Failed ones.
    pub error: i64,
    /// Aborted ones.
    pub aborted: i64,
    /// Calls among the failed ones that were rejected before they ran.
    pub rejected: i64,
    /// Rejected calls that were counted and not recorded: no execution stands for them.
    pub unrecorded: i64,
    /// The sum of the durations of those that ran and ended, in microseconds.
    pub duration_us: i64,
    /// What their data takes, in bytes as they are stored.
    pub bytes: i64,
    /// How long those took that ran and ended.
    pub durations: Durations,
}

impl Tally {
    /// Counts an execution, `times` times: `-1` takes it away. The duration is absent while it is pending.
    pub fn add(&mut self, status: ExecutionStatus, duration_us: Option<i64>, bytes: i64, times: i64) {
        *match status {
            ExecutionStatus::Pending => &mut self.pending,
            ExecutionStatus::Fulfilled => &mut self.fulfilled,
            ExecutionStatus::Error => &mut self.error,
            ExecutionStatus::Aborted => &mut self.aborted,
        } += times;
        self.bytes += bytes * times;
        if let Some(duration_us) = duration_us {
            self.duration_us += duration_us * times;
            self.durations.add(duration_us, times);
        }
    }

    /// Counts a call that was rejected, `times` times: a failed execution that took no time.
    pub fn add_rejected(&mut self, bytes: i64, times: i64) {
        self.add(ExecutionStatus::Error, None, bytes, times);
        self.rejected += times;
    }

    /// Adds all of another one, `times` times; `-1` takes it away.
    pub fn merge(&mut self, other: &Self, times: i64) {
        self.pending += other.pending * times;
        self.fulfilled += other.fulfilled * times;
        self.error += other.error * times;
        self.aborted += other.aborted * times;
        self.rejected += other.rejected * times;
        self.unrecorded += other.unrecorded * times;
        self.duration_us += other.duration_us * times;
        self.bytes += other.bytes * times;
        self.durations.merge(&other.durations, times);
    }

    /// How many there are, rejected ones too.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.pending + self.fulfilled + self.error + self.aborted
    }

    /// How many there are with one status.
    #[must_use]
    pub fn of(&self, status: ExecutionStatus) -> i64 {
        match status {
            ExecutionStatus::Pending => self.pending,
            ExecutionStatus::Fulfilled => self.fulfilled,
            ExecutionStatus::Error => self.error,
            ExecutionStatus::Aborted => self.aborted,
        }
    }
}

/// Which executions statistics tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Counting {
    /// Those that are there: equal to a recount.
    #[default]
    Stored,
    /// Those that happened: what was deleted or pruned since is counted still.
    Recorded,
}

/// The flows that statistics tell of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatsScope {
    /// All of them, deleted ones too.
    All,
    /// Some.
    Flows(Vec<FlowId>),
}

/// A question for statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsQuery {
    /// Of which flows.
    pub scope: StatsScope,
    /// From the hour in which this lies; from the beginning when absent.
    pub from: Option<OffsetDateTime>,
    /// Up to this time, and to the end of the hour in which it lies; to the end when absent.
    pub to: Option<OffsetDateTime>,
    /// Whether what was deleted counts.
    pub counting: Counting,
}

impl StatsQuery {
    /// All that is stored of one flow.
    #[must_use]
    pub fn of_flow(flow: FlowId) -> Self {
        Self { scope: StatsScope::Flows(vec![flow]), from: None, to: None, counting: Counting::Stored }
    }

    /// All that is stored.
    #[must_use]
    pub fn of_all() -> Self {
        Self { scope: StatsScope::All, from: None, to: None, counting: Counting::Stored }
    }

    /// The hours that are asked for, as the times at which they begin: the first, and the one after the last.
    #[must_use]
    pub fn hours(&self) -> (Option<OffsetDateTime>, Option<OffsetDateTime>) {
        let end = |to: OffsetDateTime| {
            let hour = Step::Hour.begin(to);
            if hour == to { hour } else { Step::Hour.after(hour) }
        };
        (self.from.map(|from| Step::Hour.begin(from)), self.to.map(end))
    }
}

/// How long each part of a time series is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// An hour.
    Hour,
    /// A day in UTC.
    Day,
}

impl Step {
    /// When the hour or day began in which a time lies.
    #[must_use]
    pub fn begin(self, at: OffsetDateTime) -> OffsetDateTime {
        let micros = timestamp::unix_micros(at);
        let begun = micros - micros.rem_euclid(self.micros());
        timestamp::from_unix_micros(begun).unwrap_or(at)
    }

    /// When the next one begins.
    #[must_use]
    pub fn after(self, begun: OffsetDateTime) -> OffsetDateTime {
        begun.checked_add(time::Duration::microseconds(self.micros())).unwrap_or(begun)
    }

    const fn micros(self) -> i64 {
        match self {
            Self::Hour => 3_600_000_000,
            Self::Day => 86_400_000_000,
        }
    }
}

/// The figures that are told of executions. Durations in milliseconds, over all that ended. Rejected calls never ran: they
/// are counted by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    /// How many there are.
    pub total: u64,
    /// Not ended.
    pub pending: u64,
    /// Ended as they should.
    pub fulfilled: u64,
    /// Failed.
    pub error: u64,
    /// Stopped.
    pub aborted: u64,
    /// Calls that were rejected before they ran, also those that were not recorded. In none of the other numbers.
    pub rejected: u64,
    /// Fulfilled among fulfilled and failed, 0 to 1; null without either.
    pub success_rate: Option<f64>,
    /// The mean.
    pub avg_duration: Option<f64>,
    /// The median, within 1%.
    pub p50_duration: Option<f64>,
    /// What 95 of 100 do not exceed, within 1%.
    pub p95_duration: Option<f64>,
    /// What 99 of 100 do not exceed, within 1%.
    pub p99_duration: Option<f64>,
    /// When the newest one began.
    #[serde(with = "timestamp::option")]
    pub last_execution_at: Option<OffsetDateTime>,
}

impl Statistics {
    /// The figures of what was counted.
    #[must_use]
    pub fn new(tally: &Tally, last_execution_at: Option<OffsetDateTime>) -> Self {
        let count = |value: i64| u64::try_from(value).unwrap_or(0);
        let error = tally.error - tally.rejected;
        let ended = tally.fulfilled + error + tally.aborted;
        let judged = tally.fulfilled + error;
        #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
        let ratio = |a: i64, b: i64| (b > 0).then(|| a as f64 / b as f64);
        let millis = |micros: f64| micros.round() / 1_000.0;
        let quantile = |share| tally.durations.quantile(share).map(millis);
        Self {
            total: count(tally.pending + ended),
            pending: count(tally.pending),
            fulfilled: count(tally.fulfilled),
            error: count(error),
            aborted: count(tally.aborted),
            rejected: count(tally.rejected + tally.unrecorded),
            success_rate: ratio(tally.fulfilled, judged),
            avg_duration: ratio(tally.duration_us, ended).map(millis),
            p50_duration: quantile(0.5),
            p95_duration: quantile(0.95),
            p99_duration: quantile(0.99),
            last_execution_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn hours_and_days_begin_in_utc_before_and_after_1970() {
        let at = datetime!(2026-01-06 23:59:59.999999 UTC);
        assert_eq!(Step::Hour.begin(at), datetime!(2026-01-06 23:00 UTC));
        assert_eq!(Step::Day.begin(at), datetime!(2026-01-06 00:00 UTC));
        assert_eq!(Step::Day.after(Step::Day.begin(at)), datetime!(2026-01-07 00:00 UTC));
        assert_eq!(Step::Hour.begin(datetime!(1969-12-31 23:30 UTC)), datetime!(1969-12-31 23:00 UTC));
    }

    #[test]
    fn a_narrowed_question_covers_whole_hours() {
        let query = StatsQuery {
            from: Some(datetime!(2026-01-06 10:30 UTC)),
            to: Some(datetime!(2026-01-06 12:00 UTC)),
            ..StatsQuery::of_all()
        };
        let (from, to) = query.hours();
        assert_eq!(from, Some(datetime!(2026-01-06 10:00 UTC)));
        assert_eq!(to, Some(datetime!(2026-01-06 12:00 UTC)));
    }

    #[test]
    fn figures_of_nothing_are_null_and_of_something_are_in_milliseconds() {
        let none = Statistics::new(&Tally::default(), None);
        assert_eq!(
            (none.total, none.success_rate, none.avg_duration, none.p99_duration),
            (0, None, None, None)
        );
        let mut tally = Tally::default();
        tally.add(ExecutionStatus::Fulfilled, Some(2_000), 10, 1);
        tally.add(ExecutionStatus::Error, Some(4_000), 10, 1);
        tally.add(ExecutionStatus::Aborted, Some(6_000), 10, 1);
        tally.add(ExecutionStatus::Pending, None, 0, 1);
        let told = Statistics::new(&tally, None);
        assert_eq!((told.total, told.pending, told.aborted), (4, 1, 1));
        assert_eq!((told.success_rate, told.avg_duration), (Some(0.5), Some(4.0)));
        tally.merge(&tally.clone(), -1);
        assert_eq!(tally, Tally::default());
    }

    #[test]
    fn rejected_calls_change_no_other_figure() {
        let mut tally = Tally::default();
        tally.add(ExecutionStatus::Fulfilled, Some(2_000), 10, 1);
        tally.add(ExecutionStatus::Error, Some(4_000), 10, 1);
        let without = Statistics::new(&tally, None);
        tally.add_rejected(10, 3);
        tally.unrecorded += 4;
        assert_eq!(tally.total(), 5, "rows");
        assert_eq!(Statistics::new(&tally, None), Statistics { rejected: 7, ..without });
        tally.add_rejected(10, -3);
        tally.unrecorded -= 4;
        assert_eq!(Statistics::new(&tally, None), without);
    }
}
