//! Executions in memory.

use std::collections::BTreeMap;

use flowtrail_types::lifecycle::Told;
use flowtrail_types::{
    Execution, ExecutionId, ExecutionQuery, ExecutionStatus, ExecutionSummary, FlowId, InstanceId,
    NodeExecution, Visibility,
};
use time::OffsetDateTime;

use super::{MemoryStore, Row, State};
use crate::fold::{self, Ending, Insert, Knowledge, Known, Writes};
use crate::{Applied, Command, ExecutionStore, NewNode, Refusal, StatusCounts, StoreError};

impl ExecutionStore for MemoryStore {
    fn commit(&self, batch: &[Command]) -> Result<Vec<Result<Applied, Refusal>>, StoreError> {
        let mut state = self.lock();
        let (writes, outcomes) = fold::fold(batch, state.knowledge(batch));
        state.write(writes);
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

    fn list(&self, query: &ExecutionQuery) -> Result<Vec<ExecutionSummary>, StoreError> {
        let state = self.lock();
        let mut found: Vec<&Row> = state.executions.values().filter(|row| matches(row, query)).collect();
        found.sort_by_key(|row| std::cmp::Reverse(place(row)));
        let skipped = match &query.after {
            Some(cursor) => {
                let end = (cursor.started_at, cursor.id);
                found.iter().take_while(|row| place(row) >= end).count()
            }
            None => usize::try_from(query.offset).unwrap_or(usize::MAX),
        };
        let limit = query.limit as usize;
        Ok(found.into_iter().skip(skipped).take(limit).map(|row| state.summary(row)).collect())
    }

    fn count(&self, query: &ExecutionQuery, bound: u64) -> Result<u64, StoreError> {
        let state = self.lock();
        let found = state.executions.values().filter(|row| matches(row, query)).count() as u64;
        Ok(found.min(bound))
    }

    fn status_counts(&self, flow: Option<FlowId>) -> Result<StatusCounts, StoreError> {
        let state = self.lock();
        let mut sum = fold::CountsDelta::default();
        match flow {
            Some(flow) => sum = state.counts.get(&flow).copied().unwrap_or_default(),
            None => state.counts.values().for_each(|counts| sum.merge(counts)),
        }
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        Ok(StatusCounts {
            pending: count(sum.pending),
            fulfilled: count(sum.fulfilled),
            error: count(sum.error),
            aborted: count(sum.aborted),
        })
    }

    fn list_pending(&self, instance: InstanceId, limit: u32) -> Result<Vec<ExecutionId>, StoreError> {
        Ok(self.lock().pending(limit as usize, |row| row.execution.instance_id == Some(instance)))
    }

    fn list_overdue(&self, now: OffsetDateTime, limit: u32) -> Result<Vec<ExecutionId>, StoreError> {
        Ok(self.lock().pending(limit as usize, |row| row.deadline_at <= now))
    }

    fn list_cancel_requested(&self, instance: InstanceId) -> Result<Vec<ExecutionId>, StoreError> {
        Ok(self.lock().pending(usize::MAX, |row| {
            row.execution.cancel_requested && row.execution.instance_id == Some(instance)
        }))
    }
}

fn place(row: &Row) -> (OffsetDateTime, ExecutionId) {
    (row.execution.summary.started_at, row.execution.summary.id)
}

fn matches(row: &Row, query: &ExecutionQuery) -> bool {
    let summary = &row.execution.summary;
    let filter = &query.filter;
    let visible = match &query.visibility {
        Visibility::All => true,
        Visibility::Limited { flows, user, own_in } => {
            flows.contains(&row.flow_id) || (own_in.contains(&row.flow_id) && summary.user_id == Some(*user))
        }
    };
    visible
        && filter.flow.is_none_or(|flow| row.flow_id == flow)
        && filter.status.is_none_or(|status| summary.status == status)
        && filter.source.is_none_or(|source| summary.source == source)
        && filter.user.is_none_or(|user| summary.user_id == Some(user))
        && filter.from.is_none_or(|from| summary.started_at >= from)
        && filter.to.is_none_or(|to| summary.started_at < to)
        && query.as_of.is_none_or(|as_of| row.execution.created_at <= as_of)
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
            let digest = self.executions.get(&id).and_then(|row| row.node_digests.get(&seq));
            if let Some(digest) = digest {
                knowledge.nodes.insert((id, seq), *digest);
            }
        }
        knowledge
    }

    fn write(&mut self, writes: Writes<'_>) {
        for insert in writes.inserts {
            self.executions.insert(insert.start.id, row(&insert));
        }
        for (id, ending) in writes.ends {
            if let Some(row) = self.executions.get_mut(&id) {
                end(row, &ending);
            }
        }
        for (id, node) in writes.nodes {
            if let Some(row) = self.executions.get_mut(&id) {
                row.node_digests.insert(node.seq, node.digest);
                row.execution.node_executions.push(node_execution(node));
                row.execution.node_executions.sort_by_key(|node| node.seq);
            }
        }
        for (id, at) in writes.cancels {
            if let Some(row) = self.executions.get_mut(&id) {
                row.execution.cancel_requested = true;
                row.execution.updated_at = at;
            }
        }
        for (flow, delta) in writes.counts {
            self.counts.entry(flow).or_default().merge(&delta);
        }
    }

    /// The summary as it is today: with the user's name, and without the flow once it is deleted.
    fn summary(&self, row: &Row) -> ExecutionSummary {
        let kept = &row.execution.summary;
        let alive = self.flows.get(&row.flow_id).is_some_and(|flow| flow.deleted_at.is_none());
        ExecutionSummary {
            flow_id: alive.then_some(row.flow_id),
            user_name: kept.user_id.and_then(|id| self.users.get(&id)).map(|user| user.name.clone()),
            ..kept.clone()
        }
    }

    fn pending(&self, limit: usize, wanted: impl Fn(&Row) -> bool) -> Vec<ExecutionId> {
        self.executions
            .values()
            .filter(|row| row.execution.summary.status == ExecutionStatus::Pending && wanted(row))
            .map(|row| row.execution.summary.id)
            .take(limit)
            .collect()
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
    }
}

fn row(insert: &Insert<'_>) -> Row {
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
            capture_policy: start.capture_policy,
            instance_id: start.instance_id,
            created_at: start.recorded_at,
            updated_at: insert.updated_at,
        },
        flow_id: start.flow_id,
        deadline_at: start.deadline_at,
        digest: start.digest,
        end_digest: None,
        node_digests: BTreeMap::new(),
    };
    if let Some(ending) = &insert.end {
        end(&mut row, ending);
    }
    row
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
    execution.capture.remove("outputs");
    execution.capture.extend(end.capture.clone());
    execution.updated_at = end.recorded_at;
    row.end_digest = Some(end.digest);
}

fn node_execution(node: &NewNode) -> NodeExecution {
    NodeExecution {
        seq: node.seq,
        node_id: node.node_id.clone(),
        node_name: node.node_name.clone(),
        node_type: node.node_type.clone(),
        status: node.status,
        executed_at: node.executed_at,
        duration_us: node.duration_us,
        input_data: node.input.clone(),
        output_data: node.output.clone(),
        error: node.error.clone(),
        error_kind: node.error_kind,
        parent_seq: node.parent_seq,
        iteration: node.iteration,
        attempt: node.attempt,
        capture: node.capture.clone(),
    }
}
