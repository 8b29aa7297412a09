//! `GET /api/audit`: who did what to keys, users and access, and who deleted what. For administrators.

use actix_web::{HttpResponse, web};
use flowtrail_types::AuditQuery;

use crate::blocking::blocking;
use crate::query::Query;
use crate::{ApiError, App, Caller};

pub(super) async fn list(
    app: web::Data<App>,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    query.only(&["action", "user", "after", "limit"])?;
    let wanted = AuditQuery {
        action: query.parsed("action")?,
        user: query.parsed("user")?,
        before: query.parsed("after")?,
        limit: query.limit()?,
    };
    let tracker = app.tracker().clone();
    let page = blocking(move || tracker.audit(&principal, &wanted)).await?;
    Ok(HttpResponse::Ok().json(page))
}
