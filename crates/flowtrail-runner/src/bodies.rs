//! The bodies of loops: what hangs on the way out by which a node repeats it.

use crate::graph::{Edge, Graph};
use crate::nodes::kind_named;

/// How deep loops may stand in each other's bodies.
pub(crate) const MAX_NESTED: usize = 8;

/// Which node is in which body. Where connections are not as they should be, a node that can be reached from a loop's
/// body is in it, whatever else leads to it.
#[derive(Debug)]
pub(crate) struct Bodies {
    /// The ways by which nodes repeat their bodies; nothing for those that have none.
    ways: Vec<Option<&'static str>>,
    /// The innermost loop in whose body a node is.
    owners: Vec<Option<usize>>,
    /// Whether a node is in the body of a loop, at whatever depth, by loop.
    within: Vec<Vec<bool>>,
}

impl Bodies {
    /// The bodies of a graph.
    pub(crate) fn of(graph: &Graph<'_>) -> Self {
        let nodes = &graph.definition.nodes;
        let way = |kind: &str| kind_named(kind).ok().and_then(|kind| kind.repeats_by());
        let ways: Vec<_> = nodes.iter().map(|node| way(&node.kind)).collect();
        let back = graph.leading_back();
        let within: Vec<Vec<bool>> = ways
            .iter()
            .enumerate()
            .map(|(node, way)| way.map(|way| reached(graph, &back, node, way)).unwrap_or_default())
            .collect();
        let mut owners = vec![None; nodes.len()];
        let mut sizes = vec![usize::MAX; nodes.len()];
        for (owner, body) in within.iter().enumerate() {
            let size = body.iter().filter(|is_in| **is_in).count();
            for node in (0..body.len()).filter(|node| body[*node]) {
                // Of two bodies that a node is in, one is in the other.
                if size < sizes[node] {
                    (owners[node], sizes[node]) = (Some(owner), size);
                }
            }
        }
        Self { ways, owners, within }
    }

    /// The innermost loop in whose body a node is.
    pub(crate) fn owner(&self, node: usize) -> Option<usize> {
        self.owners[node]
    }

    /// The way by which a node repeats its body, if it is a loop.
    pub(crate) fn way(&self, node: usize) -> Option<&'static str> {
        self.ways[node]
    }

    /// Whether a node is in the body of a loop, at whatever depth.
    pub(crate) fn is_within(&self, owner: usize, node: usize) -> bool {
        self.within[owner].get(node).is_some_and(|is_in| *is_in)
    }

    /// The nodes in the body of a loop, at whatever depth; of a node that is no loop there are none.
    pub(crate) fn within(&self, owner: usize) -> impl Iterator<Item = usize> {
        let nodes = self.within[owner].iter().enumerate();
        nodes.filter(|(_, is_in)| **is_in).map(|(node, _)| node)
    }

    /// In how many bodies a node is.
    pub(crate) fn depth(&self, node: usize) -> usize {
        (0..self.within.len()).filter(|owner| self.is_within(*owner, node)).count()
    }

    /// Whether a connection leads from the body of a loop back to that loop.
    pub(crate) fn leads_back(&self, edge: &Edge<'_>) -> bool {
        self.is_within(edge.target, edge.source)
    }

    /// Whether a connection leads into a body from where nothing may, or out of one.
    pub(crate) fn strays(&self, edge: &Edge<'_>) -> bool {
        let (from, into) = (self.owners[edge.source], self.owners[edge.target]);
        let begins = into == Some(edge.source) && edge.handle == self.ways[edge.source];
        from != into && !begins && !self.leads_back(edge)
    }
}

/// The nodes that can be reached by one way out of a node, without the connections that lead back.
fn reached(graph: &Graph<'_>, back: &[bool], from: usize, way: &str) -> Vec<bool> {
    let mut seen = vec![false; graph.definition.nodes.len()];
    let targets = |node: usize| {
        graph.outgoing(node).iter().filter(|edge| !back[**edge]).map(|edge| &graph.edges[*edge])
    };
    let begins = targets(from).filter(|edge| edge.handle == Some(way));
    let mut open: Vec<usize> = begins.map(|edge| edge.target).collect();
    while let Some(node) = open.pop() {
        if !std::mem::replace(&mut seen[node], true) {
            open.extend(targets(node).map(|edge| edge.target));
        }
    }
    seen
}
