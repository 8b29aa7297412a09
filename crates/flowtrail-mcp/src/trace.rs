//! The trace context of a request: what its `_meta` says, and where that says nothing, its HTTP headers.

use flowtrail_runner::TraceContext;
use serde_json::Value;

/// The trace context of a message that came with these headers.
pub(crate) fn of_request(meta: &Value, headers: &TraceContext) -> TraceContext {
    let said = TraceContext::of_meta(meta);
    // The state belongs to the parent that it came with.
    let state = if said.traceparent.is_some() { None } else { headers.tracestate.clone() };
    TraceContext {
        traceparent: said.traceparent.or_else(|| headers.traceparent.clone()),
        tracestate: said.tracestate.or(state),
        baggage: said.baggage.or_else(|| headers.baggage.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn headers_count_where_the_message_says_nothing() {
        let headers =
            TraceContext::of_meta(&json!({"traceparent": "h", "tracestate": "h=1", "baggage": "h=2"}));
        let trace = |meta: Value| {
            let TraceContext { traceparent, tracestate, baggage } = of_request(&meta, &headers);
            json!([traceparent, tracestate, baggage])
        };
        assert_eq!(trace(json!({})), json!(["h", "h=1", "h=2"]));
        assert_eq!(trace(json!({"baggage": "m=2"})), json!(["h", "h=1", "m=2"]));
        assert_eq!(trace(json!({"traceparent": "m"})), json!(["m", null, "h=2"]));
        assert_eq!(trace(json!({"traceparent": "m", "tracestate": "m=1"})), json!(["m", "m=1", "h=2"]));
        assert_eq!(trace(json!({"traceparent": 7, "tracestate": {}})), json!(["h", "h=1", "h=2"]));
    }
}
