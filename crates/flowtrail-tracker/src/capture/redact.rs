//! Redaction: by the name of a key, by the form of a value, by the known values of configured secrets.

use std::borrow::Cow;
use std::fmt::{self, Debug};

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use flowtrail_types::{Payload, number_as_rounded};
use serde_json::Value;

use super::{CutOff, cards, forms, patterns};

/// What stands where a secret stood.
pub(super) const REDACTED: &str = "[redacted]";

/// A configured secret that cannot be told from other text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("secret {name} has fewer than {min} characters, so it cannot be redacted safely", min = Redactor::MIN_SECRET)]
pub struct InvalidSecret {
    name: String,
}

/// Takes secrets out of payloads and texts.
pub struct Redactor {
    /// What makes a payload worth a closer look, as it would stand in JSON.
    hints: AhoCorasick,
    /// The values of configured secrets in every form that is recognised.
    known: Option<AhoCorasick>,
    /// The same, for texts that were cut.
    cut_off: CutOff,
}

impl Redactor {
    /// The fewest characters that a configured secret may have.
    pub const MIN_SECRET: usize = 4;

    /// A redactor that knows the values of these secrets, by name.
    ///
    /// # Errors
    ///
    /// When a value is so short that it would be found everywhere.
    pub fn new<'a>(secrets: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, InvalidSecret> {
        let mut known = Vec::new();
        for (name, value) in secrets {
            if value.chars().count() < Self::MIN_SECRET {
                return Err(InvalidSecret { name: name.to_owned() });
            }
            known.extend(forms::forms(value));
        }
        // The longest first: a secret may be the beginning of another.
        known.sort_by_key(|value| std::cmp::Reverse(value.len()));
        known.dedup();
        let in_json = known.iter().map(|value| {
            let quoted = Value::String(value.clone()).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        });
        let words = patterns::VALUE_HINTS.iter().map(|&word| word.to_owned());
        // A character may be written as an escape; such JSON is looked at closely.
        let hints: Vec<String> = words.chain(in_json).chain(["\\u".to_owned()]).collect();
        let built = "a few hundred short words fit into an automaton";
        Ok(Self {
            hints: AhoCorasickBuilder::new().ascii_case_insensitive(true).build(hints).expect(built),
            known: (!known.is_empty()).then(|| {
                AhoCorasickBuilder::new().match_kind(MatchKind::LeftmostLongest).build(&known).expect(built)
            }),
            cut_off: CutOff::new(known),
        })
    }

    /// The value as JSON without its secrets, and whether there were any.
    #[must_use]
    pub fn redact(&self, value: &Value) -> (Payload, bool) {
        let text = Payload::text_of(value);
        if !self.hints.is_match(&text)
            && !patterns::may_hold_secret_key(&text)
            && !cards::may_hold_card(&text)
            && !has_exponent(value)
        {
            return (Payload::from_value_text(text), false);
        }
        let mut copy = value.clone();
        let redacted = self.walk(&mut copy);
        (if redacted { Payload::from_value(&copy) } else { Payload::from_value_text(text) }, redacted)
    }

    /// A text without its secrets, or without anything when its key says that it is one.
    #[must_use]
    pub(crate) fn redact_under(&self, key: &str, value: &str) -> String {
        if patterns::is_secret_key(key) { REDACTED.to_owned() } else { self.redact_text(value).into_owned() }
    }

    /// The same for any value.
    #[must_use]
    pub(crate) fn redact_value_under(&self, key: &str, value: &Value) -> Value {
        if patterns::is_secret_key(key) {
            return Value::String(REDACTED.to_owned());
        }
        let mut copy = value.clone();
        self.walk(&mut copy);
        copy
    }

    /// True when the value of a configured secret stands in a text, in any form that is recognised.
    #[must_use]
    pub fn knows(&self, text: &str) -> bool {
        self.known.as_ref().is_some_and(|known| known.is_match(text))
    }

    /// A name, such as a node's or a tag's, without the values of configured secrets. Other forms of credentials are left:
    /// by a name things are told apart.
    #[must_use]
    pub fn redact_name<'a>(&self, name: &'a str) -> Cow<'a, str> {
        match &self.known {
            Some(known) if known.is_match(name) => Cow::Owned(without_known(known, name)),
            _ => Cow::Borrowed(name),
        }
    }

    /// The text without its secrets.
    #[must_use]
    pub fn redact_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut clean = self.redact_name(text);
        for find in [patterns::credentials as fn(&str) -> Vec<_>, cards::card_numbers] {
            let found = find(&clean);
            if !found.is_empty() {
                clean = Cow::Owned(without(&clean, &found));
            }
        }
        clean
    }

    /// The same for what somebody said of a failure, which may have been cut within a secret.
    #[must_use]
    pub(crate) fn redact_said(&self, text: &str) -> String {
        let clean = self.redact_text(text).into_owned();
        self.cut_off.hidden(&clean).unwrap_or(clean)
    }

    fn is_secret_number(&self, text: &str) -> bool {
        let is_whole = |known: &AhoCorasick| known.find(text).is_some_and(|found| found.len() == text.len());
        self.known.as_ref().is_some_and(is_whole) || !cards::card_numbers(text).is_empty()
    }

    /// Redacts in place. True when something was.
    fn walk(&self, value: &mut Value) -> bool {
        match value {
            Value::Object(entries) => {
                let mut redacted = false;
                let keys_with_secrets: Vec<String> =
                    entries.keys().filter(|key| self.redact_text(key) != **key).cloned().collect();
                for key in keys_with_secrets {
                    if let Some(value) = entries.remove(&key) {
                        entries.insert(self.redact_text(&key).into_owned(), value);
                        redacted = true;
                    }
                }
                for (key, value) in entries.iter_mut() {
                    // Null and booleans say nothing; everything else under such a key may.
                    let may_hold = !matches!(value, Value::Null | Value::Bool(_));
                    if may_hold && patterns::is_secret_key(key) {
                        redacted |= *value != REDACTED;
                        *value = Value::String(REDACTED.to_owned());
                    } else {
                        redacted |= self.walk(value);
                    }
                }
                redacted
            }
            Value::Array(items) => {
                let mut redacted = false;
                for item in items {
                    redacted |= self.walk(item);
                }
                redacted
            }
            Value::String(text) => match self.redact_text(text) {
                Cow::Borrowed(_) => false,
                Cow::Owned(clean) => {
                    *text = clean;
                    true
                }
            },
            Value::Number(number) => {
                // A secret may be a number, in whatever form.
                let rounded = number_as_rounded(number).filter(|rounded| rounded != number.as_str());
                let hit = self.is_secret_number(number.as_str())
                    || rounded.is_some_and(|rounded| self.is_secret_number(&rounded));
                if hit {
                    *value = Value::String(REDACTED.to_owned());
                }
                hit
            }
            Value::Null | Value::Bool(_) => false,
        }
    }
}

/// Whether any number is written with an exponent, which hides its digits.
fn has_exponent(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_str().contains(['e', 'E']),
        Value::Array(items) => items.iter().any(has_exponent),
        Value::Object(members) => members.values().any(has_exponent),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

impl Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

/// The text with a mark in place of each known value.
fn without_known(known: &AhoCorasick, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    known.replace_all_with(text, &mut out, |_, _, out| {
        out.push_str(REDACTED);
        true
    });
    out
}

/// The text with a mark in place of each range.
fn without(text: &str, ranges: &[std::ops::Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for range in ranges {
        out.push_str(&text[from..range.start]);
        out.push_str(REDACTED);
        from = range.end;
    }
    out.push_str(&text[from..]);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn redactor() -> Redactor {
        Redactor::new([("SHOP", "s3cr3t/väl\"ue"), ("PIN", "90210777")]).unwrap()
    }

    #[track_caller]
    fn redacted(value: Value) -> Value {
        let (payload, redacted) = redactor().redact(&value);
        assert_eq!(payload.to_value() != value, redacted, "the mark says whether something changed");
        payload.to_value()
    }

    #[test]
    fn keys_values_and_known_secrets_are_redacted() {
        assert_eq!(
            redacted(json!({"user": "ana", "Password": "x", "auth": {"api_key": ["k", 1]}, "token": null})),
            json!({"user": "ana", "Password": REDACTED, "auth": {"api_key": REDACTED}, "token": null})
        );
        assert_eq!(redacted(json!(["say s3cr3t/väl\"ue!"])), json!([format!("say {REDACTED}!")]));
        assert_eq!(
            redacted(json!({"url": "https://x/?q=s3cr3t%2Fv%C3%A4l%22ue&a=1"})),
            json!({"url": format!("https://x/?q={REDACTED}&a=1")})
        );
        assert_eq!(redacted(json!("hex 3930323130373737")), json!(format!("hex {REDACTED}")));
        assert_eq!(redacted(json!({"auth": "OTAyMTA3Nzc="})), json!({"auth": format!("{REDACTED}=")}));
        assert_eq!(redacted(json!({"90210777": 90_210_777})), json!({REDACTED: REDACTED}));
        assert_eq!(redacted(json!("Bearer abcdefghij")), json!(format!("Bearer {REDACTED}")));
        assert_eq!(
            redacted(
                json!({"card": "4111 1111 1111 1111", "same": 4_111_111_111_111_111u64, "at": 1_767_700_800_123_456u64})
            ),
            json!({"card": REDACTED, "same": REDACTED, "at": 1_767_700_800_123_456u64})
        );
    }

    #[test]
    fn numbers_are_redacted_in_every_form() {
        let read = |text: &str| flowtrail_types::read_json_value(text.as_bytes()).unwrap();
        for form in
            ["4111111111111111", "4111111111111111.0", "4.111111111111111e15", "4.111111111111111E+15"]
        {
            assert_eq!(redacted(read(form)), json!(REDACTED), "{form}");
        }
        for other in ["1e2", "4.111111111111111e400", "1.10"] {
            assert_eq!(redacted(read(other)).to_string(), other);
        }
    }

    #[test]
    fn what_is_no_secret_is_left_alone() {
        let value =
            json!({"tokens": 12, "maxTokens": 3, "text": "the key to the secretary's desk", "n": 1.0});
        assert_eq!(redacted(value.clone()), value);
    }

    #[test]
    fn a_secret_must_be_long_enough_to_be_told_from_other_text() {
        let error = Redactor::new([("SHORT", "abc")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "secret SHORT has fewer than 4 characters, so it cannot be redacted safely"
        );
    }

    proptest! {
        /// Wherever a known secret is planted, it is gone afterwards.
        #[test]
        fn a_planted_secret_is_never_left(before in ".{0,20}", after in ".{0,20}", key in "[a-z]{1,8}", depth in 0usize..6) {
            let secret = "s3cr3t/väl\"ue";
            let mut value = json!({ key: format!("{before}{secret}{after}") });
            for _ in 0..depth {
                value = json!([value, {"inner": 1}]);
            }
            let (payload, _) = redactor().redact(&value);
            let json = payload.as_str();
            prop_assert!(!json.contains("s3cr3t/v"), "{json}");
        }
    }
}
