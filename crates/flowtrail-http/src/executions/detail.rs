//! `GET /api/executions/{executionId}`, also below its flow: an execution with all its data.

use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_tracker::{ExecutionAct, Tracker};
use flowtrail_types::{Execution, ExecutionId, Principal, read_json_value};
use serde_json::Value;

use super::{path_id, scope};
use crate::allowed::Told;
use crate::blocking::blocking;
use crate::memory::{Holder, Reserved};
use crate::operate::tagged_within;
use crate::query::Query;
use crate::{ApiError, App, Caller, ErrorCode};

pub(super) async fn handle(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let flow = scope(&request)?;
    let id = path_id(&request, "execution_id", "execution")?;
    query.only(&["data", "nodes", "allowed"])?;
    let has_nodes = match query.text("nodes") {
        None | Some("all") => true,
        Some("none") => false,
        Some(other) => {
            return Err(ApiError::invalid("nodes", format!("expected all or none, got {other:?}")));
        }
    };
    let is_told = query.flag("allowed")?.unwrap_or(false);
    let left_out: Option<(&[&str], &[&str])> = match query.text("data") {
        None | Some("all") => None,
        Some("own") => Some((&[], OF_NODE)),
        Some("none") => Some((OF_EXECUTION, OF_NODE)),
        Some(other) => {
            return Err(ApiError::invalid("data", format!("expected all, own or none, got {other:?}")));
        }
    };
    let tracker = app.tracker().clone();
    let mut reserved = app.memory().reservation(Holder::from(&principal));
    let (execution, allowed, reserved) = blocking(move || {
        let execution = if has_nodes {
            reserve(&tracker, &principal, id, &mut reserved)?;
            tracker.execution(&principal, id)?
        } else {
            if tracker.data_size(&principal, id)?.is_one_piece {
                reserve(&tracker, &principal, id, &mut reserved)?;
            }
            tracker.execution_without_nodes(&principal, id)?
        };
        let allowed = is_told.then(|| tracker.allowed_with_execution(&principal, &execution)).transpose()?;
        Ok::<_, ApiError>((execution, allowed, reserved))
    })
    .await?;
    if flow.is_some_and(|flow| flow != execution.summary.guarding_flow_id) {
        return Err(ApiError::new(ErrorCode::NotFound, "there is no such execution of this flow"));
    }
    let allowed = allowed.map(|acts| acts.into_iter().map(ExecutionAct::as_str).collect());
    let left_out = left_out.or((!has_nodes).then_some((&[], &[])));
    match left_out {
        Some((of_execution, of_node)) => {
            let of = without(execution, of_execution, of_node, has_nodes)?;
            tagged_within(&request, &Told { of: &of, allowed }, reserved)
        }
        None => tagged_within(&request, &Told { of: &execution, allowed }, reserved),
    }
}

/// Memory of an execution that is read and written as an answer, in bytes for each byte of its data.
pub(super) const WEIGHT: usize = 4;

/// Reserves the memory for an execution with all its data.
fn reserve(
    tracker: &Tracker,
    principal: &Principal,
    id: ExecutionId,
    reserved: &mut Reserved,
) -> Result<(), ApiError> {
    let size = tracker.data_size(principal, id)?;
    reserved.try_grow(size.bytes.saturating_mul(WEIGHT)).map_err(|error| {
        if error.code() != ErrorCode::TooLarge {
            return error;
        }
        let message = format!(
            "the execution has {} MiB of data, which is more than one answer may have: read its nodes page by page at \
             /api/executions/{id}/nodes, and the rest with ?nodes=none",
            size.bytes >> 20
        );
        ApiError::new(ErrorCode::TooLarge, message)
    })
}

/// The payloads of an execution, and of each of its nodes.
const OF_EXECUTION: &[&str] = &["initialParams", "outputs", "meta"];
const OF_NODE: &[&str] = &["inputData", "outputData"];

/// The execution without some payloads: their fields are not there at all, since null would say that there was nothing.
fn without(
    mut execution: Execution,
    of_execution: &[&str],
    of_node: &[&str],
    has_nodes: bool,
) -> Result<Value, ApiError> {
    if !has_nodes {
        execution.node_executions = Vec::new();
    }
    if !of_execution.is_empty() {
        (execution.initial_params, execution.outputs, execution.meta) = (None, None, None);
    }
    for node in execution.node_executions.iter_mut().filter(|_| !of_node.is_empty()) {
        (node.input_data, node.output_data) = (None, None);
    }
    // By way of its text, in which numbers stand as they were sent.
    let text = serde_json::to_vec(&execution).map_err(ApiError::internal)?;
    let mut value = read_json_value(&text).map_err(ApiError::internal)?;
    let strip = |value: &mut Value, names: &[&str]| {
        if let Value::Object(object) = value {
            object.retain(|name, _| !names.contains(&name.as_str()));
        }
    };
    strip(&mut value, of_execution);
    if !has_nodes {
        strip(&mut value, &["nodeExecutions"]);
    }
    if let Some(Value::Array(nodes)) = value.get_mut("nodeExecutions") {
        nodes.iter_mut().for_each(|node| strip(node, of_node));
    }
    Ok(value)
}
