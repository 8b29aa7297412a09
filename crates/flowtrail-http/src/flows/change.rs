//! `PATCH /api/flows/{flowId}`: changes what the body names and leaves the rest.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_tracker::FlowChange;
use flowtrail_types::{Flow, FlowDraft};
use serde_json::{Map, Value};

use super::view::{flow_id, flow_response};
use crate::blocking::blocking;
use crate::body::Body;
use crate::{ApiError, App, Caller, ErrorCode};

const FIELDS: &[&str] = &[
    "name",
    "toolName",
    "description",
    "active",
    "nodes",
    "connections",
    "timeout",
    "access",
    "capture",
    "retention",
];

pub(super) async fn handle(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let id = flow_id(&request)?;
    let fields = body.object(FIELDS)?;
    let tracker = app.tracker().clone();
    let changed = blocking(move || -> Result<_, ApiError> {
        let flow = tracker.flow(&principal, id)?;
        let draft = changed_draft(&flow, &fields)?;
        Ok(tracker.change_flow(&principal, id, &change(&fields, draft))?)
    })
    .await?;
    Ok(flow_response(StatusCode::OK, &changed))
}

/// The flow as it would be, read and checked as if it were made anew, so that a change has the same rules.
fn changed_draft(flow: &Flow, fields: &Map<String, Value>) -> Result<FlowDraft, ApiError> {
    let invalid = |problems| ApiError::problems(ErrorCode::InvalidFlow, problems);
    let mut whole = match serde_json::to_value(flow).map_err(ApiError::internal)? {
        Value::Object(whole) => whole,
        other => return Err(ApiError::internal(format!("a flow is written as {other}"))),
    };
    for given in ["version", "ownerId", "createdAt", "updatedAt"] {
        whole.remove(given);
    }
    if flow.tool_name.is_none() {
        whole.remove("toolName");
    }
    whole.extend(fields.clone());
    let draft = flowtrail_runner::parse_flow(Value::Object(whole)).map_err(invalid)?;
    flowtrail_runner::validate(&draft).map_err(invalid)?;
    Ok(draft)
}

/// Of the checked draft, what the body named.
fn change(fields: &Map<String, Value>, draft: FlowDraft) -> FlowChange {
    let named = |field: &str| fields.contains_key(field);
    FlowChange {
        name: named("name").then_some(draft.name),
        tool_name: draft.tool_name.filter(|_| named("toolName")),
        description: named("description").then_some(draft.description),
        active: named("active").then_some(draft.active),
        definition: (named("nodes") || named("connections")).then_some(draft.definition),
        timeout: named("timeout").then_some(draft.timeout),
        access: named("access").then_some(draft.access),
        capture: named("capture").then_some(draft.capture),
    }
}
