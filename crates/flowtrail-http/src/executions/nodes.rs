//! `GET /api/executions/{executionId}/nodes`: the nodes' parts in an execution, page by page.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::path_id;
use crate::blocking::blocking;
use crate::query::Query;
use crate::{ApiError, App, Caller};

/// The most node executions of a page.
pub(crate) const MOST: u32 = 1_000;

pub(super) async fn handle(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let id = path_id(&request, "execution_id", "execution")?;
    query.only(&["after", "limit"])?;
    let after = query.number("after", 0, i32::MAX.unsigned_abs())?.unwrap_or(0);
    let limit = query.number("limit", 1, MOST)?.unwrap_or(MOST / 10) as usize;
    let after = i32::try_from(after).unwrap_or(i32::MAX);
    let tracker = app.tracker().clone();
    // One more tells whether there are more.
    let mut nodes = blocking(move || tracker.node_page(&principal, id, after, limit + 1)).await?;
    let has_more = nodes.len() > limit;
    nodes.truncate(limit);
    let after = nodes.last().filter(|_| has_more).map(|node| node.seq);
    Ok(HttpResponse::Ok().json(json!({"items": nodes, "after": after})))
}
