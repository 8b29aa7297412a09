//! `ApiCall`: an HTTP request. Its output is `{status, headers, body, url, durationMs}`.

mod check;
mod request;
mod response;

use std::time::{Duration, Instant};

use flowtrail_types::{ErrorKind, Node};
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{Check, DEFAULT_TIMEOUT, NodeContext, NodeError, NodeKind, Output, own_timeout};
use crate::duration::parse_timeout;
use crate::http::{HttpError, spoken};

pub(super) struct ApiCall;

impl NodeKind for ApiCall {
    fn name(&self) -> &'static str {
        "ApiCall"
    }

    fn timeout(&self, node: &Node) -> Option<Duration> {
        let parameter = node.parameters.get("timeout").and_then(Value::as_str);
        let parameter = parameter.and_then(|text| parse_timeout(text).ok());
        Some(own_timeout(node).into_iter().chain(parameter).min().unwrap_or(DEFAULT_TIMEOUT))
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
    let received = context
        .runner
        .http()
        .send(request, |status| accepted.contains(&status.as_u16()))
        .await
        .map_err(|HttpError { message, kind }| NodeError::new(kind, message))?;
    let status = received.status;
    let output = response::output(received, begun.elapsed());
    if status.as_u16() < 400 || accepted.contains(&status.as_u16()) {
        return Ok(Output::of(output));
    }
    let message = format!("{spoken} answered {status}{}", response::excerpt(&output));
    Err(NodeError { output: Some(output), ..NodeError::new(ErrorKind::Failed, message) })
}
