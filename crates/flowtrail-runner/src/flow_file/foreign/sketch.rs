//! A flow's graph as it is being made.

use std::collections::{BTreeMap, BTreeSet};

use flowtrail_types::{Connection, FlowDefinition, Node};
use serde_json::{Map, Value};

use super::note::{NoteKind, Notes, quoted};
use super::words::{Ids, quoted_js};
use crate::validate::MAX_CONNECTIONS;

/// The most characters of a node's name.
const MAX_NAME: usize = 300;

/// Nodes and connections so far, and which node is before which.
#[derive(Debug, Default)]
pub(super) struct Sketch {
    ids: Ids,
    nodes: Vec<Node>,
    places: BTreeMap<String, usize>,
    connections: Vec<Connection>,
    known: BTreeSet<(String, String, Option<String>)>,
    before: Before,
    /// Whether a node had to be replaced by one that fails.
    pub(super) is_incomplete: bool,
}

impl Sketch {
    /// Adds a node that has nothing but an id and a name, and gives the id.
    pub(super) fn add(&mut self, wanted: &str, name: &str) -> String {
        let id = self.ids.make(wanted);
        self.places.insert(id.clone(), self.nodes.len());
        self.nodes.push(Node {
            id: id.clone(),
            name: name.chars().take(MAX_NAME).collect(),
            kind: String::new(),
            parameters: Map::new(),
            timeout: None,
            position: None,
        });
        self.before.add();
        id
    }

    /// A node that was added.
    pub(super) fn node(&mut self, id: &str) -> &mut Node {
        let place = self.places[id];
        &mut self.nodes[place]
    }

    /// Says what a node is.
    pub(super) fn become_kind(&mut self, id: &str, kind: &str, parameters: Value) {
        let node = self.node(id);
        kind.clone_into(&mut node.kind);
        if let Value::Object(parameters) = parameters {
            node.parameters = parameters;
        }
    }

    /// Makes a node a script.
    pub(super) fn become_script(&mut self, id: &str, code: impl Into<String>) {
        self.become_kind(id, "Transform", serde_json::json!({ "code": code.into() }));
    }

    /// Makes a node one that fails, because it cannot be what it was.
    pub(super) fn give_up(&mut self, id: &str, kind: &str, field: &str, why: &str, notes: &mut Notes) {
        let name = self.node(id).name.clone();
        let message = format!("The node {} ({}) could not be imported: {why}", quoted(&name), quoted(kind));
        self.become_script(id, format!("throw new Error({});", quoted_js(&message)));
        self.is_incomplete = true;
        let message = format!("{why}; the node was replaced by one that fails, and the flow is not active");
        notes.add(NoteKind::Unsupported, field, message);
    }

    /// Connects two nodes, once.
    pub(super) fn connect(&mut self, from: &str, handle: Option<&str>, to: &str) {
        let handle = handle.map(str::to_owned);
        if !self.known.insert((from.to_owned(), to.to_owned(), handle.clone())) {
            return;
        }
        let (source, target) = (self.places[from], self.places[to]);
        self.connections.push(Connection {
            source_node_id: from.to_owned(),
            target_node_id: to.to_owned(),
            source_handle: handle,
        });
        // A flow of more is refused.
        if self.connections.len() <= MAX_CONNECTIONS {
            self.before.connect(source, target);
        }
    }

    /// Whether a way leads from a node to another.
    pub(super) fn is_before(&self, first: &str, second: &str) -> bool {
        self.before.precedes(self.places[first], self.places[second])
    }

    /// Sees to it that a node comes before another, by a connection if there is none. Not when that made a circle.
    pub(super) fn put_before(&mut self, first: &str, second: &str) -> bool {
        if self.is_before(first, second) {
            return true;
        }
        if first == second || self.is_before(second, first) {
            return false;
        }
        self.connect(first, None, second);
        self.is_before(first, second)
    }

    /// Whether any connection enters a node.
    pub(super) fn is_entered(&self, id: &str) -> bool {
        self.connections.iter().any(|connection| connection.target_node_id == id)
    }

    /// Whether any connection leaves a node, by this way if one is given.
    pub(super) fn is_left(&self, id: &str, handle: Option<&str>) -> bool {
        let leaves = |each: &Connection| {
            each.source_node_id == id && (handle.is_none() || each.source_handle.as_deref() == handle)
        };
        self.connections.iter().any(leaves)
    }

    /// The nodes that no connection leaves.
    pub(super) fn last(&self) -> Vec<String> {
        let left: BTreeSet<&str> = self.connections.iter().map(|each| each.source_node_id.as_str()).collect();
        let ids = self.nodes.iter().map(|node| &node.id);
        ids.filter(|id| !left.contains(id.as_str())).cloned().collect()
    }

    /// The graph.
    pub(super) fn finish(self) -> FlowDefinition {
        FlowDefinition { nodes: self.nodes, connections: self.connections }
    }
}

/// Which of so many things come before which.
#[derive(Debug, Default)]
pub(super) struct Before(Vec<Vec<bool>>);

impl Before {
    /// One more thing, which is before none.
    pub(super) fn add(&mut self) {
        self.0.push(Vec::new());
    }

    /// Whether a thing comes before another.
    pub(super) fn precedes(&self, first: usize, second: usize) -> bool {
        self.0[second].get(first).is_some_and(|is_before| *is_before)
    }

    /// A thing comes before another from now on, and so does all that is before it.
    pub(super) fn connect(&mut self, first: usize, second: usize) {
        if self.precedes(first, second) {
            return;
        }
        let mut new = self.0[first].clone();
        new.resize(self.0.len(), false);
        new[first] = true;
        for thing in 0..self.0.len() {
            if thing == second || self.precedes(second, thing) {
                let row = &mut self.0[thing];
                row.resize(new.len(), false);
                row.iter_mut().zip(&new).for_each(|(old, new)| *old |= new);
            }
        }
    }
}
