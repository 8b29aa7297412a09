//! Fields of a JSON object, read one by one, so that an error names the field and what was expected.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use flowtrail_tracker::Sent;
use flowtrail_types::{Json, Replaced, timestamp};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::ApiError;

/// A JSON object, and where it stands in the body.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    /// What stands before a field's name in errors, such as `nodeExecutions[2].`.
    prefix: String,
    /// Where in it surrogates were replaced.
    replaced: &'a Replaced,
}

/// The longest duration that is taken, in milliseconds: 1,000 years.
const LONGEST_MS: f64 = 1_000.0 * 365.25 * 24.0 * 3_600.0 * 1_000.0;

impl<'a> Fields<'a> {
    /// The fields of the body.
    pub(crate) fn of_body(value: &'a Value) -> Result<Self, ApiError> {
        let Value::Object(object) = value else {
            return Err(ApiError::invalid("body", format!("expected a JSON object, got {}", kind(value))));
        };
        Ok(Self { object, prefix: String::new(), replaced: Replaced::nowhere() })
    }

    /// The fields of a body in which surrogates may have been replaced.
    pub(crate) fn of_json(json: &'a Json) -> Result<Self, ApiError> {
        Ok(Self { replaced: &json.replaced, ..Self::of_body(&json.value)? })
    }

    /// The fields of an object that stands in the body under this path.
    pub(crate) fn of(value: &'a Value, path: &str, replaced: &'a Replaced) -> Result<Self, ApiError> {
        let Value::Object(object) = value else {
            return Err(ApiError::invalid(path, format!("expected a JSON object, got {}", kind(value))));
        };
        Ok(Self { object, prefix: format!("{path}."), replaced })
    }

    /// An error of this field.
    pub(crate) fn invalid(&self, name: &str, message: impl Display) -> ApiError {
        ApiError::invalid(&format!("{}{name}", self.prefix), message)
    }

    /// Refuses fields that are not among these. Those of `ignored` may stand there and are not looked at.
    pub(crate) fn only(&self, known: &[&str], ignored: &[&str]) -> Result<(), ApiError> {
        let is_known = |key: &str| known.contains(&key) || ignored.contains(&key);
        match self.object.keys().find(|key| !is_known(key)) {
            None => Ok(()),
            Some(key) => {
                let shown: String = key.chars().take(100).collect();
                Err(self.invalid(&shown, format!("unknown field, expected {}", known.join(", "))))
            }
        }
    }

    /// A value of any kind; null counts as absent.
    pub(crate) fn value(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// A payload; null counts as absent.
    pub(crate) fn payload(&self, name: &str) -> Option<Sent<'a>> {
        self.value(name).map(|value| Sent { value, replaced: self.replaced.at(name).is_any() })
    }

    fn expected(&self, name: &str, what: &str, got: &Value) -> ApiError {
        self.invalid(name, format!("expected {what}, got {}", kind(got)))
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.expected(name, "a text", other)),
        }
    }

    /// A text that must be there.
    pub(crate) fn required_text(&self, name: &str) -> Result<&'a str, ApiError> {
        self.text(name)?.ok_or_else(|| self.invalid(name, "expected a text, got nothing"))
    }

    /// A text that is read as something else, such as an id or one of some words.
    pub(crate) fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, ApiError>
    where
        T::Err: Display,
    {
        let text = self.text(name)?;
        text.map(|text| text.parse().map_err(|error| self.invalid(name, error))).transpose()
    }

    /// A time in RFC 3339.
    pub(crate) fn time(&self, name: &str) -> Result<Option<OffsetDateTime>, ApiError> {
        let text = self.text(name)?;
        text.map(|text| timestamp::parse(text).map_err(|error| self.invalid(name, error))).transpose()
    }

    /// A whole number within these bounds.
    pub(crate) fn number(&self, name: &str, least: i32, most: i32) -> Result<Option<i32>, ApiError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
        match number.filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let upper = if most == i32::MAX { String::new() } else { format!(" to {most}") };
                let shown: String = value.to_string().chars().take(40).collect();
                Err(self.invalid(name, format!("expected a whole number from {least}{upper}, got {shown}")))
            }
        }
    }

    /// A boolean.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.expected(name, "true or false", other)),
        }
    }

    /// Microseconds that must be there.
    pub(crate) fn micros(&self, name: &str) -> Result<i64, ApiError> {
        let value = self.value(name);
        value.and_then(Value::as_i64).ok_or_else(|| self.invalid(name, "expected whole microseconds"))
    }

    /// A duration in milliseconds, to the microsecond.
    pub(crate) fn millis(&self, name: &str) -> Result<Option<Duration>, ApiError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        match value.as_f64().filter(|millis| (0.0..=LONGEST_MS).contains(millis)) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is within bounds"
            )]
            Some(millis) => Ok(Some(Duration::from_micros((millis * 1_000.0).round() as u64))),
            None => {
                let shown: String = value.to_string().chars().take(40).collect();
                Err(self.invalid(name, format!("expected milliseconds, 0 or more, got {shown}")))
            }
        }
    }

    /// The objects of a list, each with its place in it.
    pub(crate) fn objects(&self, name: &str) -> Result<Vec<Fields<'a>>, ApiError> {
        match self.value(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    let replaced = self.replaced.at(name).at(&index.to_string());
                    Fields::of(item, &format!("{}{name}[{index}]", self.prefix), replaced)
                })
                .collect(),
            Some(other) => Err(self.expected(name, "a list", other)),
        }
    }

    /// An object that stands in this one.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Fields<'a>>, ApiError> {
        let of = |value| Fields::of(value, &format!("{}{name}", self.prefix), self.replaced.at(name));
        self.value(name).map(of).transpose()
    }

    /// Its texts by key.
    pub(crate) fn texts(&self) -> Result<Vec<(&'a str, &'a str)>, ApiError> {
        let text = |(key, value): (&'a String, &'a Value)| match value {
            Value::String(text) => Ok((key.as_str(), text.as_str())),
            other => Err(self.expected(key, "a text", other)),
        };
        self.object.iter().map(text).collect()
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_error_names_the_field_and_what_was_expected() {
        let body = json!({"nodes": [{"seq": 0, "took": -1, "at": "soon", "kind": 3}], "more": {"a": 1}});
        let fields = Fields::of_body(&body).unwrap();
        let node = &fields.objects("nodes").unwrap()[0];
        let said = |error: ApiError| error.to_string();
        assert_eq!(
            said(node.number("seq", 1, i32::MAX).unwrap_err()),
            "nodes[0].seq: expected a whole number from 1, got 0"
        );
        assert_eq!(
            said(node.millis("took").unwrap_err()),
            "nodes[0].took: expected milliseconds, 0 or more, got -1"
        );
        assert!(said(node.time("at").unwrap_err()).starts_with("nodes[0].at: expected a time like"));
        assert_eq!(
            said(node.required_text("kind").unwrap_err()),
            "nodes[0].kind: expected a text, got a number"
        );
        assert_eq!(said(fields.objects("more").unwrap_err()), "more: expected a list, got an object");
        let more = fields.object("more").unwrap().unwrap();
        assert_eq!(said(more.texts().unwrap_err()), "more.a: expected a text, got a number");
        assert_eq!(said(fields.only(&["nodes"], &[]).unwrap_err()), "more: unknown field, expected nodes");
        assert_eq!(
            said(Fields::of_body(&json!([])).unwrap_err()),
            "body: expected a JSON object, got a list"
        );
    }

    #[test]
    fn milliseconds_are_read_to_the_microsecond() {
        let body = json!({"a": 1.2345, "b": 0, "c": 1e300, "d": "5", "e": null});
        let fields = Fields::of_body(&body).unwrap();
        assert_eq!(fields.millis("a").unwrap(), Some(Duration::from_micros(1_235)));
        assert_eq!(fields.millis("b").unwrap(), Some(Duration::ZERO));
        assert_eq!(fields.millis("e").unwrap(), None);
        fields.millis("c").unwrap_err();
        fields.millis("d").unwrap_err();
    }
}
