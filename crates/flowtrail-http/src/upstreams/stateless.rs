//! Requests of the revision without sessions (2026-07-28) to a server that is a process: what HTTP adds to them.
//!
//! The process has no headers and no statuses. So headers are compared with the body here, and the status follows from the
//! error that the process answers with ("Streamable HTTP", "Server Validation" and "Protocol Version Header").

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::{Asked, INVALID_PARAMS};

const META_PROTOCOL: &str = "io.modelcontextprotocol/protocolVersion";
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// The first revision without sessions. Versions are dates, and are in order as texts.
const FIRST: &str = "2026-07-28";

const HEADER_MISMATCH: i32 = -32_020;
const METHOD_NOT_FOUND: i32 = -32_601;

/// Methods that the revision has no longer, whatever a server makes of them.
const REMOVED: &[&str] = &[
    "initialize",
    "logging/setLevel",
    "notifications/initialized",
    "notifications/roots/list_changed",
    "ping",
    "resources/subscribe",
    "resources/unsubscribe",
    "tasks/list",
    "tasks/result",
];

/// The version that a message says of itself.
fn version_in(message: &Value) -> Option<&str> {
    message["params"]["_meta"][META_PROTOCOL].as_str()
}

/// Whether a request is of a revision without sessions.
pub(super) fn is_stateless(asked: &Asked<'_>) -> bool {
    let told = asked.header("mcp-protocol-version").is_some_and(|version| version.trim() >= FIRST);
    asked.session().is_none() && (told || version_in(&asked.message).is_some())
}

/// The refusal of a request whose headers are missing, or say something else than its body.
pub(super) fn refusal(asked: &Asked<'_>) -> Option<HttpResponse> {
    let mismatch = |message: String| Some(asked.refuse(StatusCode::BAD_REQUEST, HEADER_MISMATCH, &message));
    let invalid = |message: &str| Some(asked.refuse(StatusCode::BAD_REQUEST, INVALID_PARAMS, message));
    let method = asked.message["method"].as_str().unwrap_or_default();
    // Of notifications this revision does not define which headers they have.
    let is_request = asked.message.get("id").is_some();
    match single(asked, "mcp-method") {
        Err(twice) => return mismatch(twice),
        Ok(None) if is_request => return mismatch(missing("Mcp-Method")),
        Ok(Some(told)) if told != method => {
            return mismatch(format!("the header Mcp-Method says {told:?}, the body {method:?}"));
        }
        Ok(_) => {}
    }
    if !is_request {
        return None;
    }
    let version = match single(asked, "mcp-protocol-version") {
        Err(twice) => return mismatch(twice),
        Ok(None) => return mismatch(missing("MCP-Protocol-Version")),
        Ok(Some(version)) => version,
    };
    let params = &asked.message["params"];
    let named = match method {
        "tools/call" | "prompts/get" => Some(("params.name", &params["name"])),
        "resources/read" => Some(("params.uri", &params["uri"])),
        "tasks/get" | "tasks/update" | "tasks/cancel" => Some(("params.taskId", &params["taskId"])),
        _ => None,
    };
    if let Some((field, named)) = named.and_then(|(field, named)| Some((field, named.as_str()?))) {
        match single(asked, "mcp-name") {
            Err(twice) => return mismatch(twice),
            Ok(None) => return mismatch(missing("Mcp-Name")),
            Ok(Some(told)) => match decoded(told) {
                Some(told) if told == named => {}
                Some(told) => {
                    return mismatch(format!("the header Mcp-Name says {told:?}, {field} is {named:?}"));
                }
                None => return mismatch("the header Mcp-Name is no valid Base64".to_owned()),
            },
        }
    }
    let Some(said) = version_in(&asked.message) else {
        return invalid(&format!("params._meta: expected the version under {META_PROTOCOL:?}"));
    };
    if !params["_meta"][META_CAPABILITIES].is_object() {
        return invalid(&format!("params._meta: expected an object under {META_CAPABILITIES:?}"));
    }
    if said != version {
        let message = format!("the header MCP-Protocol-Version says {version:?}, the body {said:?}");
        return mismatch(message);
    }
    if REMOVED.contains(&method) {
        let message = format!("Method not found: revision {version} has no {method}");
        return Some(asked.refuse(StatusCode::NOT_FOUND, METHOD_NOT_FOUND, &message));
    }
    None
}

/// The status of an answer whose first message is this.
pub(super) fn status_of(message: &[u8]) -> StatusCode {
    #[derive(serde::Deserialize)]
    struct Answer {
        error: Option<Error>,
    }
    #[derive(serde::Deserialize)]
    struct Error {
        code: Option<i64>,
    }
    let answer = serde_json::from_slice::<Answer>(message).ok();
    match answer.and_then(|answer| answer.error).and_then(|error| error.code) {
        Some(-32_601) => StatusCode::NOT_FOUND,
        Some(-32_022..=-32_020 | -32_600 | -32_700) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}

fn missing(header: &str) -> String {
    format!("expected the header {header}")
}

/// The value of a header without what stands around it; an error when it is there twice.
fn single<'r>(asked: &'r Asked<'_>, name: &str) -> Result<Option<&'r str>, String> {
    let mut values = asked.request.headers().get_all(name);
    let value = values.next().map(|value| value.to_str().unwrap_or("?").trim());
    match values.next() {
        None => Ok(value),
        Some(_) => Err(format!("the header {name} was sent twice")),
    }
}

/// A value that may be written in Base64 because it could not stand in a header; nothing when it claims to be and is not.
fn decoded(value: &str) -> Option<String> {
    match value.strip_prefix("=?base64?").and_then(|value| value.strip_suffix("?=")) {
        Some(encoded) => String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok(),
        None => Some(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_statuses_that_the_revision_asks_for() {
        let status =
            |error: &str| status_of(format!(r#"{{"id":1,"error":{{"code":{error}}}}}"#).as_bytes()).as_u16();
        for (code, expected) in [
            ("-32601", 404),
            ("-32020", 400),
            ("-32021", 400),
            ("-32022", 400),
            ("-32600", 400),
            ("-32602", 200),
            ("-32603", 200),
            ("-32000", 200),
        ] {
            assert_eq!(status(code), expected, "{code}");
        }
        assert_eq!(status_of(br#"{"id":1,"result":{}}"#).as_u16(), 200);
    }

    #[test]
    fn names_are_compared_as_they_were_meant() {
        assert_eq!(decoded("tool").as_deref(), Some("tool"));
        assert_eq!(decoded("=?base64?d8O2cmxk?=").as_deref(), Some("w\u{f6}rld"));
        assert_eq!(decoded("=?base64?d8O2cmxk").as_deref(), Some("=?base64?d8O2cmxk"), "a literal");
        assert_eq!(decoded("=?base64?SGVsbG8?="), None, "no padding");
        assert_eq!(decoded("=?base64?!!!!?="), None);
    }
}
