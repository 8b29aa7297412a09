//! What happens, as it happens, for who may see it.
//!
//! One thread (the [`hub`]) turns what was written into events and keeps the last of them in one [`log`] that all readers
//! share: a reader is a place in it, so that a thousand of them cost little, and one that is too slow holds up nobody.
//! Events are a courtesy of a running process. What counts is the history, and whoever has missed some of them looks there.

mod hub;
mod log;

use std::sync::Arc;

use flowtrail_store::NewNode;
use flowtrail_types::{
    ErrorKind, ExecutionId, FlowId, NodeExecution, NodeStatus, Principal, UserId, timestamp,
};
use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::watch;

pub(crate) use self::hub::Hub;
use self::log::{EventLog, Taken};
use crate::access::{self, Rights};
use crate::{Tracker, TrackerError};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// An execution began.
    ExecutionStarted,
    /// A node of it began.
    NodeStarted,
    /// A node of it ended.
    NodeEnded,
    /// An execution ended, or its end was corrected.
    ExecutionEnded,
    /// An execution was deleted.
    ExecutionDeleted,
    /// Nobody knows what happened in between: fetch again what is shown.
    Resync,
}

impl EventKind {
    /// The kind as it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExecutionStarted => "execution.started",
            Self::NodeStarted => "node.started",
            Self::NodeEnded => "node.ended",
            Self::ExecutionEnded => "execution.ended",
            Self::ExecutionDeleted => "execution.deleted",
            Self::Resync => "resync",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// To which execution; absent when it is about everything.
    pub execution: Option<ExecutionId>,
    /// What is to be known of it, as JSON: of an execution what a list shows of it, of a node everything but its data.
    pub data: Arc<str>,
    /// Of which flow, and who started the execution: by these it is decided who may see it.
    pub(crate) of: Option<(FlowId, Option<UserId>)>,
}

impl Event {
    pub(crate) fn resync() -> Self {
        Self { kind: EventKind::Resync, execution: None, data: "{}".into(), of: None }
    }
}

/// A node's part in an execution while it runs, without its data.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeProgress {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The node execution's number.
    pub seq: i32,
    /// The node's id.
    pub node_id: String,
    /// The node's name.
    pub node_name: String,
    /// The node's kind.
    pub node_type: String,
    /// How it stands.
    pub status: NodeStatus,
    /// When it began; null when that was not reported.
    #[serde(with = "timestamp::option")]
    pub executed_at: Option<OffsetDateTime>,
    /// How long it took, in milliseconds; null while it runs, or when that was not reported.
    pub execution_time_ms: Option<f64>,
    /// Why it failed.
    pub error: Option<String>,
    /// The same in one word.
    pub error_kind: Option<ErrorKind>,
    /// The number of the node execution that it is part of.
    pub parent_seq: Option<i32>,
    /// Which iteration it is part of.
    pub iteration: Option<i32>,
    /// Which attempt it is.
    pub attempt: i32,
}

impl NodeProgress {
    /// A node that has ended, as it was written.
    pub(crate) fn ended(execution_id: ExecutionId, node: &NodeExecution) -> Self {
        Self {
            execution_id,
            seq: node.seq,
            node_id: node.node_id.clone(),
            node_name: node.node_name.clone(),
            node_type: node.node_type.clone(),
            status: node.status,
            executed_at: node.executed_at,
            execution_time_ms: node.duration_us.map(timestamp::as_millis),
            error: node.error.clone(),
            error_kind: node.error_kind,
            parent_seq: node.parent_seq,
            iteration: node.iteration,
            attempt: node.attempt,
        }
    }

    /// The same node as it had just begun.
    pub(crate) fn as_begun(&self) -> Self {
        Self {
            status: NodeStatus::Pending,
            execution_time_ms: None,
            error: None,
            error_kind: None,
            ..self.clone()
        }
    }

    /// The same, as it is about to be written.
    pub(crate) fn of_new(execution_id: ExecutionId, node: &NewNode) -> Self {
        // Its data is shared, not copied.
        Self::ended(execution_id, &node.clone().into_execution())
    }
}

/// Somebody who listens. Holds no event: what it has not taken in time is lost to it.
#[derive(Debug)]
pub struct Listener {
    log: Arc<EventLog>,
    /// Keeps the hub at work.
    _present: Arc<()>,
    principal: Principal,
    flow: Option<FlowId>,
    /// The number of the next event that is looked at.
    next: u64,
    /// Whether it must be told that it has missed some.
    has_missed: bool,
    grown: watch::Receiver<u64>,
}

/// An event, and the place after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// What happened.
    pub event: Arc<Event>,
    place: u64,
}

/// A listener was too slow: events that it had not taken are gone. It may begin anew after its last one, and is then told
/// to fetch again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too slow: events were lost")]
pub struct TooSlow;

impl Tracker {
    /// Listens to what happens from now on, in a flow or in all that the principal may see; or from after an event, as a
    /// listener named its [`position`](Listener::position) before it went away. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`] when the principal may not see the flow.
    pub fn listen(
        &self,
        principal: &Principal,
        flow: Option<FlowId>,
        after: Option<&str>,
    ) -> Result<Listener, TrackerError> {
        if let Some(flow) = flow
            && self.rights_in(principal, flow)? == Rights::None
        {
            return Err(TrackerError::NotFound("flow"));
        }
        let (log, present) = self.inner.hub.attend(&self.inner)?;
        log.renew_guards(&self.inner)?;
        let (next, has_missed) = match after {
            None => (log.end(), false),
            Some(after) => log.place_after(after).map_or_else(|| (log.end(), true), |next| (next, false)),
        };
        let grown = log.grown();
        Ok(Listener { log, _present: present, principal: principal.clone(), flow, next, has_missed, grown })
    }
}

impl Tracker {
    /// How many listen just now.
    #[must_use]
    pub fn listeners(&self) -> usize {
        self.inner.hub.listeners()
    }
}

impl Listener {
    /// The next events, at least one, oldest first, each with the place after it. Waits for them on any executor.
    ///
    /// # Errors
    ///
    /// [`TooSlow`] when it has fallen behind further than events are kept.
    pub async fn next(&mut self) -> Result<Vec<Heard>, TooSlow> {
        if std::mem::take(&mut self.has_missed) {
            return Ok(vec![Heard { event: Arc::new(Event::resync()), place: self.next }]);
        }
        loop {
            // Before looking: what comes in between is seen by the next look.
            self.grown.mark_unchanged();
            match self.log.take(self.next) {
                Taken::Gone => return Err(TooSlow),
                Taken::Events(events) => {
                    let first = self.next;
                    self.next += events.len() as u64;
                    let seen: Vec<Heard> = events
                        .into_iter()
                        .zip(first + 1..)
                        .filter(|(event, _)| self.may_see(event))
                        .map(|(event, place)| Heard { event, place })
                        .collect();
                    if !seen.is_empty() {
                        return Ok(seen);
                    }
                    if self.log.end() > self.next {
                        continue;
                    }
                }
            }
            if self.grown.changed().await.is_err() {
                // The hub is gone, and with it the tracker.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Where it stands: with this it can begin anew, here or, told to fetch again, elsewhere.
    #[must_use]
    pub fn position(&self) -> String {
        self.log.name(self.next)
    }

    /// Where it stood after an event.
    #[must_use]
    pub fn position_after(&self, heard: &Heard) -> String {
        self.log.name(heard.place)
    }

    fn may_see(&self, event: &Event) -> bool {
        let Some((flow, user)) = event.of else { return true };
        if self.flow.is_some_and(|wanted| wanted != flow) {
            return false;
        }
        let Some(guard) = self.log.guard(flow) else { return self.principal.is_admin() };
        match access::rights_by(&self.principal, flow, guard.owner, &guard.access) {
            Rights::None => false,
            // What of a flow was deleted may have been theirs.
            Rights::Public => user == Some(self.principal.id) || event.kind == EventKind::Resync,
            Rights::Read | Rights::Write => true,
        }
    }
}
