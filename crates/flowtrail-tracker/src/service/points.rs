//! Executions as points of a plot: when they began, how long they took, how they stand.

use flowtrail_types::{
    ExecutionFilter, ExecutionId, ExecutionQuery, ExecutionStatus, ExecutionSummary, FlowId, Principal, Step,
    timestamp,
};
use serde::Serialize;
use time::OffsetDateTime;

use super::StatsRange;
use crate::{Tracker, TrackerError};

/// The most points that are given.
const MOST: u64 = 5_000;
/// So many executions of an hour are read to choose among them; of more, it is looked for one in each part of the hour.
const READ_WHOLE: u64 = 2_000;
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
        points.thinned = true;
        // Each hour gets its share of the points, what is left over going to the next one.
        let mut before = 0;
        for hour in hours {
            let count = hour.figures.total;
            let share = (before + count) * MOST / all - before * MOST / all;
            before += count;
            let end = Step::after(Step::Hour, hour.at);
            let (begin, end) =
                (from.map_or(hour.at, |from| from.max(hour.at)), to.map_or(end, |to| to.min(end)));
            if share == 0 || begin >= end {
                continue;
            }
            if count <= READ_WHOLE {
                let found = self.read(flow, Some(begin), Some(end), READ_WHOLE)?;
                let step = (found.len() as u64).div_ceil(share).max(1);
                points.extend(found.iter().step_by(usize::try_from(step).unwrap_or(1)));
            } else {
                let length = i64::try_from((end - begin).whole_microseconds()).unwrap_or(i64::MAX);
                let parts = i64::try_from(share).unwrap_or(1).min((length / SHORTEST).max(1));
                let part = time::Duration::microseconds(length / parts);
                for number in 0..i32::try_from(parts).unwrap_or(1) {
                    let upper = begin + part * (number + 1);
                    points.extend(&self.read(flow, Some(upper - part), Some(upper), 1)?);
                }
            }
        }
        Ok(points)
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
