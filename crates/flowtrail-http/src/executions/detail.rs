//! `GET /api/executions/{executionId}`, also below its flow: an execution with all its data.

use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_types::Execution;
use serde_json::Value;

use super::{path_id, scope};
use crate::blocking::blocking;
use crate::operate::tagged;
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
    query.only(&["data"])?;
    let has_data = match query.text("data") {
        None | Some("all") => true,
        Some("none") => false,
        Some(other) => return Err(ApiError::invalid("data", format!("expected all or none, got {other:?}"))),
    };
    let tracker = app.tracker().clone();
    let execution = blocking(move || tracker.execution(&principal, id)).await?;
    if flow.is_some_and(|flow| flow != execution.summary.guarding_flow_id) {
        return Err(ApiError::new(ErrorCode::NotFound, "there is no such execution of this flow"));
    }
    if has_data { tagged(&request, &execution) } else { tagged(&request, &without_data(execution)?) }
}

/// The execution without its payloads: their fields are not there at all, since null would say that there was nothing.
fn without_data(mut execution: Execution) -> Result<Value, ApiError> {
    const OF_EXECUTION: &[&str] = &["initialParams", "outputs", "meta"];
    const OF_NODE: &[&str] = &["inputData", "outputData"];
    (execution.initial_params, execution.outputs, execution.meta) = (None, None, None);
    for node in &mut execution.node_executions {
        (node.input_data, node.output_data) = (None, None);
    }
    let mut value = serde_json::to_value(execution).map_err(ApiError::internal)?;
    let strip = |value: &mut Value, names: &[&str]| {
        if let Value::Object(object) = value {
            object.retain(|name, _| !names.contains(&name.as_str()));
        }
    };
    strip(&mut value, OF_EXECUTION);
    if let Some(Value::Array(nodes)) = value.get_mut("nodeExecutions") {
        nodes.iter_mut().for_each(|node| strip(node, OF_NODE));
    }
    Ok(value)
}
