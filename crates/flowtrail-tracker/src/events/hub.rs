//! The thread that turns what was written into events, while anybody listens.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use flowtrail_store::StoreError;
use flowtrail_types::{ExecutionId, ExecutionStatus, ExecutionSummary, FlowId, NodeStatus, UserId};
use serde::Serialize;
use serde_json::json;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::log::EventLog;
use super::{Event, EventKind, NodeProgress};
use crate::TrackerError;
use crate::changes::Changed;
use crate::tracker::Inner;

/// For so long after the last listener has gone events are kept, for those who come back.
const LINGER: Duration = Duration::from_secs(60);
/// So many executions are remembered, at most: as running, and as ended.
const REMEMBERED: usize = 16_384;

/// What those who listen share.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    at_work: Mutex<Option<AtWork>>,
}

#[derive(Debug)]
struct AtWork {
    log: Arc<EventLog>,
    /// As many are held elsewhere as there are listeners.
    present: Arc<()>,
    /// Since when there is none.
    alone_since: Option<Instant>,
}

impl Hub {
    /// The log, for one more who listens. Starts the thread if there is none.
    pub(super) fn attend(&self, inner: &Arc<Inner>) -> Result<(Arc<EventLog>, Arc<()>), TrackerError> {
        let mut at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(work) = &mut *at_work {
            work.alone_since = None;
            return Ok((Arc::clone(&work.log), Arc::clone(&work.present)));
        }
        // What other processes wrote before is nobody's loss.
        if inner.changes.receiver_count() == 0 {
            inner.store.executions().foreign_writes()?;
        }
        let log = Arc::new(EventLog::new(inner.ids.next(inner.clock.now())));
        let changes = inner.changes.subscribe();
        let teller = Teller { log: Arc::clone(&log), running: HashMap::new(), ended: Ended::default() };
        let weak = Arc::downgrade(inner);
        std::thread::Builder::new()
            .name("flowtrail-events".to_owned())
            .spawn(move || run(&weak, changes, teller))
            .map_err(|error| StoreError::Internal {
                reason: "the thread of events cannot be started".to_owned(),
                source: Some(Box::new(error)),
            })?;
        let present = Arc::new(());
        let work = AtWork { log: Arc::clone(&log), present: Arc::clone(&present), alone_since: None };
        *at_work = Some(work);
        Ok((log, present))
    }

    /// How many listen.
    pub(crate) fn listeners(&self) -> usize {
        let at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        at_work.as_ref().map_or(0, |work| Arc::strong_count(&work.present) - 1)
    }

    /// Whether nobody has listened for so long that nobody will come back. The log is gone then.
    fn is_over(&self, log: &Arc<EventLog>) -> bool {
        let mut at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(work) = &mut *at_work else { return true };
        if !Arc::ptr_eq(&work.log, log) {
            return true;
        }
        if Arc::strong_count(&work.present) > 1 {
            work.alone_since = None;
            return false;
        }
        let since = *work.alone_since.get_or_insert_with(Instant::now);
        if since.elapsed() < LINGER {
            return false;
        }
        *at_work = None;
        true
    }
}

fn run(inner: &Weak<Inner>, mut changes: Receiver<Changed>, mut teller: Teller) {
    loop {
        // Without listeners it ends at the next change: until then there is nothing to be done.
        let changed = match changes.blocking_recv() {
            Ok(changed) => changed,
            Err(RecvError::Lagged(_)) => Changed::Missed,
            Err(RecvError::Closed) => return,
        };
        let Some(inner) = inner.upgrade() else { return };
        if inner.hub.is_over(&teller.log) {
            return;
        }
        if let Err(error) = teller.tell(&inner, changed) {
            log::warn!("events were lost: {error}");
            teller.log.push(vec![Event::resync()]);
        }
    }
}

/// Turns changes into events.
struct Teller {
    log: Arc<EventLog>,
    /// Those that were told to have begun, and what was told of their nodes.
    running: HashMap<ExecutionId, Running>,
    ended: Ended,
}

struct Running {
    flow: FlowId,
    user: Option<UserId>,
    nodes_ended: HashSet<i32>,
}

/// The last that were told to have ended, and whether that was concluded only.
#[derive(Default)]
struct Ended {
    inferred: HashMap<ExecutionId, bool>,
    order: VecDeque<ExecutionId>,
}

impl Teller {
    fn tell(&mut self, inner: &Inner, changed: Changed) -> Result<(), StoreError> {
        self.log.renew_guards(inner)?;
        let mut events = Vec::new();
        match changed {
            Changed::Missed => {
                self.running.clear();
                self.ended = Ended::default();
                events.push(Event::resync());
            }
            Changed::Thinned(flow) => events.push(Event { of: Some((flow, None)), ..Event::resync() }),
            Changed::Executions(ids) => self.executions(inner, &ids, &mut events)?,
            Changed::Node(node) => self.node(inner, &node, &mut events)?,
            Changed::Deleted { execution, flow, user } => {
                self.running.remove(&execution);
                self.ended.forget(execution);
                let data = json!({"id": execution, "flowId": flow}).to_string();
                let kind = EventKind::ExecutionDeleted;
                events.push(Event {
                    kind,
                    execution: Some(execution),
                    data: data.into(),
                    of: Some((flow, user)),
                });
            }
        }
        for (flow, _) in events.iter().filter_map(|event| event.of) {
            self.log.learn(inner, flow)?;
        }
        self.log.push(events);
        Ok(())
    }

    fn executions(
        &mut self,
        inner: &Inner,
        ids: &[ExecutionId],
        events: &mut Vec<Event>,
    ) -> Result<(), StoreError> {
        // What was deleted meanwhile is told by whoever deleted it.
        for summary in inner.store.executions().lookup_summaries(ids)? {
            let is_elsewhere = !inner.running.contains(summary.id);
            if summary.status.is_final() {
                // What runs here tells of its nodes by itself, before its end is written.
                let is_known = self.running.contains_key(&summary.id);
                if summary.instance_id != Some(inner.instance) && is_known {
                    self.nodes_of(inner, summary.id, events)?;
                } else if !is_known && summary.instance_id.is_some() && !self.ended.knows(summary.id) {
                    // Over before anybody was told that it had begun: written as one, or quicker than this thread.
                    self.whole(inner, &summary, events)?;
                }
                self.running.remove(&summary.id);
                if self.ended.is_news(&summary) {
                    events.push(of_execution(EventKind::ExecutionEnded, &summary)?);
                }
            } else if !self.running.contains_key(&summary.id) {
                self.remember(&summary);
                events.push(of_execution(EventKind::ExecutionStarted, &summary)?);
                if is_elsewhere {
                    self.nodes_of(inner, summary.id, events)?;
                }
            } else if is_elsewhere {
                self.nodes_of(inner, summary.id, events)?;
            }
        }
        Ok(())
    }

    /// The beginning and the nodes of an execution that is over already.
    fn whole(
        &mut self,
        inner: &Inner,
        ended: &ExecutionSummary,
        events: &mut Vec<Event>,
    ) -> Result<(), StoreError> {
        let begun = ExecutionSummary {
            status: ExecutionStatus::Pending,
            inferred: false,
            ended_at: None,
            duration_ms: None,
            error: None,
            ..ended.clone()
        };
        events.push(of_execution(EventKind::ExecutionStarted, &begun)?);
        let (flow, user) = (ended.guarding_flow_id, ended.user_id);
        for node in inner.store.executions().list_nodes(ended.id)? {
            let progress = NodeProgress::ended(ended.id, &node);
            if node.status != NodeStatus::Skipped {
                events.push(of_node(EventKind::NodeStarted, &progress.as_begun(), flow, user)?);
            }
            events.push(of_node(EventKind::NodeEnded, &progress, flow, user)?);
        }
        Ok(())
    }

    /// Nodes of an execution that runs elsewhere: they are known only from what was written.
    fn nodes_of(
        &mut self,
        inner: &Inner,
        id: ExecutionId,
        events: &mut Vec<Event>,
    ) -> Result<(), StoreError> {
        let Some(running) = self.running.get_mut(&id) else { return Ok(()) };
        for node in inner.store.executions().list_nodes(id)? {
            if running.nodes_ended.insert(node.seq) {
                let progress = NodeProgress::ended(id, &node);
                events.push(of_node(EventKind::NodeEnded, &progress, running.flow, running.user)?);
            }
        }
        Ok(())
    }

    /// A node of an execution that runs here, told by who runs it.
    fn node(
        &mut self,
        inner: &Inner,
        node: &NodeProgress,
        events: &mut Vec<Event>,
    ) -> Result<(), StoreError> {
        let id = node.execution_id;
        if !self.running.contains_key(&id) {
            // It began before anybody listened.
            let Some(summary) = inner.store.executions().lookup_summary(id)? else { return Ok(()) };
            if summary.status.is_final() {
                return Ok(());
            }
            self.remember(&summary);
        }
        let Some(running) = self.running.get_mut(&id) else { return Ok(()) };
        let kind =
            if node.status != NodeStatus::Pending { EventKind::NodeEnded } else { EventKind::NodeStarted };
        if kind == EventKind::NodeStarted || running.nodes_ended.insert(node.seq) {
            events.push(of_node(kind, node, running.flow, running.user)?);
        }
        Ok(())
    }

    fn remember(&mut self, summary: &ExecutionSummary) {
        if self.running.len() >= REMEMBERED {
            // What is told again then is told twice, which is no harm.
            self.running.clear();
        }
        let (flow, user) = (summary.guarding_flow_id, summary.user_id);
        self.running.insert(summary.id, Running { flow, user, nodes_ended: HashSet::new() });
    }
}

impl Ended {
    /// Forgets an execution: under its id another one may be recorded.
    fn forget(&mut self, id: ExecutionId) {
        if self.inferred.remove(&id).is_some() {
            self.order.retain(|known| *known != id);
        }
    }

    /// Whether an end of this execution was told.
    fn knows(&self, id: ExecutionId) -> bool {
        self.inferred.contains_key(&id)
    }

    /// Whether this end was not told yet. One that was only concluded may be told once more, corrected.
    fn is_news(&mut self, summary: &ExecutionSummary) -> bool {
        match self.inferred.insert(summary.id, summary.inferred) {
            Some(inferred) => inferred != summary.inferred,
            None => {
                self.order.push_back(summary.id);
                if self.order.len() > REMEMBERED
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.inferred.remove(&oldest);
                }
                true
            }
        }
    }
}

fn of_execution(kind: EventKind, summary: &ExecutionSummary) -> Result<Event, StoreError> {
    Ok(Event {
        kind,
        execution: Some(summary.id),
        data: written(summary)?,
        of: Some((summary.guarding_flow_id, summary.user_id)),
    })
}

fn of_node(
    kind: EventKind,
    node: &NodeProgress,
    flow: FlowId,
    user: Option<UserId>,
) -> Result<Event, StoreError> {
    Ok(Event { kind, execution: Some(node.execution_id), data: written(node)?, of: Some((flow, user)) })
}

fn written(value: &impl Serialize) -> Result<Arc<str>, StoreError> {
    let json = serde_json::to_string(value).map_err(|error| StoreError::Internal {
        reason: "an event cannot be written".to_owned(),
        source: Some(Box::new(error)),
    })?;
    Ok(json.into())
}
