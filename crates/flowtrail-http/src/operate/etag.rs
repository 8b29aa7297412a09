//! Answers that a client need not fetch again.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::ApiError;

/// A value as JSON, with a tag that changes when it does; nothing but the tag when the client has it already.
pub(crate) fn tagged(request: &HttpRequest, value: &impl Serialize) -> Result<HttpResponse, ApiError> {
    let json = serde_json::to_vec(value).map_err(ApiError::internal)?;
    let hash = blake3::hash(&json).to_hex();
    // Weak: compressed it is other bytes, and the same answer.
    let tag = format!("W/\"{}\"", &hash.as_str()[..32]);
    let is_known = request.headers().get_all(header::IF_NONE_MATCH).any(|value| {
        let text = value.to_str().unwrap_or_default();
        text.split(',').map(str::trim).any(|known| known == "*" || bare(known) == bare(&tag))
    });
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::ETAG, tag));
    // It may be kept, and is asked for again every time.
    response.insert_header((header::CACHE_CONTROL, "private, no-cache"));
    Ok(if is_known { response.finish() } else { response.content_type("application/json").body(json) })
}

/// A tag, weak or not.
fn bare(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}
