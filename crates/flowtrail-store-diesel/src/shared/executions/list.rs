//! Pages of executions.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use flowtrail_store::{Counted, Ended, EndedPage, EndedQuery, Found, ImportedOf, StoreError};
use flowtrail_types::{
    ExecutionFilter, ExecutionId, ExecutionQuery, ExecutionStatus, ExecutionSummary, FlowId, Place, SortKey,
    StatsScope, Visibility,
};
use time::OffsetDateTime;

use super::super::backend::{self, Conn, Db};
use super::super::corrupt;
use super::super::damage::{left_out, sound};
use super::super::prune::{self, ActivePrune};
use super::super::schema::executions;
use super::super::statistics;
use super::by_duration::{self, Floor};
use super::lookup::{self, Joined, into_summary};
use super::merge;
use super::named::{self, Named};
use super::seek::{self, Sought};
use super::walk::{DEEPEST, MOST, Walk, Walked};
use crate::columns::{At, Id};

/// Pages that begin after so many rows are found by the counters: up to here walking is as fast.
const SEEK_FROM: u64 = 1_000;

pub(super) fn list(conn: &mut Conn, query: &ExecutionQuery) -> Result<Found, StoreError> {
    match named::named(conn, query)? {
        Named::Execution(summary) => Ok(named::page(*summary, query)),
        Named::Flow(of_flow) => list_found(conn, &of_flow),
        Named::Nothing => list_found(conn, query),
    }
}

fn list_found(conn: &mut Conn, query: &ExecutionQuery) -> Result<Found, StoreError> {
    let scope = query.filter.flow.map_or(StatsScope::All, |flow| StatsScope::Flows(vec![flow]));
    let prunes = prune::active(conn, &scope)?;
    let walk = walk(query, anchor(conn, query)?, &prunes);
    let limit = i64::from(query.limit);
    let limited = limited(&walk, &query.visibility);
    if query.sort == SortKey::Duration {
        return by_duration::list(conn, &limited.unwrap_or_else(|| vec![walk]), query);
    }
    let walked = match limited {
        None => list_all(conn, &walk, query.offset, limit)?,
        Some(walks) => list_several(conn, walks, rows_left_out(query.offset), limit)?,
    };
    let is_full = walked.rows.len() as i64 >= limit;
    let last = walked.rows.last().map(|(row, ..)| row.place());
    let (items, damaged) = sound(walked.rows.into_iter().map(into_summary))?;
    // Without the damaged rows a full page may look like the last one.
    let searched_to = walked.searched_to.or(last.filter(|_| is_full && !damaged.is_empty()));
    Ok(Found { items, searched_to, sorted: None, damaged })
}

/// The anchor, if it leaves anything out. Most do not, and their lists need not be searched for what came later.
fn anchor(conn: &mut Conn, query: &ExecutionQuery) -> Result<Option<OffsetDateTime>, StoreError> {
    let Some(as_of) = query.as_of else { return Ok(None) };
    let last = statistics::last_recorded_at(conn)?;
    Ok(last.filter(|last| *last > as_of).map(|_| as_of))
}

fn walk<'a>(query: &'a ExecutionQuery, as_of: Option<OffsetDateTime>, prunes: &'a [ActivePrune]) -> Walk<'a> {
    Walk {
        filter: query.filter.clone(),
        flows: None,
        only_of: None,
        visible: None,
        as_of,
        prunes,
        upper: query.after.and_then(|cursor| cursor.place()),
        before: None,
        lower: None,
    }
}

/// A list for each flow that may be seen whole, and one of the user's own in other flows; None when all may be seen.
fn limited<'a>(walk: &Walk<'a>, visibility: &'a Visibility) -> Option<Vec<Walk<'a>>> {
    let Visibility::Limited { flows, user, own_in } = visibility else { return None };
    // The index of tags is of all flows.
    if walk.filter.tag.is_some() {
        return Some(vec![Walk { visible: Some(visibility), ..walk.clone() }]);
    }
    let mut walks: Vec<Walk<'a>> = flows
        .iter()
        .filter(|flow| walk.filter.flow.is_none_or(|wanted| wanted == **flow))
        .map(|flow| {
            let filter = ExecutionFilter { flow: Some(*flow), ..walk.filter.clone() };
            Walk { filter, ..walk.clone() }
        })
        .collect();
    if !own_in.is_empty() {
        walks.push(Walk { flows: Some(own_in), only_of: Some(*user), ..walk.clone() });
    }
    Some(walks)
}

/// Whether rows are looked at for what no index has at all. Of several lists they are then bounded together: each by itself
/// would be searched to its own bound for a text that none of them has.
fn is_searched(walks: &[Walk<'_>]) -> bool {
    let is_searched = |walk: &Walk<'_>| walk.filter.text.is_some() || !walk.filter.duration.is_any();
    walks.len() > 1 && walks.iter().any(is_searched)
}

fn list_several(
    conn: &mut Conn,
    mut walks: Vec<Walk<'_>>,
    offset: i64,
    limit: i64,
) -> Result<Walked<Joined>, StoreError> {
    let mut floor = None;
    if is_searched(&walks) {
        floor = Floor::find(conn, &walks, MOST)?.place();
        walks = walks.iter().map(|walk| walk.down_to(floor)).collect();
    }
    let merged = merge::merge(conn, walks, offset, limit)?;
    let is_full = merged.rows.len() as i64 >= limit;
    let searched_to = if is_full { merged.searched_to } else { merged.searched_to.max(floor) };
    let rows = lookup::rows_at(conn, &merged.rows).map_err(backend::translate)?;
    Ok(Walked { rows, searched_to })
}

fn rows_left_out(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

fn list_all(conn: &mut Conn, walk: &Walk<'_>, offset: u64, limit: i64) -> Result<Walked<Joined>, StoreError> {
    let left_out = rows_left_out(offset);
    if let [prune] = walk.prunes
        && (walk.filter.flow.is_some() || prune.is_of_all())
    {
        return list_beside_prune(conn, walk, prune, left_out, limit);
    }
    if offset >= SEEK_FROM && walk.filter.is_counted() && walk.prunes.is_empty() && walk.upper.is_none() {
        match seek::find(conn, walk, left_out).map_err(backend::translate)? {
            Sought::Found(start) => {
                let below = Walk { before: Some(start.before), ..walk.clone() };
                return below.found_rows(conn, start.offset, limit);
            }
            Sought::Nowhere => return Ok(Walked::default()),
            Sought::GivenUp => {}
        }
    }
    walk.rows(conn, left_out, limit)
}

/// A list of what one prune decides about, a flow or all of them: what stands above the place of the prune is all there,
/// and below it is looked only if something has stayed there.
fn list_beside_prune(
    conn: &mut Conn,
    walk: &Walk<'_>,
    prune: &ActivePrune,
    offset: i64,
    limit: i64,
) -> Result<Walked<Joined>, StoreError> {
    let mut found = Walked::default();
    let mut left_out = offset;
    if let Some(below) = prune.below()
        && walk.upper.is_none_or(|upper| upper > below)
    {
        let above = Walk { lower: Some(below), prunes: &[], ..walk.clone() };
        found = above.rows(conn, offset, limit)?;
        if found.searched_to.is_some() || found.rows.len() as i64 >= limit {
            return Ok(found);
        }
        if offset > 0 && found.rows.is_empty() {
            // Nothing of the page stands above: so many less are to be left out below. All of them were passed over, so
            // there are no more than may be.
            left_out -= above.count(conn, DEEPEST + 1)?.count.try_into().unwrap_or(i64::MAX);
        } else {
            left_out = 0;
        }
    }
    if !has_survivors(conn, walk.filter.flow, prune).map_err(backend::translate)? {
        return Ok(found);
    }
    let upper = match (walk.upper, prune.below()) {
        (Some(upper), Some(below)) => Some(upper.min(below)),
        (upper, below) => upper.or(below),
    };
    let wanted = limit - i64::try_from(found.rows.len()).unwrap_or(limit);
    let survivors = Walk { upper, ..walk.clone() }.rows(conn, left_out.max(0), wanted)?;
    found.rows.extend(survivors.rows);
    found.searched_to = survivors.searched_to;
    Ok(found)
}

/// Whether something stays below the place of a prune, of a flow or of all: what was pending when it began, and what was
/// written since.
fn has_survivors(conn: &mut Conn, flow: Option<FlowId>, prune: &ActivePrune) -> QueryResult<bool> {
    let flow = flow.map(|flow| Id(*flow.as_uuid()));
    let mut pending = executions::table
        .filter(executions::deadline_at.is_not_null())
        .select(executions::id)
        .limit(1)
        .into_boxed::<Db>();
    if let Some(flow) = flow {
        pending = pending.filter(executions::flow_id.eq(flow));
    }
    if let Some(below) = prune.below() {
        pending = pending.filter(executions::started_at.le(At(below.started_at)));
    }
    let is_any_pending = pending.first::<Id>(conn).optional()?.is_some();
    Ok(is_any_pending || prune::has_late(conn, flow.unwrap_or(statistics::ALL_FLOWS))?)
}

pub(super) fn count(conn: &mut Conn, query: &ExecutionQuery, bound: u32) -> Result<Counted, StoreError> {
    match named::named(conn, query)? {
        Named::Execution(_) => Ok(Counted { count: 1, is_exact: true }),
        Named::Flow(of_flow) => count_found(conn, &of_flow, bound),
        Named::Nothing => count_found(conn, query, bound),
    }
}

fn count_found(conn: &mut Conn, query: &ExecutionQuery, bound: u32) -> Result<Counted, StoreError> {
    let prunes = prune::active(conn, &StatsScope::All)?;
    let walk = walk(query, anchor(conn, query)?, &prunes);
    let Some(walks) = limited(&walk, &query.visibility) else { return walk.count(conn, bound) };
    if !is_searched(&walks) {
        return merge::count(conn, &walks, bound);
    }
    let floor = Floor::find(conn, &walks, i64::from(bound))?;
    let mut count = 0;
    for walk in &walks {
        count += walk.down_to(floor.place()).count_wanted(conn)?;
    }
    Ok(Counted { count, is_exact: floor == Floor::Bottom })
}

/// The newest executions of a flow.
pub(crate) fn newest(conn: &mut Conn, flow: FlowId, limit: u32) -> Result<Vec<ExecutionSummary>, StoreError> {
    let query = ExecutionQuery::newest(ExecutionFilter::of_flow(flow), limit);
    Ok(list(conn, &query)?.items)
}

type EndedRow = (At, Id, Id, String, i64, bool, i64, Option<At>);

pub(super) fn list_ended(conn: &mut Conn, query: &EndedQuery) -> Result<EndedPage, StoreError> {
    let scope = query.flow.map_or(StatsScope::All, |flow| StatsScope::Flows(vec![flow]));
    let prunes = prune::active(conn, &scope)?;
    let after = place_to_begin_after(conn, query, &prunes).map_err(backend::translate)?;
    let mut rows = executions::table
        .select((
            executions::started_at,
            executions::id,
            executions::flow_id,
            executions::status,
            executions::bytes,
            executions::deadline_at.is_null(),
            executions::written,
            executions::imported_at,
        ))
        .order((executions::started_at, executions::id))
        .limit(i64::from(query.limit) + 1)
        .into_boxed::<Db>();
    if let Some(flow) = query.flow {
        rows = rows.filter(executions::flow_id.eq(Id(*flow.as_uuid())));
    }
    if let Some(before) = query.before {
        rows = rows.filter(executions::started_at.lt(At(before)));
    }
    if let Some(after) = after {
        let (at, id) = (At(after.started_at), Id(*after.id.as_uuid()));
        rows = rows
            .filter(executions::started_at.ge(at))
            .filter(executions::started_at.gt(at).or(executions::id.gt(id)));
    }
    let mut rows: Vec<EndedRow> = rows.load(conn).map_err(backend::translate)?;
    let has_more = rows.len() > query.limit as usize;
    rows.truncate(query.limit as usize);
    let place = |row: &EndedRow| Place { started_at: row.0.0, id: ExecutionId::from_uuid(row.1.0) };
    let searched_to = rows.last().filter(|_| has_more).map(place);
    let mut items = Vec::with_capacity(rows.len());
    // What prunes cover is left out here: a statement that left it out would have to read all of it for one page.
    let is_gone = |row: &EndedRow| prunes.iter().any(|prune| prune.covers(row.2, place(row), row.5, row.6));
    let is_spared = |row: &EndedRow| {
        let since = query.spare_imported_since;
        row.7.as_ref().zip(since).is_some_and(|(imported, since)| imported.0 >= since)
    };
    for row in rows.iter().filter(|row| row.5 && !is_gone(row) && !is_spared(row)) {
        let status: Result<ExecutionStatus, _> = row.3.parse();
        let status = match status {
            Ok(status) => status,
            Err(error) => {
                left_out(corrupt("executions", "status", row.1.0, format!("{error}")))?;
                continue;
            }
        };
        items.push(Ended { place: place(row), flow: FlowId::from_uuid(row.2.0), status, bytes: row.4 });
    }
    Ok(EndedPage { items, searched_to })
}

pub(super) fn imported_since(conn: &mut Conn, since: OffsetDateTime) -> Result<Vec<ImportedOf>, StoreError> {
    let rows: Vec<(Id, i64, i64)> = executions::table
        .filter(executions::imported_at.ge(At(since)))
        .group_by(executions::flow_id)
        .select((
            executions::flow_id,
            diesel::dsl::count_star(),
            diesel::dsl::sql::<BigInt>("CAST(coalesce(sum(bytes), 0) AS BIGINT)"),
        ))
        .load(conn)
        .map_err(backend::translate)?;
    let of = |(flow, count, bytes): (Id, i64, i64)| ImportedOf {
        flow: FlowId::from_uuid(flow.0),
        count: u64::try_from(count).unwrap_or(0),
        bytes,
    };
    Ok(rows.into_iter().map(of).collect())
}

/// The place that is asked for, or the one below which all that ended is being pruned.
fn place_to_begin_after(
    conn: &mut Conn,
    query: &EndedQuery,
    prunes: &[ActivePrune],
) -> QueryResult<Option<Place>> {
    let counted = query.flow.map_or(statistics::ALL_FLOWS, |flow| Id(*flow.as_uuid()));
    // Nothing stands at the place of a prune of all.
    if let [prune] = prunes
        && prune.is_of_all()
        && query.after < prune.below()
        && !prune::has_late(conn, counted)?
    {
        return Ok(prune.below());
    }
    Ok(query.after)
}
