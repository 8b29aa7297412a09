//! `/api/executions`, and the executions of one flow.

mod append;
mod batch;
mod cancel;
mod create;
mod delete;
mod detail;
mod end;
mod export;
mod list;
mod node;
mod replay;
mod report;
mod stats;

use std::str::FromStr;

use actix_web::{HttpRequest, Resource, web};
use flowtrail_types::FlowId;

use crate::app::wrong_method;
use crate::{ApiError, ErrorCode};

/// An address whose other methods are refused by name.
fn resource(path: &str) -> Resource {
    web::resource(path).default_service(web::to(wrong_method))
}

pub(crate) fn configure(config: &mut web::ServiceConfig) {
    // Addresses with words come before those with an id in their place.
    config
        .service(resource("/flows/{flow_id}/executions/stats").route(web::get().to(stats::figures)))
        .service(resource("/flows/{flow_id}/executions/timeseries").route(web::get().to(stats::series)))
        .service(resource("/flows/{flow_id}/executions/export").route(web::get().to(export::handle)))
        .service(resource("/flows/{flow_id}/executions/prune").route(web::post().to(delete::prune)))
        .service(
            resource("/flows/{flow_id}/executions/{execution_id}")
                .route(web::get().to(detail::handle))
                .route(web::delete().to(delete::one)),
        )
        .service(
            resource("/flows/{flow_id}/executions")
                .route(web::get().to(list::handle))
                .route(web::post().to(create::handle))
                .route(web::delete().to(delete::many)),
        )
        .service(resource("/executions").route(web::get().to(list::handle)))
        .service(resource("/executions/stats").route(web::get().to(stats::figures)))
        .service(resource("/executions/timeseries").route(web::get().to(stats::series)))
        .service(resource("/executions/export").route(web::get().to(export::handle)))
        .service(resource("/executions/batch").route(web::post().to(batch::handle)))
        .service(
            resource("/executions/{execution_id}")
                .route(web::get().to(detail::handle))
                .route(web::patch().to(end::handle)),
        )
        .service(resource("/executions/{execution_id}/nodes").route(web::post().to(append::handle)))
        .service(resource("/executions/{execution_id}/nodes/{seq}").route(web::get().to(node::handle)))
        .service(resource("/executions/{execution_id}/replay").route(web::post().to(replay::handle)))
        .service(resource("/executions/{execution_id}/cancel").route(web::post().to(cancel::handle)));
}

/// The flow that the address names; none where it names none, which is all flows. So one handler serves both.
fn scope(request: &HttpRequest) -> Result<Option<FlowId>, ApiError> {
    let names_flow = request.match_info().get("flow_id").is_some();
    names_flow.then(|| path_id(request, "flow_id", "flow")).transpose()
}

/// An id in the address. What is no id names nothing that exists.
pub(crate) fn path_id<T: FromStr>(request: &HttpRequest, name: &str, what: &str) -> Result<T, ApiError> {
    request
        .match_info()
        .get(name)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| ApiError::new(ErrorCode::NotFound, format!("there is no such {what}")))
}
