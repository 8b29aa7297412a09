//! What MCP clients are told who have no key: where it is said what protects this address (RFC 9728), and how a key is
//! sent (RFC 6750). Keys are made here and by nobody else, so no authorization server is named.

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde_json::json;

use crate::mcp::Doors;
use crate::{ApiError, App, ErrorCode};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The addresses of the metadata: of the whole server, and of each place that MCP clients speak to.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config
        .route(WELL_KNOWN, web::get().to(of_all))
        .route("/.well-known/oauth-protected-resource/mcp", web::get().to(of_all))
        .route("/.well-known/oauth-protected-resource/mcp/{upstream}", web::get().to(of_upstream));
}

async fn of_all(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    metadata(&request, &doors, "/mcp")
}

async fn of_upstream(
    request: HttpRequest,
    doors: web::Data<Doors>,
    app: web::Data<App>,
    name: web::Path<String>,
) -> HttpResponse {
    if !app.upstreams().has(&name) {
        return ApiError::new(ErrorCode::NotFound, "there is no such upstream").error_response();
    }
    metadata(&request, &doors, &format!("/mcp/{name}"))
}

fn metadata(request: &HttpRequest, doors: &Doors, path: &str) -> HttpResponse {
    let origin = match origin(request, doors) {
        Ok(origin) => origin,
        Err(refused) => return refused.error_response(),
    };
    HttpResponse::Ok().json(json!({
        "resource": format!("{origin}{path}"),
        "resource_name": "Flowtrail",
        "bearer_methods_supported": ["header"],
    }))
}

/// How the client has reached this server, if it answers to that name.
fn origin(request: &HttpRequest, doors: &Doors) -> Result<String, ApiError> {
    let host = doors.check_name(request)?;
    Ok(format!("{}://{host}", request.connection_info().scheme()))
}

/// Adds to the refusal of a client without a good key what it needs to know.
pub(crate) fn challenge(request: &HttpRequest, doors: &Doors, refused: &mut HttpResponse) {
    let Ok(origin) = origin(request, doors) else { return };
    let path = request.path();
    let mut text = format!("Bearer resource_metadata=\"{origin}{WELL_KNOWN}{path}\"");
    if request.headers().contains_key(header::AUTHORIZATION) {
        text.push_str(", error=\"invalid_token\"");
    }
    if let Ok(value) = HeaderValue::from_str(&text) {
        refused.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
}
