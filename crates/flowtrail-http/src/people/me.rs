//! `GET /api/me`: who the caller is.

use actix_web::HttpResponse;

use crate::Caller;

pub(super) async fn handle(Caller(principal): Caller) -> HttpResponse {
    HttpResponse::Ok().json(principal)
}
