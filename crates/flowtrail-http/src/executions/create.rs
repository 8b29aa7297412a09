//! `POST /api/flows/{flowId}/executions`: an execution that runs elsewhere begins, or is over and told of as a whole.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_tracker::{Applied, Recorded, TrackerError};

use super::path_id;
use super::report::Report;
use crate::blocking::{blocking, blocking_unless};
use crate::body::Body;
use crate::query::Query;
use crate::{ApiError, App, Caller};

/// A body of so many bytes is read, redacted and packed within a fraction of a millisecond.
const SHORT: usize = 16 << 10;

pub(super) async fn handle(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let flow_id = path_id(&request, "flow_id", "flow")?;
    query.only(&[])?;
    let tracker = app.tracker().clone();
    let (submitted, json, flow) = {
        let (tracker, principal) = (tracker.clone(), principal.clone());
        let known = tracker.recall_flow(&principal, flow_id).filter(|_| body.bytes.len() <= SHORT);
        blocking_unless(known.is_some(), move || -> Result<_, ApiError> {
            let flow = known.map_or_else(|| tracker.flow(&principal, flow_id), Ok)?;
            let json = body.read()?;
            let report = Report::read(&json)?;
            if report.flow_id.is_some_and(|named| named != flow_id) {
                return Err(ApiError::invalid("flowId", "it names another flow than the address does"));
            }
            let submitted = report.submit_and_show(&tracker, &principal, &flow)?;
            Ok((submitted, json, flow))
        })
        .await?
    };
    match submitted.await {
        Ok(Recorded { id, applied, execution }) => {
            let execution = match execution {
                Some(execution) => execution,
                None => Box::new(blocking(move || tracker.execution(&principal, id)).await?),
            };
            let mut response = match applied {
                Applied::Already => HttpResponse::Ok(),
                Applied::Written | Applied::Corrected => HttpResponse::Created(),
            };
            response.insert_header((header::LOCATION, format!("/api/executions/{id}")));
            Ok(response.json(execution))
        }
        Err(TrackerError::Conflict { .. }) => {
            let refused = blocking(move || -> Result<_, ApiError> {
                Ok(Report::read(&json)?.conflict(&tracker, &principal, &flow))
            });
            Err(refused.await?)
        }
        Err(error) => Err(error.into()),
    }
}
