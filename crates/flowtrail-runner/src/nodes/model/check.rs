//! What a `Model`'s parameters must be.

use serde_json::Value;

use super::super::{Check, request_fields};
use super::request::{NUMBERS, PARAMETERS, ROLES};
use crate::suggest::suggestion;
use crate::template::{has_template, names_in};

pub(super) fn check(check: &mut Check<'_, '_>) {
    check.only(&PARAMETERS);
    if let Some(url) = check.required_text("baseUrl") {
        request_fields::check_url(check, "baseUrl", url);
    }
    check.required_text("model");
    check_messages(check);
    check.text("system");
    check_key(check);
    for (name, _, range) in NUMBERS {
        let fits = |value: &Value| value.as_str().map_or_else(|| range.has(value), has_template);
        if check.parameter(name).is_some_and(|value| !fits(value)) {
            check.problem(name, format!("must be {}, or a template that gives one", range.spoken()));
        }
    }
    let is_text = |value: &Value| value.is_string();
    let is_stop =
        |value: &Value| is_text(value) || value.as_array().is_some_and(|stop| stop.iter().all(is_text));
    if check.parameter("stop").is_some_and(|stop| !is_stop(stop)) {
        check.problem("stop", "must be a string or an array of strings");
    }
    if check.parameter("responseFormat").is_some_and(|format| !format.is_object()) {
        check.problem("responseFormat", "must be an object, for example {\"type\": \"json_object\"}");
    }
    if check.parameter("stream").is_some_and(|stream| !stream.is_boolean()) {
        check.problem("stream", "must be true or false");
    }
    request_fields::check(check, "headers");
    if check.parameter("apiKey").is_some()
        && let Some(Value::Object(headers)) = check.parameter("headers")
        && let Some(name) = headers.keys().find(|name| name.eq_ignore_ascii_case("authorization"))
    {
        check.problem(&format!("headers.{name}"), "is set by apiKey");
    }
    check.timeout();
    check.retry();
    for parameter in PARAMETERS.into_iter().filter(|name| !matches!(*name, "timeout" | "retry" | "apiKey")) {
        check.templates(parameter);
    }
}

fn check_messages(check: &mut Check<'_, '_>) {
    match (check.parameter("messages"), check.parameter("prompt")) {
        (None, None) => check.problem("prompt", "is missing: a Model has either prompt or messages"),
        (Some(_), Some(_)) => {
            check.problem("messages", "is one too many: a Model has either prompt or messages");
        }
        _ => {}
    }
    check.text("prompt");
    let messages = match check.parameter("messages") {
        Some(Value::Array(messages)) if !messages.is_empty() => messages,
        None => return,
        Some(Value::String(text)) if has_template(text) => return,
        Some(_) => {
            let expected = "must be an array with at least one {role, content}, or a template that gives one";
            return check.problem("messages", expected);
        }
    };
    for (index, message) in messages.iter().enumerate() {
        let path = |field: &str| format!("messages[{index}]{field}");
        let Some(message) = message.as_object() else {
            check.problem(&path(""), "must be an object with role and content");
            continue;
        };
        match message.get("role") {
            Some(Value::String(role)) if ROLES.contains(&role.as_str()) || has_template(role) => {}
            Some(Value::String(role)) => {
                check.problem(&path(".role"), format!("{role:?} is no role{}", suggestion(role, ROLES)));
            }
            _ => check.problem(&path(".role"), format!("must be one of {}", ROLES.join(", "))),
        }
        let has_content =
            message.get("content").is_some_and(|content| content.is_string() || content.is_array());
        if !has_content && !message.contains_key("tool_calls") {
            check.problem(&path(".content"), "must be a string or an array of parts");
        }
    }
}

/// A key stands in no flow: everybody reads it who may read the flow.
fn check_key(check: &mut Check<'_, '_>) {
    let Some(key) = check.text("apiKey") else { return };
    match names_in(key) {
        Ok(names) if names.contains("secrets") => check.templates("apiKey"),
        Ok(_) => {
            let message = "must come from a secret: configure one and write {{ secrets.NAME }} here";
            check.problem("apiKey", message);
        }
        Err(message) => check.problem("apiKey", message),
    }
}
