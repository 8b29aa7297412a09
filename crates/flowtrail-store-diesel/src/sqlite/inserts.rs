//! How executions are inserted: row by row, by statements that stay prepared.

use std::marker::PhantomData;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Integer, Nullable, Text};

use super::backend::sql::{AtSql, IdSql};
use super::backend::{Conn, Db};
use super::shared::{NewExecutionRow, NewPayloadRow, WriteError};

statement! {
    /// The narrow row.
    InsertExecution<'a> {
        row: &'a NewExecutionRow<'a>,
    }
    "INSERT INTO executions (id, flow_id, flow_name, flow_tool_name, flow_version, user_id, source, status, \
     inferred, started_at, ended_at, duration_us, deadline_at, instance_id, cancel_requested, preview, \
     error_summary, failed_node_id, parent_id, replay_of, capture_policy, digest, end_digest, created_at, \
     updated_at, bytes, packed, written, lease_us, imported_at, rejected) VALUES (" [row.id: IdSql],
    ", " [row.flow_id: IdSql],
    ", " [row.flow_name: Text],
    ", " [row.flow_tool_name: Nullable<Text>],
    ", " [row.flow_version: Nullable<Integer>],
    ", " [row.user_id: Nullable<IdSql>],
    ", " [row.source: Text],
    ", " [row.status: Text],
    ", " [row.inferred: Bool],
    ", " [row.started_at: AtSql],
    ", " [row.ended_at: Nullable<AtSql>],
    ", " [row.duration_us: Nullable<BigInt>],
    ", " [row.deadline_at: Nullable<AtSql>],
    ", " [row.instance_id: Nullable<IdSql>],
    ", " [row.cancel_requested: Bool],
    ", " [row.preview: Nullable<Text>],
    ", " [row.error_summary: Nullable<Text>],
    ", " [row.failed_node_id: Nullable<Text>],
    ", " [row.parent_id: Nullable<IdSql>],
    ", " [row.replay_of: Nullable<IdSql>],
    ", " [row.capture_policy: Text],
    ", " [row.digest: Binary],
    ", " [row.end_digest: Nullable<Binary>],
    ", " [row.created_at: AtSql],
    ", " [row.updated_at: AtSql],
    ", " [row.bytes: BigInt],
    ", " [row.packed: Bool],
    ", " [row.written: BigInt],
    ", " [row.lease_us: Nullable<BigInt>],
    ", " [row.imported_at: Nullable<AtSql>],
    ", " [row.rejected: Bool],
    ")"
}

statement! {
    /// The wide row.
    InsertPayload<'a> {
        row: &'a NewPayloadRow<'a>,
    }
    "INSERT INTO execution_payloads (execution_id, params, meta, outputs, error, start_capture, end_capture, \
     packed) VALUES (" [row.execution_id: IdSql],
    ", " [row.params: Nullable<Binary>],
    ", " [row.meta: Nullable<Binary>],
    ", " [row.outputs: Nullable<Binary>],
    ", " [row.error: Nullable<Binary>],
    ", " [row.start_capture: Nullable<Binary>],
    ", " [row.end_capture: Nullable<Binary>],
    ", " [row.packed: Nullable<Binary>],
    ")"
}

/// Inserts executions with their payloads. An id that is taken fails all of them.
pub(super) fn insert_executions(
    conn: &mut Conn,
    rows: &[NewExecutionRow<'_>],
    payloads: &[NewPayloadRow<'_>],
) -> Result<(), WriteError> {
    for (row, payload) in rows.iter().zip(payloads) {
        InsertExecution { row, _borrowed: PhantomData }.execute(conn)?;
        InsertPayload { row: payload, _borrowed: PhantomData }.execute(conn)?;
    }
    Ok(())
}
