//! Statistics and time series, of a flow and of all flows.

use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_tracker::StatsRange;
use flowtrail_types::{Counting, FlowId, Principal, Step};
use serde_json::json;

use super::path_id;
use crate::blocking::blocking;
use crate::query::Query;
use crate::{ApiError, App, Caller};

pub(super) async fn of_flow(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let flow = path_id(&request, "flow_id", "flow")?;
    figures(&app, principal, Some(flow), &query).await
}

pub(super) async fn of_all(
    app: web::Data<App>,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    figures(&app, principal, None, &query).await
}

pub(super) async fn series_of_flow(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let flow = path_id(&request, "flow_id", "flow")?;
    series(&app, principal, Some(flow), &query).await
}

pub(super) async fn series_of_all(
    app: web::Data<App>,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    series(&app, principal, None, &query).await
}

async fn figures(
    app: &App,
    principal: Principal,
    flow: Option<FlowId>,
    query: &Query,
) -> Result<HttpResponse, ApiError> {
    query.only(&["from", "to", "counting"])?;
    let range = range(query)?;
    let tracker = app.tracker().clone();
    let figures = blocking(move || tracker.statistics(&principal, flow, range)).await?;
    Ok(HttpResponse::Ok().json(figures))
}

async fn series(
    app: &App,
    principal: Principal,
    flow: Option<FlowId>,
    query: &Query,
) -> Result<HttpResponse, ApiError> {
    query.only(&["from", "to", "step", "counting"])?;
    let range = range(query)?;
    let step = match query.text("step") {
        None | Some("day") => Step::Day,
        Some("hour") => Step::Hour,
        Some(other) => return Err(ApiError::invalid("step", format!("expected hour or day, got {other:?}"))),
    };
    let tracker = app.tracker().clone();
    let points = blocking(move || tracker.time_series(&principal, flow, range, step)).await?;
    Ok(HttpResponse::Ok().json(json!({"step": step, "points": points})))
}

fn range(query: &Query) -> Result<StatsRange, ApiError> {
    let counting = match query.text("counting") {
        None | Some("stored") => Counting::Stored,
        Some("recorded") => Counting::Recorded,
        Some(other) => {
            return Err(ApiError::invalid("counting", format!("expected stored or recorded, got {other:?}")));
        }
    };
    Ok(StatsRange { from: query.time("from")?, to: query.time("to")?, counting })
}
