//! Beginning a prune.

use diesel::prelude::*;
use flowtrail_store::{NewPrune, StoreError};
use flowtrail_types::{Place, StatsScope, Tally};
use time::OffsetDateTime;

use super::super::audit;
use super::backend::{self, Conn};
use super::rows::PruneRow;
use super::schema::{executions, prune_late, prunes};
use super::statistics::{self, ALL_FLOWS, CountedRow};
use super::steps::{self, Work};
use super::store::WriteError;
use super::{ActivePrune, DieselStore, active, late, shares};
use crate::columns::{At, Id};

/// How a prune begins.
enum Begun {
    /// It has, and so many executions are gone by it.
    Gone(u64),
    /// Other rows must be deleted first.
    After(Work),
}

/// Begins a prune, and tells how many executions are gone by it.
pub(crate) fn begin(store: &DieselStore, wish: &NewPrune) -> Result<u64, StoreError> {
    wish.check()?;
    loop {
        match store.write(|conn, _| begin_one(conn, wish))? {
            Begun::Gone(gone) => return Ok(gone),
            Begun::After(work) => steps::work_on(store, 1_000, work)?,
        };
    }
}

fn begin_one(conn: &mut Conn, wish: &NewPrune) -> Result<Begun, WriteError> {
    backend::lock_prunes(conn)?;
    backend::wait_for_writers(conn)?;
    let there = active(conn, &StatsScope::All)?;
    let begun = match wish.flow {
        Some(flow) => begin_of_flow(conn, Id(*flow.as_uuid()), wish.below, &there)?,
        None => begin_of_all(conn, wish.below, &there)?,
    };
    if matches!(begun, Begun::Gone(_)) {
        audit::note(conn)?;
    }
    Ok(begun)
}

fn begin_of_flow(
    conn: &mut Conn,
    flow: Id,
    below: Option<Place>,
    there: &[ActivePrune],
) -> Result<Begun, WriteError> {
    let before = there.iter().find(|prune| prune.flow == flow);
    if let Some(before) = before {
        // Of the one that goes on more is being deleted than this one wants: it is ended first.
        if before.reaches_further_than(below) && steps::has_rows(conn, before, Some(flow))? {
            return Ok(Begun::After(Work::Of(flow)));
        }
    } else if let Some(all) = there.iter().find(|prune| prune.is_of_all())
        && (steps::has_rows(conn, all, Some(flow))?
            || statistics::going(conn, all, &[flow], (None, None))? != Tally::default())
    {
        // From now on this one decides for the flow.
        return Ok(Begun::After(Work::Within(flow)));
    }
    let (mark, _) = backend::next_mark(conn)?;
    let mut begun = ActivePrune { flow, mark, below, resume: None, edge: Tally::default() };
    let going_before = match before {
        Some(before) => statistics::going(conn, before, &[flow], (None, None))?.total(),
        None => 0,
    };
    if let (Some(below), Some(hour)) = (below, begun.edge_hour()) {
        begun.edge = count_between(conn, flow, hour, below)?;
    }
    let in_hours_before = statistics::ended_before(conn, flow, begun.edge_hour())?;
    let total = in_hours_before.total() + begun.edge.total();
    if total > going_before || before.is_some() {
        diesel::delete(prunes::table.find(flow)).execute(conn)?;
        late::forget(conn, &[flow])?;
        diesel::insert_into(prunes::table).values(PruneRow::new(&begun)).execute(conn)?;
    }
    Ok(Begun::Gone(u64::try_from(total - going_before).unwrap_or(0)))
}

fn begin_of_all(conn: &mut Conn, below: Option<Place>, there: &[ActivePrune]) -> Result<Begun, WriteError> {
    for prune in there.iter().filter(|prune| prune.reaches_further_than(below)) {
        // That of all is over when what it deleted is counted.
        if prune.is_of_all() || steps::has_rows(conn, prune, prune.own_flow())? {
            return Ok(Begun::After(Work::Of(prune.flow)));
        }
    }
    let (mark, _) = backend::next_mark(conn)?;
    let begun = ActivePrune { flow: ALL_FLOWS, mark, below, resume: None, edge: Tally::default() };
    let mut going_before = 0;
    for (prune, counted) in shares(conn, &StatsScope::All)? {
        going_before += statistics::going(conn, &prune, &counted, (None, None))?.total();
    }
    let total = statistics::ended_before(conn, ALL_FLOWS, begun.edge_hour())?.total();
    if total > going_before {
        // All others end below its place, or have nothing left to delete: it covers what they cover.
        diesel::delete(prunes::table).execute(conn)?;
        diesel::delete(prune_late::table).execute(conn)?;
        diesel::insert_into(prunes::table).values(PruneRow::new(&begun)).execute(conn)?;
    }
    Ok(Begun::Gone(u64::try_from(total - going_before).unwrap_or(0)))
}

/// What ended of a flow's executions from the beginning of an hour up to a place.
fn count_between(conn: &mut Conn, flow: Id, hour: OffsetDateTime, below: Place) -> Result<Tally, WriteError> {
    let (at, id) = (At(below.started_at), Id(*below.id.as_uuid()));
    let rows: Vec<CountedRow> = executions::table
        .filter(executions::flow_id.eq(flow).and(executions::deadline_at.is_null()))
        .filter(executions::started_at.ge(At(hour)).and(executions::started_at.le(at)))
        .filter(executions::started_at.lt(at).or(executions::id.lt(id)))
        .select(CountedRow::as_select())
        .load(conn)?;
    let mut tally = Tally::default();
    for row in rows {
        row.count_in(&mut tally)?;
    }
    Ok(tally)
}
