//! `loop`: what is repeated, how often, and what comes out of it.

use serde_json::json;

use super::super::fields::Fields;
use super::super::words::quoted_js;
use super::bodies::EACH;
use super::convert::Converter;
use super::links::property;
use super::references::{Piece, Resolved, pieces};

/// How many iterations there were when the file does not say.
const ITERATIONS: f64 = 5.0;

/// The most that a loop may have.
const MAX_ITERATIONS: f64 = 10_000.0;

/// Makes a list of whatever is looped over, as the editor's field did.
const LIST: &str = "((list) => Array.isArray(list) ? list : String(list ?? \"\").split(/[\\n,]/).map((item) => \
                    item.trim()).filter((item) => item !== \"\"))";

impl Converter<'_> {
    pub(super) fn repeat(&mut self, index: usize, id: &str, data: &mut Fields) {
        let kind = data.some_text("loopType", self.notes).unwrap_or_else(|| "count".to_owned());
        let given = data.number("maxIterations", self.notes).filter(|most| *most >= 1.0);
        let path = data.text("arrayPath", self.notes).unwrap_or_default();
        data.ignore(&["currentIteration", "results"]);
        data.drop_together(&["breakCondition"], "was never evaluated and was left out", self.notes);
        let is_list = kind == "array";
        if !["array", "count", "until"].contains(&kind.as_str()) {
            self.notes.assumed("data.loopType", "is none that is known: count was assumed");
        }
        if is_list && given.is_none() {
            self.notes.assumed("data.maxIterations", "is missing: the first 5 items are taken, as before");
        }
        let most = given.unwrap_or(ITERATIONS);
        if most > MAX_ITERATIONS {
            self.notes
                .changed("data.maxIterations", format!("a loop has at most {MAX_ITERATIONS} iterations"));
        }
        let most = most.min(MAX_ITERATIONS) as u64;
        let reads = !is_list
            || path.trim().is_empty()
            || pieces(&path).iter().any(|piece| matches!(piece, Piece::Input(_)));
        let input = if reads {
            self.read(index, id, None)
        } else {
            self.connect(index, id);
            None
        };
        let before = input.as_ref().map_or_else(|| "null".to_owned(), |given| given.script.clone());
        let list = if is_list {
            match self.list(index, id, &path, &before, input.as_ref()) {
                Some(list) => format!("{list}.slice(0, {most})"),
                None => {
                    let why = "what it goes over is no list and names none";
                    self.sketch.give_up(id, "loop", "data.arrayPath", why, self.notes);
                    self.fail_as_loop(index, id);
                    return;
                }
            }
        } else {
            format!("Array.from({{ length: {most} }}, () => {before})")
        };
        let Some(item) = self.items.get(&index).cloned() else {
            return self.sketch.become_script(
                id,
                format!(
                    "const list = {list};\nreturn {{ iterations: list.length, \
                     results: list.map((value, iteration) => ({{ iteration, value }})) }};"
                ),
            );
        };
        self.notes.changed("", "after the loop there are the results of its body, not its items");
        let value = if is_list { format!("nodes.{id}.item") } else { before };
        self.sketch.connect(id, Some(EACH), &item);
        self.sketch
            .become_script(&item, format!("return {{ iteration: nodes.{id}.index, value: {value} }};"));
        if is_list {
            self.sketch.become_kind(id, "Loop", json!({"over": list, "maxIterations": most}));
        } else {
            self.sketch.become_kind(id, "Loop", json!({"count": most, "maxIterations": most}));
        }
    }

    /// What an array loop goes over, as an expression.
    fn list(
        &mut self,
        index: usize,
        id: &str,
        path: &str,
        before: &str,
        input: Option<&super::links::Given>,
    ) -> Option<String> {
        let path = path.trim();
        if path.is_empty() {
            return Some(format!("{LIST}({before})"));
        }
        if path.contains("{{") {
            let resolved = self.resolved(index, id, "data.arrayPath", path, input);
            let named = resolved.into_iter().find_map(|part| match part {
                Resolved::Value(given, steps) => Some((given, steps)),
                Resolved::Text(_) => None,
            });
            let (given, steps) = named?;
            let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
            return Some(format!("{LIST}({})", property(&given.script, &steps)));
        }
        match serde_json::from_str(path) {
            Ok(serde_json::Value::Array(items)) => Some(serde_json::Value::Array(items).to_string()),
            _ => Some(format!("{LIST}({})", quoted_js(path))),
        }
    }

    /// A loop that could not be carried over fails as one, so that its body keeps its place.
    fn fail_as_loop(&mut self, index: usize, id: &str) {
        let Some(item) = self.items.get(&index).cloned() else { return };
        self.sketch.connect(id, Some(EACH), &item);
        self.sketch.become_script(&item, "return null;");
        let code = self.sketch.node(id).parameters.remove("code").unwrap_or_default();
        let over = format!("(() => {{ {} }})()", code.as_str().unwrap_or_default());
        self.sketch.become_kind(id, "Loop", json!({ "over": over }));
    }

    /// Ends the bodies of which something is read after their loops.
    pub(super) fn close_bodies(&mut self) {
        let ends: Vec<_> = self.ends.iter().map(|(owner, end)| (*owner, end.clone())).collect();
        for (owner, (end, values)) in ends {
            let scope = [self.bodies.around(owner), &[owner]].concat();
            let beside: Vec<String> = self
                .scopes
                .iter()
                .filter(|(id, around)| **around == scope && **id != end)
                .map(|(id, _)| id.clone())
                .collect();
            for id in beside {
                let is_loop = self.sketch.node(&id).kind == "Loop";
                if is_loop && !self.sketch.is_left(&id, Some("done")) {
                    self.sketch.connect(&id, Some("done"), &end);
                } else if !is_loop && !self.sketch.is_left(&id, None) {
                    self.sketch.connect(&id, None, &end);
                }
            }
            let values: Vec<String> =
                values.iter().map(|(id, script)| format!("{id}: {script} ?? null")).collect();
            self.sketch.become_script(&end, format!("return {{ {} }};", values.join(", ")));
        }
    }
}
