//! `POST /api/executions/{executionId}/nodes`: appends node executions to an execution that runs elsewhere.

use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_tracker::{Applied, TrackerError};
use serde_json::json;

use super::path_id;
use super::report::{conflict, read_nodes};
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
    let (submitted, json) = {
        let (tracker, principal) = (tracker.clone(), principal.clone());
        blocking(move || -> Result<_, ApiError> {
            let json = body.read()?;
            let submitted = tracker.append(&principal, id, &read_nodes(&json)?)?;
            Ok((submitted, json))
        })
        .await?
    };
    match submitted.await {
        Ok(applied) => {
            let status = if applied == Applied::Already { "exists" } else { "created" };
            Ok(HttpResponse::Ok().json(json!({"id": id, "status": status})))
        }
        Err(TrackerError::Conflict { what }) => {
            let differences = blocking(move || -> Result<_, ApiError> {
                Ok(tracker.node_differences(&principal, id, &read_nodes(&json)?)?)
            });
            Err(conflict(&what, differences.await?))
        }
        Err(error) => Err(error.into()),
    }
}
