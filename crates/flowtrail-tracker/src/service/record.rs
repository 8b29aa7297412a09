//! Executions that run elsewhere and are told of: whole when they are over, or step by step.

use std::collections::HashSet;
use std::time::Duration;

use flowtrail_store::{Applied, Command, NewEnd, NewExecution, NewNode};
use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{Digest, Execution, ExecutionId, ExecutionSummary, NodeExecution, Principal};
use time::OffsetDateTime;

use super::differences::{self, Difference};
use super::recorded::{Recorded, as_read};
use super::reported_node::{FinishedNode, check, new_nodes};
use crate::access;
use crate::capture::Capture;
use crate::handle::new_end;
use crate::recorder::Patience;
use crate::tracker::Inner;
use crate::tracker::deadline;
use crate::{Ack, Ending, Sent, StartExecution, Tracker, TrackerError};

/// How an execution that is over went on after its start.
#[derive(Debug, Clone)]
pub struct FinishedExecution<'a> {
    /// Its nodes.
    pub nodes: Vec<FinishedNode<'a>>,
    /// How it ended.
    pub end: ReportedEnd<'a>,
    /// How long it took, when not both its start and its end are told. What is not told follows from it; with neither, it
    /// ended just now.
    pub duration: Option<Duration>,
}

/// How an execution ended, as its reporter says.
#[derive(Debug, Clone)]
pub struct ReportedEnd<'a> {
    /// How.
    pub outcome: Outcome,
    /// When; just now when not told. Before its start counts as at its start.
    pub ended_at: Option<OffsetDateTime>,
    /// What it produced.
    pub outputs: Option<Sent<'a>>,
}

impl<'a> FinishedExecution<'a> {
    /// An execution that ended at this time, without nodes.
    #[must_use]
    pub fn new(outcome: Outcome, ended_at: OffsetDateTime) -> Self {
        let end = ReportedEnd { outcome, ended_at: Some(ended_at), outputs: None };
        Self { nodes: Vec::new(), end, duration: None }
    }

    /// What it produced.
    #[must_use]
    pub fn outputs(mut self, outputs: impl Into<Sent<'a>>) -> Self {
        self.end.outputs = Some(outputs.into());
        self
    }

    /// Its nodes.
    #[must_use]
    pub fn nodes(mut self, nodes: Vec<FinishedNode<'a>>) -> Self {
        self.nodes = nodes;
        self
    }
}

/// How far ahead of the server's clock a reporter's clock may be.
const MAX_AHEAD: time::Duration = time::Duration::DAY;

/// Refuses times that no clock can have told: before 1970, or more than a day ahead.
pub(super) fn check_time(
    field: &str,
    told: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Result<(), TrackerError> {
    let Some(told) = told else { return Ok(()) };
    if told < OffsetDateTime::UNIX_EPOCH {
        return Err(TrackerError::invalid(field, "expected a time from 1970 on"));
    }
    if told > now + MAX_AHEAD {
        return Err(TrackerError::invalid(
            field,
            "expected a time no more than a day ahead of the server's clock",
        ));
    }
    Ok(())
}

/// Refuses leases that are no use: shorter than a second, or longer than a day.
fn check_lease(lease: Option<Duration>) -> Result<(), TrackerError> {
    const SHORTEST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(86_400);
    match lease {
        Some(lease) if !(SHORTEST..=LONGEST).contains(&lease) => {
            let message = format!("expected a whole number from 1 to 86400, got {}", lease.as_secs());
            Err(TrackerError::invalid("leaseSeconds", message))
        }
        _ => Ok(()),
    }
}

impl Tracker {
    /// Records an execution that is over, all at once. The same record again, by its id, is one.
    ///
    /// # Errors
    ///
    /// At once: when the principal may not record into the flow, or a value is out of bounds. By the
    /// acknowledgement: [`TrackerError::Conflict`] when the id was recorded with other content, or why it was
    /// not written.
    pub fn record(
        &self,
        principal: &Principal,
        start: &StartExecution<'_>,
        finished: &FinishedExecution<'_>,
    ) -> Result<Ack<(ExecutionId, Applied)>, TrackerError> {
        access::require_use(principal, start.flow, "record into this flow")?;
        let (new, nodes, end) = self.record_parts(principal, start, finished)?;
        let id = new.id;
        let command = Command::record(new, nodes, end)??;
        let receiver = self.inner.recorder.submit(command, Patience::Refusable);
        Ok(Ack::new(receiver, move |reply| reply.map(|applied| (id, applied))))
    }

    /// The same, and the execution as it is read back from then on.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub fn record_and_show(
        &self,
        principal: &Principal,
        start: &StartExecution<'_>,
        finished: &FinishedExecution<'_>,
    ) -> Result<Ack<Recorded>, TrackerError> {
        access::require_use(principal, start.flow, "record into this flow")?;
        let (new, nodes, end) = self.record_parts(principal, start, finished)?;
        let mut execution = Box::new(as_read(principal, &new, &nodes, &end));
        let command = Command::record(new, nodes, end)??;
        let (receiver, recorded_at) = self.inner.recorder.submit_stamped(command, Patience::Refusable);
        (execution.created_at, execution.updated_at) = (recorded_at, recorded_at);
        let id = execution.summary.id;
        Ok(Ack::new(receiver, move |reply| {
            reply.map(|applied| match applied {
                Applied::Written => Recorded { id, applied, execution: Some(execution) },
                // What was there before is as it was, not as it was told of now.
                Applied::Already | Applied::Corrected => Recorded { id, applied, execution: None },
            })
        }))
    }

    /// Whether a record is sound, without recording it: for who has to make its flow first. Blocks.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record) at once.
    pub fn check_record(
        &self,
        principal: &Principal,
        start: &StartExecution<'_>,
        finished: &FinishedExecution<'_>,
    ) -> Result<(), TrackerError> {
        access::require_use(principal, start.flow, "record into this flow")?;
        let (new, nodes, end) = self.record_parts(principal, start, finished)?;
        Command::record(new, nodes, end)??;
        Ok(())
    }

    fn record_parts(
        &self,
        principal: &Principal,
        start: &StartExecution<'_>,
        finished: &FinishedExecution<'_>,
    ) -> Result<(NewExecution, Vec<NewNode>, NewEnd), TrackerError> {
        let inner = &self.inner;
        let now = inner.clock.now();
        check_lease(start.lease)?;
        let (started_at, ended_at) = times(start, finished, now)?;
        inner.check_count(finished.nodes.len())?;
        check(&finished.nodes, now)?;
        let mut new = inner.new_execution(principal, start, started_at, None)?;
        let capture = Capture { is_repeatable: start.id.is_some(), ..inner.capture(start.flow.capture) };
        let nodes = new_nodes(&capture, &finished.nodes);
        let ReportedEnd { outcome, ended_at: told, outputs } = &finished.end;
        let mut end = new_end(&capture, Told::Reported, ending(outcome, *outputs, *told), now, Vec::new());
        end.ended_at = ended_at;
        // Another record is one that differs anywhere: in its start, in a node, in its end.
        let duration = finished.duration.map_or(u128::MAX, |duration| duration.as_micros()).to_le_bytes();
        let digest_of = |start: &Digest, end: &Digest, nodes: &mut dyn Iterator<Item = Digest>| {
            let nodes: Vec<Digest> = nodes.collect();
            let mut parts: Vec<&[u8]> = vec![start.as_bytes(), end.as_bytes(), &duration];
            parts.extend(nodes.iter().map(|node| &node.as_bytes()[..]));
            Digest::of(&parts)
        };
        let has_old = |node: &NewNode| node.old_digest.is_some();
        let is_old_another =
            new.old_digest.is_some() || end.old_digest.is_some() || nodes.iter().any(has_old);
        let old_digest = is_old_another.then(|| {
            let (start, end) = (new.old_digest.unwrap_or(new.digest), end.old_digest.unwrap_or(end.digest));
            digest_of(&start, &end, &mut nodes.iter().map(|node| node.old_digest.unwrap_or(node.digest)))
        });
        new.digest = digest_of(&new.digest, &end.digest, &mut nodes.iter().map(|node| node.digest));
        new.old_digest = old_digest;
        Ok((new, nodes, end))
    }

    /// An execution begins elsewhere: its reporter appends its nodes and ends it. When nothing is heard of it in time it
    /// ends by conclusion. The same start again, by its id, is one.
    ///
    /// # Errors
    ///
    /// As [`record`](Self::record).
    pub fn start_elsewhere(
        &self,
        principal: &Principal,
        start: &StartExecution<'_>,
    ) -> Result<Ack<(ExecutionId, Applied)>, TrackerError> {
        access::require_use(principal, start.flow, "record into this flow")?;
        let now = self.inner.clock.now();
        check_time("startedAt", start.started_at, now)?;
        check_lease(start.lease)?;
        let new = self.inner.new_execution(principal, start, start.started_at.unwrap_or(now), None)?;
        let id = new.id;
        let receiver = self.inner.recorder.submit(Command::Start(Box::new(new)), Patience::Refusable);
        Ok(Ack::new(receiver, move |reply| reply.map(|applied| (id, applied))))
    }

    /// Appends nodes to an execution that runs elsewhere. Nodes that it has already, by number and content, are no error.
    /// Blocks until the execution is found.
    ///
    /// # Errors
    ///
    /// At once: [`TrackerError::NotFound`], [`TrackerError::Forbidden`] by the principal's rights,
    /// [`TrackerError::Invalid`] when a value is out of bounds, [`TrackerError::RunsHere`] when Flowtrail itself runs it.
    /// By the acknowledgement: [`TrackerError::Conflict`] when a number has other content,
    /// [`TrackerError::AlreadyEnded`], or why it was not written.
    pub fn append(
        &self,
        principal: &Principal,
        id: ExecutionId,
        nodes: &[FinishedNode<'_>],
    ) -> Result<Ack<Applied>, TrackerError> {
        let execution = self.steered(principal, id, "append to this execution")?;
        let now = self.inner.clock.now();
        self.inner.check_appended(id, nodes)?;
        check(nodes, now)?;
        let capture = Capture { is_repeatable: true, ..self.inner.capture(execution.capture_policy) };
        let nodes = new_nodes(&capture, nodes);
        let renewed_until = execution.lease.map(|lease| deadline(now, lease));
        let command = Command::Append { execution: id, nodes, at: now, renewed_until };
        Ok(Ack::new(self.inner.recorder.submit(command, Patience::Refusable), |reply| reply))
    }

    /// Ends an execution that runs elsewhere. The same end again is no error, and neither is the first one that is told of
    /// an execution whose end had only been concluded. Blocks until the execution is found.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn end(
        &self,
        principal: &Principal,
        id: ExecutionId,
        end: &ReportedEnd<'_>,
    ) -> Result<Ack<Applied>, TrackerError> {
        let execution = self.steered(principal, id, "end this execution")?;
        let now = self.inner.clock.now();
        check_time("endedAt", end.ended_at, now)?;
        let capture = Capture { is_repeatable: true, ..self.inner.capture(execution.capture_policy) };
        let ReportedEnd { outcome, ended_at, outputs } = end;
        let end = new_end(&capture, Told::Reported, ending(outcome, *outputs, *ended_at), now, Vec::new());
        let command = Command::End { execution: id, end: Box::new(end) };
        Ok(Ack::new(self.inner.recorder.submit(command, Patience::Refusable), |reply| reply))
    }

    /// An execution that runs elsewhere, and that the principal may append to and end.
    fn steered(
        &self,
        principal: &Principal,
        id: ExecutionId,
        to: &'static str,
    ) -> Result<ExecutionSummary, TrackerError> {
        let (execution, held) = self.seen(principal, id)?;
        if !access::may_steer(principal, held, &execution) {
            return Err(TrackerError::Forbidden(to));
        }
        // A process ends by itself what it runs, and would find it ended otherwise.
        if execution.instance_id.is_some() {
            return Err(TrackerError::RunsHere);
        }
        Ok(execution)
    }

    /// What in a record differs from what stands under its id, when it was refused for that; nothing when the principal
    /// may not see that execution. Blocks.
    ///
    /// # Errors
    ///
    /// When the store does not answer, or the record is not sound.
    pub fn differences(
        &self,
        principal: &Principal,
        start: &StartExecution<'_>,
        finished: Option<&FinishedExecution<'_>>,
    ) -> Result<Vec<Difference>, TrackerError> {
        let Some(id) = start.id else { return Ok(Vec::new()) };
        let stored = match self.execution(principal, id) {
            Ok(stored) => stored,
            Err(TrackerError::NotFound(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let now = self.inner.clock.now();
        let capture = self.inner.capture(start.flow.capture);
        let started_at = match finished {
            Some(finished) => times(start, finished, now)?.0,
            None => start.started_at.unwrap_or(now),
        };
        let new: NewExecution = self.inner.new_execution(principal, start, started_at, None)?;
        let mut found = differences::of_start(&stored, &new, start.started_at);
        if let Some(finished) = finished {
            let ReportedEnd { outcome, ended_at: told, outputs } = &finished.end;
            let end = new_end(&capture, Told::Reported, ending(outcome, *outputs, *told), now, Vec::new());
            found.extend(differences::of_end(&stored, &end, *told));
            let nodes = new_nodes(&capture, &finished.nodes);
            found.extend(differences::of_nodes(&stored.node_executions, &finished.nodes, nodes));
        }
        Ok(found)
    }

    /// The same for nodes that were appended.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub fn node_differences(
        &self,
        principal: &Principal,
        id: ExecutionId,
        nodes: &[FinishedNode<'_>],
    ) -> Result<Vec<Difference>, TrackerError> {
        let stored: Execution = self.execution(principal, id)?;
        let capture = self.inner.capture(stored.summary.capture_policy);
        let known = |seq: i32| stored.node_executions.iter().any(|node| node.seq == seq);
        let again: Vec<FinishedNode<'_>> = nodes.iter().filter(|node| known(node.seq)).copied().collect();
        let new = new_nodes(&capture, &again);
        let is_named = |seq: i32| again.iter().any(|node| node.seq == seq);
        let named: Vec<NodeExecution> =
            stored.node_executions.into_iter().filter(|node| is_named(node.seq)).collect();
        Ok(differences::of_nodes(&named, &again, new))
    }
}

impl Inner {
    /// Refuses more node executions than an execution may have.
    fn check_count(&self, count: usize) -> Result<(), TrackerError> {
        let most = self.max_nodes;
        if count > most {
            let message = format!("expected at most {most} node executions of an execution, got {count}");
            return Err(TrackerError::invalid("nodeExecutions", message));
        }
        Ok(())
    }

    /// The same, with those that are stored. Blocks.
    fn check_appended(&self, id: ExecutionId, nodes: &[FinishedNode<'_>]) -> Result<(), TrackerError> {
        self.check_count(nodes.len())?;
        let stored = self.store.executions().count_nodes(id)?;
        if stored + nodes.len() <= self.max_nodes {
            return Ok(());
        }
        // Some of them may be stored already.
        let mut all: HashSet<i32> =
            self.store.executions().list_nodes(id)?.iter().map(|node| node.seq).collect();
        all.extend(nodes.iter().map(|node| node.seq));
        self.check_count(all.len())
    }
}

/// When an execution began and ended, as far as told, and otherwise as it follows.
fn times(
    start: &StartExecution<'_>,
    finished: &FinishedExecution<'_>,
    now: OffsetDateTime,
) -> Result<(OffsetDateTime, OffsetDateTime), TrackerError> {
    let (began, ended) = (start.started_at, finished.end.ended_at);
    check_time("startedAt", began, now)?;
    check_time("endedAt", ended, now)?;
    let duration = time::Duration::try_from(finished.duration.unwrap_or_default())
        .map_err(|_| TrackerError::invalid("duration", "longer than any execution can take"))?;
    let too_long = || TrackerError::invalid("duration", "expected a start from 1970 on");
    let (began, ended) = match (began, ended) {
        (Some(began), Some(ended)) => (began, ended),
        (Some(began), None) if finished.duration.is_none() => (began, now),
        (Some(began), None) => (began, began.checked_add(duration).ok_or_else(too_long)?),
        (None, ended) => {
            let ended = ended.unwrap_or(now);
            (ended.checked_sub(duration).ok_or_else(too_long)?, ended)
        }
    };
    if began < OffsetDateTime::UNIX_EPOCH {
        return Err(too_long());
    }
    check_time("duration", Some(ended), now)?;
    Ok((began, ended))
}

/// An end as it was told, with all of its outputs.
fn ending<'a>(outcome: &Outcome, outputs: Option<Sent<'a>>, ended_at: Option<OffsetDateTime>) -> Ending<'a> {
    Ending { outputs, ended_at, ..Ending::now(outcome.clone()) }
}
