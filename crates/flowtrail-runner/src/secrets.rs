//! Configured secrets, which templates name and nothing shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug};
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use flowtrail_tracker::{CutOff, Redactor, secret_forms};
use flowtrail_types::{number_as_rounded, read_json_value, same_number};
use serde_json::{Number, Value};

/// What stands where a secret stood.
const REDACTED: &str = "[redacted]";

/// The configured secrets by name. Cheap to clone; it can be neither printed nor serialised.
#[derive(Clone, Default)]
pub struct Secrets(Arc<Known>);

/// Rules for a secret: its users and flows, and the places that it may go to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// The hosts that it may be sent to, as names with or without a port. Any, when absent.
    pub hosts: Option<Vec<String>>,
    /// The users, by id or name, who may save versions of flows that use it. Administrators always may.
    pub users: Vec<String>,
    /// The flows, by id, name or tool name, that may use it. Any, when absent.
    pub flows: Option<Vec<String>>,
    /// The upstreams whose tools it may be given to.
    pub upstreams: Vec<String>,
}

#[derive(Default)]
struct Known {
    values: BTreeMap<String, String>,
    rules: BTreeMap<String, Rules>,
    /// Lets a secret stand in every template, as in the first edition.
    are_unrestricted: bool,
    /// The forms in which values are found in text; absent when there is nothing to find.
    forms: Option<AhoCorasick>,
    /// The same, for texts that were cut.
    cut_off: CutOff,
    /// Those values that are numbers.
    numbers: Vec<Number>,
}

impl Known {
    /// Whether a number is a secret, also in another form or once it is rounded to a double.
    fn holds_number(&self, number: &Number) -> bool {
        self.numbers.iter().any(|secret| {
            same_number(secret, number)
                || number_as_rounded(number).is_some_and(|rounded| Some(rounded) == number_as_rounded(secret))
        })
    }
}

impl Secrets {
    /// These secrets, values and rules by name. `are_unrestricted` lets them stand in every template.
    #[must_use]
    pub fn with_rules(secrets: BTreeMap<String, (String, Rules)>, are_unrestricted: bool) -> Self {
        let (mut values, mut rules) = (BTreeMap::new(), BTreeMap::new());
        for (name, (value, rule)) in secrets {
            values.insert(name.clone(), value);
            rules.insert(name, rule);
        }
        Self::known(values, rules, are_unrestricted)
    }

    /// These secrets, values by name, for versions that administrators save.
    #[must_use]
    pub fn new(secrets: BTreeMap<String, String>) -> Self {
        let rules = secrets.keys().map(|name| (name.clone(), Rules::default())).collect();
        Self::known(secrets, rules, false)
    }

    /// The same secrets, which may stand in every template.
    #[must_use]
    pub fn unrestricted(self) -> Self {
        Self::known(self.0.values.clone(), self.0.rules.clone(), true)
    }

    /// The rules of one.
    pub(crate) fn rules(&self, name: &str) -> Option<&Rules> {
        self.0.rules.get(name)
    }

    /// True when they may stand in every template.
    pub(crate) fn are_unrestricted(&self) -> bool {
        self.0.are_unrestricted
    }

    fn known(
        secrets: BTreeMap<String, String>,
        rules: BTreeMap<String, Rules>,
        are_unrestricted: bool,
    ) -> Self {
        // A shorter one would be found everywhere; the tracker's redactor refuses to begin with it.
        let is_long = |value: &&String| value.chars().count() >= Redactor::MIN_SECRET;
        let hidden = || secrets.values().filter(is_long);
        let forms: BTreeSet<String> = hidden().flat_map(|value| forms(value)).collect();
        let cut_off = CutOff::new(forms.iter().cloned().collect());
        let forms = (!forms.is_empty()).then(|| {
            // The longest first: a secret may be the beginning of another.
            let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(forms);
            built.unwrap_or_else(|error| unreachable!("the values of a configuration fit: {error}"))
        });
        let number = |value: &String| read_json_value(value.as_bytes()).ok()?.as_number().cloned();
        let numbers = hidden().filter_map(number).collect();
        Self(Arc::new(Known { values: secrets, rules, are_unrestricted, forms, cut_off, numbers }))
    }

    /// Their values, for the redaction of whatever is recorded.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.values.values().map(String::as_str)
    }

    /// The value of one.
    pub(crate) fn lookup(&self, name: &str) -> Option<&str> {
        self.0.values.get(name).map(String::as_str)
    }

    /// Hides the values wherever they stand in a text. Does nothing to one without.
    pub(crate) fn hide_text(&self, text: &mut String) {
        if let Some(forms) = self.0.forms.as_ref().filter(|forms| forms.is_match(text.as_str())) {
            let mut clean = String::with_capacity(text.len());
            forms.replace_all_with(text, &mut clean, |_, _, clean| {
                clean.push_str(REDACTED);
                true
            });
            *text = clean;
        }
    }

    /// The same for what somebody said of a failure, which may have been cut within a value.
    pub(crate) fn hide_said(&self, text: &mut String) {
        self.hide_text(text);
        if let Some(clean) = self.0.cut_off.hidden(text) {
            *text = clean;
        }
    }

    /// Hides the values wherever they stand in a JSON value: in strings, in keys, as numbers.
    pub(crate) fn hide(&self, value: &mut Value) {
        let Some(forms) = &self.0.forms else { return };
        match value {
            Value::String(text) => self.hide_text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide(item)),
            Value::Object(fields) => {
                if fields.keys().any(|key| forms.is_match(key.as_str())) {
                    let hidden = std::mem::take(fields).into_iter().map(|(mut key, value)| {
                        self.hide_text(&mut key);
                        (key, value)
                    });
                    *fields = hidden.collect();
                }
                fields.values_mut().for_each(|value| self.hide(value));
            }
            Value::Number(number) if self.0.holds_number(number) => {
                *value = Value::String(REDACTED.to_owned());
            }
            Value::Number(_) | Value::Bool(_) | Value::Null => {}
        }
    }
}

/// The forms of a value in a text: those that are redacted in records, and percent-encoded as by the filter `urlencode`
/// (which keeps `/`) and as in the query of a form.
fn forms(value: &str) -> Vec<String> {
    let mut forms = secret_forms(value);
    forms.push(percent_encoded(value, b"/"));
    forms.push(url::form_urlencoded::byte_serialize(value.as_bytes()).collect());
    forms
}

/// Every byte but the unreserved ones of RFC 3986, section 2.3, and those to keep.
fn percent_encoded(value: &str, kept: &[u8]) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

impl Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The names help to find a mistake in the configuration; the values are what must not be seen.
        f.debug_set().entries(self.0.values.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secrets() -> Secrets {
        let values = [
            ("TOKEN", "hunter2"),
            ("LONGER", "hunter2-and-more"),
            ("ODD", "a/b \"ü\""),
            ("PIN", "90210777"),
            ("SHORT", "abc"),
        ];
        Secrets::new(values.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    #[track_caller]
    fn hidden(text: &str) -> String {
        let mut text = text.to_owned();
        secrets().hide_text(&mut text);
        text
    }

    #[test]
    fn values_are_not_shown() {
        let secrets = Secrets::new(BTreeMap::from([("TOKEN".to_owned(), "hunter2".to_owned())]));
        assert_eq!(format!("{secrets:?}"), r#"{"TOKEN"}"#);
        assert_eq!(secrets.values().collect::<Vec<_>>(), ["hunter2"]);
        assert_eq!(secrets.lookup("TOKEN"), Some("hunter2"));
    }

    #[test]
    fn values_are_hidden_in_every_form() {
        assert_eq!(hidden("say hunter2, hunter2"), "say [redacted], [redacted]");
        assert_eq!(hidden("hunter2-and-more"), "[redacted]", "the longest first");
        for form in ["a/b \"ü\"", "a/b \\\"ü\\\"", "a%2Fb%20%22%C3%BC%22", "a/b%20%22%C3%BC%22"] {
            assert_eq!(hidden(&format!("<{form}>")), "<[redacted]>", "{form}");
        }
        assert_eq!(hidden("?q=a%2Fb+%22%C3%BC%22&r"), "?q=[redacted]&r");
        assert_eq!(hidden("abc and hunter are no secrets"), "abc and hunter are no secrets");
    }

    #[test]
    fn values_are_hidden_at_any_depth() {
        for form in ["90210777", "90210777.0", "9.0210777e7"] {
            let mut number = read_json_value(form.as_bytes()).unwrap();
            secrets().hide(&mut number);
            assert_eq!(number, json!(REDACTED), "{form}");
        }
        let mut value = json!({"a": ["hunter2", {"hunter2!": 90_210_777, "b": 1}], "c": null, "d": "x"});
        secrets().hide(&mut value);
        let expected = json!({"a": [REDACTED, {"[redacted]!": REDACTED, "b": 1}], "c": null, "d": "x"});
        assert_eq!(value, expected);
    }

    #[test]
    fn without_secrets_nothing_is_touched() {
        let (mut text, mut value) = ("hunter2".to_owned(), json!({"a": "hunter2"}));
        let place = text.as_ptr();
        for secrets in [Secrets::default(), Secrets::new([("A".to_owned(), "other".to_owned())].into())] {
            secrets.hide_text(&mut text);
            secrets.hide(&mut value);
        }
        assert_eq!((text.as_str(), text.as_ptr()), ("hunter2", place), "not even copied");
        assert_eq!(value, json!({"a": "hunter2"}));
    }
}
