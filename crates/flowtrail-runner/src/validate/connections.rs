//! Rules for connections: they lead from a node to another, by ways out that there are, and never in circles.

use std::collections::BTreeSet;

use flowtrail_types::Connection;

use crate::bodies::Bodies;
use crate::graph::{Edge, Graph};
use crate::nodes::{ERROR, kind_named};
use crate::parameter::TRIGGER;
use crate::problem::Problems;
use crate::suggest::suggestion;

/// How many circles are told; one usually shows the mistake.
const MAX_CYCLES: usize = 10;

pub(super) fn check(graph: &Graph<'_>, bodies: &Bodies, problems: &mut Problems) {
    let mut known = BTreeSet::new();
    for (index, connection) in graph.definition.connections.iter().enumerate() {
        let path = |field: &str| format!("connections[{index}]{field}");
        check_end(graph, &connection.source_node_id, &path(".sourceNodeId"), problems);
        check_end(graph, &connection.target_node_id, &path(".targetNodeId"), problems);
        let ends = (&connection.source_node_id, &connection.target_node_id);
        if ends.0 == ends.1 && !ends.0.is_empty() {
            problems.add(path(""), format!("leads from {} to itself", ends.0));
        }
        if !known.insert((ends, connection.source_handle.as_deref())) {
            problems.add(path(""), format!("is there twice: {}", spoken(connection)));
        }
    }
    for edge in &graph.edges {
        let path = format!("connections[{}]", edge.connection);
        if graph.definition.nodes[edge.target].kind == TRIGGER {
            problems.add(path.clone(), "leads into the trigger, where a flow begins");
        }
        check_handle(graph, edge, &path, problems);
    }
    // A way back to a loop is told as what it is.
    let leads_back = |step: &[usize]| bodies.is_within(step[1], step[0]);
    for cycle in graph.cycles(MAX_CYCLES).into_iter().filter(|cycle| !cycle.windows(2).any(leads_back)) {
        let path: Vec<&str> = cycle.iter().map(|node| graph.definition.nodes[*node].id.as_str()).collect();
        problems.add("connections", format!("lead in a circle: {}", path.join(" → ")));
    }
}

fn check_end(graph: &Graph<'_>, id: &str, path: &str, problems: &mut Problems) {
    if id.is_empty() {
        problems.add(path, "is missing");
    } else if !graph.index.contains_key(id) {
        let known = graph.definition.nodes.iter().map(|node| node.id.as_str()).filter(|id| !id.is_empty());
        problems.add(path, format!("there is no node {id:?}{}", suggestion(id, known)));
    }
}

fn check_handle(graph: &Graph<'_>, edge: &Edge<'_>, path: &str, problems: &mut Problems) {
    let source = &graph.definition.nodes[edge.source];
    // A kind that is not known has ways out that are not known either.
    let Ok(kind) = kind_named(&source.kind) else { return };
    let mut ways = kind.branches().to_vec();
    if kind.may_fail() {
        ways.push(ERROR);
    }
    let path = format!("{path}.sourceHandle");
    match edge.handle {
        None if kind.branches().is_empty() => {}
        None => {
            let ways = kind.branches().join(" or ");
            problems.add(path, format!("is missing: {} is left by {ways}", source.id));
        }
        Some(handle) if ways.contains(&handle) => {}
        Some(handle) if ways.is_empty() => {
            problems.add(path, format!("{} has only its normal way out and not {handle:?}", source.id));
        }
        Some(handle) => {
            let ways = ways.join(", ");
            problems
                .add(path, format!("{} ({}) has no way out {handle:?}, only {ways}", source.id, source.kind));
        }
    }
}

fn spoken(connection: &Connection) -> String {
    let Connection { source_node_id, target_node_id, source_handle } = connection;
    match source_handle {
        Some(handle) => format!("{source_node_id} → {target_node_id} by {handle:?}"),
        None => format!("{source_node_id} → {target_node_id}"),
    }
}
