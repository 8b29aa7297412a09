//! A definition's nodes and connections as a graph of indices.

use std::collections::HashMap;

use flowtrail_types::FlowDefinition;

/// A definition with its connections resolved. Connections that lead nowhere are left out, so that a
/// definition with mistakes has a graph too.
#[derive(Debug)]
pub(crate) struct Graph<'d> {
    pub(crate) definition: &'d FlowDefinition,
    /// Where each node stands, by id; of several with one id, the first.
    pub(crate) index: HashMap<&'d str, usize>,
    pub(crate) edges: Vec<Edge<'d>>,
    outgoing: Vec<Vec<usize>>,
    incoming: Vec<Vec<usize>>,
}

/// A connection between two nodes, given by where they stand.
#[derive(Debug)]
pub(crate) struct Edge<'d> {
    pub(crate) source: usize,
    pub(crate) target: usize,
    pub(crate) handle: Option<&'d str>,
    /// Where it stands among the definition's connections.
    pub(crate) connection: usize,
}

impl<'d> Graph<'d> {
    /// The graph of a definition.
    pub(crate) fn of(definition: &'d FlowDefinition) -> Self {
        let mut index = HashMap::new();
        for (position, node) in definition.nodes.iter().enumerate() {
            index.entry(node.id.as_str()).or_insert(position);
        }
        let mut graph = Self {
            definition,
            index,
            edges: Vec::new(),
            outgoing: vec![Vec::new(); definition.nodes.len()],
            incoming: vec![Vec::new(); definition.nodes.len()],
        };
        for (position, connection) in definition.connections.iter().enumerate() {
            let source = graph.index.get(connection.source_node_id.as_str()).copied();
            let target = graph.index.get(connection.target_node_id.as_str()).copied();
            let (Some(source), Some(target)) = (source, target) else { continue };
            graph.outgoing[source].push(graph.edges.len());
            graph.incoming[target].push(graph.edges.len());
            let handle = connection.source_handle.as_deref();
            graph.edges.push(Edge { source, target, handle, connection: position });
        }
        graph
    }

    /// The connections that leave a node, as places in `edges`.
    pub(crate) fn outgoing(&self, node: usize) -> &[usize] {
        &self.outgoing[node]
    }

    /// The connections that enter a node, as places in `edges`.
    pub(crate) fn incoming(&self, node: usize) -> &[usize] {
        &self.incoming[node]
    }

    /// The nodes from which a way leads to this one, in the definition's order.
    pub(crate) fn ancestors(&self, node: usize) -> Vec<usize> {
        let mut seen = vec![false; self.definition.nodes.len()];
        let mut open = vec![node];
        while let Some(next) = open.pop() {
            for edge in self.incoming(next) {
                let source = self.edges[*edge].source;
                if !std::mem::replace(&mut seen[source], true) {
                    open.push(source);
                }
            }
        }
        (0..seen.len()).filter(|ancestor| seen[*ancestor]).collect()
    }

    /// The connections that lead back to a node from which a way led there, by their places in `edges`: without them
    /// there are no circles. Ways are followed from where nothing leads to first, so that it is the last connection of a
    /// circle that leads back, as whoever drew it sees it.
    pub(crate) fn leading_back(&self) -> Vec<bool> {
        let nodes = self.definition.nodes.len();
        let mut back = vec![false; self.edges.len()];
        let (mut seen, mut on_path) = (vec![false; nodes], vec![false; nodes]);
        let (first, others): (Vec<usize>, Vec<usize>) =
            (0..nodes).partition(|node| self.incoming(*node).is_empty());
        for root in first.into_iter().chain(others) {
            let mut path = if seen[root] { Vec::new() } else { vec![(root, 0)] };
            while let Some((node, tried)) = path.last_mut() {
                (seen[*node], on_path[*node]) = (true, true);
                let Some(edge) = self.outgoing(*node).get(*tried) else {
                    on_path[*node] = false;
                    path.pop();
                    continue;
                };
                *tried += 1;
                let target = self.edges[*edge].target;
                back[*edge] = on_path[target];
                if !seen[target] {
                    path.push((target, 0));
                }
            }
        }
        back
    }

    /// Circles, each as its nodes in order with the first one once more at the end; at most so many. None
    /// are found only when there are none. A connection from a node to itself is not told here.
    pub(crate) fn cycles(&self, most: usize) -> Vec<Vec<usize>> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            OnPath,
            Done,
        }
        let mut cycles = Vec::new();
        let mut marks = vec![Mark::New; self.definition.nodes.len()];
        for root in 0..marks.len() {
            if marks[root] != Mark::New {
                continue;
            }
            marks[root] = Mark::OnPath;
            // Each entry of the path has the number of the connection that is tried next.
            let mut path = vec![(root, 0)];
            while let Some((node, tried)) = path.last_mut() {
                let Some(edge) = self.outgoing[*node].get(*tried) else {
                    marks[*node] = Mark::Done;
                    path.pop();
                    continue;
                };
                *tried += 1;
                let (source, target) = (*node, self.edges[*edge].target);
                match marks[target] {
                    Mark::New => {
                        marks[target] = Mark::OnPath;
                        path.push((target, 0));
                    }
                    Mark::OnPath if target != source && cycles.len() < most => {
                        let on_path = path.iter().map(|(node, _)| *node).skip_while(|node| *node != target);
                        cycles.push(on_path.chain([target]).collect());
                    }
                    Mark::OnPath | Mark::Done => {}
                }
            }
        }
        cycles
    }
}
