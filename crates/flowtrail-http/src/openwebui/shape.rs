//! Executions in this dialect's words.

use flowtrail_types::{
    Execution, ExecutionStatus, ExecutionSummary, FlowId, NodeExecution, Payload, json_object,
};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

/// Under this name in the meta stands which of the two objects were there and empty: without a node nothing else tells an
/// empty object from none.
pub(super) const EMPTY: &str = "openWebUiEmpty";

/// Under this name in the meta stand the errors that are no texts, by node. Of those the node executions have the messages.
pub(super) const OWN_ERRORS: &str = "openWebUiErrors";

/// The word for a status; none for one that is pending, which this dialect does not know.
fn status(status: ExecutionStatus) -> Option<&'static str> {
    match status {
        ExecutionStatus::Pending => None,
        ExecutionStatus::Fulfilled => Some("success"),
        ExecutionStatus::Error => Some("error"),
        ExecutionStatus::Aborted => Some("aborted"),
    }
}

/// When it arrived, in seconds since 1970: it ended then.
pub(super) fn arrived(execution: &ExecutionSummary) -> i64 {
    execution.ended_at.map_or(0, OffsetDateTime::unix_timestamp)
}

/// What a list shows.
pub(super) fn item(flow: FlowId, execution: &ExecutionSummary) -> Option<Value> {
    Some(json!({
        "id": execution.id,
        "flow_id": flow,
        "status": status(execution.status)?,
        "execution_time": execution.duration_ms,
        "created_at": arrived(execution),
    }))
}

/// All of an execution.
pub(super) fn whole(flow: FlowId, execution: &Execution) -> Option<Value> {
    let summary = &execution.summary;
    let value = |payload: &Option<Payload>| payload.as_ref().map_or(Value::Null, Payload::to_value);
    let meta = match value(&execution.meta) {
        Value::Object(meta) => meta,
        _ => Map::new(),
    };
    let was_empty = |name: &str| {
        meta.get(EMPTY).and_then(Value::as_array).is_some_and(|names| names.iter().any(|known| known == name))
    };
    let object = |found: Map<String, Value>, name: &str| match found.is_empty() && !was_empty(name) {
        true => Value::Null,
        false => Value::Object(found),
    };
    let is_shown = |name: &str| name != EMPTY && name != OWN_ERRORS;
    let shown: Map<String, Value> = meta.clone().into_iter().filter(|(name, _)| is_shown(name)).collect();
    let mut errors = by_node(execution, |node| node.error.clone().map(Value::String));
    for (node, error) in meta.get(OWN_ERRORS).and_then(Value::as_object).into_iter().flatten() {
        // Of a node that is not shown nothing is.
        errors.entry(node).and_modify(|shown| shown.clone_from(error));
    }
    let results = by_node(execution, |node| node.output_data.as_ref().map(Payload::to_value));
    Some(json_object([
        ("id", json!(summary.id)),
        ("flow_id", json!(flow)),
        ("user_id", json!(summary.user_id)),
        ("status", status(summary.status)?.into()),
        ("inputs", value(&execution.initial_params)),
        ("outputs", value(&execution.outputs)),
        ("node_results", object(results, "node_results")),
        ("errors", object(errors, "errors")),
        ("execution_time", json!(summary.duration_ms)),
        ("created_at", arrived(summary).into()),
        ("meta", Value::Object(shown)),
    ]))
}

/// Something of each node; of one that ran more than once, of the last time.
fn by_node(execution: &Execution, of: impl Fn(&NodeExecution) -> Option<Value>) -> Map<String, Value> {
    let mut found = Map::new();
    for node in &execution.node_executions {
        match of(node) {
            Some(value) => drop(found.insert(node.node_id.clone(), value)),
            None => drop(found.shift_remove(&node.node_id)),
        }
    }
    found
}
