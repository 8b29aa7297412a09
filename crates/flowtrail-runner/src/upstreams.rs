//! MCP servers whose tools `McpTool` nodes call. The runner knows no MCP: whoever does implements [`Upstreams`].

use std::fmt::Debug;

use flowtrail_types::{ErrorKind, ExecutionId};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use crate::TraceContext;

/// Tools of MCP servers, as `McpTool` nodes call them.
pub trait Upstreams: Debug + Send + Sync {
    /// The names of the configured upstreams.
    fn names(&self) -> Vec<String>;

    /// Calls a tool. Dropping the future cancels the call. Has no time limit of its own: the node's holds.
    ///
    /// # Errors
    ///
    /// When the call could not be made or got no answer. A tool that says that it failed is no error here but
    /// [`UpstreamAnswer::is_error`].
    fn call<'a>(&'a self, call: UpstreamCall<'a>) -> BoxFuture<'a, Result<UpstreamAnswer, UpstreamError>>;
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct UpstreamCall<'a> {
    /// The name of a configured upstream.
    pub upstream: &'a str,
    /// The tool's name, as the upstream has it.
    pub tool: &'a str,
    /// The arguments. They may hold secrets.
    pub arguments: Map<String, Value>,
    /// The execution that calls, for a trace.
    pub execution: ExecutionId,
    /// The trace that the flow was called in, to be passed on.
    pub trace: TraceContext,
}

/// What a tool answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UpstreamAnswer {
    /// The content blocks as they came: `{"type": "text", "text": …}` and others.
    pub content: Vec<Value>,
    /// The structured content.
    pub structured: Option<Value>,
    /// Whether the tool says that it failed.
    pub is_error: bool,
    /// Whether a surrogate without a partner was replaced in it.
    pub replaced: bool,
}

/// Why a call got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UpstreamError {
    /// The same in one word.
    pub kind: ErrorKind,
    /// What happened, for people and for models.
    pub message: String,
    /// Whether the same call may well be answered the next time.
    pub is_transient: bool,
}
