//! `GET /api/executions/{executionId}/nodes/{seq}`: one node's part in an execution, with its data.

use actix_web::{HttpRequest, HttpResponse, web};

use super::path_id;
use crate::blocking::blocking;
use crate::operate::tagged;
use crate::query::Query;
use crate::{ApiError, App, Caller, ErrorCode};

pub(super) async fn handle(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let id = path_id(&request, "execution_id", "execution")?;
    let seq: i32 = path_id(&request, "seq", "node execution")?;
    query.only(&[])?;
    let tracker = app.tracker().clone();
    let execution = blocking(move || tracker.execution(&principal, id)).await?;
    match execution.node_executions.into_iter().find(|node| node.seq == seq) {
        Some(node) => tagged(&request, &node),
        None => Err(ApiError::new(ErrorCode::NotFound, "there is no such node execution")),
    }
}
