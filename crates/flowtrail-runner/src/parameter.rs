//! What a flow asks for: the parameters that its trigger declares.

use std::collections::BTreeSet;

use flowtrail_types::{FlowDefinition, Node, same_json, whole_number};
use serde_json::{Map, Value};

use crate::problem::Problems;
use crate::suggest::suggestion;

/// The kind of node that triggers a flow.
pub(crate) const TRIGGER: &str = "UserIntent";

/// The most characters that a parameter's name may have.
const MAX_NAME: usize = 64;

const FIELDS: [&str; 6] = ["name", "type", "description", "required", "default", "enum"];

/// A parameter's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParameterType {
    String,
    Number,
    Integer,
    Boolean,
    Array,
    Object,
}

impl ParameterType {
    const ALL: [Self; 6] =
        [Self::String, Self::Number, Self::Integer, Self::Boolean, Self::Array, Self::Object];

    /// The type's name in JSON Schema.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Array => "array",
            Self::Object => "object",
        }
    }

    /// Whether a value is of this type. An integer may be written with a fraction of zero.
    pub(crate) fn accepts(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Integer => value.as_number().is_some_and(|number| whole_number(number).is_some()),
            Self::Boolean => value.is_boolean(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
        }
    }
}

/// A declared parameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter<'d> {
    pub(crate) name: &'d str,
    pub(crate) kind: ParameterType,
    pub(crate) description: Option<&'d str>,
    pub(crate) required: bool,
    pub(crate) default: Option<&'d Value>,
    pub(crate) allowed: Option<&'d Vec<Value>>,
}

/// The parameters that a flow's trigger declares, in order. Declarations that are not valid are left out.
pub(crate) fn declared(definition: &FlowDefinition) -> Vec<Parameter<'_>> {
    let trigger = definition.nodes.iter().find(|node| node.kind == TRIGGER);
    trigger.map_or_else(Vec::new, |node| read(node, &mut Problems::default()))
}

/// Reads a trigger's declarations, and says what is wrong with them.
pub(crate) fn read<'d>(node: &'d Node, problems: &mut Problems) -> Vec<Parameter<'d>> {
    let items = match node.parameters.get("parameters") {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => {
            problems.add_at(&node.id, "parameters.parameters", "must be an array of parameters");
            return Vec::new();
        }
    };
    let mut names = BTreeSet::new();
    let mut parameters = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let mut declaration = Declaration { node, path: format!("parameters.parameters[{index}]"), problems };
        let Some(parameter) = declaration.read(item) else { continue };
        if !names.insert(parameter.name) {
            declaration.problem("name", format!("{:?} is declared twice", parameter.name));
        }
        parameters.push(parameter);
    }
    parameters
}

/// One declaration, being read.
struct Declaration<'d, 'p> {
    node: &'d Node,
    path: String,
    problems: &'p mut Problems,
}

impl<'d> Declaration<'d, '_> {
    fn problem(&mut self, field: &str, message: impl Into<String>) {
        let field = if field.is_empty() { self.path.clone() } else { format!("{}.{field}", self.path) };
        self.problems.add_at(&self.node.id, field, message);
    }

    fn read(&mut self, item: &'d Value) -> Option<Parameter<'d>> {
        let Value::Object(fields) = item else {
            self.problem("", "must be an object with at least a name and a type");
            return None;
        };
        for field in fields.keys().filter(|field| !FIELDS.contains(&field.as_str())) {
            self.problem(field, format!("is unknown{}", suggestion(field, FIELDS)));
        }
        let name = self.name(fields);
        let kind = self.kind(fields);
        let description = self.description(fields);
        let required = self.required(fields);
        let (name, kind) = (name?, kind?);
        let default = fields.get("default").filter(|default| !default.is_null());
        let allowed = self.allowed(fields, kind);
        if let Some(default) = default {
            if !kind.accepts(default) {
                self.problem("default", format!("is no {}", kind.as_str()));
            } else if allowed.is_some_and(|allowed| !allowed.iter().any(|one| same_json(one, default))) {
                self.problem("default", "is not one of the values of enum");
            }
        }
        Some(Parameter { name, kind, description, required, default, allowed })
    }

    fn name(&mut self, fields: &'d Map<String, Value>) -> Option<&'d str> {
        match fields.get("name") {
            Some(Value::String(name)) if (1..=MAX_NAME).contains(&name.chars().count()) => Some(name),
            Some(Value::String(_)) => {
                self.problem("name", format!("must have 1 to {MAX_NAME} characters"));
                None
            }
            Some(_) => {
                self.problem("name", "must be a string");
                None
            }
            None => {
                self.problem("name", "is missing");
                None
            }
        }
    }

    fn kind(&mut self, fields: &Map<String, Value>) -> Option<ParameterType> {
        let expected = "string, number, integer, boolean, array or object";
        let Some(kind) = fields.get("type") else {
            self.problem("type", format!("is missing, expected {expected}"));
            return None;
        };
        let known =
            kind.as_str().and_then(|kind| ParameterType::ALL.into_iter().find(|k| k.as_str() == kind));
        if known.is_none() {
            self.problem("type", format!("{kind} is no type, expected {expected}"));
        }
        known
    }

    fn description(&mut self, fields: &'d Map<String, Value>) -> Option<&'d str> {
        match fields.get("description") {
            None | Some(Value::Null) => None,
            Some(Value::String(description)) => Some(description),
            Some(_) => {
                self.problem("description", "must be a string");
                None
            }
        }
    }

    fn required(&mut self, fields: &Map<String, Value>) -> bool {
        match fields.get("required") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(required)) => *required,
            Some(_) => {
                self.problem("required", "must be true or false");
                false
            }
        }
    }

    fn allowed(&mut self, fields: &'d Map<String, Value>, kind: ParameterType) -> Option<&'d Vec<Value>> {
        let allowed = match fields.get("enum") {
            None | Some(Value::Null) => return None,
            Some(Value::Array(allowed)) if !allowed.is_empty() => allowed,
            Some(_) => {
                self.problem("enum", "must be an array with at least one value");
                return None;
            }
        };
        for (index, _) in allowed.iter().enumerate().filter(|(_, value)| !kind.accepts(value)) {
            self.problem(&format!("enum[{index}]"), format!("is no {}", kind.as_str()));
        }
        Some(allowed)
    }
}
