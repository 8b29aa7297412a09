//! `GET /api/executions/{executionId}/nodes`: the nodes' parts in an execution, page by page.

use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_types::NodeExecution;
use serde::Serialize;

use super::detail::WEIGHT;
use super::path_id;
use crate::blocking::blocking;
use crate::memory::Holder;
use crate::operate::json_within;
use crate::query::Query;
use crate::{ApiError, App, Caller};

/// A page has no more node executions once their data has so many bytes.
const MOST_BYTES: usize = 4 << 20;

/// The most node executions of a page.
pub(crate) const MOST: u32 = 1_000;

/// A page as it is answered.
#[derive(Serialize)]
struct Page {
    items: Vec<NodeExecution>,
    after: Option<i32>,
}

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
    let mut reserved = app.memory().reservation(Holder::from(&principal));
    let (page, reserved) = blocking(move || {
        let size = tracker.data_size(&principal, id)?;
        // What is in one piece is read whole for any part of it.
        let read = if size.is_one_piece { size.bytes } else { size.bytes.min(MOST_BYTES) };
        reserved.try_grow(read + size.bytes.min(MOST_BYTES) * WEIGHT)?;
        let page = tracker.node_page(&principal, id, after, (limit, MOST_BYTES))?;
        Ok::<_, ApiError>((page, reserved))
    })
    .await?;
    let after = page.nodes.last().filter(|_| page.has_more).map(|node| node.seq);
    json_within(&Page { items: page.nodes, after }, reserved)
}
