//! Executions as points of a plot: when they began, how long they took, how they stand.

use flowtrail_types::{
    ExecutionFilter, ExecutionId, ExecutionQuery, ExecutionStatus, ExecutionSummary, FlowId, Principal, Step,
    timestamp,
};
use serde::Serialize;
use time::OffsetDateTime;

use super::{StatsPoint, StatsRange};
use crate::{Tracker, TrackerError};

/// The most points that are given.
const MOST: u64 = 5_000;
/// So many executions of an hour are read at most to choose among them.
const READ_WHOLE: u64 = 2_000;
/// To look for one by its time takes as long as to read so many in a row.
const LOOK: u64 = 8;
/// So many executions are read at most in all, of hours in which looking found too few because they lie close together.
const READ_IN_ALL: u64 = 50_000;
/// The shortest part of an hour in which one is looked for.
const SHORTEST: i64 = 2_000_000;

/// Points, oldest first: parallel lists, which take a quarter of what objects would.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Points {
    /// Their ids.
    pub ids: Vec<ExecutionId>,
    /// When they began.
    pub started_at: Vec<String>,
    /// How long they took, in milliseconds; null while they run.
    pub duration: Vec<Option<f64>>,
    /// How they stand.
    pub status: Vec<ExecutionStatus>,
    /// Whether there are more than these, which were chosen evenly.
    pub thinned: bool,
}

impl Tracker {
    /// The executions of a flow that began from one time up to another, at most 5,000, chosen evenly of more. Blocks.
    ///
    /// # Errors
    ///
    /// As [`statistics`](Self::statistics).
    pub fn points(
        &self,
        principal: &Principal,
        flow: FlowId,
        from: Option<OffsetDateTime>,
        to: Option<OffsetDateTime>,
    ) -> Result<Points, TrackerError> {
        let range = StatsRange { from, to, ..StatsRange::default() };
        let hours = self.time_series(principal, Some(flow), range, Step::Hour)?;
        let all: u64 = hours.iter().map(|hour| hour.figures.total).sum();
        let mut points = Points::default();
        // Hours are counted whole, of which only a part may be asked for.
        let may_fit = all <= MOST || from.is_some() || to.is_some();
        if may_fit {
            let found = self.read(flow, from, to, MOST + 1)?;
            if found.len() as u64 <= MOST {
                points.extend(&found);
                return Ok(points);
            }
        }
        self.choose(flow, &hours, (from, to), MOST)
    }

    /// So many executions, chosen evenly: each hour gets its share of them, what is left over going to the next one.
    fn choose(
        &self,
        flow: FlowId,
        hours: &[StatsPoint],
        (from, to): (Option<OffsetDateTime>, Option<OffsetDateTime>),
        most: u64,
    ) -> Result<Points, TrackerError> {
        let all: u64 = hours.iter().map(|hour| hour.figures.total).sum();
        let mut points = Points { thinned: true, ..Points::default() };
        let mut before = 0;
        let mut left = READ_IN_ALL;
        for hour in hours {
            let count = hour.figures.total;
            let share = (before + count) * most / all - before * most / all;
            before += count;
            let end = Step::after(Step::Hour, hour.at);
            let (begin, end) =
                (from.map_or(hour.at, |from| from.max(hour.at)), to.map_or(end, |to| to.min(end)));
            if share == 0 || begin >= end {
                continue;
            }
            if count <= READ_WHOLE.min(share.saturating_mul(LOOK)) {
                points.extend(&self.some_of(flow, begin, end, share)?);
                continue;
            }
            let found = self.one_of_each_part(flow, begin, end, share)?;
            if (found.len() as u64) < share / 2 && count <= READ_WHOLE.min(left) {
                left -= count;
                points.extend(&self.some_of(flow, begin, end, share)?);
            } else {
                points.extend(&found);
            }
        }
        Ok(points)
    }

    /// Reads all of a time, and gives so many of them, evenly.
    fn some_of(
        &self,
        flow: FlowId,
        begin: OffsetDateTime,
        end: OffsetDateTime,
        share: u64,
    ) -> Result<Vec<ExecutionSummary>, TrackerError> {
        let found = self.read(flow, Some(begin), Some(end), READ_WHOLE)?;
        let all = found.len() as u64;
        // Of each of so many equal parts one.
        let is_chosen = |number: u64| number * share / all != (number + 1) * share / all;
        Ok((0..).zip(found).filter(|(number, _)| is_chosen(*number)).map(|(_, each)| each).collect())
    }

    /// The newest of each part of a time, as far as there is one.
    fn one_of_each_part(
        &self,
        flow: FlowId,
        begin: OffsetDateTime,
        end: OffsetDateTime,
        share: u64,
    ) -> Result<Vec<ExecutionSummary>, TrackerError> {
        let length = i64::try_from((end - begin).whole_microseconds()).unwrap_or(i64::MAX);
        let parts = i64::try_from(share).unwrap_or(1).min((length / SHORTEST).max(1));
        let part = time::Duration::microseconds(length / parts);
        let mut found = Vec::new();
        for number in 0..i32::try_from(parts).unwrap_or(1) {
            let upper = begin + part * (number + 1);
            found.extend(self.read(flow, Some(upper - part), Some(upper), 1)?);
        }
        Ok(found)
    }

    /// The newest executions of a time, oldest first.
    fn read(
        &self,
        flow: FlowId,
        from: Option<OffsetDateTime>,
        to: Option<OffsetDateTime>,
        most: u64,
    ) -> Result<Vec<ExecutionSummary>, TrackerError> {
        let filter = ExecutionFilter { from, to, ..ExecutionFilter::of_flow(flow) };
        let query = ExecutionQuery::newest(filter, u32::try_from(most).unwrap_or(u32::MAX));
        let mut found = self.inner.store.executions().list(&query)?.items;
        found.reverse();
        Ok(found)
    }
}

impl Points {
    fn extend<'a>(&mut self, found: impl IntoIterator<Item = &'a ExecutionSummary>) {
        for execution in found {
            self.ids.push(execution.id);
            self.started_at.push(timestamp::format(execution.started_at));
            self.duration.push(execution.duration_us().map(timestamp::as_millis));
            self.status.push(execution.status);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use flowtrail_store::MemoryStore;
    use flowtrail_types::lifecycle::Outcome;
    use flowtrail_types::{ManualClock, Source};
    use time::Duration;
    use time::macros::datetime;

    use super::*;
    use crate::{FinishedExecution, Options, StartExecution};

    const T0: OffsetDateTime = datetime!(2026-01-06 12:00 UTC);
    const HOURS: i64 = 3;
    const EACH: i64 = 400;

    /// How many are chosen of each hour, thirty in all, of executions that lie so far apart.
    fn chosen(apart: Duration) -> Vec<usize> {
        let clock = Arc::new(ManualClock::new(T0 + Duration::days(1)));
        let options = Options { clock, housekeeping: None, upkeep: false, ..Options::default() };
        let tracker = Tracker::with_options(MemoryStore::new(), options).unwrap();
        let me = tracker.local_administrator().unwrap();
        let flow = tracker.external_flow(&me, "Import").unwrap();
        let acks: Vec<_> = (0..HOURS * EACH)
            .map(|number| {
                let at = T0 + Duration::hours(number / EACH) + apart * i32::try_from(number % EACH).unwrap();
                let start = StartExecution::of(&flow, Source::Embedded).started_at(at);
                tracker.record(&me, &start, &FinishedExecution::new(Outcome::Fulfilled, at)).unwrap()
            })
            .collect();
        for ack in acks {
            ack.wait().unwrap();
        }
        let hours = tracker.time_series(&me, Some(flow.id), StatsRange::default(), Step::Hour).unwrap();
        let points = tracker.choose(flow.id, &hours, (None, None), 30).unwrap();
        assert!(points.started_at.is_sorted() && points.thinned);
        (0..HOURS)
            .map(|hour| {
                let begins = |hour| timestamp::format(T0 + Duration::hours(hour));
                let within = begins(hour)..begins(hour + 1);
                points.started_at.iter().filter(|at| within.contains(*at)).count()
            })
            .collect()
    }

    #[test]
    fn each_hour_has_its_share_however_its_executions_lie() {
        assert_eq!(chosen(Duration::seconds(9)), [10, 10, 10], "over the whole hour");
        assert_eq!(chosen(Duration::milliseconds(100)), [10, 10, 10], "in its first minute");
    }
}
