//! JSON with escaped surrogates that have no partner.
//!
//! JavaScript's strings are sequences of UTF-16 code units, and `JSON.stringify` writes half of a pair as an escape, such as
//! `"\ud83d"`. RFC 8259 (section 8.2) leaves open what such an escape means; no Unicode text can hold it, and serde_json
//! refuses the whole document. Here the half becomes U+FFFD, which is what a decoder of UTF-16 makes of it.

use std::borrow::Cow;

use memchr::memmem;

/// An escaped code unit: a backslash, `u` and four hexadecimal digits.
const ESCAPE: usize = 6;

/// Replaces every escaped surrogate without a partner by `\uFFFD`, and borrows the JSON when there is none. The result has
/// the length of the JSON, so that every position in it stays valid. What is not JSON is returned as it is.
///
/// ```
/// use flowtrail_types::replace_unpaired_surrogates;
///
/// let json = replace_unpaired_surrogates(br#"["\ud83d\ude42", "\ud83d"]"#);
/// assert_eq!(json, br#"["\ud83d\ude42", "\uFFFD"]"#.as_slice());
/// ```
#[must_use]
pub fn replace_unpaired_surrogates(json: &[u8]) -> Cow<'_, [u8]> {
    let mut replaced: Option<Vec<u8>> = None;
    let mut place = 0;
    while let Some(found) = next_escape(json, place) {
        let Some(unit) = code_unit(json, found) else {
            place = found + 2;
            continue;
        };
        place = found + ESCAPE;
        let is_paired = match unit {
            0xd800..=0xdbff => {
                let low = code_unit(json, place).is_some_and(|unit| (0xdc00..=0xdfff).contains(&unit));
                place += if low { ESCAPE } else { 0 };
                low
            }
            0xdc00..=0xdfff => false,
            _ => continue,
        };
        if !is_paired {
            let replaced = replaced.get_or_insert_with(|| json.to_vec());
            replaced[found + 2..found + ESCAPE].copy_from_slice(b"FFFD");
        }
    }
    replaced.map_or(Cow::Borrowed(json), Cow::Owned)
}

/// As [`replace_unpaired_surrogates`], for JSON that is known to be UTF-8.
#[must_use]
pub fn replace_unpaired_surrogates_in(json: &str) -> Cow<'_, str> {
    match replace_unpaired_surrogates(json.as_bytes()) {
        Cow::Borrowed(_) => Cow::Borrowed(json),
        // Only hexadecimal digits were exchanged for others.
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// Where the next `\u` begins whose backslash is not itself escaped.
fn next_escape(json: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let found = from + memmem::find(json.get(from..)?, br"\u")?;
        // Looks back no further than `from`, where no escape is open: a backslash before it belongs to an earlier one.
        let backslashes = json[from..found].iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes % 2 == 0 {
            return Some(found);
        }
        from = found + 1;
    }
}

/// The code unit that is escaped at this place.
fn code_unit(json: &[u8], place: usize) -> Option<u16> {
    let escape = json.get(place..place + ESCAPE)?;
    let digits = std::str::from_utf8(escape.strip_prefix(br"\u")?).ok()?;
    // `from_str_radix` takes a sign.
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let found = replace_unpaired_surrogates_in(json);
        assert_eq!(found, expected);
        assert_eq!(
            matches!(found, Cow::Borrowed(_)),
            json == expected,
            "copied only when something is replaced"
        );
    }

    #[test]
    fn halves_are_replaced_and_pairs_are_kept() {
        for (json, expected) in [
            (r#""""#, r#""""#),
            (r#""\ud83d\ude42""#, r#""\ud83d\ude42""#),
            (r#""\uD83D\uDE42\u00e9""#, r#""\uD83D\uDE42\u00e9""#),
            (r#"{"0": "\ud83d", "1": "\ude42"}"#, r#"{"0": "\uFFFD", "1": "\uFFFD"}"#),
            (r#"{"\ud83d": 1}"#, r#"{"\uFFFD": 1}"#),
            (r#""\ud83d\ud83d\ude42""#, r#""\uFFFD\ud83d\ude42""#),
            (r#""\ude42\ud83d""#, r#""\uFFFD\uFFFD""#),
            (r#""\ud83dude42""#, r#""\uFFFDude42""#),
            (r#""\ud83d\n\ude42""#, r#""\uFFFD\n\uFFFD""#),
            (r#""\uDFFF\uDBFF\uDC00\uD800""#, r#""\uFFFD\uDBFF\uDC00\uFFFD""#),
            // A backslash, and the letters after it.
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""\\\ud83d""#, r#""\\\uFFFD""#),
            (r#""\ud83d\\ude42""#, r#""\uFFFD\\ude42""#),
            (r#""\\\\ud83d \u0041 \\\\\ud83d""#, r#""\\\\ud83d \u0041 \\\\\uFFFD""#),
            // No JSON.
            (r"\u", r"\u"),
            (r"\ud83", r"\ud83"),
            (r"\u+83d", r"\u+83d"),
            (r"\\\", r"\\\"),
        ] {
            check(json, expected);
        }
    }

    proptest! {
        #[test]
        fn any_code_units_become_what_utf_16_makes_of_them(
            units in prop::collection::vec(prop_oneof![0xd7fe..0xe002_u16, 0x20..0x7f_u16, Just(0x5c)], 0..40),
        ) {
            let escaped: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let json = replace_unpaired_surrogates_in(&format!("\"{escaped}\"")).into_owned();
            let value: Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(value, Value::String(String::from_utf16_lossy(&units)));
        }

        #[test]
        fn valid_json_is_left_alone(text in any::<String>(), key in ".*") {
            let json = serde_json::json!({ key: [text] }).to_string();
            prop_assert!(matches!(replace_unpaired_surrogates(json.as_bytes()), Cow::Borrowed(_)));
        }

        #[test]
        fn no_bytes_are_a_surprise(bytes in prop::collection::vec(prop_oneof![
            Just(b'\\'), Just(b'u'), Just(b'd'), Just(b'8'), Just(b'c'), Just(b'"'), any::<u8>()
        ], 0..80)) {
            prop_assert_eq!(replace_unpaired_surrogates(&bytes).len(), bytes.len());
        }
    }
}
