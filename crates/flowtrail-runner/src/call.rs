//! A call of a flow: who calls what with which arguments.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flowtrail_types::{ExecutionId, Flow, NodeStatus, Principal, Source};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::{MAX_DESCENDANTS, TraceContext};

/// A call of a flow. Made by [`Call::new`]; what is more than that is set on its fields.
#[derive(Clone)]
#[non_exhaustive]
pub struct Call {
    /// Who calls.
    pub principal: Principal,
    /// The flow, with the definition that is to run.
    pub flow: Arc<Flow>,
    /// The arguments, as they came.
    pub arguments: Map<String, Value>,
    /// Whether a surrogate without a partner was replaced in the arguments.
    pub arguments_replaced: bool,
    /// By which way the call came.
    pub source: Source,
    /// What the caller says besides: the client, the session, a trace.
    pub meta: Option<Value>,
    /// Stops the execution when it is cancelled. Dropping it does nothing.
    pub cancel: CancellationToken,
    /// Who is told of every node that ends.
    pub observer: Option<Arc<dyn Observer>>,
    /// The execution that calls, of a flow that was called by a flow.
    pub parent: Option<ExecutionId>,
    /// The execution that is run again.
    pub replay_of: Option<ExecutionId>,
    /// Whether the call is made again, by another way, when it is refused: then the refusal is not recorded.
    pub is_first_try: bool,
    /// How many calls of flows by flows led here.
    depth: u8,
    /// How many flows were called since, by this call and by all that came of it.
    descendants: Arc<AtomicUsize>,
}

/// Somebody who wants to know how far an execution is, for example to tell an MCP client.
pub trait Observer: Send + Sync {
    /// A node has ended, or turned out not to be needed; `node` is its label. So many of all the flow's nodes
    /// are done. Called in between nodes, so it must not block.
    fn node_ended(&self, done: usize, total: usize, node: &str, status: NodeStatus);
}

impl Call {
    /// A call that nobody observes and nobody can cancel but through the tracker.
    #[must_use]
    pub fn new(principal: Principal, flow: Arc<Flow>, arguments: Map<String, Value>, source: Source) -> Self {
        Self {
            principal,
            flow,
            arguments,
            arguments_replaced: false,
            source,
            meta: None,
            cancel: CancellationToken::new(),
            observer: None,
            parent: None,
            replay_of: None,
            is_first_try: false,
            depth: 0,
            descendants: Arc::default(),
        }
    }

    /// The call of another flow by a node of this one's execution.
    pub(crate) fn child(
        &self,
        flow: Arc<Flow>,
        arguments: Map<String, Value>,
        parent: ExecutionId,
        cancel: CancellationToken,
    ) -> Self {
        let call = Self::new(self.principal.clone(), flow, arguments, self.source);
        let (depth, descendants) = (self.depth.saturating_add(1), Arc::clone(&self.descendants));
        // The same trace, but neither the client nor its session: a flow calls, not they.
        let meta = self.trace().to_meta();
        Self { parent: Some(parent), meta, cancel, depth, descendants, ..call }
    }

    /// The trace that the caller says it is part of.
    pub(crate) fn trace(&self) -> TraceContext {
        self.meta.as_ref().map(TraceContext::of_meta).unwrap_or_default()
    }

    /// Counts a flow that one of its nodes is about to call. False when that would be one too many.
    pub(crate) fn may_call_another(&self) -> bool {
        let more = |count: usize| (count < MAX_DESCENDANTS).then_some(count + 1);
        self.descendants.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Begins to count anew: a call that was cloned is another call.
    pub(crate) fn count_anew(&mut self) {
        self.descendants = Arc::default();
    }

    /// Whether no flow made this call.
    pub(crate) fn is_root(&self) -> bool {
        self.depth == 0
    }

    /// How many calls of flows by flows led here.
    pub(crate) fn depth(&self) -> u8 {
        self.depth
    }
}

impl Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the arguments, which are not yet redacted.
        f.debug_struct("Call")
            .field("principal", &self.principal.name)
            .field("flow", &self.flow.id)
            .field("source", &self.source)
            .field("depth", &self.depth)
            .finish_non_exhaustive()
    }
}
