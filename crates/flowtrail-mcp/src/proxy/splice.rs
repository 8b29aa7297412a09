//! Exchanging a value deep within a message, leaving every other byte of it as it is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use serde_json::value::RawValue;

/// Where the value under these keys stands in a message.
pub(super) fn place_of(message: &[u8], path: &[&str]) -> Option<Range<usize>> {
    let mut at = 0..message.len();
    for key in path {
        let within = &message[at.clone()];
        let members: HashMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(within).ok()?;
        let value = members.get(*key)?.get();
        // It borrows from the message, so that its address tells its place.
        let start = value.as_ptr() as usize - message.as_ptr() as usize;
        at = start..start + value.len();
    }
    Some(at)
}

/// The message with other values in some places. Where there is none it stays as it is.
pub(super) fn spliced(message: &[u8], others: &[(&[&str], &str)]) -> Vec<u8> {
    let mut places: Vec<(Range<usize>, &str)> =
        others.iter().filter_map(|(path, value)| Some((place_of(message, path)?, *value))).collect();
    places.sort_by_key(|(place, _)| place.start);
    let mut new = Vec::with_capacity(message.len() + 64);
    let mut copied = 0;
    for (place, value) in places {
        new.extend_from_slice(&message[copied..place.start]);
        new.extend_from_slice(value.as_bytes());
        copied = place.end;
    }
    new.extend_from_slice(&message[copied..]);
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_named_is_another() {
        let message = br#"{ "id" : 1.50, "params":{"_meta":{"progressToken":"a\"b"},"big":123456789012345678901234567890} }"#;
        let new = spliced(
            message,
            &[(&["params", "_meta", "progressToken"], "7"), (&["id"], "\"x\""), (&["no"], "1")],
        );
        let expected =
            r#"{ "id" : "x", "params":{"_meta":{"progressToken":7},"big":123456789012345678901234567890} }"#;
        assert_eq!(String::from_utf8(new).unwrap(), expected);
        assert_eq!(spliced(b"rubbish", &[(&["id"], "1")]), b"rubbish");
    }
}
