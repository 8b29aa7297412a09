//! Whose flow it is. Only by what the file has and never by what it lacks: a flow of Flowtrail's with a mistake in
//! it stays one, and is refused with that mistake.

use serde_json::{Map, Value};

/// A system whose flows can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    /// Manifest: `nodes` with `connections`, slugs, kinds like `JavaScriptCodeTransform`.
    Manifest,
    /// The flows of Open WebUI: `nodes` with `edges`, kinds in lower case.
    OpenWebui,
}

/// A flow of another system, and what stood around it.
#[derive(Debug)]
pub(super) struct Foreign {
    pub(super) system: System,
    pub(super) flow: Map<String, Value>,
    pub(super) around: Map<String, Value>,
}

/// What a file has, or an item of its array.
#[derive(Debug)]
pub(super) enum Found {
    /// Something that is for Flowtrail's own reader.
    Own(Value),
    /// A flow of another system.
    Other(Foreign),
}

/// The fields in which databases keep JSON as text.
const STORED_AS_TEXT: [&str; 4] = ["nodes", "connections", "edges", "parameters"];

/// The fields that only Manifest's flows have.
const MANIFEST_FIELDS: [&str; 4] = ["appId", "toolDescription", "whenToUse", "whenNotToUse"];

/// The kinds of nodes that only Manifest has.
const MANIFEST_KINDS: [&str; 5] =
    ["JavaScriptCodeTransform", "StatCard", "PostList", "BlankComponent", "RegistryComponent"];

/// The flows of a file, in order.
pub(super) fn found(value: Value) -> Vec<Found> {
    match value {
        Value::Array(items) => items.into_iter().flat_map(opened).collect(),
        value => opened(value),
    }
}

/// The flow itself, the one in `{"flow": …}`, or those in `{"flows": […]}`.
fn opened(value: Value) -> Vec<Found> {
    let Value::Object(mut map) = value else { return vec![Found::Own(value)] };
    if map.contains_key("nodes") {
        return vec![told(map, Map::new())];
    }
    let is_foreign = |flow: &Value| flow.as_object().is_some_and(|flow| recognised(flow).is_some());
    match (map.get("flow"), map.get("flows")) {
        (Some(flow), _) if is_foreign(flow) => {
            let Some(Value::Object(flow)) = map.remove("flow") else { return Vec::new() };
            vec![told(flow, map)]
        }
        (_, Some(Value::Array(flows))) if !flows.is_empty() && flows.iter().all(is_foreign) => {
            let Some(Value::Array(flows)) = map.remove("flows") else { return Vec::new() };
            let flows = flows.into_iter().filter_map(|flow| match flow {
                Value::Object(flow) => Some(told(flow, std::mem::take(&mut map))),
                _ => None,
            });
            flows.collect()
        }
        _ => vec![told(map, Map::new())],
    }
}

fn told(flow: Map<String, Value>, around: Map<String, Value>) -> Found {
    match recognised(&flow) {
        Some(system) => Found::Other(Foreign { system, flow: unpacked(flow), around }),
        None => Found::Own(Value::Object(flow)),
    }
}

fn recognised(flow: &Map<String, Value>) -> Option<System> {
    let is_packed = STORED_AS_TEXT.iter().any(|field| flow.get(*field).is_some_and(Value::is_string));
    if is_packed { system(&unpacked(flow.clone())) } else { system(flow) }
}

/// A flow as a database has it, with its JSON read. What would be nested too deeply for any answer stays text.
fn unpacked(mut flow: Map<String, Value>) -> Map<String, Value> {
    for field in STORED_AS_TEXT {
        let Some(Value::String(text)) = flow.get(field) else { continue };
        let Ok(value @ (Value::Array(_) | Value::Object(_))) = serde_json::from_str(text) else { continue };
        // Read once more at its place, where the limit of nesting counts from the flow.
        if serde_json::from_str::<Value>(&format!("{{\"\":{value}}}")).is_ok() {
            flow.insert(field.to_owned(), value);
        }
    }
    flow
}

fn system(flow: &Map<String, Value>) -> Option<System> {
    if flow.contains_key("edges") {
        return Some(System::OpenWebui);
    }
    let items = |field: &str| flow.get(field).and_then(Value::as_array).into_iter().flatten();
    let is_manifest = MANIFEST_FIELDS.iter().any(|field| flow.contains_key(*field))
        || items("nodes").any(is_manifest_node)
        || items("connections").any(|connection| {
            connection.get("targetHandle").is_some()
                || connection["sourceNodeId"] == super::manifest::LEGACY_TRIGGER
        });
    is_manifest.then_some(System::Manifest)
}

fn is_manifest_node(node: &Value) -> bool {
    let Some(kind) = node.get("type").and_then(Value::as_str) else { return node.get("slug").is_some() };
    let has = |names: &[&str]| names.iter().any(|name| node["parameters"].get(*name).is_some());
    node.get("slug").is_some()
        || MANIFEST_KINDS.contains(&kind)
        || match kind {
            "UserIntent" => has(&["toolName", "toolDescription", "whenToUse", "isActive"]),
            "ApiCall" => {
                node["parameters"]["headers"].is_array() || node["parameters"]["timeout"].is_number()
            }
            "CallFlow" => has(&["targetFlowId"]),
            "Link" => has(&["href"]),
            "Interface" => has(&["layoutTemplate"]),
            _ => false,
        }
}
