//! An answer of a server over HTTP, seen while it passes.

use std::sync::Arc;

use super::connection::Failed;
use super::journal::Tap;
use super::message::{Kept, Lines, beginning};
use super::moment::Moment;
use super::sse::SseReader;
use super::web::WebError;

/// Sees the body of an answer piece by piece. What it holds when it is dropped is seen then.
#[derive(Debug)]
pub struct Passing {
    tap: Arc<Tap>,
    form: Form,
    /// The request that this answers.
    id: Option<String>,
    /// The answer's status.
    status: u16,
    /// Whether the body came to its end, or broke off: then nothing more can come of it.
    is_over: bool,
    /// Why it broke off.
    broke: Option<String>,
}

#[derive(Debug)]
enum Form {
    /// One message, or a batch.
    Json(Lines),
    /// A message an event; and whether it can be taken up again where it breaks.
    Events(Box<SseReader>, bool),
}

impl Passing {
    /// A body of this status and content type, which answers the request of this id, as JSON writes it.
    #[must_use]
    pub fn new(tap: Arc<Tap>, status: u16, content_type: &str, id: Option<String>) -> Self {
        let is_stream = content_type.to_ascii_lowercase().starts_with("text/event-stream");
        let form = if is_stream { Form::Events(Box::default(), false) } else { Form::Json(Lines::default()) };
        Self { tap, form, id, status, is_over: false, broke: None }
    }

    /// The next piece, which has passed.
    pub fn piece(&mut self, piece: &[u8]) {
        match &mut self.form {
            Form::Json(body) => body.add(piece),
            Form::Events(reader, is_resumable) => {
                for event in reader.feed(piece) {
                    *is_resumable |= event.id.as_ref().is_some_and(|id| !id.is_empty());
                    if let Some(message) = event.into_message() {
                        self.tap.server_passed(Kept::of(message), Moment::now());
                    }
                }
            }
        }
    }

    /// The body has come to its end, or broke off for this reason.
    pub fn end(&mut self, broke: Option<&WebError>) {
        self.is_over = true;
        self.broke = broke.map(ToString::to_string);
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        let failed = match &mut self.form {
            Form::Json(body) => {
                let body = body.end();
                let text = match &body {
                    Some(Kept::Whole(body)) => beginning(body),
                    _ => String::new(),
                };
                if let Some(message) = body {
                    self.tap.server_passed(message, Moment::now());
                }
                let status = self.status;
                let message = match (&self.broke, text.is_empty()) {
                    (Some(reason), _) => format!("the server's answer broke off: {reason}"),
                    (None, true) => format!("the server answered {status} without a message"),
                    (None, false) => format!("the server answered {status}: {text}"),
                };
                Failed { message, answer: Some((status, text)) }
            }
            // Where the client went away the server may still answer, and a stream with ids may be taken up again.
            Form::Events(_, is_resumable) if *is_resumable || !self.is_over => return,
            Form::Events(..) => Failed { message: stream_ended(self.broke.as_deref()), answer: None },
        };
        // Of what was answered this says nothing more.
        if let Some(id) = &self.id {
            self.tap.failed(id, failed);
        }
    }
}

/// What is said of a stream that ended before the answer was in it, perhaps because it broke off for a reason.
pub(super) fn stream_ended(broke: Option<&str>) -> String {
    match broke {
        Some(reason) => format!("the server's stream broke off before its answer: {reason}"),
        None => "the server's stream ended before its answer".to_owned(),
    }
}
