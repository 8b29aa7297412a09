//! What an endpoint answers: a stream, one answer, or something else.

use flowtrail_types::ErrorKind;

use super::super::{NodeContext, NodeError};
use super::completion::Completion;
use super::events::{Event, Events};
use super::failure;
use super::halves::Piece;
use crate::duration::spoken;
use crate::http::{HttpError, Opened, Received, Request, decoded_text, media_type};
use crate::retry::Cause;

/// How many times the bytes of an answer a stream of it may have: each few letters come with an envelope.
const ENVELOPES: usize = 16;

/// What a stream may begin with: the fields of events, and comments.
const STREAM_BEGINNINGS: [&str; 5] = ["data:", "event:", "id:", "retry:", ":"];

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
    if opened.status.is_success() && media_type(&opened.headers) == "text/event-stream" {
        return stream(context, opened, completion).await;
    }
    let Received { status, headers, body, .. } = opened.read().await?;
    if !status.is_success() {
        let now = context.runner.tracker().clock().now();
        return Err(failure::refused(status, &headers, &body, now).into());
    }
    let most = context.runner.max_response_bytes();
    let text = decoded_text(&headers, &body);
    match Piece::parse(&text) {
        Ok(answer) => Ok(completion.take_whole(&answer, most)?),
        // A stream whose content type says something else.
        Err(_) if STREAM_BEGINNINGS.iter().any(|beginning| text.starts_with(beginning)) => {
            let mut events = Events::default();
            let whole = events.take(text.as_bytes());
            for event in whole.into_iter().chain(events.end()) {
                if is_done(&event) {
                    return done(completion);
                }
                completion.take(&event, most)?;
            }
            ended(completion)
        }
        Err(_) => Err(failure::no_completion(status, &headers, &text).into()),
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
    // What came before the first event, which may turn out to be no stream but an answer as JSON.
    let mut beginning = Some(Vec::new());
    loop {
        let piece = tokio::time::timeout(idle, opened.chunk()).await.map_err(|_| {
            let message = format!("sent nothing for {} in the middle of its answer", spoken(idle));
            NodeError::new(ErrorKind::Timeout, message).transient(Cause::Timeout)
        })??;
        let whole = match &piece {
            Some(piece) => events.take(piece),
            None => std::mem::take(&mut events).end().into_iter().collect(),
        };
        if whole.is_empty() {
            let kept = beginning.as_mut().filter(|kept| kept.len() < most);
            kept.zip(piece.as_ref()).into_iter().for_each(|(kept, piece)| kept.extend_from_slice(piece));
        } else {
            beginning = None;
        }
        for event in whole {
            if is_done(&event) {
                return done(completion);
            }
            completion.take(&event, most)?;
        }
        if piece.is_none() {
            let answer = beginning.and_then(|kept| Piece::parse(std::str::from_utf8(&kept).ok()?).ok());
            return match answer {
                Some(answer) => Ok(completion.take_whole(&answer, most)?),
                None => ended(completion),
            };
        }
    }
}

fn is_done(event: &Event) -> bool {
    event.data.trim() == DONE
}

/// A stream says that it is over. What it has said is whole then, though not every endpoint says how it ended.
fn done(completion: &Completion) -> Result<(), Failure> {
    if completion.has_begun() {
        return Ok(());
    }
    let message = "ended its answer without a completion";
    Err(NodeError::new(ErrorKind::Network, message).transient(Cause::Network).into())
}

/// A stream has ended. One that does not say how may have broken off anywhere.
fn ended(completion: &Completion) -> Result<(), Failure> {
    if completion.is_finished() {
        return Ok(());
    }
    let message = "ended its answer without a finish_reason: the text may be cut off";
    Err(NodeError::new(ErrorKind::Network, message).transient(Cause::Network).into())
}
