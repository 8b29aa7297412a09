//! A definition prepared for running.

use flowtrail_types::FlowDefinition;

use crate::graph::{Edge, Graph};
use crate::nodes::{NodeKind, UnknownKind, kind_named};
use crate::parameter::TRIGGER;
use crate::problem::Problems;

/// A definition that can be run: one trigger, known kinds, no circles. It has no order of its own, because
/// the connections decide, at run time, which node is next.
pub(crate) struct Plan<'d> {
    graph: Graph<'d>,
    kinds: Vec<&'static dyn NodeKind>,
    ancestors: Vec<Vec<usize>>,
    trigger: usize,
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
        let ancestors = (0..definition.nodes.len()).map(|node| graph.ancestors(node)).collect();
        match trigger {
            Some(trigger) => problems.or(Self { graph, kinds, ancestors, trigger }),
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

    /// The kind of a node.
    pub(crate) fn kind(&self, node: usize) -> &'static dyn NodeKind {
        self.kinds[node]
    }

    /// The nodes from which a way leads to this one.
    pub(crate) fn ancestors(&self, node: usize) -> &[usize] {
        &self.ancestors[node]
    }

    /// The connections that enter a node.
    pub(crate) fn incoming(&self, node: usize) -> impl Iterator<Item = &Edge<'d>> {
        self.graph.incoming(node).iter().map(|edge| &self.graph.edges[*edge])
    }

    /// The connections that leave a node.
    pub(crate) fn outgoing(&self, node: usize) -> impl Iterator<Item = &Edge<'d>> {
        self.graph.outgoing(node).iter().map(|edge| &self.graph.edges[*edge])
    }
}
