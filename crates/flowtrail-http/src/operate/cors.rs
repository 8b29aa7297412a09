//! Pages of other origins, as far as they are allowed by name.

use actix_cors::Cors;
use actix_web::http::Method;
use actix_web::http::header;

/// What browsers are told about pages of these origins. Others get no word of permission, and their browser keeps the answer
/// from them.
pub(crate) fn cors(origins: &[String]) -> Cors {
    let allowed = origins.iter().map(|origin| origin.trim_end_matches('/'));
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PATCH, Method::DELETE];
    allowed
        .fold(Cors::default(), Cors::allowed_origin)
        .allowed_methods(methods)
        .allowed_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT, header::IF_NONE_MATCH])
        .allowed_headers([
            "last-event-id",
            "x-request-id",
            "mcp-protocol-version",
            "mcp-session-id",
            "mcp-method",
            "mcp-name",
        ])
        .expose_headers(["date", "etag", "location", "retry-after", "x-request-id", "mcp-session-id"])
        .max_age(3_600)
        .block_on_origin_mismatch(false)
}
