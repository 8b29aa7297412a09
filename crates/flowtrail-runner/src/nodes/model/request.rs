//! From a `Model`'s parameters to a request.

use std::collections::BTreeMap;

use flowtrail_types::ErrorKind;
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Map, Value, json};
use url::Url;

use super::super::{NodeContext, NodeError, request_fields};
use crate::Secrets;
use crate::http::Request;

pub(super) const PARAMETERS: [&str; 16] = [
    "baseUrl",
    "model",
    "messages",
    "prompt",
    "system",
    "apiKey",
    "temperature",
    "topP",
    "maxTokens",
    "stop",
    "seed",
    "responseFormat",
    "headers",
    "stream",
    "timeout",
    "retry",
];

pub(super) const ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];

/// Parameters that are numbers, with their names in the request.
pub(super) const NUMBERS: [(&str, &str, Range); 4] = [
    ("temperature", "temperature", Range::UpTo(2.0)),
    ("topP", "top_p", Range::UpTo(1.0)),
    ("maxTokens", "max_tokens", Range::Positive),
    ("seed", "seed", Range::Whole),
];

/// Which numbers a parameter may be.
#[derive(Clone, Copy)]
pub(super) enum Range {
    /// From 0 to this.
    UpTo(f64),
    /// A whole number of 1 or more.
    Positive,
    /// A whole number.
    Whole,
}

impl Range {
    pub(super) fn has(self, value: &Value) -> bool {
        match self {
            Self::UpTo(most) => value.as_f64().is_some_and(|number| (0.0..=most).contains(&number)),
            Self::Positive => value.as_u64().is_some_and(|number| number > 0),
            Self::Whole => value.is_i64() || value.is_u64(),
        }
    }

    pub(super) fn spoken(self) -> String {
        match self {
            Self::UpTo(most) => format!("a number from 0 to {most}"),
            Self::Positive => "a whole number of 1 or more".to_owned(),
            Self::Whole => "a whole number".to_owned(),
        }
    }
}

/// A request to an endpoint.
pub(super) struct Asking {
    pub(super) request: Request,
    /// What of it is shown in the output: the address without its query, and the body, without secrets.
    pub(super) shown: Value,
    /// The key, to be hidden in all that comes back.
    pub(super) key: Secrets,
}

/// The request that a node sends.
pub(super) fn build(context: &NodeContext<'_>) -> Result<Asking, NodeError> {
    let url = url(context)?;
    let mut headers = request_fields::headers(context)?;
    let key = key(context, &mut headers)?;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("text/event-stream, application/json"));
    let body = Value::Object(body(context)?);
    let bytes = serde_json::to_vec(&body)
        .map_err(|error| NodeError::new(ErrorKind::Internal, format!("the request: {error}")))?;
    let mut shown_url = url.clone();
    shown_url.set_query(None);
    let mut shown = json!({ "url": shown_url.as_str(), "body": body });
    context.runner.secrets().hide(&mut shown);
    let hosts = context.hosts()?;
    let request = Request { method: Method::POST, url, headers, body: Some(bytes), hosts };
    Ok(Asking { request, shown, key })
}

fn url(context: &NodeContext<'_>) -> Result<Url, NodeError> {
    let text = context.rendered_text("baseUrl")?.unwrap_or_default();
    let mut url =
        Url::parse(&text).map_err(|error| NodeError::malformed("baseUrl", &format!("is no URL: {error}")))?;
    match url.path_segments_mut() {
        Ok(mut path) => path.pop_if_empty().extend(["chat", "completions"]),
        Err(()) => return Err(NodeError::malformed("baseUrl", "must be an http or https URL")),
    };
    url.set_fragment(None);
    Ok(url)
}

fn key(context: &NodeContext<'_>, headers: &mut HeaderMap) -> Result<Secrets, NodeError> {
    let Some(key) = context.rendered_text("apiKey")? else { return Ok(Secrets::default()) };
    // A key that was read from a file often has its line's end.
    let key = key.trim();
    if key.is_empty() {
        return Err(NodeError::malformed("apiKey", "is empty"));
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
        .map_err(|_| NodeError::malformed("apiKey", "has characters that no header may have"))?;
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    Ok(Secrets::new(BTreeMap::from([("apiKey".to_owned(), key.to_owned())])))
}

fn body(context: &NodeContext<'_>) -> Result<Map<String, Value>, NodeError> {
    let mut body = Map::new();
    let mut write = |field: &str, value: Value| body.insert(field.to_owned(), value);
    let model = context.rendered_text("model")?.unwrap_or_default();
    if model.trim().is_empty() {
        return Err(NodeError::malformed("model", "is empty"));
    }
    write("model", json!(model));
    write("messages", messages(context)?);
    for (parameter, field, range) in NUMBERS {
        match context.rendered(parameter)? {
            None | Some(Value::Null) => {}
            Some(value) if range.has(&value) => drop(write(field, value)),
            Some(_) => return Err(NodeError::malformed(parameter, &format!("must be {}", range.spoken()))),
        }
    }
    for (parameter, field) in [("stop", "stop"), ("responseFormat", "response_format")] {
        if let Some(value) = context.rendered(parameter)? {
            write(field, value);
        }
    }
    if context.literal("stream") != Some(&Value::Bool(false)) {
        write("stream", json!(true));
        write("stream_options", json!({ "include_usage": true }));
    }
    Ok(body)
}

fn messages(context: &NodeContext<'_>) -> Result<Value, NodeError> {
    let mut messages = Vec::new();
    if let Some(system) = context.rendered_text("system")? {
        messages.push(json!({ "role": "system", "content": system }));
    }
    match context.rendered("messages")? {
        None => {
            let prompt = context.rendered_text("prompt")?.unwrap_or_default();
            messages.push(json!({ "role": "user", "content": prompt }));
        }
        Some(Value::Array(more)) if !more.is_empty() => messages.extend(more),
        Some(_) => {
            return Err(NodeError::malformed(
                "messages",
                "must be an array with at least one {role, content}",
            ));
        }
    }
    let is_message = |message: &Value| message["role"].is_string();
    match messages.iter().position(|message| !is_message(message)) {
        Some(index) => {
            Err(NodeError::malformed(&format!("messages[{index}]"), "must be an object with a role"))
        }
        None => Ok(Value::Array(messages)),
    }
}
