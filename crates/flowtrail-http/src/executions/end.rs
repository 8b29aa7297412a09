//! `PATCH /api/executions/{executionId}`: ends an execution that runs elsewhere.

use actix_web::{HttpRequest, HttpResponse, web};

use super::path_id;
use super::report::read_reported_end;
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
    let id = path_id(&request, "execution_id", "execution")?;
    query.only(&[])?;
    let tracker = app.tracker().clone();
    let submitted = {
        let (tracker, principal) = (tracker.clone(), principal.clone());
        blocking(move || -> Result<_, ApiError> {
            let json = body.read()?;
            Ok(tracker.end(&principal, id, &read_reported_end(&json)?)?)
        })
        .await?
    };
    submitted.await?;
    let execution = blocking(move || tracker.execution(&principal, id)).await?;
    Ok(HttpResponse::Ok().json(execution))
}
