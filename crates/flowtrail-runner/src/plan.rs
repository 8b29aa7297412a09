//! A definition prepared for running.

use std::collections::BTreeMap;

use flowtrail_types::FlowDefinition;

use crate::bodies::{Bodies, MAX_NESTED};
use crate::graph::{Edge, Graph};
use crate::nodes::{NodeKind, UnknownKind, kind_named};
use crate::parameter::TRIGGER;
use crate::problem::Problems;

/// A definition that can be run: one trigger, known kinds, no circles, bodies that are apart. It has no order of its
/// own, because the connections decide, at run time, which node is next.
///
/// It consists of parts: what the trigger begins, and the body of each loop. A part is run by itself, the same way
/// whichever it is.
pub(crate) struct Plan<'d> {
    graph: Graph<'d>,
    kinds: Vec<&'static dyn NodeKind>,
    ancestors: Vec<Vec<usize>>,
    trigger: usize,
    bodies: Bodies,
    /// The nodes of each part, by the loop whose body it is.
    parts: BTreeMap<Option<usize>, Vec<usize>>,
    /// Where each node stands within its part.
    places: Vec<usize>,
}

impl<'d> Plan<'d> {
    /// Plans a definition. Only what running relies on is checked; the rest was when the flow was made.
    ///
    /// # Errors
    ///
    /// Every problem that stands in the way.
    pub(crate) fn of(definition: &'d FlowDefinition) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let graph = Graph::of(definition);
        let mut kinds = Vec::with_capacity(definition.nodes.len());
        for node in &definition.nodes {
            match kind_named(&node.kind) {
                Ok(kind) => kinds.push(kind),
                Err(UnknownKind(message)) => problems.add_at(&node.id, "type", message),
            }
        }
        if graph.index.len() < definition.nodes.len() {
            problems.add("nodes", "two of them have the same id");
        }
        if !graph.cycles(1).is_empty() || graph.edges.iter().any(|edge| edge.source == edge.target) {
            problems.add("connections", "lead in a circle");
        }
        let mut triggers = definition.nodes.iter().enumerate().filter(|(_, node)| node.kind == TRIGGER);
        let trigger = match (triggers.next(), triggers.next()) {
            (Some((trigger, _)), None) if graph.incoming(trigger).is_empty() => Some(trigger),
            _ => {
                problems.add("nodes", format!("a flow begins with exactly one {TRIGGER}"));
                None
            }
        };
        let bodies = Bodies::of(&graph);
        if graph.edges.iter().any(|edge| bodies.strays(edge)) {
            problems.add("connections", "lead into or out of the body of a loop");
        }
        let nodes = 0..definition.nodes.len();
        if nodes.clone().any(|node| bodies.way(node).is_some() && bodies.depth(node) >= MAX_NESTED) {
            problems.add("nodes", "loops are nested too deeply");
        }
        let mut parts: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        let mut places = Vec::with_capacity(nodes.len());
        for node in nodes.clone() {
            let part = parts.entry(bodies.owner(node)).or_default();
            places.push(part.len());
            part.push(node);
        }
        let ancestors = nodes.map(|node| graph.ancestors(node)).collect();
        match trigger {
            Some(trigger) => problems.or(Self { graph, kinds, ancestors, trigger, bodies, parts, places }),
            None => Err(problems),
        }
    }

    /// The definition.
    pub(crate) fn definition(&self) -> &'d FlowDefinition {
        self.graph.definition
    }

    /// Where the flow begins.
    pub(crate) fn trigger(&self) -> usize {
        self.trigger
    }

    /// Whether all of it is done in a moment and leaves no trace outside of this process.
    pub(crate) fn is_brief(&self) -> bool {
        self.kinds.iter().all(|kind| kind.is_brief())
    }

    /// The kind of a node.
    pub(crate) fn kind(&self, node: usize) -> &'static dyn NodeKind {
        self.kinds[node]
    }

    /// The nodes of a part in the definition's order: of the body of a loop, or of the whole outside of bodies.
    pub(crate) fn part(&self, owner: Option<usize>) -> &[usize] {
        self.parts.get(&owner).map_or(&[], Vec::as_slice)
    }

    /// The loop in whose body a node is: the innermost.
    pub(crate) fn owner(&self, node: usize) -> Option<usize> {
        self.bodies.owner(node)
    }

    /// The nodes in the body of a loop and in the bodies of loops in it, in the definition's order. Of a node that is no
    /// loop there are none.
    pub(crate) fn all_within(&self, owner: usize) -> impl Iterator<Item = usize> {
        self.bodies.within(owner)
    }

    /// The way by which a loop repeats its body; nothing for a node that is none.
    pub(crate) fn repeats_by(&self, node: usize) -> Option<&'static str> {
        self.bodies.way(node)
    }

    /// Where a node stands within its part.
    pub(crate) fn place(&self, node: usize) -> usize {
        self.places[node]
    }

    /// The nodes from which a way leads to this one.
    pub(crate) fn ancestors(&self, node: usize) -> &[usize] {
        &self.ancestors[node]
    }

    /// The connections that enter a node.
    pub(crate) fn incoming(&self, node: usize) -> impl Iterator<Item = &Edge<'d>> {
        self.graph.incoming(node).iter().map(|edge| &self.graph.edges[*edge])
    }

    /// The connections that leave a node within its part. Those that begin a body are none of them.
    pub(crate) fn outgoing(&self, node: usize) -> impl Iterator<Item = &Edge<'d>> {
        let edges = self.graph.outgoing(node).iter().map(|edge| &self.graph.edges[*edge]);
        edges.filter(move |edge| self.owner(edge.target) == self.owner(node))
    }
}
