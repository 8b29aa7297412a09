//! `GET /api/executions/{executionId}`, also below its flow: an execution with all its data.

use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_types::{ExecutionId, FlowId, Principal};

use super::path_id;
use crate::blocking::blocking;
use crate::{ApiError, App, Caller, ErrorCode};

pub(super) async fn of_flow(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
) -> Result<HttpResponse, ApiError> {
    let flow = path_id(&request, "flow_id", "flow")?;
    let id = path_id(&request, "execution_id", "execution")?;
    read(&app, principal, id, Some(flow)).await
}

pub(super) async fn by_id(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
) -> Result<HttpResponse, ApiError> {
    let id = path_id(&request, "execution_id", "execution")?;
    read(&app, principal, id, None).await
}

async fn read(
    app: &App,
    principal: Principal,
    id: ExecutionId,
    flow: Option<FlowId>,
) -> Result<HttpResponse, ApiError> {
    let tracker = app.tracker().clone();
    let execution = blocking(move || tracker.execution(&principal, id)).await?;
    if flow.is_some_and(|flow| flow != execution.summary.guarding_flow_id) {
        return Err(ApiError::new(ErrorCode::NotFound, "there is no such execution of this flow"));
    }
    Ok(HttpResponse::Ok().json(execution))
}
