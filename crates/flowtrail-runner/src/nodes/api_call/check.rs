//! What an `ApiCall`'s parameters must be.

use serde_json::Value;
use url::Url;

use super::super::Check;
use super::request::{METHODS, OWN_HEADERS};
use crate::http::is_credential;
use crate::suggest::suggestion;
use crate::template::has_template;

const PARAMETERS: [&str; 8] =
    ["method", "url", "headers", "query", "body", "timeout", "acceptStatus", "retry"];

/// How values begin that are credentials whatever they are called.
const CREDENTIAL_VALUES: [&str; 9] =
    ["Bearer ", "Basic ", "sk-", "ghp_", "gho_", "github_pat_", "xoxb-", "xoxp-", "glpat-"];

pub(super) fn check(check: &mut Check<'_, '_>) {
    check.only(&PARAMETERS);
    if let Some(method) = check.required_text("method")
        && !METHODS.contains(&method.to_ascii_uppercase().as_str())
    {
        check.problem("method", format!("{method:?} is no method{}", suggestion(method, METHODS)));
    }
    if let Some(url) = check.required_text("url") {
        check_url(check, url);
    }
    check_fields(check, "headers");
    check_fields(check, "query");
    check.timeout();
    check.retry();
    check_accepted(check);
    for parameter in ["url", "headers", "query", "body"] {
        check.templates(parameter);
    }
}

fn check_url(check: &mut Check<'_, '_>, url: &str) {
    if let Some((_, query)) = url.split_once('?') {
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            check_literal(check, "url", name, value);
        }
    }
    if has_template(url) {
        return;
    }
    match Url::parse(url) {
        Err(error) => check.problem("url", format!("is no URL: {error}")),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            check.problem("url", format!("must be an http or https URL and not {}:", url.scheme()));
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            check.problem("url", "has a user name or password: use a header with a secret instead");
        }
        Ok(_) => {}
    }
}

fn check_fields(check: &mut Check<'_, '_>, parameter: &str) {
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
    // A number is no credential: many a parameter is called `max_tokens`.
    if value.trim().is_empty() || has_template(value) || value.parse::<f64>().is_ok() {
        return;
    }
    let looks_random = value.len() >= 16
        && value.chars().any(|c| c.is_ascii_digit())
        && value.chars().any(|c| c.is_ascii_alphabetic())
        && !value.contains(' ');
    let is_key = name.eq_ignore_ascii_case("key") && looks_random;
    if is_credential(name) || is_key || CREDENTIAL_VALUES.iter().any(|start| value.starts_with(start)) {
        let message = format!(
            "the value of {name} looks like a credential: configure a secret and write {{{{ secrets.NAME }}}} here"
        );
        check.problem(path, message);
    }
}

fn check_accepted(check: &mut Check<'_, '_>) {
    let Some(accepted) = check.parameter("acceptStatus") else { return };
    let is_status = |status: &Value| status.as_u64().is_some_and(|status| (100..=599).contains(&status));
    if !accepted.as_array().is_some_and(|accepted| accepted.iter().all(is_status)) {
        check.problem("acceptStatus", "must be an array of status codes from 100 to 599");
    }
}
