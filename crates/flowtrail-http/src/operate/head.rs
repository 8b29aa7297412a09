//! `HEAD` wherever `GET` is: the same status and headers, without the body.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::web::Bytes;

/// Turns a `HEAD` request into the `GET` that it asks about, and tells whether it did. Not before MCP servers, where `GET`
/// opens the one stream of a session.
pub(super) fn ask_as_get(request: &mut ServiceRequest) -> bool {
    let is_head = request.method() == Method::HEAD && !is_mcp(request.path());
    if is_head {
        request.head_mut().method = Method::GET;
    }
    is_head
}

fn is_mcp(path: &str) -> bool {
    path == "/mcp" || path.starts_with("/mcp/")
}

/// The same response without its body, which is dropped: a stream of events would otherwise be waited for.
pub(super) fn without_body(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let (request, response) = response.into_parts();
    let (head, body) = response.into_parts();
    let size = body.size();
    drop(body);
    ServiceResponse::new(request, head.set_body(BoxBody::new(Nothing(size))))
}

/// No bytes, of the size that a `GET` would have.
struct Nothing(BodySize);

impl MessageBody for Nothing {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(None)
    }
}
