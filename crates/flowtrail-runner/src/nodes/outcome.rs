//! What comes of a node.

use flowtrail_types::{ErrorKind, Json};
use serde_json::Value;

use crate::Returned;
use crate::http::HttpError;
use crate::retry::{Cause, Transient};
use crate::sandbox::ScriptError;
use crate::template::TemplateError;

/// What a node gives when it ends as it should.
#[derive(Debug)]
pub(crate) struct Output {
    /// What the nodes after it are given.
    pub(crate) value: Value,
    /// Whether a surrogate without a partner was replaced in it.
    pub(crate) replaced: bool,
    /// Which of its branches it takes.
    pub(crate) branch: Option<&'static str>,
    /// What it answers to whoever called the flow.
    pub(crate) returned: Option<Returned>,
}

impl Output {
    /// A value, by the normal way.
    pub(super) fn of(value: Value) -> Self {
        Self { value, replaced: false, branch: None, returned: None }
    }

    /// A value as it was read, by the normal way.
    pub(super) fn of_json(json: Json) -> Self {
        Self { replaced: json.replaced.is_any(), ..Self::of(json.value) }
    }

    /// A value that is also an answer.
    pub(super) fn answering(value: Value, returned: Returned) -> Self {
        Self { returned: Some(returned), ..Self::of(value) }
    }
}

/// Why a node failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NodeError {
    /// What happened, for people and for models.
    pub(crate) message: String,
    /// The same in one word.
    pub(crate) kind: ErrorKind,
    /// What it had produced by then.
    pub(crate) output: Option<Box<Value>>,
    /// Whether a surrogate without a partner was replaced in that.
    pub(crate) replaced: bool,
    /// Whether it may pass by itself, and why.
    pub(crate) transient: Option<Transient>,
    /// Of a loop, the node in its body that is to blame: its id and its name for people.
    pub(crate) blamed: Option<(String, String)>,
}

impl NodeError {
    /// An error without output.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { message: message.into(), kind, output: None, replaced: false, transient: None, blamed: None }
    }

    /// The same, with what had been produced by then.
    pub(crate) fn with_output(self, output: Value) -> Self {
        Self { output: Some(Box::new(output)), ..self }
    }

    /// The same, with what had been read by then.
    pub(super) fn with_json(self, output: Json) -> Self {
        Self { replaced: output.replaced.is_any(), ..self.with_output(output.value) }
    }

    /// The same, which may pass by itself.
    pub(crate) fn transient(self, transient: impl Into<Transient>) -> Self {
        Self { transient: Some(transient.into()), ..self }
    }

    /// The parameters are not what they were when the flow was checked.
    pub(super) fn malformed(field: &str, message: &str) -> Self {
        Self::new(ErrorKind::InvalidInput, format!("parameters.{field}: {message}"))
    }
}

impl From<TemplateError> for NodeError {
    fn from(error: TemplateError) -> Self {
        Self::new(error.kind, error.message)
    }
}

impl From<HttpError> for NodeError {
    fn from(HttpError { message, kind, is_transient }: HttpError) -> Self {
        Self { transient: is_transient.then_some(Cause::Network.into()), ..Self::new(kind, message) }
    }
}

impl From<ScriptError> for NodeError {
    fn from(error: ScriptError) -> Self {
        Self::new(error.kind, error.message)
    }
}
