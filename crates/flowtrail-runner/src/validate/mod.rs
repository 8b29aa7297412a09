//! Whether a flow can run: every rule that can be checked without running it.

mod bodies;
mod connections;
mod nodes;

use flowtrail_types::{FlowDefinition, FlowDraft, FlowKind, ToolName};

use crate::bodies::Bodies;
use crate::graph::Graph;
use crate::problem::Problems;
use crate::sandbox::Compiler;

pub(crate) use nodes::RESERVED;

/// The most nodes that a flow may have.
pub(crate) const MAX_NODES: usize = 500;

/// The most connections that a flow may have.
pub(crate) const MAX_CONNECTIONS: usize = 2_000;

/// The most characters that a flow's name may have.
const MAX_NAME: usize = 300;

/// Checks a draft: its name, and of a runnable flow the whole graph, down to the syntax of templates and
/// code. Nothing is run.
///
/// Takes about a millisecond for each node that has code, which is compiled: off an async executor, please,
/// when a flow is large. It needs 512 KiB of the thread's stack.
///
/// # Errors
///
/// Every problem, by node and field.
pub fn validate(draft: &FlowDraft) -> Result<(), Problems> {
    validate_with(draft, Compiler::here())
}

/// The same with code compiled elsewhere.
pub(crate) fn validate_with(draft: &FlowDraft, compiler: Compiler<'_>) -> Result<(), Problems> {
    let mut problems = Problems::default();
    check_names(draft, &mut problems);
    if draft.kind == FlowKind::Runnable {
        check_definition(&draft.definition, compiler, &mut problems);
    } else {
        let kind = draft.kind.as_str();
        if !draft.definition.nodes.is_empty() {
            problems.add("nodes", format!("must be empty: an {kind} flow runs elsewhere"));
        }
        if !draft.definition.connections.is_empty() {
            problems.add("connections", format!("must be empty: an {kind} flow runs elsewhere"));
        }
    }
    problems.or(())
}

/// Checks the graph of a runnable flow.
fn check_definition(definition: &FlowDefinition, compiler: Compiler<'_>, problems: &mut Problems) {
    let (nodes, connections) = (definition.nodes.len(), definition.connections.len());
    if nodes > MAX_NODES {
        problems.add("nodes", format!("a flow has at most {MAX_NODES} nodes, this one has {nodes}"));
    }
    if connections > MAX_CONNECTIONS {
        let message = format!("a flow has at most {MAX_CONNECTIONS} connections, this one has {connections}");
        problems.add("connections", message);
    }
    if nodes > MAX_NODES || connections > MAX_CONNECTIONS {
        // To look further into something of any size would be work of any size.
        return;
    }
    let graph = Graph::of(definition);
    let bodies = Bodies::of(&graph);
    nodes::check(&graph, compiler, problems);
    connections::check(&graph, &bodies, problems);
    bodies::check(&graph, &bodies, problems);
}

fn check_names(draft: &FlowDraft, problems: &mut Problems) {
    let length = draft.name.chars().count();
    if draft.name.trim().is_empty() {
        problems.add("name", "is missing");
    } else if length > MAX_NAME {
        problems.add("name", format!("has {length} characters, at most {MAX_NAME} are possible"));
    }
    match (draft.kind, &draft.tool_name) {
        (FlowKind::External, Some(_)) => {
            problems.add("toolName", "an external flow has none, because it is no tool of this server");
        }
        (FlowKind::Runnable, None) if length > 0 => {
            if let Err(error) = ToolName::derived_from(&draft.name) {
                let message = format!("is missing, and none can be made from the name: {error}");
                problems.add("toolName", message);
            }
        }
        _ => {}
    }
}
