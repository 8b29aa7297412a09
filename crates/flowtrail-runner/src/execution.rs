//! One execution: a flow run from its trigger to its end, and the end recorded.

use std::pin::pin;
use std::time::Duration;

use flowtrail_tracker::{Ack, ExecutionHandle, TrackerError};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{ErrorInfo, ErrorKind};
use futures_util::future::{self, Either};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::answers::Answers;
use crate::call::Call;
use crate::course::{Course, Execution, Failed, Place};
use crate::finished::{Finished, Returned};
use crate::plan::Plan;
use crate::progress::{Entry, Progress};
use crate::runner::Runner;
use crate::tally::Tally;
use crate::template::Shared;

/// How long the start of an execution is held back that may be over in a moment.
const MOMENT: Duration = Duration::from_millis(5);

/// What an execution has come to, before its end is recorded.
struct Come {
    outcome: Outcome,
    /// Whether it is the flow that took too long, and not one of its nodes.
    is_timeout: bool,
    returns: Vec<Returned>,
    outputs: Value,
}

/// An execution that has ended, and the word that this is durable.
pub(crate) struct Ended {
    finished: Finished,
    recorded: Ack<()>,
}

impl Ended {
    /// Waits until the end is durable. Dropping this changes nothing.
    ///
    /// # Errors
    ///
    /// When it was not recorded.
    pub(crate) async fn recorded(self) -> Result<Finished, TrackerError> {
        self.recorded.await?;
        Ok(self.finished)
    }
}

/// Runs a planned flow to its end and records it.
pub(crate) async fn run(runner: Runner, call: Call, handle: ExecutionHandle) -> Finished {
    let come = come_to_end(&runner, &call, &handle).await;
    let Ended { finished, recorded } = end(&runner, &call, handle, come);
    if let Err(error) = recorded.await {
        log::error!("the end of execution {} was not recorded: {error}", finished.id);
    }
    finished
}

/// The same for an execution whose start is held back. When that takes longer than a moment it is written, before anything
/// goes on.
///
/// # Errors
///
/// When it was not written; then nothing of the execution is.
pub(crate) async fn run_held(
    runner: Runner,
    call: Call,
    handle: ExecutionHandle,
) -> Result<Ended, TrackerError> {
    let come = {
        let come = pin!(come_to_end(&runner, &call, &handle));
        match future::select(come, pin!(tokio::time::sleep(MOMENT))).await {
            Either::Left((come, _)) => come,
            Either::Right(((), come)) => {
                handle.let_go().await?;
                come.await
            }
        }
    };
    Ok(end(&runner, &call, handle, come))
}

async fn come_to_end(runner: &Runner, call: &Call, handle: &ExecutionHandle) -> Come {
    let id = handle.id();
    let flow = &call.flow;
    let plan = match Plan::of(&flow.definition) {
        Ok(plan) => plan,
        // It was planned once before the execution was begun.
        Err(problems) => {
            let error = ErrorInfo::new(ErrorKind::Internal, problems.to_string());
            let outcome = Outcome::Error(error);
            return Come { outcome, is_timeout: false, returns: Vec::new(), outputs: Value::Null };
        }
    };
    let stop = CancellationToken::new();
    // Whatever ends this future, what it has begun elsewhere stops.
    let _stop_all = stop.clone().drop_guard();
    let tally = Tally::new(plan.definition(), call.observer.clone());
    let answers = Answers::default();
    let execution = Execution { runner, call, plan: &plan, handle, stop: &stop, tally, answers };
    log::debug!("execution {id} of flow {} begins", flow.id);
    let (mut progress, next) = Progress::of_flow(&plan);
    execution.tell_skipped(&next.skipped);
    progress.begin(plan.trigger());
    let mut course = Course::new(&execution, Place::default(), progress);
    let (outcome, is_timeout) = run_to_end(&execution, &mut course).await;
    course.record_skipped();
    let answered = execution.answers.values();
    let outputs = match outcome {
        Outcome::Fulfilled => answered.unwrap_or_else(|| course.progress.last_outputs()),
        _ => answered.unwrap_or_default(),
    };
    drop(course);
    Come { outcome, is_timeout, returns: execution.answers.into_returned(), outputs }
}

/// Runs the whole flow, until nothing is left to run, it fails, is told to stop, or takes too long.
/// Returns too whether it is the flow that took too long, and not one of its nodes.
async fn run_to_end<'e>(execution: &Execution<'e>, course: &mut Course<'_>) -> (Outcome, bool) {
    let Execution { call, plan, handle, .. } = execution;
    let arguments = Shared::new(Value::Object(call.arguments.clone()));
    let trigger = (plan.trigger(), Entry { input: arguments, arrived: Vec::new() });
    let cancelled = handle.cancelled();
    let mut run = pin!(course.run(vec![trigger]));
    let outcome = tokio::select! {
        biased;
        () = call.cancel.cancelled() => stopped(handle, "the caller cancelled it"),
        () = cancelled.cancelled() => stopped(handle, "it was asked to stop"),
        ended = &mut run => match ended {
            Ok(()) => Outcome::Fulfilled,
            Err(Failed { node, error }) => {
                let node = &plan.definition().nodes[node];
                let blamed = error.blamed.unwrap_or_else(|| (node.id.clone(), node.label().to_owned()));
                Outcome::Error(ErrorInfo::new(error.kind, error.message).at_node(blamed.0, blamed.1))
            }
        },
        // Last: what is over in a moment needs no timer.
        () = tokio::time::sleep(handle.time_left()) => return (Outcome::Error(handle.timeout_error()), true),
    };
    let is_given_up = matches!(outcome, Outcome::Aborted(_)) && handle.stop_reason() == ErrorKind::Timeout;
    if is_given_up { (Outcome::Error(handle.timeout_error()), true) } else { (outcome, false) }
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

/// Records the end.
fn end(runner: &Runner, call: &Call, handle: ExecutionHandle, come: Come) -> Ended {
    let Come { outcome, is_timeout, returns, outputs } = come;
    let id = handle.id();
    let some_outputs = (!outputs.is_null()).then_some(&outputs);
    let recorded = match &outcome {
        Outcome::Fulfilled => handle.fulfil(Some(&outputs)),
        Outcome::Error(_) if is_timeout => handle.time_out(),
        Outcome::Error(error) => handle.fail(error.clone(), some_outputs),
        Outcome::Aborted(reason) => handle.abort(reason.clone()),
    };
    let mut finished = Finished { id, outcome, returns, outputs };
    // A flow that called needs what it was given; what leaves to the caller of the whole shows no secret.
    if call.is_root() {
        finished.hide(runner.secrets());
    }
    Ended { finished, recorded }
}
