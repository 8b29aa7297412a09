//! A part of a flow under way: the loop that runs node after node, the same for the whole and for a body.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use flowtrail_tracker::{ExecutionHandle, NodeStart};
use flowtrail_types::{Node, NodeStatus, json_object};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::answers::Answers;
use crate::attempt::{self, Attempted, Recorded};
use crate::body::Body;
use crate::call::Call;
use crate::nodes::{NodeContext, NodeError, Output};
use crate::plan::Plan;
use crate::progress::{Entry, Next, Progress};
use crate::runner::Runner;
use crate::tally::Tally;
use crate::template::{Scope, Shared};

/// How long nodes that need not wait for anything run one after another.
const STRETCH: Duration = Duration::from_millis(1);

/// What all parts of an execution share.
pub(crate) struct Execution<'e> {
    pub(crate) runner: &'e Runner,
    pub(crate) call: &'e Call,
    pub(crate) plan: &'e Plan<'e>,
    pub(crate) handle: &'e ExecutionHandle,
    /// Fires when the execution is to stop.
    pub(crate) stop: &'e CancellationToken,
    pub(crate) tally: Tally<'e>,
    pub(crate) answers: Answers,
}

/// Which part of an execution something is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of the node execution that it is part of: a loop's.
    pub(crate) parent_seq: Option<i32>,
    /// Which iteration it is part of.
    pub(crate) iteration: Option<i32>,
    /// The loops and iterations that it is in, from the outermost.
    pub(crate) path: Vec<usize>,
}

/// A part of an execution under way.
pub(crate) struct Course<'e> {
    execution: &'e Execution<'e>,
    place: Place,
    pub(crate) progress: Progress<'e>,
}

/// A node that failed, with no way on.
pub(crate) struct Failed {
    pub(crate) node: usize,
    pub(crate) error: NodeError,
}

/// Which node ended, what it was given, and how it ended.
type Ended = (usize, Shared, Attempted);

impl<'e> Course<'e> {
    /// A part that has come so far.
    pub(crate) fn new(execution: &'e Execution<'e>, place: Place, progress: Progress<'e>) -> Self {
        Self { execution, place, progress }
    }

    /// Begins these nodes, and runs what follows until nothing is left to run. Dropping the future stops all.
    ///
    /// # Errors
    ///
    /// When a node fails and no way goes on from it; those that ran beside it are stopped.
    pub(crate) async fn run(&mut self, first: Vec<(usize, Entry)>) -> Result<(), Failed> {
        let mut running = FuturesUnordered::new();
        running.extend(first.into_iter().map(|(node, entry)| self.start(node, entry)));
        let mut since = Instant::now();
        while let Some(ended) = running.next().await {
            if since.elapsed() >= STRETCH {
                // Others run on this thread, and somebody may want this to stop.
                tokio::task::yield_now().await;
                since = Instant::now();
            }
            for node in self.take(ended)? {
                let entry = self.progress.begin(node);
                running.push(self.start(node, entry));
            }
        }
        Ok(())
    }

    /// Records the nodes that were never begun.
    pub(crate) fn record_skipped(&self) {
        self.execution.record_skipped(self.progress.skipped(), &self.place);
    }

    /// Begins a node. What is returned runs it, and never panics.
    fn start(&self, index: usize, entry: Entry) -> BoxFuture<'e, Ended> {
        let Entry { input, arrived } = entry;
        let execution = self.execution;
        let node: &'e Node = &execution.plan.definition().nodes[index];
        let kind = execution.plan.kind(index);
        let outputs = self.progress.outputs_before(index);
        let (parent_seq, iteration) = (self.place.parent_seq, self.place.iteration);
        let begin = move |attempt: i32, input: &Value| {
            let start = NodeStart { node_name: node.label(), ..NodeStart::new(&node.id, &node.kind, input) };
            Recorded::new(execution.handle.begin_node(NodeStart { parent_seq, iteration, attempt, ..start }))
        };
        // Now, and not when it is first polled: nodes are numbered in the order in which they are begun.
        let recorded = begin(1, input.json());
        let body = execution
            .plan
            .repeats_by(index)
            .map(|_| Body::new(execution, index, recorded.seq(), outputs.clone(), self.place.path.clone()));
        let context = NodeContext {
            node,
            scope: Scope::new(outputs, input.clone(), execution.runner.secrets().clone()),
            arrived,
            body,
            runner: execution.runner,
            call: execution.call,
            execution: execution.handle.id(),
            stop: execution.stop,
            input_was_rounded: AtomicBool::default(),
        };
        Box::pin(async move { (index, input, attempt::run(kind, context, recorded, begin).await) })
    }

    /// Takes what a node has come to, and returns the nodes that can run now.
    fn take(&mut self, (index, input, Attempted { recorded, result }): Ended) -> Result<Vec<usize>, Failed> {
        let Execution { plan, tally, .. } = self.execution;
        let node = &plan.definition().nodes[index];
        let result = result.and_then(|output| self.answer(index, output));
        // What of a loop's body no iteration has needed, none will.
        plan.all_within(index).for_each(|node| tally.tell(node, NodeStatus::Skipped));
        let (status, next) = match result {
            Ok(output) => {
                recorded.complete(&output);
                (NodeStatus::Completed, self.progress.complete(index, output.branch, output.value))
            }
            Err(error) => {
                recorded.fail(&error);
                if !self.progress.goes_on_after_failure(index) {
                    tally.tell(index, NodeStatus::Error);
                    return Err(Failed { node: index, error });
                }
                let value = json_object([
                    ("message", error.message.into()),
                    ("kind", error.kind.as_str().into()),
                    ("nodeId", node.id.as_str().into()),
                    ("nodeName", node.label().into()),
                    ("input", input.json().clone()),
                ]);
                (NodeStatus::Error, self.progress.fail(index, value))
            }
        };
        tally.tell(index, status);
        let Next { ready, skipped } = next;
        // What one iteration does not need, the next one may.
        if self.place == Place::default() {
            self.execution.tell_skipped(&skipped);
        }
        Ok(ready)
    }

    /// Keeps what a node answers to whoever called.
    fn answer(&self, index: usize, mut output: Output) -> Result<Output, NodeError> {
        let Some(returned) = output.returned.take() else { return Ok(output) };
        let mut from = self.place.path.clone();
        from.push(index);
        match self.execution.answers.add(from, &output.value, returned) {
            Ok(()) => Ok(output),
            Err(error) => Err(error.with_output(output.value)),
        }
    }
}

impl Execution<'_> {
    /// Records nodes that were never begun, and all that is in the bodies of loops among them.
    pub(crate) fn record_skipped(&self, skipped: impl Iterator<Item = usize>, place: &Place) {
        let mut all: Vec<usize> =
            skipped.flat_map(|node| std::iter::once(node).chain(self.plan.all_within(node))).collect();
        all.sort_unstable();
        for node in all.into_iter().map(|node| &self.plan.definition().nodes[node]) {
            let start =
                NodeStart { node_name: node.label(), ..NodeStart::new(&node.id, &node.kind, &Value::Null) };
            let (parent_seq, iteration) = (place.parent_seq, place.iteration);
            self.handle.begin_node(NodeStart { parent_seq, iteration, ..start }).skip();
        }
    }

    /// Tells of nodes that are not needed, and of all that is in the bodies of loops among them.
    pub(crate) fn tell_skipped(&self, skipped: &[usize]) {
        for node in skipped {
            self.plan.all_within(*node).for_each(|node| self.tally.tell(node, NodeStatus::Skipped));
            self.tally.tell(*node, NodeStatus::Skipped);
        }
    }
}
