//! Deleting: one execution, what a filter finds, and the older part of a flow's history.

use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_tracker::{Keep, Really};
use flowtrail_types::timestamp;
use serde_json::json;

use super::path_id;
use crate::blocking::{Pace, blocking, blocking_at};
use crate::body::Body;
use crate::fields::Fields;
use crate::query::Query;
use crate::{ApiError, App, Caller, ErrorCode};

/// `DELETE /api/flows/{flowId}/executions/{executionId}`.
pub(super) async fn one(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let flow = path_id(&request, "flow_id", "flow")?;
    let id = path_id(&request, "execution_id", "execution")?;
    query.only(&[])?;
    let tracker = app.tracker().clone();
    blocking(move || -> Result<(), ApiError> {
        if tracker.execution_summary(&principal, id)?.guarding_flow_id != flow {
            return Err(ApiError::new(ErrorCode::NotFound, "there is no such execution of this flow"));
        }
        Ok(tracker.delete_execution(&principal, id)?)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `DELETE /api/flows/{flowId}/executions`.
pub(super) async fn many(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let flow = path_id(&request, "flow_id", "flow")?;
    let filter = query.filter(&["dryRun"])?;
    let really = if query.flag("dryRun")? == Some(true) { Really::OnlyCount } else { Really::Delete };
    let tracker = app.tracker().clone();
    let deleted =
        blocking_at(Pace::Steps, move || tracker.delete_executions(&principal, flow, &filter, really))
            .await?;
    Ok(HttpResponse::Ok().json(json!({"deleted": deleted})))
}

/// `POST /api/flows/{flowId}/executions/prune`.
pub(super) async fn prune(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let flow = path_id(&request, "flow_id", "flow")?;
    query.only(&["dryRun"])?;
    let is_dry = query.flag("dryRun")? == Some(true);
    let value = body.json().await?;
    let fields = Fields::of_body(&value)?;
    fields.only(&["keep", "before"], &[])?;
    let keep = match (fields.number("keep", 0, i32::MAX)?, fields.time("before")?) {
        (Some(newest), None) => Keep::Newest(u64::try_from(newest).unwrap_or(0)),
        (None, Some(before)) => Keep::Since(before),
        (None, None) => {
            return Err(fields.invalid("keep", "expected how many of the newest executions are kept"));
        }
        (Some(_), Some(before)) => {
            let before = timestamp::format(before);
            return Err(
                fields.invalid("before", format!("expected either keep or before, got {before} as well"))
            );
        }
    };
    let tracker = app.tracker().clone();
    let deleted = blocking_at(Pace::Steps, move || match is_dry {
        true => tracker.count_prunable(&principal, flow, keep),
        false => tracker.prune(&principal, flow, keep),
    });
    Ok(HttpResponse::Ok().json(json!({"deleted": deleted.await?})))
}
