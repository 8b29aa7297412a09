//! `POST /api/executions/{executionId}/replay`: runs it again with the same parameters.

use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_runner::Call;
use flowtrail_types::Source;

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
    let id = path_id(&request, "execution_id", "execution")?;
    query.only(&[])?;
    body.object(&[]).await?;
    let tracker = app.tracker().clone();
    let (flow, params) = {
        let (tracker, principal) = (tracker.clone(), principal.clone());
        blocking(move || tracker.to_replay(&principal, id)).await?
    };
    let mut call = Call::new(principal.clone(), flow, params, Source::Replay);
    call.replay_of = Some(id);
    let running = app.runner().start(call).await?;
    let replay = running.id;
    let execution = blocking(move || tracker.execution(&principal, replay)).await?;
    Ok(HttpResponse::Accepted().json(execution))
}
