//! Cutting JSON so that it stays JSON.

use flowtrail_types::Payload;
use serde_json::Value;

/// The beginning of a payload that fits into `max` bytes of JSON: the first entries of objects and arrays, the
/// first characters of strings. What it says is true, only not all; that it was cut is told beside it.
pub(super) fn cut(payload: &Payload, max: usize) -> Payload {
    let mut out = String::with_capacity(max);
    write_within(&payload.to_value(), max, &mut out);
    // Whatever fits is JSON by construction; a cap of less than four bytes has room for nothing.
    Payload::from_json(&out).unwrap_or_else(|_| Payload::null())
}

/// Appends as much of a value as fits `max` more bytes. False when nothing does.
fn write_within(value: &Value, max: usize, out: &mut String) -> bool {
    match value {
        Value::Object(entries) => {
            if max < 2 {
                return false;
            }
            let end = out.len() + max - 1;
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                let before = out.len();
                let comma = if index == 0 { "" } else { "," };
                out.push_str(comma);
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                if out.len() >= end || !write_within(value, end - out.len(), out) {
                    out.truncate(before);
                    break;
                }
            }
            out.push('}');
            true
        }
        Value::Array(items) => {
            if max < 2 {
                return false;
            }
            let end = out.len() + max - 1;
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                let before = out.len();
                if index > 0 {
                    out.push(',');
                }
                if out.len() >= end || !write_within(item, end - out.len(), out) {
                    out.truncate(before);
                    break;
                }
            }
            out.push(']');
            true
        }
        Value::String(text) => write_string(text, max, out),
        scalar => {
            let text = scalar.to_string();
            let fits = text.len() <= max;
            if fits {
                out.push_str(&text);
            }
            fits
        }
    }
}

fn write_string(text: &str, max: usize, out: &mut String) -> bool {
    if max < 2 {
        return false;
    }
    let mut room = max - 2;
    out.push('"');
    for character in text.chars() {
        let mut buffer = [0; 6];
        let written = match character {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\u{0}'..='\u{1f}' => escaped_control(character, &mut buffer),
            other => other.encode_utf8(&mut buffer),
        };
        if written.len() > room {
            break;
        }
        room -= written.len();
        out.push_str(written);
    }
    out.push('"');
    true
}

/// `\u00XX`, the escape that every control character has.
fn escaped_control(character: char, buffer: &mut [u8; 6]) -> &str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let code = character as usize;
    *buffer = [b'\\', b'u', b'0', b'0', DIGITS[code >> 4 & 15], DIGITS[code & 15]];
    // All of them are ASCII.
    std::str::from_utf8(buffer).unwrap_or_default()
}

/// Cuts a text to `max` bytes, between two characters.
pub(super) fn cut_text(text: &mut String, max: usize) {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn cut_to(value: &Value, max: usize) -> Value {
        let payload = cut(&Payload::from_value(value), max);
        assert!(payload.size() <= max.max(4), "{payload:?} is longer than {max}");
        payload.to_value()
    }

    #[test]
    fn the_beginning_stays() {
        assert_eq!(cut_to(&json!([1, 2, 3, 4]), 6), json!([1, 2]));
        assert_eq!(cut_to(&json!({"a": 1, "b": 2}), 8), json!({"a": 1}));
        assert_eq!(cut_to(&json!("héllo wörld"), 9), json!("héllo "));
        assert_eq!(cut_to(&json!({"a": {"b": ["x".repeat(100)]}}), 30)["a"]["b"][0], "x".repeat(14));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::vec((".{0,8}", inner), 0..8)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_cut_is_json_that_fits(value in any_json(), max in 4usize..200) {
            let payload = cut(&Payload::from_value(&value), max);
            prop_assert!(payload.size() <= max, "{payload:?}");
        }
    }
}
