//! From a batch of commands to rows, in memory, before the database is written.
//!
//! A store reads what is known of the executions that a batch names (under a lock that keeps it true until the
//! commit), [`fold`]s the batch over it, and writes the [`Writes`]. So every rule stands here once, a
//! command that breaks one costs only itself, and an execution that starts and ends within one batch is
//! written once.

use std::collections::{BTreeMap, HashMap};

use flowtrail_types::lifecycle::{self, Standing, Told, Verdict};
use flowtrail_types::{Digest, ExecutionId, ExecutionStatus, FlowId, NodeStatus, Step, Tally, timestamp};
use time::OffsetDateTime;

use crate::{Applied, Command, Handover, NewEnd, NewExecution, NewNode, Packed, Refusal};

/// What is known of an execution: the columns that decide what it may become.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its flow.
    pub flow_id: FlowId,
    /// How it stands.
    pub status: ExecutionStatus,
    /// Whether its end was inferred.
    pub inferred: bool,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it ended.
    pub ended_at: Option<OffsetDateTime>,
    /// The hash of how it began, or of all of it when it was recorded at once.
    pub digest: Digest,
    /// The hash of how it ended.
    pub end_digest: Option<Digest>,
    /// Whether somebody asked it to stop.
    pub cancel_requested: bool,
    /// Whether no process runs it: it may wait for another message.
    pub is_unowned: bool,
    /// When it is taken for dead, as long as it is pending.
    pub deadline_at: OffsetDateTime,
}

/// What a store knows of the executions and nodes that a batch names.
#[derive(Debug, Default)]
pub struct Knowledge {
    /// The executions that are there.
    pub executions: HashMap<ExecutionId, Known>,
    /// The nodes that are there, of those that [`nodes_to_read`] names.
    pub nodes: HashMap<(ExecutionId, i32), KnownNode>,
}

/// What is known of a node execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownNode {
    /// The hash of what was reported.
    pub digest: Digest,
    /// Whether it has not ended: then it is replaced by what is reported next.
    pub is_pending: bool,
}

impl KnownNode {
    /// What is known of a node once it is written.
    #[must_use]
    pub fn of(node: &NewNode) -> Self {
        Self { digest: node.digest, is_pending: node.status == NodeStatus::Pending }
    }
}

/// The executions whose state a batch depends on. Those with a fresh id cannot be there yet.
#[must_use]
pub fn executions_to_read(batch: &[Command], trust_fresh_ids: bool) -> Vec<ExecutionId> {
    let mut fresh = std::collections::HashSet::new();
    let mut ids: Vec<ExecutionId> = Vec::new();
    for command in batch {
        match command {
            Command::Start(start) | Command::Record { start, .. } if trust_fresh_ids && start.id_is_fresh => {
                fresh.insert(start.id);
            }
            other => ids.extend(other.execution()),
        }
    }
    ids.retain(|id| !fresh.contains(id));
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The nodes that a batch adds to executions that are there already.
#[must_use]
pub fn nodes_to_read(batch: &[Command], known: &HashMap<ExecutionId, Known>) -> Vec<(ExecutionId, i32)> {
    let mut wanted = Vec::new();
    for command in batch {
        let (execution, nodes) = match command {
            Command::Append { execution, nodes, .. } => (*execution, nodes),
            Command::End { execution, end } => (*execution, &end.running),
            Command::HandOver { execution, handover } => (*execution, &handover.nodes),
            Command::Start(_)
            | Command::Record { .. }
            | Command::RequestCancel { .. }
            | Command::CountRejected { .. } => continue,
        };
        if known.contains_key(&execution) {
            wanted.extend(nodes.iter().map(|node| (execution, node.seq)));
        }
    }
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

/// An execution's row as it is to be inserted.
#[derive(Debug)]
pub struct Insert<'a> {
    /// How it began.
    pub start: &'a NewExecution,
    /// How it ended, if it has.
    pub end: Option<Ending<'a>>,
    /// Its payloads and nodes, when it was recorded at once; otherwise they stand where they came.
    pub packed: Option<&'a Packed>,
    /// Whether somebody asked it to stop.
    pub cancel_requested: bool,
    /// When its record last changed.
    pub updated_at: OffsetDateTime,
}

/// The end of an execution, its time made sound.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// The end.
    pub end: &'a NewEnd,
    /// When it ended: never before it began.
    pub ended_at: OffsetDateTime,
    /// How long it took.
    pub duration_us: i64,
}

impl<'a> Ending<'a> {
    fn new(started_at: OffsetDateTime, end: &'a NewEnd) -> Self {
        let ended_at = lifecycle::ended_at(started_at, end.ended_at);
        Self { end, ended_at, duration_us: micros_between(started_at, ended_at) }
    }
}

/// What a batch changes, each row once.
#[derive(Debug, Default)]
pub struct Writes<'a> {
    /// Executions that are new.
    pub inserts: Vec<Insert<'a>>,
    /// Nodes that are new.
    pub nodes: Vec<(ExecutionId, &'a NewNode)>,
    /// Nodes that were there as pending, and take their place.
    pub replaced: Vec<(ExecutionId, &'a NewNode)>,
    /// Executions that are pending, and who has them from now on; the last one of each counts.
    pub handovers: Vec<(ExecutionId, &'a Handover)>,
    /// Executions that were there, and end now.
    pub ends: Vec<(ExecutionId, Ending<'a>)>,
    /// Executions that end now, and may have waited for another message.
    pub waited: Vec<ExecutionId>,
    /// Executions that are pending, and when they are taken for dead from now on.
    pub renewals: Vec<(ExecutionId, OffsetDateTime)>,
    /// Executions that were there, and are asked to stop.
    pub cancels: Vec<(ExecutionId, OffsetDateTime)>,
    /// What is added to the statistics.
    pub changes: Changes,
}

/// What is added to the statistics of each flow in each hour, in the order of both. An execution counts in the hour in
/// which it began.
pub type Changes = BTreeMap<(FlowId, OffsetDateTime), Change>;

/// What is added to the statistics of one flow in one hour.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// What is counted.
    pub tally: Tally,
    /// When the last of the executions was recorded that are new.
    pub last_recorded_at: Option<OffsetDateTime>,
}

impl Change {
    /// Adds another one.
    pub fn merge(&mut self, other: &Self) {
        self.tally.merge(&other.tally, 1);
        self.last_recorded_at = self.last_recorded_at.max(other.last_recorded_at);
    }
}

/// The change for the executions of a flow that began at this time.
pub fn change_of(changes: &mut Changes, flow: FlowId, started_at: OffsetDateTime) -> &mut Change {
    changes.entry((flow, Step::Hour.begin(started_at))).or_default()
}

/// The outcome of each command of a batch, in its order.
pub type Outcomes = Vec<Result<Applied, Refusal>>;

/// Applies a batch to what is known.
#[must_use]
pub fn fold(batch: &[Command], knowledge: Knowledge) -> (Writes<'_>, Outcomes) {
    let mut fold =
        Fold { knowledge, inserted: HashMap::new(), ended: HashMap::new(), writes: Writes::default() };
    let outcomes = batch.iter().map(|command| fold.apply(command)).collect();
    (fold.writes, outcomes)
}

struct Fold<'a> {
    knowledge: Knowledge,
    /// Where in `writes.inserts` an execution of this batch stands.
    inserted: HashMap<ExecutionId, usize>,
    /// Where in `writes.ends` an execution that was there stands.
    ended: HashMap<ExecutionId, usize>,
    writes: Writes<'a>,
}

impl<'a> Fold<'a> {
    fn apply(&mut self, command: &'a Command) -> Result<Applied, Refusal> {
        match command {
            Command::Start(start) => self.start(start, None, None),
            Command::Append { execution, nodes, at, renewed_until } => {
                self.renew(*execution, *renewed_until);
                self.append(*execution, nodes, *at)
            }
            Command::End { execution, end } => self.end(*execution, end),
            Command::HandOver { execution, handover } => self.hand_over(*execution, handover),
            Command::Record { start, end, packed } => self.start(start, Some(end), Some(packed)),
            Command::RequestCancel { execution, at } => self.request_cancel(*execution, *at),
            Command::CountRejected { flow, at } => {
                change_of(&mut self.writes.changes, *flow, *at).tally.unrecorded += 1;
                Ok(Applied::Written)
            }
        }
    }

    fn start(
        &mut self,
        start: &'a NewExecution,
        end: Option<&'a NewEnd>,
        packed: Option<&'a Packed>,
    ) -> Result<Applied, Refusal> {
        if let Some(known) = self.knowledge.executions.get(&start.id) {
            // Somebody else's execution is not told of: to them it is one with other content.
            return if start.is_repeat_of(known.digest) && known.flow_id == start.flow_id {
                Ok(Applied::Already)
            } else {
                Err(Refusal::Conflict { what: "this execution".to_owned() })
            };
        }
        let ending = end.map(|end| Ending::new(start.started_at, end));
        let status = end.map_or(ExecutionStatus::Pending, |end| end.outcome.status());
        let change = change_of(&mut self.writes.changes, start.flow_id, start.started_at);
        let bytes = packed.map_or(0, size_of);
        if start.is_rejected {
            change.tally.add_rejected(bytes, 1);
        } else {
            change.tally.add(status, ending.map(|ending| ending.duration_us), bytes, 1);
        }
        // Lists show what was recorded until then, and the clock of another server may have been ahead.
        let recorded_at = start.import.map_or(start.recorded_at, |import| import.at.max(start.recorded_at));
        change.last_recorded_at = change.last_recorded_at.max(Some(recorded_at));
        let cancel_requested = start.import.is_some_and(|import| import.cancel_requested);
        self.knowledge.executions.insert(
            start.id,
            Known {
                flow_id: start.flow_id,
                status,
                inferred: end.is_some_and(|end| end.told == Told::Inferred),
                started_at: start.started_at,
                ended_at: ending.map(|ending| ending.ended_at),
                digest: start.digest,
                end_digest: end.map(|end| end.digest),
                cancel_requested,
                is_unowned: start.instance_id.is_none(),
                deadline_at: start.deadline_at,
            },
        );
        self.inserted.insert(start.id, self.writes.inserts.len());
        let updated_at = end.map_or(start.recorded_at, |end| end.recorded_at);
        self.writes.inserts.push(Insert { start, end: ending, packed, cancel_requested, updated_at });
        Ok(Applied::Written)
    }

    /// Whoever appends lives, whatever becomes of what they append.
    fn renew(&mut self, execution: ExecutionId, until: Option<OffsetDateTime>) {
        let Some(until) = until else { return };
        let known = self.knowledge.executions.get_mut(&execution);
        let Some(known) = known.filter(|known| known.status == ExecutionStatus::Pending) else { return };
        known.deadline_at = until;
        self.writes.renewals.push((execution, until));
    }

    fn append(
        &mut self,
        execution: ExecutionId,
        nodes: &'a [NewNode],
        at: OffsetDateTime,
    ) -> Result<Applied, Refusal> {
        let known = self.knowledge.executions.get(&execution).ok_or(Refusal::Unknown)?;
        check_numbers(nodes)?;
        let mut fresh = 0;
        for node in nodes {
            match self.knowledge.nodes.get(&(execution, node.seq)) {
                Some(there) if there.is_pending => fresh += 1,
                Some(there) if node.is_repeat_of(there.digest) => {}
                Some(_) => return Err(Refusal::Conflict { what: format!("node execution {}", node.seq) }),
                None => fresh += 1,
            }
        }
        if fresh == 0 {
            return Ok(Applied::Already);
        }
        if known.status.is_final() && !known.inferred {
            return Err(Refusal::AlreadyEnded { status: known.status });
        }
        self.add_nodes(execution, nodes);
        if let Some(&index) = self.inserted.get(&execution) {
            self.writes.inserts[index].updated_at = at;
        }
        Ok(Applied::Written)
    }

    fn end(&mut self, execution: ExecutionId, end: &'a NewEnd) -> Result<Applied, Refusal> {
        let known = self.knowledge.executions.get_mut(&execution).ok_or(Refusal::Unknown)?;
        if end.due_at.is_some_and(|due_at| !known.status.is_final() && known.deadline_at > due_at) {
            return Err(Refusal::Renewed);
        }
        let standing = if known.status.is_final() {
            let told = if known.inferred { Told::Inferred } else { Told::Reported };
            Standing::Ended { told, same: known.end_digest.is_some_and(|digest| end.is_repeat_of(digest)) }
        } else {
            Standing::Pending
        };
        let applied = match lifecycle::judge(standing, end.told).map_err(Refusal::already(known.status))? {
            Verdict::AlreadySo => return Ok(Applied::Already),
            Verdict::Apply => Applied::Written,
            Verdict::Correct => Applied::Corrected,
        };
        let ending = Ending::new(known.started_at, end);
        let before = known.ended_at.map(|ended_at| micros_between(known.started_at, ended_at));
        let tally = &mut change_of(&mut self.writes.changes, known.flow_id, known.started_at).tally;
        tally.add(known.status, before, 0, -1);
        tally.add(end.outcome.status(), Some(ending.duration_us), 0, 1);
        known.status = end.outcome.status();
        known.inferred = end.told == Told::Inferred;
        known.ended_at = Some(ending.ended_at);
        known.end_digest = Some(end.digest);
        if std::mem::take(&mut known.is_unowned) {
            self.writes.waited.push(execution);
        }
        if let Some(&index) = self.inserted.get(&execution) {
            let insert = &mut self.writes.inserts[index];
            insert.end = Some(ending);
            insert.updated_at = end.recorded_at;
        } else if let Some(&index) = self.ended.get(&execution) {
            self.writes.ends[index].1 = ending;
        } else {
            self.ended.insert(execution, self.writes.ends.len());
            self.writes.ends.push((execution, ending));
        }
        self.add_nodes(execution, &end.running);
        Ok(applied)
    }

    fn hand_over(&mut self, execution: ExecutionId, handover: &'a Handover) -> Result<Applied, Refusal> {
        let known = self.knowledge.executions.get_mut(&execution).ok_or(Refusal::Unknown)?;
        if known.status.is_final() {
            return Err(Refusal::AlreadyEnded { status: known.status });
        }
        check_numbers(&handover.nodes)?;
        known.is_unowned = handover.instance_id.is_none();
        known.deadline_at = handover.deadline_at;
        self.add_nodes(execution, &handover.nodes);
        self.writes.handovers.push((execution, handover));
        Ok(Applied::Written)
    }

    fn request_cancel(&mut self, execution: ExecutionId, at: OffsetDateTime) -> Result<Applied, Refusal> {
        let known = self.knowledge.executions.get_mut(&execution).ok_or(Refusal::Unknown)?;
        if known.status.is_final() {
            return Err(Refusal::AlreadyEnded { status: known.status });
        }
        if std::mem::replace(&mut known.cancel_requested, true) {
            return Ok(Applied::Already);
        }
        if let Some(&index) = self.inserted.get(&execution) {
            self.writes.inserts[index].cancel_requested = true;
        } else {
            self.writes.cancels.push((execution, at));
        }
        Ok(Applied::Written)
    }

    /// Adds those nodes whose number is not taken, and replaces those that are pending.
    fn add_nodes(&mut self, execution: ExecutionId, nodes: impl IntoIterator<Item = &'a NewNode>) {
        for node in nodes {
            match self.knowledge.nodes.insert((execution, node.seq), KnownNode::of(node)) {
                None => self.writes.nodes.push((execution, node)),
                Some(there) if there.is_pending => self.replace(execution, node),
                Some(there) => drop(self.knowledge.nodes.insert((execution, node.seq), there)),
            }
        }
    }

    /// Replaces a pending node, where it stands in this batch or in the store.
    fn replace(&mut self, execution: ExecutionId, node: &'a NewNode) {
        let is_it = |(id, other): &&mut (ExecutionId, &NewNode)| *id == execution && other.seq == node.seq;
        let Writes { nodes, replaced, .. } = &mut self.writes;
        match nodes.iter_mut().chain(replaced.iter_mut()).find(is_it) {
            Some(place) => place.1 = node,
            None => replaced.push((execution, node)),
        }
    }
}

/// One command may not name a number twice with different content.
fn check_numbers(nodes: &[NewNode]) -> Result<(), Refusal> {
    if nodes.windows(2).all(|pair| pair[0].seq < pair[1].seq) {
        return Ok(());
    }
    let mut seen = HashMap::new();
    for node in nodes {
        if seen.insert(node.seq, node.digest).is_some_and(|digest| digest != node.digest) {
            return Err(Refusal::Conflict { what: format!("node execution {}", node.seq) });
        }
    }
    Ok(())
}

/// What packed data takes.
#[must_use]
pub fn size_of(packed: &Packed) -> i64 {
    i64::try_from(packed.size()).unwrap_or(i64::MAX)
}

/// Between the times as they are kept, so that it can be told from them again.
fn micros_between(started_at: OffsetDateTime, ended_at: OffsetDateTime) -> i64 {
    timestamp::unix_micros(ended_at) - timestamp::unix_micros(started_at)
}
