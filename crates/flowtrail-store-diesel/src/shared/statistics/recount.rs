//! Counting anew, from the rows: after a migration that could not.

use std::collections::BTreeMap;

use diesel::prelude::*;
use flowtrail_store::fold::{Changes, change_of};
use flowtrail_types::{FlowId, Place};

use super::super::corrupt;
use super::super::store::WriteError;
use super::backend::Conn;
use super::schema::{executions, flow_stats, recount_wanted};
use super::write::{Slots, StatsWriter};
use crate::columns::{At, Id};

/// How many executions are read at once.
const AT_ONCE: i64 = 10_000;

/// Counts all statistics anew if a migration asks for it, within the transaction that goes on. Nobody else writes then.
pub(crate) fn recount_if_wanted(conn: &mut Conn, slots: &impl Slots) -> Result<(), WriteError> {
    let wanted: i64 = recount_wanted::table.count().get_result(conn)?;
    if wanted == 0 {
        return Ok(());
    }
    diesel::delete(flow_stats::table).execute(conn)?;
    let mut writer = StatsWriter::default();
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

/// The next flow that has executions, by a step in their index.
fn next_flow(conn: &mut Conn, after: Option<Id>) -> QueryResult<Option<Id>> {
    let mut flows =
        executions::table.select(executions::flow_id).order(executions::flow_id).limit(1).into_boxed();
    if let Some(after) = after {
        flows = flows.filter(executions::flow_id.gt(after));
    }
    flows.first(conn).optional()
}

type CountedRow = (At, Id, String, Option<i64>, i64, At);

fn count_some(
    conn: &mut Conn,
    flow: Id,
    after: &mut Option<Place>,
    changes: &mut Changes,
) -> Result<i64, WriteError> {
    let mut rows = executions::table
        .filter(executions::flow_id.eq(flow))
        .select((
            executions::started_at,
            executions::id,
            executions::status,
            executions::duration_us,
            executions::bytes,
            executions::created_at,
        ))
        .order((executions::started_at, executions::id))
        .limit(AT_ONCE)
        .into_boxed();
    if let Some(place) = after {
        let (at, id) = (At(place.started_at), Id(*place.id.as_uuid()));
        rows = rows
            .filter(executions::started_at.ge(at))
            .filter(executions::started_at.gt(at).or(executions::id.gt(id)));
    }
    let rows: Vec<CountedRow> = rows.load(conn)?;
    for (started_at, id, status, duration_us, bytes, created_at) in &rows {
        let status =
            status.parse().map_err(|error| corrupt("executions", "status", id.0, format!("{error}")))?;
        let change = change_of(changes, FlowId::from_uuid(flow.0), started_at.0);
        change.tally.add(status, *duration_us, *bytes, 1);
        change.last_recorded_at = change.last_recorded_at.max(Some(created_at.0));
        *after = Some(Place { started_at: started_at.0, id: flowtrail_types::ExecutionId::from_uuid(id.0) });
    }
    Ok(i64::try_from(rows.len()).unwrap_or(i64::MAX))
}
