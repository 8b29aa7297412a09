//! Calling a flow: its parameters as JSON Schema, and arguments checked against them.

use flowtrail_types::{FlowDefinition, same_json, whole_number};
use serde_json::{Map, Value, json};

use crate::parameter::{Parameter, ParameterType, declared};
use crate::problem::Problems;
use crate::suggest::suggestion;

/// What a flow may be called with, as a JSON Schema object (2020-12) made from the trigger's parameters.
#[must_use]
pub fn input_schema(definition: &FlowDefinition) -> Map<String, Value> {
    let parameters = declared(definition);
    let required: Vec<&str> = parameters.iter().filter(|p| p.required).map(|p| p.name).collect();
    let properties = parameters.iter().map(|p| (p.name.to_owned(), property(p))).collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema
}

/// The name of the first parameter that a flow declares.
#[must_use]
pub fn first_parameter(definition: &FlowDefinition) -> Option<&str> {
    declared(definition).first().map(|parameter| parameter.name)
}

/// Checks arguments against what a flow declares, and fills in defaults. Null for a parameter that is not
/// required counts as absent; an integer written with a fraction of zero becomes one without.
///
/// # Errors
///
/// Every problem, with the parameter as its field.
pub fn check_arguments(
    definition: &FlowDefinition,
    mut arguments: Map<String, Value>,
) -> Result<Map<String, Value>, Problems> {
    let parameters = declared(definition);
    let mut problems = Problems::default();
    for name in arguments.keys() {
        if !parameters.iter().any(|parameter| parameter.name == name) {
            let known = parameters.iter().map(|parameter| parameter.name);
            problems.add(name, format!("is no parameter of this flow{}", suggestion(name, known)));
        }
    }
    let mut checked = Map::new();
    for parameter in &parameters {
        let given = arguments.remove(parameter.name);
        if let Some(value) = argument(parameter, given, &mut problems) {
            checked.insert(parameter.name.to_owned(), value);
        }
    }
    problems.or(checked)
}

fn property(parameter: &Parameter<'_>) -> Value {
    let mut property = Map::new();
    property.insert("type".to_owned(), json!(parameter.kind.as_str()));
    if let Some(description) = parameter.description {
        property.insert("description".to_owned(), json!(description));
    }
    if let Some(default) = parameter.default {
        property.insert("default".to_owned(), default.clone());
    }
    if let Some(allowed) = parameter.allowed {
        property.insert("enum".to_owned(), json!(allowed));
    }
    Value::Object(property)
}

fn argument(parameter: &Parameter<'_>, given: Option<Value>, problems: &mut Problems) -> Option<Value> {
    let optional = !parameter.required || parameter.default.is_some();
    let value = match given {
        None => None,
        Some(Value::Null) if optional => None,
        Some(value) => Some(value),
    };
    let Some(value) = value else {
        if !optional {
            problems.add(parameter.name, format!("is missing, expected {}", parameter.kind.as_str()));
        }
        return parameter.default.cloned();
    };
    if !parameter.kind.accepts(&value) {
        let message = format!("expected {}, got {}", parameter.kind.as_str(), described(&value));
        problems.add(parameter.name, message);
        return None;
    }
    let value = if parameter.kind == ParameterType::Integer { whole(value) } else { value };
    if let Some(allowed) =
        parameter.allowed.filter(|allowed| !allowed.iter().any(|one| same_json(one, &value)))
    {
        let allowed: Vec<String> = allowed.iter().map(Value::to_string).collect();
        problems.add(parameter.name, format!("must be one of {}", allowed.join(", ")));
        return None;
    }
    Some(value)
}

/// `3.0` as `3`.
fn whole(value: Value) -> Value {
    let whole = value.as_number().and_then(whole_number).map(Value::Number);
    whole.unwrap_or(value)
}

/// A value for a person: its type, and itself when it is short.
fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(value) => format!("the number {value}"),
        Value::String(text) if text.chars().count() <= 40 => format!("the string {text:?}"),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
