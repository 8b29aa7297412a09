//! The body of a loop, as the loop runs it: once for each iteration.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowtrail_types::json_object;

use crate::course::{Course, Execution, Failed, Place};
use crate::nodes::NodeError;
use crate::progress::Progress;
use crate::template::Shared;

/// The body of a loop that runs.
pub(crate) struct Body<'e> {
    execution: &'e Execution<'e>,
    owner: usize,
    /// The number of the loop's node execution.
    seq: i32,
    /// What the loop itself can name.
    outside: Arc<BTreeMap<String, Shared>>,
    /// The loops and iterations that the loop is in.
    path: Vec<usize>,
}

/// What an iteration has given.
pub(crate) struct Iterated {
    /// The output of its last node, or those of several by id.
    pub(crate) result: Shared,
    /// The outputs of its nodes, and what those could name.
    pub(crate) outputs: Arc<BTreeMap<String, Shared>>,
}

impl<'e> Body<'e> {
    /// The body of a loop that has begun.
    pub(crate) fn new(
        execution: &'e Execution<'e>,
        owner: usize,
        seq: i32,
        outside: Arc<BTreeMap<String, Shared>>,
        path: Vec<usize>,
    ) -> Self {
        Self { execution, owner, seq, outside, path }
    }

    /// Runs an iteration. Its first nodes are given `item`; in all of them the loop's id names what `item` and
    /// `index` are, and `last`, what the iteration before has given.
    ///
    /// # Errors
    ///
    /// When a node of the body fails and no way goes on from it. The error names both.
    pub(crate) async fn run(&self, index: usize, item: Shared, last: &Shared) -> Result<Iterated, NodeError> {
        let Execution { plan, handle, .. } = self.execution;
        let known = json_object([
            ("item", item.json().clone()),
            ("index", index.into()),
            ("last", last.json().clone()),
        ]);
        let mut outside = BTreeMap::clone(&self.outside);
        outside.insert(plan.definition().nodes[self.owner].id.clone(), Shared::new(known));
        let mut path = self.path.clone();
        path.extend([self.owner, index]);
        let place = Place { parent_seq: Some(self.seq), iteration: i32::try_from(index).ok(), path };
        let (mut progress, next) = Progress::of_body(plan, self.owner, item, Arc::new(outside));
        let first = next.ready.into_iter().map(|node| (node, progress.begin(node))).collect();
        let mut iteration = Iteration(Course::new(self.execution, place, progress));
        let ended = iteration.0.run(first).await;
        // A body whose nodes never wait would keep everything else from being heard, a wish to stop too.
        tokio::task::yield_now().await;
        handle.keep_pace().await;
        if let Err(Failed { node, error }) = ended {
            let node = &plan.definition().nodes[node];
            let message = format!("node {} failed in iteration {index}: {}", node.id, error.message);
            let blamed = error.blamed.unwrap_or_else(|| (node.id.clone(), node.label().to_owned()));
            return Err(NodeError { blamed: Some(blamed), ..NodeError::new(error.kind, message) });
        }
        let progress = &iteration.0.progress;
        Ok(Iterated { result: progress.result(), outputs: progress.outputs() })
    }

    /// There is no iteration: records the nodes of the body as not needed.
    pub(crate) fn skip(&self) {
        let nodes = self.execution.plan.part(Some(self.owner)).iter().copied();
        let place = Place { parent_seq: Some(self.seq), ..Place::default() };
        self.execution.record_skipped(nodes, &place);
    }
}

/// An iteration under way. However it ends, those of its nodes that were not begun are recorded.
struct Iteration<'e>(Course<'e>);

impl Drop for Iteration<'_> {
    fn drop(&mut self) {
        self.0.record_skipped();
    }
}
