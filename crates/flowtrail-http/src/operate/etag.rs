//! Answers that a client need not fetch again.

use actix_web::body::MessageBody;
use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::ApiError;
use crate::memory::Reserved;

/// A value as JSON, with a tag that changes when it does; nothing but the tag when the client has it already.
pub(crate) fn tagged(request: &HttpRequest, value: &impl Serialize) -> Result<HttpResponse, ApiError> {
    let json = serde_json::to_vec(value).map_err(ApiError::internal)?;
    Ok(tagged_json(request, json))
}

/// An answer, and the memory that it takes until it is sent.
struct Held(Vec<u8>, #[expect(dead_code, reason = "it is given back with the answer")] Reserved);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The same for an answer for which memory is reserved, until it is sent.
pub(crate) fn tagged_within(
    request: &HttpRequest,
    value: &impl Serialize,
    mut reserved: Reserved,
) -> Result<HttpResponse, ApiError> {
    let json = serde_json::to_vec(value).map_err(ApiError::internal)?;
    reserved.shrink_to(json.len());
    Ok(tagged_json(request, Bytes::from_owner(Held(json, reserved))))
}

/// An answer without a tag, for which memory is reserved until it is sent.
pub(crate) fn json_within(value: &impl Serialize, mut reserved: Reserved) -> Result<HttpResponse, ApiError> {
    let json = serde_json::to_vec(value).map_err(ApiError::internal)?;
    reserved.shrink_to(json.len());
    let body = Bytes::from_owner(Held(json, reserved));
    Ok(HttpResponse::Ok().content_type("application/json").body(body))
}

fn tagged_json(request: &HttpRequest, json: impl AsRef<[u8]> + MessageBody + 'static) -> HttpResponse {
    let hash = blake3::hash(json.as_ref()).to_hex();
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
    if is_known { response.finish() } else { response.content_type("application/json").body(json) }
}

/// A tag, weak or not.
fn bare(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}
