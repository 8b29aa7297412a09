//! A completion as it comes together: from the pieces of a stream, or from one answer.

use flowtrail_types::ErrorKind;
use serde_json::{Map, Value, json};

use super::super::NodeError;
use super::events::Event;
use super::failure;
use super::halves::{JoinedText, Piece};
use super::tool_calls::ToolCalls;
use super::usage;

/// What endpoints write for "not finished yet" where OpenAI's has `null`.
const UNFINISHED: [&str; 8] =
    ["", "null", "none", "nil", "undefined", "unspecified", "finish_reason_unspecified", "n/a"];

/// What has come so far.
#[derive(Debug, Default)]
pub(super) struct Completion {
    text: JoinedText,
    refusal: JoinedText,
    model: Option<String>,
    finish_reason: Option<String>,
    raw_usage: Option<Value>,
    tool_calls: ToolCalls,
    has_begun: bool,
}

impl Completion {
    /// Takes an event of a stream.
    ///
    /// # Errors
    ///
    /// When it is an error, or nothing that a stream has, or the text becomes longer than so many bytes.
    pub(super) fn take(&mut self, event: &Event, most: usize) -> Result<(), NodeError> {
        let data = event.data.trim();
        if event.is_error() {
            return Err(failure::of_event(data));
        }
        if data.is_empty() {
            // Some send empty events to show that they live.
            return Ok(());
        }
        let piece = object(data)?;
        self.take_common(&piece.value)?;
        for (choice, source) in choices(&piece.value).zip(choices(piece.text_source())) {
            if choice["index"].as_u64().unwrap_or_default() == 0 {
                self.take_message(&piece, &source["delta"], most)?;
                self.take_finish_reason(choice)?;
            }
        }
        Ok(())
    }

    /// Takes a whole answer.
    ///
    /// # Errors
    ///
    /// When it is an error, or has no completion.
    pub(super) fn take_whole(&mut self, answer: &Piece, most: usize) -> Result<(), NodeError> {
        self.take_common(&answer.value)?;
        let (Some(choice), Some(source)) =
            (choices(&answer.value).next(), choices(answer.text_source()).next())
        else {
            return Err(failure::without_choices(&answer.value));
        };
        self.take_message(answer, &source["message"], most)?;
        self.take_finish_reason(choice)
    }

    /// Whether anything of it has come.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Whether the endpoint has said how it ended.
    pub(super) fn is_finished(&self) -> bool {
        self.finish_reason.is_some()
    }

    /// What has come so far as a node's output, and whether a surrogate without a partner was replaced in it. Empty when nothing
    /// has.
    pub(super) fn output(self) -> (Map<String, Value>, bool) {
        let (mut output, mut replaced) = (Map::new(), false);
        if !self.has_begun {
            return (output, replaced);
        }
        let mut write = |field: &str, value: Value| output.insert(field.to_owned(), value);
        write("text", json!(self.text.finish(&mut replaced)));
        write("model", json!(self.model));
        write("finishReason", json!(self.finish_reason));
        write("usage", json!(self.raw_usage.as_ref().map(usage::disjoint)));
        write("rawUsage", self.raw_usage.unwrap_or_default());
        if !self.tool_calls.is_empty() {
            write("toolCalls", Value::Array(self.tool_calls.finish(&mut replaced)));
        }
        if !self.refusal.is_empty() {
            write("refusal", json!(self.refusal.finish(&mut replaced)));
        }
        (output, replaced)
    }

    fn take_common(&mut self, answer: &Value) -> Result<(), NodeError> {
        if let Some(error) = failure::find(answer) {
            return Err(failure::told(error, answer));
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

    fn take_finish_reason(&mut self, choice: &Value) -> Result<(), NodeError> {
        if let Some(error) = failure::named(choice) {
            return Err(failure::told(error, choice));
        }
        let Some(reason) = choice["finish_reason"].as_str().map(str::trim) else { return Ok(()) };
        if UNFINISHED.iter().any(|word| reason.eq_ignore_ascii_case(word)) {
            return Ok(());
        }
        if reason.eq_ignore_ascii_case("error") {
            let message = "ended its answer with finish_reason \"error\", without a message";
            return Err(NodeError::new(ErrorKind::Failed, message));
        }
        self.finish_reason = Some(reason.to_owned());
        Ok(())
    }

    /// Takes the message of a choice, or what a piece adds to it. `message` is from the piece's text source.
    fn take_message(&mut self, piece: &Piece, message: &Value, most: usize) -> Result<(), NodeError> {
        self.has_begun = true;
        match &message["content"] {
            Value::String(text) => self.text.push_from(piece, text),
            Value::Array(parts) => {
                for text in parts.iter().filter_map(|part| part["text"].as_str()) {
                    self.text.push_from(piece, text);
                }
            }
            _ => {}
        }
        self.refusal.push_from(piece, message["refusal"].as_str().unwrap_or_default());
        self.tool_calls.take(piece, &message["tool_calls"])?;
        if self.text.len() + self.refusal.len() + self.tool_calls.len() > most {
            let message = format!("answered with more than {most} bytes of text");
            return Err(NodeError::new(ErrorKind::Limit, message));
        }
        Ok(())
    }
}

fn choices(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["choices"].as_array().into_iter().flatten()
}

fn object(data: &str) -> Result<Piece, NodeError> {
    match Piece::parse(data) {
        Ok(piece) if piece.value.is_object() => Ok(piece),
        _ => {
            let message = format!("sent an event that is no JSON object: {}", failure::beginning(data));
            Err(NodeError::new(ErrorKind::Failed, message))
        }
    }
}
