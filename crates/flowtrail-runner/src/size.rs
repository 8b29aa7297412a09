//! How large JSON is, and how deep.

use std::io::{self, Write};

use serde_json::Value;

/// How many bytes a value has as JSON, found without writing it anywhere.
pub(crate) fn json_size(value: &Value) -> usize {
    let mut counter = Counter(0);
    match serde_json::to_writer(&mut counter, value) {
        Ok(()) => counter.0,
        // No value fails to be written, and a counter takes everything.
        Err(_) => usize::MAX,
    }
}

/// Whether a value is nested deeper than so many levels. Looks no deeper than that.
pub(crate) fn is_deeper_than(value: &Value, levels: usize) -> bool {
    let is_within_deeper = |item: &Value| is_deeper_than(item, levels - 1);
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => true,
        Value::Array(items) => items.iter().any(is_within_deeper),
        Value::Object(fields) => fields.values().any(is_within_deeper),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn levels_are_counted_to_the_deepest() {
        for (value, depth) in [(json!(1), 0), (json!([]), 1), (json!({"a": 1, "b": [{}, 2]}), 3)] {
            for levels in 0..5 {
                assert_eq!(is_deeper_than(&value, levels), depth > levels, "{value} {levels}");
            }
        }
    }

    #[test]
    fn it_is_as_large_as_it_is_written() {
        for value in [json!(null), json!({"é\n": [1.5, "x", {}]}), json!("\u{0}")] {
            assert_eq!(json_size(&value), value.to_string().len(), "{value}");
        }
    }
}
