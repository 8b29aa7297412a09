//! Executions that are deleted with their rows, at once.

use std::collections::BTreeMap;

use diesel::prelude::*;
use flowtrail_store::StoreError;
use flowtrail_types::{ExecutionId, FlowId, Place, StatsScope, Step, Tally};

use super::super::audit;
use super::backend::{Conn, Db};
use super::schema::{execution_payloads, execution_tags, executions, node_executions, prunes};
use super::statistics::CountedRow;
use super::store::WriteError;
use super::{DieselStore, Tallies, active, covering, note_late, shown};
use crate::columns::Id;

/// Deletes single executions, and tells which.
pub(crate) fn delete(store: &DieselStore, ids: &[ExecutionId]) -> Result<Vec<ExecutionId>, StoreError> {
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
        if !gone.is_empty() {
            audit::note(conn)?;
        }
        let mut gone: Vec<ExecutionId> = gone.into_iter().map(|(place, _)| place.id).collect();
        gone.sort_by_key(|id| ids.iter().position(|wanted| wanted == id));
        Ok(gone)
    })
}

/// Deletes the rows of executions, in all tables, and adds up what they were.
pub(super) fn delete_rows(
    conn: &mut Conn,
    ids: &[Id],
) -> Result<(Vec<(Place, FlowId)>, Tallies), WriteError> {
    let mut gone = Vec::new();
    let mut tallies = Tallies::new();
    for ids in ids.chunks(1_000) {
        // Whoever gets a row told by this is the only one who counts it as gone.
        let rows: Vec<(CountedRow, bool)> = diesel::delete(executions::table)
            .filter(executions::id.eq_any(ids).and(executions::deadline_at.is_null()))
            .returning((CountedRow::as_select(), executions::packed))
            .load(conn)?;
        let unpacked: Vec<Id> = rows.iter().filter(|(_, packed)| !packed).map(|(row, _)| row.id).collect();
        delete_wide_rows(conn, ids, &unpacked)?;
        for (row, _) in rows {
            let (flow, started_at) = (FlowId::from_uuid(row.flow_id.0), row.started_at.0);
            row.count_in(tallies.entry((flow, Step::Hour.begin(started_at))).or_default())?;
            gone.push((Place { started_at, id: ExecutionId::from_uuid(row.id.0) }, flow));
        }
    }
    Ok((gone, tallies))
}

/// Deletes the rows of executions that a prune covers. Nobody else touches those, so that nothing needs to be told of them;
/// some of them are not packed.
pub(super) fn delete_covered(conn: &mut Conn, ids: &[Id], unpacked: &[Id]) -> QueryResult<()> {
    for ids in ids.chunks(1_000) {
        diesel::delete(executions::table.filter(executions::id.eq_any(ids))).execute(conn)?;
        delete_wide_rows(conn, ids, &[])?;
    }
    for unpacked in unpacked.chunks(1_000) {
        delete_wide_rows(conn, &[], unpacked)?;
    }
    Ok(())
}

/// Deletes what belongs to executions besides their own rows. What is packed has no nodes of its own, and most histories have
/// no tags.
fn delete_wide_rows(conn: &mut Conn, ids: &[Id], unpacked: &[Id]) -> QueryResult<()> {
    if !ids.is_empty() {
        diesel::delete(execution_payloads::table)
            .filter(execution_payloads::execution_id.eq_any(ids))
            .execute(conn)?;
        if has_tags(conn)? {
            diesel::delete(execution_tags::table)
                .filter(execution_tags::execution_id.eq_any(ids))
                .execute(conn)?;
        }
    }
    if !unpacked.is_empty() {
        diesel::delete(node_executions::table)
            .filter(node_executions::execution_id.eq_any(unpacked))
            .execute(conn)?;
    }
    Ok(())
}

fn has_tags(conn: &mut Conn) -> QueryResult<bool> {
    // Every id comes after the nil one: said so that the database knows it for a search.
    let any: Option<Id> = execution_tags::table
        .filter(execution_tags::execution_id.ge(Id(uuid::Uuid::nil())))
        .select(execution_tags::execution_id)
        .limit(1)
        .first(conn)
        .optional()?;
    Ok(any.is_some())
}
