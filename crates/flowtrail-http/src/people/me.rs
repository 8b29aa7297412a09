//! `GET /api/me`: who the caller is.

use actix_web::HttpResponse;

use crate::query::Query;
use crate::{ApiError, Caller};

pub(super) async fn handle(Caller(principal): Caller, query: Query) -> Result<HttpResponse, ApiError> {
    query.only(&[])?;
    Ok(HttpResponse::Ok().json(principal))
}
