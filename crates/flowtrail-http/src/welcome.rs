//! What a person sees who opens the address in a browser.

use actix_web::{HttpResponse, http::header, web};

pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config.route("/", web::get().to(welcome));
}

const PAGE: &str = include_str!("welcome.html");

async fn welcome() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'",
        ))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .content_type("text/html; charset=utf-8")
        .body(PAGE)
}
