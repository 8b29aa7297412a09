//! What an endpoint answers: a stream, one answer, or something else.

use flowtrail_types::ErrorKind;
use reqwest::header::CONTENT_TYPE;

use super::super::{NodeContext, NodeError};
use super::completion::Completion;
use super::events::Events;
use super::failure;
use crate::duration::spoken;
use crate::http::{HttpError, Opened, Received, Request};
use crate::retry::Cause;

/// How many times the bytes of an answer a stream of it may have: each few letters come with an envelope.
const ENVELOPES: usize = 16;

/// What ends a stream.
const DONE: &str = "[DONE]";

/// Why there is no completion.
pub(super) enum Failure {
    /// There was no answer, or it broke off. Says of what it speaks.
    Http(HttpError),
    /// The answer was no good one. Says only what was wrong with it.
    Told(NodeError),
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        Self::Told(error)
    }
}

/// Sends a request, and takes what comes into the completion, which keeps it whatever happens then.
pub(super) async fn receive(
    context: &NodeContext<'_>,
    request: Request,
    completion: &mut Completion,
) -> Result<(), Failure> {
    let opened = context.runner.http().open(request, |_| false).await?;
    if opened.status.is_success() && content_type(&opened) == "text/event-stream" {
        return stream(context, opened, completion).await;
    }
    let Received { status, headers, body, .. } = opened.read().await?;
    if !status.is_success() {
        let now = context.runner.tracker().clock().now();
        return Err(failure::refused(status, &headers, &body, now).into());
    }
    let most = context.runner.max_response_bytes();
    match serde_json::from_slice(&body) {
        Ok(answer) => Ok(completion.take_whole(&answer, most)?),
        // A stream whose content type says something else.
        Err(_) if body.starts_with(b"data:") => {
            let mut events = Events::default();
            let whole = events.take(&body);
            for data in whole.into_iter().chain(events.end()).take_while(|data| data != DONE) {
                completion.take(&data, most)?;
            }
            ended(completion)
        }
        Err(_) => Err(failure::no_completion(status, &headers, &body).into()),
    }
}

async fn stream(
    context: &NodeContext<'_>,
    mut opened: Opened,
    completion: &mut Completion,
) -> Result<(), Failure> {
    opened.allow_times(ENVELOPES);
    let (most, idle) = (context.runner.max_response_bytes(), context.runner.stream_idle_timeout());
    let mut events = Events::default();
    loop {
        let piece = tokio::time::timeout(idle, opened.chunk()).await.map_err(|_| {
            let message = format!("sent nothing for {} in the middle of its answer", spoken(idle));
            NodeError::new(ErrorKind::Timeout, message).transient(Cause::Timeout)
        })??;
        let whole = match &piece {
            Some(piece) => events.take(piece),
            None => std::mem::take(&mut events).end().into_iter().collect(),
        };
        for data in whole {
            if data == DONE {
                return ended(completion);
            }
            completion.take(&data, most)?;
        }
        if piece.is_none() {
            return ended(completion);
        }
    }
}

/// A stream has ended. One that does not say how may have broken off anywhere.
fn ended(completion: &Completion) -> Result<(), Failure> {
    if completion.is_finished() {
        return Ok(());
    }
    let message = "ended its answer without a finish_reason: the text may be cut off";
    Err(NodeError::new(ErrorKind::Network, message).transient(Cause::Network).into())
}

fn content_type(opened: &Opened) -> String {
    let kind = opened.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
