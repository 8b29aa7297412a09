//! What differs between a record that comes in and the one that stands under its id.
//!
//! Sameness is decided by hashes; this only says, to who has already been refused, where to look.

use flowtrail_store::{NewEnd, NewExecution, NewNode};
use flowtrail_types::{Execution, NodeExecution};
use time::OffsetDateTime;

use super::FinishedNode;

/// The name of a field whose content differs, such as `initialParams` or `nodeExecutions[seq 3].outputData`.
pub type Difference = String;

/// What differs of a start. When it began is compared only if it was told.
pub(super) fn of_start(
    stored: &Execution,
    new: &NewExecution,
    started_at: Option<OffsetDateTime>,
) -> Vec<Difference> {
    let summary = &stored.summary;
    let differs = [
        ("flowId", summary.guarding_flow_id != new.flow_id),
        ("userId", summary.user_id != new.user_id),
        ("source", summary.source != new.source),
        ("startedAt", started_at.is_some_and(|told| told != summary.started_at)),
        ("initialParams", stored.initial_params != new.params),
        ("meta", stored.meta != new.meta),
        ("tags", stored.tags != new.tags),
        ("parentExecutionId", stored.parent_execution_id != new.parent_id),
        ("replayOf", stored.replay_of != new.replay_of),
    ];
    named(&differs)
}

/// What differs of an end.
pub(super) fn of_end(stored: &Execution, new: &NewEnd, ended_at: Option<OffsetDateTime>) -> Vec<Difference> {
    let summary = &stored.summary;
    let differs = [
        ("status", summary.status != new.outcome.status()),
        ("endedAt", ended_at.is_some_and(|told| Some(told.max(summary.started_at)) != summary.ended_at)),
        ("outputs", stored.outputs != new.outputs),
        ("errorInfo", stored.error_info.as_ref() != new.outcome.error()),
    ];
    named(&differs)
}

/// What differs of the nodes. When each began is compared only if it was told.
pub(super) fn of_nodes(
    stored: &[NodeExecution],
    told: &[FinishedNode<'_>],
    new: Vec<NewNode>,
) -> Vec<Difference> {
    let new: Vec<NodeExecution> = new.into_iter().map(NewNode::into_execution).collect();
    let mut found = Vec::new();
    for (node, told) in new.iter().zip(told) {
        let Some(there) = stored.iter().find(|there| there.seq == node.seq) else {
            found.push(format!("nodeExecutions[seq {}], which is not there", node.seq));
            continue;
        };
        let differs = [
            ("nodeId", there.node_id != node.node_id),
            ("nodeName", there.node_name != node.node_name),
            ("nodeType", there.node_type != node.node_type),
            ("status", there.status != node.status),
            ("executedAt", told.executed_at.is_some() && told.executed_at != there.executed_at),
            ("executionTimeMs", there.duration_us != node.duration_us),
            ("inputData", there.input_data != node.input_data),
            ("outputData", there.output_data != node.output_data),
            ("error", there.error != node.error),
            ("errorKind", there.error_kind != node.error_kind),
            ("parentSeq", there.parent_seq != node.parent_seq),
            ("iteration", there.iteration != node.iteration),
            ("attempt", there.attempt != node.attempt),
        ];
        found.extend(
            named(&differs).into_iter().map(|name| format!("nodeExecutions[seq {}].{name}", node.seq)),
        );
    }
    let missing = stored.iter().filter(|there| !new.iter().any(|node| node.seq == there.seq));
    found.extend(missing.map(|there| format!("nodeExecutions[seq {}], which is left out", there.seq)));
    found
}

fn named(differs: &[(&str, bool)]) -> Vec<Difference> {
    differs.iter().filter(|(_, differs)| *differs).map(|(name, _)| (*name).to_owned()).collect()
}
