//! Why the tool of another server gave no answer, for a person: what happened, the server's own words and code, and what to do.
//!
//! The SDK's errors name its own types and print its messages for debugging. They are taken apart here.

use std::error::Error;

use flowtrail_runner::UpstreamError;
use flowtrail_types::ErrorKind;
use rmcp::model::{ErrorCode, ErrorData};
use rmcp::service::{ClientInitializeError, ServiceError};
use rmcp::transport::streamable_http_client::StreamableHttpError;

/// How many characters of what a server says are told.
const MAX_SAID: usize = 500;

/// A call that the server refused, or that it did not answer.
pub(crate) fn refused(error: &ServiceError) -> UpstreamError {
    match error {
        ServiceError::McpError(error) => by_server(error, "the server refused the call"),
        ServiceError::TransportSend(error) => by_transport(&*error.error),
        ServiceError::TransportClosed => gone("the server closed the connection before it answered"),
        ServiceError::UnexpectedResponse => {
            failed("the server answered with something that is no tool's result")
        }
        ServiceError::Cancelled { reason } => failed(match reason.as_deref().map(str::trim) {
            Some(reason) if !reason.is_empty() => format!("the server cancelled the call: {}", said(reason)),
            _ => "the server cancelled the call without a reason".to_owned(),
        }),
        ServiceError::Timeout { timeout } => UpstreamError {
            kind: ErrorKind::Timeout,
            message: format!("the server did not answer within {} s", timeout.as_secs()),
            is_transient: true,
        },
        _ => failed("the server's answers could not be followed"),
    }
}

/// A server that could not be connected to.
pub(crate) fn not_connected(error: &ClientInitializeError) -> UpstreamError {
    match error {
        ClientInitializeError::JsonRpcError(error) => by_server(error, "the server refused the connection"),
        ClientInitializeError::TransportError { error, .. } => by_transport(&*error.error),
        ClientInitializeError::ConnectionClosed(_) => gone(
            "the server closed the connection before it was initialized: check its command or address, and its log",
        ),
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => not_connected(fallback),
        ClientInitializeError::NoCompatibleProtocolVersion { server_supported, .. } => {
            let versions: Vec<&str> = server_supported.iter().map(|version| version.as_str()).collect();
            failed(format!(
                "the server speaks no version of MCP that Flowtrail does, only {}",
                said(&versions.join(", "))
            ))
        }
        ClientInitializeError::Cancelled => gone("connecting to the server was cancelled"),
        _ => failed(
            "the server does not answer as an MCP server does: check that its command or address is one's",
        ),
    }
}

/// A server that could not be started.
pub(crate) fn not_started(error: &dyn std::fmt::Display) -> UpstreamError {
    gone(format!("the server cannot be started: {}; check its command", said(&error.to_string())))
}

/// An error that the server reports by JSON-RPC.
pub(crate) fn by_server(error: &ErrorData, what: &str) -> UpstreamError {
    let code = error.code.0;
    let message = match error.message.trim() {
        "" => format!("{what} without a message (code {code})"),
        message => format!("{what}: {} (code {code})", said(message)),
    };
    let (kind, advice) = match error.code {
        ErrorCode::INVALID_PARAMS => (ErrorKind::InvalidInput, "; check the tool's name and its arguments"),
        ErrorCode::METHOD_NOT_FOUND => (ErrorKind::Failed, "; the server offers no tools"),
        _ => (ErrorKind::Failed, ""),
    };
    UpstreamError { kind, message: format!("{message}{advice}"), is_transient: false }
}

/// An error on the way to the server or back.
fn by_transport(error: &(dyn Error + 'static)) -> UpstreamError {
    let Some(error) = error.downcast_ref::<StreamableHttpError<reqwest::Error>>() else {
        return gone(format!(
            "the connection to the server broke: {}; check its command, and its log",
            innermost(error)
        ));
    };
    match error {
        StreamableHttpError::HttpStatus(error) => by_status(error.status, ""),
        StreamableHttpError::AuthRequired(_) => by_status(401, ""),
        StreamableHttpError::InsufficientScope(_) => by_status(403, ""),
        StreamableHttpError::UnexpectedServerResponse(text) => match status_in(text) {
            Some((status, body)) => by_status(status, body),
            None => failed(format!("the server's answer is not MCP: {}", said(text))),
        },
        StreamableHttpError::UnexpectedContentType(kind) => failed(match kind {
            Some(kind) => format!("the server answered with {}, not with MCP: check its address", said(kind)),
            None => "the server answered without a content type: check its address".to_owned(),
        }),
        // The client's own words have the address, which may hold a key; those of the cause have not.
        StreamableHttpError::Client(error) => match error.source() {
            Some(cause) => gone(format!("the server cannot be reached: {}", innermost(cause))),
            None => gone("the server cannot be reached"),
        },
        StreamableHttpError::Deserialize(_) => failed("the server's answer is not valid JSON"),
        StreamableHttpError::ResponseBodyTooLarge { max_size } => {
            failed(format!("the server answered with more than {max_size} bytes"))
        }
        StreamableHttpError::SessionExpired => gone("the server has forgotten the session"),
        StreamableHttpError::ReinitializationFailed(error) => {
            by_server(error, "the server refused a new session")
        }
        StreamableHttpError::TransportChannelClosed | StreamableHttpError::UnexpectedEndOfStream => {
            gone("the server closed the connection before it answered")
        }
        StreamableHttpError::Io(error) => gone(format!("the connection broke: {}", innermost(error))),
        other => gone(format!("the server's answer was lost: {}", innermost(other))),
    }
}

/// An HTTP status that is no success, and what the server says besides.
fn by_status(status: u16, body: &str) -> UpstreamError {
    let reason = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default();
    let advice = match status {
        401 | 403 => "; check the credentials in the upstream's headers",
        404 | 405 => "; check the upstream's address",
        429 => "; it asks for fewer calls",
        500.. => "; see the server's log",
        _ => "",
    };
    let said = match said(&message_in(body)) {
        said if said.is_empty() => String::new(),
        said => format!(": {said}"),
    };
    let message = format!("the server answered with HTTP {status} {reason}").trim_end().to_owned();
    let is_transient = matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504);
    let kind = if is_transient { ErrorKind::Network } else { ErrorKind::Failed };
    UpstreamError { kind, message: format!("{message}{said}{advice}"), is_transient }
}

/// The status and the body in what the SDK writes of an answer: `HTTP 404 Not Found: …`.
fn status_in(text: &str) -> Option<(u16, &str)> {
    let rest = text.strip_prefix("HTTP ")?;
    let (status, body) = rest.split_once(':').unwrap_or((rest, ""));
    Some((status.split(' ').next()?.parse().ok()?, body))
}

/// The message of a body, if it is JSON that has one; otherwise the body.
fn message_in(body: &str) -> String {
    let value: Option<serde_json::Value> = serde_json::from_str(body.trim()).ok();
    let message = value.as_ref().and_then(|value| {
        ["/error/message", "/message", "/detail", "/error"]
            .into_iter()
            .find_map(|path| value.pointer(path)?.as_str())
    });
    message.unwrap_or(body).to_owned()
}

/// What lies behind an error: the SDK and the client wrap it several times.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    said(&cause.to_string())
}

/// The beginning of a text, in one line.
fn said(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_SAID) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

fn failed(message: impl Into<String>) -> UpstreamError {
    UpstreamError { kind: ErrorKind::Failed, message: message.into(), is_transient: false }
}

fn gone(message: impl Into<String>) -> UpstreamError {
    UpstreamError { kind: ErrorKind::Network, message: message.into(), is_transient: true }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn http(error: StreamableHttpError<reqwest::Error>) -> String {
        by_transport(&error).message
    }

    #[test]
    fn what_the_server_says_is_told_with_its_code() {
        let refusal = |code: ErrorCode, message: &'static str| {
            refused(&ServiceError::McpError(ErrorData::new(code, message, None)))
        };
        let unknown = refusal(ErrorCode::INVALID_PARAMS, "Unknown tool:\nfind");
        assert_eq!(
            (unknown.kind, unknown.message.as_str()),
            (
                ErrorKind::InvalidInput,
                "the server refused the call: Unknown tool: find (code -32602); check the tool's name and its arguments"
            )
        );
        let silent = refusal(ErrorCode(-32000), " ");
        assert_eq!(silent.message, "the server refused the call without a message (code -32000)");
        let long = refusal(ErrorCode::INTERNAL_ERROR, "x");
        assert_eq!((long.kind, long.is_transient), (ErrorKind::Failed, false));
    }

    #[test]
    fn statuses_come_with_advice_and_without_the_names_of_types() {
        for (error, expected) in [
            (
                StreamableHttpError::UnexpectedServerResponse(Cow::from(
                    "HTTP 404 Not Found: {\"detail\": \"no route\"}",
                )),
                "the server answered with HTTP 404 Not Found: no route; check the upstream's address",
            ),
            (
                StreamableHttpError::UnexpectedServerResponse(Cow::from("HTTP 401 Unauthorized: ")),
                "the server answered with HTTP 401 Unauthorized; check the credentials in the upstream's headers",
            ),
            (
                StreamableHttpError::HttpStatus(
                    rmcp::transport::streamable_http_client::HttpStatusError::new(503, None),
                ),
                "the server answered with HTTP 503 Service Unavailable; see the server's log",
            ),
            (
                StreamableHttpError::UnexpectedContentType(Some("text/html".to_owned())),
                "the server answered with text/html, not with MCP: check its address",
            ),
            (
                StreamableHttpError::UnexpectedContentType(None),
                "the server answered without a content type: check its address",
            ),
        ] {
            assert_eq!(http(error), expected);
        }
    }

    #[test]
    fn nothing_is_printed_as_the_sdk_debugs_it() {
        let closed = ClientInitializeError::ConnectionClosed("initialize response".to_owned());
        for error in [
            not_connected(&ClientInitializeError::ExpectedInitResult(None)),
            not_connected(&closed),
            not_connected(&ClientInitializeError::Cancelled),
            refused(&ServiceError::TransportClosed),
            refused(&ServiceError::UnexpectedResponse),
            refused(&ServiceError::Cancelled { reason: None }),
        ] {
            for name in ["None", "Some(", "Transport", "Error", "{", "::"] {
                assert!(!error.message.contains(name), "{}", error.message);
            }
            assert!(error.message.len() > 20, "{}", error.message);
        }
    }
}
