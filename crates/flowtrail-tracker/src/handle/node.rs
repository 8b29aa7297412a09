//! The nodes of a running execution.

use std::sync::Arc;
use std::time::Duration;

use flowtrail_store::NewNode;
use flowtrail_types::{CaptureMarks, Digest, ErrorKind, ExecutionId, NodeStatus, timestamp};
use serde_json::Value;
use time::OffsetDateTime;

use super::Shared;
use crate::{NodeProgress, Sent};

#[derive(Debug)]
pub(super) struct RunningNode {
    pub(super) begun: BegunNode,
    pub(super) executed_at: OffsetDateTime,
    /// When it began, by the clock that does not jump.
    pub(super) since: Duration,
    /// How long it took, when that is known from elsewhere.
    pub(super) took: Option<Duration>,
}

/// What is known of a node when it begins, owned.
#[derive(Debug)]
pub(super) struct BegunNode {
    pub(super) node_id: String,
    pub(super) node_name: String,
    pub(super) node_type: String,
    pub(super) input: Option<flowtrail_types::Payload>,
    pub(super) capture: CaptureMarks,
    pub(super) parent_seq: Option<i32>,
    pub(super) iteration: Option<i32>,
    pub(super) attempt: i32,
}

/// A node that begins.
#[derive(Debug, Clone, Copy)]
pub struct NodeStart<'a> {
    /// The node's id within the flow.
    pub node_id: &'a str,
    /// The node's name for people.
    pub node_name: &'a str,
    /// The node's kind.
    pub node_type: &'a str,
    /// What it is given.
    pub input: &'a Value,
    /// The number of the node execution that it is part of, such as a loop's.
    pub parent_seq: Option<i32>,
    /// Which iteration it is part of, from 0.
    pub iteration: Option<i32>,
    /// Which attempt it is, from 1.
    pub attempt: i32,
}

impl<'a> NodeStart<'a> {
    /// The first attempt of a node whose name is its id, outside of any loop.
    #[must_use]
    pub fn new(node_id: &'a str, node_type: &'a str, input: &'a Value) -> Self {
        Self { node_id, node_name: node_id, node_type, input, parent_seq: None, iteration: None, attempt: 1 }
    }
}

impl BegunNode {
    /// What those who watch are told when it begins.
    pub(super) fn progress(
        &self,
        execution_id: ExecutionId,
        seq: i32,
        executed_at: OffsetDateTime,
    ) -> NodeProgress {
        NodeProgress {
            execution_id,
            seq,
            node_id: self.node_id.clone(),
            node_name: self.node_name.clone(),
            node_type: self.node_type.clone(),
            status: NodeStatus::Pending,
            executed_at: Some(executed_at),
            execution_time_ms: None,
            error: None,
            error_kind: None,
            parent_seq: self.parent_seq,
            iteration: self.iteration,
            attempt: self.attempt,
        }
    }
}

/// Cuts the time that a node took so that it ended by then: its execution was given up earlier than that was noticed.
pub(super) fn end_by(node: &mut NewNode, latest: OffsetDateTime) {
    let Some(executed_at) = node.executed_at else { return };
    let longest = timestamp::unix_micros(latest).saturating_sub(timestamp::unix_micros(executed_at));
    node.duration_us = node.duration_us.map(|took| took.min(longest.max(0)));
}

/// The digest of a node of which nobody can tell anything else: its number is given out here, once. What is handed over again
/// is the same.
pub(super) const ONLY_ONE: Digest = Digest::from_bytes([0; 16]);

/// A running node. Dropped without a word, it is written as aborted when its execution ends.
#[derive(Debug)]
pub struct NodeHandle {
    pub(super) shared: Arc<Shared>,
    pub(super) seq: i32,
}

impl NodeHandle {
    /// Its number within the execution.
    #[must_use]
    pub fn seq(&self) -> i32 {
        self.seq
    }

    /// A script received its input with numbers rounded to doubles. It is kept with all digits.
    pub fn input_was_rounded(&self) {
        self.shared.input_was_rounded(self.seq);
    }

    /// It ended as it should. Queued without waiting; the execution's end waits for it.
    pub fn complete<'a>(self, output: impl Into<Sent<'a>>) {
        self.shared.end_node(self.seq, NodeStatus::Completed, Some(output.into()), None);
    }

    /// It failed. Queued without waiting.
    pub fn fail(self, kind: ErrorKind, message: impl AsRef<str>) {
        self.shared.end_node(self.seq, NodeStatus::Error, None, Some((kind, message.as_ref())));
    }

    /// It failed, having produced this much. Queued without waiting.
    pub fn fail_with_output<'a>(
        self,
        kind: ErrorKind,
        message: impl AsRef<str>,
        output: impl Into<Sent<'a>>,
    ) {
        self.shared.end_node(
            self.seq,
            NodeStatus::Error,
            Some(output.into()),
            Some((kind, message.as_ref())),
        );
    }

    /// It was stopped, though its execution may go on. Queued without waiting.
    pub fn abort(self) {
        self.shared.end_node(self.seq, NodeStatus::Aborted, None, None);
    }

    /// It was not needed after all. Queued without waiting.
    pub fn skip(self) {
        self.shared.end_node(self.seq, NodeStatus::Skipped, None, None);
    }
}
