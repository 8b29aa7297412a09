//! What answers, and what calls another flow.

use serde_json::{Map, Value, json};

use super::super::fields::Fields;
use super::super::words::{self, quoted_js};
use super::convert::{Converter, slug_of};
use super::tools::Target;

/// What describes the looks of a widget, or is its code.
const WIDGET: [&str; 13] = [
    "customCode",
    "appearanceConfig",
    "appearanceOptions",
    "layoutTemplate",
    "files",
    "originalFiles",
    "dependencies",
    "registryDependencies",
    "variant",
    "customProps",
    "actions",
    "inputSchema",
    "previewUrl",
];

/// What describes a component in its registry.
const REGISTRY: [&str; 3] = ["version", "description", "category"];

impl Converter<'_> {
    pub(super) fn returned(&mut self, index: usize, id: &str, fields: &mut Fields) {
        let text = fields.text("text", self.notes).unwrap_or_default();
        let text = if self.is_before_templates() {
            words::literal(&text)
        } else {
            self.template(index, "parameters.text", &text)
        };
        self.sketch.become_kind(id, "Return", json!({ "text": text }));
    }

    pub(super) fn link(&mut self, index: usize, id: &str, fields: &mut Fields) {
        let href = fields.some_text("href", self.notes).unwrap_or_default();
        let href = href.trim();
        if href.is_empty() {
            return self.sketch.give_up(id, "Link", "parameters.href", "it has no URL", self.notes);
        }
        let has_scheme = href.starts_with("http://") || href.starts_with("https://");
        let href = if has_scheme {
            href.to_owned()
        } else if href.starts_with("{{") {
            self.notes.changed("parameters.href", "its template must give a whole URL");
            href.to_owned()
        } else {
            format!("https://{href}")
        };
        let url = self.template(index, "parameters.href", &href);
        self.sketch.become_kind(id, "Link", json!({ "url": url }));
    }

    pub(super) fn interface(&mut self, index: usize, id: &str, fields: &mut Fields) {
        let data = match fields.take("mockData") {
            Some(data) => words::literal_value(data),
            None => self.given_before(index),
        };
        fields.drop_together(&WIDGET, "there is no widget: the answer is its data", self.notes);
        self.sketch.become_kind(id, "Interface", json!({ "data": data }));
    }

    /// A card of figures or of posts: what of that name there is, in the arguments or before it.
    pub(super) fn card(&mut self, index: usize, id: &str, fields: &mut Fields) {
        let is_stats = self.source.nodes[index].kind == "StatCard";
        let what = if is_stats { "stats" } else { "posts" };
        let before = self.before(index).into_iter().map(|place| self.in_script(place).0);
        let mut from = vec![format!("nodes.{}", self.begin)];
        for value in before {
            if !from.contains(&value) {
                from.push(value);
            }
        }
        let helper = self.entry(index).to_owned();
        self.sketch.become_script(
            &helper,
            format!(
                "for (const from of [{}]) {{\n  if (from && Array.isArray(from.{what})) return {{ {what}: from.{what} \
                 }};\n}}\nreturn {{ {what}: [] }};",
                from.join(", ")
            ),
        );
        if !is_stats {
            self.notes
                .changed("", "also takes the posts of the nodes before it, and not of the arguments only");
        }
        fields.drop_together(&WIDGET, "there is no widget: the answer is its data", self.notes);
        self.sketch.become_kind(id, "Interface", json!({ "data": format!("{{{{ {helper} }}}}") }));
    }

    pub(super) fn component(&mut self, index: usize, id: &str, fields: &mut Fields) {
        let mut data = Map::new();
        for name in self.asked.iter().filter_map(|parameter| parameter["name"].as_str()) {
            let path = words::path([name]);
            data.insert(name.to_owned(), json!(format!("{{{{ {}{path} | default(none) }}}}", self.begin)));
        }
        for place in self.before(index).into_iter().flatten() {
            let node = &self.source.nodes[place];
            let (own, name) = (&self.ids[&place], slug_of(node));
            if *own != self.begin {
                let name = if name.is_empty() { own.clone() } else { name };
                data.insert(name, json!(format!("{{{{ {own} }}}}")));
            }
        }
        if self.source.nodes[index].kind == "RegistryComponent" {
            for field in ["registryName", "title"] {
                if let Some(text) = fields.text(field, self.notes) {
                    data.insert(field.to_owned(), json!(words::literal(&text)));
                }
            }
            self.notes.changed(
                "",
                "what the nodes before it gave stands under their slugs and not under their ids",
            );
        } else {
            self.notes.changed("", "answers with what came before it; it did nothing on the server");
        }
        fields.drop_together(&WIDGET, "there is no widget: the answer is its data", self.notes);
        fields.drop_together(&REGISTRY, "there is no registry of components", self.notes);
        self.sketch.become_kind(id, "Interface", json!({ "data": data }));
    }

    pub(super) fn call_flow(&mut self, id: &str, fields: &mut Fields) {
        let flow = fields.some_text("targetFlowId", self.notes);
        fields.drop_together(
            &["inputMapping", "inputMappings"],
            "was never used and was left out",
            self.notes,
        );
        let targets = self.targets;
        let Some(target) = flow.and_then(|flow| targets.lookup(&flow)) else {
            let why = "the flow that it calls is not in the file, or not active; import them together";
            return self.sketch.give_up(id, "CallFlow", "parameters.targetFlowId", why, self.notes);
        };
        let mut params = Map::new();
        for (name, required) in &target.parameters {
            let is_asked =
                self.asked.iter().any(|own| own["name"] == name.as_str() && own["required"] == true);
            let value = if name == "message" {
                "Triggered from call flow".to_owned()
            } else if is_asked {
                format!("{{{{ {}{} }}}}", self.begin, words::path([name.as_str()]))
            } else if *required {
                String::new()
            } else {
                continue;
            };
            params.insert(name.clone(), Value::String(value));
        }
        self.notes.changed("", "the flow is run here; before, the client was asked to call it");
        if !params.is_empty() {
            self.notes
                .assumed("", "what the called flow is given: the parameters of the same names, else no text");
        }
        self.sketch.become_kind(id, "CallFlow", json!({"toolName": target.tool_name, "params": params}));
    }

    /// The tool that a node calls.
    pub(super) fn target_of(&self, place: usize) -> Option<&Target> {
        let mut fields = self.source.nodes[place].parameters.clone();
        let flow = fields.take("targetFlowId")?;
        self.targets.lookup(flow.as_str()?)
    }

    /// What the nodes before a node gave: of one that itself, of several an object.
    fn given_before(&self, index: usize) -> Value {
        let before = self.before(index);
        let id = |place: Option<usize>| place.map_or(&self.begin, |place| &self.ids[&place]).clone();
        let template = |id: &str| json!(format!("{{{{ {id} }}}}"));
        match before.as_slice() {
            [] => template(&self.begin),
            [only] => template(&id(*only)),
            several => several.iter().map(|place| id(*place)).map(|id| (id.clone(), template(&id))).collect(),
        }
    }
}

/// An object of what nodes gave, by the names that scripts knew.
pub(super) fn keyed(values: &[(String, String)]) -> String {
    let entries: Vec<String> =
        values.iter().map(|(name, value)| format!("{}: {value}", quoted_js(name))).collect();
    format!("{{ {} }}", entries.join(", "))
}
