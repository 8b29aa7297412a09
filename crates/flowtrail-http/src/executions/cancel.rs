//! `POST /api/executions/{executionId}/cancel`: asks a running execution to stop.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::path_id;
use crate::blocking::blocking;
use crate::body::Body;
use crate::query::Query;
use crate::{ApiError, App, Caller};

pub(super) async fn handle(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    query.only(&[])?;
    body.object(&[]).await?;
    let id = path_id(&request, "execution_id", "execution")?;
    let tracker = app.tracker().clone();
    let asked = blocking(move || tracker.cancel(&principal, id)).await?;
    asked.await?;
    Ok(HttpResponse::Accepted().json(json!({"id": id, "cancelRequested": true})))
}
