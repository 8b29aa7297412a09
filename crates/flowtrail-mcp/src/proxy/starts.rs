//! How calls begin: as executions of a flow for each tool, of which there are only so many.

use std::collections::HashMap;
use std::sync::Arc;

use flowtrail_tracker::{Ack, ExecutionHandle, Sent, StartExecution, Tracker, TrackerError, UpstreamTool};
use flowtrail_types::{Flow, Principal, Source};
use serde_json::Value;

use super::call::with_server;
use super::connection::{About, Begun};
use super::moment::Moment;

/// How a call begins, or with which it goes on.
pub(super) struct Starts {
    tracker: Tracker,
    principal: Principal,
    flow: Arc<Flow>,
    arguments: Value,
    arguments_replaced: bool,
    whole_arguments: Option<u64>,
    /// What is recorded beside it; absent when not all of it is known.
    meta: Option<Value>,
    at: Moment,
    /// On its way already.
    begun: Option<Ack<ExecutionHandle>>,
}

impl Starts {
    /// A call that begins now, unless it may go on with an earlier one.
    pub(super) fn new(
        tracker: &Tracker,
        owner: &Principal,
        about: &About,
        begun: &mut Begun,
    ) -> Result<Self, TrackerError> {
        let mut starts = Self {
            tracker: tracker.clone(),
            principal: about.principal.as_ref().unwrap_or(owner).clone(),
            flow: tracker.upstream_flow(owner, tool_of(about, &begun.tool))?,
            arguments: std::mem::take(&mut begun.arguments),
            arguments_replaced: begun.arguments_replaced,
            whole_arguments: begun.whole_arguments,
            meta: Some(std::mem::take(&mut begun.meta)),
            at: begun.at,
            begun: None,
        };
        if begun.retry.is_none() {
            starts.begun = Some(starts.start()?);
        }
        Ok(starts)
    }

    fn start(&self) -> Result<Ack<ExecutionHandle>, TrackerError> {
        let mut start = StartExecution::of(&self.flow, Source::Proxy)
            .params(Sent { value: &self.arguments, replaced: self.arguments_replaced })
            .part_of(self.whole_arguments)
            .started_at(self.at.at);
        if let Some(meta) = &self.meta {
            start = start.meta(meta);
        }
        self.tracker.start(&self.principal, start)
    }

    /// The start, which may be on its way already.
    pub(super) fn begin(&mut self) -> Result<Ack<ExecutionHandle>, TrackerError> {
        let begun = match self.begun.take() {
            Some(begun) => begun,
            None => self.start()?,
        };
        self.arguments = Value::Null;
        Ok(begun)
    }

    /// Notes something beside a call that has not begun.
    pub(super) fn note(&mut self, name: &str, value: Value) {
        if let Some(Value::Object(meta)) = &mut self.meta {
            meta.insert(name.to_owned(), value);
        }
    }

    /// It goes on with an earlier one, beside which this was recorded.
    pub(super) fn continues(&mut self, meta: Option<Value>) {
        self.meta = meta;
        self.arguments = Value::Null;
    }

    pub(super) fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// When this part of it began.
    pub(super) fn at(&self) -> Moment {
        self.at
    }

    /// What is recorded beside it, with what its end tells of the server; nothing when that is nothing new.
    pub(super) fn meta_with(&self, server: Option<&Value>) -> Option<Value> {
        with_server(self.meta.as_ref()?, server)
    }
}

/// From where a tool's name is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Known {
    /// The server lists it.
    Listed,
    /// It is called. Whoever calls may call anything.
    Called,
}

impl Known {
    /// How many flows are made for tools that are known so, of one server.
    fn most(self) -> usize {
        match self {
            Self::Listed => 10_000,
            Self::Called => 100,
        }
    }
}

/// What stands for the tools beyond that.
pub(super) const OTHERS: &str = "(others)";

/// How many flows were made here, by server.
#[derive(Debug, Default)]
pub(super) struct Tools(HashMap<(String, Known), usize>);

impl Tools {
    /// Whether a tool has a flow already, or may have one; that is counted then.
    pub(super) fn has_room(
        &mut self,
        tracker: &Tracker,
        owner: &Principal,
        tool: UpstreamTool<'_>,
        known: Known,
    ) -> bool {
        if tracker.has_upstream_flow(owner, tool) {
            return true;
        }
        let made = self.0.entry((tool.upstream.to_owned(), known)).or_default();
        let has_room = *made < known.most();
        *made += usize::from(has_room);
        has_room
    }
}

pub(super) fn tool_of<'a>(about: &'a About, tool: &'a str) -> UpstreamTool<'a> {
    UpstreamTool { upstream: &about.upstream, tool, description: None, public: about.public }
}
