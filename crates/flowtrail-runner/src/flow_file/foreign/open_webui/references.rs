//! `{{input}}` and `{{node.output.path}}` in texts. Everything else in braces was text, and stays so.

use super::super::note::quoted;
use super::super::words::{self, Part, quoted_js};
use super::convert::Converter;
use super::links::{Given, property};

/// A piece of a text.
#[derive(Debug, PartialEq)]
pub(super) enum Piece<'t> {
    Text(&'t str),
    /// What the text is given, and the way into it.
    Input(Vec<&'t str>),
    /// A node by its name, and the way into what it gave.
    Output(&'t str, Vec<&'t str>),
}

/// A text of which each reference is resolved.
pub(super) enum Resolved {
    Text(String),
    Value(Given, Vec<String>),
}

impl Converter<'_> {
    /// A text as a template.
    pub(super) fn template(
        &mut self,
        index: usize,
        id: &str,
        field: &str,
        text: &str,
        input: Option<&Given>,
    ) -> String {
        let parts: Vec<Part> = self
            .resolved(index, id, field, text, input)
            .into_iter()
            .map(|part| match part {
                Resolved::Text(text) => Part::Text(text),
                Resolved::Value(given, steps) => {
                    let path = words::path(steps.iter().map(String::as_str));
                    Part::Expression(format!("{}{path}", given.template))
                }
            })
            .collect();
        words::written(&parts)
    }

    /// A text as an expression of a script, in which `text` makes text of any value.
    pub(super) fn expression(
        &mut self,
        index: usize,
        id: &str,
        field: &str,
        text: &str,
        input: Option<&Given>,
    ) -> String {
        let parts: Vec<String> = self
            .resolved(index, id, field, text, input)
            .into_iter()
            .map(|part| match part {
                Resolved::Text(text) => quoted_js(&text),
                Resolved::Value(given, steps) => {
                    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
                    format!("text({})", property(&given.script, &steps))
                }
            })
            .collect();
        if parts.is_empty() { quoted_js("") } else { parts.join(" + ") }
    }

    pub(super) fn resolved(
        &mut self,
        index: usize,
        id: &str,
        field: &str,
        text: &str,
        input: Option<&Given>,
    ) -> Vec<Resolved> {
        let mut resolved = Vec::new();
        for piece in pieces(text) {
            let owned = |steps: &[&str]| steps.iter().map(|step| (*step).to_owned()).collect();
            resolved.push(match piece {
                Piece::Text(text) => Resolved::Text(text.to_owned()),
                Piece::Input(steps) => match input {
                    Some(given) => Resolved::Value(given.clone(), owned(&steps)),
                    None => {
                        self.notes
                            .dropped(field, "nothing is connected that input could be: it gives no text");
                        Resolved::Text(String::new())
                    }
                },
                Piece::Output(name, steps) => match self.named(index, id, field, name) {
                    Some(given) => {
                        let is_output = self.source.nodes[given.of].kind == "output";
                        let steps =
                            if is_output && steps.first() == Some(&"value") { &steps[1..] } else { &steps };
                        Resolved::Value(given, owned(steps))
                    }
                    None => {
                        let path = std::iter::once("output").chain(steps).collect::<Vec<_>>().join(".");
                        Resolved::Text(format!("{{{{{name}.{path}}}}}"))
                    }
                },
            });
        }
        resolved
    }

    /// What a node gave that a text names: by its id, or by what ids of its kind begin with.
    fn named(&mut self, index: usize, id: &str, field: &str, name: &str) -> Option<Given> {
        let nodes = &self.source.nodes;
        let by_id = nodes.iter().position(|node| node.id == name);
        let by_kind = || {
            let start = format!("{name}_");
            let mut found: Vec<usize> = self
                .source
                .order
                .iter()
                .copied()
                .filter(|node| nodes[*node].id.starts_with(&start))
                .collect();
            found.sort_by_key(|node| !self.before.precedes(*node, index));
            found
        };
        let candidates = match by_id {
            Some(node) => vec![node],
            None if !name.contains('_') => by_kind(),
            None => Vec::new(),
        };
        if candidates.len() > 1 {
            self.notes.assumed(field, format!("{} may be several nodes: the first was taken", quoted(name)));
        }
        let found = candidates.first().copied().filter(|of| self.can_name(*of, index));
        let Some(of) = found else {
            self.notes
                .dropped(field, format!("{} names no node that has run before: it stays text", quoted(name)));
            return None;
        };
        let given = self.given(of, index, None);
        self.know(&given, id);
        Some(given)
    }

    /// Whether a node can come before another, which it does from now on.
    fn can_name(&mut self, of: usize, at: usize) -> bool {
        if of == at {
            return false;
        }
        if self.bodies.is_within(of, at) {
            return true;
        }
        let (out, into) = (self.bodies.around(of), self.bodies.around(at));
        let common = out.iter().zip(into).take_while(|(left, right)| left == right).count();
        let first = out.get(common).copied().unwrap_or(of);
        let second = into.get(common).copied().unwrap_or(at);
        if first == second || self.before.precedes(second, first) {
            return false;
        }
        self.before.connect(first, second);
        true
    }
}

/// The text and the references in it.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut rest, mut from) = (text, 0);
    while let Some(start) = rest[from..].find("{{").map(|start| start + from) {
        let inner = &rest[start + 2..];
        let found = inner.find("}}").and_then(|end| Some((end, reference(inner[..end].trim())?)));
        match found {
            Some((end, reference)) => {
                if start > 0 {
                    pieces.push(Piece::Text(&rest[..start]));
                }
                pieces.push(reference);
                (rest, from) = (&inner[end + 2..], 0);
            }
            None => from = start + 1,
        }
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

fn reference(inner: &str) -> Option<Piece<'_>> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut steps = inner.split('.');
    let name = steps.next()?;
    let mut steps: Vec<&str> = steps.collect();
    if !steps.iter().all(|step| step.chars().all(is_word)) {
        return None;
    }
    let without_blanks = |steps: Vec<&'_ str>| steps.iter().all(|step| !step.is_empty());
    if name == "input" && steps.first() != Some(&"output") {
        return without_blanks(steps.clone()).then_some(Piece::Input(steps));
    }
    let is_name = !name.is_empty() && name.chars().all(|c| is_word(c) || c == '-');
    if !is_name || steps.first() != Some(&"output") || !without_blanks(steps.clone()) {
        return None;
    }
    steps.remove(0);
    Some(Piece::Output(name, steps))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_names_something_is_a_reference() {
        assert_eq!(
            pieces("a {{input}} {{ x-1.output.b.0 }} {{name}} {% y %}"),
            [
                Piece::Text("a "),
                Piece::Input(vec![]),
                Piece::Text(" "),
                Piece::Output("x-1", vec!["b", "0"]),
                Piece::Text(" {{name}} {% y %}"),
            ]
        );
        assert_eq!(pieces("{{{input.a}}}"), [Piece::Text("{"), Piece::Input(vec!["a"]), Piece::Text("}")]);
        assert_eq!(pieces("{{input.output}}"), [Piece::Output("input", vec![])]);
        for text in ["{{", "{{}}", "{{input", "{{ a.b }}", "{{.output}}", "{{input..a}}", "{{ü.output}}"] {
            assert_eq!(pieces(text), [Piece::Text(text)]);
        }
    }
}
