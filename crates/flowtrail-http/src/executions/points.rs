//! `GET /api/flows/{flowId}/executions/points`: executions as points of a plot.

use actix_web::{HttpRequest, HttpResponse, web};

use super::path_id;
use crate::answers::answer;
use crate::blocking::Pace;
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
    answer(&app, &request, principal, Pace::Long, move |tracker, principal| {
        tracker.points(principal, flow, from, to)
    })
    .await
}
