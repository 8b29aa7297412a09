//! From a flow of Open WebUI's to a draft.

use std::collections::{BTreeMap, BTreeSet};

use flowtrail_types::{FlowDraft, FlowKind};
use serde_json::{Value, json};

use super::super::note::Notes;
use super::super::sketch::{Before, Sketch};
use super::super::words::{ToolNames, latin};
use super::bodies::{Bodies, EACH, LOOP};
use super::source::Source;
use crate::parameter::TRIGGER;
use crate::problem::Problems;

/// What the editor writes where it asks for an input.
const PLACEHOLDER: &str = "Enter input text...";

/// The most characters of a parameter's name.
const MAX_NAME: usize = 60;

impl Source {
    /// The draft.
    ///
    /// # Errors
    ///
    /// None today: what keeps a flow from being converted was found when it was read.
    pub(in super::super) fn convert(
        self,
        names: &mut ToolNames,
        notes: &mut Notes,
    ) -> Result<FlowDraft, Problems> {
        notes.of_flow(&self.name);
        let mut draft = FlowDraft::new(FlowKind::Runnable, self.name.clone());
        draft.tool_name = Some(names.make(None, &[&self.name]));
        draft.description.clone_from(&self.description);
        let mut converter = Converter::new(&self, notes);
        converter.run();
        draft.active = !converter.sketch.is_incomplete;
        draft.definition = converter.sketch.finish();
        Ok(draft)
    }
}

/// A flow being made.
pub(super) struct Converter<'a> {
    pub(super) source: &'a Source,
    pub(super) bodies: Bodies,
    pub(super) notes: &'a mut Notes,
    pub(super) sketch: Sketch,
    /// The id of the trigger.
    pub(super) begin: String,
    /// The new ids of nodes, by their places.
    pub(super) ids: Vec<String>,
    /// What the first nodes of a loop's body hang on, by the loop's place.
    pub(super) items: BTreeMap<usize, String>,
    /// What gathers what is read after a loop of nodes in its body: its id, and the nodes with their values.
    pub(super) ends: BTreeMap<usize, (String, BTreeMap<String, String>)>,
    /// What a conditional is left by.
    pub(super) branches: BTreeMap<usize, String>,
    /// In which bodies the new nodes are; those that are not here are in none.
    pub(super) scopes: BTreeMap<String, Vec<usize>>,
    /// Which nodes of the file come before which.
    pub(super) before: Before,
    /// Whether anything is asked of the other server.
    pub(super) asks_server: bool,
    /// The names of the trigger's parameters, by the places of the nodes that give them.
    parameters: BTreeMap<usize, String>,
}

impl<'a> Converter<'a> {
    fn new(source: &'a Source, notes: &'a mut Notes) -> Self {
        let mut sketch = Sketch::default();
        let bodies = Bodies::of(source);
        let begin = sketch.add("start", "Start");
        let mut converter = Self {
            source,
            notes,
            begin,
            ids: source.nodes.iter().map(|node| sketch.add(&node.id, &node.label)).collect(),
            items: BTreeMap::new(),
            ends: BTreeMap::new(),
            branches: BTreeMap::new(),
            scopes: BTreeMap::new(),
            before: Before::default(),
            asks_server: false,
            parameters: BTreeMap::new(),
            bodies,
            sketch,
        };
        for (index, id) in converter.ids.iter().enumerate() {
            converter.before.add();
            converter.scopes.insert(id.clone(), converter.bodies.around(index).to_vec());
        }
        for edge in &source.edges {
            if !converter.is_cut(edge) {
                converter.before.connect(edge.source, edge.target);
            }
        }
        converter
    }

    fn run(&mut self) {
        self.trigger();
        for index in 0..self.source.nodes.len() {
            if self.source.nodes[index].kind == LOOP && self.bodies.has_body(index) {
                let item = self.helper(index, "item", &[self.bodies.around(index), &[index]].concat());
                self.items.insert(index, item);
            }
        }
        for place in 0..self.source.order.len() {
            let index = self.source.order[place];
            let node = &self.source.nodes[index];
            let id = self.ids[index].clone();
            self.notes.of_node(Some(&node.id));
            self.sketch.node(&id).position.clone_from(&node.position);
            self.node(index, &id);
        }
        self.notes.of_node(None);
        self.close_bodies();
        self.answer();
        if self.asks_server {
            let message = "set the secrets OPEN_WEBUI_URL (like https://HOST/api, or any OpenAI-compatible endpoint) \
                           and OPEN_WEBUI_KEY";
            self.notes.configure("", message);
        }
    }

    /// A node beside the one at a place, in these bodies.
    pub(super) fn helper(&mut self, index: usize, what: &str, scope: &[usize]) -> String {
        let (id, label) = (self.ids[index].clone(), &self.source.nodes[index].label);
        let helper = self.sketch.add(&format!("{id}_{what}"), &format!("{label} ({what})"));
        self.scopes.insert(helper.clone(), scope.to_vec());
        helper
    }

    /// Whether a connection by which a loop repeated leads to a node that is reached without it too.
    pub(super) fn is_cut(&self, edge: &super::source::SourceEdge) -> bool {
        self.source.nodes[edge.source].kind == LOOP
            && edge.handle.as_deref() == Some(EACH)
            && !self.bodies.is_within(edge.source, edge.target)
    }

    fn node(&mut self, index: usize, id: &str) {
        let node = &self.source.nodes[index];
        let mut data = node.data.clone();
        match node.kind.as_str() {
            "input" => self.input(index, id, &mut data),
            "model" => self.model(index, id, &mut data),
            "output" => self.output(index, id, &mut data),
            "transform" => self.transform(index, id, &mut data),
            "conditional" => self.conditional(index, id, &mut data),
            "merge" => self.merge(index, id, &mut data),
            "knowledge" => self.knowledge(index, id, &mut data),
            LOOP => self.repeat(index, id, &mut data),
            "websearch" => {
                self.connect(index, id);
                data.ignore(&["engine", "result"]);
                self.sketch.give_up(id, "websearch", "type", "a web search has no counterpart", self.notes);
            }
            kind => {
                self.connect(index, id);
                self.sketch.give_up(id, kind, "type", "no such kind of node is known", self.notes);
            }
        }
        data.finish(self.notes);
    }

    fn trigger(&mut self) {
        let mut names = BTreeSet::new();
        let mut parameters = Vec::new();
        for (index, node) in self.source.nodes.iter().enumerate().filter(|(_, node)| node.kind == "input") {
            let mut data = node.data.clone();
            let name = free_name(&node.label, &mut names);
            let placeholder = data.take("placeholder");
            let placeholder = placeholder.as_ref().and_then(Value::as_str).unwrap_or_default().trim();
            let says = !placeholder.is_empty() && placeholder != PLACEHOLDER;
            let description = if says { placeholder } else { &node.label };
            let mut parameter = json!({"name": name, "type": "string", "description": description});
            match data.take("value") {
                Some(Value::String(text)) if text.is_empty() => parameter["required"] = json!(true),
                None => parameter["required"] = json!(true),
                Some(Value::String(text)) => parameter["default"] = json!(text),
                Some(other) => parameter["default"] = json!(other.to_string()),
            }
            parameters.push(parameter);
            self.parameters.insert(index, name);
        }
        if parameters.len() > 1 {
            self.notes.changed(
                "",
                "each input has a parameter of its own; before, one prompt went into all of them",
            );
        }
        let begin = self.begin.clone();
        self.sketch.become_kind(&begin, TRIGGER, json!({ "parameters": parameters }));
    }

    fn input(&mut self, index: usize, id: &str, data: &mut super::super::fields::Fields) {
        data.ignore(&["value", "placeholder"]);
        let has_file = data.peek("mediaFileId").is_some_and(|file| !file.is_empty());
        let files = ["mediaFileId", "mediaFileName", "mediaFileType", "fileIds"];
        data.drop_together(&files, "files stay on the other server", self.notes);
        self.connect(index, id);
        let begin = self.begin.clone();
        if self.scopes[id].is_empty() {
            self.sketch.connect(&begin, None, id);
        }
        if has_file {
            // The file's id was what the node gave, whatever its text.
            let why = "it gives a file, which stays on the other server";
            return self.sketch.give_up(id, "input", "data.mediaFileId", why, self.notes);
        }
        let name = self.parameters[&index].clone();
        self.sketch.become_script(id, format!("return nodes.{begin}.{name};"));
    }

    /// A flow without an output answers with what its last nodes gave.
    fn answer(&mut self) {
        if self.source.nodes.iter().any(|node| node.kind == "output") {
            return;
        }
        self.notes.assumed("nodes", "the flow has no output: it answers with what its last nodes give");
        for id in self.sketch.last() {
            if self.scopes.get(&id).is_some_and(|scope| !scope.is_empty()) {
                continue;
            }
            let answer = self.sketch.add(&format!("{id}_answer"), "Answer");
            let node = self.sketch.node(&id);
            let template = match node.kind.as_str() {
                "Model" => format!("{{{{ {id}.text }}}}"),
                TRIGGER => String::new(),
                _ => format!("{{{{ {id} }}}}"),
            };
            self.sketch.become_kind(&answer, "Return", json!({ "text": template }));
            self.sketch.connect(&id, None, &answer);
        }
        // What ends in loops answers by them.
        for index in 0..self.ids.len() {
            let id = self.ids[index].clone();
            if self.items.contains_key(&index)
                && self.scopes[&id].is_empty()
                && !self.sketch.is_left(&id, Some("done"))
            {
                let answer = self.sketch.add(&format!("{id}_answer"), "Answer");
                self.sketch.become_kind(&answer, "Return", json!({ "json": format!("{{{{ {id} }}}}") }));
                self.sketch.connect(&id, Some("done"), &answer);
            }
        }
    }
}

/// A parameter's name like a label, that no other one has.
fn free_name(label: &str, taken: &mut BTreeSet<String>) -> String {
    let mut name = String::new();
    for c in latin(label).chars().take(MAX_NAME) {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => name.push(c),
            _ if name.is_empty() || name.ends_with('_') => {}
            _ => name.push('_'),
        }
    }
    let name = name.trim_end_matches('_');
    let name = match name {
        "" | "input" => "message".to_owned(),
        name if name.starts_with(|first: char| first.is_ascii_digit()) => format!("n_{name}"),
        name => name.to_owned(),
    };
    let numbered = (2_u32..).map(|number| format!("{name}_{number}"));
    let free =
        std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name)).unwrap_or(name);
    taken.insert(free.clone());
    free
}
