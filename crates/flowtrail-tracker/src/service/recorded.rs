//! What was recorded just now, as it is read back: whoever told of it is answered without a look into the database.

use flowtrail_store::{Applied, NewEnd, NewExecution, NewNode};
use flowtrail_types::lifecycle::{self, Told};
use flowtrail_types::{ErrorInfo, Execution, ExecutionId, ExecutionSummary, Principal, timestamp};

/// What became of a record.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The execution's id.
    pub id: ExecutionId,
    /// Whether it is new.
    pub applied: Applied,
    /// The execution as it is read back, where it is new.
    pub execution: Option<Box<Execution>>,
}

/// An execution that is recorded as a whole, as it is read back; but for the time at which it is.
pub(super) fn as_read(
    principal: &Principal,
    start: &NewExecution,
    nodes: &[NewNode],
    end: &NewEnd,
) -> Execution {
    let error = end.outcome.error();
    let ended_at = lifecycle::ended_at(start.started_at, end.ended_at);
    let took = timestamp::unix_micros(ended_at) - timestamp::unix_micros(start.started_at);
    let mut nodes: Vec<_> = nodes.iter().cloned().map(NewNode::into_execution).collect();
    nodes.sort_by_key(|node| node.seq);
    nodes.dedup_by_key(|node| node.seq);
    Execution {
        summary: ExecutionSummary {
            id: start.id,
            flow_id: Some(start.flow_id),
            flow_name: start.flow_name.clone(),
            flow_tool_name: start.flow_tool_name.clone(),
            flow_version: start.flow_version,
            user_id: start.user_id,
            user_name: Some(principal.name.clone()),
            status: end.outcome.status(),
            inferred: end.told == Told::Inferred,
            source: start.source,
            started_at: start.started_at,
            ended_at: Some(ended_at),
            duration_ms: Some(took / 1_000),
            initial_params_preview: start.preview.clone(),
            error: error.map(ErrorInfo::summary),
            guarding_flow_id: start.flow_id,
            capture_policy: start.capture_policy,
            instance_id: start.instance_id,
            lease: start.lease,
        },
        initial_params: start.params.clone(),
        outputs: end.outputs.clone(),
        node_executions: nodes,
        error_info: error.cloned(),
        meta: start.meta.clone(),
        tags: start.tags.clone(),
        parent_execution_id: start.parent_id,
        replay_of: start.replay_of,
        cancel_requested: false,
        capture: start.capture.iter().chain(&end.capture).map(|(name, mark)| (name.clone(), *mark)).collect(),
        created_at: start.recorded_at,
        updated_at: end.recorded_at,
    }
}
