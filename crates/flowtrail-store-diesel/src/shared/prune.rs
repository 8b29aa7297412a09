//! What is taken away: single executions at once, the older part of a flow out of every answer at once and out of the
//! tables step by step.
//!
//! A prune is one row. What it covers (what ended, was last written before it began and stands below its place) is left
//! out of every list; statistics leave out what it has still to delete, which they know from the hours before its place
//! and from what is counted in its row for the hour of the place itself.

use std::collections::BTreeMap;

use diesel::prelude::*;
use flowtrail_store::{NewPrune, PruneStep, StoreError};
use flowtrail_types::{ExecutionId, FlowId, Place, StatsScope, Step, Tally};
use time::OffsetDateTime;

use super::backend::{self, Conn, Db};
use super::schema::{execution_payloads, execution_tags, executions, node_executions, prune_late, prunes};
use super::statistics::{self, decode};
use super::store::WriteError;
use super::{DieselStore, corrupt};
use crate::columns::{At, Id};

/// A prune whose rows are being deleted.
#[derive(Debug, Clone)]
pub(super) struct ActivePrune {
    pub(super) flow: Id,
    mark: i64,
    below: Option<Place>,
    resume: Option<Place>,
    /// What is left in the hour of its place.
    pub(super) edge: Tally,
}

impl ActivePrune {
    /// The hour in which its place lies.
    pub(super) fn edge_hour(&self) -> Option<OffsetDateTime> {
        self.below.map(|below| Step::Hour.begin(below.started_at))
    }

    /// Where it ends, seen from the oldest; absent when it takes all.
    pub(super) fn below(&self) -> Option<Place> {
        self.below
    }

    /// Whether it takes away an execution of its flow that was last written at this mark.
    pub(super) fn covers(&self, place: Place, is_final: bool, written: i64) -> bool {
        is_final && written <= self.mark && self.below.is_none_or(|below| place < below)
    }

    /// Whether what happens in this hour from now on is noted apart. In the hour of the place it is noted that something
    /// may stay there, and not counted.
    fn reaches(&self, hour: OffsetDateTime) -> bool {
        self.edge_hour().is_none_or(|edge| hour <= edge)
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = prunes, check_for_backend(Db), treat_none_as_default_value = false)]
struct PruneRow {
    flow_id: Id,
    mark: i64,
    below_at: Option<At>,
    below_id: Option<Id>,
    resume_at: Option<At>,
    resume_id: Option<Id>,
    edge_fulfilled: i64,
    edge_error: i64,
    edge_aborted: i64,
    edge_duration_us: i64,
    edge_bytes: i64,
    edge_durations: Vec<u8>,
}

impl PruneRow {
    fn new(prune: &ActivePrune) -> Self {
        let split = |place: Option<Place>| {
            (place.map(|place| At(place.started_at)), place.map(|place| Id(*place.id.as_uuid())))
        };
        let ((below_at, below_id), (resume_at, resume_id)) = (split(prune.below), split(prune.resume));
        Self {
            flow_id: prune.flow,
            mark: prune.mark,
            below_at,
            below_id,
            resume_at,
            resume_id,
            edge_fulfilled: prune.edge.fulfilled,
            edge_error: prune.edge.error,
            edge_aborted: prune.edge.aborted,
            edge_duration_us: prune.edge.duration_us,
            edge_bytes: prune.edge.bytes,
            edge_durations: prune.edge.durations.encode(),
        }
    }

    fn into_prune(self) -> Result<ActivePrune, StoreError> {
        let join = |at: Option<At>, id: Option<Id>| {
            at.zip(id).map(|(at, id)| Place { started_at: at.0, id: ExecutionId::from_uuid(id.0) })
        };
        Ok(ActivePrune {
            flow: self.flow_id,
            mark: self.mark,
            below: join(self.below_at, self.below_id),
            resume: join(self.resume_at, self.resume_id),
            edge: Tally {
                pending: 0,
                fulfilled: self.edge_fulfilled,
                error: self.edge_error,
                aborted: self.edge_aborted,
                duration_us: self.edge_duration_us,
                bytes: self.edge_bytes,
                durations: decode("prunes", "edge_durations", self.flow_id, &self.edge_durations)?,
            },
        })
    }
}

/// Leaves out of a boxed statement over `executions` what prunes cover. Without any the statement stays as it is.
macro_rules! shown {
    ($prunes:expr, $statement:expr) => {{
        let statement = $statement;
        if $prunes.is_empty() {
            statement
        } else {
            // Ended, last written before the prune began, and below its place.
            let covering = prunes::table
                .filter(prunes::flow_id.eq(executions::flow_id))
                .filter(prunes::mark.ge(executions::written).and(executions::deadline_at.is_null()))
                .filter(
                    prunes::below_at.is_null().or(prunes::below_at.gt(executions::started_at.nullable())).or(
                        prunes::below_at
                            .eq(executions::started_at.nullable())
                            .and(prunes::below_id.gt(executions::id.nullable())),
                    ),
                );
            statement.filter(diesel::dsl::not(diesel::dsl::exists(covering)))
        }
    }};
}
pub(super) use shown;

/// The prunes whose rows are being deleted, of some flows. There are rarely any, and then few.
pub(super) fn active(conn: &mut Conn, scope: &StatsScope) -> Result<Vec<ActivePrune>, StoreError> {
    let rows: Vec<PruneRow> = prunes::table
        .select(PruneRow::as_select())
        .order(prunes::mark)
        .load(conn)
        .map_err(backend::translate)?;
    let is_wanted = |row: &PruneRow| match scope {
        StatsScope::All => true,
        StatsScope::Flows(flows) => flows.iter().any(|flow| *flow.as_uuid() == row.flow_id.0),
    };
    rows.into_iter().filter(is_wanted).map(PruneRow::into_prune).collect()
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = prune_late, check_for_backend(Db))]
struct LateRow {
    flow_id: Id,
    bucket: At,
    slot: i32,
    fulfilled: i64,
    error: i64,
    aborted: i64,
    duration_us: i64,
    bytes: i64,
    durations: Vec<u8>,
}

impl LateRow {
    fn new(flow_id: Id, bucket: At, slot: i32, tally: &Tally) -> Self {
        Self {
            flow_id,
            bucket,
            slot,
            fulfilled: tally.fulfilled,
            error: tally.error,
            aborted: tally.aborted,
            duration_us: tally.duration_us,
            bytes: tally.bytes,
            durations: tally.durations.encode(),
        }
    }

    fn tally(&self) -> Result<Tally, StoreError> {
        Ok(Tally {
            pending: 0,
            fulfilled: self.fulfilled,
            error: self.error,
            aborted: self.aborted,
            duration_us: self.duration_us,
            bytes: self.bytes,
            durations: decode("prune_late", "durations", self.flow_id, &self.durations)?,
        })
    }
}

/// What was added in some hours since a flow's prune began: it stays.
pub(super) fn late(
    conn: &mut Conn,
    flow: Id,
    (from, to): (Option<OffsetDateTime>, Option<OffsetDateTime>),
) -> Result<Vec<(OffsetDateTime, Tally)>, StoreError> {
    let rows: Vec<LateRow> = prune_late::table
        .filter(prune_late::flow_id.eq(flow))
        .select(LateRow::as_select())
        .load(conn)
        .map_err(backend::translate)?;
    rows.iter()
        .filter(|row| from.is_none_or(|from| row.bucket.0 >= from) && to.is_none_or(|to| row.bucket.0 < to))
        .map(|row| Ok((row.bucket.0, row.tally()?)))
        .collect()
}

/// Whether anything stays of what a flow's prune would otherwise cover.
pub(super) fn has_late(conn: &mut Conn, flow: Id) -> QueryResult<bool> {
    let any: Option<Id> = prune_late::table
        .filter(prune_late::flow_id.eq(flow))
        .select(prune_late::flow_id)
        .limit(1)
        .first(conn)
        .optional()?;
    Ok(any.is_some())
}

/// Tallies by flow and hour.
pub(super) type Tallies = BTreeMap<(FlowId, OffsetDateTime), Tally>;

/// Counts what happens in hours of which older executions are being taken away, so that it is not taken for theirs.
pub(super) fn note_late(
    conn: &mut Conn,
    active_prunes: &[ActivePrune],
    slot: i32,
    happened: &Tallies,
) -> Result<(), WriteError> {
    for ((flow, hour), tally) in happened {
        let flow = Id(*flow.as_uuid());
        if !active_prunes.iter().any(|prune| prune.flow == flow && prune.reaches(*hour)) {
            continue;
        }
        let key = (flow, At(*hour), slot);
        let before: Option<LateRow> =
            prune_late::table.find(key).select(LateRow::as_select()).first(conn).optional()?;
        let mut sum = before.map(|row| row.tally()).transpose()?.unwrap_or_default();
        sum.merge(tally, 1);
        diesel::delete(prune_late::table.find(key)).execute(conn)?;
        diesel::insert_into(prune_late::table)
            .values(LateRow::new(flow, At(*hour), slot, &sum))
            .execute(conn)?;
    }
    Ok(())
}

/// What of an execution decides about statistics, as it is told of a row that went.
type GoneRow = (Id, Id, At, String, Option<i64>, i64);

/// Deletes the rows of executions, in all tables, and adds up what they were.
fn delete_rows(conn: &mut Conn, ids: &[Id]) -> Result<(Vec<(Place, FlowId)>, Tallies), WriteError> {
    let mut gone = Vec::new();
    let mut tallies = Tallies::new();
    for ids in ids.chunks(1_000) {
        // Whoever gets a row told by this is the only one who counts it as gone.
        let rows: Vec<GoneRow> = diesel::delete(executions::table)
            .filter(executions::id.eq_any(ids).and(executions::deadline_at.is_null()))
            .returning((
                executions::id,
                executions::flow_id,
                executions::started_at,
                executions::status,
                executions::duration_us,
                executions::bytes,
            ))
            .load(conn)?;
        diesel::delete(execution_payloads::table)
            .filter(execution_payloads::execution_id.eq_any(ids))
            .execute(conn)?;
        diesel::delete(node_executions::table)
            .filter(node_executions::execution_id.eq_any(ids))
            .execute(conn)?;
        diesel::delete(execution_tags::table)
            .filter(execution_tags::execution_id.eq_any(ids))
            .execute(conn)?;
        for (id, flow, started_at, status, duration_us, bytes) in rows {
            let status =
                status.parse().map_err(|error| corrupt("executions", "status", id.0, format!("{error}")))?;
            let flow = FlowId::from_uuid(flow.0);
            let hour = Step::Hour.begin(started_at.0);
            tallies.entry((flow, hour)).or_default().add(status, duration_us, bytes, 1);
            gone.push((Place { started_at: started_at.0, id: ExecutionId::from_uuid(id.0) }, flow));
        }
    }
    Ok((gone, tallies))
}

pub(super) fn delete(store: &DieselStore, ids: &[ExecutionId]) -> Result<Vec<ExecutionId>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    store.write(|conn, stats| {
        let active_prunes = active(conn, &StatsScope::All)?;
        let wanted: Vec<Id> = ids.iter().map(|id| Id(*id.as_uuid())).collect();
        let mut there: Vec<Id> = Vec::new();
        for ids in wanted.chunks(1_000) {
            // What a prune covers is gone already. Pending ones stay.
            let found = executions::table
                .filter(executions::id.eq_any(ids).and(executions::deadline_at.is_null()))
                .select(executions::id)
                .into_boxed::<Db>();
            there.extend(shown!(active_prunes, found).load::<Id>(conn)?);
        }
        let (gone, tallies) = delete_rows(conn, &there)?;
        stats.add(conn, store.slots(), &BTreeMap::new(), &tallies)?;
        if !active_prunes.is_empty() {
            let slot = stats.slot(conn, store.slots())?;
            let negative = tallies.into_iter().map(|(key, tally)| {
                let mut less = Tally::default();
                less.merge(&tally, -1);
                (key, less)
            });
            note_late(conn, &active_prunes, slot, &negative.collect())?;
        }
        let mut gone: Vec<ExecutionId> = gone.into_iter().map(|(place, _)| place.id).collect();
        gone.sort_by_key(|id| ids.iter().position(|wanted| wanted == id));
        Ok(gone)
    })
}

pub(super) fn begin(store: &DieselStore, prune: &NewPrune) -> Result<u64, StoreError> {
    loop {
        let begun = store.write(|conn, _| begin_one(conn, prune))?;
        match begun {
            Some(gone) => return Ok(gone),
            // Of the one that goes on more is being deleted than this one wants: it is ended first.
            None => {
                continue_one(store, 1_000, Some(prune.flow))?;
            }
        }
    }
}

/// None when another prune of the flow must be ended first.
fn begin_one(conn: &mut Conn, wish: &NewPrune) -> Result<Option<u64>, WriteError> {
    backend::lock_prunes(conn)?;
    let flow = Id(*wish.flow.as_uuid());
    let before = active(conn, &StatsScope::Flows(vec![wish.flow]))?.pop();
    let covers_more = |before: &ActivePrune| match (before.below, wish.below) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(before), Some(wished)) => before > wished,
    };
    if before.as_ref().is_some_and(covers_more) {
        return Ok(None);
    }
    let (mark, _) = backend::next_mark(conn)?;
    let mut begun = ActivePrune { flow, mark, below: wish.below, resume: None, edge: Tally::default() };
    let going_before = match &before {
        Some(before) => statistics::going(conn, before, (None, None))?.total(),
        None => 0,
    };
    if let (Some(below), Some(hour)) = (wish.below, begun.edge_hour()) {
        begun.edge = count_between(conn, flow, hour, below)?;
    }
    let in_hours_before = statistics::ended_before(conn, flow, begun.edge_hour())?;
    let total = in_hours_before.total() + begun.edge.total();
    if total > going_before || before.is_some() {
        diesel::delete(prunes::table.find(flow)).execute(conn)?;
        diesel::delete(prune_late::table.filter(prune_late::flow_id.eq(flow))).execute(conn)?;
        diesel::insert_into(prunes::table).values(PruneRow::new(&begun)).execute(conn)?;
    }
    Ok(Some(u64::try_from(total - going_before).unwrap_or(0)))
}

/// What ended of a flow's executions from the beginning of an hour up to a place.
fn count_between(conn: &mut Conn, flow: Id, hour: OffsetDateTime, below: Place) -> Result<Tally, WriteError> {
    let (at, id) = (At(below.started_at), Id(*below.id.as_uuid()));
    let rows: Vec<(Id, String, Option<i64>, i64)> = executions::table
        .filter(executions::flow_id.eq(flow).and(executions::deadline_at.is_null()))
        .filter(executions::started_at.ge(At(hour)).and(executions::started_at.le(at)))
        .filter(executions::started_at.lt(at).or(executions::id.lt(id)))
        .select((executions::id, executions::status, executions::duration_us, executions::bytes))
        .load(conn)?;
    let mut tally = Tally::default();
    for (id, status, duration_us, bytes) in rows {
        let status =
            status.parse().map_err(|error| corrupt("executions", "status", id.0, format!("{error}")))?;
        tally.add(status, duration_us, bytes, 1);
    }
    Ok(tally)
}

pub(super) fn step(store: &DieselStore, limit: u32) -> Result<PruneStep, StoreError> {
    continue_one(store, limit, None)
}

/// From so many prunes on their rows are deleted together, in the order of time: what is deleted then stands side by side
/// in the tables, and costs a fraction of what it costs flow by flow.
const TOGETHER: usize = 8;

/// Deletes rows of one prune, of this flow or of the one that waits longest, or of many together.
fn continue_one(store: &DieselStore, limit: u32, flow: Option<FlowId>) -> Result<PruneStep, StoreError> {
    // Without a look there would be a write for nothing, every time.
    let scope = flow.map_or(StatsScope::All, |flow| StatsScope::Flows(vec![flow]));
    if active(&mut *store.reader()?, &scope)?.is_empty() {
        return Ok(PruneStep { deleted: 0, is_done: true });
    }
    store.write(|conn, stats| {
        backend::lock_prunes(conn)?;
        let waiting = active(conn, &scope)?;
        let Some(first) = waiting.first() else { return Ok(PruneStep { deleted: 0, is_done: true }) };
        let is_together = waiting.len() >= TOGETHER;
        let doomed = if is_together {
            next_rows_of_all(conn, &waiting, limit)?
        } else {
            next_rows(conn, first, limit)?
        };
        let is_over = (doomed.len() as u64) < u64::from(limit);
        let last = doomed.last().map(|(at, id)| Place { started_at: at.0, id: ExecutionId::from_uuid(id.0) });
        let ids: Vec<Id> = doomed.into_iter().map(|(_, id)| id).collect();
        let (_, tallies) = delete_rows(conn, &ids)?;
        stats.add(conn, store.slots(), &BTreeMap::new(), &tallies)?;
        let worked_on = if is_together { &waiting[..] } else { &waiting[..1] };
        if is_over {
            let flows: Vec<Id> = worked_on.iter().map(|prune| prune.flow).collect();
            diesel::delete(prunes::table.filter(prunes::flow_id.eq_any(&flows))).execute(conn)?;
            diesel::delete(prune_late::table.filter(prune_late::flow_id.eq_any(&flows))).execute(conn)?;
        } else {
            // The newest carries how far all have come that are worked on together: when another one begins, they begin
            // anew with it.
            let newest = worked_on.iter().map(|prune| prune.mark).max();
            for prune in worked_on {
                // A step for one flow alone tells nothing of how far the others are.
                let resume = if Some(prune.mark) == newest && flow.is_none() { last } else { None };
                go_on(conn, prune, &tallies, resume)?;
            }
        }
        Ok(PruneStep { deleted: ids.len() as u64, is_done: is_over && worked_on.len() == waiting.len() })
    })
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

/// The oldest rows that any prune covers. They go on from where all of them have come already.
fn next_rows_of_all(conn: &mut Conn, waiting: &[ActivePrune], limit: u32) -> QueryResult<Vec<(At, Id)>> {
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
        .select((executions::started_at, executions::id))
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

fn next_rows(conn: &mut Conn, prune: &ActivePrune, limit: u32) -> QueryResult<Vec<(At, Id)>> {
    let mut rows = executions::table
        .filter(executions::flow_id.eq(prune.flow).and(executions::deadline_at.is_null()))
        .filter(executions::written.le(prune.mark))
        .select((executions::started_at, executions::id))
        .order((executions::started_at, executions::id))
        .limit(i64::from(limit))
        .into_boxed::<Db>();
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
