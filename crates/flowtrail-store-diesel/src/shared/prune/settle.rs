//! Counting as removed what the prune of all flows has deleted.
//!
//! While its rows go, nothing of them is counted: statistics leave out what it covers, which is the same before and after
//! (all that ended before its place, less what is noted as late). So the counters of a flow are written once, when all rows
//! are gone, hour after hour side by side, instead of with every step that deletes rows of some hundred flows.

use std::collections::BTreeMap;
use std::ops::Bound;

use diesel::prelude::*;
use flowtrail_types::Tally;
use time::{Duration, OffsetDateTime};

use super::ActivePrune;
use super::backend::Conn;
use super::schema::flow_stats;
use super::statistics::{self, ALL_FLOWS, Slots, StatsWriter};
use super::store::WriteError;
use crate::columns::{At, Id};

/// How far counting has come: to this hour, of what stands under this id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settled {
    /// Of which prune.
    mark: i64,
    id: Id,
    to: OffsetDateTime,
}

/// How many hours are looked at together, and at most so many with anything in them are counted in one step.
const HOURS: Duration = Duration::hours(500);
const AT_ONCE: usize = 300;

/// Counts some more, and tells how far that is; none when nothing is left to count.
pub(super) fn settle_some(
    conn: &mut Conn,
    (stats, slots): (&mut StatsWriter, &impl Slots),
    prune: &ActivePrune,
    own: &[Id],
    before: Option<Settled>,
) -> Result<Option<Settled>, WriteError> {
    let mut at = before.filter(|settled| settled.mark == prune.mark);
    let mut counted = 0;
    while counted < AT_ONCE {
        let next = match at {
            None => next_id(conn, prune, Bound::Unbounded, own)?,
            Some(Settled { id, to, .. }) => match first_hour(conn, prune, id, Some(to))? {
                Some(hour) => Some((id, hour)),
                None => next_id(conn, prune, Bound::Excluded(id), own)?,
            },
        };
        let Some((id, hour)) = next else { return Ok(None) };
        let to = hour + HOURS;
        counted += settle(conn, (stats, slots), prune, id, (Some(hour), Some(to)))?;
        at = Some(Settled { mark: prune.mark, id, to });
    }
    Ok(at)
}

/// Counts all that a prune has deleted of one flow, or of what is counted for all of them together, in some hours.
pub(super) fn settle(
    conn: &mut Conn,
    (stats, slots): (&mut StatsWriter, &impl Slots),
    prune: &ActivePrune,
    id: Id,
    hours: statistics::Hours,
) -> Result<usize, WriteError> {
    let mut gone = BTreeMap::new();
    statistics::going_by_hour(conn, prune, &[id], hours, |hour, tally, times| {
        gone.entry(hour).or_insert_with(Tally::default).merge(tally, times);
    })?;
    let hours = gone.len();
    stats.remove(conn, slots, id, &gone)?;
    Ok(hours)
}

/// The next id under which anything is counted, and the first hour of that; those of flows with prunes of their own are
/// passed over.
fn next_id(
    conn: &mut Conn,
    prune: &ActivePrune,
    mut after: Bound<Id>,
    own: &[Id],
) -> Result<Option<(Id, OffsetDateTime)>, WriteError> {
    loop {
        let mut ids = flow_stats::table
            .select(flow_stats::flow_id)
            .order((flow_stats::flow_id, flow_stats::period, flow_stats::bucket, flow_stats::slot))
            .limit(1)
            .into_boxed();
        ids = match after {
            Bound::Excluded(id) => ids.filter(flow_stats::flow_id.gt(id)),
            // From the first on, said so that the database knows it for a search.
            Bound::Included(_) | Bound::Unbounded => ids.filter(flow_stats::flow_id.ge(ALL_FLOWS)),
        };
        let Some(id) = ids.first::<Id>(conn).optional()? else { return Ok(None) };
        if !own.contains(&id)
            && let Some(hour) = first_hour(conn, prune, id, None)?
        {
            return Ok(Some((id, hour)));
        }
        after = Bound::Excluded(id);
    }
}

/// The first hour from this one on of which a prune may have deleted anything.
fn first_hour(
    conn: &mut Conn,
    prune: &ActivePrune,
    id: Id,
    from: Option<OffsetDateTime>,
) -> Result<Option<OffsetDateTime>, WriteError> {
    let mut hours = flow_stats::table
        .filter(flow_stats::flow_id.eq(id).and(flow_stats::period.eq("hour")))
        .select(flow_stats::bucket)
        .order((flow_stats::bucket, flow_stats::slot))
        .limit(1)
        .into_boxed();
    if let Some(from) = from {
        hours = hours.filter(flow_stats::bucket.ge(At(from)));
    }
    if let Some(to) = prune.edge_hour() {
        hours = hours.filter(flow_stats::bucket.lt(At(to)));
    }
    Ok(hours.first::<At>(conn).optional()?.map(|at| at.0))
}
