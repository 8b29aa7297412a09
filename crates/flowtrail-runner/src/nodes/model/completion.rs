//! A completion as it comes together: from the pieces of a stream, or from one answer.

use std::collections::BTreeMap;

use flowtrail_types::ErrorKind;
use serde_json::{Map, Value, json};

use super::super::NodeError;
use super::failure;
use super::usage;

/// How many calls of tools a completion may ask for.
const MAX_TOOL_CALLS: u64 = 128;

/// What has come so far.
#[derive(Debug, Default)]
pub(super) struct Completion {
    text: String,
    refusal: String,
    model: Option<String>,
    finish_reason: Option<String>,
    raw_usage: Option<Value>,
    tool_calls: BTreeMap<u64, Value>,
    has_begun: bool,
}

impl Completion {
    /// Takes a piece of a stream.
    ///
    /// # Errors
    ///
    /// When it is an error, or nothing that a stream has, or the text becomes longer than so many bytes.
    pub(super) fn take(&mut self, data: &str, most: usize) -> Result<(), NodeError> {
        if data.is_empty() {
            // Some send empty events to show that they live.
            return Ok(());
        }
        let piece = object(data)?;
        self.take_common(&piece)?;
        for choice in choices(&piece).filter(|choice| choice["index"].as_u64().unwrap_or_default() == 0) {
            self.take_message(&choice["delta"], most)?;
            self.take_finish_reason(choice);
        }
        Ok(())
    }

    /// Takes a whole answer.
    ///
    /// # Errors
    ///
    /// When it is an error, or has no completion.
    pub(super) fn take_whole(&mut self, answer: &Value, most: usize) -> Result<(), NodeError> {
        self.take_common(answer)?;
        let Some(choice) = choices(answer).next() else {
            return Err(NodeError::new(ErrorKind::Failed, "answered without any choices"));
        };
        self.has_begun = true;
        self.take_message(&choice["message"], most)?;
        self.take_finish_reason(choice);
        Ok(())
    }

    /// Whether the endpoint has said how it ended.
    pub(super) fn is_finished(&self) -> bool {
        self.finish_reason.is_some()
    }

    /// What has come so far as a node's output; nothing when nothing has.
    pub(super) fn output(self) -> Option<Map<String, Value>> {
        if !self.has_begun {
            return None;
        }
        let mut output = Map::new();
        let mut write = |field: &str, value: Value| output.insert(field.to_owned(), value);
        write("text", json!(self.text));
        write("model", json!(self.model));
        write("finishReason", json!(self.finish_reason));
        write("usage", json!(self.raw_usage.as_ref().map(usage::disjoint)));
        write("rawUsage", json!(self.raw_usage));
        if !self.tool_calls.is_empty() {
            write("toolCalls", self.tool_calls.into_values().collect());
        }
        if !self.refusal.is_empty() {
            write("refusal", json!(self.refusal));
        }
        Some(output)
    }

    fn take_common(&mut self, answer: &Value) -> Result<(), NodeError> {
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            return Err(failure::told(error));
        }
        if answer["object"] == "error" {
            return Err(failure::told(answer));
        }
        if let Some(model) = answer["model"].as_str().filter(|model| !model.is_empty()) {
            self.model = Some(model.to_owned());
        }
        // It comes with the last piece, after the one that says how it ended; some send it along with each.
        if let Some(usage) = answer.get("usage").filter(|usage| usage.is_object()) {
            self.raw_usage = Some(usage.clone());
        }
        Ok(())
    }

    fn take_finish_reason(&mut self, choice: &Value) {
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.finish_reason = Some(reason.to_owned());
        }
    }

    fn take_message(&mut self, message: &Value, most: usize) -> Result<(), NodeError> {
        self.has_begun = true;
        match &message["content"] {
            Value::String(text) => self.text.push_str(text),
            Value::Array(parts) => {
                parts
                    .iter()
                    .filter_map(|part| part["text"].as_str())
                    .for_each(|text| self.text.push_str(text));
            }
            _ => {}
        }
        self.refusal.push_str(message["refusal"].as_str().unwrap_or_default());
        for (place, call) in message["tool_calls"].as_array().into_iter().flatten().enumerate() {
            let index = call["index"].as_u64().unwrap_or(place as u64);
            if index >= MAX_TOOL_CALLS {
                let message = format!("asked for more than {MAX_TOOL_CALLS} calls of tools");
                return Err(NodeError::new(ErrorKind::Limit, message));
            }
            add_call(self.tool_calls.entry(index).or_insert_with(new_call), call);
        }
        let arguments = |call: &Value| call["function"]["arguments"].as_str().map_or(0, str::len);
        let calls: usize = self.tool_calls.values().map(arguments).sum();
        if self.text.len() + self.refusal.len() + calls > most {
            let message = format!("answered with more than {most} bytes of text");
            return Err(NodeError::new(ErrorKind::Limit, message));
        }
        Ok(())
    }
}

fn new_call() -> Value {
    json!({"id": null, "type": "function", "function": {"name": "", "arguments": ""}})
}

/// Adds a piece of a call to what has come of it: the id once, name and arguments bit by bit.
fn add_call(known: &mut Value, piece: &Value) {
    if let Some(id) = piece["id"].as_str().filter(|id| !id.is_empty()) {
        known["id"] = json!(id);
    }
    for field in ["name", "arguments"] {
        if let (Value::String(known), Some(more)) =
            (&mut known["function"][field], piece["function"][field].as_str())
        {
            known.push_str(more);
        }
    }
}

fn choices(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["choices"].as_array().into_iter().flatten()
}

fn object(data: &str) -> Result<Value, NodeError> {
    match serde_json::from_str::<Value>(data) {
        Ok(value) if value.is_object() => Ok(value),
        _ => {
            let message = format!("sent an event that is no JSON object: {}", failure::beginning(data));
            Err(NodeError::new(ErrorKind::Failed, message))
        }
    }
}
