//! Calls of tools as most of them come, answered at once.
//!
//! Of the revision without sessions, a call whose answer is one message needs nothing of what the SDK sets up for a request: a
//! transport, a service of its own and three tasks, which cost more than running and recording a small flow. What is plain
//! is decided narrowly. Whatever is out of the ordinary in a call, and every refusal, is the SDK's: nothing of the protocol
//! is decided twice.

use flowtrail_runner::{Call, RunError, TraceContext, output_schema};
use flowtrail_types::{Json, Principal, Source};
use rmcp::model::{
    CallToolResponse, ClientCapabilities, Implementation, JsonObject, ProtocolVersion, RequestId,
    ServerJsonRpcMessage, ServerResult,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::call::{Said, failed, meta, share_used};
use crate::{FlowServer, answer, history, trace};

const PROTOCOL: &str = "io.modelcontextprotocol/protocolVersion";
const CLIENT: &str = "io.modelcontextprotocol/clientInfo";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// What else a plain call may say of itself.
const TRACE: &[&str] = &["traceparent", "tracestate", "baggage"];

/// The headers by which a request says what it is, each of which was sent once.
#[derive(Debug, Clone, Copy)]
pub struct CallHeaders<'h> {
    /// `Accept`.
    pub accept: &'h str,
    /// `Content-Type`.
    pub content_type: &'h str,
    /// `MCP-Protocol-Version`.
    pub version: &'h str,
    /// `Mcp-Method`.
    pub method: &'h str,
    /// `Mcp-Name`.
    pub name: &'h str,
}

/// A call that needs nothing but its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct PlainCall {
    id: RequestId,
    name: String,
    arguments: JsonObject,
    /// Whether a surrogate without a partner was replaced in them.
    replaced: bool,
    client: Option<Implementation>,
    trace: TraceContext,
}

impl PlainCall {
    /// A message as a plain call, if it is one and its headers say the same. Beside them it may have come with a trace context.
    #[must_use]
    pub fn of(headers: &CallHeaders<'_>, trace: &TraceContext, message: &Json) -> Option<Self> {
        let version = ProtocolVersion::V_2026_07_28;
        let accepts = |kind: &str| headers.accept.split(',').any(|part| part.trim() == kind);
        let is_told = headers.version == version.as_str()
            && headers.method == "tools/call"
            && headers.content_type == "application/json"
            && accepts("application/json")
            && accepts("text/event-stream");
        let replaced = message.replaced.at("params").at("arguments").is_any();
        let message = message.value.as_object().filter(|_| is_told)?;
        only(message, &["jsonrpc", "id", "method", "params"])?;
        let params = message.get("params")?.as_object()?;
        only(params, &["name", "arguments", "_meta"])?;
        let about = params.get("_meta")?.as_object()?;
        let is_known = |key: &str| matches!(key, PROTOCOL | CLIENT | CAPABILITIES) || TRACE.contains(&key);
        let name = params.get("name")?.as_str()?;
        let is_plain = message.get("jsonrpc")? == "2.0"
            && message.get("method")? == "tools/call"
            && headers.name == name
            && !name.starts_with(history::PREFIX)
            && about.keys().all(|key| is_known(key))
            && TRACE.iter().all(|name| about.get(*name).is_none_or(Value::is_string))
            && about.get(PROTOCOL)? == version.as_str();
        if !is_plain {
            return None;
        }
        let capabilities = about.get(CAPABILITIES)?;
        if capabilities.as_object()?.values().next().is_some() {
            serde_json::from_value::<ClientCapabilities>(capabilities.clone()).ok()?;
        }
        Some(Self {
            id: match message.get("id")? {
                Value::String(id) => RequestId::String(id.as_str().into()),
                Value::Number(id) => RequestId::Number(id.as_i64()?),
                _ => return None,
            },
            name: name.to_owned(),
            arguments: match params.get("arguments") {
                Some(arguments) => arguments.as_object()?.clone(),
                None => JsonObject::new(),
            },
            replaced,
            client: match about.get(CLIENT) {
                Some(client) => Some(serde_json::from_value(client.clone()).ok()?),
                None => None,
            },
            trace: trace::of_request(params.get("_meta")?, trace),
        })
    }
}

/// Nothing when an object has other members than these.
fn only(object: &JsonObject, known: &[&str]) -> Option<()> {
    object.keys().all(|key| known.contains(&key.as_str())).then_some(())
}

impl FlowServer {
    /// Runs the flow of a plain call, and returns the message that answers it. Nothing, and nothing was run or recorded, when
    /// the call is refused or names no flow: then the SDK is to be asked, which says so, and records it where that is wanted. When this future is dropped, or `hang_up`
    /// fires, the flow is stopped.
    pub async fn answer(
        &self,
        call: &PlainCall,
        principal: &Principal,
        hang_up: &CancellationToken,
    ) -> Option<Vec<u8>> {
        let flow = self.runner().tracker().flow_by_tool_name(principal, &call.name).ok()?;
        let is_declared = output_schema(&flow.definition).is_some();
        let said = Said {
            client: call.client.as_ref(),
            protocol: Some(ProtocolVersion::V_2026_07_28.as_str()),
            id: &call.id,
            session: None,
            trace: &call.trace,
        };
        let stop = hang_up.child_token();
        let _stop_when_dropped = stop.clone().drop_guard();
        let mut run = Call::new(principal.clone(), flow, call.arguments.clone(), Source::Mcp);
        run.arguments_replaced = call.replaced;
        run.meta = Some(meta(said));
        run.cancel = stop;
        run.is_first_try = true;
        let answer = match self.runner().run(run).await {
            Ok(finished) => {
                let result = CallToolResponse::from(answer::finished(&finished, is_declared));
                ServerJsonRpcMessage::response(ServerResult::from(result), call.id.clone())
            }
            // It may have run, and is not to run again.
            Err(RunError::Tracker(error)) => {
                ServerJsonRpcMessage::error(failed(&error), Some(call.id.clone()))
            }
            Err(error @ RunError::ShareUsed(_)) => {
                ServerJsonRpcMessage::error(share_used(&error), Some(call.id.clone()))
            }
            Err(_) => return None,
        };
        serde_json::to_vec(&answer).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HEADERS: CallHeaders<'static> = CallHeaders {
        accept: "application/json, text/event-stream",
        content_type: "application/json",
        version: "2026-07-28",
        method: "tools/call",
        name: "echo",
    };

    fn message() -> Json {
        let about = json!({
            PROTOCOL: "2026-07-28",
            CLIENT: {"name": "it", "version": "1"},
            CAPABILITIES: {"elicitation": {}},
            "traceparent": "00-1-2-01",
        });
        let params = json!({"name": "echo", "arguments": {"a": 1}, "_meta": about});
        let value = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        Json { value, ..Json::default() }
    }

    #[test]
    fn a_plain_call_is_read() {
        let call = PlainCall::of(&HEADERS, &TraceContext::default(), &message()).unwrap();
        assert_eq!((call.id, call.name.as_str()), (RequestId::Number(1), "echo"));
        assert_eq!(Value::Object(call.arguments), json!({"a": 1}));
        assert_eq!(call.client.unwrap().name, "it");
        assert_eq!(call.trace.traceparent.as_deref(), Some("00-1-2-01"));
    }

    #[test]
    fn whatever_is_out_of_the_ordinary_is_the_sdks() {
        let other_headers = [
            CallHeaders { accept: "application/json", ..HEADERS },
            CallHeaders { accept: "*/*", ..HEADERS },
            CallHeaders { content_type: "text/plain", ..HEADERS },
            CallHeaders { version: "2025-11-25", ..HEADERS },
            CallHeaders { method: "tools/list", ..HEADERS },
            CallHeaders { name: "other", ..HEADERS },
        ];
        for headers in other_headers {
            assert_eq!(PlainCall::of(&headers, &TraceContext::default(), &message()), None, "{headers:?}");
        }
        let changes = [
            ("/jsonrpc", json!("1.0")),
            ("/id", json!(null)),
            ("/id", json!(1.5)),
            ("/method", json!("tools/list")),
            ("/params/name", json!("flowtrail_list_executions")),
            ("/params/arguments", json!([1])),
            ("/params/task", json!({})),
            ("/params/_meta/progressToken", json!(1)),
            ("/params/_meta/io.modelcontextprotocol~1protocolVersion", json!("2025-11-25")),
            ("/params/_meta/io.modelcontextprotocol~1clientInfo", json!({"name": "it"})),
            ("/params/_meta/io.modelcontextprotocol~1clientCapabilities", json!(null)),
            ("/params/_meta/io.modelcontextprotocol~1clientCapabilities", json!({"elicitation": 7})),
            ("/params/_meta/traceparent", json!(7)),
            ("/extra", json!(1)),
        ];
        for (place, value) in changes {
            let mut message = message();
            let (parent, key) = place.rsplit_once('/').unwrap();
            message.value.pointer_mut(parent).unwrap()[key.replace("~1", "/")] = value;
            assert_eq!(PlainCall::of(&HEADERS, &TraceContext::default(), &message), None, "{place}");
        }
    }
}
