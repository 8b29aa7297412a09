//! Payloads as they were sent.

use serde_json::Value;

/// A payload that was sent to Flowtrail, and what had to be changed to read it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sent<'a> {
    /// The payload.
    pub value: &'a Value,
    /// Whether a surrogate without a partner was replaced by U+FFFD in it.
    pub replaced: bool,
}

impl<'a> From<&'a Value> for Sent<'a> {
    fn from(value: &'a Value) -> Self {
        Self { value, replaced: false }
    }
}
