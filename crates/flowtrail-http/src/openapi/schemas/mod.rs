//! The shapes of bodies, by name. Each has an example, which is what the page to try the API starts with.

mod errors;
mod executions;
mod flows;
mod openwebui;
mod people;
mod reports;

use serde_json::{Map, Value, json};

/// All of them.
pub(super) fn components() -> Map<String, Value> {
    let parts = [
        errors::schemas(),
        executions::schemas(),
        flows::schemas(),
        openwebui::schemas(),
        people::schemas(),
        reports::schemas(),
    ];
    parts.into_iter().flat_map(entries).collect()
}

fn entries(part: Value) -> Map<String, Value> {
    match part {
        Value::Object(part) => part,
        other => unreachable!("schemas have names, got {other}"),
    }
}

/// A UUID.
fn id(means: &str) -> Value {
    json!({"type": "string", "format": "uuid", "description": means})
}

/// A time, in UTC with milliseconds.
fn time(means: &str) -> Value {
    json!({"type": "string", "format": "date-time", "description": means})
}

fn text(means: &str) -> Value {
    json!({"type": "string", "description": means})
}

fn flag(means: &str) -> Value {
    json!({"type": "boolean", "description": means})
}

/// A whole number, this one or more.
fn count(least: i32, means: &str) -> Value {
    json!({"type": "integer", "minimum": least, "description": means})
}

/// Milliseconds, or any other figure that is not below 0.
fn figure(means: &str) -> Value {
    json!({"type": "number", "minimum": 0, "description": means})
}

/// Any JSON.
fn any(means: &str) -> Value {
    json!({"description": means})
}

fn list(of: Value, means: &str) -> Value {
    json!({"type": "array", "items": of, "description": means})
}

/// What the caller may do, for who asks.
fn allowed(acts: Value, means: &str) -> Value {
    json!({"type": "array", "items": acts, "uniqueItems": true, "description": means})
}

/// Another schema.
pub(super) fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The same, or null.
fn or_null(mut of: Value) -> Value {
    if let Some(kind) = of.get("type").cloned() {
        of["type"] = json!([kind, "null"]);
        return of;
    }
    json!({"oneOf": [of, {"type": "null"}]})
}

/// An object with these properties and no others.
fn object(required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

/// An object that always has all of these properties, and no others.
fn whole(properties: Value) -> Value {
    let names: Vec<String> = match &properties {
        Value::Object(properties) => properties.keys().cloned().collect(),
        _ => Vec::new(),
    };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    object(&names, properties)
}

/// An object that may have these properties as well.
fn besides(mut of: Value, optional: Value) -> Value {
    of["properties"] = both(of["properties"].take(), optional);
    of
}

/// With what it means and an example of it.
fn shown(mut of: Value, means: &str, example: Value) -> Value {
    of["description"] = json!(means);
    of["examples"] = json!([example]);
    of
}

/// The properties of one and then of another.
fn both(one: Value, other: Value) -> Value {
    let mut all = entries(one);
    all.extend(entries(other));
    Value::Object(all)
}
