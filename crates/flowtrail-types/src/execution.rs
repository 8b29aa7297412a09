//! Executions as they are read back.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use time::OffsetDateTime;

use crate::{CapturePolicy, ExecutionId, FlowId, InstanceId, Payload, UserId, timestamp};

words! {
    /// How an execution stands.
    ExecutionStatus, "status", "pending, fulfilled, error or aborted",
    {
        /// It has begun, and nobody has said how it ended.
        Pending = "pending",
        /// It ended as it should.
        Fulfilled = "fulfilled",
        /// It failed; the error info says why.
        Error = "error",
        /// It was stopped: by a client, a person or a shutdown.
        Aborted = "aborted",
    }
}

words! {
    /// How a node's part in an execution ended, or that it has not.
    NodeStatus, "node status", "pending, completed, error, aborted or skipped",
    {
        /// It has begun.
        Pending = "pending",
        /// It ended as it should.
        Completed = "completed",
        /// It failed.
        Error = "error",
        /// It was running when the execution was stopped.
        Aborted = "aborted",
        /// It was never begun, because no way led to it or the execution ended before.
        Skipped = "skipped",
    }
}

words! {
    /// Who reported an execution.
    Source, "source", "mcp, api, embedded, proxy or replay",
    {
        /// A call of a tool over MCP.
        Mcp = "mcp",
        /// The HTTP API.
        Api = "api",
        /// A Rust program that has the tracker inside.
        Embedded = "embedded",
        /// The proxy before another MCP server.
        Proxy = "proxy",
        /// A replay of an earlier execution.
        Replay = "replay",
    }
}

words! {
    /// Why something failed, in one word that programs can act on.
    ErrorKind, "error kind", "one of the kinds in docs/API.md",
    {
        /// A node failed; its message says why.
        Failed = "failed",
        /// The input was not what was declared.
        InvalidInput = "invalid_input",
        /// It took longer than it may.
        Timeout = "timeout",
        /// The process that ran it died.
        Interrupted = "interrupted",
        /// A client or a person cancelled it.
        Cancelled = "cancelled",
        /// The server shut down.
        Shutdown = "shutdown",
        /// The program dropped it without ending it.
        Dropped = "dropped",
        /// It used more memory, output or depth than it may.
        Limit = "limit",
        /// An address that it may not call.
        Forbidden = "forbidden",
        /// The other side could not be reached, or broke off.
        Network = "network",
        /// Flowtrail itself went wrong.
        Internal = "internal",
    }
}

impl ExecutionStatus {
    /// Whether the execution has ended.
    #[must_use]
    pub fn is_final(self) -> bool {
        self != Self::Pending
    }
}

/// Why an execution or a node failed or was stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorInfo {
    /// What happened, for people and for models.
    pub message: String,
    /// The same in one word.
    pub kind: ErrorKind,
    /// The node that is to blame, if one is.
    pub node_id: Option<String>,
    /// Its name.
    pub node_name: Option<String>,
}

impl ErrorInfo {
    /// An error that no node is to blame for.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { message: message.into(), kind, node_id: None, node_name: None }
    }

    /// The same error, blamed on a node.
    #[must_use]
    pub fn at_node(mut self, id: impl Into<String>, name: impl Into<String>) -> Self {
        self.node_id = Some(id.into());
        self.node_name = Some(name.into());
        self
    }

    /// The message's first line, cut to 200 characters: what a list shows.
    #[must_use]
    pub fn summary(&self) -> String {
        let line = self.message.lines().next().unwrap_or_default();
        match line.char_indices().nth(200) {
            Some((cut, _)) => format!("{}...", &line[..cut]),
            None => line.to_owned(),
        }
    }
}

/// What happened to a payload on its way into the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CaptureMark {
    /// The bytes of JSON that it had after redaction and before it was cut.
    pub size: u64,
    /// Whether it was cut.
    pub truncated: bool,
    /// Whether something in it was redacted.
    pub redacted: bool,
    /// Whether it was kept at all.
    pub captured: bool,
    /// Whether a surrogate without a partner was replaced by U+FFFD in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaced: bool,
    /// Whether a script received it with numbers rounded to doubles. It is kept with all digits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rounded: bool,
    /// Of node executions: how many are not recorded, because the execution has more of them than it may.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The marks of those payloads that are not whole, by the name of their field.
pub type CaptureMarks = BTreeMap<String, CaptureMark>;

/// An execution as a list shows it: what the narrow row holds, no payload.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionSummary {
    /// Its id.
    pub id: ExecutionId,
    /// Its flow; null once the flow is deleted.
    pub flow_id: Option<FlowId>,
    /// The flow's name as it was.
    pub flow_name: String,
    /// The flow's tool name as it was.
    pub flow_tool_name: Option<String>,
    /// Which definition ran; null when the flow has none.
    pub flow_version: Option<i32>,
    /// Who started it.
    pub user_id: Option<UserId>,
    /// Their name.
    pub user_name: Option<String>,
    /// How it stands.
    pub status: ExecutionStatus,
    /// Whether its end was concluded by Flowtrail and not reported.
    pub inferred: bool,
    /// Who reported it.
    pub source: Source,
    /// When it began.
    #[serde(with = "crate::timestamp")]
    pub started_at: OffsetDateTime,
    /// When it ended; never before it began.
    #[serde(with = "crate::timestamp::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// How long it took, cut to whole milliseconds.
    #[serde(rename = "duration")]
    pub duration_ms: Option<i64>,
    /// The first declared parameter's value, at most 50 characters.
    pub initial_params_preview: Option<String>,
    /// Its error in one line.
    pub error: Option<String>,
    /// The flow whether deleted or not, by which access is decided. Not shown.
    #[serde(skip)]
    pub guarding_flow_id: FlowId,
    /// How much of its data is kept. Not shown.
    #[serde(skip)]
    pub capture_policy: CapturePolicy,
    /// The process that runs it; absent when it runs elsewhere and is only reported. Not shown.
    #[serde(skip)]
    pub instance_id: Option<InstanceId>,
    /// For how long it may be silent before it is taken for dead, when its reporter asked for a lease. Not shown.
    #[serde(skip)]
    pub lease: Option<Duration>,
}

impl ExecutionSummary {
    /// How long it took, in microseconds.
    #[must_use]
    pub fn duration_us(&self) -> Option<i64> {
        Some(timestamp::unix_micros(self.ended_at?) - timestamp::unix_micros(self.started_at))
    }
}

/// One node's part in an execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeExecution {
    /// Its number within the execution, in the order of beginning, from 1.
    pub seq: i32,
    /// The node's id within the flow.
    pub node_id: String,
    /// The node's name as it was.
    pub node_name: String,
    /// The node's kind.
    pub node_type: String,
    /// How it ended.
    pub status: NodeStatus,
    /// When it began; null when that was not reported.
    #[serde(with = "crate::timestamp::option")]
    pub executed_at: Option<OffsetDateTime>,
    /// How long it took, in milliseconds, to the microsecond; null when that was not reported.
    #[serde(rename = "executionTimeMs", serialize_with = "micros_as_millis")]
    pub duration_us: Option<i64>,
    /// What it was given.
    pub input_data: Option<Payload>,
    /// What it produced.
    pub output_data: Option<Payload>,
    /// Why it failed.
    pub error: Option<String>,
    /// The same in one word.
    pub error_kind: Option<ErrorKind>,
    /// The number of the node execution that it is part of, such as a loop's.
    pub parent_seq: Option<i32>,
    /// Which iteration of a loop it is part of, from 0.
    pub iteration: Option<i32>,
    /// Which attempt it is, from 1.
    pub attempt: i32,
    /// The marks of those payloads that are not whole.
    pub capture: CaptureMarks,
}

/// An execution with all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// What a list shows of it.
    #[serde(flatten)]
    pub summary: ExecutionSummary,
    /// What it was given.
    pub initial_params: Option<Payload>,
    /// What it produced.
    pub outputs: Option<Payload>,
    /// Its nodes, by number.
    pub node_executions: Vec<NodeExecution>,
    /// Why it failed or was stopped.
    pub error_info: Option<ErrorInfo>,
    /// What the reporter said besides.
    pub meta: Option<Payload>,
    /// Keys and values to filter by.
    pub tags: BTreeMap<String, String>,
    /// The execution that called it.
    pub parent_execution_id: Option<ExecutionId>,
    /// The execution that it repeats.
    pub replay_of: Option<ExecutionId>,
    /// Whether somebody asked it to stop.
    pub cancel_requested: bool,
    /// The marks of those payloads that are not whole.
    pub capture: CaptureMarks,
    /// When it was recorded.
    #[serde(with = "crate::timestamp")]
    pub created_at: OffsetDateTime,
    /// When its record last changed.
    #[serde(with = "crate::timestamp")]
    pub updated_at: OffsetDateTime,
}

#[expect(clippy::ref_option, reason = "the signature that serde wants")]
fn micros_as_millis<S: Serializer>(micros: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    micros.map(timestamp::as_millis).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_it_is_written() {
        for status in ExecutionStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
        }
        let error = "done".parse::<ExecutionStatus>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown status \"done\", expected pending, fulfilled, error or aborted"
        );
    }

    #[test]
    fn an_error_is_summed_up_in_one_short_line() {
        let error = ErrorInfo::new(ErrorKind::Failed, format!("{}\nsecond line", "é".repeat(300)));
        assert_eq!(error.summary(), format!("{}...", "é".repeat(200)));
        assert_eq!(ErrorInfo::new(ErrorKind::Failed, "").summary(), "");
    }
}
