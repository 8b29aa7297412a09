//! `GET /api/flows/{flowId}/executions` and `GET /api/executions`: pages of executions, newest first.

use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_types::{FlowId, Principal};

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
    page(&app, principal, Some(flow), &query).await
}

pub(super) async fn all(
    app: web::Data<App>,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    page(&app, principal, None, &query).await
}

async fn page(
    app: &App,
    principal: Principal,
    flow: Option<FlowId>,
    query: &Query,
) -> Result<HttpResponse, ApiError> {
    let (mut filter, mut page) = query.executions()?;
    filter.flow = flow;
    query.after(&filter, &mut page)?;
    let tracker = app.tracker().clone();
    let found = blocking(move || tracker.executions(&principal, &filter, page)).await?;
    Ok(HttpResponse::Ok().json(found))
}
