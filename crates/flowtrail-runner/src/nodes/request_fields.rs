//! Parameters that all kinds have that make HTTP requests.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;

use super::{Check, NodeContext, NodeError};
use crate::http::is_credential;
use crate::template::has_template;

/// Headers that the client sets by itself. Wrong ones would confuse servers, or whoever stands before them.
pub(crate) const OWN_HEADERS: [&str; 6] =
    ["host", "content-length", "transfer-encoding", "connection", "upgrade", "te"];

/// How values begin that are credentials whatever they are called.
const CREDENTIAL_VALUES: [&str; 9] =
    ["Bearer ", "Basic ", "sk-", "ghp_", "gho_", "github_pat_", "xoxb-", "xoxp-", "glpat-"];

/// Checks a parameter that is a URL, as far as it is no template.
pub(super) fn check_url(check: &mut Check<'_, '_>, parameter: &str, url: &str) {
    if let Some((_, query)) = url.split_once('?') {
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            check_literal(check, parameter, name, value);
        }
    }
    if has_template(url) {
        return;
    }
    match Url::parse(url) {
        Err(error) => check.problem(parameter, format!("is no URL: {error}")),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            check.problem(parameter, format!("must be an http or https URL and not {}:", url.scheme()));
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            check.problem(parameter, "has a user name or password: use a header with a secret instead");
        }
        Ok(_) => {}
    }
}

/// Checks `headers` or `query`: names with plain values, none of them a credential.
pub(super) fn check(check: &mut Check<'_, '_>, parameter: &str) {
    let fields = match check.parameter(parameter) {
        None => return,
        Some(Value::Object(fields)) => fields,
        Some(_) => return check.problem(parameter, "must be an object"),
    };
    for (name, value) in fields {
        let path = format!("{parameter}.{name}");
        let is_plain = |value: &Value| matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_));
        match value {
            Value::Array(items) if parameter == "query" && items.iter().all(is_plain) => {}
            Value::Null if parameter == "query" => {}
            value if is_plain(value) => {}
            _ => check.problem(&path, "must be a string, a number or a boolean"),
        }
        if parameter == "headers" && OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            check.problem(&path, "is set by itself");
        }
        if let Value::String(value) = value {
            check_literal(check, &path, name, value);
        }
    }
}

/// Refuses a credential that stands in the flow itself, where everybody reads it who may read the flow.
fn check_literal(check: &mut Check<'_, '_>, path: &str, name: &str, value: &str) {
    if !has_template(value) && looks_like_credential(name, value) {
        let message = format!(
            "the value of {name} looks like a credential: configure a secret and write {{{{ secrets.NAME }}}} here"
        );
        check.problem(path, message);
    }
}

/// Whether what a request is given by this name must not stand in a flow.
pub(crate) fn looks_like_credential(name: &str, value: &str) -> bool {
    // A number is no credential: many a parameter is called `max_tokens`.
    if value.trim().is_empty() || value.parse::<f64>().is_ok() {
        return false;
    }
    let looks_random = value.len() >= 16
        && value.chars().any(|c| c.is_ascii_digit())
        && value.chars().any(|c| c.is_ascii_alphabetic())
        && !value.contains(' ');
    let is_key = name.eq_ignore_ascii_case("key") && looks_random;
    is_credential(name) || is_key || CREDENTIAL_VALUES.iter().any(|start| value.starts_with(start))
}

/// The headers that the parameter `headers` gives.
pub(super) fn headers(context: &NodeContext<'_>) -> Result<HeaderMap, NodeError> {
    let mut headers = HeaderMap::new();
    let fields = match context.rendered("headers")? {
        None => return Ok(headers),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(NodeError::malformed("headers", "must be an object")),
    };
    for (name, value) in &fields {
        // The value may be a secret, so only the name is told.
        let path = format!("headers.{name}");
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| NodeError::malformed(&path, "is no name of a header"))?;
        if OWN_HEADERS.contains(&header.as_str()) {
            return Err(NodeError::malformed(&path, "is set by itself"));
        }
        let mut value = HeaderValue::from_str(&plain(value))
            .map_err(|_| NodeError::malformed(&path, "has characters that no header may have"))?;
        value.set_sensitive(is_credential(name));
        headers.insert(header, value);
    }
    Ok(headers)
}

/// A value as it stands in a header or a query: a string without quotes.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
