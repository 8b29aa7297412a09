//! Running one node: within its time, once or as often as it is to be tried, each attempt recorded.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;

use flowtrail_tracker::{NodeHandle, Sent};
use flowtrail_types::ErrorKind;
use futures_util::FutureExt;
use serde_json::Value;

use crate::duration::spoken;
use crate::nodes::{NodeContext, NodeError, NodeKind, Output};
use crate::retry::{self, Cause};

/// The record of a node that runs. Dropped, it says that the node was stopped: then nobody waits for it any more.
pub(crate) struct Recorded(Option<NodeHandle>);

impl Recorded {
    /// The record of a node that has begun.
    pub(crate) fn new(handle: NodeHandle) -> Self {
        Self(Some(handle))
    }

    /// Its number within the execution.
    pub(crate) fn seq(&self) -> i32 {
        self.0.as_ref().map_or(0, NodeHandle::seq)
    }

    /// A script received the node's input with numbers rounded.
    fn input_was_rounded(&self) {
        self.0.as_ref().inspect(|handle| handle.input_was_rounded());
    }

    /// It ended as it should.
    pub(crate) fn complete(mut self, output: &Output) {
        if let Some(handle) = self.0.take() {
            handle.complete(Sent { value: &output.value, replaced: output.replaced });
        }
    }

    /// It failed.
    pub(crate) fn fail(mut self, error: &NodeError) {
        let Some(handle) = self.0.take() else { return };
        match &error.output {
            Some(output) => {
                let output = Sent { value: output, replaced: error.replaced };
                handle.fail_with_output(error.kind, &error.message, output);
            }
            None => handle.fail(error.kind, &error.message),
        }
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take() {
            handle.abort();
        }
    }
}

/// How a node ended: the record of its last attempt, and what that gave.
pub(crate) struct Attempted {
    /// Its record, which is not ended yet.
    pub(crate) recorded: Recorded,
    /// What it gave.
    pub(crate) result: Result<Output, NodeError>,
}

/// Runs a node that has begun, and begins it again as often as its `retry` says. Attempts that others follow are
/// recorded as failed here. Never panics.
pub(crate) async fn run(
    kind: &'static dyn NodeKind,
    mut context: NodeContext<'_>,
    mut recorded: Recorded,
    begin: impl Fn(i32, &Value) -> Recorded,
) -> Attempted {
    let retry = kind.retry(context.node);
    let mut attempt = 1;
    loop {
        let result = once(kind, &context).await;
        if context.input_was_rounded.swap(false, Ordering::Relaxed) {
            recorded.input_was_rounded();
        }
        let delay = match (&retry, &result) {
            (Some(retry), Err(NodeError { transient: Some(transient), .. })) => {
                let jitter = retry::jitter(context.execution, recorded.seq());
                retry.delay_after(attempt, transient, jitter)
            }
            _ => None,
        };
        let (delay, error) = match (delay, result) {
            (Some(delay), Err(error)) => (delay, error),
            (_, result) => return Attempted { recorded, result },
        };
        recorded.fail(&error);
        tokio::time::sleep(delay).await;
        attempt += 1;
        // What templates may process is a budget of each attempt.
        context.scope = context.scope.anew();
        recorded = begin(attempt, context.scope.input.json());
    }
}

/// One attempt, within the node's time.
async fn once(kind: &'static dyn NodeKind, context: &NodeContext<'_>) -> Result<Output, NodeError> {
    let node = context.node;
    context.check_secrets()?;
    let run = async {
        let Some(limit) = kind.timeout(node) else { return kind.run(context).await };
        tokio::time::timeout(limit, kind.run(context)).await.unwrap_or_else(|_| {
            let message = format!("took longer than {}", spoken(limit));
            Err(NodeError::new(ErrorKind::Timeout, message).transient(Cause::Timeout))
        })
    };
    let result = AssertUnwindSafe(run).catch_unwind().await.unwrap_or_else(|_| {
        log::error!("node {} of kind {} panicked", node.id, node.kind);
        Err(NodeError::new(ErrorKind::Internal, "something went wrong inside Flowtrail"))
    });
    result.map_err(|mut error| {
        // Before it is cut any further, and before it goes on as an output.
        context.runner.secrets().hide_said(&mut error.message);
        error
    })
}
