//! Executions that are written when they have ended, start and nodes and end as one, unless they take their time.

use std::sync::Arc;

use flowtrail_store::{Command, NewEnd, NewExecution, NewNode};

use super::{ExecutionHandle, Shared};
use crate::ack::Reply;
use crate::recorder::Patience;
use crate::{NodeProgress, StartExecution, Tracker, TrackerError, access};

/// What is not written yet of an execution: how it began, and its nodes that have ended.
#[derive(Debug)]
pub(super) struct Held {
    start: Box<NewExecution>,
    pub(super) ended: Vec<NewNode>,
}

impl Tracker {
    /// An execution begins, and nothing of it is written before it ends or [`ExecutionHandle::let_go`] is called. For one
    /// that does nothing outside of this process and is over in a moment: should the process die first, it has never been,
    /// and nobody was told that it was. Its end can be refused as its start would have been.
    ///
    /// # Errors
    ///
    /// When the principal may not call the flow, a value is out of bounds, an id was chosen (whoever chose it may tell of the
    /// execution again), or too much waits to be written.
    pub fn hold(
        &self,
        principal: &flowtrail_types::Principal,
        start: StartExecution<'_>,
    ) -> Result<ExecutionHandle, TrackerError> {
        access::require_use(principal, start.flow, "call this flow")?;
        if start.id.is_some() {
            return Err(TrackerError::invalid(
                "id",
                "expected none for an execution whose start is held back",
            ));
        }
        if self.inner.recorder.is_full() {
            return Err(TrackerError::Busy);
        }
        let policy = start.flow.capture;
        let span = self.inner.span(&start);
        let started_at = start.started_at.unwrap_or(span.began_at);
        let new = self.inner.new_execution(principal, &start, started_at, Some(self.inner.instance))?;
        let handle = ExecutionHandle::new(Arc::clone(&self.inner), new.id, policy, span);
        handle.shared.lock().held = Some(Held { start: Box::new(new), ended: Vec::new() });
        Ok(handle)
    }
}

impl ExecutionHandle {
    /// Writes what was held back. When this returns, the execution is pending and durable, and what follows is written as it
    /// comes. Of one that is not held back there is nothing to do.
    ///
    /// # Errors
    ///
    /// When it was not written. Nothing of it will be then.
    pub async fn let_go(&self) -> Result<(), TrackerError> {
        let Some(Begun { written, nodes }) = self.shared.let_go() else { return Ok(()) };
        let reply = written.into_future().await.unwrap_or(Err(TrackerError::Closed));
        match reply {
            Ok(_) => nodes.into_iter().for_each(|node| self.shared.tell(node)),
            Err(_) => self.shared.forget(),
        }
        reply.map(drop)
    }
}

/// A start that is on its way, and the nodes of which those who watch are told once it is there.
struct Begun {
    written: oneshot::Receiver<Reply>,
    nodes: Vec<NodeProgress>,
}

impl Shared {
    fn let_go(&self) -> Option<Begun> {
        let mut nodes = self.lock();
        let Held { start, ended } = nodes.held.take()?;
        let written = self.tracker.recorder.submit(Command::Start(start), Patience::Refusable);
        let mut told = Vec::new();
        if self.is_watched() {
            for node in &ended {
                let progress = NodeProgress::of_new(self.id, node);
                told.extend([progress.as_begun(), progress]);
            }
            let running = nodes.running.iter();
            told.extend(running.map(|(seq, node)| node.begun.progress(self.id, *seq, node.executed_at)));
        }
        ended.into_iter().for_each(|node| self.append(&mut nodes, node));
        Some(Begun { written, nodes: told })
    }

    /// Writes all of an execution that was held back until its end.
    pub(super) fn record(&self, held: Held, end: NewEnd) -> oneshot::Receiver<Reply> {
        let refused = match Command::record(*held.start, held.ended, end) {
            Ok(Ok(command)) => return self.tracker.recorder.submit(command, Patience::Refusable),
            Ok(Err(refusal)) => TrackerError::from(refusal),
            Err(error) => TrackerError::from(error),
        };
        let (sender, receiver) = oneshot::channel();
        // The receiver is here.
        let _ = sender.send(Err(refused));
        receiver
    }
}
