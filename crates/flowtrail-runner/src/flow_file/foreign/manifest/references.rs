//! `{{ slug.path }}`: what it names, and how Flowtrail writes it.

use super::super::note::quoted;
use super::super::words::{self, Part, quoted_js};
use super::convert::Converter;
use super::source::TRIGGER;

/// What executions told of nodes besides their results.
const EXECUTION: &str = "_execution";

/// What follows a path that may not be there: then there is no text.
const OR_NOTHING: &str = " | default(\"\")";

/// A piece of a text.
enum Piece<'t> {
    Text(&'t str),
    Reference(&'t str),
}

/// What a reference gives.
enum Given {
    /// A path from a node's output.
    Path(String),
    /// The same text always.
    Text(String),
    /// Something that is not known here.
    Nothing,
}

impl Converter<'_> {
    /// A text of a node with its templates.
    pub(super) fn template(&mut self, index: usize, field: &str, text: &str) -> String {
        let mut parts = Vec::new();
        for piece in pieces(text) {
            parts.push(match piece {
                Piece::Text(text) => Part::Text(text.to_owned()),
                Piece::Reference(inner) => self.reference(index, field, inner),
            });
        }
        words::written(&parts)
    }

    /// The JSON text of a request's body with its templates. As there, a template within a JSON string gives text, and any
    /// other gives JSON, with `null` for what is missing.
    pub(super) fn json_template(&mut self, index: usize, field: &str, text: &str) -> String {
        let mut parts = Vec::new();
        let mut before = String::new();
        for piece in pieces(text) {
            parts.push(match piece {
                Piece::Text(text) => {
                    before.push_str(text);
                    Part::Text(text.to_owned())
                }
                Piece::Reference(inner) => {
                    let is_text = is_within_string(&before);
                    // Quotes in the path are counted too, as there.
                    before.push_str(&format!("{{{{{inner}}}}}"));
                    match self.reference(index, field, inner) {
                        Part::Text(text) if is_text => Part::Text(text),
                        Part::Text(text) if text.is_empty() => Part::Text("null".to_owned()),
                        Part::Text(text) => Part::Text(quoted_js(&text)),
                        Part::Expression(expression) => Part::Expression(as_json(&expression, is_text)),
                    }
                }
            });
        }
        words::written(&parts)
    }

    fn reference(&mut self, index: usize, field: &str, inner: &str) -> Part {
        let steps: Vec<&str> = inner.trim().split('.').map(str::trim).collect();
        let (name, steps) = (steps[0], &steps[1..]);
        let nodes = &self.source.nodes;
        let by_id = || nodes.iter().position(|node| node.id == name);
        let place = self.slugs.get(name).copied().or_else(by_id);
        let (id, kind) = match place {
            Some(place) => (self.ids.get(&place).cloned(), nodes[place].kind.as_str()),
            None if name == "secrets" && !steps.is_empty() => return self.secret(field, &steps.join("_")),
            None if name == "trigger" => {
                self.notes.assumed(field, "\"trigger\" names no node: the flow's trigger was assumed");
                (Some(self.begin.clone()), TRIGGER)
            }
            None => (None, ""),
        };
        let entry = self.entry(index).to_owned();
        let Some(id) = id.filter(|id| self.sketch.put_before(id, &entry)) else {
            let name = quoted(name);
            self.notes.dropped(field, format!("{name} names no node that has run before: it gives no text"));
            return Part::Text(String::new());
        };
        match self.given(place, kind, &id, steps) {
            Given::Text(text) => Part::Text(text),
            Given::Path(path) if path == id => Part::Expression(path),
            Given::Path(path) => Part::Expression(format!("{path}{OR_NOTHING}")),
            Given::Nothing => {
                let path = quoted(inner.trim());
                self.notes.dropped(field, format!("{path} is not known here: it gives no text"));
                Part::Text(String::new())
            }
        }
    }

    fn given(&self, place: Option<usize>, kind: &str, id: &str, steps: &[&str]) -> Given {
        let path = |steps: &[&str]| Given::Path(format!("{id}{}", words::path(steps.iter().copied())));
        let text = |text: &str| Given::Text(text.to_owned());
        match (kind, steps) {
            (_, [EXECUTION, "success"]) if kind != TRIGGER => text("true"),
            ("ApiCall", ["success"]) => text("true"),
            ("ApiCall", [EXECUTION, "httpStatus"]) => path(&["status"]),
            ("ApiCall", [EXECUTION, "requestUrl"]) => path(&["url"]),
            ("ApiCall", [EXECUTION, "durationMs"] | ["requestDuration"]) => path(&["durationMs"]),
            ("ApiCall", ["type"]) => text("apiCall"),
            ("ApiCall", ["headers", name]) => path(&["headers", &name.to_ascii_lowercase()]),
            ("ApiCall", ["statusText" | "error", ..]) | (_, [EXECUTION, ..]) => Given::Nothing,
            ("JavaScriptCodeTransform", ["_value", rest @ ..]) => path(rest),
            ("Return", ["text"]) => path(&[]),
            ("Link", ["type"]) => text("link"),
            ("Link", ["href"]) => path(&["url"]),
            ("CallFlow", ["action"]) => text("callFlow"),
            ("CallFlow", [what @ ("targetToolName" | "targetFlowName")]) => {
                let target = place.and_then(|place| self.target_of(place));
                target.map_or(Given::Nothing, |target| {
                    text(if *what == "targetToolName" {
                        target.tool_name.as_str()
                    } else {
                        &target.flow_name
                    })
                })
            }
            ("StatCard" | "PostList" | "Interface" | "RegistryComponent" | "BlankComponent", steps) => {
                path(&[&["data"], steps].concat())
            }
            (_, steps) => path(steps),
        }
    }

    /// A configured secret.
    pub(super) fn secret(&mut self, field: &str, name: &str) -> Part {
        let spell = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let name: String = name.chars().map(spell).collect();
        if !self.credentials.contains(&name) {
            self.notes.configure(field, format!("needs the secret {name}"));
        }
        Part::Expression(format!("secrets{}", words::path([name.as_str()])))
    }

    /// What a node gave, as a script names it, and whether it is what it gave before.
    pub(super) fn in_script(&self, place: Option<usize>) -> (String, bool) {
        let Some((place, id)) = place.and_then(|place| Some((place, self.ids.get(&place)?))) else {
            return (format!("nodes.{}", self.begin), true);
        };
        match self.source.nodes[place].kind.as_str() {
            "Return" => (format!("{{ text: nodes.{id} }}"), false),
            "Link" => (format!("{{ type: \"link\", href: nodes.{id}.url }}"), false),
            "CallFlow" => (format!("nodes.{id}.output"), false),
            "StatCard" | "PostList" | "Interface" | "RegistryComponent" | "BlankComponent" => {
                (format!("nodes.{id}.data"), false)
            }
            _ => (format!("nodes.{id}"), true),
        }
    }
}

/// What stands for a reference in a body: text, for which null is none, or JSON.
fn as_json(expression: &str, is_text: bool) -> String {
    let value = expression.trim_end_matches(OR_NOTHING);
    // A secret that is not configured is a failure, and never null.
    let is_secret = expression.starts_with("secrets.") || expression.starts_with("secrets[");
    match is_text {
        true if is_secret => expression.to_owned(),
        false if is_secret => format!("{expression} | tojson"),
        true => format!("\"\" if {value} | default(none) is none else {value}"),
        false => format!("{value} | default(none) | tojson"),
    }
}

/// Whether the text ends within a JSON string: after an odd number of quotes that no backslash stands before.
fn is_within_string(text: &str) -> bool {
    let quotes = text.match_indices('"').filter(|(at, _)| !text[..*at].ends_with('\\'));
    quotes.count() % 2 == 1
}

/// The text and the references in it.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut rest, mut from) = (text, 0);
    while let Some(start) = rest[from..].find("{{").map(|start| start + from) {
        let inner = &rest[start + 2..];
        match inner.find('}') {
            Some(end) if inner[end..].starts_with("}}") && !inner[..end].trim().is_empty() => {
                pieces.push(Piece::Text(&rest[..start]));
                pieces.push(Piece::Reference(&inner[..end]));
                (rest, from) = (&inner[end + 2..], 0);
            }
            _ => from = start + 1,
        }
    }
    pieces.push(Piece::Text(rest));
    pieces
}
