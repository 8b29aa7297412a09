//! From a flow to its file.

use flowtrail_types::{CapturePolicy, Flow, FlowKind};
use serde_json::{Map, Value, json};

/// The flow as its file has it: what a user says of it, and nothing that only this server knows (ids,
/// owner, access, times). Read again it gives the same draft.
#[must_use]
pub fn write_flow_file(flow: &Flow) -> Value {
    let mut file = Map::new();
    let mut write = |field: &str, value: Value| file.insert(field.to_owned(), value);
    write("name", json!(flow.name));
    if flow.kind != FlowKind::Runnable {
        write("kind", json!(flow.kind));
    }
    if let Some(tool_name) = &flow.tool_name {
        write("toolName", json!(tool_name));
    }
    if !flow.description.is_empty() {
        write("description", json!(flow.description));
    }
    if let Some(timeout) = flow.timeout_text() {
        write("timeout", json!(timeout));
    }
    if !flow.active {
        write("active", json!(false));
    }
    if flow.capture != CapturePolicy::Full {
        write("capture", json!(flow.capture));
    }
    if let Some(rules) = &flow.retention {
        write("retention", json!(rules));
    }
    if flow.kind == FlowKind::Runnable {
        write("nodes", json!(flow.definition.nodes));
        write("connections", json!(flow.definition.connections));
    }
    Value::Object(file)
}
