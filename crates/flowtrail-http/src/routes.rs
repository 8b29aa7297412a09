//! Every address, declared in one way: what is not in the list of its module is not there.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Compress;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, ResponseError};

use crate::openapi::Operation;
use crate::{
    ApiError, ErrorCode, events, executions, flows, health, openapi, openwebui, operate, people, session,
};

/// An address, a method that it takes, and who answers.
#[derive(Debug, Clone)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The address, with the names of what varies in it in braces.
    pub path: &'static str,
    handler: fn() -> actix_web::Route,
    /// What the description says of it.
    pub(crate) operation: Operation,
}

impl Route {
    pub(crate) const fn get(
        path: &'static str,
        handler: fn() -> actix_web::Route,
        operation: Operation,
    ) -> Self {
        Self { method: Method::GET, path, handler, operation }
    }

    pub(crate) const fn post(
        path: &'static str,
        handler: fn() -> actix_web::Route,
        operation: Operation,
    ) -> Self {
        Self { method: Method::POST, path, handler, operation }
    }

    pub(crate) const fn patch(
        path: &'static str,
        handler: fn() -> actix_web::Route,
        operation: Operation,
    ) -> Self {
        Self { method: Method::PATCH, path, handler, operation }
    }

    pub(crate) const fn delete(
        path: &'static str,
        handler: fn() -> actix_web::Route,
        operation: Operation,
    ) -> Self {
        Self { method: Method::DELETE, path, handler, operation }
    }
}

/// The routes by what they are about: a name, what that is, and the routes. An address is looked for in this order, so what
/// is asked for most comes first.
pub(crate) fn groups() -> [(&'static str, &'static str, &'static [Route]); 9] {
    [
        ("Executions", "What was run, and recording what runs elsewhere.", executions::ROUTES),
        ("Flows", "What can be run here, or runs elsewhere and is recorded here.", flows::ROUTES),
        ("Events", "What happens, as it happens.", events::ROUTES),
        ("Open WebUI", "The history API of Open WebUI's flows.", openwebui::ROUTES),
        ("Session", "Logging in to the web UI.", session::ROUTES),
        ("People", "Who may ask.", people::ROUTES),
        ("Description", "The API itself.", openapi::ROUTES),
        ("Operating", "Figures for Prometheus.", operate::ROUTES),
        ("Health", "Whether the server lives and can work.", health::ROUTES),
    ]
}

/// Every route but those of MCP and of the web UI, addresses with words before those with an id in their place.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    groups().into_iter().flat_map(|(_, _, routes)| routes)
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
        let mut methods: Vec<&str> =
            routes().filter(|route| route.path == path).map(|route| route.method.as_str()).collect();
        if let Some(get) = methods.iter().position(|method| *method == "GET") {
            methods.insert(get + 1, "HEAD");
        }
        let allow = methods.join(", ");
        let resource = resource.default_service(web::to(move || wrong_method(allow.clone())));
        if STREAMS.contains(&path) {
            config.service(resource);
        } else {
            config.service(resource.wrap(Compress::default()));
        }
    }
}

/// The answer to a method that an address does not take, with those that it takes.
async fn wrong_method(allow: String) -> HttpResponse {
    let message = format!("this address takes {allow} and no other method");
    let mut response = ApiError::new(ErrorCode::MethodNotAllowed, message).error_response();
    if let Ok(value) = HeaderValue::from_str(&allow) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}
