//! From JSON to a draft, field by field, so that every problem is found and none hides another.

use std::time::Duration;

use flowtrail_types::{
    Access, CapturePolicy, Connection, FlowDefinition, FlowDraft, FlowId, FlowKind, Node, Retention,
    ToolName, UserId,
};
use serde_json::{Map, Value};

use crate::duration::parse_timeout;
use crate::problem::Problems;
use crate::suggest::suggestion;

const FLOW_FIELDS: [&str; 12] = [
    "name",
    "toolName",
    "description",
    "timeout",
    "nodes",
    "connections",
    "active",
    "capture",
    "access",
    "kind",
    "id",
    "retention",
];
const NODE_FIELDS: [&str; 6] = ["id", "name", "type", "parameters", "timeout", "position"];
const CONNECTION_FIELDS: [&str; 3] = ["sourceNodeId", "targetNodeId", "sourceHandle"];
const ACCESS_FIELDS: [&str; 3] = ["read", "write", "public"];

/// What the server says of a flow and nobody can tell it.
const ASSIGNED_FIELDS: [&str; 4] = ["version", "ownerId", "createdAt", "updatedAt"];

/// Reads a flow as far as it can be read. Nothing when it is not even an object.
pub(super) fn flow(value: Value, problems: &mut Problems) -> Option<FlowDraft> {
    let Value::Object(mut fields) = value else {
        problems.add("", "a flow is a JSON object with at least a name");
        return None;
    };
    for field in ASSIGNED_FIELDS {
        if fields.remove(field).is_some() {
            problems.add(field, "is given by the server and cannot be set");
        }
    }
    let mut reader = Reader { problems, node: None, path: String::new() };
    reader.refuse_unknown(&fields, &FLOW_FIELDS);
    let name = reader.text(&mut fields, "name");
    let kind = reader.word(&mut fields, "kind").unwrap_or_default();
    let mut draft = FlowDraft::new(kind, name.unwrap_or_default());
    draft.id = reader.text(&mut fields, "id").and_then(|id| reader.id::<FlowId>("id", &id));
    draft.description = reader.text(&mut fields, "description").unwrap_or_default();
    draft.active = reader.flag(&mut fields, "active").unwrap_or(true);
    draft.timeout = reader.text(&mut fields, "timeout").and_then(|text| reader.timeout("timeout", &text));
    draft.capture = reader.word::<CapturePolicy>(&mut fields, "capture").unwrap_or_default();
    draft.access = reader.access(&mut fields);
    draft.definition = FlowDefinition {
        nodes: reader.list(&mut fields, "nodes", node),
        connections: reader.list(&mut fields, "connections", connection),
    };
    draft.tool_name = tool_name(&mut reader, &mut fields, &draft);
    draft.retention = retention(&mut reader, &mut fields);
    Some(draft)
}

fn retention(reader: &mut Reader<'_>, fields: &mut Map<String, Value>) -> Option<Retention> {
    let rules = fields.remove("retention").filter(|rules| !rules.is_null())?;
    serde_json::from_value(rules)
        .map_err(|error| {
            let expected = r#"{"maxCount"?, "maxAge"?, "maxErrorAge"?, "maxBytes"?}, ages like "30d""#;
            reader.problem("retention", format!("expected {expected}: {error}"));
        })
        .ok()
}

fn tool_name(
    reader: &mut Reader<'_>,
    fields: &mut Map<String, Value>,
    draft: &FlowDraft,
) -> Option<ToolName> {
    if let Some(text) = reader.text(fields, "toolName") {
        return text.parse().map_err(|error| reader.problem("toolName", format!("{error}"))).ok();
    }
    if draft.kind != FlowKind::Runnable {
        return None;
    }
    // A name that cannot be turned into a tool name is found by the validation.
    ToolName::derived_from(&draft.name).ok()
}

fn node(value: Value, reader: &mut Reader<'_>) -> Option<Node> {
    let mut fields = reader.object(value)?;
    let id = reader.text(&mut fields, "id").unwrap_or_default();
    if !id.is_empty() {
        // From here on problems are told by the node's id and no longer by its place.
        reader.node = Some(id.clone());
        reader.path = String::new();
    }
    reader.refuse_unknown(&fields, &NODE_FIELDS);
    let parameters = match fields.remove("parameters") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(parameters)) => parameters,
        Some(_) => {
            reader.problem("parameters", "must be an object");
            Map::new()
        }
    };
    Some(Node {
        id,
        name: reader.text(&mut fields, "name").unwrap_or_default(),
        kind: reader.text(&mut fields, "type").unwrap_or_default(),
        parameters,
        timeout: reader.text(&mut fields, "timeout"),
        position: fields.remove("position").filter(|position| !position.is_null()),
    })
}

fn connection(value: Value, reader: &mut Reader<'_>) -> Option<Connection> {
    let mut fields = reader.object(value)?;
    reader.refuse_unknown(&fields, &CONNECTION_FIELDS);
    Some(Connection {
        source_node_id: reader.text(&mut fields, "sourceNodeId").unwrap_or_default(),
        target_node_id: reader.text(&mut fields, "targetNodeId").unwrap_or_default(),
        source_handle: reader.text(&mut fields, "sourceHandle"),
    })
}

/// Takes fields out of objects, and notes what is wrong with them.
struct Reader<'p> {
    problems: &'p mut Problems,
    node: Option<String>,
    path: String,
}

impl Reader<'_> {
    fn problem(&mut self, field: &str, message: impl Into<String>) {
        let field = match (self.path.as_str(), field) {
            ("", field) => field.to_owned(),
            (path, "") => path.to_owned(),
            (path, field) => format!("{path}.{field}"),
        };
        match &self.node {
            Some(node) => self.problems.add_at(node, field, message),
            None => self.problems.add(field, message),
        }
    }

    fn refuse_unknown(&mut self, fields: &Map<String, Value>, known: &[&str]) {
        for field in fields.keys().filter(|field| !known.contains(&field.as_str())) {
            self.problem(field, format!("is unknown{}", suggestion(field, known.iter().copied())));
        }
    }

    fn object(&mut self, value: Value) -> Option<Map<String, Value>> {
        match value {
            Value::Object(fields) => Some(fields),
            _ => {
                self.problem("", "must be an object");
                None
            }
        }
    }

    fn text(&mut self, fields: &mut Map<String, Value>, field: &str) -> Option<String> {
        match fields.remove(field) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(_) => {
                self.problem(field, "must be a string");
                None
            }
        }
    }

    fn flag(&mut self, fields: &mut Map<String, Value>, field: &str) -> Option<bool> {
        match fields.remove(field) {
            None | Some(Value::Null) => None,
            Some(Value::Bool(flag)) => Some(flag),
            Some(_) => {
                self.problem(field, "must be true or false");
                None
            }
        }
    }

    fn word<T: std::str::FromStr<Err: std::fmt::Display>>(
        &mut self,
        fields: &mut Map<String, Value>,
        field: &str,
    ) -> Option<T> {
        let text = self.text(fields, field)?;
        text.parse().map_err(|error: T::Err| self.problem(field, error.to_string())).ok()
    }

    fn id<T: std::str::FromStr>(&mut self, field: &str, text: &str) -> Option<T> {
        text.parse().map_err(|_| self.problem(field, format!("{text:?} is no UUID"))).ok()
    }

    fn timeout(&mut self, field: &str, text: &str) -> Option<Duration> {
        parse_timeout(text).map_err(|message| self.problem(field, message)).ok()
    }

    fn access(&mut self, fields: &mut Map<String, Value>) -> Access {
        let mut access = match fields.remove("access") {
            None | Some(Value::Null) => return Access::default(),
            Some(Value::Object(access)) => access,
            Some(_) => {
                self.problem("access", "must be an object");
                return Access::default();
            }
        };
        let mut reader = Reader { problems: self.problems, node: None, path: "access".to_owned() };
        reader.refuse_unknown(&access, &ACCESS_FIELDS);
        let public = reader.flag(&mut access, "public").unwrap_or_default();
        let user = |value: Value, reader: &mut Reader<'_>| match value.as_str() {
            Some(text) => reader.id::<UserId>("", text),
            None => {
                reader.problem("", "must be a user's id");
                None
            }
        };
        Access {
            read: reader.list(&mut access, "read", user),
            write: reader.list(&mut access, "write", user),
            public,
        }
    }

    fn list<T>(
        &mut self,
        fields: &mut Map<String, Value>,
        field: &str,
        item: impl Fn(Value, &mut Reader<'_>) -> Option<T>,
    ) -> Vec<T> {
        let values = match fields.remove(field) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Array(values)) => values,
            Some(_) => {
                self.problem(field, "must be an array");
                return Vec::new();
            }
        };
        let path = if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) };
        let mut items = Vec::with_capacity(values.len());
        for (index, value) in values.into_iter().enumerate() {
            let path = format!("{path}[{index}]");
            let mut reader = Reader { problems: self.problems, node: self.node.clone(), path };
            items.extend(item(value, &mut reader));
        }
        items
    }
}
