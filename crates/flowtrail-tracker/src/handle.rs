//! A running execution, held by whoever runs it.

mod end;
mod held;
mod node;
mod pace;
mod span;
mod spared;
mod waiting;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use flowtrail_store::{Applied, Command, NewNode};
use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{
    CaptureMark, CaptureMarks, CapturePolicy, ErrorInfo, ErrorKind, ExecutionId, NodeStatus,
};
use serde_json::Value;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

pub(crate) use self::end::{digested, new_end};
use self::held::Held;
use self::node::{BegunNode, ONLY_ONE, RunningNode};
pub use self::node::{NodeHandle, NodeStart};
pub(crate) use self::span::Span;
use self::spared::Spared;
pub use self::waiting::{Answered, Question, Waiting, WaitingExecution};
use crate::ack::Reply;
use crate::capture::note;
use crate::changes::Changed;
use crate::recorder::Patience;
use crate::tracker::Inner;
use crate::{Ack, Ending, Happening, NodeProgress, Sent, TrackerError};

/// A running execution. Ending it consumes the handle; dropping it unfinished ends it as aborted, saying so.
#[derive(Debug)]
pub struct ExecutionHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    tracker: Arc<Inner>,
    id: ExecutionId,
    policy: CapturePolicy,
    span: Span,
    cancelled: CancellationToken,
    next_seq: AtomicI32,
    ended: AtomicBool,
    /// Its time was over before it ended: that is recorded, and whoever runs it is told to stop.
    given_up: AtomicBool,
    /// Why it was given up, worded when its time was over.
    timeout: OnceLock<ErrorInfo>,
    nodes: Mutex<Nodes>,
    /// Held while an end is handed to the recorder.
    ending: Mutex<()>,
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
    /// Those beyond the limit of an execution.
    spared: Spared,
    /// How many questions the execution has waited for an answer to.
    questions: i32,
}

impl Nodes {
    fn forget_acknowledged(&mut self) {
        self.unacknowledged.retain(|(_, acknowledged)| !matches!(acknowledged.try_recv(), Ok(Ok(_))));
    }
}

impl ExecutionHandle {
    pub(crate) fn new(tracker: Arc<Inner>, id: ExecutionId, policy: CapturePolicy, span: Span) -> Self {
        Self::continued(tracker, id, policy, span, 1)
    }

    /// A handle of an execution that has nodes already; the next one gets this number.
    fn continued(
        tracker: Arc<Inner>,
        id: ExecutionId,
        policy: CapturePolicy,
        span: Span,
        next_seq: i32,
    ) -> Self {
        let shared = Arc::new(Shared {
            tracker,
            id,
            policy,
            span,
            cancelled: CancellationToken::new(),
            next_seq: AtomicI32::new(next_seq),
            ended: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            timeout: OnceLock::new(),
            nodes: Mutex::default(),
            ending: Mutex::default(),
        });
        shared.tracker.running.add(id, &shared);
        Self { shared }
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

    /// Why it is to stop, once [`cancelled`](Self::cancelled) has fired: somebody wants it to, its time is over, or the
    /// process ends.
    #[must_use]
    pub fn stop_reason(&self) -> ErrorKind {
        if self.shared.given_up.load(Ordering::Acquire) {
            ErrorKind::Timeout
        } else if self.shared.tracker.running.is_shutting_down() {
            ErrorKind::Shutdown
        } else {
            ErrorKind::Cancelled
        }
    }

    /// How much of its time is left, by a clock that does not jump.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.shared.deadline().saturating_sub(self.shared.tracker.clock.monotonic())
    }

    /// The error of an execution whose time is over. It blames the node that was running.
    #[must_use]
    pub fn timeout_error(&self) -> ErrorInfo {
        self.shared.timeout_error().clone()
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
        let rules = self.shared.tracker.capture(self.shared.policy);
        let captured = rules.payload(start.input);
        note(&mut capture, "inputData", &captured);
        let begun = BegunNode {
            node_id: rules.name(start.node_id),
            node_name: rules.name(start.node_name),
            node_type: rules.name(start.node_type),
            input: captured.stored,
            capture,
            parent_seq: start.parent_seq,
            iteration: start.iteration,
            attempt: start.attempt,
        };
        let since = self.shared.tracker.clock.monotonic();
        let executed_at = self.shared.span.at(since);
        let mut nodes = self.shared.lock();
        if nodes.held.is_none() && self.shared.is_watched() {
            self.shared.tell(begun.progress(self.id(), seq, executed_at));
        }
        let node = RunningNode { begun, executed_at, since, took: None };
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

    /// It took longer than it may and was given up. An inferred end: nobody said that it failed. It ended when its time was
    /// over, however late that is noticed.
    pub fn time_out(self) -> Ack<()> {
        let outcome = Outcome::Error(self.timeout_error());
        let ended_at = Some(self.shared.span.end_by(self.shared.tracker.clock.monotonic()));
        self.end_with(Told::Inferred, Ending { ended_at, ..Ending::now(outcome) })
    }

    /// It ended as somebody saw it who only watches: at another time than now, with outputs of which only a part is there.
    pub fn end_as(self, ending: Ending<'_>) -> Ack<()> {
        self.end_with(Told::Reported, ending)
    }

    /// It ended as somebody concluded who watches it: nobody reported that.
    pub fn infer_end(self, ending: Ending<'_>) -> Ack<()> {
        self.end_with(Told::Inferred, ending)
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
        self.end_with(told, Ending { outputs: outputs.map(Sent::from), ..Ending::now(outcome) })
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

impl Drop for ExecutionHandle {
    fn drop(&mut self) {
        if !self.shared.ended.load(Ordering::Acquire) {
            let reason =
                ErrorInfo::new(ErrorKind::Dropped, "the program dropped the execution without ending it");
            drop(self.shared.end(Told::Reported, Ending::now(Outcome::Aborted(Some(reason)))));
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

    /// Fires when the execution is to stop.
    pub(crate) fn stop_token(&self) -> CancellationToken {
        self.cancelled.clone()
    }

    /// When its time is over, by the clock that does not jump.
    pub(crate) fn deadline(&self) -> Duration {
        self.span.deadline()
    }

    fn timeout_error(&self) -> &ErrorInfo {
        self.timeout.get_or_init(|| {
            let nodes = self.lock();
            // The one that began last: what it is part of runs only because it does.
            self.span.timeout_error(nodes.running.last_key_value().map(|(_, node)| &node.begun))
        })
    }

    /// Its time is over: ends it by conclusion, with the nodes that are running, and tells whoever runs it to stop.
    /// What becomes of it is the recorder's to log; nothing comes when it has ended meanwhile.
    pub(crate) fn give_up(&self) -> Option<oneshot::Receiver<Reply>> {
        if self.ended.load(Ordering::Acquire) {
            return None;
        }
        let outcome = Outcome::Error(self.timeout_error().clone());
        self.given_up.store(true, Ordering::Release);
        let ended_at = Some(self.span.end_by(self.tracker.clock.monotonic()));
        let written = self.submit_end(Told::Inferred, Ending { ended_at, ..Ending::now(outcome) });
        self.cancelled.cancel();
        Some(written)
    }

    fn end(&self, told: Told, ending: Ending<'_>) -> oneshot::Receiver<Reply> {
        self.ended.store(true, Ordering::Release);
        let is_given_up = self.given_up.load(Ordering::Acquire);
        let receiver = if is_given_up && matches!(ending.outcome, Outcome::Aborted(_)) {
            // It stopped because it was told to, for its time was over: that is recorded.
            self.forget();
            let (sender, receiver) = oneshot::channel();
            // The receiver is here.
            let _ = sender.send(Ok(Applied::Already));
            receiver
        } else {
            self.submit_end(told, ending)
        };
        // Only now: whoever waits until nothing runs may close the recorder then.
        self.tracker.running.remove(self.id);
        receiver
    }

    fn submit_end(&self, told: Told, ending: Ending<'_>) -> oneshot::Receiver<Reply> {
        // An execution may be given up and end by itself at once. Whoever takes the running nodes must submit first: of two
        // ends the recorder keeps the nodes of the first.
        let _one_at_a_time = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        let capture = self.tracker.capture(self.policy);
        let now = self.span.at(self.tracker.clock.monotonic());
        let ended_at = ending.ended_at;
        let mut nodes = self.lock();
        let mut running: Vec<NewNode> = std::mem::take(&mut nodes.unacknowledged)
            .into_iter()
            .filter(|(_, acknowledged)| !matches!(acknowledged.try_recv(), Ok(Ok(_))))
            .map(|(node, _)| node)
            .collect();
        running.extend(nodes.spared.rest());
        let left_out = nodes.spared.left_out;
        let stopped = std::mem::take(&mut nodes.running);
        let held = nodes.held.take();
        drop(nodes);
        let kept = stopped.into_iter().filter(|_| self.policy != CapturePolicy::None);
        for (seq, node) in kept {
            let mut node = self.node(seq, node, NodeStatus::Aborted, None, None);
            if let Some(ended_at) = ended_at {
                node::end_by(&mut node, ended_at);
            }
            running.push(node);
        }
        running.sort_by_key(|node| node.seq);
        let mut end = new_end(&capture, told, ending, now, running);
        if left_out > 0 {
            let mark = CaptureMark { captured: true, left_out, ..CaptureMark::default() };
            end.capture.insert("nodeExecutions".to_owned(), mark);
        }
        match held {
            Some(held) => self.record(held, end),
            None => {
                let command = Command::End { execution: self.id, end: Box::new(end) };
                self.tracker.recorder.submit(command, Patience::Endless)
            }
        }
    }

    /// A node has ended: it is queued, and nobody waits for it.
    fn end_node(
        &self,
        seq: i32,
        status: NodeStatus,
        output: Option<Sent<'_>>,
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
        let is_beyond = usize::try_from(seq).is_ok_and(|seq| seq > self.tracker.max_nodes);
        let Some(node) = (if is_beyond { nodes.spared.take(node) } else { Some(node) }) else { return };
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

    /// A script of a running node received its input with numbers rounded.
    fn input_was_rounded(&self, seq: i32) {
        if self.policy == CapturePolicy::None {
            return;
        }
        if let Some(RunningNode { begun, .. }) = self.lock().running.get_mut(&seq) {
            let size = begun.input.as_ref().map_or(0, |input| input.size() as u64);
            let whole = CaptureMark { size, captured: true, ..CaptureMark::default() };
            begun.capture.entry("inputData".to_owned()).or_insert(whole).rounded = true;
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
        output: Option<Sent<'_>>,
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
        let took = took.unwrap_or_else(|| self.tracker.clock.monotonic().saturating_sub(since));
        // What was skipped never began.
        let is_timed = status != NodeStatus::Skipped;
        NewNode {
            seq,
            node_id: begun.node_id,
            node_name: begun.node_name,
            node_type: begun.node_type,
            status,
            executed_at: is_timed.then_some(executed_at),
            duration_us: is_timed.then(|| i64::try_from(took.as_micros()).unwrap_or(i64::MAX)),
            input: begun.input,
            output: output.and_then(|captured| captured.stored),
            error: error_text,
            error_kind: error.map(|(kind, _)| kind),
            parent_seq: begun.parent_seq,
            iteration: begun.iteration,
            attempt: begun.attempt,
            capture: marks,
            digest: ONLY_ONE,
            old_digest: None,
        }
    }
}
