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
}

#[derive(Debug)]
enum Form {
    /// One message, or a batch.
    Json(Lines),
    /// A message an event.
    Events(Box<SseReader>),
}

impl Passing {
    /// A body that is of this content type.
    #[must_use]
    pub fn new(tap: Arc<Tap>, content_type: &str) -> Self {
        let is_stream = content_type.to_ascii_lowercase().starts_with("text/event-stream");
        let form = if is_stream { Form::Events(Box::default()) } else { Form::Json(Lines::default()) };
        Self { tap, form }
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
        if let Form::Json(body) = &mut self.form
            && let Some(message) = body.end()
        {
            self.tap.server_passed(message, now());
        }
    }
}
