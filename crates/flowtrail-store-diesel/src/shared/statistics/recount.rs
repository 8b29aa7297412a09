//! Counting anew, from the rows: after a migration that could not.

use std::collections::BTreeMap;

use diesel::prelude::*;
use flowtrail_store::fold::{Changes, change_of};
use flowtrail_types::{ExecutionId, FlowId, Place};

use super::super::store::WriteError;
use super::backend::Conn;
use super::rows::CountedRow;
use super::schema::{executions, flow_stats, recount_wanted};
use super::write::{Slots, StatsWriter};
use super::{ALL_FLOWS, Period};
use crate::columns::{At, Id};

/// How many executions are read at once.
const AT_ONCE: i64 = 10_000;

/// Counts all statistics anew if a migration asks for it, within the transaction that goes on. Nobody else writes then.
pub(crate) fn recount_if_wanted(conn: &mut Conn, slots: &impl Slots) -> Result<(), WriteError> {
    let wanted: i64 = recount_wanted::table.count().get_result(conn)?;
    if wanted == 0 {
        return Ok(());
    }
    let unrecorded = unrecorded(conn)?;
    diesel::delete(flow_stats::table).execute(conn)?;
    let mut writer = StatsWriter::default();
    writer.add(conn, slots, &unrecorded, &BTreeMap::new())?;
    writer.settle(true);
    let mut counted = 0;
    let mut flow = None;
    while let Some(next) = next_flow(conn, flow)? {
        let mut changes = Changes::new();
        let mut after = None;
        loop {
            let read = count_some(conn, next, &mut after, &mut changes)?;
            counted += read;
            if read < AT_ONCE {
                break;
            }
            log::info!("counted {counted} executions anew");
        }
        writer.add(conn, slots, &changes, &BTreeMap::new())?;
        writer.settle(true);
        flow = Some(next);
    }
    diesel::delete(recount_wanted::table).execute(conn)?;
    Ok(())
}

/// The calls that were rejected and not recorded: no row tells of them, so what was counted is kept.
fn unrecorded(conn: &mut Conn) -> Result<Changes, WriteError> {
    let rows: Vec<(Id, At, i64)> = flow_stats::table
        .filter(flow_stats::period.eq(Period::Hour.as_str()).and(flow_stats::flow_id.ne(ALL_FLOWS)))
        .filter(flow_stats::unrecorded.ne(0))
        .select((flow_stats::flow_id, flow_stats::bucket, flow_stats::unrecorded))
        .load(conn)?;
    let mut changes = Changes::new();
    for (flow, hour, unrecorded) in rows {
        change_of(&mut changes, FlowId::from_uuid(flow.0), hour.0).tally.unrecorded += unrecorded;
    }
    Ok(changes)
}

/// The next flow that has executions, by a step in their index.
fn next_flow(conn: &mut Conn, after: Option<Id>) -> QueryResult<Option<Id>> {
    let mut flows =
        executions::table.select(executions::flow_id).order(executions::flow_id).limit(1).into_boxed();
    if let Some(after) = after {
        flows = flows.filter(executions::flow_id.gt(after));
    }
    flows.first(conn).optional()
}

fn count_some(
    conn: &mut Conn,
    flow: Id,
    after: &mut Option<Place>,
    changes: &mut Changes,
) -> Result<i64, WriteError> {
    let mut rows = executions::table
        .filter(executions::flow_id.eq(flow))
        .select((CountedRow::as_select(), executions::created_at))
        .order((executions::started_at, executions::id))
        .limit(AT_ONCE)
        .into_boxed();
    if let Some(place) = after {
        let (at, id) = (At(place.started_at), Id(*place.id.as_uuid()));
        rows = rows
            .filter(executions::started_at.ge(at))
            .filter(executions::started_at.gt(at).or(executions::id.gt(id)));
    }
    let rows: Vec<(CountedRow, At)> = rows.load(conn)?;
    for (row, created_at) in &rows {
        let started_at = row.started_at.0;
        let change = change_of(changes, FlowId::from_uuid(flow.0), started_at);
        row.count_in(&mut change.tally)?;
        change.last_recorded_at = change.last_recorded_at.max(Some(created_at.0));
        *after = Some(Place { started_at, id: ExecutionId::from_uuid(row.id.0) });
    }
    Ok(i64::try_from(rows.len()).unwrap_or(i64::MAX))
}
