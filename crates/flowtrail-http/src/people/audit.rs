//! `GET /api/audit`: who did what to keys, users and access, and who deleted what. For administrators.

use actix_web::{HttpResponse, web};
use flowtrail_types::AuditQuery;
use serde_json::json;

use crate::blocking::blocking;
use crate::query::Query;
use crate::{ApiError, App, Caller};

pub(super) async fn list(
    app: web::Data<App>,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    query.only(&["action", "user", "after", "limit"])?;
    let limit = query.limit()?;
    let wanted = AuditQuery {
        action: query.parsed("action")?,
        user: query.parsed("user")?,
        before: query.parsed("after")?,
        // One more than is shown tells whether there are more.
        limit: limit + 1,
    };
    let tracker = app.tracker().clone();
    let mut items = blocking(move || tracker.audit(&principal, &wanted)).await?;
    let has_more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let after = items.last().filter(|_| has_more).map(|last| last.id);
    Ok(HttpResponse::Ok().json(json!({"items": items, "after": after})))
}
