//! `GET /api/flows/{flowId}`: a flow with its graph.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::view::{flow_id, flow_response};
use crate::blocking::blocking;
use crate::query::Query;
use crate::{ApiError, App, Caller};

pub(super) async fn handle(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    query.only(&[])?;
    let id = flow_id(&request)?;
    let tracker = app.tracker().clone();
    let flow = blocking(move || tracker.flow(&principal, id)).await?;
    Ok(flow_response(StatusCode::OK, &flow))
}
