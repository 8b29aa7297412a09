//! A flow of Open WebUI's as its file has it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::fields::Fields;
use super::super::note::Notes;
use crate::problem::Problems;

/// How something looks in the editor, and what the editor has made of it.
const LOOKS: [&str; 20] = [
    "width",
    "height",
    "measured",
    "selected",
    "selectable",
    "dragging",
    "draggable",
    "deletable",
    "connectable",
    "sourcePosition",
    "targetPosition",
    "positionAbsolute",
    "origin",
    "label",
    "animated",
    "style",
    "zIndex",
    "hidden",
    "class",
    "id",
];

/// What a node last did.
const REMAINS: [&str; 2] = ["status", "error"];

/// What only that server knows of a flow.
const ITS_OWN: [&str; 5] = ["user_id", "user", "created_at", "updated_at", "id"];

/// A flow.
#[derive(Debug)]
pub(in super::super) struct Source {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) nodes: Vec<SourceNode>,
    pub(super) edges: Vec<SourceEdge>,
    /// The nodes, each after those that lead to it.
    pub(super) order: Vec<usize>,
}

/// A node.
#[derive(Debug)]
pub(super) struct SourceNode {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) label: String,
    pub(super) position: Option<Value>,
    pub(super) data: Fields,
}

/// A connection between nodes, by their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourceEdge {
    pub(super) source: usize,
    pub(super) target: usize,
    pub(super) handle: Option<String>,
}

impl Source {
    /// Reads a flow.
    ///
    /// # Errors
    ///
    /// What keeps it from being one: missing or shared ids, things that are no objects, circles.
    pub(in super::super) fn read(flow: Map<String, Value>, notes: &mut Notes) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let is_from_server = flow.contains_key("user_id") || flow.contains_key("created_at");
        let mut fields = Fields::new(flow, "");
        let nodes = read_nodes(fields.list("nodes", notes), &mut problems, notes);
        notes.of_node(None);
        let edges = read_edges(fields.list("edges", notes), &nodes, &mut problems, notes);
        let name = fields.some_text("name", notes).unwrap_or_else(|| "Untitled".to_owned());
        let description = fields.text("description", notes).unwrap_or_default();
        if fields.has("access_control") {
            notes.dropped(
                "access_control",
                "names users and groups of the other server: the flow is yours alone",
            );
        } else if is_from_server {
            notes.dropped("access_control", "everybody could read the flow there: here it is yours alone");
        }
        fields.ignore(&["access_control"]);
        let meta = Fields::new(fields.object("meta", notes), "meta");
        meta.finish(notes);
        fields.drop_together(
            &ITS_OWN,
            "are known to the other server only: the flow gets an id of its own",
            notes,
        );
        fields.finish(notes);
        let order = order(nodes.len(), &edges);
        if order.len() < nodes.len() && problems.0.is_empty() {
            let is_in_circle = |index: &usize| !order.contains(index);
            let ids: Vec<&str> = (0..nodes.len())
                .filter(is_in_circle)
                .take(10)
                .map(|index| nodes[index].id.as_str())
                .collect();
            problems.add("edges", format!("lead in a circle, in or before {}", ids.join(", ")));
        }
        problems.or(Self { name, description, nodes, edges, order })
    }
}

fn read_nodes(items: Vec<Value>, problems: &mut Problems, notes: &mut Notes) -> Vec<SourceNode> {
    let mut nodes: Vec<SourceNode> = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let Value::Object(map) = item else {
            problems.add(format!("nodes[{index}]"), "must be an object");
            continue;
        };
        notes.of_node(map.get("id").and_then(Value::as_str));
        let mut fields = Fields::new(map, "");
        let Some(id) = fields.some_text("id", notes) else {
            problems.add(format!("nodes[{index}].id"), "is missing");
            continue;
        };
        if nodes.iter().any(|node| node.id == id) {
            problems.add_at(&id, "id", "is the id of two nodes");
        }
        let kind = fields.some_text("type", notes).unwrap_or_default();
        if kind.is_empty() {
            problems.add_at(&id, "type", "is missing");
        }
        let mut data = Fields::new(fields.object("data", notes), "data");
        data.ignore(&REMAINS);
        let label = data.some_text("label", notes).unwrap_or_else(|| kind.clone());
        nodes.push(SourceNode { id, kind, label, position: fields.position(), data });
        fields.ignore(&LOOKS);
        fields.finish(notes);
    }
    nodes
}

fn read_edges(
    items: Vec<Value>,
    nodes: &[SourceNode],
    problems: &mut Problems,
    notes: &mut Notes,
) -> Vec<SourceEdge> {
    let places: BTreeMap<&str, usize> =
        nodes.iter().enumerate().map(|(index, node)| (node.id.as_str(), index)).collect();
    let mut edges = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let path = format!("edges[{index}]");
        let Value::Object(map) = item else {
            problems.add(path, "must be an object");
            continue;
        };
        let mut fields = Fields::new(map, "edges[]");
        fields.ignore(&LOOKS);
        fields.ignore(&["type", "targetHandle", "markerEnd", "markerStart"]);
        let mut end = |field: &str| fields.some_text(field, notes);
        let (source, target, handle) = (end("source"), end("target"), end("sourceHandle"));
        fields.finish(notes);
        let place = |end: &Option<String>| end.as_deref().and_then(|id| places.get(id).copied());
        let (Some(source), Some(target)) = (place(&source), place(&target)) else {
            notes.dropped(&path, "leads from or to a node that is not there");
            continue;
        };
        let edge = SourceEdge { source, target, handle };
        if edges.contains(&edge) {
            notes.dropped(&path, "is there twice");
        } else {
            edges.push(edge);
        }
    }
    edges
}

/// The nodes, each after those that lead to it; those of circles are missing.
fn order(nodes: usize, edges: &[SourceEdge]) -> Vec<usize> {
    let mut entering = vec![0_usize; nodes];
    edges.iter().for_each(|edge| entering[edge.target] += 1);
    let mut order: Vec<usize> = (0..nodes).filter(|node| entering[*node] == 0).collect();
    let mut done = 0;
    while let Some(node) = order.get(done).copied() {
        done += 1;
        for edge in edges.iter().filter(|edge| edge.source == node) {
            entering[edge.target] -= 1;
            if entering[edge.target] == 0 {
                order.push(edge.target);
            }
        }
    }
    order
}
