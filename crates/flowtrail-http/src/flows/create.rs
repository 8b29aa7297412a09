//! `POST /api/flows`: makes a flow.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::view::flow_response;
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
    let value = body.json().await?;
    let (tracker, runner) = (app.tracker().clone(), app.runner().clone());
    // Checking compiles the flow's scripts, which takes a moment.
    let flow = blocking_at(Pace::Steps, move || -> Result<_, ApiError> {
        let draft = runner
            .parse_flow(&principal, value)
            .map_err(|problems| ApiError::problems(ErrorCode::InvalidFlow, problems))?;
        Ok(tracker.create_flow(&principal, draft)?)
    })
    .await?;
    Ok(flow_response(StatusCode::CREATED, &flow))
}
