//! When the newest execution began: of some hours, and of each hour or day.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use flowtrail_store::StoreError;
use flowtrail_types::{ExecutionFilter, ExecutionQuery, FlowId, StatsQuery, StatsScope, Step};
use time::OffsetDateTime;

use super::super::backend::sql::{AtSql, IdSql};
use super::super::backend::{self, Conn};
use super::super::prune;
use super::list::list;
use crate::columns::{At, Id};

/// The flows of a scope; none stands for all of them.
fn flows(scope: &StatsScope) -> Vec<Option<FlowId>> {
    match scope {
        StatsScope::All => vec![None],
        StatsScope::Flows(flows) => flows.iter().copied().map(Some).collect(),
    }
}

pub(super) fn last_started_at(
    conn: &mut Conn,
    query: &StatsQuery,
) -> Result<Option<OffsetDateTime>, StoreError> {
    let hours = query.hours();
    let mut newest = None;
    for flow in flows(&query.scope) {
        newest = newest.max(newest_of(conn, flow, hours)?);
    }
    Ok(newest)
}

type Hours = (Option<OffsetDateTime>, Option<OffsetDateTime>);

fn newest_of(
    conn: &mut Conn,
    flow: Option<FlowId>,
    (from, to): Hours,
) -> Result<Option<OffsetDateTime>, StoreError> {
    let filter = ExecutionFilter { flow, from, to, ..ExecutionFilter::default() };
    let found = list(conn, &ExecutionQuery::newest(filter, 1))?;
    Ok(found.items.first().map(|newest| newest.started_at))
}

pub(super) fn last_started_by(
    conn: &mut Conn,
    query: &StatsQuery,
    step: Step,
) -> Result<Vec<(OffsetDateTime, OffsetDateTime)>, StoreError> {
    let hours = query.hours();
    // What a prune has taken away stands among the rows until it is deleted.
    let is_pruning = !prune::active(conn, &query.scope)?.is_empty();
    let mut last: BTreeMap<OffsetDateTime, OffsetDateTime> = BTreeMap::new();
    let mut add = |at: OffsetDateTime| {
        let newest = last.entry(step.begin(at)).or_insert(at);
        *newest = at.max(*newest);
    };
    for flow in flows(&query.scope) {
        if is_pruning {
            let (from, mut to) = hours;
            while let Some(newest) = newest_of(conn, flow, (from, to))? {
                add(newest);
                to = Some(step.begin(newest));
            }
        } else {
            by_counters(conn, flow, hours, step)?.into_iter().for_each(&mut add);
        }
    }
    Ok(last.into_iter().collect())
}

#[derive(QueryableByName)]
struct Newest {
    #[diesel(sql_type = Nullable<AtSql>)]
    started_at: Option<At>,
}

/// The newest of each hour or day that the counters know of, by one look at an index each.
fn by_counters(
    conn: &mut Conn,
    flow: Option<FlowId>,
    (from, to): Hours,
    step: Step,
) -> Result<Vec<OffsetDateTime>, StoreError> {
    let (period, length) = match step {
        Step::Hour => ("hour", backend::ONE_HOUR),
        Step::Day => ("day", backend::ONE_DAY),
    };
    let from = from.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    // After the last time that is taken.
    let to = to.unwrap_or(time::macros::datetime!(9999-01-01 0:00 UTC));
    let [p1, p2, p3, p4, p5, p6, p7] = backend::PARAMETERS;
    let of_flow = if flow.is_some() { format!("e.flow_id = {p1} AND ") } else { String::new() };
    // Bound in both cases, so that the numbers are those of one statement.
    let same_flow = if flow.is_some() { String::new() } else { format!("{p1} = {p1} AND ") };
    let statement = format!(
        "SELECT (SELECT e.started_at FROM executions AS e WHERE {of_flow}e.started_at >= s.bucket \
         AND e.started_at < s.bucket + {length} AND e.started_at >= {p2} AND e.started_at < {p3} \
         ORDER BY e.started_at DESC, e.id DESC LIMIT 1) AS started_at \
         FROM (SELECT DISTINCT bucket FROM flow_stats WHERE {same_flow}flow_id = {p4} AND period = {p5} \
         AND bucket >= {p6} AND bucket < {p7}) AS s"
    );
    let id = Id(flow.map_or(uuid::Uuid::nil(), |flow| *flow.as_uuid()));
    let found: Vec<Newest> = diesel::sql_query(statement)
        .bind::<IdSql, _>(id)
        .bind::<AtSql, _>(At(from))
        .bind::<AtSql, _>(At(to))
        .bind::<IdSql, _>(id)
        .bind::<Text, _>(period)
        .bind::<AtSql, _>(At(step.begin(from)))
        .bind::<AtSql, _>(At(to))
        .load(conn)
        .map_err(backend::translate)?;
    Ok(found.into_iter().filter_map(|newest| newest.started_at).map(|at| at.0).collect())
}
