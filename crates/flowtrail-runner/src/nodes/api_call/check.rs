//! What an `ApiCall`'s parameters must be.

use serde_json::Value;

use super::super::{Check, request_fields};
use super::request::METHODS;
use crate::suggest::suggestion;

const PARAMETERS: [&str; 8] =
    ["method", "url", "headers", "query", "body", "timeout", "acceptStatus", "retry"];

pub(super) fn check(check: &mut Check<'_, '_>) {
    check.only(&PARAMETERS);
    if let Some(method) = check.required_text("method")
        && !METHODS.contains(&method.to_ascii_uppercase().as_str())
    {
        check.problem("method", format!("{method:?} is no method{}", suggestion(method, METHODS)));
    }
    if let Some(url) = check.required_text("url") {
        request_fields::check_url(check, "url", url);
    }
    request_fields::check(check, "headers");
    request_fields::check(check, "query");
    check.timeout();
    check.retry();
    check_accepted(check);
    for parameter in ["url", "headers", "query", "body"] {
        check.templates(parameter);
    }
}

fn check_accepted(check: &mut Check<'_, '_>) {
    let Some(accepted) = check.parameter("acceptStatus") else { return };
    let is_status = |status: &Value| status.as_u64().is_some_and(|status| (100..=599).contains(&status));
    if !accepted.as_array().is_some_and(|accepted| accepted.iter().all(is_status)) {
        check.problem("acceptStatus", "must be an array of status codes from 100 to 599");
    }
}
