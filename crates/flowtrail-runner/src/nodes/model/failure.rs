//! What an endpoint says when it fails.

use flowtrail_types::ErrorKind;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;
use time::OffsetDateTime;

use super::super::NodeError;
use super::halves::Piece;
use crate::excerpt::excerpt;
use crate::http::{decoded_text, retry_after};
use crate::retry::{Cause, Transient, is_transient_status};

/// How many characters of what an endpoint says are told.
const MAX_SAID: usize = 500;

/// Where the message of an error stands, the most telling first.
const MESSAGES: [&str; 10] = [
    "message",
    "detail",
    "msg",
    "error",
    "error_message",
    "errorMessage",
    "error_description",
    "description",
    "reason",
    "title",
];

/// How many messages of a list of errors are told.
const MAX_MESSAGES: usize = 3;

/// What endpoints call errors that may pass, where no status says so because the stream had begun.
const PASSING: [&str; 4] = ["server_error", "rate_limit_error", "rate_limit_exceeded", "overloaded_error"];

/// An answer whose status is no success.
pub(super) fn refused(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: OffsetDateTime,
) -> NodeError {
    let text = decoded_text(headers, body);
    let said = match Piece::parse(&text).ok().and_then(|piece| message_of(&piece.value)) {
        Some(message) => format!(": {}", beginning(&message)),
        None => unreadable(headers, &text),
    };
    let error = NodeError::new(ErrorKind::Failed, format!("answered {status}{said}"));
    let transient = Transient { cause: Cause::Status, after: retry_after(headers, now) };
    if is_transient_status(status.as_u16()) { error.transient(transient) } else { error }
}

/// A successful answer that is no completion and no stream of one.
pub(super) fn no_completion(status: StatusCode, headers: &HeaderMap, text: &str) -> NodeError {
    let message = format!("answered {status} without a completion{}", unreadable(headers, text));
    NodeError::new(ErrorKind::Failed, message)
}

/// An answer in JSON that has no completion and reports no error.
pub(super) fn without_choices(answer: &Value) -> NodeError {
    let said = message_of(answer).map(|message| format!(": {}", beginning(&message))).unwrap_or_default();
    NodeError::new(ErrorKind::Failed, format!("answered without any choices{said}"))
}

/// The error in an answer or a piece of one, if there is one: its own object or text, or all of the answer when that is the
/// error.
pub(super) fn find(answer: &Value) -> Option<&Value> {
    if let Value::Array(answers) = answer {
        return answers.iter().find_map(find);
    }
    if let Some(error) = named(answer) {
        return Some(error);
    }
    let is =
        |field: &str, word: &str| answer[field].as_str().is_some_and(|text| text.eq_ignore_ascii_case(word));
    if is("object", "error") || is("type", "error") {
        return Some(answer);
    }
    // Without choices it may say that it is an error in other words.
    let is_error = answer["type"].as_str().is_some_and(|kind| kind.to_ascii_lowercase().contains("error"))
        || is("status", "error")
        || answer["success"] == false
        || ["code", "status"].into_iter().filter_map(|field| number(&answer[field])).any(|code| code >= 400);
    (is_error && answer.get("choices").is_none() && message_of(answer).is_some()).then_some(answer)
}

/// The error that an object names so.
pub(super) fn named(answer: &Value) -> Option<&Value> {
    ["error", "errors"].into_iter().find_map(|field| match answer.get(field)? {
        // The message stands beside it.
        Value::Bool(true) | Value::Number(_) => Some(answer),
        Value::String(text) if !text.trim().is_empty() && answer.get("choices").is_none() => Some(answer),
        error if !is_nothing(error) => Some(error),
        _ => None,
    })
}

/// An error that stands where a completion was to be, in this answer.
pub(super) fn told(error: &Value, answer: &Value) -> NodeError {
    let message = message_of(error).unwrap_or_else(|| error.to_string());
    let told = NodeError::new(ErrorKind::Failed, format!("answered with an error: {}", beginning(&message)));
    let fields = || {
        [error, answer].into_iter().flat_map(|value| ["type", "code", "status"].map(|field| &value[field]))
    };
    let is_passing = |word: &str| PASSING.iter().any(|passing| word.eq_ignore_ascii_case(passing));
    if fields().filter_map(number).any(is_transient_status)
        || fields().filter_map(Value::as_str).any(is_passing)
    {
        told.transient(Cause::Status)
    } else {
        told
    }
}

/// The data of an event that is named for an error.
pub(super) fn of_event(data: &str) -> NodeError {
    match Piece::parse(data) {
        Ok(piece) => told(find(&piece.value).unwrap_or(&piece.value), &piece.value),
        Err(_) if data.is_empty() => {
            NodeError::new(ErrorKind::Failed, "answered with an error, without a message")
        }
        Err(_) => NodeError::new(ErrorKind::Failed, format!("answered with an error: {}", beginning(data))),
    }
}

/// The beginning of a text, in one line.
pub(super) fn beginning(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    excerpt(&words.join(" "), MAX_SAID)
}

/// The kind and the beginning of a body that does not say what went wrong.
fn unreadable(headers: &HeaderMap, text: &str) -> String {
    let kind = headers
        .get(CONTENT_TYPE)
        .map_or("no content type".into(), |kind| String::from_utf8_lossy(kind.as_bytes()));
    let text = beginning(text);
    if text.is_empty() { format!(" ({kind}, empty)") } else { format!(" ({kind}): {text}") }
}

/// The message of an error, in the forms that endpoints have: a text, or an object or array that has one at any depth.
fn message_of(error: &Value) -> Option<String> {
    match error {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Array(errors) => {
            let messages: Vec<String> = errors.iter().filter_map(message_of).take(MAX_MESSAGES).collect();
            (!messages.is_empty()).then(|| messages.join("; "))
        }
        Value::Object(fields) => {
            // An error that is a text alone may be no more than the words of a status, with the message beside it.
            let nested =
                ["error", "errors"].iter().find_map(|field| fields.get(*field).filter(|e| !e.is_string()));
            nested
                .and_then(message_of)
                .or_else(|| MESSAGES.iter().find_map(|field| message_of(fields.get(*field)?)))
        }
        _ => None,
    }
}

/// Whether a field for an error says that there is none.
fn is_nothing(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(errors) => errors.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

fn number(value: &Value) -> Option<u16> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    u16::try_from(number).ok()
}
