//! What happens to a payload on its way to the recorder: redaction, the capture policy, the cap.
//!
//! All of it comes before the queue, so that a secret is never even waiting to be written.

mod cap;
mod cards;
mod patterns;
mod redact;

pub use redact::{InvalidSecret, Redactor};

use flowtrail_types::{CaptureMark, CaptureMarks, CapturePolicy, Payload};
use serde_json::Value;

/// The rules for one execution's payloads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capture<'a> {
    pub(crate) redactor: &'a Redactor,
    pub(crate) policy: CapturePolicy,
    /// The most bytes that a stored payload may have.
    pub(crate) max_payload: usize,
}

/// A payload as it is to be stored, and what it was before.
#[derive(Debug, Clone)]
pub(crate) struct Captured {
    /// What is stored: nothing, or JSON that fits the cap.
    pub(crate) stored: Option<Payload>,
    /// What is told beside it, unless it is whole.
    pub(crate) mark: Option<CaptureMark>,
    /// The redacted, uncut JSON, by which a retry is told from another record.
    pub(crate) whole: Payload,
}

impl Captured {
    /// What was captured is the beginning of something of this size, which was never here as a whole.
    pub(crate) fn part_of(mut self, whole_size: Option<u64>) -> Self {
        let is_kept = self.stored.is_some();
        // Where nothing is kept and nothing is told, nothing is told of this either.
        if let Some(size) = whole_size.filter(|_| is_kept || self.mark.is_some()) {
            let redacted = self.mark.is_some_and(|mark| mark.redacted);
            self.mark = Some(CaptureMark { size, truncated: is_kept, redacted, captured: is_kept });
        }
        self
    }

    /// All of what was captured, as digests take it; nothing when nothing was.
    pub(crate) fn whole_of(captured: Option<&Self>) -> &[u8] {
        captured.map_or(&[], |captured| captured.whole.as_str().as_bytes())
    }
}

impl Capture<'_> {
    /// Redacts and caps a payload, as far as the policy lets it be kept at all.
    pub(crate) fn payload(&self, value: &Value) -> Captured {
        let (whole, redacted) = self.redactor.redact(value);
        let size = whole.size() as u64;
        if self.policy != CapturePolicy::Full {
            let mark = CaptureMark { size, truncated: false, redacted, captured: false };
            let mark = (self.policy == CapturePolicy::Metadata).then_some(mark);
            return Captured { stored: None, mark, whole };
        }
        let truncated = whole.size() > self.max_payload;
        let stored = if truncated { cap::cut(&whole, self.max_payload) } else { whole.clone() };
        let mark =
            (truncated || redacted).then_some(CaptureMark { size, truncated, redacted, captured: true });
        Captured { stored: Some(stored), mark, whole }
    }

    /// An error's text, redacted and cut; nothing unless the policy keeps texts.
    pub(crate) fn text(&self, text: &str) -> Option<String> {
        (self.policy == CapturePolicy::Full).then(|| {
            let mut text = self.redactor.redact_text(text).into_owned();
            cap::cut_text(&mut text, self.max_payload);
            text
        })
    }

    /// The value that a list shows: at most 50 characters, then "...".
    pub(crate) fn preview(&self, name: &str, value: &Value) -> Option<String> {
        const LENGTH: usize = 50;
        if self.policy != CapturePolicy::Full {
            return None;
        }
        // Of a long text no more is looked at than could reach into what is shown.
        const LOOKED_AT: usize = 64 << 10;
        let beginning;
        let value = match value {
            Value::String(text) if text.len() > LOOKED_AT => {
                beginning = Value::String(text[..text.floor_char_boundary(LOOKED_AT)].to_owned());
                &beginning
            }
            other => other,
        };
        let text = match self.redactor.redact_value_under(name, value) {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Some(match text.char_indices().nth(LENGTH) {
            Some((cut, _)) => format!("{}...", &text[..cut]),
            None => text,
        })
    }
}

/// Notes a mark under the name of its field.
pub(crate) fn note(marks: &mut CaptureMarks, field: &str, captured: &Captured) {
    if let Some(mark) = captured.mark {
        marks.insert(field.to_owned(), mark);
    }
}
