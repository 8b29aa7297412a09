//! Which nodes are in the body of a loop: those that are reached only by its `each`.

use super::source::Source;

/// The kind of a loop.
pub(super) const LOOP: &str = "loop";

/// The way out by which a loop repeats.
pub(super) const EACH: &str = "each";

/// The bodies of a flow's loops.
#[derive(Debug)]
pub(super) struct Bodies {
    /// For each node, the loops in whose bodies it is, the outermost first.
    chains: Vec<Vec<usize>>,
}

impl Bodies {
    pub(super) fn of(source: &Source) -> Self {
        let mut chains = vec![Vec::new(); source.nodes.len()];
        // A loop comes before what is in its body, so that outer ones are found first.
        for owner in source.order.iter().copied().filter(|node| source.nodes[*node].kind == LOOP) {
            let is_each = |edge: &&super::source::SourceEdge| {
                edge.source == owner && edge.handle.as_deref() == Some(EACH)
            };
            let begins = source.edges.iter().filter(is_each).map(|edge| edge.target).collect();
            let inside = reached(source, begins, |_| true);
            let is_entered = |node: usize| source.edges.iter().any(|edge| edge.target == node);
            let roots = (0..source.nodes.len()).filter(|node| !is_entered(*node)).collect();
            let outside = reached(source, roots, |edge| !is_each(&edge));
            for node in (0..source.nodes.len()).filter(|node| inside[*node] && !outside[*node]) {
                chains[node].push(owner);
            }
        }
        Self { chains }
    }

    /// The loops in whose bodies a node is, the outermost first.
    pub(super) fn around(&self, node: usize) -> &[usize] {
        &self.chains[node]
    }

    /// Whether a node is in the body of a loop.
    pub(super) fn is_within(&self, owner: usize, node: usize) -> bool {
        self.chains[node].contains(&owner)
    }

    /// Whether a loop has a body.
    pub(super) fn has_body(&self, owner: usize) -> bool {
        self.chains.iter().any(|chain| chain.contains(&owner))
    }
}

fn reached(
    source: &Source,
    from: Vec<usize>,
    follows: impl Fn(&super::source::SourceEdge) -> bool,
) -> Vec<bool> {
    let mut seen = vec![false; source.nodes.len()];
    let mut open = from;
    while let Some(node) = open.pop() {
        if !std::mem::replace(&mut seen[node], true) {
            let edges = source.edges.iter().filter(|edge| edge.source == node && follows(edge));
            open.extend(edges.map(|edge| edge.target));
        }
    }
    seen
}
