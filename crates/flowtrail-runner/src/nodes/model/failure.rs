//! What an endpoint says when it fails.

use flowtrail_types::ErrorKind;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;
use time::OffsetDateTime;

use super::super::NodeError;
use crate::excerpt::excerpt;
use crate::http::retry_after;
use crate::retry::{Cause, Transient, is_transient_status};

/// How many characters of what an endpoint says are told.
const MAX_SAID: usize = 500;

/// What endpoints call errors that may pass, where no status says so because the stream had begun.
const PASSING: [&str; 4] = ["server_error", "rate_limit_error", "rate_limit_exceeded", "overloaded_error"];

/// An answer whose status is no success.
pub(super) fn refused(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: OffsetDateTime,
) -> NodeError {
    let said = match serde_json::from_slice(body).ok().as_ref().and_then(message) {
        Some(message) => format!(": {}", beginning(&message)),
        None => unreadable(headers, body),
    };
    let error = NodeError::new(ErrorKind::Failed, format!("answered {status}{said}"));
    let transient = Transient { cause: Cause::Status, after: retry_after(headers, now) };
    if is_transient_status(status.as_u16()) { error.transient(transient) } else { error }
}

/// A successful answer that is no completion and no stream of one.
pub(super) fn no_completion(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> NodeError {
    let message = format!("answered {status} without a completion{}", unreadable(headers, body));
    NodeError::new(ErrorKind::Failed, message)
}

/// An error that stands where a completion was to be.
pub(super) fn told(error: &Value) -> NodeError {
    let message = message_of(error).unwrap_or_else(|| error.to_string());
    let told = NodeError::new(ErrorKind::Failed, format!("answered with an error: {}", beginning(&message)));
    let status =
        ["code", "status"].into_iter().filter_map(|field| number(&error[field])).any(is_transient_status);
    let words = ["type", "code"].into_iter().filter_map(|field| error[field].as_str());
    if status || words.into_iter().any(|word| PASSING.contains(&word)) {
        told.transient(Cause::Status)
    } else {
        told
    }
}

/// The beginning of a text, in one line.
pub(super) fn beginning(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    excerpt(&words.join(" "), MAX_SAID)
}

/// The kind and the beginning of a body that does not say what went wrong.
fn unreadable(headers: &HeaderMap, body: &[u8]) -> String {
    let kind = headers
        .get(CONTENT_TYPE)
        .map_or("no content type".into(), |kind| String::from_utf8_lossy(kind.as_bytes()));
    let text = beginning(&String::from_utf8_lossy(body));
    if text.is_empty() { format!(" ({kind}, empty)") } else { format!(" ({kind}): {text}") }
}

/// The message of an error's body, in the forms that endpoints have.
fn message(body: &Value) -> Option<String> {
    let error = body.get("error").filter(|error| !error.is_null());
    error.and_then(message_of).or_else(|| message_of(body))
}

fn message_of(error: &Value) -> Option<String> {
    let text = error.as_str().or_else(|| error["message"].as_str()).or_else(|| error["detail"].as_str());
    text.filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

fn number(value: &Value) -> Option<u16> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    u16::try_from(number).ok()
}
