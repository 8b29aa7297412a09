//! `Return`: answers with text or with JSON, which may be held to a schema.

use flowtrail_types::{ErrorKind, FlowDefinition};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use super::{Check, NodeContext, NodeError, NodeKind, Output};
use crate::Returned;

pub(super) struct Return;

/// The kinds of nodes that answer.
const ANSWERING: [&str; 3] = [RETURN, "Interface", "Link"];
const RETURN: &str = "Return";

impl NodeKind for Return {
    fn name(&self) -> &'static str {
        RETURN
    }

    fn is_brief(&self) -> bool {
        true
    }

    fn check(&self, check: &mut Check<'_, '_>) {
        check.only(&["text", "json", "schema"]);
        // A `json` of null is an answer too.
        let parameters = &check.node().parameters;
        match (check.parameter("text"), parameters.contains_key("json")) {
            (None, false) => check.problem("text", "is missing: a Return has either text or json"),
            (Some(_), true) => check.problem("json", "is one too many: a Return has either text or json"),
            _ => {}
        }
        check.text("text");
        check.templates("text");
        check.templates("json");
        if let Some(schema) = check.parameter("schema") {
            if !parameters.contains_key("json") {
                check.problem("schema", "belongs to json, and there is none");
            } else if schema["type"] != "object" {
                check.problem(
                    "schema",
                    "must be a JSON Schema with \"type\": \"object\", as tools answer with objects",
                );
            } else if let Err(error) = jsonschema::validator_for(schema) {
                check.problem("schema", format!("is no JSON Schema: {error}"));
            }
        }
    }

    fn run<'c>(&self, context: &'c NodeContext<'c>) -> BoxFuture<'c, Result<Output, NodeError>> {
        Box::pin(async {
            if let Some(text) = context.rendered_text("text")? {
                return Ok(Output::answering(Value::String(text.clone()), Returned::Text(text)));
            }
            let value = context.rendered("json")?.unwrap_or(Value::Null);
            if let Some(schema) = context.node.parameters.get("schema") {
                hold_to(schema, &value)?;
            }
            Ok(Output::answering(value.clone(), Returned::Json(value)))
        })
    }
}

/// Fails unless a value is what a schema says, telling where it is not.
fn hold_to(schema: &Value, value: &Value) -> Result<(), NodeError> {
    let validator = jsonschema::validator_for(schema)
        .map_err(|error| NodeError::malformed("schema", &error.to_string()))?;
    validator.validate(value).map_err(|error| {
        let place = error.instance_path().to_string();
        let place = if place.is_empty() { String::new() } else { format!(" at {place}") };
        // The value itself is in the error's own text; it may be long, and stands in the record.
        let what = error.masked().to_string();
        let message = format!("the answer is not what its schema says{place}: {what}");
        NodeError { output: Some(Box::new(value.clone())), ..NodeError::new(ErrorKind::Failed, message) }
    })
}

/// What a flow's answers are held to, as a JSON Schema object: there is one when each node that answers declares the
/// same.
#[must_use]
pub fn output_schema(definition: &FlowDefinition) -> Option<&Map<String, Value>> {
    let mut answering = definition.nodes.iter().filter(|node| ANSWERING.contains(&node.kind.as_str()));
    let schema = answering.next()?.parameters.get("schema").and_then(Value::as_object)?;
    let is_everywhere = answering.all(|node| {
        node.kind == RETURN && node.parameters.get("schema").and_then(Value::as_object) == Some(schema)
    });
    is_everywhere.then_some(schema)
}
