//! The headers of a request to MCP, read.

use actix_web::http::header::{self, HeaderMap};
use flowtrail_mcp::CallHeaders;
use flowtrail_runner::TraceContext;

/// Tells whether a client takes both kinds of answers that there are, in whichever words (RFC 9110, section 12.5.1). One that says nothing
/// takes everything.
pub(super) fn accepts_all(headers: &HeaderMap) -> bool {
    let said: Vec<&str> = headers.get_all(header::ACCEPT).filter_map(|value| value.to_str().ok()).collect();
    let takes = |kind: &str| {
        let main = kind.split_once('/').map_or(kind, |(main, _)| main);
        said.iter().flat_map(|value| value.split(',')).any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let range = parts.next().unwrap_or_default().to_ascii_lowercase();
            let is_refused = parts.any(|part| {
                part.strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok()) == Some(0.0)
            });
            !is_refused && (range == "*/*" || range == format!("{main}/*") || range == kind)
        })
    };
    said.is_empty() || (takes("application/json") && takes("text/event-stream"))
}

/// Reads what the headers of a request say of a call; nothing when one of them is missing or there twice, or others belong to the
/// protocol.
pub(super) fn call_headers(headers: &HeaderMap) -> Option<CallHeaders<'_>> {
    const OWN: [&str; 3] = ["mcp-protocol-version", "mcp-method", "mcp-name"];
    let once = |name: &str| {
        let mut values = headers.get_all(name);
        header_text(values.next()).filter(|_| values.next().is_none())
    };
    let is_plain =
        |name: &header::HeaderName| !name.as_str().starts_with("mcp-") || OWN.contains(&name.as_str());
    headers.keys().all(is_plain).then_some(())?;
    let [version, method, name] = OWN;
    Some(CallHeaders {
        accept: once("accept")?,
        content_type: once("content-type")?,
        version: once(version)?,
        method: once(method)?,
        name: once(name)?,
    })
}

/// The trace context in the headers of a request.
pub(crate) fn trace_of(headers: &HeaderMap) -> TraceContext {
    let text = |name: &str| header_text(headers.get(name)).map(str::to_owned);
    TraceContext {
        traceparent: text("traceparent"),
        tracestate: text("tracestate"),
        baggage: text("baggage"),
    }
}

/// Tells whether a request says that its body is JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let kind = header_text(headers.get(header::CONTENT_TYPE)).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

pub(super) fn header_text(value: Option<&header::HeaderValue>) -> Option<&str> {
    value.and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_takes_both_kinds_of_answers_says_so_in_many_ways() {
        let accepts = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::ACCEPT, header::HeaderValue::from_static(value));
            }
            accepts_all(&headers)
        };
        assert!(accepts(&[]) && accepts(&["*/*"]) && accepts(&["text/html, */*;q=0.1"]));
        assert!(accepts(&["application/*, text/*"]) && accepts(&["application/json", "Text/Event-Stream"]));
        assert!(accepts(&["application/json;q=0.9,text/event-stream;q=0.5"]));
        assert!(!accepts(&["application/json"]) && !accepts(&["text/event-stream"]) && !accepts(&[""]));
        assert!(!accepts(&["application/json, text/event-stream;q=0"]) && !accepts(&["*/*;q=0"]));
    }
}
