//! A running execution, held by whoever runs it.

mod end;
mod held;
mod pace;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flowtrail_store::{Command, NewNode};
use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{CaptureMarks, CapturePolicy, Digest, ErrorInfo, ErrorKind, ExecutionId, NodeStatus};
use serde_json::Value;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

pub(crate) use self::end::{digested, new_end};
use self::held::Held;
use crate::ack::Reply;
use crate::capture::note;
use crate::changes::Changed;
use crate::recorder::Patience;
use crate::tracker::Inner;
use crate::{Ack, Ending, Happening, NodeProgress, TrackerError};

/// A running execution. Ending it consumes the handle; dropping it unfinished ends it as aborted, saying so.
#[derive(Debug)]
pub struct ExecutionHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    tracker: Arc<Inner>,
    id: ExecutionId,
    policy: CapturePolicy,
    cancelled: CancellationToken,
    next_seq: AtomicI32,
    ended: AtomicBool,
    nodes: Mutex<Nodes>,
}

#[derive(Debug, Default)]
struct Nodes {
    /// Those that have begun and not ended.
    running: BTreeMap<i32, RunningNode>,
    /// Those that are handed to the recorder and not acknowledged. They go with the end once more: if one of
    /// them was refused because too much was waiting, it is written then.
    unacknowledged: Vec<(NewNode, oneshot::Receiver<Reply>)>,
    /// What is not written yet, of an execution whose start is held back.
    held: Option<Held>,
}

impl Nodes {
    fn forget_acknowledged(&mut self) {
        self.unacknowledged.retain(|(_, acknowledged)| !matches!(acknowledged.try_recv(), Ok(Ok(_))));
    }
}

#[derive(Debug)]
struct RunningNode {
    begun: BegunNode,
    executed_at: OffsetDateTime,
    since: Instant,
    /// How long it took, when that is known from elsewhere.
    took: Option<Duration>,
}

/// What is known of a node when it begins, owned.
#[derive(Debug)]
struct BegunNode {
    node_id: String,
    node_name: String,
    node_type: String,
    input: Option<flowtrail_types::Payload>,
    capture: CaptureMarks,
    parent_seq: Option<i32>,
    iteration: Option<i32>,
    attempt: i32,
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

impl ExecutionHandle {
    pub(crate) fn new(tracker: Arc<Inner>, id: ExecutionId, policy: CapturePolicy) -> Self {
        let cancelled = CancellationToken::new();
        tracker.running.add(id, cancelled.clone());
        Self {
            shared: Arc::new(Shared {
                tracker,
                id,
                policy,
                cancelled,
                next_seq: AtomicI32::new(1),
                ended: AtomicBool::new(false),
                nodes: Mutex::default(),
            }),
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> ExecutionId {
        self.shared.id
    }

    /// Fires when somebody asked the execution to stop, wherever they did, and on shutdown.
    #[must_use]
    pub fn cancelled(&self) -> CancellationToken {
        self.shared.cancelled.clone()
    }

    /// Why it is to stop, once [`cancelled`](Self::cancelled) has fired: somebody wants it to, or the process ends.
    #[must_use]
    pub fn stop_reason(&self) -> ErrorKind {
        if self.shared.tracker.running.is_shutting_down() {
            ErrorKind::Shutdown
        } else {
            ErrorKind::Cancelled
        }
    }

    /// Lets go of an execution that was never recorded, or is somebody else's.
    pub(crate) fn forget(self) {
        self.shared.forget();
    }

    /// A node begins.
    #[must_use = "a node that is dropped is written as aborted when the execution ends"]
    pub fn begin_node(&self, start: NodeStart<'_>) -> NodeHandle {
        let seq = self.shared.next_seq.fetch_add(1, Ordering::Relaxed);
        let mut capture = CaptureMarks::new();
        let captured = self.shared.tracker.capture(self.shared.policy).payload(start.input);
        note(&mut capture, "inputData", &captured);
        let begun = BegunNode {
            node_id: start.node_id.to_owned(),
            node_name: start.node_name.to_owned(),
            node_type: start.node_type.to_owned(),
            input: captured.stored,
            capture,
            parent_seq: start.parent_seq,
            iteration: start.iteration,
            attempt: start.attempt,
        };
        let executed_at = self.shared.tracker.clock.now();
        let mut nodes = self.shared.lock();
        if nodes.held.is_none() && self.shared.is_watched() {
            self.shared.tell(begun.progress(self.id(), seq, executed_at));
        }
        let node = RunningNode { begun, executed_at, since: Instant::now(), took: None };
        nodes.running.insert(seq, node);
        drop(nodes);
        NodeHandle { shared: Arc::clone(&self.shared), seq }
    }

    /// Records a node that no way led to.
    pub fn record_skipped(&self, node_id: &str, node_name: &str, node_type: &str) {
        let node =
            self.begin_node(NodeStart { node_name, ..NodeStart::new(node_id, node_type, &Value::Null) });
        self.shared.end_node(node.seq, NodeStatus::Skipped, None, None);
    }

    /// It ended as it should, with these outputs.
    pub fn fulfil(self, outputs: Option<&Value>) -> Ack<()> {
        self.end(Told::Reported, Outcome::Fulfilled, outputs)
    }

    /// It failed, having produced this much.
    pub fn fail(self, error: ErrorInfo, outputs: Option<&Value>) -> Ack<()> {
        self.end(Told::Reported, Outcome::Error(error), outputs)
    }

    /// It was stopped.
    pub fn abort(self, reason: Option<ErrorInfo>) -> Ack<()> {
        self.end(Told::Reported, Outcome::Aborted(reason), None)
    }

    /// It took longer than it may and was given up. An inferred end: nobody said that it failed.
    pub fn time_out(self, after: Duration) -> Ack<()> {
        self.end(Told::Inferred, Outcome::Error(timed_out(after)), None)
    }

    /// It ended as somebody saw it who only watches: at another time than now, with outputs of which only a part is there.
    pub fn end_as(self, ending: Ending<'_>) -> Ack<()> {
        self.end_with(Told::Reported, ending)
    }

    /// Something happened in the course of it, outside of any node's work. Queued without waiting.
    pub fn record_happening(&self, happening: Happening<'_>) {
        let node = self.begin_node(NodeStart {
            node_name: happening.name,
            iteration: happening.number,
            ..NodeStart::new(happening.id, happening.kind, &Value::Null)
        });
        self.shared.date(node.seq, happening.at);
        node.complete(happening.data);
    }

    fn end(self, told: Told, outcome: Outcome, outputs: Option<&Value>) -> Ack<()> {
        self.end_with(told, Ending { outputs, ..Ending::now(outcome) })
    }

    fn end_with(self, told: Told, ending: Ending<'_>) -> Ack<()> {
        let receiver = self.shared.end(told, ending);
        Ack::new(receiver, |reply| match reply {
            // Somebody else saw it end first, for example the housekeeping at the very moment of its timeout.
            Ok(_) | Err(TrackerError::AlreadyEnded { .. }) => Ok(()),
            Err(error) => Err(error),
        })
    }
}

/// The error of an execution that took too long.
pub(crate) fn timed_out(after: Duration) -> ErrorInfo {
    ErrorInfo::new(ErrorKind::Timeout, format!("it took longer than {after:?} and was given up"))
}

impl Drop for ExecutionHandle {
    fn drop(&mut self) {
        if !self.shared.ended.load(Ordering::Acquire) {
            let reason =
                ErrorInfo::new(ErrorKind::Dropped, "the program dropped the execution without ending it");
            drop(self.shared.end(Told::Reported, Ending::now(Outcome::Aborted(Some(reason)))));
        }
    }
}

impl BegunNode {
    /// What those who watch are told when it begins.
    fn progress(&self, execution_id: ExecutionId, seq: i32, executed_at: OffsetDateTime) -> NodeProgress {
        NodeProgress {
            execution_id,
            seq,
            node_id: self.node_id.clone(),
            node_name: self.node_name.clone(),
            node_type: self.node_type.clone(),
            status: NodeStatus::Pending,
            executed_at,
            execution_time_ms: None,
            error: None,
            error_kind: None,
            parent_seq: self.parent_seq,
            iteration: self.iteration,
            attempt: self.attempt,
        }
    }
}

impl Shared {
    /// Whether anybody is told of nodes: of a flow that keeps none nobody is.
    fn is_watched(&self) -> bool {
        self.policy != CapturePolicy::None && self.tracker.changes.receiver_count() > 0
    }

    fn tell(&self, node: NodeProgress) {
        // Whoever watched may have gone meanwhile.
        let _ = self.tracker.changes.send(Changed::Node(Arc::new(node)));
    }

    /// Nothing is written of it any more.
    fn forget(&self) {
        self.ended.store(true, Ordering::Release);
        self.tracker.running.remove(self.id);
    }

    fn lock(&self) -> MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node that has just begun did so at another time, and took none.
    fn date(&self, seq: i32, at: OffsetDateTime) {
        if let Some(node) = self.lock().running.get_mut(&seq) {
            node.executed_at = at;
            node.took = Some(Duration::ZERO);
        }
    }

    fn end(&self, told: Told, ending: Ending<'_>) -> oneshot::Receiver<Reply> {
        self.ended.store(true, Ordering::Release);
        let capture = self.tracker.capture(self.policy);
        let now = self.tracker.clock.now();
        let mut nodes = self.lock();
        let mut running: Vec<NewNode> = std::mem::take(&mut nodes.unacknowledged)
            .into_iter()
            .filter(|(_, acknowledged)| !matches!(acknowledged.try_recv(), Ok(Ok(_))))
            .map(|(node, _)| node)
            .collect();
        let stopped = std::mem::take(&mut nodes.running);
        let held = nodes.held.take();
        drop(nodes);
        let kept = stopped.into_iter().filter(|_| self.policy != CapturePolicy::None);
        for (seq, node) in kept {
            running.push(self.node(seq, node, NodeStatus::Aborted, None, None));
        }
        running.sort_by_key(|node| node.seq);
        let end = new_end(&capture, told, ending, now, running);
        let receiver = match held {
            Some(held) => self.record(held, end),
            None => {
                let command = Command::End { execution: self.id, end: Box::new(end) };
                self.tracker.recorder.submit(command, Patience::Endless)
            }
        };
        // Only now: whoever waits until nothing runs may close the recorder then.
        self.tracker.running.remove(self.id);
        receiver
    }

    /// A node has ended: it is queued, and nobody waits for it.
    fn end_node(
        &self,
        seq: i32,
        status: NodeStatus,
        output: Option<&Value>,
        error: Option<(ErrorKind, &str)>,
    ) {
        // Held to the end: an execution that ends on another thread meanwhile must find the node either running or
        // handed over.
        let mut nodes = self.lock();
        // Once the execution has ended its nodes are written as they were then.
        let Some(node) = nodes.running.remove(&seq) else { return };
        // Of an execution that keeps nothing not even its nodes are kept.
        if self.policy == CapturePolicy::None {
            return;
        }
        let node = self.node(seq, node, status, output, error);
        match &mut nodes.held {
            Some(held) => held.ended.push(node),
            None => {
                if self.is_watched() {
                    self.tell(NodeProgress::of_new(self.id, &node));
                }
                self.append(&mut nodes, node);
            }
        }
    }

    /// A node that has ended is queued.
    fn append(&self, nodes: &mut Nodes, node: NewNode) {
        let at = self.tracker.clock.now();
        let command =
            Command::Append { execution: self.id, nodes: vec![node.clone()], at, renewed_until: None };
        let acknowledged = self.tracker.recorder.submit(command, Patience::Lazy);
        nodes.forget_acknowledged();
        nodes.unacknowledged.push((node, acknowledged));
    }

    fn node(
        &self,
        seq: i32,
        node: RunningNode,
        status: NodeStatus,
        output: Option<&Value>,
        error: Option<(ErrorKind, &str)>,
    ) -> NewNode {
        let capture = self.tracker.capture(self.policy);
        let RunningNode { begun, executed_at, since, took } = node;
        let mut marks = begun.capture;
        let output = output.map(|output| {
            let captured = capture.payload(output);
            note(&mut marks, "outputData", &captured);
            captured
        });
        let error_text = error.and_then(|(_, message)| capture.text(message));
        NewNode {
            seq,
            node_id: begun.node_id,
            node_name: begun.node_name,
            node_type: begun.node_type,
            status,
            executed_at,
            duration_us: i64::try_from(took.unwrap_or_else(|| since.elapsed()).as_micros())
                .unwrap_or(i64::MAX),
            input: begun.input,
            output: output.and_then(|captured| captured.stored),
            error: error_text,
            error_kind: error.map(|(kind, _)| kind),
            parent_seq: begun.parent_seq,
            iteration: begun.iteration,
            attempt: begun.attempt,
            capture: marks,
            digest: ONLY_ONE,
        }
    }
}

/// The digest of a node of which nobody can tell anything else: its number is given out here, once. What is handed over again
/// is the same.
const ONLY_ONE: Digest = Digest::from_bytes([0; 16]);

/// A running node. Dropped without a word, it is written as aborted when its execution ends.
#[derive(Debug)]
pub struct NodeHandle {
    shared: Arc<Shared>,
    seq: i32,
}

impl NodeHandle {
    /// Its number within the execution.
    #[must_use]
    pub fn seq(&self) -> i32 {
        self.seq
    }

    /// It ended as it should. Queued without waiting; the execution's end waits for it.
    pub fn complete(self, output: &Value) {
        self.shared.end_node(self.seq, NodeStatus::Completed, Some(output), None);
    }

    /// It failed. Queued without waiting.
    pub fn fail(self, kind: ErrorKind, message: impl AsRef<str>) {
        self.shared.end_node(self.seq, NodeStatus::Error, None, Some((kind, message.as_ref())));
    }

    /// It failed, having produced this much. Queued without waiting.
    pub fn fail_with_output(self, kind: ErrorKind, message: impl AsRef<str>, output: &Value) {
        self.shared.end_node(self.seq, NodeStatus::Error, Some(output), Some((kind, message.as_ref())));
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
