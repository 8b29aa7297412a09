//! `POST /api/flows/import`: makes the flows of a flow file, all or none.

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::blocking::blocking;
use crate::body::Body;
use crate::query::Query;
use crate::{ApiError, App, Caller, ErrorCode};

pub(super) async fn handle(
    app: web::Data<App>,
    Caller(principal): Caller,
    query: Query,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    query.only(&[])?;
    let tracker = app.tracker().clone();
    let flows = blocking(move || -> Result<_, ApiError> {
        let invalid = |problems| ApiError::problems(ErrorCode::InvalidFlow, problems);
        let drafts = flowtrail_runner::parse_flow_file(&body.0).map_err(invalid)?;
        Ok(tracker.create_flows(&principal, drafts)?)
    })
    .await?;
    Ok(HttpResponse::Created().json(json!({ "items": flows })))
}
