//! From a flow of Manifest's to drafts, one for each trigger.

use std::collections::{BTreeMap, BTreeSet};

use flowtrail_types::{FlowDraft, FlowKind, ToolName};
use serde_json::{Value, json};

use super::super::note::Notes;
use super::super::sketch::Sketch;
use super::source::{Source, SourceNode, TRIGGER, Tool, Trigger};
use super::tools::{Copies, Targets, declared};
use crate::problem::Problems;
use crate::sandbox::Compiler;

/// The kinds that answer; whichever of them is not there is put after the last node.
const ANSWERING: [&str; 3] = ["Return", "Interface", "Link"];

impl Source {
    /// The drafts.
    ///
    /// # Errors
    ///
    /// When there would be too many nodes.
    pub(in super::super) fn convert(
        self,
        targets: &Targets,
        copies: &mut Copies,
        compiler: Compiler<'_>,
        notes: &mut Notes,
    ) -> Result<Vec<FlowDraft>, Problems> {
        let mut drafts = Vec::new();
        let mut reached_by_any = BTreeSet::new();
        for trigger in &self.triggers {
            notes.of_flow(&self.name_of(trigger));
            let reached = self.reached(trigger, notes);
            if self.triggers.len() > 1 {
                copies.count(reached.len())?;
            }
            reached_by_any.extend(reached.iter().copied());
            drafts.push(Converter::new(&self, trigger, &reached, targets, compiler, notes).draft());
        }
        notes.of_flow(&self.name);
        for (index, node) in
            self.nodes.iter().enumerate().filter(|(index, _)| !reached_by_any.contains(index))
        {
            let is_action = |edge: &super::source::SourceEdge| edge.target == index && edge.is_action;
            notes.of_node(Some(&node.id));
            notes.dropped(
                "",
                if self.edges.iter().any(is_action) {
                    "only runs when a user acts in a widget, which Flowtrail has not, and was left out"
                } else {
                    "is reached by no trigger and was left out"
                },
            );
        }
        Ok(drafts)
    }

    fn name_of(&self, trigger: &Trigger) -> String {
        match trigger.node.map(|node| self.nodes[node].label()) {
            Some(label) if self.triggers.len() > 1 => {
                format!("{} – {label}", self.name).chars().take(300).collect()
            }
            _ => self.name.clone(),
        }
    }
}

/// One flow being made.
pub(super) struct Converter<'a> {
    pub(super) source: &'a Source,
    trigger: &'a Trigger,
    pub(super) targets: &'a Targets,
    pub(super) compiler: Compiler<'a>,
    pub(super) notes: &'a mut Notes,
    pub(super) sketch: Sketch,
    /// The id of the trigger.
    pub(super) begin: String,
    /// The new ids of nodes, by their places; those that are not run have none.
    pub(super) ids: BTreeMap<usize, String>,
    /// Which helper comes before a node.
    helpers: BTreeMap<usize, String>,
    /// What templates call nodes.
    pub(super) slugs: BTreeMap<String, usize>,
    /// The secrets that stand for credentials of the file.
    pub(super) credentials: BTreeSet<String>,
    /// The parameters of the trigger.
    pub(super) asked: Vec<Value>,
}

impl<'a> Converter<'a> {
    fn new(
        source: &'a Source,
        trigger: &'a Trigger,
        reached: &BTreeSet<usize>,
        targets: &'a Targets,
        compiler: Compiler<'a>,
        notes: &'a mut Notes,
    ) -> Self {
        let mut sketch = Sketch::default();
        let mut ids = BTreeMap::new();
        let begin = match trigger.node {
            Some(node) => source.nodes[node].label().to_owned(),
            None => "User intent".to_owned(),
        };
        let node = trigger.node.map(|node| &source.nodes[node]);
        let wanted = node.map_or_else(|| "user_intent".to_owned(), slug_of);
        let begin = sketch.add(&wanted, &begin);
        ids.extend(trigger.node.map(|node| (node, begin.clone())));
        let mut helpers = BTreeMap::new();
        for index in reached.iter().copied().filter(|index| Some(*index) != trigger.node) {
            let node = &source.nodes[index];
            let slug = slug_of(node);
            if matches!(node.kind.as_str(), "StatCard" | "PostList") {
                helpers
                    .insert(index, sketch.add(&format!("{slug}_data"), &format!("{} (data)", node.label())));
            }
            ids.insert(index, sketch.add(&slug, node.label()));
        }
        let mut slugs = BTreeMap::new();
        for (index, node) in source.nodes.iter().enumerate() {
            slugs.entry(slug_of(node)).or_insert(index);
        }
        let credentials = BTreeSet::new();
        let asked = Vec::new();
        Self {
            source,
            trigger,
            targets,
            compiler,
            notes,
            sketch,
            begin,
            ids,
            helpers,
            slugs,
            credentials,
            asked,
        }
    }

    fn draft(mut self) -> FlowDraft {
        let Tool { description, when_to_use, when_not_to_use, parameters, .. } = self.trigger.tool.clone();
        self.notes.of_node(self.trigger.node.map(|node| self.source.nodes[node].id.as_str()));
        self.asked = declared(parameters, self.notes);
        let begin = self.begin.clone();
        self.sketch.become_kind(&begin, TRIGGER, json!({"parameters": self.asked}));
        if let Some(node) = self.trigger.node {
            self.sketch.node(&begin).position.clone_from(&self.source.nodes[node].position);
        }
        self.connect();
        let places: Vec<(usize, String)> = self.ids.iter().map(|(index, id)| (*index, id.clone())).collect();
        for (index, id) in places.into_iter().filter(|(_, id)| *id != begin) {
            let node = &self.source.nodes[index];
            self.notes.of_node(Some(&node.id));
            self.sketch.node(&id).position.clone_from(&node.position);
            self.node(index, &id);
        }
        self.notes.of_node(None);
        self.answer();
        let mut draft = FlowDraft::new(FlowKind::Runnable, self.source.name_of(self.trigger));
        draft.tool_name.clone_from(&self.trigger.tool_name);
        let own = self.source.description.as_deref();
        if own.is_some() && description.is_some() && own != description.as_deref() {
            self.notes.dropped("description", "the tool's own description is used");
        }
        let fallback = || format!("Execute the {} trigger", self.sketch_name());
        draft.description = description.or_else(|| own.map(str::to_owned)).unwrap_or_else(fallback);
        for (title, text) in [("WHEN TO USE", when_to_use), ("WHEN NOT TO USE", when_not_to_use)] {
            if let Some(text) = text {
                draft.description.push_str(&format!("\n{title}:\n{text}"));
            }
        }
        draft.active = self.trigger.is_active && !self.sketch.is_incomplete;
        draft.definition = self.sketch.finish();
        draft
    }

    fn sketch_name(&self) -> String {
        let label = self.trigger.node.map(|node| self.source.nodes[node].label().to_owned());
        label.unwrap_or_else(|| self.source.name.clone())
    }

    /// The tool's name.
    pub(super) fn tool_name(&self) -> &str {
        self.trigger.tool_name.as_ref().map_or("flow", ToolName::as_str)
    }

    /// Whether texts were no templates yet when the flow was made.
    pub(super) fn is_before_templates(&self) -> bool {
        self.source.has_legacy_connections || self.source.tool.name.is_some()
    }

    /// The node's first one: the helper before it, or itself.
    pub(super) fn entry(&self, index: usize) -> &str {
        self.helpers.get(&index).unwrap_or_else(|| &self.ids[&index])
    }

    /// The nodes right before a node, in the order of the connections: their places, or nothing for a trigger that
    /// is no node.
    pub(super) fn before(&self, index: usize) -> Vec<Option<usize>> {
        let mut before = Vec::new();
        for edge in self.source.edges.iter().filter(|edge| edge.target == index && !edge.is_action) {
            let from = edge.source.or(self.trigger.node);
            if from.is_none_or(|from| self.ids.contains_key(&from)) && !before.contains(&from) {
                before.push(from);
            }
        }
        before
    }

    fn connect(&mut self) {
        self.notes.of_node(None);
        for (index, edge) in self.source.edges.iter().enumerate() {
            if edge.is_action {
                self.notes.dropped(
                    &format!("connections[{index}]"),
                    "is followed when a user acts in a widget, which Flowtrail has not, and was left out",
                );
                continue;
            }
            let from = match edge.source.or(self.trigger.node) {
                None => Some(self.begin.clone()),
                Some(from) => self.ids.get(&from).cloned(),
            };
            let (Some(from), true) = (from, self.ids.contains_key(&edge.target)) else { continue };
            let to = self.entry(edge.target).to_owned();
            self.sketch.connect(&from, None, &to);
        }
        let indices: Vec<usize> = self.ids.keys().copied().collect();
        for index in indices {
            let (entry, id) = (self.entry(index).to_owned(), self.ids[&index].clone());
            if entry != id {
                self.sketch.connect(&entry, None, &id);
            }
            if entry != self.begin && !self.sketch.is_entered(&entry) {
                let begin = self.begin.clone();
                self.sketch.connect(&begin, None, &entry);
            }
        }
    }

    fn node(&mut self, index: usize, id: &str) {
        let node = &self.source.nodes[index];
        let mut fields = node.parameters.clone();
        match node.kind.as_str() {
            "ApiCall" => self.api_call(index, id, &mut fields),
            "JavaScriptCodeTransform" => self.script(index, id, &mut fields),
            "Return" => self.returned(index, id, &mut fields),
            "Link" => self.link(index, id, &mut fields),
            "CallFlow" => self.call_flow(id, &mut fields),
            "Interface" => self.interface(index, id, &mut fields),
            "StatCard" | "PostList" => self.card(index, id, &mut fields),
            "RegistryComponent" | "BlankComponent" => self.component(index, id, &mut fields),
            kind => self.sketch.give_up(id, kind, "type", "no such kind of node is known", self.notes),
        }
        fields.finish(self.notes);
    }

    /// Sees to it that there is an answer where the flow ends.
    fn answer(&mut self) {
        let last = self.sketch.last();
        let mut answers = 0;
        for id in &last {
            let node = self.sketch.node(id);
            let (kind, name) = (node.kind.clone(), node.name.clone());
            answers += 1;
            if ANSWERING.contains(&kind.as_str()) {
                continue;
            }
            let answer = self.sketch.add(&format!("{id}_answer"), &format!("{name} (answer)"));
            if *id == self.begin {
                let text = format!("Trigger {name:?} is not connected to any nodes.");
                self.sketch.become_kind(
                    &answer,
                    "Return",
                    json!({"text": super::super::words::literal(&text)}),
                );
            } else {
                let of = if kind == "CallFlow" { ".output" } else { "" };
                self.sketch.become_kind(&answer, "Return", json!({"json": format!("{{{{ {id}{of} }}}}")}));
            }
            self.sketch.connect(id, None, &answer);
        }
        if answers > 1 {
            self.notes.changed("", "all its last nodes answer; before, only the one that ran last did");
        }
    }
}

/// The name by which templates call a node.
pub(super) fn slug_of(node: &SourceNode) -> String {
    if let Some(slug) = &node.slug {
        return slug.clone();
    }
    let mut slug = String::new();
    for c in node.label().chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => slug.push(c),
            _ if slug.is_empty() || slug.ends_with('_') => {}
            _ => slug.push('_'),
        }
    }
    slug.trim_end_matches('_').to_owned()
}
