//! Whether what came is a message of the protocol, which the SDK does not tell whoever sent it.

use serde_json::Value;

/// Why something is no message of JSON-RPC 2.0 as MCP has it; nothing when it is one.
#[must_use]
pub fn malformed(message: &Value) -> Option<&'static str> {
    let is_message = message["jsonrpc"] == "2.0"
        && (message["method"].is_string()
            || message.get("result").is_some()
            || message.get("error").is_some());
    if !is_message {
        return Some("expected one JSON-RPC 2.0 message, an object with `jsonrpc` and `method`");
    }
    match message.get("id") {
        Some(id) if !is_id(id) => Some("`id` must be a string or a whole number of 64 bits"),
        None if message.get("method").is_none() && message.get("error").is_none() => {
            Some("an answer must have the `id` of its request")
        }
        _ => None,
    }
}

/// Whether it is an id as MCP has them. JSON-RPC's null is none, and neither is a number with a fraction.
fn is_id(id: &Value) -> bool {
    id.is_string() || id.as_i64().is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_are_strings_and_whole_numbers() {
        let with = |id: Value| json!({"jsonrpc": "2.0", "method": "ping", "id": id});
        for id in [json!(""), json!("a"), json!(0), json!(-7), json!(i64::MAX)] {
            assert_eq!(malformed(&with(id.clone())), None, "{id}");
        }
        for id in [json!(null), json!(1.5), json!(1e300), json!(u64::MAX), json!(true), json!([1]), json!({})]
        {
            assert!(malformed(&with(id.clone())).is_some_and(|why| why.starts_with("`id`")), "{id}");
        }
    }

    #[test]
    fn what_is_no_message_is_told() {
        for message in [json!({}), json!([]), json!(1), json!({"jsonrpc": "1.0", "method": "ping"})] {
            assert!(malformed(&message).is_some(), "{message}");
        }
        for message in [
            json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
            json!({"jsonrpc": "2.0", "id": 1, "result": {}}),
            json!({"jsonrpc": "2.0", "error": {"code": 1, "message": "m"}}),
        ] {
            assert_eq!(malformed(&message), None, "{message}");
        }
        assert!(malformed(&json!({"jsonrpc": "2.0", "result": {}})).is_some());
    }
}
