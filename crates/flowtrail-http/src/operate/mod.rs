//! What surrounds every request, whatever it asks: an id, a line in the log, figures, and headers that keep browsers safe.

mod cors;
mod etag;
mod head;
mod limits;
mod metrics;
mod request_id;

pub(crate) use cors::cors;
pub(crate) use etag::{json_within, tagged, tagged_within};
pub(crate) use limits::Limits;
pub(crate) use metrics::Metrics;
pub(crate) use request_id::RequestIds;

use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web;

use crate::openapi::{Answer, Operation};
use crate::routes::Route;
use crate::turns::Asking;
use crate::{App, ErrorCode};

pub(crate) const ROUTES: &[Route] = &[Route::get(
    "/metrics",
    || web::get().to(metrics::handle),
    Operation::new("getMetrics", "Figures for Prometheus, for administrators")
        .gives(&[Answer::of(
            200,
            "application/openmetrics-text",
            "",
            "The figures, in the format of OpenMetrics.",
        )])
        .fails(&[ErrorCode::Forbidden]),
)];

/// The header that names a request, in its answer and, if the client has a name for it, in the request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers of every answer that does not set them itself.
const ALWAYS: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // What is answered is somebody's, and may be another one's the next moment.
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// What is done around every request.
pub(crate) async fn around(
    app: web::Data<App>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let begun = Instant::now();
    let id = app.request_ids().of(request.headers().get(REQUEST_ID), |text| app.tracker().knows_secret(text));
    let method = request.method().clone();
    let is_logged = log::log_enabled!(target: "flowtrail::access", log::Level::Debug);
    // The path without the query, which may hold what somebody searched for.
    let path = is_logged.then(|| request.path().to_owned());
    let is_head = head::ask_as_get(&mut request);
    let asking = Asking::new(Arc::clone(app.turns()));
    let mut response = asking.scope(next.call(request)).await?.map_into_boxed_body();
    if is_head {
        response = head::without_body(response);
    }
    let took = begun.elapsed();
    let status = response.status();
    let route = response.request().match_pattern();
    app.metrics().answered(&method, route.as_deref(), status, took);
    if let Some(path) = path {
        log::debug!(
            target: "flowtrail::access",
            "{method} {path} {} {:.1} ms {id}",
            status.as_u16(),
            took.as_secs_f64() * 1_000.0
        );
    }
    // Of a full disk the log tells once a second, and not of each request.
    if status.is_server_error() && status != StatusCode::INSUFFICIENT_STORAGE {
        log::warn!("{method} {} was answered with {status}, request {id}", route.as_deref().unwrap_or("?"));
    }
    let headers = response.headers_mut();
    for (name, value) in &ALWAYS {
        if !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    Ok(response)
}
