//! The one way in which executions are written.

use std::collections::BTreeMap;
use std::time::Duration;

use flowtrail_types::lifecycle::{AlreadyEnded, Outcome, Told};
use flowtrail_types::{
    CaptureMarks, CapturePolicy, Digest, ErrorKind, ExecutionId, ExecutionStatus, FlowId, InstanceId,
    NodeExecution, NodeStatus, Payload, Source, UserId,
};
use time::OffsetDateTime;

use crate::{ExecutionData, NodeDigests, Packed, StoreError};

/// Something that happened to an execution. Redacted and capped: a store keeps what it is given.
#[derive(Debug, Clone)]
pub enum Command {
    /// It began.
    Start(Box<NewExecution>),
    /// Nodes of it ended.
    Append {
        /// The execution.
        execution: ExecutionId,
        /// Its nodes, told apart by their number.
        nodes: Vec<NewNode>,
        /// When this was reported.
        at: OffsetDateTime,
        /// When it is taken for dead if nothing more is heard, of one that has a lease.
        renewed_until: Option<OffsetDateTime>,
    },
    /// It ended.
    End {
        /// The execution.
        execution: ExecutionId,
        /// How.
        end: Box<NewEnd>,
    },
    /// All of it at once, for reporters that tell of an execution when it is over. Made by
    /// [`record`](Self::record).
    Record {
        /// How it began, without its payloads.
        start: Box<NewExecution>,
        /// How it ended, without its payloads and nodes.
        end: Box<NewEnd>,
        /// Its payloads and nodes.
        packed: Packed,
    },
    /// It was handed over: by the process that ran it to nobody, while it waits for another message, or to a process that
    /// continues it.
    HandOver {
        /// The execution.
        execution: ExecutionId,
        /// Who has it from now on.
        handover: Box<Handover>,
    },
    /// Somebody asked it to stop.
    RequestCancel {
        /// The execution.
        execution: ExecutionId,
        /// When.
        at: OffsetDateTime,
    },
    /// A call was rejected, and is counted without being recorded.
    CountRejected {
        /// The flow that was called.
        flow: FlowId,
        /// When.
        at: OffsetDateTime,
    },
}

impl Command {
    /// The command that records an execution at once. Its data is packed here, by whoever calls, so that the one
    /// thread that writes need not.
    ///
    /// # Errors
    ///
    /// When the data cannot be packed, for want of memory.
    pub fn record(
        mut start: NewExecution,
        nodes: Vec<NewNode>,
        mut end: NewEnd,
    ) -> Result<Result<Self, Refusal>, StoreError> {
        let mut nodes: Vec<NewNode> = nodes.into_iter().chain(std::mem::take(&mut end.running)).collect();
        nodes.sort_by_key(|node| node.seq);
        if let Some(pair) =
            nodes.windows(2).find(|pair| pair[0].seq == pair[1].seq && pair[0].digest != pair[1].digest)
        {
            return Ok(Err(Refusal::Conflict { what: format!("node execution {}", pair[0].seq) }));
        }
        nodes.dedup_by_key(|node| node.seq);
        let data = ExecutionData {
            params: start.params.take(),
            meta: end.meta.take().or_else(|| start.meta.take()),
            outputs: end.outputs.take(),
            error: end.outcome.error().cloned(),
            start_capture: std::mem::take(&mut start.capture),
            end_capture: std::mem::take(&mut end.capture),
            nodes,
        };
        let packed = data.pack(NodeDigests::LeftOut).map_err(|error| StoreError::Internal {
            reason: "an execution's data cannot be packed".to_owned(),
            source: Some(Box::new(error)),
        })?;
        Ok(Ok(Self::Record { start: Box::new(start), end: Box::new(end), packed }))
    }

    /// Notes when it was taken over.
    pub fn stamp(&mut self, now: OffsetDateTime) {
        match self {
            Self::Start(start) => start.recorded_at = now,
            Self::Append { at, .. } | Self::RequestCancel { at, .. } | Self::CountRejected { at, .. } => {
                *at = now;
            }
            Self::End { end, .. } => end.recorded_at = now,
            Self::HandOver { handover, .. } => handover.at = now,
            Self::Record { start, end, .. } => match &mut start.import {
                Some(import) => import.at = now,
                None => (start.recorded_at, end.recorded_at) = (now, now),
            },
        }
    }

    /// The execution that it is about, if it is about one.
    #[must_use]
    pub fn execution(&self) -> Option<ExecutionId> {
        match self {
            Self::Start(start) | Self::Record { start, .. } => Some(start.id),
            Self::Append { execution, .. }
            | Self::End { execution, .. }
            | Self::HandOver { execution, .. }
            | Self::RequestCancel { execution, .. } => Some(*execution),
            Self::CountRejected { .. } => None,
        }
    }
}

/// How an execution began.
#[derive(Debug, Clone)]
pub struct NewExecution {
    /// Its id.
    pub id: ExecutionId,
    /// Whether the id was made in this process, just now: then no store has seen it, and none needs to look.
    pub id_is_fresh: bool,
    /// Its flow.
    pub flow_id: FlowId,
    /// The flow's name as it is.
    pub flow_name: String,
    /// The flow's tool name as it is.
    pub flow_tool_name: Option<String>,
    /// Which definition runs.
    pub flow_version: Option<i32>,
    /// Who started it.
    pub user_id: Option<UserId>,
    /// Who reports it.
    pub source: Source,
    /// The process that runs it; absent when it runs elsewhere.
    pub instance_id: Option<InstanceId>,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it is taken for dead if nothing was heard.
    pub deadline_at: OffsetDateTime,
    /// For how long it may be silent, when its reporter asked for a lease.
    pub lease: Option<Duration>,
    /// When this was reported.
    pub recorded_at: OffsetDateTime,
    /// The first declared parameter's value, at most 50 characters.
    pub preview: Option<String>,
    /// The execution that called it.
    pub parent_id: Option<ExecutionId>,
    /// The execution that it repeats.
    pub replay_of: Option<ExecutionId>,
    /// How much of its data is kept.
    pub capture_policy: CapturePolicy,
    /// What it was given.
    pub params: Option<Payload>,
    /// What the reporter said besides.
    pub meta: Option<Payload>,
    /// Keys and values to filter by.
    pub tags: BTreeMap<String, String>,
    /// The marks of those payloads that are not whole.
    pub capture: CaptureMarks,
    /// The hash of what was reported, after redaction and before it was cut.
    pub digest: Digest,
    /// The same of what an earlier version made of its numbers, when that is something else: it rounded them.
    pub old_digest: Option<Digest>,
    /// What is special about one that is restored from an export.
    pub import: Option<Import>,
    /// Whether it is a call that was rejected before it ran, which statistics count by itself. Only of one that is recorded
    /// at once.
    pub is_rejected: bool,
}

/// An execution that was recorded before, here or elsewhere, and is restored as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Import {
    /// When it was restored. When it was recorded stays as it was.
    pub at: OffsetDateTime,
    /// Whether somebody had asked it to stop.
    pub cancel_requested: bool,
}

/// One node's part in an execution, when it has ended. One that is [`NodeStatus::Pending`] is replaced when it ends.
#[derive(Debug, Clone)]
pub struct NewNode {
    /// Its number, from 1.
    pub seq: i32,
    /// The node's id within the flow.
    pub node_id: String,
    /// The node's name.
    pub node_name: String,
    /// The node's kind.
    pub node_type: String,
    /// How it ended.
    pub status: NodeStatus,
    /// When it began; absent when that was not reported.
    pub executed_at: Option<OffsetDateTime>,
    /// How long it took, in microseconds; absent when that was not reported, or it is pending.
    pub duration_us: Option<i64>,
    /// What it was given.
    pub input: Option<Payload>,
    /// What it produced.
    pub output: Option<Payload>,
    /// Why it failed.
    pub error: Option<String>,
    /// The same in one word.
    pub error_kind: Option<ErrorKind>,
    /// The number of the node execution that it is part of.
    pub parent_seq: Option<i32>,
    /// Which iteration it is part of, from 0.
    pub iteration: Option<i32>,
    /// Which attempt it is, from 1.
    pub attempt: i32,
    /// The marks of those payloads that are not whole.
    pub capture: CaptureMarks,
    /// The hash of what was reported, after redaction and before it was cut.
    pub digest: Digest,
    /// The same of what an earlier version made of its numbers, when that is something else: it rounded them.
    pub old_digest: Option<Digest>,
}

impl NewExecution {
    /// Whether this is the digest of the same report, by this version or an earlier one.
    #[must_use]
    pub fn is_repeat_of(&self, digest: Digest) -> bool {
        digest == self.digest || Some(digest) == self.old_digest
    }
}

impl NewNode {
    /// Whether this is the digest of the same report, by this version or an earlier one.
    #[must_use]
    pub fn is_repeat_of(&self, digest: Digest) -> bool {
        digest == self.digest || Some(digest) == self.old_digest
    }

    /// The same as it is read.
    #[must_use]
    pub fn into_execution(self) -> NodeExecution {
        NodeExecution {
            seq: self.seq,
            node_id: self.node_id,
            node_name: self.node_name,
            node_type: self.node_type,
            status: self.status,
            executed_at: self.executed_at,
            duration_us: self.duration_us,
            input_data: self.input,
            output_data: self.output,
            error: self.error,
            error_kind: self.error_kind,
            parent_seq: self.parent_seq,
            iteration: self.iteration,
            attempt: self.attempt,
            capture: self.capture,
        }
    }
}

/// Who has a pending execution from now on.
#[derive(Debug, Clone)]
pub struct Handover {
    /// The process that runs it; absent while it waits for another message.
    pub instance_id: Option<InstanceId>,
    /// When it is taken for dead if nothing is heard until then.
    pub deadline_at: OffsetDateTime,
    /// What it is found by while it waits. Whatever it was found by before is forgotten.
    pub keys: Vec<Digest>,
    /// Nodes that began or ended meanwhile.
    pub nodes: Vec<NewNode>,
    /// When this was reported.
    pub at: OffsetDateTime,
}

/// How an execution ended.
#[derive(Debug, Clone)]
pub struct NewEnd {
    /// Who says so.
    pub told: Told,
    /// When it ended, as reported.
    pub ended_at: OffsetDateTime,
    /// When this was reported.
    pub recorded_at: OffsetDateTime,
    /// How.
    pub outcome: Outcome,
    /// What it produced.
    pub outputs: Option<Payload>,
    /// What the reporter says besides, when that is another than at its start.
    pub meta: Option<Payload>,
    /// The nodes that were running still; they are written as they are given here, unless they are known.
    pub running: Vec<NewNode>,
    /// The marks of those payloads that are not whole.
    pub capture: CaptureMarks,
    /// The hash of what was reported, after redaction and before it was cut.
    pub digest: Digest,
    /// The same of what an earlier version made of its numbers, when that is something else: it rounded them.
    pub old_digest: Option<Digest>,
    /// Of an end that is inferred from silence, the deadline that has passed: it is void if that was moved meanwhile.
    pub due_at: Option<OffsetDateTime>,
}

impl NewEnd {
    /// Whether this is the digest of the same report, by this version or an earlier one.
    #[must_use]
    pub fn is_repeat_of(&self, digest: Digest) -> bool {
        digest == self.digest || Some(digest) == self.old_digest
    }
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It was written.
    Written,
    /// It was written over an end that had only been inferred.
    Corrected,
    /// The same had been written before.
    Already,
}

/// Why a command was not written, though the store is well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such execution.
    #[error("there is no such execution")]
    Unknown,
    /// The execution, or the node, was recorded with other content.
    #[error("{what} was recorded before with other content")]
    Conflict {
        /// What it is: the execution, or node and number.
        what: String,
    },
    /// The execution has ended in another way, which stays.
    #[error("the execution has already ended as {status}", status = status.as_str())]
    AlreadyEnded {
        /// How it ended.
        status: ExecutionStatus,
    },
    /// It was to end for its silence, and something was heard of it just before.
    #[error("something was heard of the execution meanwhile")]
    Renewed,
}

impl Refusal {
    pub(crate) fn already(status: ExecutionStatus) -> impl FnOnce(AlreadyEnded) -> Self {
        move |AlreadyEnded| Self::AlreadyEnded { status }
    }
}
