//! Pages of executions.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use diesel::prelude::*;
use flowtrail_store::{Counted, Ended, EndedPage, EndedQuery, Found, StoreError};
use flowtrail_types::{
    ExecutionFilter, ExecutionId, ExecutionQuery, ExecutionStatus, ExecutionSummary, FlowId, Place,
    StatsScope, UserId, Visibility,
};
use time::OffsetDateTime;

use super::super::backend::{self, Conn, Db};
use super::super::corrupt;
use super::super::prune::{self, ActivePrune, shown};
use super::super::schema::{executions, prunes};
use super::lookup::{Joined, into_summary};
use super::seek;
use super::walk::{Walk, Walked};
use crate::columns::{At, Id};

/// Pages that begin after so many rows are found by the counters: up to here walking is as fast.
const SEEK_FROM: u64 = 1_000;

pub(super) fn list(conn: &mut Conn, query: &ExecutionQuery) -> Result<Found, StoreError> {
    let scope = query.filter.flow.map_or(StatsScope::All, |flow| StatsScope::Flows(vec![flow]));
    let prunes = prune::active(conn, &scope)?;
    let (offset, limit) = (i64::try_from(query.offset).unwrap_or(i64::MAX), i64::from(query.limit));
    let walked = match &query.visibility {
        Visibility::All => list_all(conn, &walk(query, &prunes), query.offset, limit)?,
        Visibility::Limited { flows, user, own_in } => {
            merge(conn, query, &prunes, (flows, *user, own_in), offset, limit)?
        }
    };
    let items = walked.rows.into_iter().map(into_summary).collect::<Result<_, _>>()?;
    Ok(Found { items, searched_to: walked.searched_to })
}

fn walk<'a>(query: &'a ExecutionQuery, prunes: &'a [ActivePrune]) -> Walk<'a> {
    Walk {
        filter: &query.filter,
        flows: None,
        only_of: None,
        as_of: query.as_of,
        prunes,
        upper: query.after.map(|cursor| cursor.place()),
        before: None,
        lower: None,
    }
}

fn list_all(conn: &mut Conn, walk: &Walk<'_>, offset: u64, limit: i64) -> Result<Walked, StoreError> {
    let rows_left_out = i64::try_from(offset).unwrap_or(i64::MAX);
    if let (Some(flow), [prune]) = (walk.filter.flow, walk.prunes) {
        return list_beside_prune(conn, walk, flow, prune, rows_left_out, limit);
    }
    if offset >= SEEK_FROM && walk.filter.is_counted() && walk.prunes.is_empty() && walk.upper.is_none() {
        let Some(start) = seek::find(conn, walk, rows_left_out).map_err(backend::translate)? else {
            return Ok(Walked::default());
        };
        return Walk { before: Some(start.before), ..walk.clone() }.rows(conn, start.offset, limit);
    }
    walk.rows(conn, rows_left_out, limit)
}

/// A list of a flow that is being pruned: what stands above the place of the prune is all there, and below it is looked
/// only if something has stayed there.
fn list_beside_prune(
    conn: &mut Conn,
    walk: &Walk<'_>,
    flow: FlowId,
    prune: &ActivePrune,
    offset: i64,
    limit: i64,
) -> Result<Walked, StoreError> {
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
            // Nothing of the page stands above: so many less are to be left out below.
            left_out -= above.count(conn, u32::MAX)?.count.try_into().unwrap_or(i64::MAX);
        } else {
            left_out = 0;
        }
    }
    if !has_survivors(conn, flow, prune).map_err(backend::translate)? {
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

/// Whether something stays below the place of a prune: what was pending when it began, and what was written since.
fn has_survivors(conn: &mut Conn, flow: FlowId, prune: &ActivePrune) -> QueryResult<bool> {
    let flow = Id(*flow.as_uuid());
    let mut pending = executions::table
        .filter(executions::flow_id.eq(flow).and(executions::deadline_at.is_not_null()))
        .select(executions::id)
        .limit(1)
        .into_boxed::<Db>();
    if let Some(below) = prune.below() {
        pending = pending.filter(executions::started_at.le(At(below.started_at)));
    }
    Ok(pending.first::<Id>(conn).optional()?.is_some() || prune::has_late(conn, flow)?)
}

/// How many rows of a merged list are read at once.
const CHUNK: i64 = 32;

/// What of the history may be seen: all of some flows, and of others what a user started.
type Limits<'a> = (&'a [FlowId], UserId, &'a [FlowId]);

/// Merges a list for each flow that may be seen whole, and one of the user's own in other flows. A list is read only when
/// its newest execution may be the next one.
fn merge(
    conn: &mut Conn,
    query: &ExecutionQuery,
    prunes: &[ActivePrune],
    (seen_flows, user, own_in): Limits<'_>,
    offset: i64,
    limit: i64,
) -> Result<Walked, StoreError> {
    let upper = query.after.map(|cursor| cursor.place());
    let mut filters: Vec<(ExecutionFilter, bool)> = seen_flows
        .iter()
        .filter(|flow| query.filter.flow.is_none_or(|wanted| wanted == **flow))
        .map(|flow| (ExecutionFilter { flow: Some(*flow), ..query.filter.clone() }, false))
        .collect();
    if !own_in.is_empty() {
        filters.push((query.filter.clone(), true));
    }
    let mut heap: BinaryHeap<(Place, Reverse<usize>, bool)> = BinaryHeap::new();
    let mut loaded: Vec<VecDeque<Joined>> = Vec::new();
    let mut continued: Vec<Option<Option<Place>>> = Vec::new();
    for (number, (filter, is_own)) in filters.iter().enumerate() {
        let walk = Walk {
            filter,
            flows: is_own.then_some(own_in),
            only_of: is_own.then_some(user),
            as_of: query.as_of,
            prunes,
            upper,
            before: None,
            lower: None,
        };
        // A place that none of its executions stands above.
        if let Some(newest) = walk.place_at(conn, 0).map_err(backend::translate)? {
            heap.push((newest, Reverse(number), false));
        }
        loaded.push(VecDeque::new());
        continued.push(Some(upper));
    }
    let mut found = Walked::default();
    let mut left_out = offset;
    // Below this place nothing is known of one of the lists: no list goes further.
    let mut floor: Option<Place> = None;
    while let Some((place, Reverse(number), is_row)) = heap.pop() {
        if floor.is_some_and(|floor| place < floor) {
            break;
        }
        if is_row && let Some(row) = loaded[number].pop_front() {
            if left_out > 0 {
                left_out -= 1;
            } else {
                found.rows.push(row);
                if found.rows.len() as i64 >= limit {
                    return Ok(found);
                }
            }
        }
        if loaded[number].is_empty() {
            let Some(upper) = continued[number] else { continue };
            let (filter, is_own) = &filters[number];
            let walk = Walk {
                filter,
                flows: is_own.then_some(own_in),
                only_of: is_own.then_some(user),
                as_of: query.as_of,
                prunes,
                upper,
                before: None,
                lower: None,
            };
            let walked = walk.rows(conn, 0, CHUNK)?;
            if let Some(searched_to) = walked.searched_to
                && walked.rows.is_empty()
            {
                floor = floor.max(Some(searched_to));
                continued[number] = None;
                continue;
            }
            let last = walked.rows.last().map(place_of);
            continued[number] = last.map(Some);
            loaded[number] = walked.rows.into();
        }
        if let Some(row) = loaded[number].front() {
            heap.push((place_of(row), Reverse(number), true));
        }
    }
    found.searched_to = floor;
    Ok(found)
}

fn place_of(row: &Joined) -> Place {
    Place { started_at: row.0.started_at.0, id: ExecutionId::from_uuid(row.0.id.0) }
}

pub(super) fn count(conn: &mut Conn, query: &ExecutionQuery, bound: u32) -> Result<Counted, StoreError> {
    let prunes = prune::active(conn, &StatsScope::All)?;
    let Visibility::Limited { flows: seen_flows, user, own_in } = &query.visibility else {
        return walk(query, &prunes).count(conn, bound);
    };
    let mut sum = Counted { count: 0, is_exact: true };
    let filters = seen_flows
        .iter()
        .filter(|flow| query.filter.flow.is_none_or(|wanted| wanted == **flow))
        .map(|flow| (ExecutionFilter { flow: Some(*flow), ..query.filter.clone() }, false))
        .chain((!own_in.is_empty()).then(|| (query.filter.clone(), true)));
    for (filter, is_own) in filters {
        let left = u64::from(bound).saturating_sub(sum.count);
        if left == 0 {
            sum.is_exact = false;
            break;
        }
        let walk = Walk {
            filter: &filter,
            flows: is_own.then_some(own_in),
            only_of: is_own.then_some(*user),
            as_of: query.as_of,
            prunes: &prunes,
            upper: query.after.map(|cursor| cursor.place()),
            before: None,
            lower: None,
        };
        let counted = walk.count(conn, u32::try_from(left).unwrap_or(bound))?;
        sum.count += counted.count;
        sum.is_exact &= counted.is_exact;
    }
    Ok(sum)
}

/// The newest executions of a flow.
pub(crate) fn newest(conn: &mut Conn, flow: FlowId, limit: u32) -> Result<Vec<ExecutionSummary>, StoreError> {
    let query = ExecutionQuery {
        filter: ExecutionFilter::of_flow(flow),
        visibility: Visibility::All,
        as_of: None,
        after: None,
        offset: 0,
        limit,
    };
    Ok(list(conn, &query)?.items)
}

/// When the newest execution began, of some flows or of all.
pub(super) fn last_started_at(
    conn: &mut Conn,
    scope: &StatsScope,
) -> Result<Option<OffsetDateTime>, StoreError> {
    let mut query = ExecutionQuery {
        filter: ExecutionFilter::default(),
        visibility: Visibility::All,
        as_of: None,
        after: None,
        offset: 0,
        limit: 1,
    };
    let StatsScope::Flows(of) = scope else {
        return Ok(list(conn, &query)?.items.first().map(|newest| newest.started_at));
    };
    let mut newest = None;
    for flow in of {
        query.filter.flow = Some(*flow);
        newest = newest.max(list(conn, &query)?.items.first().map(|newest| newest.started_at));
    }
    Ok(newest)
}

type EndedRow = (At, Id, Id, String, i64, bool);

pub(super) fn list_ended(conn: &mut Conn, query: &EndedQuery) -> Result<EndedPage, StoreError> {
    let scope = query.flow.map_or(StatsScope::All, |flow| StatsScope::Flows(vec![flow]));
    let active = prune::active(conn, &scope)?;
    let mut rows = executions::table
        .select((
            executions::started_at,
            executions::id,
            executions::flow_id,
            executions::status,
            executions::bytes,
            executions::deadline_at.is_null(),
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
    if let Some(after) = query.after {
        let (at, id) = (At(after.started_at), Id(*after.id.as_uuid()));
        rows = rows
            .filter(executions::started_at.ge(at))
            .filter(executions::started_at.gt(at).or(executions::id.gt(id)));
    }
    let mut rows: Vec<EndedRow> = shown!(active, rows).load(conn).map_err(backend::translate)?;
    let has_more = rows.len() > query.limit as usize;
    rows.truncate(query.limit as usize);
    let place = |row: &EndedRow| Place { started_at: row.0.0, id: ExecutionId::from_uuid(row.1.0) };
    let searched_to = rows.last().filter(|_| has_more).map(place);
    let mut items = Vec::with_capacity(rows.len());
    for row in rows.iter().filter(|row| row.5) {
        let status: ExecutionStatus =
            row.3.parse().map_err(|error| corrupt("executions", "status", row.1.0, format!("{error}")))?;
        items.push(Ended { place: place(row), flow: FlowId::from_uuid(row.2.0), status, bytes: row.4 });
    }
    Ok(EndedPage { items, searched_to })
}
