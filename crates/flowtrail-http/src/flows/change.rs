//! `PATCH /api/flows/{flowId}`: changes what the body names and leaves the rest.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use flowtrail_runner::Runner;
use flowtrail_tracker::FlowChange;
use flowtrail_types::{Flow, FlowDraft, FlowKind, Principal};
use serde_json::{Map, Value, json};

use super::view::{flow_id, flow_response};
use crate::blocking::{Pace, blocking_at};
use crate::body::Body;
use crate::query::Query;
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

/// What can be taken away.
const MAY_BE_NULL: &[&str] = &["timeout", "retention"];

pub(super) async fn handle(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    query.only(&[])?;
    let id = flow_id(&request)?;
    let fields = body.object(FIELDS).await?;
    if let Some((field, _)) =
        fields.iter().find(|(field, value)| value.is_null() && !MAY_BE_NULL.contains(&field.as_str()))
    {
        return Err(ApiError::invalid(field, "expected a value; leave the field out to keep what it is"));
    }
    let (tracker, runner) = (app.tracker().clone(), app.runner().clone());
    let changed = blocking_at(Pace::Steps, move || -> Result<_, ApiError> {
        // Read, merged and checked anew if somebody else changes the flow meanwhile.
        tracker.change_flow(&principal, id, |flow| {
            let draft = changed_draft(&runner, &principal, flow, &fields)?;
            Ok::<_, ApiError>(change(&fields, draft))
        })
    })
    .await?;
    Ok(flow_response(StatusCode::OK, &changed))
}

/// The flow as it would be, read and checked as if it were made anew, so that a change has the same rules. What
/// the body does not touch is not checked again: a flow that is no longer sound can still be switched off.
fn changed_draft(
    runner: &Runner,
    principal: &Principal,
    flow: &Flow,
    fields: &Map<String, Value>,
) -> Result<FlowDraft, ApiError> {
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
    if !fields.contains_key("nodes") && !fields.contains_key("connections") && flow.kind == FlowKind::Runnable
    {
        // A graph that is sound whatever version reads it stands for the one that stays.
        whole.insert(
            "nodes".to_owned(),
            json!([{"id": "ask", "type": "UserIntent", "parameters": {"parameters": []}}]),
        );
        whole.insert("connections".to_owned(), json!([]));
    }
    whole.extend(fields.clone());
    runner
        .parse_flow(principal, Value::Object(whole))
        .map_err(|problems| ApiError::problems(ErrorCode::InvalidFlow, problems))
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
        retention: named("retention").then_some(draft.retention),
    }
}
