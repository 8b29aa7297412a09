//! Statistics and time series, of a flow and of all flows.

use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_tracker::StatsRange;
use flowtrail_types::{Counting, Step};
use serde_json::json;

use super::scope;
use crate::blocking::blocking;
use crate::query::Query;
use crate::{ApiError, App, Caller};

pub(super) async fn figures(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let flow = scope(&request)?;
    query.only(&["from", "to", "counting"])?;
    let range = range(&query)?;
    let tracker = app.tracker().clone();
    let figures = blocking(move || tracker.statistics(&principal, flow, range)).await?;
    Ok(HttpResponse::Ok().json(figures))
}

pub(super) async fn series(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let flow = scope(&request)?;
    query.only(&["from", "to", "step", "counting"])?;
    let range = range(&query)?;
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
