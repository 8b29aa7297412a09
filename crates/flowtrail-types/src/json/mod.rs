//! JSON as it was sent.
//!
//! Every JSON text that reaches Flowtrail from outside is read here, so that one rule holds for all of them: numbers keep
//! their text (`1.10`, `1e2`, integers and exponents of any size), an escaped surrogate without a partner becomes U+FFFD and
//! is reported, one byte order mark is skipped, the last of duplicate keys counts, and no key has a special meaning.
//!
//! serde_json alone does not: with `arbitrary_precision` it keeps digits but rewrites `1e2` to `1e+2`, it refuses unpaired
//! surrogates, and it reads objects whose first key is `$serde_json::private::Number` or `…::RawValue` as something else.
//! It reads first because it is faster; only what it cannot read faithfully is read again.

mod number;
mod reader;
mod replaced;

pub use number::{
    DoubleFit, double_fit, json_as_rounded, number_as_rounded, same_json, same_number, whole_number,
};
pub use replaced::Replaced;

use std::borrow::Cow;

use memchr::memmem;
use serde_json::Value;

use crate::replace_unpaired_surrogates;
use reader::Reader;

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How the keys begin that serde_json keeps for itself.
const PRIVATE: &[u8] = b"$serde_json::private::";

/// A value and the places in it that are not as they were sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Json {
    /// The value.
    pub value: Value,
    /// Where surrogates were replaced.
    pub replaced: Replaced,
    /// Whether serde_json alone reads something else in the bytes, or refuses them.
    pub is_beyond_serde: bool,
}

/// Reads one JSON value.
///
/// ```
/// let json = flowtrail_types::read_json(br#"{"n": 1.10, "m": 1e2, "x": 1e400, "half": "\ud83d"}"#)?;
/// assert_eq!(json.value.to_string(), r#"{"n":1.10,"m":1e2,"x":1e400,"half":"�"}"#);
/// assert!(json.replaced.at("half").is_any());
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Errors
///
/// When it is not one JSON value, or is nested deeper than 127 levels.
pub fn read_json(bytes: &[u8]) -> Result<Json, serde_json::Error> {
    let (sent, bytes) = (bytes, without_byte_order_mark(bytes));
    let plain =
        |value| Json { value, replaced: Replaced::default(), is_beyond_serde: sent.len() != bytes.len() };
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) if is_faithful(&value, bytes) => Ok(plain(value)),
        // serde_json rewrote a number or took a key for its own.
        Ok(value) => Ok(Reader::read(bytes, bytes).unwrap_or_else(|| plain(value))),
        // Its message names the line and column; the replaced text has the same ones.
        Err(error) => {
            let text = replace_unpaired_surrogates(bytes);
            let error = match &text {
                Cow::Borrowed(_) => error,
                Cow::Owned(text) => serde_json::from_slice::<Value>(text).err().unwrap_or(error),
            };
            Reader::read(bytes, &text).ok_or(error)
        }
    }
}

/// Whether serde_json's value says what the text says.
fn is_faithful(value: &Value, bytes: &[u8]) -> bool {
    !has_exponent(value) && memmem::find(bytes, PRIVATE).is_none() && !has_escaped_ascii(bytes)
}

/// Whether a printable ASCII character is escaped, as it may be in one of the keys that serde_json keeps for itself.
fn has_escaped_ascii(bytes: &[u8]) -> bool {
    memmem::find_iter(bytes, br"\u00").any(|place| matches!(bytes.get(place + 4), Some(b'2'..=b'7')))
}

fn has_exponent(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_str().contains('e'),
        Value::Array(items) => items.iter().any(has_exponent),
        Value::Object(members) => members.values().any(has_exponent),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// Reads one JSON value as [`read_json`] does, for callers that have no mark to set.
///
/// # Errors
///
/// See [`read_json`].
pub fn read_json_value(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    read_json(bytes).map(|json| json.value)
}

/// An object of these members as they are. `json!` and `serde_json::to_value` write numbers anew, `1e2` as `1e+2`.
#[must_use]
pub fn json_object<const N: usize>(members: [(&str, Value); N]) -> Value {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The bytes after one byte order mark, if they begin with one (RFC 8259, section 8.1, lets a reader skip it).
#[must_use]
pub fn without_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}

#[cfg(test)]
mod tests;
