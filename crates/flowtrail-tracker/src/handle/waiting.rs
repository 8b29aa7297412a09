//! Executions that wait for another message before they go on: an answer to a question, or the end of a task.
//!
//! Nobody runs them meanwhile. They are found again by a key, also by another process and after a restart.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use flowtrail_store::{Applied, Command, Handover, NewNode};
use flowtrail_types::lifecycle::Told;
use flowtrail_types::{
    CaptureMarks, CapturePolicy, Digest, Execution, ExecutionId, NodeExecution, NodeStatus, Payload,
    timestamp,
};
use serde_json::Value;
use time::OffsetDateTime;

use super::{ExecutionHandle, ONLY_ONE, Span, new_end};
use crate::capture::{Capture, note};
use crate::recorder::Patience;
use crate::tracker::{Inner, deadline};
use crate::{Ack, Ending, Sent, Tracker, TrackerError};

/// The type of the node executions that stand for questions.
const INPUT: &str = "Input";

/// What an execution waits for.
#[derive(Debug, Clone)]
pub struct Waiting<'a> {
    /// What it is found by when the message comes.
    pub keys: Vec<Digest>,
    /// What somebody was asked, if it waits for an answer.
    pub question: Option<Question<'a>>,
    /// For how long it may wait before it is taken for dead.
    pub timeout: Duration,
}

/// A question to whoever called. It is kept as a node execution, which is pending until it is answered.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What was asked.
    pub asked: Sent<'a>,
    /// When.
    pub at: OffsetDateTime,
}

/// The answer to a question.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// What was answered. To decline is an answer.
    pub answers: Sent<'a>,
    /// Whether it was dismissed instead.
    pub is_cancelled: bool,
    /// When.
    pub at: OffsetDateTime,
}

/// A pending execution that nobody runs while it waits.
#[derive(Debug)]
pub struct WaitingExecution {
    tracker: Arc<Inner>,
    id: ExecutionId,
    policy: CapturePolicy,
    timeout: Duration,
    next_seq: i32,
    questions: i32,
    /// The question that is not answered.
    open: Option<NodeExecution>,
    /// What was reported besides, unless it is not whole.
    meta: Option<Payload>,
}

impl Tracker {
    /// The executions that wait under a key, oldest first, at most `limit`. Blocks.
    ///
    /// Whose they are is part of the key: whoever makes it has decided who may go on with them.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub fn waiting_under(&self, key: &Digest, limit: u32) -> Result<Vec<ExecutionId>, TrackerError> {
        Ok(self.inner.store.executions().list_waiting(key, limit)?)
    }

    /// An execution that waits; nothing when it does not, or not any more. Blocks.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub fn waiting(&self, id: ExecutionId) -> Result<Option<WaitingExecution>, TrackerError> {
        let found = self.inner.store.executions().lookup(id)?;
        let is_waiting = |execution: &Execution| {
            !execution.summary.status.is_final() && execution.summary.instance_id.is_none()
        };
        let Some(execution) = found.filter(is_waiting) else { return Ok(None) };
        let flow = execution.summary.flow_tool_name.as_deref();
        let flow = flow.and_then(|name| self.inner.catalog.current().tool(name).cloned());
        let meta = execution.meta.filter(|_| !execution.capture.contains_key("meta"));
        let nodes = execution.node_executions;
        Ok(Some(WaitingExecution {
            tracker: Arc::clone(&self.inner),
            id,
            policy: execution.summary.capture_policy,
            timeout: flow.and_then(|flow| flow.timeout).unwrap_or(self.inner.execution_timeout),
            next_seq: nodes.iter().map(|node| node.seq).max().unwrap_or(0).saturating_add(1),
            questions: count(nodes.iter().filter(|node| node.node_type == INPUT).count()),
            open: nodes.into_iter().find(is_open),
            meta,
        }))
    }
}

impl ExecutionHandle {
    /// Sets the execution aside: from now on nobody runs it, and it waits to be found by one of the keys.
    pub fn set_aside(self, waiting: Waiting<'_>) -> Ack<()> {
        let shared = &self.shared;
        let mut nodes = shared.lock();
        nodes.forget_acknowledged();
        let mut written: Vec<NewNode> =
            std::mem::take(&mut nodes.unacknowledged).into_iter().map(|(node, _)| node).collect();
        if let Some(question) = waiting.question.filter(|_| shared.policy != CapturePolicy::None) {
            nodes.questions += 1;
            let seq = shared.next_seq.fetch_add(1, Ordering::Relaxed);
            let capture = shared.tracker.capture(shared.policy);
            written.push(asked(&capture, &question, seq, nodes.questions));
        }
        drop(nodes);
        let command = hand_over(&shared.tracker, shared.id, waiting.keys, waiting.timeout, written);
        let receiver = shared.tracker.recorder.submit(command, Patience::Endless);
        // Only now: whoever waits until nothing runs may close the recorder then.
        shared.forget();
        Ack::new(receiver, |reply| reply.map(drop))
    }
}

impl WaitingExecution {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> ExecutionId {
        self.id
    }

    /// What was reported besides when it began; nothing when not all of that was kept.
    #[must_use]
    pub fn meta(&self) -> Option<Value> {
        self.meta.as_ref().and_then(|meta| serde_json::from_str(meta.as_str()).ok())
    }

    /// Goes on with it in this process, whose flow's timeout begins anew.
    pub fn resume(self, answered: Option<&Answered<'_>>) -> Ack<ExecutionHandle> {
        let span = Span::begin(&*self.tracker.clock, self.timeout);
        let now = span.began_at;
        let handover = Handover {
            instance_id: Some(self.tracker.instance),
            deadline_at: deadline(now, self.timeout),
            keys: Vec::new(),
            nodes: self.closed(answered).into_iter().collect(),
            at: now,
        };
        let command = Command::HandOver { execution: self.id, handover: Box::new(handover) };
        let tracker = Arc::clone(&self.tracker);
        let handle = ExecutionHandle::continued(tracker, self.id, self.policy, span, self.next_seq);
        handle.shared.lock().questions = self.questions;
        let receiver = self.tracker.recorder.submit(command, Patience::Endless);
        Ack::new(receiver, move |reply| match reply {
            Ok(_) => Ok(handle),
            Err(error) => {
                handle.forget();
                Err(error)
            }
        })
    }

    /// It waits on: for as long again, and with what was asked and answered meanwhile.
    pub fn wait_on(self, answered: Option<&Answered<'_>>, waiting: Waiting<'_>) -> Ack<()> {
        let mut nodes: Vec<NewNode> = Vec::new();
        // A question that is repeated is the same; another one takes its place.
        let is_repeated = waiting.question.is_some_and(|question| self.is_open(question.asked));
        if answered.is_some() || (waiting.question.is_some() && !is_repeated) {
            nodes.extend(self.closed(answered));
        }
        let is_new = !is_repeated && self.policy != CapturePolicy::None;
        if let Some(question) = waiting.question.filter(|_| is_new) {
            let capture = self.tracker.capture(self.policy);
            nodes.push(asked(&capture, &question, self.next_seq, self.questions + 1));
        }
        let command = hand_over(&self.tracker, self.id, waiting.keys, waiting.timeout, nodes);
        Ack::new(self.tracker.recorder.submit(command, Patience::Endless), |reply| reply.map(drop))
    }

    /// It ended. An end that was only inferred can be corrected later.
    pub fn end(self, told: Told, ending: Ending<'_>) -> Ack<Applied> {
        let capture = self.tracker.capture(self.policy);
        let now = self.tracker.clock.now();
        let running = self.closed(None).into_iter().collect();
        let end = new_end(&capture, told, ending, now, running);
        let command = Command::End { execution: self.id, end: Box::new(end) };
        Ack::new(self.tracker.recorder.submit(command, Patience::Endless), |reply| reply)
    }

    /// Whether this is what is asked already.
    fn is_open(&self, asked: Sent<'_>) -> bool {
        let capture = self.tracker.capture(self.policy);
        self.open.as_ref().is_some_and(|open| open.input_data == capture.payload(asked).stored)
    }

    /// The question that was open, with its answer; without one it was never answered.
    fn closed(&self, answered: Option<&Answered<'_>>) -> Option<NewNode> {
        let open = self.open.clone()?;
        Some(close(&self.tracker.capture(self.policy), open, answered, self.tracker.clock.now()))
    }
}

impl Inner {
    /// The questions that an execution waits for an answer to, as they are written when it ends without one.
    pub(crate) fn unanswered(&self, id: ExecutionId) -> Result<Vec<NewNode>, TrackerError> {
        let Some(execution) = self.store.executions().lookup(id)? else { return Ok(Vec::new()) };
        let capture = self.capture(execution.summary.capture_policy);
        let open = execution.node_executions.into_iter().filter(is_open);
        Ok(open.map(|node| close(&capture, node, None, self.clock.now())).collect())
    }
}

fn is_open(node: &NodeExecution) -> bool {
    node.node_type == INPUT && node.status == NodeStatus::Pending
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// The command by which an execution waits.
fn hand_over(
    tracker: &Inner,
    execution: ExecutionId,
    keys: Vec<Digest>,
    timeout: Duration,
    nodes: Vec<NewNode>,
) -> Command {
    let now = tracker.clock.now();
    let handover = Handover { instance_id: None, deadline_at: deadline(now, timeout), keys, nodes, at: now };
    Command::HandOver { execution, handover: Box::new(handover) }
}

fn asked(capture: &Capture<'_>, question: &Question<'_>, seq: i32, number: i32) -> NewNode {
    let mut marks = CaptureMarks::new();
    let input = capture.payload(question.asked);
    note(&mut marks, "inputData", &input);
    NewNode {
        seq,
        node_id: format!("input-{number}"),
        node_name: format!("Input {number}"),
        node_type: INPUT.to_owned(),
        status: NodeStatus::Pending,
        executed_at: Some(question.at),
        duration_us: None,
        input: input.stored,
        output: None,
        error: None,
        error_kind: None,
        parent_seq: None,
        iteration: None,
        attempt: 1,
        capture: marks,
        digest: ONLY_ONE,
        old_digest: None,
    }
}

fn close(
    capture: &Capture<'_>,
    open: NodeExecution,
    answered: Option<&Answered<'_>>,
    now: OffsetDateTime,
) -> NewNode {
    let mut marks = open.capture;
    let output = answered.map(|answered| {
        let output = capture.payload(answered.answers);
        note(&mut marks, "outputData", &output);
        output
    });
    let is_answered = answered.is_some_and(|answered| !answered.is_cancelled);
    let until = answered.map_or(now, |answered| answered.at);
    let took = open.executed_at.map(|at| timestamp::unix_micros(until) - timestamp::unix_micros(at));
    NewNode {
        seq: open.seq,
        node_id: open.node_id,
        node_name: open.node_name,
        node_type: open.node_type,
        status: if is_answered { NodeStatus::Completed } else { NodeStatus::Aborted },
        executed_at: open.executed_at,
        duration_us: took.map(|took| took.max(0)),
        input: open.input_data,
        output: output.and_then(|captured| captured.stored),
        error: None,
        error_kind: None,
        parent_seq: open.parent_seq,
        iteration: open.iteration,
        attempt: open.attempt,
        capture: marks,
        digest: ONLY_ONE,
        old_digest: None,
    }
}
