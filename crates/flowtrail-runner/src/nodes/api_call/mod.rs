//! `ApiCall`: an HTTP request. Its output is `{status, headers, body, url, durationMs}`.

mod check;
mod request;
mod response;

use std::time::{Duration, Instant};

use flowtrail_types::{ErrorKind, Node};
use futures_util::future::BoxFuture;

use super::{Check, NodeContext, NodeError, NodeKind, Output, asking_timeout, own_retry};
use crate::http::{retry_after, spoken};
use crate::retry::{Cause, Retry, Transient, is_transient_status};

pub(super) struct ApiCall;

impl NodeKind for ApiCall {
    fn name(&self) -> &'static str {
        "ApiCall"
    }

    fn timeout(&self, node: &Node) -> Option<Duration> {
        Some(asking_timeout(node))
    }

    fn retry(&self, node: &Node) -> Option<Retry> {
        own_retry(node)
    }

    fn check(&self, check: &mut Check<'_, '_>) {
        check::check(check);
    }

    fn run<'c>(&self, context: &'c NodeContext<'c>) -> BoxFuture<'c, Result<Output, NodeError>> {
        Box::pin(run(context))
    }
}

async fn run(context: &NodeContext<'_>) -> Result<Output, NodeError> {
    let request = request::build(context)?;
    let accepted = request::accepted(context);
    let spoken = spoken(&request.method, &request.url);
    let begun = Instant::now();
    let received = context.runner.http().send(request, |status| accepted.contains(&status.as_u16())).await?;
    let status = received.status;
    let after = retry_after(&received.headers, context.runner.tracker().clock().now());
    let output = response::output(received, begun.elapsed());
    if status.as_u16() < 400 || accepted.contains(&status.as_u16()) {
        return Ok(Output::of_json(output));
    }
    let message = format!("{spoken} answered {status}{}", response::beginning(&output.value));
    let transient = is_transient_status(status.as_u16()).then_some(Transient { cause: Cause::Status, after });
    Err(NodeError { transient, ..NodeError::new(ErrorKind::Failed, message).with_json(output) })
}
