//! Flows and their ids on the wire.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use flowtrail_types::{Flow, FlowId};
use serde::Serialize;
use serde_json::Value;

use crate::ApiError;

/// A flow, or a flow's summary, as the API shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlowView<'a, T> {
    #[serde(flatten)]
    flow: &'a T,
    /// There are no retention rules yet: everything is kept.
    retention: Value,
}

impl<'a, T: Serialize> FlowView<'a, T> {
    pub(super) fn of(flow: &'a T) -> Self {
        Self { flow, retention: Value::Null }
    }
}

pub(super) fn flow_response(status: StatusCode, flow: &Flow) -> HttpResponse {
    HttpResponse::build(status).json(FlowView::of(flow))
}

/// The id in the address. What is no id names nothing that exists.
pub(crate) fn flow_id(request: &HttpRequest) -> Result<FlowId, ApiError> {
    crate::executions::path_id(request, "flow_id", "flow")
}
