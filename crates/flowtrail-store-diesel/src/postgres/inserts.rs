//! How executions are inserted: all of a batch by one statement, which stays prepared whatever their number is.

use std::marker::PhantomData;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Integer, Nullable, Text, Timestamptz, Uuid};

use super::backend::{Conn, Db};
use super::shared::{NewExecutionRow, NewPayloadRow, WriteError};
use crate::columns::{At, Id};

/// The columns of some executions.
#[derive(Default)]
struct Narrow<'a> {
    id: Vec<Id>,
    flow_id: Vec<Id>,
    flow_name: Vec<&'a str>,
    flow_tool_name: Vec<Option<&'a str>>,
    flow_version: Vec<Option<i32>>,
    user_id: Vec<Option<Id>>,
    source: Vec<&'a str>,
    status: Vec<&'a str>,
    inferred: Vec<bool>,
    started_at: Vec<At>,
    ended_at: Vec<Option<At>>,
    duration_us: Vec<Option<i64>>,
    deadline_at: Vec<Option<At>>,
    instance_id: Vec<Option<Id>>,
    cancel_requested: Vec<bool>,
    preview: Vec<Option<&'a str>>,
    error_summary: Vec<Option<&'a str>>,
    failed_node_id: Vec<Option<&'a str>>,
    parent_id: Vec<Option<Id>>,
    replay_of: Vec<Option<Id>>,
    capture_policy: Vec<&'a str>,
    digest: Vec<&'a [u8]>,
    end_digest: Vec<Option<&'a [u8]>>,
    created_at: Vec<At>,
    updated_at: Vec<At>,
    bytes: Vec<i64>,
    packed: Vec<bool>,
    written: Vec<i64>,
    lease_us: Vec<Option<i64>>,
    imported_at: Vec<Option<At>>,
    rejected: Vec<bool>,
}

/// The columns of their payloads.
#[derive(Default)]
struct Wide<'a> {
    execution_id: Vec<Id>,
    params: Vec<Option<&'a [u8]>>,
    meta: Vec<Option<&'a [u8]>>,
    outputs: Vec<Option<&'a [u8]>>,
    error: Vec<Option<&'a [u8]>>,
    start_capture: Vec<Option<&'a [u8]>>,
    end_capture: Vec<Option<&'a [u8]>>,
    packed: Vec<Option<&'a [u8]>>,
}

statement! {
    /// The narrow rows.
    InsertExecutions<'a> {
        rows: &'a Narrow<'a>,
    }
    "INSERT INTO executions (id, flow_id, flow_name, flow_tool_name, flow_version, user_id, source, \
     status, inferred, started_at, ended_at, duration_us, deadline_at, instance_id, cancel_requested, \
     preview, error_summary, failed_node_id, parent_id, replay_of, capture_policy, digest, end_digest, \
     created_at, updated_at, bytes, packed, written, lease_us, imported_at, rejected) \
     SELECT * FROM unnest(" [rows.id: Array<Uuid>],
    "::uuid[], " [rows.flow_id: Array<Uuid>],
    "::uuid[], " [rows.flow_name: Array<Text>],
    "::text[], " [rows.flow_tool_name: Array<Nullable<Text>>],
    "::text[], " [rows.flow_version: Array<Nullable<Integer>>],
    "::int4[], " [rows.user_id: Array<Nullable<Uuid>>],
    "::uuid[], " [rows.source: Array<Text>],
    "::text[], " [rows.status: Array<Text>],
    "::text[], " [rows.inferred: Array<Bool>],
    "::bool[], " [rows.started_at: Array<Timestamptz>],
    "::timestamptz[], " [rows.ended_at: Array<Nullable<Timestamptz>>],
    "::timestamptz[], " [rows.duration_us: Array<Nullable<BigInt>>],
    "::int8[], " [rows.deadline_at: Array<Nullable<Timestamptz>>],
    "::timestamptz[], " [rows.instance_id: Array<Nullable<Uuid>>],
    "::uuid[], " [rows.cancel_requested: Array<Bool>],
    "::bool[], " [rows.preview: Array<Nullable<Text>>],
    "::text[], " [rows.error_summary: Array<Nullable<Text>>],
    "::text[], " [rows.failed_node_id: Array<Nullable<Text>>],
    "::text[], " [rows.parent_id: Array<Nullable<Uuid>>],
    "::uuid[], " [rows.replay_of: Array<Nullable<Uuid>>],
    "::uuid[], " [rows.capture_policy: Array<Text>],
    "::text[], " [rows.digest: Array<Binary>],
    "::bytea[], " [rows.end_digest: Array<Nullable<Binary>>],
    "::bytea[], " [rows.created_at: Array<Timestamptz>],
    "::timestamptz[], " [rows.updated_at: Array<Timestamptz>],
    "::timestamptz[], " [rows.bytes: Array<BigInt>],
    "::int8[], " [rows.packed: Array<Bool>],
    "::bool[], " [rows.written: Array<BigInt>],
    "::int8[], " [rows.lease_us: Array<Nullable<BigInt>>],
    "::int8[], " [rows.imported_at: Array<Nullable<Timestamptz>>],
    "::timestamptz[], " [rows.rejected: Array<Bool>],
    "::bool[])"
}

statement! {
    /// The wide rows.
    InsertPayloads<'a> {
        rows: &'a Wide<'a>,
    }
    "INSERT INTO execution_payloads (execution_id, params, meta, outputs, error, start_capture, \
     end_capture, packed) SELECT * FROM unnest(" [rows.execution_id: Array<Uuid>],
    "::uuid[], " [rows.params: Array<Nullable<Binary>>],
    "::bytea[], " [rows.meta: Array<Nullable<Binary>>],
    "::bytea[], " [rows.outputs: Array<Nullable<Binary>>],
    "::bytea[], " [rows.error: Array<Nullable<Binary>>],
    "::bytea[], " [rows.start_capture: Array<Nullable<Binary>>],
    "::bytea[], " [rows.end_capture: Array<Nullable<Binary>>],
    "::bytea[], " [rows.packed: Array<Nullable<Binary>>],
    "::bytea[])"
}

/// Inserts executions with their payloads. An id that is taken fails all of them.
pub(super) fn insert_executions(
    conn: &mut Conn,
    rows: &[NewExecutionRow<'_>],
    payloads: &[NewPayloadRow<'_>],
) -> Result<(), WriteError> {
    if rows.is_empty() {
        return Ok(());
    }
    let (narrow, wide) = (Narrow::of(rows), Wide::of(payloads));
    InsertExecutions { rows: &narrow, _borrowed: PhantomData }.execute(conn)?;
    InsertPayloads { rows: &wide, _borrowed: PhantomData }.execute(conn)?;
    Ok(())
}

impl<'a> Narrow<'a> {
    fn of(rows: &'a [NewExecutionRow<'a>]) -> Self {
        let mut columns = Self::default();
        for row in rows {
            columns.id.push(row.id);
            columns.flow_id.push(row.flow_id);
            columns.flow_name.push(&row.flow_name);
            columns.flow_tool_name.push(row.flow_tool_name.as_deref());
            columns.flow_version.push(row.flow_version);
            columns.user_id.push(row.user_id);
            columns.source.push(row.source);
            columns.status.push(row.status);
            columns.inferred.push(row.inferred);
            columns.started_at.push(row.started_at);
            columns.ended_at.push(row.ended_at);
            columns.duration_us.push(row.duration_us);
            columns.deadline_at.push(row.deadline_at);
            columns.instance_id.push(row.instance_id);
            columns.cancel_requested.push(row.cancel_requested);
            columns.preview.push(row.preview.as_deref());
            columns.error_summary.push(row.error_summary.as_deref());
            columns.failed_node_id.push(row.failed_node_id.as_deref());
            columns.parent_id.push(row.parent_id);
            columns.replay_of.push(row.replay_of);
            columns.capture_policy.push(row.capture_policy);
            columns.digest.push(row.digest);
            columns.end_digest.push(row.end_digest);
            columns.created_at.push(row.created_at);
            columns.updated_at.push(row.updated_at);
            columns.bytes.push(row.bytes);
            columns.packed.push(row.packed);
            columns.written.push(row.written);
            columns.lease_us.push(row.lease_us);
            columns.imported_at.push(row.imported_at);
            columns.rejected.push(row.rejected);
        }
        columns
    }
}

impl<'a> Wide<'a> {
    fn of(rows: &'a [NewPayloadRow<'a>]) -> Self {
        let mut columns = Self::default();
        for row in rows {
            columns.execution_id.push(row.execution_id);
            columns.params.push(row.params);
            columns.meta.push(row.meta);
            columns.outputs.push(row.outputs);
            columns.error.push(row.error.as_deref());
            columns.start_capture.push(row.start_capture.as_deref());
            columns.end_capture.push(row.end_capture.as_deref());
            columns.packed.push(row.packed);
        }
        columns
    }
}
