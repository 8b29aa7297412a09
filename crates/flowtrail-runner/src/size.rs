//! How large JSON is.

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
    fn it_is_as_large_as_it_is_written() {
        for value in [json!(null), json!({"é\n": [1.5, "x", {}]}), json!("\u{0}")] {
            assert_eq!(json_size(&value), value.to_string().len(), "{value}");
        }
    }
}
