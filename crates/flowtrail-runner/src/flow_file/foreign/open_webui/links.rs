//! What a node gave, as others name it, and by which connections it comes to them: past the ends of loops too.

use super::super::words::{is_identifier, quoted_js};
use super::convert::Converter;
use serde_json::json;

/// What a node gave, as it is seen from another.
#[derive(Debug, Clone)]
pub(super) struct Given {
    /// What is to be connected; nothing when it is known anyway, because the loop around comes after it.
    from: Option<(String, Option<String>)>,
    /// As an expression of a template.
    pub(super) template: String,
    /// As an expression of a script.
    pub(super) script: String,
    /// Whether it is the output itself of what is connected.
    is_output: bool,
    /// The place of the node.
    pub(super) of: usize,
}

impl Converter<'_> {
    /// What the nodes before a node gave it, in the order of the edges.
    pub(super) fn arriving(&mut self, index: usize) -> Vec<Given> {
        let source = self.source;
        let mut arriving = Vec::new();
        for edge in source.edges.iter().filter(|edge| edge.target == index) {
            if self.is_cut(edge) {
                let message = "is reached without the loop too: it runs once, and not in each iteration";
                self.notes.changed("", message);
                continue;
            }
            let given = self.given(edge.source, index, edge.handle.as_deref());
            arriving.push(given);
        }
        arriving
    }

    /// What a node gave, as it is seen from another one.
    pub(super) fn given(&mut self, of: usize, at: usize, handle: Option<&str>) -> Given {
        if self.bodies.is_within(of, at) {
            let item = self.items[&of].clone();
            let script = format!("nodes.{item}");
            return Given { from: Some((item.clone(), None)), template: item, script, is_output: true, of };
        }
        let mut given = self.own(of, handle);
        let (out, into) = (self.bodies.around(of).to_vec(), self.bodies.around(at).to_vec());
        let common = out.iter().zip(&into).take_while(|(left, right)| left == right).count();
        for owner in out[common..].iter().rev() {
            given = self.gathered(&given, *owner);
        }
        if let Some(entered) = into.get(common)
            && let Some((from, handle)) = given.from.take()
        {
            // Nothing but its loop leads into a body, but what comes before the loop can be named in it.
            let entered = self.ids[*entered].clone();
            if !self.sketch.is_before(&from, &entered) {
                self.sketch.connect(&from, handle.as_deref(), &entered);
            }
        }
        given
    }

    /// Connects what arrives at a node, or lets it begin with the flow or the iteration.
    pub(super) fn connect(&mut self, index: usize, id: &str) {
        let arriving = self.arriving(index);
        self.connect_all(index, &arriving, id);
    }

    /// What `{{input}}` is at a node: what arrives, of several the first, or all as one text with this between.
    pub(super) fn read(&mut self, index: usize, id: &str, separator: Option<&str>) -> Option<Given> {
        let arriving = self.arriving(index);
        if arriving.len() < 2 {
            self.connect_all(index, &arriving, id);
            return arriving.into_iter().next();
        }
        let scope = self.scopes[id].clone();
        let merge = self.helper(index, "in", &scope);
        match separator {
            Some(separator) => {
                self.sketch.become_kind(
                    &merge,
                    "Merge",
                    json!({"strategy": "concat", "separator": separator}),
                );
            }
            None => self.sketch.become_kind(&merge, "Merge", json!({"strategy": "first"})),
        }
        self.gather(index, &arriving, &merge);
        self.sketch.connect(&merge, None, id);
        let (template, script) = (merge.clone(), format!("nodes.{merge}"));
        Some(Given { from: Some((merge, None)), template, script, is_output: true, of: index })
    }

    /// Connects what arrives at a merge, each as it was.
    pub(super) fn gather(&mut self, index: usize, arriving: &[Given], merge: &str) {
        let scope = self.scopes[merge].clone();
        for given in arriving {
            match &given.from {
                Some((from, handle)) if given.is_output => {
                    self.sketch.connect(from, handle.as_deref(), merge);
                }
                _ => {
                    let value = self.helper(given.of, "value", &scope);
                    self.connect_all(index, std::slice::from_ref(given), &value);
                    self.sketch.become_script(&value, format!("return {};", given.script));
                    self.sketch.connect(&value, None, merge);
                }
            }
        }
    }

    /// Sees to it that what was given is known at a node of the file, which becomes these.
    pub(super) fn know(&mut self, given: &Given, id: &str) {
        if let Some((from, handle)) = &given.from
            && !self.sketch.is_before(from, id)
        {
            self.sketch.connect(from, handle.as_deref(), id);
        }
    }

    fn connect_all(&mut self, index: usize, arriving: &[Given], id: &str) {
        let mut is_entered = false;
        for (from, handle) in arriving.iter().filter_map(|given| given.from.as_ref()) {
            self.sketch.connect(from, handle.as_deref(), id);
            is_entered = true;
        }
        if !is_entered {
            let begin = match self.bodies.around(index).last() {
                Some(owner) => self.items[owner].clone(),
                None => self.begin.clone(),
            };
            self.sketch.connect(&begin, None, id);
        }
    }

    /// What a node gave, as it is seen beside it.
    fn own(&mut self, of: usize, handle: Option<&str>) -> Given {
        let id = self.ids[of].clone();
        let plain = |from: Option<&str>| Given {
            from: Some((id.clone(), from.map(str::to_owned))),
            template: id.clone(),
            script: format!("nodes.{id}"),
            is_output: true,
            of,
        };
        match (self.source.nodes[of].kind.as_str(), handle) {
            ("model", _) => Given {
                template: format!("{id}.text"),
                script: format!("nodes.{id}?.text"),
                is_output: false,
                ..plain(None)
            },
            ("conditional", Some(handle @ ("true" | "false"))) => {
                let branch = self.branches.get(&of).cloned().unwrap_or_else(|| {
                    let scope = self.scopes[&id].clone();
                    let branch = self.helper(of, "branch", &scope);
                    self.sketch.become_kind(
                        &branch,
                        "Conditional",
                        json!({"expression": format!("nodes.{id}.result")}),
                    );
                    self.sketch.connect(&id, None, &branch);
                    self.branches.insert(of, branch.clone());
                    branch
                });
                Given { from: Some((branch, Some(handle.to_owned()))), ..plain(None) }
            }
            (super::bodies::LOOP, _) if self.items.contains_key(&of) => plain(Some("done")),
            _ => plain(None),
        }
    }

    /// The same after the loop in whose body it is: what the last iteration gave.
    fn gathered(&mut self, given: &Given, owner: usize) -> Given {
        let id = self.ids[owner].clone();
        if !self.ends.contains_key(&owner) {
            let end = self.helper(owner, "end", &[self.bodies.around(owner), &[owner]].concat());
            self.ends.insert(owner, (end, std::collections::BTreeMap::new()));
        }
        let key = self.ids[given.of].clone();
        if let Some((end, values)) = self.ends.get_mut(&owner) {
            values.insert(key.clone(), given.script.clone());
            if let Some((from, handle)) = &given.from {
                self.sketch.connect(from, handle.as_deref(), end);
            }
        }
        self.notes.changed("", "reads of a loop's body what the last iteration gave");
        Given {
            from: Some((id.clone(), Some("done".to_owned()))),
            template: format!("({id}.results | last | default({{}})).{key}"),
            script: format!("nodes.{id}.results.at(-1)?.{key}"),
            is_output: false,
            of: given.of,
        }
    }
}

/// A property of what an expression of a script gives, which may be nothing.
pub(super) fn property(script: &str, steps: &[&str]) -> String {
    let step = |step: &&str| {
        let is_index = !step.is_empty() && step.len() < 10 && step.bytes().all(|byte| byte.is_ascii_digit());
        match *step {
            step if is_identifier(step) => format!("?.{step}"),
            step if is_index => format!("?.[{step}]"),
            step => format!("?.[{}]", quoted_js(step)),
        }
    };
    steps.iter().map(step).fold(script.to_owned(), |script, step| script + &step)
}
