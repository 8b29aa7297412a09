//! Reading: pages by arrival, statistics, one execution.

use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_tracker::StatsRange;
use flowtrail_types::{ExecutionId, FlowId};
use serde_json::{Value, json};

use super::error::Detail;
use super::{Asking, Worded, path_id, shape};
use crate::blocking::blocking;
use crate::query::Query;
use crate::{ApiError, App, Caller, ErrorCode};

/// How many items a page has.
const PAGE: u32 = 60;

pub(super) async fn list(
    app: web::Data<App>,
    request: HttpRequest,
    Worded(Caller(principal)): Asking,
    Worded(query): Worded<Query>,
) -> Result<HttpResponse, Detail> {
    let flow: FlowId = path_id(&request, "flow_id")?;
    let page = query.page()?.page;
    let offset = u64::from(page - 1) * u64::from(PAGE);
    let tracker = app.tracker().clone();
    let found = blocking(move || {
        tracker.known_flow(&principal, flow)?;
        tracker.ended_executions(&principal, flow, offset, PAGE)
    })
    .await?;
    let items: Vec<Value> = found.iter().filter_map(|execution| shape::item(flow, execution)).collect();
    Ok(HttpResponse::Ok().json(items))
}

pub(super) async fn stats(
    app: web::Data<App>,
    request: HttpRequest,
    Worded(Caller(principal)): Asking,
) -> Result<HttpResponse, Detail> {
    let flow: FlowId = path_id(&request, "flow_id")?;
    let tracker = app.tracker().clone();
    let (figures, last) = blocking(move || {
        tracker.known_flow(&principal, flow)?;
        let figures = tracker.statistics(&principal, Some(flow), StatsRange::default())?;
        let last = tracker.ended_executions(&principal, flow, 0, 1)?;
        Ok::<_, flowtrail_tracker::TrackerError>((figures, last))
    })
    .await?;
    Ok(HttpResponse::Ok().json(json!({
        "total_executions": figures.total - figures.pending,
        "success_count": figures.fulfilled,
        "error_count": figures.error,
        "aborted_count": figures.aborted,
        "avg_execution_time": figures.avg_duration.unwrap_or(0.0),
        "last_execution_at": last.first().map(shape::arrived),
    })))
}

pub(super) async fn one(
    app: web::Data<App>,
    request: HttpRequest,
    Worded(Caller(principal)): Asking,
) -> Result<HttpResponse, Detail> {
    let flow: FlowId = path_id(&request, "flow_id")?;
    let tracker = app.tracker().clone();
    let id = path_id::<ExecutionId>(&request, "execution_id");
    let missing = || ApiError::new(ErrorCode::NotFound, "Execution not found");
    let execution = blocking(move || -> Result<_, ApiError> {
        tracker.known_flow(&principal, flow)?;
        let id = id.map_err(|_| missing())?;
        Ok(tracker.execution(&principal, id)?)
    })
    .await?;
    let whole = shape::whole(flow, &execution).filter(|_| execution.summary.guarding_flow_id == flow);
    Ok(HttpResponse::Ok().json(whole.ok_or_else(missing)?))
}
