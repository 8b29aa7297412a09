//! The kinds of nodes. Each is one file with one trait to implement.

mod api_call;
mod call_flow;
mod check;
mod conditional;
mod context;
mod interface;
mod link;
mod loops;
mod mcp_tool;
mod merge;
mod model;
mod outcome;
mod request_fields;
mod returns;
mod transform;
mod user_intent;

use std::time::Duration;

use flowtrail_types::Node;
use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::duration::parse_timeout;
use crate::retry::Retry;
use crate::suggest::suggestion;

pub(crate) use check::Check;
pub(crate) use context::NodeContext;
pub(crate) use outcome::{NodeError, Output};
pub(crate) use request_fields::{OWN_HEADERS, looks_like_credential};
pub use returns::output_schema;

/// The way out of a node that failed.
pub(crate) const ERROR: &str = "error";

/// How long a node may take when neither it nor its kind says.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// All kinds.
static KINDS: [&dyn NodeKind; 12] = [
    &user_intent::UserIntent,
    &transform::Transform,
    &api_call::ApiCall,
    &model::Model,
    &mcp_tool::McpTool,
    &call_flow::CallFlow,
    &conditional::Conditional,
    &loops::Loop,
    &merge::Merge,
    &interface::Interface,
    &link::Link,
    &returns::Return,
];

/// What a node of one kind is and does.
pub(crate) trait NodeKind: Send + Sync {
    /// The kind's name in flow files.
    fn name(&self) -> &'static str;

    /// The ways out of which it takes one; none when it is left by its normal way.
    fn branches(&self) -> &'static [&'static str] {
        &[]
    }

    /// The way out by which it repeats what hangs on it; nothing for all but loops.
    fn repeats_by(&self) -> Option<&'static str> {
        None
    }

    /// Whether it may fail, and so be left by [`ERROR`].
    fn may_fail(&self) -> bool {
        true
    }

    /// Whether it is done in a moment and leaves no trace outside of this process: then it does not matter when its execution is
    /// first written, as long as nobody was told of it.
    fn is_brief(&self) -> bool {
        false
    }

    /// How long this node may take; absent when only the flow's timeout bounds it.
    fn timeout(&self, node: &Node) -> Option<Duration> {
        Some(own_timeout(node).unwrap_or(DEFAULT_TIMEOUT))
    }

    /// How often this node is tried when it fails; absent when once has to be enough.
    fn retry(&self, _: &Node) -> Option<Retry> {
        None
    }

    /// Checks a node's parameters, as far as that is possible without running it.
    fn check(&self, check: &mut Check<'_, '_>);

    /// Runs a node. Dropping the future stops it.
    fn run<'c>(&self, context: &'c NodeContext<'c>) -> BoxFuture<'c, Result<Output, NodeError>>;
}

/// Why there is no such kind, for a person.
#[derive(Debug)]
pub(crate) struct UnknownKind(pub(crate) String);

/// The kind of this name.
pub(crate) fn kind_named(name: &str) -> Result<&'static dyn NodeKind, UnknownKind> {
    if let Some(kind) = KINDS.into_iter().find(|kind| kind.name() == name) {
        return Ok(kind);
    }
    let known = || KINDS.into_iter().map(NodeKind::name);
    Err(UnknownKind(match name {
        "" => format!("is missing, known are {}", known().collect::<Vec<_>>().join(", ")),
        name => format!("{name:?} is no kind of node{}", suggestion(name, known())),
    }))
}

/// The timeout that a node sets for itself. What cannot be read was refused when the flow was checked.
fn own_timeout(node: &Node) -> Option<Duration> {
    node.timeout.as_deref().and_then(|text| parse_timeout(text).ok())
}

/// How long a node may take that has a parameter `timeout` besides: the shorter of the two, or 30 seconds.
fn asking_timeout(node: &Node) -> Duration {
    let parameter = node.parameters.get("timeout").and_then(Value::as_str);
    let parameter = parameter.and_then(|text| parse_timeout(text).ok());
    own_timeout(node).into_iter().chain(parameter).min().unwrap_or(DEFAULT_TIMEOUT)
}

/// The parameter `retry` of a node. What cannot be read was refused when the flow was checked.
fn own_retry(node: &Node) -> Option<Retry> {
    node.parameters.get("retry").and_then(|retry| Retry::read(retry).ok())
}
