//! `Loop`: repeats what hangs on `each`, its body, one iteration after the other, and goes on by `done` with
//! `{iterations, results}`.

mod check;
mod results;
mod turns;

use std::time::Duration;

use flowtrail_types::{ErrorKind, Node};
use futures_util::future::BoxFuture;
use serde_json::Value;

use self::results::Results;
use self::turns::Turns;
use super::{Check, NodeContext, NodeError, NodeKind, Output, own_timeout};
use crate::template::Shared;

const EACH: &str = "each";
const DONE: &str = "done";

/// How many iterations there may be when the loop does not say, and at most.
const DEFAULT_ITERATIONS: usize = 1_000;
const MAX_ITERATIONS: usize = 10_000;

pub(super) struct Loop;

impl NodeKind for Loop {
    fn name(&self) -> &'static str {
        "Loop"
    }

    fn branches(&self) -> &'static [&'static str] {
        &[EACH, DONE]
    }

    fn repeats_by(&self) -> Option<&'static str> {
        Some(EACH)
    }

    fn timeout(&self, node: &Node) -> Option<Duration> {
        own_timeout(node)
    }

    fn check(&self, check: &mut Check<'_, '_>) {
        check::check(check);
    }

    fn run<'c>(&self, context: &'c NodeContext<'c>) -> BoxFuture<'c, Result<Output, NodeError>> {
        Box::pin(run(context))
    }
}

async fn run(context: &NodeContext<'_>) -> Result<Output, NodeError> {
    let Some(body) = &context.body else {
        return Err(NodeError::new(ErrorKind::Internal, "the loop has no body"));
    };
    let mut turns = match Turns::of(context).await {
        Ok(turns) => turns,
        Err(error) => {
            body.skip();
            return Err(error);
        }
    };
    let mut results = Results::default();
    let failed = loop {
        let index = results.count();
        let last = results.last();
        let item = match turns.next(index, &last) {
            Ok(Some(item)) => item,
            Ok(None) => break None,
            Err(error) => break Some(error),
        };
        match body.run(index, item, &last).await {
            Err(error) => break Some(error),
            Ok(iterated) => {
                if let Err(error) = results.add(iterated.result.clone()) {
                    break Some(error);
                }
                match turns.is_over(context, index, iterated).await {
                    Ok(true) => break None,
                    Ok(false) => {}
                    Err(error) => break Some(error),
                }
            }
        }
    };
    if turns.never_came() {
        body.skip();
    }
    let output = results.into_output();
    match failed {
        None => Ok(Output { branch: Some(DONE), ..Output::of(output) }),
        Some(error) => Err(error.with_output(output)),
    }
}

/// The most iterations that a loop may have. What is no such number was refused when the flow was checked.
fn max_iterations(node: &Node) -> usize {
    let most = node.parameters.get("maxIterations").and_then(Value::as_u64);
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(DEFAULT_ITERATIONS);
    most.clamp(1, MAX_ITERATIONS)
}

fn too_many(wanted: &str, most: usize) -> NodeError {
    let message = format!("{wanted}, more than the {most} iterations that maxIterations allows");
    NodeError::new(ErrorKind::Limit, message)
}

/// The value that there is before the first iteration has given one.
fn nothing() -> Shared {
    Shared::new(Value::Null)
}
