//! `CallFlow`: runs another flow as a child execution. Its output is `{"executionId": …, "output": …}`, so
//! that both what the child gave and where to look at it are seen.

use std::time::Duration;

use flowtrail_tracker::TrackerError;
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{ErrorKind, Node, ToolName, json_object};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use super::{Check, NodeContext, NodeError, NodeKind, Output, own_timeout};
use crate::template::has_template;
use crate::{MAX_DESCENDANTS, RunError};

pub(super) struct CallFlow;

impl NodeKind for CallFlow {
    fn name(&self) -> &'static str {
        "CallFlow"
    }

    fn timeout(&self, node: &Node) -> Option<Duration> {
        // The flow that is called has a timeout, and so has the one that calls.
        own_timeout(node)
    }

    fn check(&self, check: &mut Check<'_, '_>) {
        check.only(&["toolName", "params"]);
        if let Some(name) = check.required_text("toolName").filter(|name| !has_template(name))
            && let Err(error) = name.parse::<ToolName>()
        {
            check.problem("toolName", error.to_string());
        }
        if check.parameter("params").is_some_and(|params| !params.is_object() && !params.is_string()) {
            check.problem("params", "must be an object, or a template that gives one");
        }
        check.templates("toolName");
        check.templates("params");
    }

    fn run<'c>(&self, context: &'c NodeContext<'c>) -> BoxFuture<'c, Result<Output, NodeError>> {
        Box::pin(run(context))
    }
}

async fn run(context: &NodeContext<'_>) -> Result<Output, NodeError> {
    let name = context.rendered_text("toolName")?.unwrap_or_default();
    let params = match context.rendered("params")? {
        None => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => return Err(NodeError::malformed("params", "must be an object")),
    };
    let flow = context.runner.tracker().flow_by_tool_name(&context.call.principal, &name);
    let flow = flow.map_err(|error| match error {
        TrackerError::NotFound(_) => NodeError::new(ErrorKind::Failed, format!("there is no flow {name:?}")),
        error => NodeError::new(ErrorKind::Internal, format!("flow {name:?} could not be found: {error}")),
    })?;
    if !context.call.may_call_another() {
        let message = format!(
            "flow {name:?} could not be called: one call leads to at most {MAX_DESCENDANTS} calls of other flows"
        );
        return Err(NodeError::new(ErrorKind::Limit, message));
    }
    // When this node is stopped, for whatever reason, so is what it called.
    let stop = context.stop.child_token();
    let _stop_child = stop.clone().drop_guard();
    let child = context.call.child(flow, params, context.execution, stop);
    let finished = context.runner.run(child).await.map_err(|error| refused(&name, &error))?;
    let output = json_object([("executionId", finished.id.to_string().into()), ("output", finished.outputs)]);
    match finished.outcome {
        Outcome::Fulfilled => Ok(Output::of(output)),
        Outcome::Error(error) => {
            let message = format!("flow {name:?} failed: {}", error.message);
            Err(NodeError::new(error.kind, message).with_output(output))
        }
        Outcome::Aborted(reason) => {
            let (kind, reason) = reason.map_or((ErrorKind::Cancelled, String::new()), |reason| {
                (reason.kind, format!(": {}", reason.message))
            });
            let message = format!("flow {name:?} was stopped{reason}");
            Err(NodeError::new(kind, message).with_output(output))
        }
    }
}

fn refused(name: &str, error: &RunError) -> NodeError {
    let kind = match error {
        RunError::Arguments(_) => ErrorKind::InvalidInput,
        RunError::TooDeep | RunError::ShareUsed(_) => ErrorKind::Limit,
        RunError::Inactive | RunError::NotRunnable | RunError::Invalid(_) => ErrorKind::Failed,
        RunError::Tracker(_) => ErrorKind::Internal,
    };
    let reason = error.to_string().replace('\n', "; ");
    NodeError::new(kind, format!("flow {name:?} could not be called: {reason}"))
}
