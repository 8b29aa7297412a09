//! Flows and their ids on the wire.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use flowtrail_types::{Flow, FlowId};

use crate::ApiError;

pub(super) fn flow_response(status: StatusCode, flow: &Flow) -> HttpResponse {
    HttpResponse::build(status).json(flow)
}

/// The id in the address. What is no id names nothing that exists.
pub(crate) fn flow_id(request: &HttpRequest) -> Result<FlowId, ApiError> {
    crate::executions::path_id(request, "flow_id", "flow")
}
