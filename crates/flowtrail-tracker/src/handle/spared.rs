//! Node executions within loops beyond the limit of an execution: those of the last iteration are kept, of those before only
//! the ones that failed.

use std::collections::HashMap;

use flowtrail_store::NewNode;
use flowtrail_types::NodeStatus;

/// Node executions of what may be the last iteration, and the number of those that were left out.
#[derive(Debug, Default)]
pub(super) struct Spared {
    /// By the loop's own node execution: the iteration, and its nodes that have ended.
    latest: HashMap<i32, (i32, Vec<NewNode>)>,
    /// Number of those that are not recorded.
    pub(super) left_out: u64,
}

impl Spared {
    /// Keeps a node execution beyond the limit back, or gives it back if it is recorded in any case.
    pub(super) fn take(&mut self, node: NewNode) -> Option<NewNode> {
        let (Some(parent), Some(iteration)) = (node.parent_seq, node.iteration) else { return Some(node) };
        if node.status == NodeStatus::Error {
            return Some(node);
        }
        let (latest, nodes) = self.latest.entry(parent).or_insert((iteration, Vec::new()));
        if iteration < *latest {
            self.leave_out(vec![node]);
        } else if iteration == *latest {
            nodes.push(node);
        } else {
            let before = std::mem::replace(nodes, vec![node]);
            *latest = iteration;
            self.leave_out(before);
        }
        None
    }

    /// Leaves node executions out, and what is kept back of loops that they are.
    fn leave_out(&mut self, mut nodes: Vec<NewNode>) {
        while let Some(node) = nodes.pop() {
            self.left_out += 1;
            if let Some((_, inner)) = self.latest.remove(&node.seq) {
                nodes.extend(inner);
            }
        }
    }

    /// The nodes that were kept back: the last iterations.
    pub(super) fn rest(&mut self) -> impl Iterator<Item = NewNode> {
        std::mem::take(&mut self.latest).into_values().flat_map(|(_, nodes)| nodes)
    }
}
