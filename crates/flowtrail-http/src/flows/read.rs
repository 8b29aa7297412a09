//! `GET /api/flows/{flowId}`: a flow with its graph.

use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_tracker::FlowAct;

use super::view::flow_id;
use crate::allowed::Told;
use crate::blocking::blocking;
use crate::query::Query;
use crate::{ApiError, App, Caller};

pub(super) async fn handle(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    query.only(&["allowed"])?;
    let id = flow_id(&request)?;
    let is_told = query.flag("allowed")?.unwrap_or(false);
    let tracker = app.tracker().clone();
    let (flow, allowed) = blocking(move || {
        let flow = tracker.flow(&principal, id)?;
        let allowed = is_told.then(|| tracker.allowed_with_flow(&principal, &flow));
        Ok::<_, ApiError>((flow, allowed))
    })
    .await?;
    let allowed = allowed.map(|acts| acts.into_iter().map(FlowAct::as_str).collect());
    Ok(HttpResponse::Ok().json(Told { of: &*flow, allowed }))
}
