//! Deleting: one execution, or all that have ended.

use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_tracker::{Keep, TrackerError};
use flowtrail_types::{ExecutionId, FlowId};

use super::error::Detail;
use super::{Asking, Worded, path_id};
use crate::blocking::blocking;
use crate::{ApiError, App, Caller};

pub(super) async fn one(
    app: web::Data<App>,
    request: HttpRequest,
    Worded(Caller(principal)): Asking,
) -> Result<HttpResponse, Detail> {
    let flow: FlowId = path_id(&request, "flow_id")?;
    let id = path_id::<ExecutionId>(&request, "execution_id");
    let tracker = app.tracker().clone();
    blocking(move || -> Result<(), ApiError> {
        tracker.known_flow(&principal, flow)?;
        let id = id.map_err(|_| TrackerError::NotFound("execution"))?;
        let execution = tracker.execution_summary(&principal, id)?;
        if execution.guarding_flow_id != flow || !execution.status.is_final() {
            return Err(TrackerError::NotFound("execution").into());
        }
        Ok(tracker.delete_execution(&principal, id)?)
    })
    .await?;
    Ok(HttpResponse::Ok().json(true))
}

pub(super) async fn all(
    app: web::Data<App>,
    request: HttpRequest,
    Worded(Caller(principal)): Asking,
) -> Result<HttpResponse, Detail> {
    let flow: FlowId = path_id(&request, "flow_id")?;
    let tracker = app.tracker().clone();
    blocking(move || {
        tracker.known_flow(&principal, flow)?;
        tracker.prune(&principal, flow, Keep::Newest(0))
    })
    .await?;
    Ok(HttpResponse::Ok().json(true))
}
