//! The values of configured secrets where none belongs: in what a flow's definition says.

use flowtrail_types::{Flow, Node};
use serde_json::Value;

use crate::tracker::Inner;
use crate::{Redactor, TrackerError};

impl Inner {
    /// Refuses a flow that holds the value of a configured secret. Of a flow that is changed only what differs from before
    /// is looked at: a stored flow of an earlier version can still be switched off or shared.
    pub(super) fn refuse_secrets(&self, flow: &Flow, before: Option<&Flow>) -> Result<(), TrackerError> {
        let redactor = &self.redactor;
        let texts = |flow: &Flow| {
            let tool_name = flow.tool_name.as_ref().map(ToString::to_string).unwrap_or_default();
            [("name", flow.name.clone()), ("toolName", tool_name), ("description", flow.description.clone())]
        };
        let old = before.map(texts);
        for (index, (field, text)) in texts(flow).into_iter().enumerate() {
            let is_old = old.as_ref().is_some_and(|old| old[index].1 == text);
            if !is_old && redactor.knows(&text) {
                return Err(TrackerError::HoldsSecret { node: None, field: field.to_owned() });
            }
        }
        if before.is_some_and(|before| before.definition == flow.definition) {
            return Ok(());
        }
        let found = flow.definition.nodes.iter().find_map(|node| Some((node, place_in(redactor, node)?)));
        let Some((node, field)) = found else { return Ok(()) };
        // The place may be named by the secret itself.
        let clean = |text: &str| redactor.redact_name(text).into_owned();
        Err(TrackerError::HoldsSecret { node: Some(clean(&node.id)), field: clean(&field) })
    }
}

/// The first field of a node that holds a secret's value.
fn place_in(redactor: &Redactor, node: &Node) -> Option<String> {
    let timeout = node.timeout.as_deref().unwrap_or_default();
    let texts = [("id", node.id.as_str()), ("name", &node.name), ("type", &node.kind), ("timeout", timeout)];
    let text = texts.into_iter().find(|(_, text)| redactor.knows(text)).map(|(field, _)| field.to_owned());
    let parameters = || {
        node.parameters.iter().find_map(|(key, value)| {
            let path = format!("parameters.{key}");
            if redactor.knows(key) { Some(path) } else { place_of(redactor, path, value) }
        })
    };
    let position = || place_of(redactor, "position".to_owned(), node.position.as_ref()?);
    text.or_else(parameters).or_else(position)
}

/// The place in a value, under this path, that holds a secret's value.
fn place_of(redactor: &Redactor, path: String, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => redactor.knows(text).then_some(path),
        Value::Number(_) => redactor.redact(value).1.then_some(path),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| place_of(redactor, format!("{path}[{index}]"), item))
        }
        Value::Object(members) => members.iter().find_map(|(key, value)| {
            let path = format!("{path}.{key}");
            if redactor.knows(key) { Some(path) } else { place_of(redactor, path, value) }
        }),
        Value::Null | Value::Bool(_) => None,
    }
}
