//! From a response to an `ApiCall`'s output.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flowtrail_types::{Json, read_json};
use reqwest::header::{HeaderMap, SET_COOKIE};
use serde_json::{Map, Value, json};

use crate::excerpt::excerpt;
use crate::http::{Received, media_type, text_of};

/// How many characters of a body are told in the message of a failure.
const MAX_EXCERPT: usize = 500;

/// The output: `status`, `headers` (in lower case, without cookies), `body`, `url` (that answered, without
/// its query, which may hold a secret) and `durationMs`. A body that is neither JSON nor text is Base64, and
/// `bodyEncoding` says so.
pub(super) fn output(received: Received, took: Duration) -> Json {
    let mut output = Map::new();
    let (Json { value: body, replaced, .. }, encoding) = body(&received);
    let mut url = received.url;
    url.set_query(None);
    url.set_fragment(None);
    output.insert("status".to_owned(), json!(received.status.as_u16()));
    output.insert("headers".to_owned(), headers(&received.headers));
    output.insert("body".to_owned(), body);
    if let Some(encoding) = encoding {
        output.insert("bodyEncoding".to_owned(), json!(encoding));
    }
    output.insert("url".to_owned(), json!(url.as_str()));
    output.insert("durationMs".to_owned(), json!(u64::try_from(took.as_millis()).unwrap_or(u64::MAX)));
    // Elsewhere in it nothing is JSON of the server's.
    Json { value: Value::Object(output), replaced, ..Json::default() }
}

/// The body's beginning, to be told after a failure's status.
pub(super) fn beginning(output: &Value) -> String {
    let text = match &output["body"] {
        Value::String(_) if output.get("bodyEncoding").is_some() => return String::new(),
        Value::String(text) => text.trim().to_owned(),
        Value::Null => return String::new(),
        other => other.to_string(),
    };
    if text.is_empty() { text } else { format!(": {}", excerpt(&text, MAX_EXCERPT)) }
}

fn headers(headers: &HeaderMap) -> Value {
    let mut fields = Map::new();
    for name in headers.keys().filter(|name| **name != SET_COOKIE) {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        fields.insert(name.as_str().to_owned(), json!(values.join(", ")));
    }
    Value::Object(fields)
}

fn body(received: &Received) -> (Json, Option<&'static str>) {
    let plain = |value| Json { value, ..Json::default() };
    let kind = media_type(&received.headers);
    let Some(text) = text_of(&received.headers, &received.body) else {
        return (plain(json!(STANDARD.encode(&received.body))), Some("base64"));
    };
    let is_json = kind == "application/json" || kind.ends_with("+json");
    if is_json && let Ok(json) = read_json(text.as_bytes()) {
        return (json, None);
    }
    (plain(Value::String(text.into_owned())), None)
}
