//! History for agents: tools that ask for it, and executions as resources.
//!
//! They say what the REST API says, in the same shapes: `tools` are questions, `resource` is one execution.

mod arguments;
mod questions;
mod resource;

use flowtrail_tracker::{Tracker, TrackerError};
use flowtrail_types::{Principal, read_json_value};
use rmcp::model::{CallToolResult, ContentBlock, JsonObject, Tool};
use serde_json::Value;

use crate::answer;

pub(crate) use questions::{Question, question, tools};
pub(crate) use resource::{listed, read, templates};

/// What Flowtrail's own tools begin with. No flow's name does.
pub(crate) const PREFIX: &str = "flowtrail_";

/// Answers a question. What is wrong with it is for the model to read.
pub(crate) async fn ask(
    question: &'static Question,
    tracker: &Tracker,
    principal: Principal,
    arguments: JsonObject,
) -> CallToolResult {
    let tracker = tracker.clone();
    let asked = tokio::task::spawn_blocking(move || {
        let mut arguments = arguments::Arguments::new(arguments);
        (question.ask)(&tracker, &principal, &mut arguments)
    });
    match asked.await {
        Ok(Ok(value)) => {
            let mut result = CallToolResult::success(vec![ContentBlock::text(value.to_string())]);
            result.structured_content = Some(value);
            result
        }
        Ok(Err(error)) => answer::failure(&error),
        Err(error) => {
            log::error!("a question about the history broke off: {error}");
            answer::failure("something went wrong inside Flowtrail")
        }
    }
}

/// A tool's failure, in words that a model can act on.
fn in_words(error: &TrackerError) -> String {
    match error {
        TrackerError::NotFound(what) => format!("there is no such {what}, or you may not see it"),
        TrackerError::Store(_) => {
            log::error!("a question about the history failed: {error}");
            "the database did not answer; try again".to_owned()
        }
        other => other.to_string(),
    }
}

fn json(value: &impl serde::Serialize) -> Result<Value, String> {
    // By way of its text, in which numbers stand as they were sent.
    serde_json::to_vec(value).and_then(|text| read_json_value(&text)).map_err(|error| {
        log::error!("an answer about the history cannot be written: {error}");
        "something went wrong inside Flowtrail".to_owned()
    })
}

/// Tools in the form that clients list.
fn tool(name: &'static str, title: &str, description: &'static str, input: Value) -> Tool {
    let Value::Object(schema) = input else { unreachable!("a schema is an object") };
    let annotations =
        rmcp::model::ToolAnnotations::with_title(title).read_only(true).idempotent(true).open_world(false);
    Tool::new(name, description, schema).with_title(title).with_annotations(annotations)
}
