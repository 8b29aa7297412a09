//! Every address, declared in one way: what is not in the list of its module is not there.

use actix_web::http::Method;
use actix_web::middleware::Compress;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, ResponseError};

use crate::{ApiError, ErrorCode, events, executions, flows, health, openwebui, operate, people, session};

/// An address, a method that it takes, and who answers.
#[derive(Debug, Clone)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The address, with the names of what varies in it in braces.
    pub path: &'static str,
    handler: fn() -> actix_web::Route,
}

impl Route {
    pub(crate) const fn get(path: &'static str, handler: fn() -> actix_web::Route) -> Self {
        Self { method: Method::GET, path, handler }
    }

    pub(crate) const fn post(path: &'static str, handler: fn() -> actix_web::Route) -> Self {
        Self { method: Method::POST, path, handler }
    }

    pub(crate) const fn patch(path: &'static str, handler: fn() -> actix_web::Route) -> Self {
        Self { method: Method::PATCH, path, handler }
    }

    pub(crate) const fn delete(path: &'static str, handler: fn() -> actix_web::Route) -> Self {
        Self { method: Method::DELETE, path, handler }
    }
}

/// Every route but those of MCP and of the web UI, addresses with words before those with an id in their place.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    [
        health::ROUTES,
        operate::ROUTES,
        session::ROUTES,
        events::ROUTES,
        openwebui::ROUTES,
        executions::ROUTES,
        flows::ROUTES,
        people::ROUTES,
    ]
    .into_iter()
    .flatten()
}

/// What is sent piece by piece while it comes: whoever compresses it would hold it back.
const STREAMS: &[&str] = &["/api/events", "/api/executions/batch"];

/// Declares all of them.
pub(crate) fn configure(config: &mut ServiceConfig) {
    let mut paths: Vec<&str> = Vec::new();
    for route in routes() {
        if !paths.contains(&route.path) {
            paths.push(route.path);
        }
    }
    for path in paths {
        let mut resource = web::resource(path);
        for route in routes().filter(|route| route.path == path) {
            resource = resource.route((route.handler)());
        }
        let resource = resource.default_service(web::to(wrong_method));
        if STREAMS.contains(&path) {
            config.service(resource);
        } else {
            config.service(resource.wrap(Compress::default()));
        }
    }
}

/// The answer to a method that an address does not take.
async fn wrong_method() -> HttpResponse {
    ApiError::new(ErrorCode::MethodNotAllowed, "this address does not take this method").error_response()
}
