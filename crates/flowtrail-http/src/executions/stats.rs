//! Statistics and time series, of a flow and of all flows.

use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_tracker::StatsRange;
use flowtrail_types::{Counting, Step};
use serde_json::json;

use super::scope;
use crate::answers::answer;
use crate::blocking::Pace;
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
    answer(&app, &request, principal, Pace::Quick, move |tracker, principal| {
        tracker.statistics(principal, flow, range)
    })
    .await
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
    answer(&app, &request, principal, Pace::Quick, move |tracker, principal| {
        let points = tracker.time_series(principal, flow, range, step)?;
        Ok(json!({"step": step, "points": points}))
    })
    .await
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
