//! Deleting the rows of what prunes took out of every answer, step by step.

use std::collections::BTreeMap;

use diesel::prelude::*;
use flowtrail_store::{PruneStep, StoreError};
use flowtrail_types::{ExecutionId, FlowId, Place, StatsScope};

use super::backend::{self, Conn, Db, Purpose};
use super::delete::{delete_covered, delete_rows};
use super::rows::PruneRow;
use super::schema::{executions, prunes};
use super::settle::{self, Settled};
use super::statistics::{Slots, StatsWriter};
use super::store::WriteError;
use super::{ActivePrune, DieselStore, Tallies, active, late};
use crate::columns::{At, Id};

/// Whose rows a step deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Those of the prune of all, otherwise of the prune that waits longest, or of many together.
    Next,
    /// Those of the prune that stands under this id.
    Of(Id),
    /// Those of this flow that the prune of all covers.
    Within(Id),
}

/// From so many prunes on their rows are deleted together, in the order of time: what is deleted then stands side by side
/// in the tables, and costs a fraction of what it costs flow by flow.
const TOGETHER: usize = 8;

/// Deletes rows of what waits.
pub(crate) fn step(store: &DieselStore, limit: u32) -> Result<PruneStep, StoreError> {
    work_on(store, limit, Work::Next)
}

/// Deletes rows of one prune, or of many together.
pub(super) fn work_on(store: &DieselStore, limit: u32, work: Work) -> Result<PruneStep, StoreError> {
    const NOTHING: PruneStep = PruneStep { deleted: 0, is_done: true };
    // Without a look there would be a write for nothing, every time.
    if active(&mut *store.reader()?, &StatsScope::All)?.is_empty() {
        return Ok(NOTHING);
    }
    let before = *store.settled();
    // A step that a crash takes back is done again: nobody waits for the disk.
    let (step, settled) = store.write_unflushed(Purpose::Other, |conn, stats| {
        backend::lock_prunes(conn)?;
        let waiting = active(conn, &StatsScope::All)?;
        let worked_on = chosen(&waiting, work);
        if let [all] = worked_on
            && all.is_of_all()
        {
            return work_on_all(conn, (stats, store.slots()), (all, &waiting), limit, (work, before));
        }
        let doomed = match worked_on {
            [] => return Ok((NOTHING, None)),
            [one] => next_rows(conn, one, one.own_flow(), limit)?,
            many => next_rows_of_many(conn, many, limit)?,
        };
        let is_over = (doomed.len() as u64) < u64::from(limit);
        let last = last_of(&doomed);
        let ids: Vec<Id> = doomed.into_iter().map(|row| row.1).collect();
        let (_, tallies) = delete_rows(conn, &ids)?;
        stats.add(conn, store.slots(), &BTreeMap::new(), &tallies)?;
        let beside = waiting.iter().find(|all| all.is_of_all());
        if let Some(all) = beside {
            let slot = stats.slot(conn, store.slots())?;
            late::note_gone_beside(conn, all, slot, &tallies)?;
        }
        if !is_over {
            note_progress(conn, worked_on, &tallies, last.filter(|_| work == Work::Next))?;
        } else if beside.is_none() {
            end(conn, worked_on)?;
        } else {
            // This flow is done with, the prune of all is not. Until that is over the flow's own prune stays, without
            // anything to delete: it tells that nothing of the flow is covered any more.
            note_progress(conn, worked_on, &tallies, None)?;
        }
        let is_done = is_over && worked_on.len() == waiting.len();
        Ok((PruneStep { deleted: ids.len() as u64, is_done }, None))
    })?;
    // Counting writes pages as well, in about the same number.
    backend::wrote(store, usize::try_from(limit / 2).unwrap_or(0));
    *store.settled() = settled;
    Ok(step)
}

/// Deletes rows that the prune of all covers, of one flow or of all of them, and counts what is gone when no rows are left.
fn work_on_all(
    conn: &mut Conn,
    (stats, slots): (&mut StatsWriter, &impl Slots),
    (all, waiting): (&ActivePrune, &[ActivePrune]),
    limit: u32,
    (work, before): (Work, Option<Settled>),
) -> Result<(PruneStep, Option<Settled>), WriteError> {
    let doomed = next_rows(conn, all, work.within(), limit)?;
    let last = last_of(&doomed);
    let unpacked: Vec<Id> = doomed.iter().filter(|row| !row.2).map(|row| row.1).collect();
    let ids: Vec<Id> = doomed.into_iter().map(|row| row.1).collect();
    delete_covered(conn, &ids, &unpacked)?;
    let mut step = PruneStep { deleted: ids.len() as u64, is_done: false };
    if let Some(flow) = work.within() {
        if step.deleted < u64::from(limit) {
            settle::settle(conn, (stats, slots), all, flow, (None, None))?;
        }
        return Ok((step, before));
    }
    if !ids.is_empty() {
        note_progress(conn, std::slice::from_ref(all), &Tallies::new(), last)?;
        return Ok((step, None));
    }
    let own: Vec<Id> = waiting.iter().filter_map(ActivePrune::own_flow).collect();
    let settled = settle::settle_some(conn, (stats, slots), all, &own, before)?;
    if settled.is_none() {
        end(conn, std::slice::from_ref(all))?;
        step.is_done = waiting.len() == 1;
    }
    Ok((step, settled))
}

/// An execution whose rows are to be deleted: when it began, its id, whether its data is packed.
type Doomed = (At, Id, bool);

fn last_of(doomed: &[Doomed]) -> Option<Place> {
    doomed.last().map(|(at, id, _)| Place { started_at: at.0, id: ExecutionId::from_uuid(id.0) })
}

impl Work {
    fn within(self) -> Option<Id> {
        match self {
            Self::Within(flow) => Some(flow),
            Self::Next | Self::Of(_) => None,
        }
    }
}

/// Which of the prunes are worked on: one, many, or none.
fn chosen(waiting: &[ActivePrune], work: Work) -> &[ActivePrune] {
    let only = |is_it: &dyn Fn(&ActivePrune) -> bool| {
        waiting.iter().position(is_it).map_or(&[][..], |index| &waiting[index..=index])
    };
    match work {
        Work::Of(id) => only(&|prune| prune.flow == id),
        Work::Within(_) => only(&ActivePrune::is_of_all),
        Work::Next if waiting.iter().any(ActivePrune::is_of_all) => only(&ActivePrune::is_of_all),
        Work::Next if waiting.len() >= TOGETHER => waiting,
        Work::Next => &waiting[..waiting.len().min(1)],
    }
}

/// Removes prunes that have nothing left to delete.
fn end(conn: &mut Conn, over: &[ActivePrune]) -> QueryResult<()> {
    let flows: Vec<Id> = over.iter().map(|prune| prune.flow).collect();
    diesel::delete(prunes::table.filter(prunes::flow_id.eq_any(&flows))).execute(conn)?;
    if over.iter().any(ActivePrune::is_of_all) {
        late::forget_all_others(conn)
    } else {
        late::forget(conn, &flows)
    }
}

/// Notes how far some prunes are that are worked on together.
fn note_progress(
    conn: &mut Conn,
    worked_on: &[ActivePrune],
    deleted: &Tallies,
    last: Option<Place>,
) -> Result<(), WriteError> {
    // The newest carries how far all have come that are worked on together: when another one begins, they begin anew
    // with it. A step for one flow alone tells nothing of how far the others are.
    let newest = worked_on.iter().map(|prune| prune.mark).max();
    for prune in worked_on {
        go_on(conn, prune, deleted, last.filter(|_| Some(prune.mark) == newest))?;
    }
    Ok(())
}

/// Notes how far a prune is, if that has changed.
fn go_on(
    conn: &mut Conn,
    prune: &ActivePrune,
    deleted: &Tallies,
    resume: Option<Place>,
) -> Result<(), WriteError> {
    let flow = FlowId::from_uuid(prune.flow.0);
    let at_edge = prune.edge_hour().and_then(|edge| deleted.get(&(flow, edge)));
    if at_edge.is_none() && resume.is_none() {
        return Ok(());
    }
    let mut changed = prune.clone();
    if let Some(tally) = at_edge {
        changed.edge.merge(tally, -1);
    }
    changed.resume = resume.or(prune.resume);
    diesel::delete(prunes::table.find(prune.flow)).execute(conn)?;
    diesel::insert_into(prunes::table).values(PruneRow::new(&changed)).execute(conn)?;
    Ok(())
}

/// The oldest rows that any prune of a flow covers. They go on from where all of them have come already.
fn next_rows_of_many(conn: &mut Conn, waiting: &[ActivePrune], limit: u32) -> QueryResult<Vec<Doomed>> {
    let mut rows = executions::table
        .inner_join(prunes::table.on(prunes::flow_id.eq(executions::flow_id)))
        .filter(executions::deadline_at.is_null().and(prunes::mark.ge(executions::written)))
        .filter(
            prunes::below_at.is_null().or(prunes::below_at.gt(executions::started_at.nullable())).or(
                prunes::below_at
                    .eq(executions::started_at.nullable())
                    .and(prunes::below_id.gt(executions::id.nullable())),
            ),
        )
        .select((executions::started_at, executions::id, executions::packed))
        .order((executions::started_at, executions::id))
        .limit(i64::from(limit))
        .into_boxed::<Db>();
    if let Some(resume) = waiting.iter().max_by_key(|prune| prune.mark).and_then(|prune| prune.resume) {
        let (at, id) = (At(resume.started_at), Id(*resume.id.as_uuid()));
        rows = rows
            .filter(executions::started_at.ge(at))
            .filter(executions::started_at.gt(at).or(executions::id.gt(id)));
    }
    rows.load(conn)
}

/// Whether a prune has anything left to delete, of one flow or of all.
pub(super) fn has_rows(conn: &mut Conn, prune: &ActivePrune, flow: Option<Id>) -> QueryResult<bool> {
    Ok(!next_rows(conn, prune, flow, 1)?.is_empty())
}

/// The oldest rows that a prune covers, of one flow or of all.
fn next_rows(conn: &mut Conn, prune: &ActivePrune, flow: Option<Id>, limit: u32) -> QueryResult<Vec<Doomed>> {
    let mut rows = executions::table
        .filter(executions::deadline_at.is_null().and(executions::written.le(prune.mark)))
        .select((executions::started_at, executions::id, executions::packed))
        .order((executions::started_at, executions::id))
        .limit(i64::from(limit))
        .into_boxed::<Db>();
    if let Some(flow) = flow {
        rows = rows.filter(executions::flow_id.eq(flow));
    }
    if let Some(below) = prune.below {
        let (at, id) = (At(below.started_at), Id(*below.id.as_uuid()));
        rows = rows
            .filter(executions::started_at.le(at))
            .filter(executions::started_at.lt(at).or(executions::id.lt(id)));
    }
    if let Some(resume) = prune.resume {
        let (at, id) = (At(resume.started_at), Id(*resume.id.as_uuid()));
        rows = rows
            .filter(executions::started_at.ge(at))
            .filter(executions::started_at.gt(at).or(executions::id.gt(id)));
    }
    rows.load(conn)
}
