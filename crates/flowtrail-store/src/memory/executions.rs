//! Executions in memory.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use flowtrail_types::lifecycle::Told;
use flowtrail_types::{
    Counting, Digest, Execution, ExecutionId, ExecutionQuery, ExecutionStatus, ExecutionSummary, FlowId,
    InstanceId, StatsQuery, StatsScope, Step, Tally,
};
use time::OffsetDateTime;

use super::{MemoryStore, Row, State};
use crate::fold::{self, Ending, Insert, Knowledge, Known, KnownNode, Writes, change_of};
use crate::{
    Applied, Command, Counted, Ended, EndedPage, EndedQuery, ExecutionStore, ForeignWrites, Found,
    ImportedOf, NewNode, NewPrune, PendingExecution, PruneStep, Refusal, StatusCounts, StoreError,
};

impl ExecutionStore for MemoryStore {
    fn commit(&self, batch: &[Command]) -> Result<Vec<Result<Applied, Refusal>>, StoreError> {
        let mut state = self.lock();
        let (writes, outcomes) = fold::fold(batch, state.knowledge(batch));
        state.write(writes)?;
        Ok(outcomes)
    }

    fn lookup(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        let state = self.lock();
        Ok(state
            .executions
            .get(&id)
            .map(|row| Execution { summary: state.summary(row), ..row.execution.clone() }))
    }

    fn lookup_summary(&self, id: ExecutionId) -> Result<Option<ExecutionSummary>, StoreError> {
        let state = self.lock();
        Ok(state.executions.get(&id).map(|row| state.summary(row)))
    }

    fn list(&self, query: &ExecutionQuery) -> Result<Found, StoreError> {
        Ok(self.lock().list(query))
    }

    fn list_by_end(
        &self,
        flow: FlowId,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<ExecutionSummary>, StoreError> {
        let state = self.lock();
        let of_flow = state.executions.values().filter(|row| row.flow_id == flow);
        let mut ended: Vec<ExecutionSummary> =
            of_flow.map(|row| state.summary(row)).filter(|summary| summary.ended_at.is_some()).collect();
        ended.sort_by_key(|summary| Reverse((summary.ended_at, summary.id)));
        let passed = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok(ended.into_iter().skip(passed).take(limit as usize).collect())
    }

    fn count(&self, query: &ExecutionQuery, bound: u32) -> Result<Counted, StoreError> {
        let found = self.lock().found(query).len() as u64;
        Ok(Counted { count: found.min(u64::from(bound)), is_exact: found <= u64::from(bound) })
    }

    fn status_counts(&self, scope: &StatsScope) -> Result<StatusCounts, StoreError> {
        let query = StatsQuery { scope: scope.clone(), ..StatsQuery::of_all() };
        Ok(StatusCounts::of_tally(&self.tally(&query)?))
    }

    fn tally(&self, query: &StatsQuery) -> Result<Tally, StoreError> {
        let mut sum = Tally::default();
        for (_, tally) in self.tally_by(query, Step::Day)? {
            sum.merge(&tally, 1);
        }
        Ok(sum)
    }

    fn tally_by(&self, query: &StatsQuery, step: Step) -> Result<Vec<(OffsetDateTime, Tally)>, StoreError> {
        let state = self.lock();
        let (from, to) = query.hours();
        let is_wanted = |flow: &FlowId, hour: &OffsetDateTime| {
            let in_scope = match &query.scope {
                StatsScope::All => true,
                StatsScope::Flows(flows) => flows.contains(flow),
            };
            in_scope && from.is_none_or(|from| *hour >= from) && to.is_none_or(|to| *hour < to)
        };
        let mut tallies: BTreeMap<OffsetDateTime, Tally> = BTreeMap::new();
        let mut add = |changes: &fold::Changes, times: i64| {
            for ((flow, hour), change) in changes {
                if is_wanted(flow, hour) {
                    tallies.entry(step.begin(*hour)).or_default().merge(&change.tally, times);
                }
            }
        };
        add(&state.recorded, 1);
        if query.counting == Counting::Stored {
            add(&state.removed, -1);
        }
        Ok(tallies.into_iter().filter(|(_, tally)| *tally != Tally::default()).collect())
    }

    fn last_started_at(&self, query: &StatsQuery) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(self.lock().starts(query).into_iter().max())
    }

    fn last_started_by(
        &self,
        query: &StatsQuery,
        step: Step,
    ) -> Result<Vec<(OffsetDateTime, OffsetDateTime)>, StoreError> {
        let mut last = BTreeMap::new();
        for at in self.lock().starts(query) {
            let newest = last.entry(step.begin(at)).or_insert(at);
            *newest = at.max(*newest);
        }
        Ok(last.into_iter().collect())
    }

    fn last_recorded_at(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        Ok(self.lock().recorded.values().filter_map(|change| change.last_recorded_at).max())
    }

    fn foreign_writes(&self) -> Result<ForeignWrites, StoreError> {
        // Nobody else can write to it.
        Ok(ForeignWrites::default())
    }

    fn delete(&self, ids: &[ExecutionId]) -> Result<Vec<ExecutionId>, StoreError> {
        let mut state = self.lock();
        Ok(ids.iter().copied().filter(|id| state.remove(*id)).collect())
    }

    fn begin_prune(&self, prune: &NewPrune) -> Result<u64, StoreError> {
        prune.check()?;
        let mut state = self.lock();
        let goes = |row: &&Row| {
            prune.flow.is_none_or(|flow| row.flow_id == flow)
                && prune.below.is_none_or(|below| row.place() < below)
        };
        let ids: Vec<ExecutionId> =
            state.executions.values().filter(goes).map(|row| row.execution.summary.id).collect();
        Ok(ids.into_iter().filter(|id| state.remove(*id)).count() as u64)
    }

    fn continue_prune(&self, _limit: u32) -> Result<PruneStep, StoreError> {
        // Everything went at once.
        Ok(PruneStep { deleted: 0, is_done: true })
    }

    fn list_ended(&self, query: &EndedQuery) -> Result<EndedPage, StoreError> {
        let state = self.lock();
        let mut rows: Vec<&Row> = state
            .executions
            .values()
            .filter(|row| query.flow.is_none_or(|flow| row.flow_id == flow))
            .filter(|row| query.before.is_none_or(|before| row.execution.summary.started_at < before))
            .filter(|row| query.after.is_none_or(|after| row.place() > after))
            .collect();
        rows.sort_by_key(|row| row.place());
        let has_more = rows.len() > query.limit as usize;
        rows.truncate(query.limit as usize);
        let searched_to = rows.last().filter(|_| has_more).map(|row| row.place());
        let items = rows
            .into_iter()
            .filter(|row| row.execution.summary.status.is_final())
            .filter(|row| !query.spare_imported_since.is_some_and(|since| row.is_imported_since(since)))
            .map(|row| Ended {
                place: row.place(),
                flow: row.flow_id,
                status: row.execution.summary.status,
                bytes: row.bytes,
            })
            .collect();
        Ok(EndedPage { items, searched_to })
    }

    fn imported_since(&self, since: OffsetDateTime) -> Result<Vec<ImportedOf>, StoreError> {
        let mut flows: BTreeMap<FlowId, (u64, i64)> = BTreeMap::new();
        for row in self.lock().executions.values().filter(|row| row.is_imported_since(since)) {
            let (count, bytes) = flows.entry(row.flow_id).or_default();
            *count += 1;
            *bytes += row.bytes;
        }
        Ok(flows.into_iter().map(|(flow, (count, bytes))| ImportedOf { flow, count, bytes }).collect())
    }

    fn pack(&self, _ended_before: OffsetDateTime, _limit: u32) -> Result<usize, StoreError> {
        // What is in memory is shared, not copied; there is nothing to gain.
        Ok(0)
    }

    fn list_pending(&self, instance: InstanceId, limit: u32) -> Result<Vec<PendingExecution>, StoreError> {
        let state = self.lock();
        let rows = state.pending(limit as usize, |row| row.execution.summary.instance_id == Some(instance));
        Ok(rows.map(pending).collect())
    }

    fn list_overdue(&self, now: OffsetDateTime, limit: u32) -> Result<Vec<PendingExecution>, StoreError> {
        let state = self.lock();
        let is_overdue = |row: &Row| row.deadline_at <= now && row.execution.summary.instance_id.is_none();
        let mut overdue: Vec<_> = state.pending(usize::MAX, is_overdue).map(pending).collect();
        overdue.sort_by_key(|execution| (execution.deadline_at, execution.id));
        overdue.truncate(limit as usize);
        Ok(overdue)
    }

    fn list_waiting(&self, key: &Digest, limit: u32) -> Result<Vec<ExecutionId>, StoreError> {
        let state = self.lock();
        Ok(state.pending(limit as usize, |row| row.waiting.contains(key)).map(id_of).collect())
    }

    fn list_cancel_requested(&self, instance: InstanceId) -> Result<Vec<ExecutionId>, StoreError> {
        let state = self.lock();
        let is_wanted =
            |row: &Row| row.execution.cancel_requested && row.execution.summary.instance_id == Some(instance);
        Ok(state.pending(usize::MAX, is_wanted).map(id_of).collect())
    }
}

impl State {
    fn knowledge(&self, batch: &[Command]) -> Knowledge {
        let mut knowledge = Knowledge::default();
        for id in fold::executions_to_read(batch, false) {
            if let Some(row) = self.executions.get(&id) {
                knowledge.executions.insert(id, known(row));
            }
        }
        for (id, seq) in fold::nodes_to_read(batch, &knowledge.executions) {
            let node = self.executions.get(&id).and_then(|row| row.nodes.get(&seq));
            if let Some(node) = node {
                knowledge.nodes.insert((id, seq), *node);
            }
        }
        knowledge
    }

    fn write(&mut self, writes: Writes<'_>) -> Result<(), StoreError> {
        for insert in writes.inserts {
            self.executions.insert(insert.start.id, row(&insert)?);
        }
        for (id, until) in writes.renewals {
            if let Some(row) = self.executions.get_mut(&id) {
                row.deadline_at = until;
            }
        }
        for (id, handover) in writes.handovers {
            if let Some(row) = self.executions.get_mut(&id) {
                row.execution.summary.instance_id = handover.instance_id;
                row.execution.updated_at = handover.at;
                row.deadline_at = handover.deadline_at;
                row.waiting.clone_from(&handover.keys);
            }
        }
        for (id, ending) in writes.ends {
            if let Some(row) = self.executions.get_mut(&id) {
                end(row, &ending);
            }
        }
        for (id, node) in writes.nodes.into_iter().chain(writes.replaced) {
            if let Some(row) = self.executions.get_mut(&id) {
                row.nodes.insert(node.seq, KnownNode::of(node));
                row.execution.node_executions.retain(|other| other.seq != node.seq);
                row.execution.node_executions.push(node.clone().into_execution());
                row.execution.node_executions.sort_by_key(|node| node.seq);
            }
        }
        for (id, at) in writes.cancels {
            if let Some(row) = self.executions.get_mut(&id) {
                row.execution.cancel_requested = true;
                row.execution.updated_at = at;
            }
        }
        for (key, change) in writes.changes {
            self.recorded.entry(key).or_default().merge(&change);
        }
        Ok(())
    }

    /// Removes an execution that ended. False when there is none.
    fn remove(&mut self, id: ExecutionId) -> bool {
        let Some(row) = self.executions.get(&id).filter(|row| row.execution.summary.status.is_final()) else {
            return false;
        };
        let (flow, summary) = (row.flow_id, &row.execution.summary);
        let change = change_of(&mut self.removed, flow, summary.started_at);
        row.count_in(&mut change.tally);
        self.executions.remove(&id);
        true
    }

    /// The summary as it is today: with the user's name, and without the flow once it is deleted.
    pub(super) fn summary(&self, row: &Row) -> ExecutionSummary {
        let kept = &row.execution.summary;
        let alive = self.flows.get(&row.flow_id).is_some_and(|flow| flow.deleted_at.is_none());
        ExecutionSummary {
            flow_id: alive.then_some(row.flow_id),
            user_name: kept.user_id.and_then(|id| self.users.get(&id)).map(|user| user.name.clone()),
            ..kept.clone()
        }
    }

    /// When the executions began that began in the hours of a query.
    fn starts(&self, query: &StatsQuery) -> Vec<OffsetDateTime> {
        let (from, to) = query.hours();
        let is_wanted = |row: &&Row| {
            let at = row.execution.summary.started_at;
            let in_scope = match &query.scope {
                StatsScope::All => true,
                StatsScope::Flows(flows) => flows.contains(&row.flow_id),
            };
            in_scope && from.is_none_or(|from| at >= from) && to.is_none_or(|to| at < to)
        };
        self.executions.values().filter(is_wanted).map(|row| row.execution.summary.started_at).collect()
    }

    fn pending(&self, limit: usize, wanted: impl Fn(&Row) -> bool) -> impl Iterator<Item = &Row> {
        let is_pending = |row: &&Row| row.execution.summary.status == ExecutionStatus::Pending;
        self.executions.values().filter(is_pending).filter(move |row| wanted(row)).take(limit)
    }
}

fn id_of(row: &Row) -> ExecutionId {
    row.execution.summary.id
}

fn pending(row: &Row) -> PendingExecution {
    let summary = &row.execution.summary;
    PendingExecution {
        id: summary.id,
        deadline_at: row.deadline_at,
        lease: summary.lease,
        source: summary.source,
    }
}

fn known(row: &Row) -> Known {
    let summary = &row.execution.summary;
    Known {
        flow_id: row.flow_id,
        status: summary.status,
        inferred: summary.inferred,
        started_at: summary.started_at,
        ended_at: summary.ended_at,
        digest: row.digest,
        end_digest: row.end_digest,
        cancel_requested: row.execution.cancel_requested,
        is_unowned: summary.instance_id.is_none(),
        deadline_at: row.deadline_at,
    }
}

fn row(insert: &Insert<'_>) -> Result<Row, StoreError> {
    let start = insert.start;
    let mut row = Row {
        execution: Execution {
            summary: ExecutionSummary {
                id: start.id,
                flow_id: Some(start.flow_id),
                flow_name: start.flow_name.clone(),
                flow_tool_name: start.flow_tool_name.clone(),
                flow_version: start.flow_version,
                user_id: start.user_id,
                user_name: None,
                status: ExecutionStatus::Pending,
                inferred: false,
                source: start.source,
                started_at: start.started_at,
                ended_at: None,
                duration_ms: None,
                initial_params_preview: start.preview.clone(),
                error: None,
                guarding_flow_id: start.flow_id,
                capture_policy: start.capture_policy,
                instance_id: start.instance_id,
                lease: start.lease,
            },
            initial_params: start.params.clone(),
            outputs: None,
            node_executions: Vec::new(),
            error_info: None,
            meta: start.meta.clone(),
            tags: start.tags.clone(),
            parent_execution_id: start.parent_id,
            replay_of: start.replay_of,
            cancel_requested: insert.cancel_requested,
            capture: start.capture.clone(),
            created_at: start.recorded_at,
            updated_at: insert.updated_at,
        },
        flow_id: start.flow_id,
        imported_at: start.import.map(|import| import.at),
        deadline_at: start.deadline_at,
        digest: start.digest,
        end_digest: None,
        nodes: BTreeMap::new(),
        waiting: Vec::new(),
        bytes: insert.packed.map_or(0, fold::size_of),
        is_rejected: start.is_rejected,
    };
    if let Some(ending) = &insert.end {
        end(&mut row, ending);
    }
    if let Some(packed) = insert.packed {
        let data = packed.unpack().map_err(|error| StoreError::Internal {
            reason: "packed data cannot be read".to_owned(),
            source: Some(Box::new(error)),
        })?;
        let execution = &mut row.execution;
        (execution.initial_params, execution.meta, execution.outputs) =
            (data.params, data.meta, data.outputs);
        execution.capture = data.start_capture.into_iter().chain(data.end_capture).collect();
        execution.node_executions = data.nodes.into_iter().map(NewNode::into_execution).collect();
        row.nodes = execution.node_executions.iter().map(|node| (node.seq, NOT_KEPT)).collect();
    }
    Ok(row)
}

fn end(row: &mut Row, ending: &Ending<'_>) {
    let Ending { end, ended_at, duration_us } = ending;
    let execution = &mut row.execution;
    let error = end.outcome.error();
    execution.summary.status = end.outcome.status();
    execution.summary.inferred = end.told == Told::Inferred;
    execution.summary.ended_at = Some(*ended_at);
    execution.summary.duration_ms = Some(duration_us / 1_000);
    execution.summary.error = error.map(flowtrail_types::ErrorInfo::summary);
    execution.error_info = error.cloned();
    execution.outputs.clone_from(&end.outputs);
    if end.meta.is_some() {
        execution.meta.clone_from(&end.meta);
    }
    execution.capture.remove("outputs");
    execution.capture.extend(end.capture.clone());
    execution.updated_at = end.recorded_at;
    row.end_digest = Some(end.digest);
}

/// A node whose digest was not kept.
const NOT_KEPT: KnownNode =
    KnownNode { digest: flowtrail_types::Digest::from_bytes([0; 16]), is_pending: false };
