//! How far a part of a flow is: what each node has come to, and which can run next. Pure, so that what runs when
//! can be seen without running anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::nodes::ERROR;
use crate::plan::Plan;
use crate::template::Shared;

/// What a node has come to.
#[derive(Clone)]
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

/// What is decided by what a node has come to.
#[derive(Default)]
pub(crate) struct Next {
    /// The nodes that can run now.
    pub(crate) ready: Vec<usize>,
    /// Those that turned out not to be needed.
    pub(crate) skipped: Vec<usize>,
}

/// How far a part of a flow is: the whole of it, or an iteration of a loop's body.
pub(crate) struct Progress<'p> {
    plan: &'p Plan<'p>,
    /// The loop whose body this is; for those in it, it has ended by the way that repeats them.
    owner: Option<(usize, Standing)>,
    /// The outputs from outside that every node of the part can name.
    outside: Arc<BTreeMap<String, Shared>>,
    /// By the node's place within the part.
    standing: Vec<Standing>,
}

impl<'p> Progress<'p> {
    /// Nothing of the flow has been run yet, and the trigger is what begins. The nodes that no way will ever lead to
    /// are skipped at once.
    pub(crate) fn of_flow(plan: &'p Plan<'p>) -> (Self, Next) {
        let standing = vec![Standing::Waiting; plan.part(None).len()];
        let mut progress = Self { plan, owner: None, outside: Arc::default(), standing };
        let others = plan.part(None).iter().copied().filter(|node| *node != plan.trigger());
        let next = progress.decide(others.collect());
        (progress, next)
    }

    /// Nothing of an iteration has been run yet. The first nodes of the body can run: they are given `item`.
    pub(crate) fn of_body(
        plan: &'p Plan<'p>,
        owner: usize,
        item: Shared,
        outside: Arc<BTreeMap<String, Shared>>,
    ) -> (Self, Next) {
        let nodes = plan.part(Some(owner));
        let owner = (owner, Standing::Ended { way: plan.repeats_by(owner), value: item });
        let standing = vec![Standing::Waiting; nodes.len()];
        let mut progress = Self { plan, owner: Some(owner), outside, standing };
        let next = progress.decide(nodes.to_vec());
        (progress, next)
    }

    /// A node begins. Returns what it is given.
    pub(crate) fn begin(&mut self, node: usize) -> Entry {
        self.standing[self.plan.place(node)] = Standing::Running;
        let nodes = &self.plan.definition().nodes;
        let mut by_id: BTreeMap<usize, &Shared> = BTreeMap::new();
        let mut arrived = Vec::new();
        for edge in self.plan.incoming(node) {
            if let Some(Standing::Ended { way, value }) = self.standing(edge.source)
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
        self.with_outputs_of(self.plan.ancestors(node))
    }

    /// The outputs of all nodes that have ended, by id.
    pub(crate) fn outputs(&self) -> Arc<BTreeMap<String, Shared>> {
        self.with_outputs_of(self.nodes())
    }

    /// A node has ended as it should, and goes on by this way.
    pub(crate) fn complete(&mut self, node: usize, way: Option<&'static str>, value: Value) -> Next {
        self.standing[self.plan.place(node)] = Standing::Ended { way, value: Shared::new(value) };
        self.decide(self.plan.outgoing(node).map(|edge| edge.target).collect())
    }

    /// Whether there is a way on from a node that fails.
    pub(crate) fn goes_on_after_failure(&self, node: usize) -> bool {
        self.plan.outgoing(node).any(|edge| edge.handle == Some(ERROR))
    }

    /// A node has failed, and goes on by its way for that with a value that says so.
    pub(crate) fn fail(&mut self, node: usize, value: Value) -> Next {
        self.complete(node, Some(ERROR), value)
    }

    /// The nodes that were never begun, because no way led to them or all ended before, in the flow's order.
    pub(crate) fn skipped(&self) -> impl Iterator<Item = usize> {
        let never_begun = |standing: &Standing| matches!(standing, Standing::Skipped | Standing::Waiting);
        let nodes = self.nodes().iter().zip(&self.standing);
        nodes.filter(move |(_, standing)| never_begun(standing)).map(|(node, _)| *node)
    }

    /// The outputs of the nodes after which nothing came, by id, but for the trigger's.
    pub(crate) fn last_outputs(&self) -> Value {
        let last = self.last().filter(|(node, _)| *node != self.plan.trigger());
        let outputs: Map<String, Value> = last.map(|(node, value)| self.by_id(node, value)).collect();
        if outputs.is_empty() { Value::Null } else { Value::Object(outputs) }
    }

    /// What an iteration has given: the output of its last node, or those of several by id.
    pub(crate) fn result(&self) -> Shared {
        let last: Vec<_> = self.last().collect();
        match last.as_slice() {
            [] => Shared::new(Value::Null),
            [(_, one)] => (*one).clone(),
            several => {
                let outputs = several.iter().map(|(node, value)| self.by_id(*node, value));
                Shared::new(Value::Object(outputs.collect()))
            }
        }
    }

    fn nodes(&self) -> &'p [usize] {
        self.plan.part(self.owner.as_ref().map(|(owner, _)| *owner))
    }

    /// What a node has come to that is of this part, or the loop whose body it is.
    fn standing(&self, node: usize) -> Option<&Standing> {
        match &self.owner {
            Some((owner, standing)) if *owner == node => Some(standing),
            owner if self.plan.owner(node) == owner.as_ref().map(|(owner, _)| *owner) => {
                Some(&self.standing[self.plan.place(node)])
            }
            _ => None,
        }
    }

    fn with_outputs_of(&self, nodes: &[usize]) -> Arc<BTreeMap<String, Shared>> {
        let mut outputs = BTreeMap::clone(&self.outside);
        for node in nodes.iter().filter(|node| self.owner.as_ref().is_none_or(|(owner, _)| owner != *node)) {
            if let Some(Standing::Ended { value, .. }) = self.standing(*node) {
                outputs.insert(self.plan.definition().nodes[*node].id.clone(), value.clone());
            }
        }
        Arc::new(outputs)
    }

    /// The nodes after which nothing came, in the flow's order.
    fn last(&self) -> impl Iterator<Item = (usize, &Shared)> {
        self.nodes().iter().zip(&self.standing).filter_map(|(node, standing)| {
            let Standing::Ended { way, value } = standing else { return None };
            let goes_on = self.plan.outgoing(*node).any(|edge| edge.handle == *way);
            (!goes_on).then_some((*node, value))
        })
    }

    fn by_id(&self, node: usize, value: &Shared) -> (String, Value) {
        (self.plan.definition().nodes[node].id.clone(), value.json().clone())
    }

    /// Looks at nodes, some of whose ways in were decided. Skipping one decides ways of others.
    fn decide(&mut self, mut open: Vec<usize>) -> Next {
        let mut next = Next::default();
        while let Some(node) = open.pop() {
            if !matches!(self.standing(node), Some(Standing::Waiting)) || next.ready.contains(&node) {
                continue;
            }
            let mut is_live = false;
            let mut is_decided = true;
            for edge in self.plan.incoming(node) {
                match self.standing(edge.source) {
                    Some(Standing::Waiting | Standing::Running) => is_decided = false,
                    Some(Standing::Ended { way, .. }) => is_live |= *way == edge.handle,
                    Some(Standing::Skipped) | None => {}
                }
            }
            if is_decided && is_live {
                next.ready.push(node);
            } else if is_decided {
                self.standing[self.plan.place(node)] = Standing::Skipped;
                next.skipped.push(node);
                open.extend(self.plan.outgoing(node).map(|edge| edge.target));
            }
        }
        next.ready.sort_unstable();
        next.skipped.sort_unstable();
        next
    }
}
