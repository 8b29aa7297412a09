//! Finding a deep page by the counters instead of walking to it.

use std::collections::BTreeMap;

use diesel::prelude::*;
use flowtrail_types::{ExecutionStatus, Step};
use time::{Duration, OffsetDateTime};

use super::super::backend::{Conn, Db};
use super::super::schema::{executions, flow_stats};
use super::super::statistics::Hours;
use super::walk::Walk;
use crate::columns::{At, Id};

/// Where a page begins: before this time, after so many executions that began before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) before: OffsetDateTime,
    pub(super) offset: i64,
}

/// Whether the counters tell where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sought {
    /// Here.
    Found(Start),
    /// There are not so many executions.
    Nowhere,
    /// Too much came after the anchor: more rows would have to be counted than is worth while.
    GivenUp,
}

/// How many rows are counted for one page, at most. Anybody may ask for a page of any anchor.
const COUNTED: i64 = 50_000;

/// To count the rows of an hour costs as much as so many rows, however few they are.
const HOUR: i64 = 100;

/// From so many days on all that are left are read together.
const MANY_DAYS: i64 = 500;

type Counted = (At, i64, i64, i64, i64, Option<At>);

/// How many executions of one hour or day there are, and when the last of them was recorded.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    /// Those that are asked for.
    count: i64,
    /// All of them, whatever their status.
    rows: i64,
    last_recorded_at: Option<OffsetDateTime>,
}

/// Where the page begins that so many executions stand before, newest first. Nothing of the flow is being pruned, and
/// nothing but flow, status and anchor is filtered by.
pub(super) fn find(conn: &mut Conn, walk: &Walk<'_>, offset: i64) -> QueryResult<Sought> {
    let flow = walk.filter.flow.map_or(super::super::statistics::ALL_FLOWS, |flow| Id(*flow.as_uuid()));
    let status = walk.filter.status;
    let (mut left, mut countable) = (offset, COUNTED);
    // The newest days first, and more of them each time: most pages are not deep.
    let (mut days, mut before) = (2, None);
    while let Some(newest) = newest_day(conn, flow, before)? {
        let from = (days <= MANY_DAYS).then(|| newest - Duration::days(days - 1));
        for (day, part) in parts(conn, flow, status, "day", (from, before))?.into_iter().rev() {
            // A day to which something was added after the anchor is counted hour by hour.
            if is_clean(walk, &part) && part.count <= left {
                left -= part.count;
                continue;
            }
            let hours = (Some(day), Some(Step::Day.after(day)));
            for (hour, part) in parts(conn, flow, status, "hour", hours)?.into_iter().rev() {
                let mut count = part.count;
                if !is_clean(walk, &part) {
                    countable -= part.rows.max(HOUR);
                    if countable < 0 {
                        return Ok(Sought::GivenUp);
                    }
                    count = count_hour(conn, walk, hour)?;
                }
                if count > left {
                    return Ok(Sought::Found(Start { before: Step::Hour.after(hour), offset: left }));
                }
                left -= count;
            }
        }
        if from.is_none() {
            break;
        }
        (days, before) = (days * 4, from);
    }
    Ok(Sought::Nowhere)
}

/// The newest day of which anything is counted, before a time.
fn newest_day(
    conn: &mut Conn,
    flow: Id,
    before: Option<OffsetDateTime>,
) -> QueryResult<Option<OffsetDateTime>> {
    let mut days = flow_stats::table
        .filter(flow_stats::flow_id.eq(flow).and(flow_stats::period.eq("day")))
        .select(flow_stats::bucket)
        .order((flow_stats::bucket.desc(), flow_stats::slot.desc()))
        .limit(1)
        .into_boxed::<Db>();
    if let Some(before) = before {
        days = days.filter(flow_stats::bucket.lt(At(before)));
    }
    Ok(days.first::<At>(conn).optional()?.map(|at| at.0))
}

fn is_clean(walk: &Walk<'_>, part: &Part) -> bool {
    match (walk.as_of, part.last_recorded_at) {
        (Some(as_of), Some(last)) => last <= as_of,
        (None, _) | (_, None) => true,
    }
}

fn parts(
    conn: &mut Conn,
    flow: Id,
    status: Option<ExecutionStatus>,
    period: &str,
    (from, to): Hours,
) -> QueryResult<BTreeMap<OffsetDateTime, Part>> {
    let mut wanted = flow_stats::table
        .filter(flow_stats::flow_id.eq(flow).and(flow_stats::period.eq(period)))
        .select((
            flow_stats::bucket,
            flow_stats::pending,
            flow_stats::fulfilled - flow_stats::removed_fulfilled,
            flow_stats::error - flow_stats::removed_error,
            flow_stats::aborted - flow_stats::removed_aborted,
            flow_stats::last_recorded_at,
        ))
        .into_boxed::<Db>();
    if let Some(from) = from {
        wanted = wanted.filter(flow_stats::bucket.ge(At(from)));
    }
    if let Some(to) = to {
        wanted = wanted.filter(flow_stats::bucket.lt(At(to)));
    }
    let mut parts: BTreeMap<OffsetDateTime, Part> = BTreeMap::new();
    for (bucket, pending, fulfilled, error, aborted, last_recorded_at) in wanted.load::<Counted>(conn)? {
        let part = parts.entry(bucket.0).or_default();
        part.count += match status {
            None => pending + fulfilled + error + aborted,
            Some(ExecutionStatus::Pending) => pending,
            Some(ExecutionStatus::Fulfilled) => fulfilled,
            Some(ExecutionStatus::Error) => error,
            Some(ExecutionStatus::Aborted) => aborted,
        };
        part.rows += pending + fulfilled + error + aborted;
        part.last_recorded_at = part.last_recorded_at.max(last_recorded_at.map(|at| at.0));
    }
    Ok(parts)
}

/// Counts the rows of an hour up to the anchor.
fn count_hour(conn: &mut Conn, walk: &Walk<'_>, hour: OffsetDateTime) -> QueryResult<i64> {
    let mut wanted = executions::table
        .filter(
            executions::started_at.ge(At(hour)).and(executions::started_at.lt(At(Step::Hour.after(hour)))),
        )
        .count()
        .into_boxed::<Db>();
    if let Some(flow) = walk.filter.flow {
        wanted = wanted.filter(executions::flow_id.eq(Id(*flow.as_uuid())));
    }
    if let Some(status) = walk.filter.status {
        wanted = wanted.filter(executions::status.eq(status.as_str()));
    }
    if let Some(as_of) = walk.as_of {
        wanted = wanted.filter(executions::created_at.le(At(as_of)));
    }
    wanted.get_result(conn)
}
