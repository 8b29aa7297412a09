//! Node executions as a reporter tells of them.

use std::time::Duration;

use flowtrail_store::NewNode;
use flowtrail_types::{CaptureMarks, CapturePolicy, Digest, ErrorKind, NodeStatus};
use time::OffsetDateTime;

use super::record::check_time;
use crate::capture::{Capture, Captured, note};
use crate::handle::digested;
use crate::{Sent, TrackerError};

/// One node's part in an execution, when it is over.
#[derive(Debug, Clone, Copy)]
pub struct FinishedNode<'a> {
    /// Its number within the execution, from 1.
    pub seq: i32,
    /// The node's id within the flow.
    pub node_id: &'a str,
    /// The node's name.
    pub node_name: &'a str,
    /// The node's kind.
    pub node_type: &'a str,
    /// How it ended; not [`NodeStatus::Pending`].
    pub status: NodeStatus,
    /// When it began, if that is known.
    pub executed_at: Option<OffsetDateTime>,
    /// How long it took, if that is known.
    pub duration: Option<Duration>,
    /// What it was given.
    pub input: Option<Sent<'a>>,
    /// What it produced.
    pub output: Option<Sent<'a>>,
    /// Why it failed.
    pub error: Option<(ErrorKind, &'a str)>,
    /// The number of the node execution that it is part of, such as a loop's.
    pub parent_seq: Option<i32>,
    /// Which iteration it is part of, from 0.
    pub iteration: Option<i32>,
    /// Which attempt it is, from 1.
    pub attempt: i32,
}

impl<'a> FinishedNode<'a> {
    /// A node that was completed at the first attempt, without anything else being known of it. Its name is its id.
    #[must_use]
    pub fn completed(seq: i32, node_id: &'a str, node_type: &'a str) -> Self {
        Self {
            seq,
            node_id,
            node_name: node_id,
            node_type,
            status: NodeStatus::Completed,
            executed_at: None,
            duration: None,
            input: None,
            output: None,
            error: None,
            parent_seq: None,
            iteration: None,
            attempt: 1,
        }
    }
}

/// The most characters of a node's id, name and kind.
const LONGEST: [(&str, usize); 3] = [("nodeId", 200), ("nodeName", 300), ("nodeType", 100)];

/// The longest time that is told: what fits microseconds in 64 bits, rounded down to 100,000 years.
const LONGEST_TIME: Duration = Duration::from_secs(100_000 * 365 * 24 * 3600);

/// Refuses nodes that are out of bounds. The error names the node by its place in the list.
pub(super) fn check(nodes: &[FinishedNode<'_>], now: OffsetDateTime) -> Result<(), TrackerError> {
    for (index, node) in nodes.iter().enumerate() {
        let field = |name: &str| format!("nodeExecutions[{index}].{name}");
        let invalid = |name: &str, message: String| Err(TrackerError::invalid(field(name), message));
        let texts = [node.node_id, node.node_name, node.node_type];
        for ((name, longest), text) in LONGEST.into_iter().zip(texts) {
            let length = text.chars().count();
            if length == 0 || length > longest {
                return invalid(name, format!("expected 1 to {longest} characters, got {length}"));
            }
        }
        if node.status == NodeStatus::Pending {
            let expected = "expected completed, error, aborted or skipped: a node is told of when it is over";
            return invalid("status", expected.to_owned());
        }
        for (name, number, least) in [
            ("seq", Some(node.seq), 1),
            ("parentSeq", node.parent_seq, 1),
            ("iteration", node.iteration, 0),
            ("attempt", Some(node.attempt), 1),
        ] {
            if let Some(number) = number.filter(|number| *number < least) {
                return invalid(name, format!("expected a whole number from {least}, got {number}"));
            }
        }
        if node.duration.is_some_and(|duration| duration > LONGEST_TIME) {
            return invalid("executionTimeMs", "longer than any node can take".to_owned());
        }
        check_time(&field("executedAt"), node.executed_at, now)?;
    }
    Ok(())
}

/// Nodes as they are to be written. Of an execution that keeps nothing not even its nodes are kept.
pub(super) fn new_nodes(capture: &Capture<'_>, nodes: &[FinishedNode<'_>]) -> Vec<NewNode> {
    if capture.policy == CapturePolicy::None {
        return Vec::new();
    }
    nodes.iter().map(|node| new_node(capture, node)).collect()
}

fn new_node(capture: &Capture<'_>, node: &FinishedNode<'_>) -> NewNode {
    let mut marks = CaptureMarks::new();
    let input = node.input.map(|input| capture.payload(input));
    let output = node.output.map(|output| capture.payload(output));
    for (field, captured) in [("inputData", &input), ("outputData", &output)] {
        if let Some(captured) = captured {
            note(&mut marks, field, captured);
        }
    }
    let error = node.error.and_then(|(_, message)| capture.text(message));
    let duration_us = node.duration.map(|it| i64::try_from(it.as_micros()).unwrap_or(i64::MAX));
    let number = |number: Option<i32>| number.unwrap_or(-1).to_le_bytes();
    let digest_of = |whole: fn(Option<&Captured>) -> &[u8]| {
        Digest::of(&[
            &node.seq.to_le_bytes(),
            node.node_id.as_bytes(),
            node.node_name.as_bytes(),
            node.node_type.as_bytes(),
            node.status.as_str().as_bytes(),
            &digested(node.executed_at),
            // As long as nothing was reported it was taken for none, and a digest stays what it was.
            &duration_us.unwrap_or(0).to_le_bytes(),
            whole(input.as_ref()),
            whole(output.as_ref()),
            node.error.map_or("", |(kind, _)| kind.as_str()).as_bytes(),
            error.as_deref().unwrap_or_default().as_bytes(),
            &number(node.parent_seq),
            &number(node.iteration),
            &node.attempt.to_le_bytes(),
        ])
    };
    let (digest, is_old_another) = (digest_of(Captured::whole_of), Captured::any_old([&input, &output]));
    let old_digest = is_old_another.then(|| digest_of(Captured::old_whole_of));
    NewNode {
        seq: node.seq,
        node_id: capture.name(node.node_id),
        node_name: capture.name(node.node_name),
        node_type: capture.name(node.node_type),
        status: node.status,
        executed_at: node.executed_at,
        duration_us,
        input: input.and_then(|captured| captured.stored),
        output: output.and_then(|captured| captured.stored),
        error,
        error_kind: node.error.map(|(kind, _)| kind),
        parent_seq: node.parent_seq,
        iteration: node.iteration,
        attempt: node.attempt,
        capture: marks,
        digest,
        old_digest,
    }
}
