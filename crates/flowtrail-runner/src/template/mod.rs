//! Templates: `{{ shape.id }}` in any string parameter, over what nodes have produced, and
//! `{{ secrets.NAME }}`.
//!
//! The language is minijinja's, cut down to what cannot hurt the process: expressions, `if` and `for`. What
//! would let a short template make a huge value (repetition, assignment, captured blocks) is refused when the
//! flow is checked, and what a template may compute, process and write is bounded when it runs. Whoever wants
//! more has the `Transform` node, whose sandbox has real limits.

mod engine;
mod filters;
mod json;
mod meter;
mod number;
mod ordering;
mod program;
mod scope;
mod syntax;

use flowtrail_types::ErrorKind;
use serde_json::Value;

pub(crate) use scope::{Scope, Shared};
pub(crate) use syntax::{has_template, names_in, secrets_in};

use syntax::Shape;

/// The most bytes that a template may write as text.
const MAX_TEXT: usize = 1024 * 1024;

/// Why a template could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateError {
    /// What happened.
    pub(crate) message: String,
    /// The same in one word.
    pub(crate) kind: ErrorKind,
}

impl TemplateError {
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { message: message.into(), kind }
    }
}

/// Renders every string within a value, at any depth; keys stay as they are. The error says at which path
/// from `field` it happened.
pub(crate) fn render(field: &str, value: &Value, scope: &Scope) -> Result<Value, TemplateError> {
    match value {
        Value::String(source) => render_string(source, scope)
            .map_err(|error| TemplateError::new(error.kind, format!("{field}: {}", error.message))),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| render(&format!("{field}[{index}]"), item, scope))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, item)| Ok((key.clone(), render(&format!("{field}.{key}"), item, scope)?)))
            .collect::<Result<_, _>>()
            .map(Value::Object),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
    }
}

fn render_string(source: &str, scope: &Scope) -> Result<Value, TemplateError> {
    if !has_template(source) {
        return Ok(Value::String(source.to_owned()));
    }
    match syntax::shape(source).map_err(|message| TemplateError::new(ErrorKind::InvalidInput, message))? {
        Shape::Alone(expression) => engine::evaluate(expression, scope),
        Shape::Text => engine::write(source, scope).map(Value::String),
    }
}

#[cfg(test)]
mod tests;
