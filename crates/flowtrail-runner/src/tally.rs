//! Who observes an execution is told of each node once, and how many there are still to come.

use std::sync::{Arc, Mutex, PoisonError};

use flowtrail_types::{FlowDefinition, NodeStatus};

use crate::call::Observer;

/// Counts the nodes that are done. A node in the body of a loop counts when it ends for the first time: what is told
/// only ever grows, and never beyond the number of nodes.
pub(crate) struct Tally<'e> {
    definition: &'e FlowDefinition,
    observer: Option<Arc<dyn Observer>>,
    counted: Mutex<Counted>,
}

struct Counted {
    nodes: Vec<bool>,
    done: usize,
}

impl<'e> Tally<'e> {
    /// Nothing is done yet.
    pub(crate) fn new(definition: &'e FlowDefinition, observer: Option<Arc<dyn Observer>>) -> Self {
        let counted = Mutex::new(Counted { nodes: vec![false; definition.nodes.len()], done: 0 });
        Self { definition, observer, counted }
    }

    /// A node has ended, or turned out not to be needed.
    pub(crate) fn tell(&self, node: usize, status: NodeStatus) {
        let Some(observer) = &self.observer else { return };
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut counted.nodes[node], true) {
            counted.done += 1;
            let (done, total) = (counted.done, counted.nodes.len());
            observer.node_ended(done, total, self.definition.nodes[node].label(), status);
        }
    }
}
