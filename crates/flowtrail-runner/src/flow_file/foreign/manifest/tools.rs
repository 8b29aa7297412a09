//! The tools of the flows of an import: their names, and what they ask for, so that flows can call each other.

use std::collections::{BTreeMap, BTreeSet};

use flowtrail_types::ToolName;
use serde_json::{Value, json};

use super::super::fields::Fields;
use super::super::note::{Notes, quoted};
use super::super::words::ToolNames;
use super::source::Source;
use crate::problem::Problems;

/// The most nodes that copies for several triggers may have together: a small file could ask for any number.
const MAX_COPIES: usize = 10_000;

/// The most characters of a parameter's name.
const MAX_NAME: usize = 64;

const TYPES: [&str; 4] = ["string", "number", "integer", "boolean"];

/// Which tool runs a flow, by the flow's id in the file.
#[derive(Debug, Default)]
pub(in super::super) struct Targets(BTreeMap<String, Target>);

/// A tool that can be called, and the names of its parameters with whether they are required.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) tool_name: ToolName,
    pub(super) flow_name: String,
    pub(super) parameters: Vec<(String, bool)>,
}

impl Targets {
    pub(super) fn lookup(&self, flow_id: &str) -> Option<&Target> {
        self.0.get(flow_id)
    }
}

/// How many nodes were copied.
#[derive(Debug, Default)]
pub(in super::super) struct Copies(usize);

impl Copies {
    /// Counts the nodes of one more flow that is made out of the same nodes as others.
    pub(super) fn count(&mut self, nodes: usize) -> Result<(), Problems> {
        self.0 += nodes;
        if self.0 <= MAX_COPIES {
            return Ok(());
        }
        let mut problems = Problems::default();
        let message = format!("the triggers of the file's flows give more than {MAX_COPIES} nodes together");
        problems.add("nodes", message);
        Err(problems)
    }
}

impl Source {
    /// Gives each trigger the name of its tool.
    pub(in super::super) fn name_tools(
        &mut self,
        names: &mut ToolNames,
        targets: &mut Targets,
        notes: &mut Notes,
    ) {
        notes.of_flow(&self.name);
        let is_only = self.triggers.len() == 1;
        for trigger in &mut self.triggers {
            let node = trigger.node.map(|node| &self.nodes[node]);
            notes.of_node(node.map(|node| node.id.as_str()));
            let wanted = trigger.tool.name.as_deref();
            let label = node.filter(|_| !is_only).map(|node| node.label());
            let name = names.make(wanted, &[label.unwrap_or_default(), &self.name]);
            if let Some(wanted) = wanted.filter(|wanted| *wanted != name.as_str()) {
                let field = if node.is_some() { "parameters.toolName" } else { "toolName" };
                notes.changed(field, format!("{} became {name}", quoted(wanted)));
            }
            trigger.tool_name = Some(name.clone());
            let Some(id) = self.id.clone().filter(|_| trigger.is_active) else { continue };
            targets.0.entry(id).or_insert_with(|| Target {
                tool_name: name,
                flow_name: self.name.clone(),
                parameters: declared(trigger.tool.parameters.clone(), &mut Notes::default())
                    .iter()
                    .filter_map(|item| Some((item["name"].as_str()?.to_owned(), item["required"] == true)))
                    .collect(),
            });
        }
    }
}

/// The parameters that a trigger declares, or the one that a trigger without any has.
pub(super) fn declared(parameters: Option<Value>, notes: &mut Notes) -> Vec<Value> {
    let items = match parameters {
        Some(Value::Array(items)) => items,
        None => Vec::new(),
        Some(_) => {
            notes.dropped("parameters.parameters", "is no list and was left out");
            Vec::new()
        }
    };
    let mut names = BTreeSet::new();
    let mut declared: Vec<Value> = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let path = format!("parameters.parameters[{index}]");
        let Value::Object(map) = item else {
            notes.dropped(&path, "is no object and was left out");
            continue;
        };
        let mut fields = Fields::new(map, "parameters.parameters[]");
        fields.ignore(&["isSystem"]);
        let Some(given) = fields.some_text("name", notes) else {
            notes.dropped(&path, "has no name and was left out");
            continue;
        };
        let name: String = given.chars().take(MAX_NAME).collect();
        if name != given {
            notes.changed(&path, format!("its name was cut to {MAX_NAME} characters"));
        }
        if !names.insert(name.clone()) {
            notes.dropped(&path, format!("{} is declared twice", quoted(&name)));
            continue;
        }
        let kind = fields.text("type", notes).unwrap_or_default();
        let kind = TYPES.into_iter().find(|known| *known == kind).unwrap_or_else(|| {
            notes.assumed(&format!("{path}.type"), "is none that is known: string was assumed");
            "string"
        });
        let description = fields.text("description", notes).unwrap_or_default();
        let required = !fields.flag("optional", notes).unwrap_or(false);
        fields.finish(notes);
        declared.push(json!({"name": name, "type": kind, "description": description, "required": required}));
    }
    if declared.is_empty() {
        let description = "User query or request";
        declared
            .push(json!({"name": "message", "type": "string", "description": description, "required": true}));
    }
    declared
}
