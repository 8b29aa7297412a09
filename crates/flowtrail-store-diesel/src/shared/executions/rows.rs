//! Rows as they are written and read. They never leave this crate.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use diesel::prelude::*;
use flowtrail_store::fold::{Ending, Insert, size_of};
use flowtrail_store::{ExecutionData, NewNode, Packed, StoreError};
use flowtrail_types::lifecycle::Told;
use flowtrail_types::{
    CaptureMarks, Digest, ErrorInfo, ErrorKind, Execution, ExecutionId, ExecutionSummary, FlowId, InstanceId,
    Payload, Place, UserId,
};
use serde::Serialize;

use super::super::backend::{Db, from_text, text};
use super::super::corrupt;
use super::super::schema::{execution_payloads, execution_tags, executions, node_executions};
use crate::columns::{At, Id};

/// An execution as it is inserted.
pub(crate) struct NewExecutionRow<'a> {
    pub(crate) id: Id,
    pub(crate) flow_id: Id,
    pub(crate) flow_name: Cow<'a, str>,
    pub(crate) flow_tool_name: Option<Cow<'a, str>>,
    pub(crate) flow_version: Option<i32>,
    pub(crate) user_id: Option<Id>,
    pub(crate) source: &'a str,
    pub(crate) status: &'a str,
    pub(crate) inferred: bool,
    pub(crate) started_at: At,
    pub(crate) ended_at: Option<At>,
    pub(crate) duration_us: Option<i64>,
    pub(crate) deadline_at: Option<At>,
    pub(crate) instance_id: Option<Id>,
    pub(crate) cancel_requested: bool,
    pub(crate) preview: Option<Cow<'a, str>>,
    pub(crate) error_summary: Option<String>,
    pub(crate) failed_node_id: Option<Cow<'a, str>>,
    pub(crate) parent_id: Option<Id>,
    pub(crate) replay_of: Option<Id>,
    pub(crate) capture_policy: &'a str,
    pub(crate) digest: &'a [u8],
    pub(crate) end_digest: Option<&'a [u8]>,
    pub(crate) created_at: At,
    pub(crate) updated_at: At,
    pub(crate) bytes: i64,
    pub(crate) packed: bool,
    pub(crate) written: i64,
    pub(crate) lease_us: Option<i64>,
    pub(crate) imported_at: Option<At>,
    pub(crate) rejected: bool,
}

impl<'a> NewExecutionRow<'a> {
    pub(super) fn new(insert: &'a Insert<'a>, mark: i64) -> Self {
        let start = insert.start;
        let end = insert.end.as_ref();
        let error = end.and_then(|ending| ending.end.outcome.error());
        Self {
            id: Id(*start.id.as_uuid()),
            flow_id: Id(*start.flow_id.as_uuid()),
            flow_name: text(&start.flow_name),
            flow_tool_name: start.flow_tool_name.as_deref().map(text),
            flow_version: start.flow_version,
            user_id: start.user_id.map(|id| Id(*id.as_uuid())),
            source: start.source.as_str(),
            status: end.map_or("pending", |ending| ending.end.outcome.status().as_str()),
            inferred: end.is_some_and(|ending| ending.end.told == Told::Inferred),
            started_at: At(start.started_at),
            ended_at: end.map(|ending| At(ending.ended_at)),
            duration_us: end.map(|ending| ending.duration_us),
            deadline_at: end.is_none().then_some(At(start.deadline_at)),
            instance_id: start.instance_id.map(|id| Id(*id.as_uuid())),
            cancel_requested: insert.cancel_requested,
            preview: start.preview.as_deref().map(text),
            error_summary: error.map(|error| text(&error.summary()).into_owned()),
            failed_node_id: error.and_then(|error| error.node_id.as_deref()).map(text),
            parent_id: start.parent_id.map(|id| Id(*id.as_uuid())),
            replay_of: start.replay_of.map(|id| Id(*id.as_uuid())),
            capture_policy: start.capture_policy.as_str(),
            digest: start.digest.as_bytes(),
            end_digest: end.map(|ending| &ending.end.digest.as_bytes()[..]),
            created_at: At(start.recorded_at),
            updated_at: At(insert.updated_at),
            bytes: insert.packed.map_or(0, size_of),
            packed: insert.packed.is_some(),
            written: mark,
            lease_us: start.lease.map(|lease| i64::try_from(lease.as_micros()).unwrap_or(i64::MAX)),
            imported_at: start.import.map(|import| At(import.at)),
            rejected: start.is_rejected,
        }
    }
}

/// How an execution that was there ends.
pub(crate) struct EndRow<'a> {
    pub(crate) id: Id,
    pub(crate) status: &'a str,
    pub(crate) inferred: bool,
    pub(crate) ended_at: At,
    pub(crate) duration_us: i64,
    pub(crate) error_summary: Option<String>,
    pub(crate) failed_node_id: Option<&'a str>,
    pub(crate) end_digest: &'a [u8],
    pub(crate) updated_at: At,
    pub(crate) written: i64,
    pub(crate) outputs: Option<&'a [u8]>,
    pub(crate) error: Option<Vec<u8>>,
    pub(crate) end_capture: Option<Vec<u8>>,
    pub(crate) meta: Option<&'a [u8]>,
}

impl<'a> EndRow<'a> {
    pub(super) fn new(id: ExecutionId, ending: &'a Ending<'a>, mark: i64) -> Self {
        let end = ending.end;
        let error = end.outcome.error();
        Self {
            id: Id(*id.as_uuid()),
            status: end.outcome.status().as_str(),
            inferred: end.told == Told::Inferred,
            ended_at: At(ending.ended_at),
            duration_us: ending.duration_us,
            error_summary: error.map(ErrorInfo::summary),
            failed_node_id: error.and_then(|error| error.node_id.as_deref()),
            end_digest: end.digest.as_bytes(),
            updated_at: At(end.recorded_at),
            written: mark,
            outputs: end.outputs.as_ref().map(bytes),
            error: error.and_then(write_json),
            end_capture: write_marks(&end.capture),
            meta: end.meta.as_ref().map(bytes),
        }
    }
}

/// Its payloads.
pub(crate) struct NewPayloadRow<'a> {
    pub(crate) execution_id: Id,
    pub(crate) params: Option<&'a [u8]>,
    pub(crate) meta: Option<&'a [u8]>,
    pub(crate) outputs: Option<&'a [u8]>,
    pub(crate) error: Option<Vec<u8>>,
    pub(crate) start_capture: Option<Vec<u8>>,
    pub(crate) end_capture: Option<Vec<u8>>,
    pub(crate) packed: Option<&'a [u8]>,
}

impl<'a> NewPayloadRow<'a> {
    pub(super) fn new(insert: &'a Insert<'a>) -> Self {
        let end = insert.end.as_ref().map(|ending| ending.end);
        let execution_id = Id(*insert.start.id.as_uuid());
        if let Some(packed) = insert.packed {
            return Self {
                execution_id,
                params: None,
                meta: None,
                outputs: None,
                error: None,
                start_capture: None,
                end_capture: None,
                packed: Some(packed.as_bytes()),
            };
        }
        Self {
            execution_id,
            params: insert.start.params.as_ref().map(bytes),
            meta: end.and_then(|end| end.meta.as_ref()).or(insert.start.meta.as_ref()).map(bytes),
            outputs: end.and_then(|end| end.outputs.as_ref()).map(bytes),
            error: end.and_then(|end| end.outcome.error()).and_then(write_json),
            start_capture: write_marks(&insert.start.capture),
            end_capture: end.and_then(|end| write_marks(&end.capture)),
            packed: None,
        }
    }
}

#[derive(Insertable)]
#[diesel(table_name = execution_tags, treat_none_as_default_value = false)]
pub(super) struct NewTagRow<'a> {
    execution_id: Id,
    key: Cow<'a, str>,
    value: Cow<'a, str>,
    started_at: At,
}

impl<'a> NewTagRow<'a> {
    pub(super) fn all(insert: &'a Insert<'a>) -> impl Iterator<Item = Self> {
        let execution_id = Id(*insert.start.id.as_uuid());
        insert.start.tags.iter().map(move |(key, value)| Self {
            execution_id,
            key: text(key),
            value: text(value),
            started_at: At(insert.start.started_at),
        })
    }
}

#[derive(Insertable)]
#[diesel(table_name = node_executions, treat_none_as_default_value = false)]
pub(super) struct NewNodeRow<'a> {
    execution_id: Id,
    seq: i32,
    node_id: Cow<'a, str>,
    node_name: Cow<'a, str>,
    node_type: Cow<'a, str>,
    status: &'a str,
    executed_at: Option<At>,
    duration_us: Option<i64>,
    input: Option<&'a [u8]>,
    output: Option<&'a [u8]>,
    error: Option<Cow<'a, str>>,
    error_kind: Option<&'a str>,
    parent_seq: Option<i32>,
    iteration: Option<i32>,
    attempt: i32,
    capture: Option<Vec<u8>>,
    digest: &'a [u8],
}

impl<'a> NewNodeRow<'a> {
    pub(super) fn new(execution: ExecutionId, node: &'a NewNode) -> Self {
        Self {
            execution_id: Id(*execution.as_uuid()),
            seq: node.seq,
            node_id: text(&node.node_id),
            node_name: text(&node.node_name),
            node_type: text(&node.node_type),
            status: node.status.as_str(),
            executed_at: node.executed_at.map(At),
            duration_us: node.duration_us,
            input: node.input.as_ref().map(bytes),
            output: node.output.as_ref().map(bytes),
            error: node.error.as_deref().map(text),
            error_kind: node.error_kind.map(ErrorKind::as_str),
            parent_seq: node.parent_seq,
            iteration: node.iteration,
            attempt: node.attempt,
            capture: write_marks(&node.capture),
            digest: node.digest.as_bytes(),
        }
    }
}

/// The narrow row as lists read it.
#[derive(Queryable, Selectable)]
#[diesel(table_name = executions, check_for_backend(Db))]
pub(super) struct SummaryRow {
    pub(super) id: Id,
    pub(super) flow_id: Id,
    flow_name: String,
    flow_tool_name: Option<String>,
    flow_version: Option<i32>,
    user_id: Option<Id>,
    source: String,
    status: String,
    inferred: bool,
    pub(super) started_at: At,
    pub(super) ended_at: Option<At>,
    duration_us: Option<i64>,
    preview: Option<String>,
    error_summary: Option<String>,
    instance_id: Option<Id>,
    capture_policy: String,
    lease_us: Option<i64>,
    pub(super) packed: bool,
    pub(super) written: i64,
}

impl SummaryRow {
    /// Its place in lists.
    pub(crate) fn place(&self) -> Place {
        Place { started_at: self.started_at.0, id: ExecutionId::from_uuid(self.id.0) }
    }

    /// With what other tables know today: whether the flow was deleted, and the user's name.
    pub(super) fn into_summary(
        self,
        flow_lives: bool,
        user_name: Option<String>,
    ) -> Result<ExecutionSummary, StoreError> {
        let id = self.id.0;
        let flow = FlowId::from_uuid(self.flow_id.0);
        Ok(ExecutionSummary {
            id: ExecutionId::from_uuid(id),
            flow_id: flow_lives.then_some(flow),
            flow_name: from_text(self.flow_name),
            flow_tool_name: self.flow_tool_name.map(from_text),
            flow_version: self.flow_version,
            user_id: self.user_id.map(|user| UserId::from_uuid(user.0)),
            user_name: user_name.map(from_text),
            status: self
                .status
                .parse()
                .map_err(|error| corrupt("executions", "status", id, format!("{error}")))?,
            inferred: self.inferred,
            source: self
                .source
                .parse()
                .map_err(|error| corrupt("executions", "source", id, format!("{error}")))?,
            started_at: self.started_at.0,
            ended_at: self.ended_at.map(|at| at.0),
            duration_ms: self.duration_us.map(|us| us / 1_000),
            initial_params_preview: self.preview.map(from_text),
            error: self.error_summary.map(from_text),
            guarding_flow_id: flow,
            capture_policy: self
                .capture_policy
                .parse()
                .map_err(|error| corrupt("executions", "capture_policy", id, format!("{error}")))?,
            instance_id: self.instance_id.map(|instance| InstanceId::from_uuid(instance.0)),
            lease: self.lease_us.and_then(|micros| u64::try_from(micros).ok()).map(Duration::from_micros),
        })
    }
}

/// What of the narrow row only the detail shows.
#[derive(Queryable, Selectable)]
#[diesel(table_name = executions, check_for_backend(Db))]
pub(super) struct DetailRow {
    cancel_requested: bool,
    parent_id: Option<Id>,
    replay_of: Option<Id>,
    created_at: At,
    updated_at: At,
}

/// The wide half.
#[derive(Queryable, Selectable)]
#[diesel(table_name = execution_payloads, check_for_backend(Db))]
pub(super) struct PayloadRow {
    params: Option<Vec<u8>>,
    meta: Option<Vec<u8>>,
    outputs: Option<Vec<u8>>,
    error: Option<Vec<u8>>,
    start_capture: Option<Vec<u8>>,
    end_capture: Option<Vec<u8>>,
    packed: Option<Vec<u8>>,
}

impl PayloadRow {
    /// The data that the row has, packed or not. Nodes that stand in rows of their own are not among it.
    pub(super) fn into_data(self, id: ExecutionId) -> Result<ExecutionData, StoreError> {
        const TABLE: &str = "execution_payloads";
        if let Some(packed) = self.packed {
            return Packed::from_bytes(&packed).unpack().map_err(|error| corrupt(TABLE, "packed", id, error));
        }
        let error = self.error.map(|json| serde_json::from_slice(&json)).transpose();
        Ok(ExecutionData {
            params: read_payload(TABLE, "params", id, self.params)?,
            meta: read_payload(TABLE, "meta", id, self.meta)?,
            outputs: read_payload(TABLE, "outputs", id, self.outputs)?,
            error: error.map_err(|error| corrupt(TABLE, "error", id, error))?,
            start_capture: read_marks(TABLE, "start_capture", id, self.start_capture)?,
            end_capture: read_marks(TABLE, "end_capture", id, self.end_capture)?,
            nodes: Vec::new(),
        })
    }
}

pub(super) fn into_execution(
    summary: ExecutionSummary,
    detail: DetailRow,
    data: ExecutionData,
    tags: BTreeMap<String, String>,
) -> Result<Execution, StoreError> {
    let mut capture = data.start_capture;
    capture.extend(data.end_capture);
    Ok(Execution {
        initial_params: data.params,
        outputs: data.outputs,
        node_executions: data.nodes.into_iter().map(NewNode::into_execution).collect(),
        error_info: data.error,
        meta: data.meta,
        tags,
        parent_execution_id: detail.parent_id.map(|parent| ExecutionId::from_uuid(parent.0)),
        replay_of: detail.replay_of.map(|original| ExecutionId::from_uuid(original.0)),
        cancel_requested: detail.cancel_requested,
        capture,
        created_at: detail.created_at.0,
        updated_at: detail.updated_at.0,
        summary,
    })
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = node_executions, check_for_backend(Db))]
pub(super) struct NodeRow {
    seq: i32,
    node_id: String,
    node_name: String,
    node_type: String,
    status: String,
    executed_at: Option<At>,
    duration_us: Option<i64>,
    input: Option<Vec<u8>>,
    output: Option<Vec<u8>>,
    error: Option<String>,
    error_kind: Option<String>,
    parent_seq: Option<i32>,
    iteration: Option<i32>,
    attempt: i32,
    capture: Option<Vec<u8>>,
    digest: Vec<u8>,
}

impl NodeRow {
    pub(super) fn into_node(self, execution: ExecutionId) -> Result<NewNode, StoreError> {
        const TABLE: &str = "node_executions";
        let id = format!("{execution}/{}", self.seq);
        Ok(NewNode {
            seq: self.seq,
            node_id: from_text(self.node_id),
            node_name: from_text(self.node_name),
            node_type: from_text(self.node_type),
            status: self.status.parse().map_err(|error| corrupt(TABLE, "status", &id, format!("{error}")))?,
            executed_at: self.executed_at.map(|at| at.0),
            duration_us: self.duration_us,
            input: read_payload(TABLE, "input", &id, self.input)?,
            output: read_payload(TABLE, "output", &id, self.output)?,
            error: self.error.map(from_text),
            error_kind: self
                .error_kind
                .map(|kind| kind.parse())
                .transpose()
                .map_err(|error| corrupt(TABLE, "error_kind", &id, format!("{error}")))?,
            parent_seq: self.parent_seq,
            iteration: self.iteration,
            attempt: self.attempt,
            capture: read_marks(TABLE, "capture", &id, self.capture)?,
            digest: digest_of(TABLE, Id(*execution.as_uuid()), &self.digest)?,
            old_digest: None,
        })
    }
}

fn bytes(payload: &Payload) -> &[u8] {
    payload.as_str().as_bytes()
}

pub(super) fn write_json(value: &impl Serialize) -> Option<Vec<u8>> {
    // Strings and numbers only: nothing in these types can fail to be written.
    serde_json::to_vec(value).ok()
}

/// No marks are no value: most payloads are whole.
pub(super) fn write_marks(marks: &CaptureMarks) -> Option<Vec<u8>> {
    if marks.is_empty() { None } else { write_json(marks) }
}

fn read_marks(
    table: &'static str,
    column: &'static str,
    id: impl std::fmt::Display,
    json: Option<Vec<u8>>,
) -> Result<CaptureMarks, StoreError> {
    json.map_or_else(
        || Ok(CaptureMarks::new()),
        |json| serde_json::from_slice(&json).map_err(|error| corrupt(table, column, id, error)),
    )
}

fn read_payload(
    table: &'static str,
    column: &'static str,
    id: impl std::fmt::Display,
    json: Option<Vec<u8>>,
) -> Result<Option<Payload>, StoreError> {
    json.map(|json| {
        let text = std::str::from_utf8(&json).map_err(|error| corrupt(table, column, &id, error))?;
        Payload::from_json(text).map_err(|error| corrupt(table, column, &id, error))
    })
    .transpose()
}

pub(super) fn digest_of(table: &'static str, id: Id, bytes: &[u8]) -> Result<Digest, StoreError> {
    bytes.try_into().map(Digest::from_bytes).map_err(|error| corrupt(table, "digest", id.0, error))
}
