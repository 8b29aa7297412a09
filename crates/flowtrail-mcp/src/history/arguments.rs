//! What a question was given: every argument is known, and says what it expected when it is wrong.

use std::fmt::Display;
use std::str::FromStr;

use flowtrail_types::timestamp;
use rmcp::model::JsonObject;
use serde_json::Value;
use time::OffsetDateTime;

/// The arguments of a call.
pub(super) struct Arguments(JsonObject);

impl Arguments {
    pub(super) fn new(arguments: JsonObject) -> Self {
        Self(arguments)
    }

    /// Refuses arguments that are not among these.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), String> {
        match self.0.keys().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => Err(format!("{unknown}: unknown argument, expected {}", known.join(", "))),
            None => Ok(()),
        }
    }

    /// A text; one that is empty counts as absent, as does null.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(format!("{name}: expected a text")),
        }
    }

    pub(super) fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, String>
    where
        T::Err: Display,
    {
        self.text(name)?.map(|text| text.parse().map_err(|error| format!("{name}: {error}"))).transpose()
    }

    pub(super) fn time(&self, name: &str) -> Result<Option<OffsetDateTime>, String> {
        self.text(name)?
            .map(|text| timestamp::parse(text).map_err(|error| format!("{name}: {error}")))
            .transpose()
    }

    pub(super) fn number(&self, name: &str, least: u32, most: u32) -> Result<Option<u32>, String> {
        let value = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value,
        };
        // Models write numbers as texts, too.
        let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
        let number = number.and_then(|number| u32::try_from(number).ok());
        match number.filter(|number| (least..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(format!("{name}: expected a whole number from {least} to {most}")),
        }
    }
}
