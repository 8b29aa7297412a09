//! `DELETE /api/flows/{flowId}`: deletes a flow and keeps its history.

use actix_web::{HttpRequest, HttpResponse, web};

use super::view::flow_id;
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
    blocking(move || tracker.delete_flow(&principal, id)).await?;
    Ok(HttpResponse::NoContent().finish())
}
