//! `POST /api/flows/{flowId}/run`: runs a flow, and waits for it unless told otherwise.

use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_runner::Call;
use flowtrail_types::Source;
use serde_json::{Map, Value};

use super::view::flow_id;
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
    let id = flow_id(&request)?;
    query.only(&["wait"])?;
    let waits = query.flag("wait")?.unwrap_or(true);
    let (object, replaced) = body.object_read(&["params"]).await?;
    let params = params(object)?;
    let tracker = app.tracker().clone();
    // Who may not call a flow learns nothing of it; whether it can run is the runner's to say.
    let flow = {
        let (tracker, principal) = (tracker.clone(), principal.clone());
        blocking(move || tracker.flow(&principal, id)).await?
    };
    let mut call = Call::new(principal.clone(), flow, params, Source::Api);
    call.arguments_replaced = replaced.at("params").is_any();
    let (execution_id, mut response) = if waits {
        (app.runner().run(call).await?.id, HttpResponse::Ok())
    } else {
        (app.runner().start(call).await?.id, HttpResponse::Accepted())
    };
    let execution = blocking(move || tracker.execution(&principal, execution_id)).await?;
    Ok(response.json(execution))
}

fn params(mut body: Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    match body.remove("params") {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(params)) => Ok(params),
        Some(_) => Err(ApiError::invalid("params", "expected an object of the flow's parameters")),
    }
}
