//! What happens to a payload on its way to the recorder: redaction, the capture policy, the cap.
//!
//! All of it comes before the queue, so that a secret is never even waiting to be written.

mod cap;
mod cards;
mod cut_off;
mod forms;
mod patterns;
mod redact;

pub use cut_off::CutOff;
pub use forms::forms as secret_forms;
pub use redact::{InvalidSecret, Redactor};

use flowtrail_types::{CaptureMark, CaptureMarks, CapturePolicy, ErrorInfo, Payload, json_as_rounded};
use serde_json::Value;

use crate::Sent;

/// The rules for one execution's payloads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capture<'a> {
    pub(crate) redactor: &'a Redactor,
    pub(crate) policy: CapturePolicy,
    /// The most bytes that a stored payload may have.
    pub(crate) max_payload: usize,
    /// Whether the same may be reported again, perhaps after it was recorded by an earlier version.
    pub(crate) is_repeatable: bool,
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
    /// The same as an earlier version had it, when that rounded numbers in it and it may be reported again.
    pub(crate) old_whole: Option<Payload>,
}

impl Captured {
    /// What was captured is the beginning of something of this size, which was never here as a whole.
    pub(crate) fn part_of(mut self, whole_size: Option<u64>) -> Self {
        let is_kept = self.stored.is_some();
        // Where nothing is kept and nothing is told, nothing is told of this either.
        if let Some(size) = whole_size.filter(|_| is_kept || self.mark.is_some()) {
            let mark = self.mark.unwrap_or_default();
            self.mark = Some(CaptureMark { size, truncated: is_kept, captured: is_kept, ..mark });
        }
        self
    }

    /// All of what was captured, as digests take it; nothing when nothing was.
    pub(crate) fn whole_of(captured: Option<&Self>) -> &[u8] {
        captured.map_or(&[], |captured| captured.whole.as_str().as_bytes())
    }

    /// The same as an earlier version had it.
    pub(crate) fn old_whole_of(captured: Option<&Self>) -> &[u8] {
        let old = captured.and_then(|captured| captured.old_whole.as_ref());
        old.map_or_else(|| Self::whole_of(captured), |old| old.as_str().as_bytes())
    }

    /// Whether an earlier version had any of these in another form.
    pub(crate) fn any_old<'c>(captured: impl IntoIterator<Item = &'c Option<Self>>) -> bool {
        captured.into_iter().flatten().any(|captured| captured.old_whole.is_some())
    }
}

impl Capture<'_> {
    /// Redacts and caps a payload, as far as the policy lets it be kept at all.
    pub(crate) fn payload<'v>(&self, sent: impl Into<Sent<'v>>) -> Captured {
        let Sent { value, replaced } = sent.into();
        let (whole, redacted) = self.redactor.redact(value);
        let rounded = if self.is_repeatable { json_as_rounded(value) } else { None };
        let old_whole = rounded.map(|rounded| self.redactor.redact(&rounded).0);
        let mark = CaptureMark { size: whole.size() as u64, redacted, replaced, ..CaptureMark::default() };
        if self.policy != CapturePolicy::Full {
            let mark = (self.policy == CapturePolicy::Metadata).then_some(mark);
            return Captured { stored: None, mark, whole, old_whole };
        }
        let truncated = whole.size() > self.max_payload;
        let stored = if truncated { cap::cut(&whole, self.max_payload) } else { whole.clone() };
        let is_marked = truncated || redacted || replaced;
        let mark = is_marked.then_some(CaptureMark { truncated, captured: true, ..mark });
        Captured { stored: Some(stored), mark, whole, old_whole }
    }

    /// An error's text, redacted and cut; nothing unless the policy keeps texts.
    pub(crate) fn text(&self, text: &str) -> Option<String> {
        (self.policy == CapturePolicy::Full).then(|| {
            let mut text = self.redactor.redact_said(text);
            cap::cut_text(&mut text, self.max_payload);
            text
        })
    }

    /// A name without the values of configured secrets.
    pub(crate) fn name(&self, name: &str) -> String {
        self.redactor.redact_name(name).into_owned()
    }

    /// An error as it is kept: with this message, and the names of its node without secrets.
    pub(crate) fn error(&self, message: String, error: &ErrorInfo) -> ErrorInfo {
        let name = |name: &Option<String>| name.as_deref().map(|name| self.name(name));
        ErrorInfo {
            message,
            kind: error.kind,
            node_id: name(&error.node_id),
            node_name: name(&error.node_name),
        }
    }

    /// A tag without secrets in its value or its name.
    pub(crate) fn tag(&self, key: &str, value: &str) -> (String, String) {
        (self.name(key), self.redactor.redact_under(key, value))
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
