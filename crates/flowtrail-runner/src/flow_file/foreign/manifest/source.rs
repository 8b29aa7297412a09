//! A flow of Manifest's as its file has it.

use std::collections::BTreeMap;

use flowtrail_types::ToolName;
use serde_json::{Map, Value};

use super::super::fields::Fields;
use super::super::note::Notes;
use crate::problem::Problems;

/// What connections named before there were nodes that trigger.
pub(crate) const LEGACY_TRIGGER: &str = "user-intent";

/// The kind of node that triggers.
pub(super) const TRIGGER: &str = "UserIntent";

/// How the ways out of a widget are called.
const ACTION: &str = "action:";

/// What only that server knows of a flow, or makes out of it.
const ITS_OWN: [&str; 7] = ["id", "appId", "createdAt", "updatedAt", "exposedTools", "hasTriggers", "app"];

/// A flow.
#[derive(Debug)]
pub(in super::super) struct Source {
    pub(super) id: Option<String>,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) is_active: bool,
    /// What triggers had to say before they were nodes.
    pub(super) tool: Tool,
    pub(super) has_legacy_connections: bool,
    pub(super) nodes: Vec<SourceNode>,
    pub(super) edges: Vec<SourceEdge>,
    /// Each becomes a flow.
    pub(super) triggers: Vec<Trigger>,
}

/// A node.
#[derive(Debug)]
pub(super) struct SourceNode {
    pub(super) id: String,
    pub(super) slug: Option<String>,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) position: Option<Value>,
    pub(super) parameters: Fields,
}

impl SourceNode {
    /// By what it is told.
    pub(super) fn label(&self) -> &str {
        if self.name.is_empty() { self.slug.as_deref().unwrap_or(&self.kind) } else { &self.name }
    }
}

/// A connection between nodes, by their places. Without a source it comes from the trigger of old.
#[derive(Debug)]
pub(super) struct SourceEdge {
    pub(super) source: Option<usize>,
    pub(super) target: usize,
    /// Whether it is only followed when a user acts in a widget.
    pub(super) is_action: bool,
}

/// What a trigger says of the tool.
#[derive(Debug, Clone, Default)]
pub(super) struct Tool {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) when_to_use: Option<String>,
    pub(super) when_not_to_use: Option<String>,
    pub(super) parameters: Option<Value>,
}

impl Tool {
    pub(super) fn take(fields: &mut Fields, notes: &mut Notes) -> Self {
        Self {
            name: fields.some_text("toolName", notes),
            description: fields.some_text("toolDescription", notes),
            when_to_use: fields.some_text("whenToUse", notes),
            when_not_to_use: fields.some_text("whenNotToUse", notes),
            parameters: fields.take("parameters"),
        }
    }

    /// This, and the other where this says nothing.
    pub(super) fn or(self, other: &Self) -> Self {
        Self {
            name: self.name.or_else(|| other.name.clone()),
            description: self.description.or_else(|| other.description.clone()),
            when_to_use: self.when_to_use.or_else(|| other.when_to_use.clone()),
            when_not_to_use: self.when_not_to_use.or_else(|| other.when_not_to_use.clone()),
            parameters: self.parameters.or_else(|| other.parameters.clone()),
        }
    }
}

/// A trigger, and the tool that it becomes.
#[derive(Debug)]
pub(super) struct Trigger {
    /// Its node; absent when the file has none.
    pub(super) node: Option<usize>,
    pub(super) tool: Tool,
    pub(super) tool_name: Option<ToolName>,
    pub(super) is_active: bool,
}

impl Source {
    /// Reads a flow.
    ///
    /// # Errors
    ///
    /// What keeps it from being one: missing or shared ids, things that are no objects.
    pub(in super::super) fn read(flow: Map<String, Value>, notes: &mut Notes) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut fields = Fields::new(flow, "");
        if !fields.has("nodes") {
            problems.add("nodes", "is missing: Manifest's flows have nodes since the end of 2025");
        }
        let nodes = read_nodes(fields.list("nodes", notes), &mut problems, notes);
        notes.of_node(None);
        let mut edges = Vec::new();
        let mut has_legacy_connections = false;
        let places: BTreeMap<String, usize> =
            nodes.iter().enumerate().map(|(index, node)| (node.id.clone(), index)).collect();
        for (index, item) in fields.list("connections", notes).into_iter().enumerate() {
            let path = format!("connections[{index}]");
            let Value::Object(map) = item else {
                problems.add(path, "must be an object");
                continue;
            };
            let mut ends = Fields::new(map, "connections[]");
            ends.ignore(&["id", "targetHandle"]);
            let mut end = |field: &str| ends.text(field, notes).unwrap_or_default();
            let (source, target, handle) = (end("sourceNodeId"), end("targetNodeId"), end("sourceHandle"));
            ends.finish(notes);
            let is_legacy = source == LEGACY_TRIGGER && !places.contains_key(&source);
            has_legacy_connections |= is_legacy;
            let from = places.get(&source).copied();
            match (from.is_some() || is_legacy, places.get(&target)) {
                (true, Some(target)) if from == Some(*target) || nodes[*target].kind == TRIGGER => {
                    notes.dropped(&path, "leads into a trigger, or from a node to itself");
                }
                (true, Some(target)) => edges.push(SourceEdge {
                    source: from,
                    target: *target,
                    is_action: handle.starts_with(ACTION),
                }),
                _ => notes.dropped(&path, "leads from or to a node that is not there"),
            }
        }
        let id = fields.peek("id");
        let is_old = fields.has("toolName") || has_legacy_connections;
        let mut source = Self {
            id,
            name: fields.some_text("name", notes).unwrap_or_else(|| "Untitled".to_owned()),
            description: fields.some_text("description", notes),
            is_active: fields.flag("isActive", notes).unwrap_or(true),
            tool: Tool::take(&mut fields, notes),
            has_legacy_connections,
            nodes,
            edges,
            triggers: Vec::new(),
        };
        fields.drop_together(
            &ITS_OWN,
            "are known to the other server only: the flow gets an id of its own",
            notes,
        );
        fields.finish(notes);
        source.find_triggers(is_old, notes);
        problems.or(source)
    }

    fn find_triggers(&mut self, is_old: bool, notes: &mut Notes) {
        for (index, node) in self.nodes.iter_mut().enumerate().filter(|(_, node)| node.kind == TRIGGER) {
            notes.of_node(Some(&node.id));
            let tool = Tool::take(&mut node.parameters, notes);
            let is_active = node.parameters.flag("isActive", notes).unwrap_or(true);
            node.parameters.clone().finish(notes);
            let (tool, is_active) = (tool.or(&self.tool), is_active && self.is_active);
            self.triggers.push(Trigger { node: Some(index), tool, tool_name: None, is_active });
        }
        notes.of_node(None);
        if self.triggers.is_empty() {
            if !is_old {
                notes.assumed("nodes", "no node triggers the flow: it got a trigger, and is not active");
            }
            let (tool, is_active) = (self.tool.clone(), is_old && self.is_active);
            self.triggers.push(Trigger { node: None, tool, tool_name: None, is_active });
        }
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
        let slug = fields.some_text("slug", notes);
        let id = fields.some_text("id", notes).or_else(|| slug.clone());
        let Some(id) = id else {
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
        nodes.push(SourceNode {
            id,
            slug,
            kind,
            name: fields.text("name", notes).unwrap_or_default(),
            position: fields.position(),
            parameters: Fields::new(fields.object("parameters", notes), "parameters"),
        });
        fields.finish(notes);
    }
    nodes
}
