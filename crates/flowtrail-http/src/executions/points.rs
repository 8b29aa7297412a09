//! `GET /api/flows/{flowId}/executions/points`: executions as points of a plot.

use actix_web::{HttpRequest, HttpResponse, web};

use super::path_id;
use crate::blocking::blocking;
use crate::query::Query;
use crate::{ApiError, App, Caller};

pub(super) async fn handle(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let flow = path_id(&request, "flow_id", "flow")?;
    query.only(&["from", "to"])?;
    let (from, to) = (query.time("from")?, query.time("to")?);
    let tracker = app.tracker().clone();
    let points = blocking(move || tracker.points(&principal, flow, from, to)).await?;
    Ok(HttpResponse::Ok().json(points))
}
