//! The JSON that a flow or a node received or produced.

use std::fmt::{self, Debug};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::read_json_value;

/// JSON text, known to be valid, shared and never parsed again on its way to the disk or the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Arc<str>);

/// Bytes that are not JSON.
#[derive(Debug, thiserror::Error)]
#[error("not valid JSON")]
pub struct PayloadError(#[from] serde_json::Error);

impl Payload {
    /// The payload that says nothing: `null`.
    #[must_use]
    pub fn null() -> Self {
        Self(Arc::from("null"))
    }

    /// The payload of a value that was made in this process.
    #[must_use]
    pub fn from_value(value: &Value) -> Self {
        Self(Arc::from(Self::text_of(value)))
    }

    /// The JSON of a value.
    #[must_use]
    pub fn text_of(value: &Value) -> String {
        // A `Value` has only string keys and finite numbers: it cannot fail to be written. Written to memory it takes half
        // of what it takes by way of `Display`.
        serde_json::to_string(value).unwrap_or_else(|_| value.to_string())
    }

    /// The payload of a text that [`text_of`](Self::text_of) has just written, which need not be checked again.
    #[must_use]
    pub fn from_value_text(text: String) -> Self {
        debug_assert!(serde_json::from_str::<&RawValue>(&text).is_ok(), "not JSON: {text}");
        Self(Arc::from(text))
    }

    /// The payload of anything that serde can write as JSON.
    ///
    /// # Errors
    ///
    /// When the value refuses to be written, or has a key that is not a string.
    pub fn from_serialize(value: &impl Serialize) -> Result<Self, PayloadError> {
        Ok(Self(Arc::from(serde_json::to_string(value)?)))
    }

    /// Checks JSON that came from outside.
    ///
    /// # Errors
    ///
    /// When it is not one valid JSON value.
    pub fn from_json(text: &str) -> Result<Self, PayloadError> {
        let raw: &RawValue = serde_json::from_str(text)?;
        Ok(Self(Arc::from(raw.get())))
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many bytes the text has.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// The value, parsed.
    #[must_use]
    pub fn to_value(&self) -> Value {
        // Nested deeper than the parser goes, it is shown as text rather than lost.
        read_json_value(self.0.as_bytes()).unwrap_or_else(|_| Value::String(self.0.to_string()))
    }
}

impl Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&RawValue>(&self.0) {
            Ok(raw) => raw.serialize(serializer),
            Err(error) => Err(serde::ser::Error::custom(error)),
        }
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(Arc::from(raw.get())))
    }
}

/// A hash of recorded content (BLAKE3, cut to 128 bits), by which a retry is told from another record.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 16]);

impl Digest {
    /// The digest of parts in order. Each part's length goes in before it, so that no two lists of parts
    /// give the same bytes.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(digest)
    }

    /// The digest that was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_written_as_it_came() {
        let payload = Payload::from_json(r#" {"a": 1.50, "b": [null]} "#).unwrap();
        assert_eq!(serde_json::to_string(&payload).unwrap(), r#"{"a": 1.50, "b": [null]}"#);
        assert!(Payload::from_json("{").is_err());
        assert!(Payload::from_json("1 2").is_err());
    }

    #[test]
    fn a_digest_knows_where_a_part_ends() {
        assert_ne!(Digest::of(&[b"ab", b"c"]), Digest::of(&[b"a", b"bc"]));
        assert_eq!(Digest::of(&[b"ab"]), Digest::of(&[b"ab"]));
    }
}
