//! The description as it is served, and a page to try it that needs nothing from elsewhere.

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::middleware::Compress;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::Value;

use super::{Answer, Operation, openapi};
use crate::operate::tagged;
use crate::query::Query;
use crate::routes::Route;
use crate::{ApiError, Caller, ErrorCode};

pub(crate) const ROUTES: &[Route] = &[Route::get(
    "/api/openapi.json",
    || web::get().to(description),
    Operation::new("getDescription", "This description").takes(&[&["If-None-Match"]]).gives(&[
        Answer::json(200, "Description", "OpenAPI 3.1.").with(&["ETag"]),
        Answer::empty(304, "The client has it already."),
    ]),
)];

static DESCRIPTION: LazyLock<Value> = LazyLock::new(openapi);

/// A file of the page.
struct File {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const PAGE: &[u8] = include_bytes!("../../assets/docs/index.html");

const FILES: &[File] = &[
    File { name: "try.js", kind: "text/javascript", bytes: include_bytes!("../../assets/docs/try.js") },
    File { name: "try.css", kind: "text/css", bytes: include_bytes!("../../assets/docs/try.css") },
    File {
        name: "swagger-ui-bundle.js",
        kind: "text/javascript",
        bytes: include_bytes!("../../vendor/swagger-ui-dist/swagger-ui-bundle.js"),
    },
    File {
        name: "swagger-ui.css",
        kind: "text/css",
        bytes: include_bytes!("../../vendor/swagger-ui-dist/swagger-ui.css"),
    },
];

/// Declares the page and its files, which anybody may fetch.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("/api/docs")
            .route("", web::get().to(page))
            .route("/{file}", web::get().to(file))
            .wrap(Compress::default()),
    );
}

async fn description(
    request: HttpRequest,
    Caller(_): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    query.only(&[])?;
    tagged(&request, &*DESCRIPTION)
}

async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'",
        ))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type("text/html; charset=utf-8")
        .body(PAGE)
}

async fn file(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let name = request.match_info().get("file").unwrap_or_default();
    // Of the page, and as little a secret as the page.
    if name == "openapi.json" {
        return tagged(&request, &*DESCRIPTION);
    }
    let Some(file) = FILES.iter().find(|file| file.name == name) else {
        return Err(ApiError::new(ErrorCode::NotFound, "there is nothing at this address"));
    };
    let response = HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .content_type(format!("{}; charset=utf-8", file.kind))
        .body(file.bytes);
    Ok(response)
}
