//! `McpTool`: calls a tool of a configured upstream. Its output is `{content, structured?, text}`.

use std::time::Duration;

use flowtrail_types::{ErrorKind, Node};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use super::{Check, NodeContext, NodeError, NodeKind, Output, asking_timeout, own_retry};
use crate::excerpt::excerpt;
use crate::retry::{Cause, Retry};
use crate::suggest::suggestion;
use crate::template::has_template;
use crate::{UpstreamAnswer, UpstreamCall, UpstreamError, Upstreams};

/// How many characters of what a tool says are told in the message of a failure.
const MAX_MESSAGE: usize = 2_000;

pub(super) struct McpTool;

impl NodeKind for McpTool {
    fn name(&self) -> &'static str {
        "McpTool"
    }

    fn timeout(&self, node: &Node) -> Option<Duration> {
        Some(asking_timeout(node))
    }

    fn retry(&self, node: &Node) -> Option<Retry> {
        own_retry(node)
    }

    fn check(&self, check: &mut Check<'_, '_>) {
        // Not whether there is such an upstream: a flow may come from another server.
        check.only(&["upstream", "tool", "arguments", "timeout", "retry"]);
        for parameter in ["upstream", "tool"] {
            check.required_text(parameter);
            check.templates(parameter);
        }
        let is_object = |value: &Value| value.is_object() || value.as_str().is_some_and(has_template);
        if check.parameter("arguments").is_some_and(|arguments| !is_object(arguments)) {
            check.problem("arguments", "must be an object, or a template that gives one");
        }
        check.templates("arguments");
        check.timeout();
        check.retry();
    }

    fn run<'c>(&self, context: &'c NodeContext<'c>) -> BoxFuture<'c, Result<Output, NodeError>> {
        Box::pin(run(context))
    }
}

async fn run(context: &NodeContext<'_>) -> Result<Output, NodeError> {
    let upstream = context.rendered_text("upstream")?.unwrap_or_default();
    let tool = context.rendered_text("tool")?.unwrap_or_default();
    let arguments = match context.rendered("arguments")? {
        None => Map::new(),
        Some(Value::Object(arguments)) => arguments,
        Some(_) => return Err(NodeError::malformed("arguments", "must be an object")),
    };
    let upstreams = configured(context.runner.upstreams(), &upstream)?;
    let (execution, trace) = (context.execution, context.call.trace());
    let call = UpstreamCall { upstream: &upstream, tool: &tool, arguments, execution, trace };
    let spoken = format!("tool {tool:?} of upstream {upstream:?}");
    let answer = upstreams.call(call).await.map_err(|error| unanswered(&spoken, error))?;
    let text = texts(&answer.content);
    if !answer.is_error {
        return Ok(Output { replaced: answer.replaced, ..Output::of(output(answer, text)) });
    }
    let said = match text.trim() {
        "" => String::new(),
        text => format!(": {}", excerpt(text, MAX_MESSAGE)),
    };
    let message = format!("{spoken} failed{said}");
    let replaced = answer.replaced;
    let error = NodeError::new(ErrorKind::Failed, message).with_output(output(answer, text));
    Err(NodeError { replaced, ..error })
}

/// The upstreams, if one of them has this name.
fn configured<'u>(upstreams: Option<&'u dyn Upstreams>, name: &str) -> Result<&'u dyn Upstreams, NodeError> {
    let names = upstreams.map(Upstreams::names).unwrap_or_default();
    match upstreams {
        Some(upstreams) if names.iter().any(|known| known == name) => Ok(upstreams),
        _ if names.is_empty() => {
            let message = format!("upstream {name:?} is not configured on this server, which has none");
            Err(NodeError::new(ErrorKind::Failed, message))
        }
        _ => {
            let hint = suggestion(name, names.iter().map(String::as_str));
            let known = names.join(", ");
            let message = match hint.ends_with('?') {
                true => format!("upstream {name:?} is not configured{hint} Known are {known}"),
                false => format!("upstream {name:?} is not configured{hint}"),
            };
            Err(NodeError::new(ErrorKind::Failed, message))
        }
    }
}

fn unanswered(spoken: &str, UpstreamError { kind, message, is_transient }: UpstreamError) -> NodeError {
    let cause = if kind == ErrorKind::Timeout { Cause::Timeout } else { Cause::Network };
    let error = NodeError::new(kind, format!("{spoken}: {}", excerpt(&message, MAX_MESSAGE)));
    if is_transient { error.transient(cause) } else { error }
}

/// The text blocks, a line each.
fn texts(content: &[Value]) -> String {
    let is_text = |block: &&Value| block.get("type").and_then(Value::as_str) == Some("text");
    let texts = content.iter().filter(is_text).filter_map(|block| block.get("text")?.as_str());
    texts.collect::<Vec<_>>().join("\n")
}

fn output(answer: UpstreamAnswer, text: String) -> Value {
    let mut output = Map::new();
    output.insert("content".to_owned(), Value::Array(answer.content));
    if let Some(structured) = answer.structured {
        output.insert("structured".to_owned(), structured);
    }
    output.insert("text".to_owned(), Value::String(text));
    Value::Object(output)
}
