//! What a call is answered with.

use flowtrail_runner::{Finished, Problems, Returned};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{ErrorInfo, ExecutionId, json_object};
use rmcp::model::{CallToolResult, ContentBlock, JsonObject, MetaObject, Resource, ResourceContents};
use serde_json::Value;

/// Under which name an answer's `_meta` tells the execution.
const EXECUTION_ID: &str = "flowtrail/executionId";

/// The answer to a call whose flow has ended. A flow that says what it gives gives that, or has failed.
pub(crate) fn finished(finished: &Finished, is_declared: bool) -> CallToolResult {
    let structured =
        |returned: &&Returned| matches!(returned, Returned::Json(_) | Returned::Interface { .. });
    let mut result = match &finished.outcome {
        Outcome::Fulfilled if is_declared && finished.returns.iter().filter(structured).count() != 1 => {
            failure("The flow declares what it answers with, and did not answer exactly once")
        }
        Outcome::Fulfilled => returned(&finished.returns),
        Outcome::Error(error) => failure(&blamed(error)),
        Outcome::Aborted(reason) => {
            let reason = reason.as_ref().map_or_else(String::new, |reason| format!(": {}", reason.message));
            failure(&format!("The call was stopped before it finished{reason}"))
        }
    };
    result.meta = Some(meta(finished.id));
    result
}

/// The answer to a call whose arguments are not what the tool takes. A result and not an error of the protocol,
/// so that the model reads it and can call again.
pub(crate) fn invalid_arguments(problems: &Problems) -> CallToolResult {
    failure(&format!("Invalid arguments, nothing was run:\n{problems}"))
}

/// A failure that the model reads.
pub(crate) fn failure(message: &str) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(message)])
}

fn blamed(error: &ErrorInfo) -> String {
    match &error.node_name {
        // A flow's timeout names the node that was running, which did not fail by itself.
        Some(node) if !error.message.contains(&format!("{node:?}")) => {
            format!("The node \"{node}\" failed: {}", error.message)
        }
        _ => error.message.clone(),
    }
}

fn meta(id: ExecutionId) -> MetaObject {
    let mut meta = JsonObject::new();
    meta.insert(EXECUTION_ID.to_owned(), Value::String(id.to_string()));
    MetaObject(meta)
}

fn returned(returns: &[Returned]) -> CallToolResult {
    let mut content = Vec::new();
    let mut structured = Vec::new();
    for returned in returns {
        match returned {
            Returned::Text(text) => content.push(ContentBlock::text(text.as_str())),
            Returned::Json(value) => {
                content.push(ContentBlock::text(value.to_string()));
                structured.push(value.clone());
            }
            Returned::Link { url, text } => {
                let name = text.as_deref().unwrap_or(url);
                content.push(ContentBlock::resource_link(Resource::new(url.as_str(), name)));
            }
            Returned::Interface { data, resource } => {
                content.push(ContentBlock::text(data.to_string()));
                structured.push(data.clone());
                content.extend(resource.as_ref().and_then(embedded));
            }
        }
    }
    let mut result = CallToolResult::success(content);
    result.structured_content = match structured.len() {
        0 => None,
        1 => structured.pop().map(as_object),
        _ => Some(json_object([("results", structured.into())])),
    };
    result
}

/// Structured content is an object; anything else is put into one.
fn as_object(value: Value) -> Value {
    if value.is_object() { value } else { json_object([("result", value)]) }
}

/// The UI resource of an Interface node.
fn embedded(resource: &Value) -> Option<ContentBlock> {
    let text_of = |field| resource.get(field).and_then(Value::as_str);
    let uri = text_of("uri")?;
    let contents = ResourceContents::text(text_of("text").unwrap_or_default(), uri);
    Some(ContentBlock::resource(match text_of("mimeType") {
        Some(mime_type) => contents.with_mime_type(mime_type),
        None => contents,
    }))
}
