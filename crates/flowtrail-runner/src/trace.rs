//! The trace context (W3C Trace Context and Baggage) that a call came with, and that the calls of its nodes pass on.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

/// The most bytes that a header is passed on with: what Baggage asks everybody to take.
const MOST_BYTES: usize = 8 * 1024;

/// A trace context, as headers and the `_meta` of MCP have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// `traceparent`.
    pub traceparent: Option<String>,
    /// `tracestate`.
    pub tracestate: Option<String>,
    /// `baggage`.
    pub baggage: Option<String>,
}

impl TraceContext {
    /// The trace context in the `meta` of a call; what is no text counts as absent.
    #[must_use]
    pub fn of_meta(meta: &Value) -> Self {
        let text = |name: &str| meta.get(name).and_then(Value::as_str).map(str::to_owned);
        Self { traceparent: text("traceparent"), tracestate: text("tracestate"), baggage: text("baggage") }
    }

    /// What there is of it, by its names.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("traceparent", &self.traceparent),
            ("tracestate", &self.tracestate),
            ("baggage", &self.baggage),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// The same as the `meta` of a call; nothing when there is none of it.
    pub(crate) fn to_meta(&self) -> Option<Value> {
        let meta: Map<String, Value> =
            self.fields().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        (!meta.is_empty()).then_some(Value::Object(meta))
    }

    /// Adds what can stand in a header, where the request does not say otherwise: a request that names its own
    /// `traceparent` belongs to another trace, which none of this is part of.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        if headers.contains_key("traceparent") {
            return;
        }
        for (name, value) in self.fields() {
            let value = HeaderValue::from_str(value).ok().filter(|value| value.len() <= MOST_BYTES);
            if let Some(value) = value {
                headers.entry(HeaderName::from_static(name)).or_insert(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn added(meta: Value, mut headers: HeaderMap) -> HeaderMap {
        TraceContext::of_meta(&meta).add_to(&mut headers);
        headers
    }

    #[test]
    fn a_trace_is_added_to_headers_that_say_nothing_else() {
        let all = json!({"traceparent": "00-1-2-01", "tracestate": "a=b", "baggage": "c=d", "client": {}});
        let headers = added(all.clone(), HeaderMap::new());
        assert_eq!(headers.len(), 3);
        assert_eq!(headers["traceparent"], "00-1-2-01");
        assert_eq!(headers["baggage"], "c=d");
        let own =
            HeaderMap::from_iter([(HeaderName::from_static("traceparent"), "00-9-9-00".parse().unwrap())]);
        assert_eq!(added(all.clone(), own.clone()), own);
        let own = HeaderMap::from_iter([(HeaderName::from_static("baggage"), "e=f".parse().unwrap())]);
        assert_eq!(added(all, own)["baggage"], "e=f");
    }

    #[test]
    fn what_no_header_may_have_is_left_out() {
        for value in [json!("a\r\nb"), json!("\0"), json!(7), json!(null), json!("x".repeat(MOST_BYTES + 1))]
        {
            assert!(added(json!({"baggage": value, "traceparent": value}), HeaderMap::new()).is_empty());
        }
    }
}
