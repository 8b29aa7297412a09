//! Statistics as they are read: rows are added up, and what is being taken away is left out.

use std::collections::BTreeMap;

use diesel::prelude::*;
use flowtrail_store::{StatusCounts, StoreError};
use flowtrail_types::{Counting, StatsQuery, StatsScope, Step, Tally};
use time::OffsetDateTime;

use super::super::prune::{self, ActivePrune};
use super::backend::{self, Conn, Db};
use super::rows::{Counts, StatsRow, ended_part};
use super::schema::flow_stats;
use super::{ALL_FLOWS, Period};
use crate::columns::{At, Id};
use crate::one_of::one_of;

/// Hours, as the times at which they begin: the first, and the one after the last.
pub(crate) type Hours = (Option<OffsetDateTime>, Option<OffsetDateTime>);

fn ids_of(scope: &StatsScope) -> Vec<Id> {
    match scope {
        StatsScope::All => vec![ALL_FLOWS],
        StatsScope::Flows(flows) => flows.iter().map(|flow| Id(*flow.as_uuid())).collect(),
    }
}

pub(crate) fn tally(conn: &mut Conn, query: &StatsQuery) -> Result<Tally, StoreError> {
    let hours = query.hours();
    let counts = sum(conn, &ids_of(&query.scope), hours)?;
    if query.counting == Counting::Recorded {
        return Ok(counts.recorded);
    }
    let mut stored = counts.stored();
    for (prune, counted) in prune::shares(conn, &query.scope)? {
        stored.merge(&going(conn, &prune, &counted, hours)?, -1);
    }
    Ok(stored)
}

/// What a prune has still to delete of the executions that began in some hours. It is gone already. What it decides about
/// is counted under these ids.
pub(crate) fn going(
    conn: &mut Conn,
    prune: &ActivePrune,
    counted: &[Id],
    hours: Hours,
) -> Result<Tally, StoreError> {
    let mut going = Tally::default();
    let edge = prune.edge_hour();
    let (from, to) = hours;
    let before_edge = (from, earlier(to, edge));
    if !is_empty(before_edge) {
        going.merge(&ended_part(sum(conn, counted, before_edge)?.stored()), 1);
        for (_, late) in prune::late(conn, counted, before_edge)? {
            going.merge(&late, -1);
        }
    }
    if let Some(edge) = edge
        && from.is_none_or(|from| from <= edge)
        && to.is_none_or(|to| edge < to)
    {
        going.merge(&prune.edge, 1);
    }
    Ok(going)
}

/// The same hour by hour: each tally and how many times it counts.
pub(crate) fn going_by_hour(
    conn: &mut Conn,
    prune: &ActivePrune,
    counted: &[Id],
    (from, to): Hours,
    mut add: impl FnMut(OffsetDateTime, &Tally, i64),
) -> Result<(), StoreError> {
    let edge = prune.edge_hour();
    let before_edge = (from, earlier(to, edge));
    if !is_empty(before_edge) {
        for row in rows(conn, counted, Period::Hour, before_edge)? {
            add(row.bucket.0, &ended_part(row.counts()?.stored()), 1);
        }
        for (hour, late) in prune::late(conn, counted, before_edge)? {
            add(hour, &late, -1);
        }
    }
    if let Some(edge) = edge
        && from.is_none_or(|from| from <= edge)
        && to.is_none_or(|to| edge < to)
    {
        add(edge, &prune.edge, 1);
    }
    Ok(())
}

fn earlier(a: Option<OffsetDateTime>, b: Option<OffsetDateTime>) -> Option<OffsetDateTime> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn is_empty((from, to): Hours) -> bool {
    from.zip(to).is_some_and(|(from, to)| from >= to)
}

/// Adds up whole days where it can, and hours at the edges.
fn sum(conn: &mut Conn, flows: &[Id], hours: Hours) -> Result<Counts, StoreError> {
    let parts = if hours == (None, None) { vec![(Period::All, hours)] } else { parts(Step::Day, hours) };
    let mut sum = Counts::default();
    for (period, part) in parts {
        for row in rows(conn, flows, period, part)? {
            sum.merge(&row.counts()?);
        }
    }
    Ok(sum)
}

fn rows(
    conn: &mut Conn,
    flows: &[Id],
    period: Period,
    (from, to): Hours,
) -> Result<Vec<StatsRow>, StoreError> {
    let mut found = Vec::new();
    for flows in flows.chunks(backend::MAX_BINDS / 2) {
        let mut wanted = flow_stats::table
            .filter(flow_stats::period.eq(period.as_str()))
            .select(StatsRow::as_select())
            .into_boxed::<Db>();
        // One flow is asked for most often, and by its own name the database finds it best.
        wanted = match flows {
            [flow] => wanted.filter(flow_stats::flow_id.eq(*flow)),
            flows => wanted.filter(flow_stats::flow_id.eq_any(flows)),
        };
        if let Some(from) = from {
            wanted = wanted.filter(flow_stats::bucket.ge(At(from)));
        }
        if let Some(to) = to {
            wanted = wanted.filter(flow_stats::bucket.lt(At(to)));
        }
        found.extend(wanted.load(conn).map_err(backend::translate)?);
    }
    Ok(found)
}

pub(crate) fn tally_by(
    conn: &mut Conn,
    query: &StatsQuery,
    step: Step,
) -> Result<Vec<(OffsetDateTime, Tally)>, StoreError> {
    let hours = query.hours();
    let mut tallies: BTreeMap<OffsetDateTime, Tally> = BTreeMap::new();
    let mut add = |at: OffsetDateTime, tally: &Tally, times| {
        tallies.entry(step.begin(at)).or_default().merge(tally, times);
    };
    let flows = ids_of(&query.scope);
    // A day that is wanted in part is added up from its hours.
    for (period, part) in parts(step, hours) {
        for row in rows(conn, &flows, period, part)? {
            let counts = row.counts()?;
            match query.counting {
                Counting::Recorded => add(row.bucket.0, &counts.recorded, 1),
                Counting::Stored => add(row.bucket.0, &counts.stored(), 1),
            }
        }
    }
    if query.counting == Counting::Stored {
        for (prune, counted) in prune::shares(conn, &query.scope)? {
            going_by_hour(conn, &prune, &counted, hours, |hour, tally, times| add(hour, tally, -times))?;
        }
    }
    Ok(tallies.into_iter().filter(|(_, tally)| *tally != Tally::default()).collect())
}

/// Which rows a series is made of.
fn parts(step: Step, (from, to): Hours) -> Vec<(Period, Hours)> {
    if step == Step::Hour {
        return vec![(Period::Hour, (from, to))];
    }
    let first_day = from.map(|from| match Step::Day.begin(from) {
        day if day == from => day,
        day => Step::Day.after(day),
    });
    let last_day = to.map(|to| Step::Day.begin(to));
    if first_day.zip(last_day).is_some_and(|(first, last)| first > last) {
        return vec![(Period::Hour, (from, to))];
    }
    let mut parts = vec![(Period::Day, (first_day, last_day))];
    if from != first_day {
        parts.push((Period::Hour, (from, first_day)));
    }
    if last_day != to {
        parts.push((Period::Hour, (last_day, to)));
    }
    parts.retain(|(_, hours)| !is_empty(*hours));
    parts
}

/// How many executions stand in each status, without their durations.
pub(crate) fn status_counts(conn: &mut Conn, scope: &StatsScope) -> Result<StatusCounts, StoreError> {
    let mut tally = Tally::default();
    // Lists are filled up, at most by a half.
    for flows in ids_of(scope).chunks(backend::MAX_BINDS / 4) {
        let rows: Vec<(i64, i64, i64, i64, i64)> = flow_stats::table
            .filter(
                one_of(flow_stats::flow_id, flows.to_vec()).and(flow_stats::period.eq(Period::All.as_str())),
            )
            .select((
                flow_stats::pending,
                flow_stats::fulfilled - flow_stats::removed_fulfilled,
                flow_stats::error - flow_stats::removed_error,
                flow_stats::aborted - flow_stats::removed_aborted,
                flow_stats::rejected - flow_stats::removed_rejected,
            ))
            .load(conn)
            .map_err(backend::translate)?;
        for (pending, fulfilled, error, aborted, rejected) in rows {
            tally.merge(&Tally { pending, fulfilled, error, aborted, rejected, ..Tally::default() }, 1);
        }
    }
    for (prune, counted) in prune::shares(conn, scope)? {
        tally.merge(&going(conn, &prune, &counted, (None, None))?, -1);
    }
    Ok(StatusCounts::of_tally(&tally))
}

/// When the execution was recorded that was recorded last.
pub(crate) fn last_recorded_at(conn: &mut Conn) -> Result<Option<OffsetDateTime>, StoreError> {
    let slots: Vec<Option<At>> = flow_stats::table
        .filter(flow_stats::flow_id.eq(ALL_FLOWS).and(flow_stats::period.eq(Period::All.as_str())))
        .select(flow_stats::last_recorded_at)
        .load(conn)
        .map_err(backend::translate)?;
    Ok(slots.into_iter().flatten().max().map(|at| at.0))
}

/// How many executions of a flow began in the hours from this one on, those that were deleted too; without rejected calls.
pub(crate) fn runs_since(conn: &mut Conn, flow: Id, hour: OffsetDateTime) -> QueryResult<i64> {
    let rows: Vec<i64> = flow_stats::table
        .filter(flow_stats::flow_id.eq(flow).and(flow_stats::period.eq(Period::Hour.as_str())))
        .filter(flow_stats::bucket.ge(At(hour)))
        .select(
            flow_stats::pending + flow_stats::fulfilled + flow_stats::error + flow_stats::aborted
                - flow_stats::rejected,
        )
        .load(conn)?;
    Ok(rows.iter().sum())
}

/// All that ended in the hours before this one, or ever.
pub(crate) fn ended_before(
    conn: &mut Conn,
    flow: Id,
    hour: Option<OffsetDateTime>,
) -> Result<Tally, StoreError> {
    Ok(ended_part(sum(conn, &[flow], (None, hour))?.stored()))
}
