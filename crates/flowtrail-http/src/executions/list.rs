//! `GET /api/flows/{flowId}/executions` and `GET /api/executions`: pages of executions, newest first.

use actix_web::{HttpRequest, HttpResponse, web};

use super::scope;
use crate::answers::answer;
use crate::blocking::Pace;
use crate::query::Query;
use crate::{ApiError, App, Caller};

pub(super) async fn handle(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let flow = scope(&request)?;
    let (mut filter, mut page) = query.executions()?;
    filter.flow = flow;
    query.after(&filter, &mut page)?;
    // A text has to be looked for in one execution after the other.
    let pace = if filter.text.is_some() { Pace::Long } else { Pace::Quick };
    answer(&app, &request, principal, pace, move |tracker, principal| {
        tracker.executions(principal, &filter, page)
    })
    .await
}
