//! Packing an execution's data into one value once it has ended, and taking it apart again.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::Bool;
use flowtrail_store::fold::{Change, Changes, size_of};
use flowtrail_store::{ExecutionData, MOST_PACKED, NodeDigests, Packed, StoreError};
use flowtrail_types::{ExecutionId, FlowId, StatsScope, Step, Tally};
use time::OffsetDateTime;

use super::super::DieselStore;
use super::super::backend::{self, Conn, Db};
use super::super::prune;
use super::super::schema::{execution_payloads, executions, node_executions};
use super::super::store::WriteError;
use super::rows::{NewNodeRow, NodeRow, PayloadRow, write_json, write_marks};
use crate::columns::{At, Id};

/// The data of an execution, packed or not.
pub(super) fn read(conn: &mut Conn, id: ExecutionId) -> Result<ExecutionData, WriteError> {
    let key = Id(*id.as_uuid());
    let wide: PayloadRow = execution_payloads::table.find(key).select(PayloadRow::as_select()).first(conn)?;
    let mut data = wide.into_data(id)?;
    if data.nodes.is_empty() {
        let rows: Vec<NodeRow> = node_executions::table
            .filter(node_executions::execution_id.eq(key))
            .order(node_executions::seq)
            .select(NodeRow::as_select())
            .load(conn)?;
        data.nodes = rows.into_iter().map(|row| row.into_node(id)).collect::<Result<_, _>>()?;
    }
    Ok(data)
}

/// What of an execution decides whether it is still as it was read: its flow, its start, and when it was last written.
type Seen = (Id, At, i64);

pub(super) fn pack(
    store: &DieselStore,
    ended_before: OffsetDateTime,
    limit: u32,
) -> Result<usize, StoreError> {
    let mut unpackable = store.unpackable();
    // Reading and compressing is done outside of the transaction; what has changed meanwhile is left for the next time.
    let mut reader = store.reader()?;
    let rows: Vec<(Id, Id, At, i64)> = executions::table
        .filter(diesel::dsl::sql::<Bool>(backend::IS_UNPACKED))
        .filter(executions::ended_at.is_not_null().and(executions::ended_at.lt(At(ended_before))))
        .filter(executions::bytes.le(MOST_PACKED))
        .order(executions::ended_at)
        // Those that stay unpacked stand in the way of the others.
        .limit(i64::from(limit) + i64::try_from(unpackable.len()).unwrap_or(0))
        .select((executions::id, executions::flow_id, executions::started_at, executions::written))
        .load(&mut *reader)
        .map_err(backend::translate)?;
    let mut packed: Vec<(Id, Packed, Seen)> = Vec::with_capacity(rows.len());
    for (key, flow, started_at, written) in rows {
        let id = ExecutionId::from_uuid(key.0);
        if unpackable.contains(&id) {
            continue;
        }
        match read_packed(&mut reader, id) {
            Ok(Some(one)) => packed.push((key, one, (flow, started_at, written))),
            // Deleted meanwhile.
            Ok(None) => {}
            Err(error) if error.is_of_one_record() => {
                log::error!("execution {id} is left unpacked: {error}");
                unpackable.insert(id);
            }
            Err(error) => return Err(error),
        }
    }
    drop((reader, unpackable));
    if packed.is_empty() {
        return Ok(0);
    }
    // In the order in which everybody else locks rows.
    packed.sort_unstable_by_key(|(id, ..)| *id);
    write_packed(store, &packed)
}

/// The data of an execution as it is packed; None when there is none.
fn read_packed(conn: &mut Conn, id: ExecutionId) -> Result<Option<Packed>, StoreError> {
    let data = match read(conn, id) {
        Ok(data) => data,
        Err(WriteError::Diesel(diesel::result::Error::NotFound)) => return Ok(None),
        Err(error) => return Err(error.into_store_error()),
    };
    let packed = data.pack(NodeDigests::Kept).map_err(|error| StoreError::Internal {
        reason: "an execution's data cannot be packed".to_owned(),
        source: Some(Box::new(error)),
    })?;
    Ok(Some(packed))
}

/// Writes packed data in place of what it was read from, unless that has changed, and tells how often.
fn write_packed(store: &DieselStore, packed: &[(Id, Packed, Seen)]) -> Result<usize, StoreError> {
    store.write(|conn, stats| {
        let mut changes = Changes::new();
        let mut done = 0;
        // What a prune has still to delete is counted with what it takes now.
        let prunes = prune::active(conn, &StatsScope::All)?;
        let is_pruned = |flow: Id, hour| {
            prunes.iter().any(|prune| prune.flow == flow || (prune.is_of_all() && prune.reaches(hour)))
        };
        for (id, packed, (flow, started_at, written)) in packed {
            if is_pruned(*flow, Step::Hour.begin(started_at.0)) {
                continue;
            }
            // Nobody else writes this row between here and the end of the transaction. Late nodes change `written`.
            let is_unchanged = diesel::update(executions::table.find(*id))
                .filter(executions::written.eq(*written).and(executions::packed.eq(false)))
                .set((executions::packed.eq(true), executions::bytes.eq(size_of(packed))))
                .execute(conn)?
                == 1;
            if !is_unchanged {
                continue;
            }
            diesel::update(execution_payloads::table.find(*id))
                .set((
                    execution_payloads::params.eq(None::<Vec<u8>>),
                    execution_payloads::meta.eq(None::<Vec<u8>>),
                    execution_payloads::outputs.eq(None::<Vec<u8>>),
                    execution_payloads::error.eq(None::<Vec<u8>>),
                    execution_payloads::start_capture.eq(None::<Vec<u8>>),
                    execution_payloads::end_capture.eq(None::<Vec<u8>>),
                    execution_payloads::packed.eq(Some(packed.as_bytes())),
                ))
                .execute(conn)?;
            diesel::delete(node_executions::table.filter(node_executions::execution_id.eq(*id)))
                .execute(conn)?;
            let key = (FlowId::from_uuid(flow.0), Step::Hour.begin(started_at.0));
            let bytes = Tally { bytes: size_of(packed), ..Tally::default() };
            changes.entry(key).or_default().merge(&Change { tally: bytes, last_recorded_at: None });
            done += 1;
        }
        stats.add(conn, store.slots(), &changes, &BTreeMap::new())?;
        Ok(done)
    })
}

/// Writes data to where it stands before it is packed. Tells when the execution began.
pub(super) fn write_apart(
    conn: &mut Conn,
    id: ExecutionId,
    data: &ExecutionData,
) -> Result<OffsetDateTime, WriteError> {
    let key = Id(*id.as_uuid());
    let bytes = |payload: &Option<flowtrail_types::Payload>| {
        payload.as_ref().map(|payload| payload.as_str().as_bytes().to_vec())
    };
    diesel::update(execution_payloads::table.find(key))
        .set((
            execution_payloads::params.eq(bytes(&data.params)),
            execution_payloads::meta.eq(bytes(&data.meta)),
            execution_payloads::outputs.eq(bytes(&data.outputs)),
            execution_payloads::error.eq(data.error.as_ref().and_then(write_json)),
            execution_payloads::start_capture.eq(write_marks(&data.start_capture)),
            execution_payloads::end_capture.eq(write_marks(&data.end_capture)),
            execution_payloads::packed.eq(None::<Vec<u8>>),
        ))
        .execute(conn)?;
    for nodes in data.nodes.chunks(64) {
        let rows: Vec<NewNodeRow<'_>> = nodes.iter().map(|node| NewNodeRow::new(id, node)).collect();
        diesel::insert_into(node_executions::table).values(&rows).execute(conn)?;
    }
    diesel::update(executions::table.find(key))
        .set((executions::packed.eq(false), executions::bytes.eq(0)))
        .execute(conn)?;
    let started_at: At = executions::table.find(key).select(executions::started_at).first(conn)?;
    Ok(started_at.0)
}

/// Takes all packed data apart again, within the transaction that goes on.
pub(crate) fn unpack_all(conn: &mut Conn) -> Result<(), WriteError> {
    let mut count = 0;
    let mut last: Option<Id> = None;
    loop {
        let mut next = executions::table
            .filter(executions::packed.eq(true))
            .order(executions::id)
            .limit(1_000)
            .select(executions::id)
            .into_boxed::<Db>();
        if let Some(last) = last {
            // What was unpacked is passed over once, and not again for every thousand.
            next = next.filter(executions::id.gt(last));
        }
        let packed: Vec<Id> = next.load(conn)?;
        if packed.is_empty() {
            return Ok(());
        }
        last = packed.last().copied();
        for id in &packed {
            let id = ExecutionId::from_uuid(id.0);
            let data = read(conn, id)?;
            write_apart(conn, id, &data)?;
        }
        count += packed.len();
        log::info!("unpacked {count} executions");
    }
}
