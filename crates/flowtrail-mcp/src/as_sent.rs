//! Messages that the SDK would read otherwise than they were sent.
//!
//! The SDK reads messages by serde_json, which rewrites exponents, refuses unpaired surrogates and byte order marks, and takes
//! some keys for its own. Such a message is written anew for it. The arguments of a call, and the result of one, go along as a
//! text within `_meta`, from which they are read again as they were sent.

use std::borrow::Cow;

use flowtrail_types::{Json, read_json, read_json_value};
use rmcp::model::JsonObject;
use serde_json::{Map, Value, json};

/// The member of `_meta` that has the arguments. What a client sends under this name is dropped.
const AS_SENT: &str = "flowtrail/argumentsAsSent";

/// The same for a result. What another server sends under this name is dropped.
const RESULT_AS_SENT: &str = "flowtrail/resultAsSent";

/// Arguments as they were sent.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) members: JsonObject,
    /// Whether a surrogate without a partner was replaced in them.
    pub(crate) replaced: bool,
}

/// Reads a message, and returns with it the bytes from which the SDK can read it: mostly the same ones.
///
/// # Errors
///
/// When it is not JSON.
pub fn read_for_sdk(bytes: &[u8]) -> Result<(Json, Cow<'_, [u8]>), serde_json::Error> {
    let json = read_json(bytes)?;
    let is_forged = json.value["params"]["_meta"].get(AS_SENT).is_some();
    if !json.is_beyond_serde && !is_forged {
        return Ok((json, Cow::Borrowed(bytes)));
    }
    let mut message = json.value.clone();
    if let Some(Value::Object(about)) = message.pointer_mut("/params/_meta") {
        about.shift_remove(AS_SENT);
    }
    if json.is_beyond_serde
        && message["method"] == "tools/call"
        && let Some(Value::Object(params)) = message.get_mut("params")
    {
        carry_arguments(params, json.replaced.at("params").at("arguments").is_any());
    }
    let bytes = serde_json::to_vec(&message)?;
    Ok((json, Cow::Owned(bytes)))
}

/// Moves the arguments of a call into a text that no reader changes.
fn carry_arguments(params: &mut Map<String, Value>, replaced: bool) {
    let Some(Value::Object(arguments)) = params.get_mut("arguments") else { return };
    let text = Value::Object(std::mem::take(arguments)).to_string();
    let about = params.entry("_meta").or_insert_with(|| json!({}));
    if let Value::Object(about) = about {
        about.insert(AS_SENT.to_owned(), json!({"text": text, "replaced": replaced}));
    }
}

/// The arguments of a call: those that the SDK has read, or the ones that were carried beside them.
pub(crate) fn arguments(read: Option<JsonObject>, about: &JsonObject) -> Arguments {
    let carried = about.get(AS_SENT).and_then(|carried| {
        let text = carried["text"].as_str()?;
        let Ok(Value::Object(members)) = read_json_value(text.as_bytes()) else { return None };
        Some(Arguments { members, replaced: carried["replaced"] == true })
    });
    carried.unwrap_or_else(|| Arguments { members: read.unwrap_or_default(), replaced: false })
}

/// The members of results that are recorded, or lead to one that is.
const RECORDED: [&str; 5] = ["content", "structuredContent", "task", "taskId", "result"];

/// A message of another server in bytes from which the SDK can read it. A tool's result is carried beside what the SDK reads,
/// which drops what it does not know and rounds what it does. What is no JSON stays as it is.
pub(crate) fn result_for_sdk(bytes: &[u8]) -> Cow<'_, [u8]> {
    let Ok(json) = read_json(bytes) else { return Cow::Borrowed(bytes) };
    let is_recorded = RECORDED.iter().any(|member| json.value["result"].get(member).is_some());
    let is_forged = json.value["result"]["_meta"].get(RESULT_AS_SENT).is_some();
    if !json.is_beyond_serde && !is_forged && !is_recorded {
        return Cow::Borrowed(bytes);
    }
    let Json { value: mut message, replaced, .. } = json;
    if let Some(Value::Object(about)) = message.pointer_mut("/result/_meta") {
        about.shift_remove(RESULT_AS_SENT);
    }
    if is_recorded && let Some(Value::Object(result)) = message.get_mut("result") {
        let text = Value::Object(result.clone()).to_string();
        let carried = json!({"text": text, "replaced": replaced.at("result").is_any()});
        let about = result.entry("_meta").or_insert_with(|| json!({}));
        if about.is_null() {
            *about = json!({});
        }
        if let Value::Object(about) = about {
            about.insert(RESULT_AS_SENT.to_owned(), carried);
        }
    }
    serde_json::to_vec(&message).map_or(Cow::Borrowed(bytes), Cow::Owned)
}

/// The result that was carried beside what the SDK has read, and whether a surrogate without a partner was replaced in it.
pub(crate) fn result(about: Option<&JsonObject>) -> Option<(Value, bool)> {
    let carried = about?.get(RESULT_AS_SENT)?;
    let result = read_json_value(carried["text"].as_str()?.as_bytes()).ok()?;
    Some((result, carried["replaced"] == true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_arrive_as_they_were_sent() {
        let read = |message: &str| {
            let bytes = result_for_sdk(message.as_bytes()).into_owned();
            let read: Value = serde_json::from_slice(&bytes).expect("the SDK can read it");
            result(read["result"]["_meta"].as_object())
                .map(|(result, replaced)| (result.to_string(), replaced))
        };
        for sent in [
            r#"{"structuredContent":{"n":1e2,"x":[1E400]}}"#,
            r#"{"_meta":{"a":1},"content":[{"n":-0e0}]}"#,
            r#"{"_meta":null,"content":[{"type":"new","priority":0.50}]}"#,
        ] {
            assert_eq!(read(&format!(r#"{{"id":1,"result":{sent}}}"#)), Some((sent.to_owned(), false)));
        }
        let half = r#"{"id":1,"result":{"content":[{"type":"text","text":"\ud83d"}]}}"#;
        let replaced = "{\"content\":[{\"type\":\"text\",\"text\":\"\u{fffd}\"}]}";
        assert_eq!(read(half), Some((replaced.to_owned(), true)));
        let forged =
            json!({"result": {"tools": [], "_meta": {RESULT_AS_SENT: {"text": "{}", "replaced": true}}}});
        assert_eq!(read(&forged.to_string()), None);
        for plain in [r#"{"id":1,"result":{"tools":[]}}"#, r#"{"result":7}"#, "nonsense", ""] {
            assert!(matches!(result_for_sdk(plain.as_bytes()), Cow::Borrowed(_)), "{plain}");
        }
        assert_eq!(read("{\"result\":[1e2]}"), None, "no object has no place for it");
    }

    /// What a call has after the SDK has read it.
    #[track_caller]
    fn carried(message: &str) -> (String, bool) {
        let (_, bytes) = read_for_sdk(message.as_bytes()).unwrap();
        let read: Value = serde_json::from_slice(&bytes).expect("the SDK can read it");
        let about = read["params"]["_meta"].as_object().cloned().unwrap_or_default();
        let found = arguments(read["params"]["arguments"].as_object().cloned(), &about);
        (Value::Object(found.members).to_string(), found.replaced)
    }

    #[test]
    fn arguments_arrive_as_they_were_sent() {
        for arguments in [
            r#"{"a":1}"#,
            r#"{"a":1.10,"b":-9223372036854775809}"#,
            r#"{"a":1e2,"b":[1E400]}"#,
            r#"{"$serde_json::private::Number":"7"}"#,
            r#"{"a":{"$serde_json::private::RawValue":1}}"#,
        ] {
            let message =
                format!(r#"{{"method":"tools/call","params":{{"name":"x","arguments":{arguments}}}}}"#);
            assert_eq!(carried(&message), (arguments.to_owned(), false));
            assert_eq!(carried(&format!("\u{feff}{message}")), (arguments.to_owned(), false));
        }
        let half = r#"{"method":"tools/call","params":{"arguments":{"a":"\ud83d"},"_meta":{"b":1}}}"#;
        assert_eq!(carried(half), ("{\"a\":\"\u{fffd}\"}".to_owned(), true));
    }

    #[test]
    fn what_a_client_says_of_it_is_dropped() {
        let about = json!({AS_SENT: {"text": "{\"a\":2}", "replaced": true}});
        for number in ["1", "1e0"] {
            let message = format!(
                r#"{{"method":"tools/call","params":{{"arguments":{{"a":{number}}},"_meta":{about}}}}}"#
            );
            assert_eq!(carried(&message), (format!(r#"{{"a":{number}}}"#), false));
        }
    }

    #[test]
    fn other_messages_are_passed_on() {
        for message in [r#"{"method":"ping"}"#, "[1]", "7", r#"{"params":7}"#] {
            assert!(matches!(read_for_sdk(message.as_bytes()).unwrap().1, Cow::Borrowed(_)), "{message}");
        }
        let (_, bytes) = read_for_sdk(br#"{"method":"x","params":{"a":"\ud83d"}}"#).unwrap();
        assert_eq!(bytes, "{\"method\":\"x\",\"params\":{\"a\":\"\u{fffd}\"}}".as_bytes());
        assert!(read_for_sdk(b"{").is_err());
    }
}
