//! One execution: a flow run from its trigger to its end, and the end recorded.

use std::time::Duration;

use flowtrail_tracker::ExecutionHandle;
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{ErrorInfo, ErrorKind};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::answers::Answers;
use crate::call::Call;
use crate::course::{Course, Execution, Failed, Place};
use crate::duration::spoken;
use crate::finished::Finished;
use crate::plan::Plan;
use crate::progress::{Entry, Progress};
use crate::runner::Runner;
use crate::tally::Tally;
use crate::template::Shared;

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
    let tally = Tally::new(plan.definition(), call.observer.clone());
    let answers = Answers::default();
    let execution = Execution { runner, call, plan: &plan, handle: &handle, stop: &stop, tally, answers };
    log::debug!("execution {id} of flow {} begins", flow.id);
    let (mut progress, next) = Progress::of_flow(&plan);
    execution.tell_skipped(&next.skipped);
    progress.begin(plan.trigger());
    let mut course = Course::new(&execution, Place::default(), progress);
    let outcome = run_to_end(&execution, &mut course, timeout).await;
    course.record_skipped();
    let answered = execution.answers.values();
    let outputs = match outcome {
        Outcome::Fulfilled => answered.unwrap_or_else(|| course.progress.last_outputs()),
        _ => answered.unwrap_or_default(),
    };
    drop(course);
    let returns = execution.answers.into_returned();
    end(handle, outcome, outputs, returns, timeout).await
}

/// Runs the whole flow, until nothing is left to run, it fails, is told to stop, or takes too long.
async fn run_to_end<'e>(execution: &Execution<'e>, course: &mut Course<'_>, timeout: Duration) -> Outcome {
    let Execution { call, plan, handle, .. } = execution;
    let arguments = Shared::new(Value::Object(call.arguments.clone()));
    let trigger = (plan.trigger(), Entry { input: arguments, arrived: Vec::new() });
    let cancelled = handle.cancelled();
    tokio::select! {
        biased;
        () = call.cancel.cancelled() => stopped(handle, "the caller cancelled it"),
        () = cancelled.cancelled() => stopped(handle, "it was asked to stop"),
        () = tokio::time::sleep(timeout) => {
            let message = format!("it took longer than {} and was given up", spoken(timeout));
            Outcome::Error(ErrorInfo::new(ErrorKind::Timeout, message))
        }
        ended = course.run(vec![trigger]) => match ended {
            Ok(()) => Outcome::Fulfilled,
            Err(Failed { node, error }) => {
                let node = &plan.definition().nodes[node];
                let blamed = error.blamed.unwrap_or_else(|| (node.id.clone(), node.label().to_owned()));
                Outcome::Error(ErrorInfo::new(error.kind, error.message).at_node(blamed.0, blamed.1))
            }
        },
    }
}

/// The end of an execution that was told to stop. A process that ends tells everybody to stop, by all ways; then that
/// is the reason.
fn stopped(handle: &ExecutionHandle, message: &str) -> Outcome {
    let reason = match handle.stop_reason() {
        ErrorKind::Shutdown => ErrorInfo::new(ErrorKind::Shutdown, "the server is shutting down"),
        kind => ErrorInfo::new(kind, message),
    };
    Outcome::Aborted(Some(reason))
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
