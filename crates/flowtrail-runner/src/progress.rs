//! How far an execution is: what each node has come to, and which can run next. Pure, so that what runs when
//! can be seen without running anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::Returned;
use crate::nodes::{ERROR, Output};
use crate::plan::Plan;
use crate::template::Shared;

/// What a node has come to.
enum Standing {
    /// Not all ways to it are decided.
    Waiting,
    /// It runs.
    Running,
    /// It has ended, and goes on by one way with a value. A failed one goes on by [`ERROR`].
    Ended { way: Option<&'static str>, value: Shared },
    /// No way led to it.
    Skipped,
}

/// What a node is given when it begins.
pub(crate) struct Entry {
    /// Its input: the output before it, or of several by id.
    pub(crate) input: Shared,
    /// The same one by one, in the order of the connections by which they came.
    pub(crate) arrived: Vec<Shared>,
}

/// How far an execution is.
pub(crate) struct Progress<'p, 'd> {
    plan: &'p Plan<'d>,
    standing: Vec<Standing>,
    returned: BTreeMap<usize, (Value, Returned)>,
    done: usize,
}

impl<'p, 'd> Progress<'p, 'd> {
    /// Nothing has been run yet. The nodes that no way will ever lead to are skipped at once.
    pub(crate) fn new(plan: &'p Plan<'d>) -> (Self, Vec<usize>) {
        let standing = plan.definition().nodes.iter().map(|_| Standing::Waiting).collect();
        let mut progress = Self { plan, standing, returned: BTreeMap::new(), done: 0 };
        let unreachable = (0..progress.standing.len()).filter(|node| *node != plan.trigger());
        let (_, skipped) = progress.decide(unreachable.collect());
        (progress, skipped)
    }

    /// How many nodes are done, those that were skipped among them.
    pub(crate) fn done(&self) -> usize {
        self.done
    }

    /// A node begins. Returns what it is given.
    pub(crate) fn begin(&mut self, node: usize) -> Entry {
        self.standing[node] = Standing::Running;
        let nodes = &self.plan.definition().nodes;
        let mut by_id: BTreeMap<usize, &Shared> = BTreeMap::new();
        let mut arrived = Vec::new();
        for edge in self.plan.incoming(node) {
            if let Standing::Ended { way, value } = &self.standing[edge.source]
                && *way == edge.handle
            {
                by_id.insert(edge.source, value);
                arrived.push(value.clone());
            }
        }
        let input = match arrived.as_slice() {
            [one] => one.clone(),
            _ => {
                let by_id =
                    by_id.into_iter().map(|(node, value)| (nodes[node].id.clone(), value.json().clone()));
                Shared::new(Value::Object(by_id.collect()))
            }
        };
        Entry { input, arrived }
    }

    /// The outputs of the nodes before this one that have ended, by id.
    pub(crate) fn outputs_before(&self, node: usize) -> Arc<BTreeMap<String, Shared>> {
        let nodes = &self.plan.definition().nodes;
        let ended = self.plan.ancestors(node).iter().filter_map(|ancestor| match &self.standing[*ancestor] {
            Standing::Ended { value, .. } => Some((nodes[*ancestor].id.clone(), value.clone())),
            _ => None,
        });
        Arc::new(ended.collect())
    }

    /// A node has ended as it should. Returns the nodes that can run now, and those that turned out not to be
    /// needed.
    pub(crate) fn complete(&mut self, node: usize, output: Output) -> (Vec<usize>, Vec<usize>) {
        if let Some(returned) = output.returned {
            self.returned.insert(node, (output.value.clone(), returned));
        }
        self.end(node, output.branch, output.value)
    }

    /// Whether there is a way on from a node that fails.
    pub(crate) fn goes_on_after_failure(&self, node: usize) -> bool {
        self.plan.outgoing(node).any(|edge| edge.handle == Some(ERROR))
    }

    /// A node has failed, and goes on by its way for that with a value that says so. Returns as
    /// [`complete`](Self::complete).
    pub(crate) fn fail(&mut self, node: usize, value: Value) -> (Vec<usize>, Vec<usize>) {
        self.end(node, Some(ERROR), value)
    }

    /// The nodes that were never begun, because no way led to them or the execution ended before, in the flow's order.
    pub(crate) fn skipped(&self) -> impl Iterator<Item = usize> {
        let never_begun =
            |node: &usize| matches!(self.standing[*node], Standing::Skipped | Standing::Waiting);
        (0..self.standing.len()).filter(never_begun)
    }

    /// The execution's outputs so far, as they are recorded.
    pub(crate) fn outputs(&self) -> Value {
        match self.returned.len() {
            0 => self.last_outputs(),
            1 => self.returned.values().next().map_or(Value::Null, |(value, _)| value.clone()),
            _ => self.returned.values().map(|(value, _)| value.clone()).collect(),
        }
    }

    /// Whether a node has answered.
    pub(crate) fn has_answers(&self) -> bool {
        !self.returned.is_empty()
    }

    /// The answers, in the flow's order.
    pub(crate) fn into_answers(self) -> Vec<Returned> {
        self.returned.into_values().map(|(_, returned)| returned).collect()
    }

    fn end(&mut self, node: usize, way: Option<&'static str>, value: Value) -> (Vec<usize>, Vec<usize>) {
        self.standing[node] = Standing::Ended { way, value: Shared::new(value) };
        self.done += 1;
        self.decide(self.plan.outgoing(node).map(|edge| edge.target).collect())
    }

    /// Looks at nodes, some of whose ways in were decided. Skipping one decides ways of others.
    fn decide(&mut self, mut open: Vec<usize>) -> (Vec<usize>, Vec<usize>) {
        let (mut ready, mut skipped) = (Vec::new(), Vec::new());
        while let Some(node) = open.pop() {
            if !matches!(self.standing[node], Standing::Waiting) || ready.contains(&node) {
                continue;
            }
            let mut is_live = false;
            let mut is_decided = true;
            for edge in self.plan.incoming(node) {
                match &self.standing[edge.source] {
                    Standing::Waiting | Standing::Running => is_decided = false,
                    Standing::Ended { way, .. } => is_live |= *way == edge.handle,
                    Standing::Skipped => {}
                }
            }
            if is_decided && is_live {
                ready.push(node);
            } else if is_decided {
                self.standing[node] = Standing::Skipped;
                self.done += 1;
                skipped.push(node);
                open.extend(self.plan.outgoing(node).map(|edge| edge.target));
            }
        }
        ready.sort_unstable();
        skipped.sort_unstable();
        (ready, skipped)
    }

    /// The outputs of the nodes after which nothing came, by id.
    fn last_outputs(&self) -> Value {
        let mut outputs = Map::new();
        for (node, standing) in self.standing.iter().enumerate() {
            let Standing::Ended { way, value } = standing else { continue };
            let is_last = !self.plan.outgoing(node).any(|edge| edge.handle == *way);
            if is_last && node != self.plan.trigger() {
                outputs.insert(self.plan.definition().nodes[node].id.clone(), value.json().clone());
            }
        }
        if outputs.is_empty() { Value::Null } else { Value::Object(outputs) }
    }
}
