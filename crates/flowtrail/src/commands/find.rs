//! Finding what a person names at the terminal.

use std::sync::Arc;

use flowtrail_tracker::{Tracker, TrackerError};
use flowtrail_types::{Flow, FlowId, Principal, UserId};

use crate::Failure;

/// A flow by its tool name or its id.
pub(super) fn flow(tracker: &Tracker, principal: &Principal, named: &str) -> Result<Arc<Flow>, Failure> {
    let found = match named.parse::<FlowId>() {
        Ok(id) => tracker.flow(principal, id),
        Err(_) => tracker.flow_by_tool_name(principal, named),
    };
    found.map_err(|error| match error {
        TrackerError::NotFound(_) => {
            Failure::new(format_args!("there is no flow {named:?}: `flowtrail flow list` shows them"))
        }
        other => other.into(),
    })
}

/// A flow's id, also once the flow is deleted and only its history is left.
pub(super) fn flow_id(tracker: &Tracker, principal: &Principal, named: &str) -> Result<FlowId, Failure> {
    match named.parse::<FlowId>() {
        Ok(id) => Ok(id),
        Err(_) => flow(tracker, principal, named).map(|flow| flow.id),
    }
}

/// A user's id, by their name or by the id itself.
pub(super) fn user_id(tracker: &Tracker, principal: &Principal, named: &str) -> Result<UserId, Failure> {
    if let Ok(id) = named.parse::<UserId>() {
        return Ok(id);
    }
    tracker.user_named(principal, named).map(|user| user.id).map_err(|error| match error {
        TrackerError::NotFound(_) => {
            Failure::new(format_args!("there is no user {named:?}: `flowtrail user list` shows them"))
        }
        other => other.into(),
    })
}
