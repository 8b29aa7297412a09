//! Rules for the bodies of loops: they are there, nothing leads into them but their loop, and nothing leads out.

use crate::bodies::{Bodies, MAX_NESTED};
use crate::graph::{Edge, Graph};
use crate::problem::Problems;

pub(super) fn check(graph: &Graph<'_>, bodies: &Bodies, problems: &mut Problems) {
    for (index, node) in graph.definition.nodes.iter().enumerate() {
        let Some(way) = bodies.way(index) else { continue };
        let mut ways = graph.outgoing(index).iter().map(|edge| graph.edges[*edge].handle);
        if !ways.any(|handle| handle == Some(way)) {
            let message = format!(
                "repeats nothing: connect it by {way} to the first node of what it is to repeat, its body"
            );
            problems.add_at(&node.id, "connections", message);
        }
        if bodies.depth(index) >= MAX_NESTED {
            let message = format!("is nested too deeply: at most {MAX_NESTED} loops may stand in each other");
            problems.add_at(&node.id, "", message);
        }
    }
    for edge in &graph.edges {
        if let Some(message) = problem(graph, bodies, edge) {
            problems.add(format!("connections[{}]", edge.connection), message);
        }
    }
}

fn problem(graph: &Graph<'_>, bodies: &Bodies, edge: &Edge<'_>) -> Option<String> {
    let id = |node: usize| graph.definition.nodes[node].id.as_str();
    let (source, target) = (id(edge.source), id(edge.target));
    if bodies.leads_back(edge) {
        return Some(format!(
            "leads from {source} back to {target}, in whose body it is: no way back is needed, the next iteration \
             begins by itself when the last node of the body has ended"
        ));
    }
    if !bodies.strays(edge) {
        return None;
    }
    let owner = bodies.owner(edge.target)?;
    let (owner, way) = (id(owner), bodies.way(owner)?);
    Some(format!(
        "leads from {source} to {target}, which is in the body of {owner} because a way leads to it from {way}: \
         nothing else may lead there. What comes after {owner} hangs on its done, and on no node of its body"
    ))
}
