//! What is added while prunes go on, to hours that they reach: it stays.

use std::collections::BTreeMap;

use diesel::prelude::*;
use flowtrail_store::StoreError;
use flowtrail_types::{FlowId, Tally};
use time::OffsetDateTime;

use super::ActivePrune;
use super::backend::{self, Conn, Db};
use super::schema::{prune_late, prunes};
use super::statistics::{ALL_FLOWS, decode};
use super::store::WriteError;
use crate::columns::{At, Id};

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
    rejected: i64,
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
            rejected: tally.rejected,
        }
    }

    fn tally(&self) -> Result<Tally, StoreError> {
        Ok(Tally {
            pending: 0,
            fulfilled: self.fulfilled,
            error: self.error,
            aborted: self.aborted,
            rejected: self.rejected,
            unrecorded: 0,
            duration_us: self.duration_us,
            bytes: self.bytes,
            durations: decode("prune_late", "durations", self.flow_id, &self.durations)?,
        })
    }
}

/// What was added in some hours since the prune of these flows began, or of all: it stays.
pub(crate) fn late(
    conn: &mut Conn,
    flows: &[Id],
    (from, to): (Option<OffsetDateTime>, Option<OffsetDateTime>),
) -> Result<Vec<(OffsetDateTime, Tally)>, StoreError> {
    let mut late = Vec::new();
    for flows in flows.chunks(backend::MAX_BINDS / 2) {
        let rows: Vec<LateRow> = prune_late::table
            .filter(prune_late::flow_id.eq_any(flows))
            .select(LateRow::as_select())
            .load(conn)
            .map_err(backend::translate)?;
        let within = |hour| from.is_none_or(|from| hour >= from) && to.is_none_or(|to| hour < to);
        for row in rows.iter().filter(|row| within(row.bucket.0)) {
            late.push((row.bucket.0, row.tally()?));
        }
    }
    Ok(late)
}

/// Whether anything stays of what the prune of a flow, or of all, would otherwise cover.
pub(crate) fn has_late(conn: &mut Conn, flow: Id) -> QueryResult<bool> {
    let any: Option<Id> = prune_late::table
        .filter(prune_late::flow_id.eq(flow))
        .select(prune_late::flow_id)
        .limit(1)
        .first(conn)
        .optional()?;
    Ok(any.is_some())
}

/// Tallies by flow and hour.
pub(crate) type Tallies = BTreeMap<(FlowId, OffsetDateTime), Tally>;

/// The same by the ids under which they are noted.
type Notes = BTreeMap<(Id, OffsetDateTime), Tally>;

/// Counts what happens in hours of which older executions are being taken away, so that it is not taken for theirs.
pub(crate) fn note_late(
    conn: &mut Conn,
    active_prunes: &[ActivePrune],
    slot: i32,
    happened: &Tallies,
) -> Result<(), WriteError> {
    let of_all = active_prunes.iter().find(|prune| prune.is_of_all());
    let mut notes = Notes::new();
    for ((flow, hour), tally) in happened {
        let flow = Id(*flow.as_uuid());
        let deciding = active_prunes.iter().find(|prune| prune.flow == flow).or(of_all);
        if deciding.is_some_and(|prune| prune.reaches(*hour)) {
            notes.entry((flow, *hour)).or_default().merge(tally, 1);
        }
        if of_all.is_some_and(|prune| prune.reaches(*hour)) {
            notes.entry((ALL_FLOWS, *hour)).or_default().merge(tally, 1);
        }
    }
    add(conn, slot, &notes)
}

/// Counts what went by flows' own prunes beside the prune of all: that covers none of it.
pub(super) fn note_gone_beside(
    conn: &mut Conn,
    of_all: &ActivePrune,
    slot: i32,
    gone: &Tallies,
) -> Result<(), WriteError> {
    let mut notes = Notes::new();
    for ((_, hour), tally) in gone.iter().filter(|((_, hour), _)| of_all.reaches(*hour)) {
        notes.entry((ALL_FLOWS, *hour)).or_default().merge(tally, -1);
    }
    add(conn, slot, &notes)
}

fn add(conn: &mut Conn, slot: i32, notes: &Notes) -> Result<(), WriteError> {
    for ((flow, hour), tally) in notes {
        let key = (*flow, At(*hour), slot);
        let before: Option<LateRow> =
            prune_late::table.find(key).select(LateRow::as_select()).first(conn).optional()?;
        let mut sum = before.map(|row| row.tally()).transpose()?.unwrap_or_default();
        sum.merge(tally, 1);
        diesel::delete(prune_late::table.find(key)).execute(conn)?;
        diesel::insert_into(prune_late::table)
            .values(LateRow::new(*flow, At(*hour), slot, &sum))
            .execute(conn)?;
    }
    Ok(())
}

/// Forgets what was noted for these prunes, which are over.
pub(super) fn forget(conn: &mut Conn, flows: &[Id]) -> QueryResult<()> {
    diesel::delete(prune_late::table.filter(prune_late::flow_id.eq_any(flows))).execute(conn)?;
    Ok(())
}

/// Forgets what was noted for flows that have no prune any more, and for all of them together.
pub(super) fn forget_all_others(conn: &mut Conn) -> QueryResult<()> {
    let kept = prunes::table.select(prunes::flow_id);
    diesel::delete(prune_late::table.filter(prune_late::flow_id.ne_all(kept))).execute(conn)?;
    Ok(())
}
