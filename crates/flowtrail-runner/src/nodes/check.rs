//! What the kinds use to check a node's parameters.

use std::collections::BTreeSet;

use flowtrail_types::Node;
use serde_json::Value;

use crate::duration::parse_timeout;
use crate::graph::Graph;
use crate::problem::Problems;
use crate::retry::Retry;
use crate::sandbox::{Compiler, Script};
use crate::suggest::suggestion;
use crate::template;

/// A node being checked: its parameters, what it can name, and where problems go.
pub(crate) struct Check<'g, 'p> {
    graph: &'g Graph<'g>,
    node: &'g Node,
    before: BTreeSet<&'g str>,
    compiler: Compiler<'p>,
    problems: &'p mut Problems,
}

impl<'g, 'p> Check<'g, 'p> {
    /// A check of the node that stands at this place.
    pub(crate) fn new(
        graph: &'g Graph<'g>,
        index: usize,
        compiler: Compiler<'p>,
        problems: &'p mut Problems,
    ) -> Self {
        let nodes = &graph.definition.nodes;
        let before = graph.ancestors(index).into_iter().map(|ancestor| nodes[ancestor].id.as_str()).collect();
        Self { graph, node: &nodes[index], before, compiler, problems }
    }

    /// The node.
    pub(super) fn node(&self) -> &'g Node {
        self.node
    }

    /// Where problems go.
    pub(super) fn problems(&mut self) -> &mut Problems {
        self.problems
    }

    /// Adds a problem with a parameter.
    pub(super) fn problem(&mut self, parameter: &str, message: impl Into<String>) {
        self.problems.add_at(&self.node.id, format!("parameters.{parameter}"), message);
    }

    /// Refuses every parameter that is not one of these.
    pub(super) fn only(&mut self, known: &[&str]) {
        for parameter in self.node.parameters.keys().filter(|name| !known.contains(&name.as_str())) {
            let hint = suggestion(parameter, known.iter().copied());
            self.problem(parameter, format!("is no parameter of {}{hint}", self.node.kind));
        }
    }

    /// A parameter, unless it is absent or null.
    pub(super) fn parameter(&self, name: &str) -> Option<&'g Value> {
        self.node.parameters.get(name).filter(|value| !value.is_null())
    }

    /// A parameter that must be a string, if it is there.
    pub(super) fn text(&mut self, name: &str) -> Option<&'g str> {
        match self.parameter(name)? {
            Value::String(text) => Some(text),
            _ => {
                self.problem(name, "must be a string");
                None
            }
        }
    }

    /// A parameter that must be there and be a string with something in it.
    pub(super) fn required_text(&mut self, name: &str) -> Option<&'g str> {
        let text = match self.parameter(name) {
            None => None,
            Some(_) => Some(self.text(name)?),
        };
        let text = text.filter(|text| !text.trim().is_empty());
        if text.is_none() {
            self.problem(name, "is missing");
        }
        text
    }

    /// Checks the templates in every string of a parameter.
    pub(super) fn templates(&mut self, name: &str) {
        if let Some(value) = self.parameter(name) {
            self.templates_in(name, value);
        }
    }

    /// Checks a parameter that says how long the node may take.
    pub(super) fn timeout(&mut self) {
        if let Some(Err(message)) = self.text("timeout").map(parse_timeout) {
            self.problem("timeout", message);
        }
    }

    /// Checks a parameter that says how often the node is tried.
    pub(super) fn retry(&mut self) {
        if let Some(Err(problems)) = self.parameter("retry").map(Retry::read) {
            for (path, message) in problems {
                self.problem(&format!("retry{path}"), message);
            }
        }
    }

    fn templates_in(&mut self, path: &str, value: &'g Value) {
        match value {
            Value::String(source) => self.template(path, source),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.templates_in(&format!("{path}[{index}]"), item);
                }
            }
            Value::Object(fields) => {
                for (key, field) in fields {
                    self.templates_in(&format!("{path}.{key}"), field);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn template(&mut self, path: &str, source: &str) {
        let names = match template::names_in(source) {
            Ok(names) => names,
            Err(message) => return self.problem(path, message),
        };
        for name in names {
            let name = name.as_str();
            if self.before.contains(name) || matches!(name, "secrets" | "input") {
                continue;
            }
            if name == self.node.id {
                self.problem(path, format!("{name} is this node itself, which has no output yet"));
            } else if self.graph.index.contains_key(name) {
                self.problem(
                    path,
                    format!("no way leads from {name} to this node, so it has no output here"),
                );
            } else {
                let known = self.before.iter().copied().chain(["input", "secrets"]);
                self.problem(path, format!("there is no node {name}{}", suggestion(name, known)));
            }
        }
    }

    /// Checks the syntax of a script.
    pub(super) fn script(&mut self, name: &str, script: &Script) {
        if let Err(error) = self.compiler.check(script) {
            self.problem(name, error.message);
        }
    }
}
