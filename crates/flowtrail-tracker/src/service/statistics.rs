//! Statistics, from counters that are kept with the rows they count.

use std::collections::BTreeMap;

use flowtrail_types::{Counting, FlowId, Principal, Statistics, StatsQuery, StatsScope, Step};
use serde::Serialize;
use time::OffsetDateTime;

use crate::access::Rights;
use crate::{Tracker, TrackerError};

/// Which hours statistics tell of, and whether what was deleted counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsRange {
    /// From the hour in which this lies.
    pub from: Option<OffsetDateTime>,
    /// To the end of the hour in which this lies.
    pub to: Option<OffsetDateTime>,
    /// Whether what was deleted since counts.
    pub counting: Counting,
}

/// The figures of one hour or day.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatsPoint {
    /// When it began.
    #[serde(with = "flowtrail_types::timestamp")]
    pub at: OffsetDateTime,
    /// The figures.
    #[serde(flatten)]
    pub figures: Statistics,
}

/// The most points that a time series may have.
const MOST_POINTS: i64 = 10_000;

impl Tracker {
    /// The statistics of a flow, or of all that the principal may see whole. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`] when they may not see the flow, [`TrackerError::Forbidden`] when they may see only
    /// their own executions of it.
    pub fn statistics(
        &self,
        principal: &Principal,
        flow: Option<FlowId>,
        range: StatsRange,
    ) -> Result<Statistics, TrackerError> {
        let query = self.stats_query(principal, flow, range)?;
        let executions = self.inner.store.executions();
        let tally = executions.tally(&query)?;
        let last = executions.last_started_at(&query)?;
        Ok(Statistics::new(&tally, last))
    }

    /// The same by hour or day, oldest first, those left out in which there is nothing. Blocks.
    ///
    /// # Errors
    ///
    /// As [`statistics`](Self::statistics), and [`TrackerError::Invalid`] when there would be too many points.
    pub fn time_series(
        &self,
        principal: &Principal,
        flow: Option<FlowId>,
        range: StatsRange,
        step: Step,
    ) -> Result<Vec<StatsPoint>, TrackerError> {
        if let (Some(from), Some(to)) = (range.from, range.to) {
            let length = Step::after(step, from) - from;
            if (to - from).whole_seconds() / length.whole_seconds().max(1) > MOST_POINTS {
                let message = format!("at most {MOST_POINTS} points: choose a longer step or a shorter time");
                return Err(TrackerError::invalid("from", message));
            }
        }
        let query = self.stats_query(principal, flow, range)?;
        let executions = self.inner.store.executions();
        let series = executions.tally_by(&query, step)?;
        let last: BTreeMap<OffsetDateTime, OffsetDateTime> =
            executions.last_started_by(&query, step)?.into_iter().collect();
        Ok(series
            .into_iter()
            .map(|(at, tally)| StatsPoint { at, figures: Statistics::new(&tally, last.get(&at).copied()) })
            .collect())
    }

    fn stats_query(
        &self,
        principal: &Principal,
        flow: Option<FlowId>,
        range: StatsRange,
    ) -> Result<StatsQuery, TrackerError> {
        let scope = match flow {
            Some(id) => match self.rights_in(principal, id)? {
                Rights::None => return Err(TrackerError::NotFound("flow")),
                Rights::Public => return Err(TrackerError::Forbidden("see the statistics of this flow")),
                Rights::Read | Rights::Write => StatsScope::Flows(vec![id]),
            },
            None => match self.visible_flows(principal)? {
                None => StatsScope::All,
                Some(visible) => StatsScope::Flows(visible.full),
            },
        };
        Ok(StatsQuery { scope, from: range.from, to: range.to, counting: range.counting })
    }
}
