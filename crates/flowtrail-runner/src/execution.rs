//! One execution: the loop that runs node after node and records them.

use std::time::Duration;

use flowtrail_tracker::{ExecutionHandle, NodeStart};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{ErrorInfo, ErrorKind, Node, NodeStatus};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::attempt::{self, Attempted};
use crate::call::Call;
use crate::duration::spoken;
use crate::finished::Finished;
use crate::nodes::NodeContext;
use crate::plan::Plan;
use crate::progress::{Entry, Progress};
use crate::runner::Runner;
use crate::template::{Scope, Shared};

/// Which node ended, what it was given, and how it ended.
type Ended = (usize, Shared, Attempted);

/// Runs a planned flow to its end and records it.
pub(crate) async fn run(runner: Runner, call: Call, handle: ExecutionHandle, timeout: Duration) -> Finished {
    let mut finished = run_openly(&runner, &call, handle, timeout).await;
    // A flow that called needs what it was given; what leaves to the caller of the whole shows no secret.
    if call.is_root() {
        finished.hide(runner.secrets());
    }
    finished
}

async fn run_openly(runner: &Runner, call: &Call, handle: ExecutionHandle, timeout: Duration) -> Finished {
    let id = handle.id();
    let flow = &call.flow;
    let plan = match Plan::of(&flow.definition) {
        Ok(plan) => plan,
        // It was planned once before the execution was begun.
        Err(problems) => {
            let error = ErrorInfo::new(ErrorKind::Internal, problems.to_string());
            return end(handle, Outcome::Error(error), Value::Null, Vec::new(), timeout).await;
        }
    };
    let stop = CancellationToken::new();
    // Whatever ends this future, what it has begun elsewhere stops.
    let _stop_all = stop.clone().drop_guard();
    let (progress, skipped) = Progress::new(&plan);
    let execution = Execution { runner, call, plan: &plan, handle: &handle, stop: &stop, progress };
    log::debug!("execution {id} of flow {} begins", flow.id);
    let (outcome, progress) = execution.run(skipped, timeout).await;
    for node in progress.skipped().map(|node| &plan.definition().nodes[node]) {
        handle.record_skipped(&node.id, node.label(), &node.kind);
    }
    let outputs = match outcome {
        Outcome::Fulfilled => progress.outputs(),
        _ if progress.has_answers() => progress.outputs(),
        _ => Value::Null,
    };
    end(handle, outcome, outputs, progress.into_answers(), timeout).await
}

/// Records the end, and waits until it is durable.
async fn end(
    handle: ExecutionHandle,
    outcome: Outcome,
    outputs: Value,
    returns: Vec<crate::Returned>,
    timeout: Duration,
) -> Finished {
    let id = handle.id();
    let some_outputs = (!outputs.is_null()).then_some(&outputs);
    let recorded = match &outcome {
        Outcome::Fulfilled => handle.fulfil(Some(&outputs)),
        Outcome::Error(error) if is_flow_timeout(error) => handle.time_out(timeout),
        Outcome::Error(error) => handle.fail(error.clone(), some_outputs),
        Outcome::Aborted(reason) => handle.abort(reason.clone()),
    };
    if let Err(error) = recorded.await {
        log::error!("the end of execution {id} was not recorded: {error}");
    }
    Finished { id, outcome, returns, outputs }
}

/// Whether it is the flow that took too long, and not one of its nodes.
fn is_flow_timeout(error: &ErrorInfo) -> bool {
    error.kind == ErrorKind::Timeout && error.node_id.is_none()
}

/// An execution that is under way.
struct Execution<'e, 'p> {
    runner: &'e Runner,
    call: &'e Call,
    plan: &'p Plan<'p>,
    handle: &'e ExecutionHandle,
    stop: &'e CancellationToken,
    progress: Progress<'p, 'p>,
}

impl<'e, 'p: 'e> Execution<'e, 'p> {
    async fn run(mut self, skipped: Vec<usize>, timeout: Duration) -> (Outcome, Progress<'p, 'p>) {
        let mut running = FuturesUnordered::new();
        self.observe_skipped(&skipped);
        let arguments = Shared::new(Value::Object(self.call.arguments.clone()));
        let trigger = self.plan.trigger();
        self.progress.begin(trigger);
        running.push(self.start(trigger, Entry { input: arguments, arrived: Vec::new() }));
        let cancelled = self.handle.cancelled();
        let deadline = tokio::time::sleep(timeout);
        tokio::pin!(deadline);
        let outcome = loop {
            tokio::select! {
                biased;
                () = self.call.cancel.cancelled() => break self.stopped("the caller cancelled it"),
                () = cancelled.cancelled() => break self.stopped("it was asked to stop"),
                () = &mut deadline => {
                    let message = format!("it took longer than {} and was given up", spoken(timeout));
                    break Outcome::Error(ErrorInfo::new(ErrorKind::Timeout, message));
                }
                ended = running.next() => {
                    let Some(ended) = ended else { break Outcome::Fulfilled };
                    match self.take(ended) {
                        Ok(ready) => for node in ready {
                            let entry = self.progress.begin(node);
                            running.push(self.start(node, entry));
                        },
                        Err(error) => break Outcome::Error(error),
                    }
                }
            }
        };
        (outcome, self.progress)
    }

    /// The end of an execution that was told to stop. A process that ends tells everybody to stop, by all ways;
    /// then that is the reason.
    fn stopped(&self, message: &str) -> Outcome {
        let reason = match self.handle.stop_reason() {
            ErrorKind::Shutdown => ErrorInfo::new(ErrorKind::Shutdown, "the server is shutting down"),
            kind => ErrorInfo::new(kind, message),
        };
        Outcome::Aborted(Some(reason))
    }

    /// Begins a node. What is returned runs it, and never panics.
    fn start(&self, index: usize, entry: Entry) -> BoxFuture<'e, Ended> {
        let Entry { input, arrived } = entry;
        let node: &'e Node = &self.plan.definition().nodes[index];
        let kind = self.plan.kind(index);
        let outputs = self.progress.outputs_before(index);
        let scope = Scope::new(outputs, input.clone(), self.runner.secrets().clone());
        let handle = self.handle;
        let begin = move |attempt: i32, input: &Value| {
            let start = NodeStart::new(&node.id, &node.kind, input);
            handle.begin_node(NodeStart { node_name: node.label(), attempt, ..start })
        };
        // Now, and not when it is first polled: nodes are numbered in the order in which they are begun.
        let recorded = begin(1, input.json());
        let context = NodeContext {
            node,
            scope,
            arrived,
            runner: self.runner,
            call: self.call,
            execution: self.handle.id(),
            stop: self.stop,
        };
        Box::pin(async move { (index, input, attempt::run(kind, context, recorded, begin).await) })
    }

    /// Takes what a node has come to, and returns the nodes that can run now. A failure that no way goes on
    /// from is the execution's.
    fn take(
        &mut self,
        (index, input, Attempted { recorded, result }): Ended,
    ) -> Result<Vec<usize>, ErrorInfo> {
        let node = &self.plan.definition().nodes[index];
        let (status, (ready, skipped)) = match result {
            Ok(output) => {
                recorded.complete(&output.value);
                (NodeStatus::Completed, self.progress.complete(index, output))
            }
            Err(error) => {
                error.record(recorded);
                if !self.progress.goes_on_after_failure(index) {
                    self.observe(self.progress.done() + 1, node, NodeStatus::Error);
                    return Err(ErrorInfo::new(error.kind, error.message).at_node(&node.id, node.label()));
                }
                let value = json!({
                    "message": error.message,
                    "kind": error.kind,
                    "nodeId": node.id,
                    "nodeName": node.label(),
                    "input": input.json(),
                });
                (NodeStatus::Error, self.progress.fail(index, value))
            }
        };
        self.observe(self.progress.done() - skipped.len(), node, status);
        self.observe_skipped(&skipped);
        Ok(ready)
    }

    fn observe_skipped(&self, skipped: &[usize]) {
        let before = self.progress.done() - skipped.len();
        for (count, index) in skipped.iter().enumerate() {
            let node = &self.plan.definition().nodes[*index];
            self.observe(before + count + 1, node, NodeStatus::Skipped);
        }
    }

    fn observe(&self, done: usize, node: &Node, status: NodeStatus) {
        if let Some(observer) = &self.call.observer {
            observer.node_ended(done, self.plan.definition().nodes.len(), node.label(), status);
        }
    }
}
