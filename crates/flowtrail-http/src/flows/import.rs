//! `POST /api/flows/import`: makes the flows of a flow file, all or none. The file may be another system's; then the
//! answer has notes about what did not come over as it was.

use actix_web::{HttpResponse, web};
use flowtrail_runner::Imported;
use serde_json::json;

use crate::blocking::{Pace, blocking_at};
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
    let (tracker, runner) = (app.tracker().clone(), app.runner().clone());
    let (flows, notes) = blocking_at(Pace::Steps, move || -> Result<_, ApiError> {
        let invalid = |problems| ApiError::problems(ErrorCode::InvalidFlow, problems);
        let Imported { drafts, notes } = runner.import_flow_file(&principal, &body.bytes).map_err(invalid)?;
        Ok((tracker.create_flows(&principal, drafts)?, notes))
    })
    .await?;
    let mut answer = json!({ "items": flows });
    if !notes.is_empty() {
        answer["notes"] = json!(notes);
    }
    Ok(HttpResponse::Created().json(answer))
}
