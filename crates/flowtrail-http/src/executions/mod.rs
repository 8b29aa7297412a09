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
mod points;
mod replay;
mod report;
mod stats;

use std::str::FromStr;

use actix_web::{HttpRequest, web};
use flowtrail_types::FlowId;

use crate::routes::Route;
use crate::{ApiError, ErrorCode};

pub(crate) const ROUTES: &[Route] = &[
    Route::get("/api/flows/{flow_id}/executions/stats", || web::get().to(stats::figures)),
    Route::get("/api/flows/{flow_id}/executions/timeseries", || web::get().to(stats::series)),
    Route::get("/api/flows/{flow_id}/executions/points", || web::get().to(points::handle)),
    Route::get("/api/flows/{flow_id}/executions/export", || web::get().to(export::handle)),
    Route::post("/api/flows/{flow_id}/executions/prune", || web::post().to(delete::prune)),
    Route::get("/api/flows/{flow_id}/executions/{execution_id}", || web::get().to(detail::handle)),
    Route::delete("/api/flows/{flow_id}/executions/{execution_id}", || web::delete().to(delete::one)),
    Route::get("/api/flows/{flow_id}/executions", || web::get().to(list::handle)),
    Route::post("/api/flows/{flow_id}/executions", || web::post().to(create::handle)),
    Route::delete("/api/flows/{flow_id}/executions", || web::delete().to(delete::many)),
    Route::get("/api/executions", || web::get().to(list::handle)),
    Route::get("/api/executions/stats", || web::get().to(stats::figures)),
    Route::get("/api/executions/timeseries", || web::get().to(stats::series)),
    Route::get("/api/executions/export", || web::get().to(export::handle)),
    Route::post("/api/executions/batch", || web::post().to(batch::handle)),
    Route::get("/api/executions/{execution_id}", || web::get().to(detail::handle)),
    Route::patch("/api/executions/{execution_id}", || web::patch().to(end::handle)),
    Route::post("/api/executions/{execution_id}/nodes", || web::post().to(append::handle)),
    Route::get("/api/executions/{execution_id}/nodes/{seq}", || web::get().to(node::handle)),
    Route::post("/api/executions/{execution_id}/replay", || web::post().to(replay::handle)),
    Route::post("/api/executions/{execution_id}/cancel", || web::post().to(cancel::handle)),
];

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
