//! `POST /api/executions/{executionId}/replay`: runs it again with the same parameters.

use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_runner::Call;
use flowtrail_types::{Execution, Source};
use serde_json::{Map, Value};

use super::path_id;
use crate::blocking::blocking;
use crate::query::Query;
use crate::{ApiError, App, Caller, ErrorCode};

pub(super) async fn handle(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let id = path_id(&request, "execution_id", "execution")?;
    query.only(&[])?;
    let tracker = app.tracker().clone();
    let (flow, params) = {
        let (tracker, principal) = (tracker.clone(), principal.clone());
        blocking(move || -> Result<_, ApiError> {
            let original = tracker.execution(&principal, id)?;
            let flow = tracker.flow(&principal, original.summary.guarding_flow_id)?;
            Ok((flow, params(&original)?))
        })
        .await?
    };
    let mut call = Call::new(principal.clone(), flow, params, Source::Replay);
    call.replay_of = Some(id);
    let running = app.runner().start(call).await?;
    let replay = running.id;
    let execution = blocking(move || tracker.execution(&principal, replay)).await?;
    Ok(HttpResponse::Accepted().json(execution))
}

/// What the original was given, if it was kept as it was.
fn params(original: &Execution) -> Result<Map<String, Value>, ApiError> {
    let incomplete = |why| {
        let message = format!("this execution cannot be run again: its parameters {why}");
        Err(ApiError::new(ErrorCode::Incomplete, message))
    };
    if let Some(mark) = original.capture.get("initialParams") {
        return incomplete(match (mark.captured, mark.truncated) {
            (false, _) => "were not kept",
            (true, true) => "were cut",
            (true, false) => "held a secret, which was taken out",
        });
    }
    match original.initial_params.as_ref().map(flowtrail_types::Payload::to_value) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(params)) => Ok(params),
        Some(_) => incomplete("are not an object"),
    }
}
