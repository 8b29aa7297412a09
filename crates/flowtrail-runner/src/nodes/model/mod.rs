//! `Model`: a chat completion at an OpenAI-compatible endpoint. Its output is `{text, model, finishReason, usage,
//! rawUsage, toolCalls?, refusal?, durationMs, request}`; of one that failed, what had come by then.

mod check;
mod completion;
mod events;
mod failure;
mod halves;
mod receive;
mod request;
mod tool_calls;
mod usage;

use std::time::{Duration, Instant};

use flowtrail_types::{ErrorKind, Node};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use self::completion::Completion;
use self::receive::Failure;
use self::request::Asking;
use super::{Check, NodeContext, NodeError, NodeKind, Output, asking_timeout, own_retry};
use crate::duration::spoken;
use crate::retry::{Cause, Retry};

pub(super) struct Model;

impl NodeKind for Model {
    fn name(&self) -> &'static str {
        "Model"
    }

    fn timeout(&self, _: &Node) -> Option<Duration> {
        // It keeps its time itself: what has come by then is not to be lost.
        None
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
    let Asking { request, shown, key } = request::build(context)?;
    let asked = crate::http::spoken(&request.method, &request.url);
    let limit = asking_timeout(context.node);
    let begun = Instant::now();
    let mut completion = Completion::default();
    let received = receive::receive(context, request, &mut completion);
    let ended = tokio::time::timeout(limit, received).await.unwrap_or_else(|_| {
        let message = format!("took longer than {}", spoken(limit));
        Err(Failure::Told(NodeError::new(ErrorKind::Timeout, message).transient(Cause::Timeout)))
    });
    let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (mut output, replaced) = completion.output();
    output.insert("durationMs".to_owned(), json!(took));
    output.insert("request".to_owned(), shown);
    let mut output = Value::Object(output);
    key.hide(&mut output);
    let mut error = match ended {
        Ok(()) => return Ok(Output { replaced, ..Output::of(output) }),
        Err(Failure::Http(error)) => NodeError::from(error),
        Err(Failure::Told(error)) => NodeError { message: format!("{asked} {}", error.message), ..error },
    };
    // What an endpoint says of a failure may have anything in it that it was sent.
    key.hide_said(&mut error.message);
    Err(NodeError { replaced, ..error.with_output(output) })
}
