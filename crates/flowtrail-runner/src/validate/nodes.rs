//! Rules for nodes: their ids and kinds, the one trigger, and what each kind asks of its parameters.

use std::collections::BTreeSet;

use flowtrail_types::Node;

use crate::duration::parse_timeout;
use crate::graph::Graph;
use crate::nodes::{Check, UnknownKind, kind_named};
use crate::parameter::TRIGGER;
use crate::problem::Problems;
use crate::sandbox::Compiler;

/// Ids that would hide what templates and code call by these names.
pub(crate) const RESERVED: [&str; 11] =
    ["secrets", "input", "nodes", "loop", "self", "true", "false", "none", "True", "False", "None"];

/// The most characters of an id.
const MAX_ID: usize = 100;

/// The most characters of a name.
const MAX_NAME: usize = 300;

pub(super) fn check(graph: &Graph<'_>, compiler: Compiler<'_>, problems: &mut Problems) {
    let nodes = &graph.definition.nodes;
    check_trigger(nodes, problems);
    let mut ids = BTreeSet::new();
    for (index, node) in nodes.iter().enumerate() {
        check_id(index, node, problems);
        if !node.id.is_empty() && !ids.insert(node.id.as_str()) {
            problems.add_at(&node.id, "id", "is the id of two nodes");
        }
        if node.name.chars().count() > MAX_NAME {
            problems.add_at(&node.id, "name", format!("has more than {MAX_NAME} characters"));
        }
        if let Some(Err(message)) = node.timeout.as_deref().map(parse_timeout) {
            problems.add_at(&node.id, "timeout", message);
        }
        match kind_named(&node.kind) {
            Ok(kind) => kind.check(&mut Check::new(graph, index, compiler, problems)),
            Err(UnknownKind(message)) => problems.add_at(&node.id, "type", message),
        }
    }
}

fn check_trigger(nodes: &[Node], problems: &mut Problems) {
    let triggers: Vec<&str> =
        nodes.iter().filter(|node| node.kind == TRIGGER).map(|node| node.id.as_str()).collect();
    match triggers.as_slice() {
        [_] => {}
        [] => problems.add("nodes", format!("a flow has one {TRIGGER}, its trigger, and this one has none")),
        several => {
            let message =
                format!("a flow has one {TRIGGER}, this one has {}: {}", several.len(), several.join(", "));
            problems.add("nodes", message);
        }
    }
}

fn check_id(index: usize, node: &Node, problems: &mut Problems) {
    let mut characters = node.id.chars();
    let starts = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    if node.id.is_empty() {
        problems.add(format!("nodes[{index}].id"), "is missing");
    } else if !starts || !characters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let message =
            "is no identifier: letters, digits and _, not a digit first (so that templates can name it)";
        problems.add_at(&node.id, "id", message);
    } else if node.id.len() > MAX_ID {
        problems.add_at(&node.id, "id", format!("has more than {MAX_ID} characters"));
    } else if RESERVED.contains(&node.id.as_str()) {
        problems.add_at(&node.id, "id", "is a name that templates keep for themselves");
    }
}
