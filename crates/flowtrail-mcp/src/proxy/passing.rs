//! An answer of a server over HTTP, seen while it passes.

use std::sync::Arc;

use super::journal::{Tap, now};
use super::message::{Kept, Lines};
use super::sse::SseReader;

/// Sees the body of an answer piece by piece. What it holds when it is dropped is seen then.
#[derive(Debug)]
pub struct Passing {
    tap: Arc<Tap>,
    form: Form,
    /// The request that this answers.
    id: Option<String>,
}

#[derive(Debug)]
enum Form {
    /// One message, or a batch.
    Json(Lines),
    /// A message an event.
    Events(Box<SseReader>),
}

impl Passing {
    /// A body of this content type, which answers the request of this id, as JSON writes it.
    #[must_use]
    pub fn new(tap: Arc<Tap>, content_type: &str, id: Option<String>) -> Self {
        let is_stream = content_type.to_ascii_lowercase().starts_with("text/event-stream");
        let form = if is_stream { Form::Events(Box::default()) } else { Form::Json(Lines::default()) };
        Self { tap, form, id }
    }

    /// The next piece, which has passed.
    pub fn piece(&mut self, piece: &[u8]) {
        match &mut self.form {
            Form::Json(body) => body.add(piece),
            Form::Events(reader) => {
                for event in reader.feed(piece).into_iter().filter(|event| !event.data.is_empty()) {
                    self.tap.server_passed(Kept::of(event.data.into()), now());
                }
            }
        }
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        let Form::Json(body) = &mut self.form else { return };
        if let Some(message) = body.end() {
            self.tap.server_passed(message, now());
        }
        // A body that was no answer is all that comes; a stream may be taken up again.
        if let Some(id) = &self.id {
            self.tap.failed(id, "the server has not answered the call");
        }
    }
}
