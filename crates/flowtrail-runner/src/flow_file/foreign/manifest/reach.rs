//! What a trigger reaches.

use std::collections::BTreeSet;

use super::super::note::Notes;
use super::source::{Source, Trigger};

impl Source {
    /// The nodes that run after a trigger, in the order of the file, it among them.
    pub(super) fn reached(&self, trigger: &Trigger, notes: &mut Notes) -> BTreeSet<usize> {
        let mut open = self.begins(trigger, notes);
        open.extend(trigger.node);
        let mut reached = BTreeSet::new();
        while let Some(node) = open.pop() {
            if reached.insert(node) {
                let edges = self.edges.iter().filter(|edge| edge.source == Some(node) && !edge.is_action);
                open.extend(edges.map(|edge| edge.target));
            }
        }
        reached
    }

    /// What a trigger of old is connected to, without its node.
    fn begins(&self, trigger: &Trigger, notes: &mut Notes) -> Vec<usize> {
        if self.has_legacy_connections {
            let edges = self.edges.iter().filter(|edge| edge.source.is_none() && !edge.is_action);
            return edges.map(|edge| edge.target).collect();
        }
        if trigger.node.is_some() {
            return Vec::new();
        }
        if self.tool.name.is_none() {
            let is_entered = |index: usize| self.edges.iter().any(|edge| edge.target == index);
            return (0..self.nodes.len()).filter(|index| !is_entered(*index)).collect();
        }
        notes.assumed(
            "connections",
            "nothing is connected to the trigger: what used to answer then was connected",
        );
        let of_kind = |kind: &str| {
            let nodes = self.nodes.iter().enumerate().filter(|(_, node)| node.kind == kind);
            nodes.map(|(index, _)| index).collect::<Vec<_>>()
        };
        let first = |kind: &str| of_kind(kind).into_iter().take(1).collect::<Vec<_>>();
        [of_kind("Return"), first("CallFlow"), first("Interface")]
            .into_iter()
            .find(|nodes| !nodes.is_empty())
            .unwrap_or_default()
    }
}
