//! Executions and their nodes as reporters send them: the shape in which they are read, less what the server adds.

use flowtrail_tracker::{
    Ack, Applied, FinishedExecution, FinishedNode, Recorded, ReportedEnd, Sent, StartExecution, Tracker,
    TrackerError,
};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{
    ErrorInfo, ErrorKind, ExecutionId, ExecutionStatus, Flow, FlowId, Json, NodeStatus, Principal, Source,
};
use serde_json::Value;
use std::time::Duration;
use time::OffsetDateTime;

use crate::fields::Fields;
use crate::{ApiError, ErrorCode};

/// What a report may say.
const FIELDS: &[&str] = &[
    "id",
    "flowId",
    "status",
    "startedAt",
    "endedAt",
    "duration",
    "initialParams",
    "outputs",
    "errorInfo",
    "nodeExecutions",
    "meta",
    "tags",
    "parentExecutionId",
    "replayOf",
    "leaseSeconds",
];

/// What the server adds. It may stand in a report, so that what was exported can be recorded again, and is not looked at.
const ADDED: &[&str] = &[
    "flowName",
    "flowToolName",
    "flowVersion",
    "userId",
    "userName",
    "inferred",
    "source",
    "initialParamsPreview",
    "error",
    "cancelRequested",
    "capture",
    "createdAt",
    "updatedAt",
    "precise",
    "deletedFlowId",
];

const NODE_FIELDS: &[&str] = &[
    "seq",
    "nodeId",
    "nodeName",
    "nodeType",
    "status",
    "executedAt",
    "executionTimeMs",
    "inputData",
    "outputData",
    "error",
    "errorKind",
    "parentSeq",
    "iteration",
    "attempt",
];

const END_FIELDS: &[&str] = &["status", "endedAt", "outputs", "errorInfo"];
const ERROR_FIELDS: &[&str] = &["message", "kind", "nodeId", "nodeName"];

/// An execution as its reporter tells of it.
#[derive(Debug)]
pub(super) struct Report<'a> {
    id: Option<ExecutionId>,
    /// Its flow, where the address does not name it.
    pub(super) flow_id: Option<FlowId>,
    started_at: Option<OffsetDateTime>,
    params: Option<Sent<'a>>,
    meta: Option<Sent<'a>>,
    tags: Vec<(&'a str, &'a str)>,
    parent: Option<ExecutionId>,
    replay_of: Option<ExecutionId>,
    lease: Option<Duration>,
    /// How it went on, unless it has only begun.
    finished: Option<FinishedExecution<'a>>,
}

impl<'a> Report<'a> {
    pub(super) fn read(json: &'a Json) -> Result<Self, ApiError> {
        let fields = Fields::of_json(json)?;
        fields.only(FIELDS, ADDED)?;
        let tags = match fields.object("tags")? {
            Some(tags) => tags.texts()?,
            None => Vec::new(),
        };
        Ok(Self {
            id: fields.parsed("id")?,
            flow_id: fields.parsed("flowId")?,
            started_at: fields.time("startedAt")?,
            params: fields.payload("initialParams"),
            meta: fields.payload("meta"),
            tags,
            parent: fields.parsed("parentExecutionId")?,
            replay_of: fields.parsed("replayOf")?,
            lease: read_lease(&fields)?,
            finished: read_finished(&fields)?,
        })
    }

    fn start<'b>(&self, flow: &'b Flow) -> StartExecution<'b>
    where
        'a: 'b,
    {
        let mut start = StartExecution::of(flow, Source::Api);
        if let Some(id) = self.id {
            start = start.id(id);
        }
        if let Some(at) = self.started_at {
            start = start.started_at(at);
        }
        if let Some(params) = self.params {
            start = start.params(params);
        }
        if let Some(meta) = self.meta {
            start = start.meta(meta);
        }
        if let Some(parent) = self.parent {
            start = start.parent(parent);
        }
        if let Some(lease) = self.lease {
            start = start.lease(lease);
        }
        if let Some(original) = self.replay_of {
            start = start.replay_of(original);
        }
        self.tags.iter().fold(start, |start, (key, value)| start.tag(*key, *value))
    }

    /// Hands it to the recorder.
    pub(super) fn submit(
        &self,
        tracker: &Tracker,
        principal: &Principal,
        flow: &Flow,
    ) -> Result<Ack<(ExecutionId, Applied)>, TrackerError> {
        let start = self.start(flow);
        match &self.finished {
            Some(finished) => tracker.record(principal, &start, finished),
            None => tracker.start_elsewhere(principal, &start),
        }
    }

    /// The same, and with what is new the execution as it is read back.
    pub(super) fn submit_and_show(
        &self,
        tracker: &Tracker,
        principal: &Principal,
        flow: &Flow,
    ) -> Result<Ack<Recorded>, TrackerError> {
        let start = self.start(flow);
        match &self.finished {
            Some(finished) => tracker.record_and_show(principal, &start, finished),
            None => {
                let begun = tracker.start_elsewhere(principal, &start)?;
                Ok(begun.map(|(id, applied)| Recorded { id, applied, execution: None }))
            }
        }
    }

    /// The refusal of a record whose id is taken, with what differs. Blocks.
    pub(super) fn conflict(&self, tracker: &Tracker, principal: &Principal, flow: &Flow) -> ApiError {
        match tracker.differences(principal, &self.start(flow), self.finished.as_ref()) {
            Ok(differences) => conflict("this execution", differences),
            Err(error) => error.into(),
        }
    }
}

/// Something that was recorded before with other content.
pub(super) fn conflict(what: &str, differences: Vec<String>) -> ApiError {
    let message = if differences.is_empty() {
        format!("{what} was recorded before with other content")
    } else {
        format!("{what} was recorded before with other content: {} differs", differences.join(", "))
    };
    ApiError::new(ErrorCode::Conflict, message).with_differences(differences)
}

fn read_lease(fields: &Fields<'_>) -> Result<Option<Duration>, ApiError> {
    let seconds = fields.number("leaseSeconds", 0, i32::MAX)?;
    Ok(seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs))
}

fn read_finished<'a>(fields: &Fields<'a>) -> Result<Option<FinishedExecution<'a>>, ApiError> {
    let status = fields.parsed("status")?.unwrap_or(ExecutionStatus::Pending);
    let duration = fields.millis("duration")?;
    if status.is_final() {
        let nodes = fields.objects("nodeExecutions")?;
        let nodes = nodes
            .iter()
            .zip(1..)
            .map(|(node, place)| read_node(node, Some(place)))
            .collect::<Result<_, _>>()?;
        let end = read_end(fields, status)?;
        return Ok(Some(FinishedExecution { nodes, end, duration }));
    }
    for name in ["endedAt", "duration", "outputs", "errorInfo", "nodeExecutions"] {
        // An empty list of nodes says nothing.
        let says =
            fields.value(name).is_some_and(|value| value.as_array().is_none_or(|list| !list.is_empty()));
        if says {
            let message =
                "only an execution that is over has it: give its final status, or append and end it later";
            return Err(fields.invalid(name, message));
        }
    }
    Ok(None)
}

fn read_end<'a>(fields: &Fields<'a>, status: ExecutionStatus) -> Result<ReportedEnd<'a>, ApiError> {
    let error = fields.object("errorInfo")?.map(|error| read_error(&error)).transpose()?;
    let outcome = match (status, error) {
        (ExecutionStatus::Fulfilled, None) => Outcome::Fulfilled,
        (ExecutionStatus::Fulfilled, Some(_)) => {
            return Err(fields.invalid("errorInfo", "an execution that is fulfilled has none"));
        }
        (ExecutionStatus::Error, Some(error)) => Outcome::Error(error),
        (ExecutionStatus::Error, None) => {
            return Err(
                fields.invalid("errorInfo", "expected an object with a message that says why it failed")
            );
        }
        (ExecutionStatus::Aborted, error) => Outcome::Aborted(error),
        (ExecutionStatus::Pending, _) => {
            return Err(fields.invalid("status", "expected fulfilled, error or aborted"));
        }
    };
    Ok(ReportedEnd { outcome, ended_at: fields.time("endedAt")?, outputs: fields.payload("outputs") })
}

fn read_error(fields: &Fields<'_>) -> Result<ErrorInfo, ApiError> {
    fields.only(ERROR_FIELDS, &[])?;
    let message = fields.required_text("message")?;
    if message.trim().is_empty() {
        return Err(fields.invalid("message", "expected a text that says what went wrong, got an empty one"));
    }
    Ok(ErrorInfo {
        message: message.to_owned(),
        kind: fields.parsed("kind")?.unwrap_or(ErrorKind::Failed),
        node_id: fields.text("nodeId")?.map(str::to_owned),
        node_name: fields.text("nodeName")?.map(str::to_owned),
    })
}

/// The end that a body tells of.
pub(super) fn read_reported_end(json: &Json) -> Result<ReportedEnd<'_>, ApiError> {
    let fields = Fields::of_json(json)?;
    fields.only(END_FIELDS, &[])?;
    let status = fields.parsed("status")?;
    let status = status
        .ok_or_else(|| fields.invalid("status", "expected fulfilled, error or aborted, got nothing"))?;
    read_end(&fields, status)
}

/// The nodes that a body tells of: a list of them under `nodeExecutions`, a bare list, or one alone.
pub(super) fn read_nodes(json: &Json) -> Result<Vec<FinishedNode<'_>>, ApiError> {
    const LIST: &str = "nodeExecutions";
    let nodes = match &json.value {
        Value::Array(nodes) => nodes
            .iter()
            .enumerate()
            .map(|(index, node)| {
                Fields::of(node, &format!("{LIST}[{index}]"), json.replaced.at(&index.to_string()))
            })
            .collect::<Result<_, _>>()?,
        Value::Object(object) if object.contains_key(LIST) => {
            let fields = Fields::of_json(json)?;
            fields.only(&[LIST], &[])?;
            fields.objects(LIST)?
        }
        _ => vec![Fields::of_json(json)?],
    };
    if nodes.is_empty() {
        return Err(ApiError::invalid(LIST, "expected at least one node execution"));
    }
    nodes.iter().map(|node| read_node(node, None)).collect()
}

/// One node. Without a number of its own it has that of its place, where places count.
fn read_node<'a>(fields: &Fields<'a>, place: Option<i32>) -> Result<FinishedNode<'a>, ApiError> {
    fields.only(NODE_FIELDS, &["capture"])?;
    let seq = fields.number("seq", 1, i32::MAX)?.or(place);
    let seq = seq.ok_or_else(|| fields.invalid("seq", "expected a whole number from 1, got nothing"))?;
    let node_id = fields.required_text("nodeId")?;
    let error = fields.text("error")?;
    let status = fields.parsed("status")?;
    let status = status.unwrap_or(if error.is_some() { NodeStatus::Error } else { NodeStatus::Completed });
    let kind = fields.parsed("errorKind")?;
    let error = match (error, kind) {
        (Some(message), kind) => Some((kind.unwrap_or(ErrorKind::Failed), message)),
        (None, Some(kind)) => Some((kind, "")),
        (None, None) => None,
    };
    Ok(FinishedNode {
        node_name: fields.text("nodeName")?.unwrap_or(node_id),
        status,
        executed_at: fields.time("executedAt")?,
        duration: fields.millis("executionTimeMs")?,
        input: fields.payload("inputData"),
        output: fields.payload("outputData"),
        error,
        parent_seq: fields.number("parentSeq", 1, i32::MAX)?,
        iteration: fields.number("iteration", 0, i32::MAX)?,
        attempt: fields.number("attempt", 1, i32::MAX)?.unwrap_or(1),
        ..FinishedNode::completed(seq, node_id, fields.text("nodeType")?.unwrap_or("node"))
    })
}
