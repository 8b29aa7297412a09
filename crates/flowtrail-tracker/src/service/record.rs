//! Executions that are told of when they are over.

use std::time::Duration;

use flowtrail_store::{Applied, Command, NewNode};
use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{CaptureMarks, CapturePolicy, Digest, ErrorKind, ExecutionId, NodeStatus, Principal};
use serde_json::Value;
use time::OffsetDateTime;

use crate::access::{self, Rights};
use crate::capture::{Capture, Captured, note};
use crate::handle::new_end;
use crate::recorder::Patience;
use crate::{Ack, StartExecution, Tracker, TrackerError};

/// How an execution that is over went on after its start.
#[derive(Debug, Clone)]
pub struct FinishedExecution<'a> {
    /// Its nodes.
    pub nodes: Vec<FinishedNode<'a>>,
    /// How it ended.
    pub outcome: Outcome,
    /// When it ended.
    pub ended_at: OffsetDateTime,
    /// What it produced.
    pub outputs: Option<&'a Value>,
}

/// One node's part in an execution that is over.
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
    /// How it ended.
    pub status: NodeStatus,
    /// When it began.
    pub executed_at: OffsetDateTime,
    /// How long it took.
    pub duration: Duration,
    /// What it was given.
    pub input: Option<&'a Value>,
    /// What it produced.
    pub output: Option<&'a Value>,
    /// Why it failed.
    pub error: Option<(ErrorKind, &'a str)>,
}

impl Tracker {
    /// Records an execution that is over, all at once. The same record again, by its id, is one.
    ///
    /// # Errors
    ///
    /// At once: when the principal may not record into the flow, or a value is out of bounds. By the
    /// acknowledgement: [`TrackerError::Conflict`] when the id was recorded with other content, or why it was
    /// not written.
    pub fn record(
        &self,
        principal: &Principal,
        start: &StartExecution<'_>,
        finished: &FinishedExecution<'_>,
    ) -> Result<Ack<(ExecutionId, Applied)>, TrackerError> {
        access::require(principal, start.flow, Rights::Public, "record into this flow")?;
        let inner = &self.inner;
        let mut new = inner.new_execution(principal, start, None)?;
        let capture = inner.capture(start.flow.capture);
        // Of an execution that keeps nothing not even its nodes are kept.
        let kept = if start.flow.capture == CapturePolicy::None { &[][..] } else { &finished.nodes[..] };
        let nodes: Vec<NewNode> = kept.iter().map(|node| new_node(&capture, node)).collect();
        let end = new_end(
            &capture,
            Told::Reported,
            finished.outcome.clone(),
            finished.outputs,
            finished.ended_at,
            new.recorded_at,
            Vec::new(),
        );
        // Another record is one that differs anywhere: in its start, in a node, in its end.
        let mut parts: Vec<&[u8]> = vec![new.digest.as_bytes(), end.digest.as_bytes()];
        parts.extend(nodes.iter().map(|node| &node.digest.as_bytes()[..]));
        new.digest = Digest::of(&parts);
        let id = new.id;
        let command = Command::record(new, nodes, end)??;
        let receiver = inner.recorder.submit(command, Patience::Refusable);
        Ok(Ack::new(receiver, move |reply| reply.map(|applied| (id, applied))))
    }
}

/// All of what was captured, as bytes; none when nothing was.
fn whole(captured: Option<&Captured>) -> &[u8] {
    captured.map_or(&[], |captured| captured.whole.as_str().as_bytes())
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
    let digest = Digest::of(&[
        &node.seq.to_le_bytes(),
        node.node_id.as_bytes(),
        node.status.as_str().as_bytes(),
        whole(input.as_ref()),
        whole(output.as_ref()),
        error.as_deref().unwrap_or_default().as_bytes(),
    ]);
    NewNode {
        seq: node.seq,
        node_id: node.node_id.to_owned(),
        node_name: node.node_name.to_owned(),
        node_type: node.node_type.to_owned(),
        status: node.status,
        executed_at: node.executed_at,
        duration_us: i64::try_from(node.duration.as_micros()).unwrap_or(i64::MAX),
        input: input.and_then(|captured| captured.stored),
        output: output.and_then(|captured| captured.stored),
        error,
        error_kind: node.error.map(|(kind, _)| kind),
        parent_seq: None,
        iteration: None,
        attempt: 1,
        capture: marks,
        digest,
    }
}
