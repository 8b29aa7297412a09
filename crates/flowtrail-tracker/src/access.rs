//! Who may do what. The one place that decides it, for every transport.

use flowtrail_types::{Access, ExecutionSummary, Flow, FlowId, Principal, Role, UserId};

use crate::TrackerError;

/// What a principal may do with a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rights {
    /// Nothing: to them it does not exist.
    None,
    /// Call it and record into it; see what they started themselves, and no statistics.
    Public,
    /// Beyond that, see all of its history.
    Read,
    /// Beyond that, change it and delete its executions.
    Write,
}

/// What a principal may do with a flow.
pub(crate) fn rights(principal: &Principal, flow: &Flow) -> Rights {
    rights_by(principal, flow.id, flow.owner_id, &flow.access)
}

/// What a principal may do with a flow of this owner, shared like this.
pub(crate) fn rights_by(principal: &Principal, flow: FlowId, owner: UserId, access: &Access) -> Rights {
    let user = principal.id;
    let held = if principal.role == Role::Admin || owner == user || access.write.contains(&user) {
        Rights::Write
    } else if access.read.contains(&user) {
        Rights::Read
    } else if access.public {
        Rights::Public
    } else {
        Rights::None
    };
    match &principal.only {
        None => held,
        Some(flows) if flows.contains(&flow) => held.min(Rights::Read),
        Some(_) => Rights::None,
    }
}

/// Fails for who may do nothing but read, whatever their rights in a flow.
pub(crate) fn require_more_than_reading(principal: &Principal, to: &'static str) -> Result<(), TrackerError> {
    if principal.is_reader() { Err(TrackerError::Forbidden(to)) } else { Ok(()) }
}

/// Whether the principal may call a flow and record into it.
pub(crate) fn may_use(principal: &Principal, flow: &Flow) -> bool {
    !principal.is_reader() && rights(principal, flow) >= Rights::Public
}

/// Fails unless the principal may call a flow and record into it.
pub(crate) fn require_use(principal: &Principal, flow: &Flow, to: &'static str) -> Result<(), TrackerError> {
    require(principal, flow, Rights::Public, to)?;
    require_more_than_reading(principal, to)
}

/// Fails unless the principal has these rights. To those who have none, the flow does not exist.
pub(crate) fn require(
    principal: &Principal,
    flow: &Flow,
    needed: Rights,
    to: &'static str,
) -> Result<Rights, TrackerError> {
    match rights(principal, flow) {
        Rights::None => Err(TrackerError::NotFound("flow")),
        held if held < needed => Err(TrackerError::Forbidden(to)),
        held => Ok(held),
    }
}

/// Whether the principal may see an execution of a flow in which they have these rights.
pub(crate) fn may_see(principal: &Principal, held: Rights, execution: &ExecutionSummary) -> bool {
    match held {
        Rights::None => false,
        Rights::Public => execution.user_id == Some(principal.id),
        Rights::Read | Rights::Write => true,
    }
}

/// Whether the principal may append to, end and cancel an execution: who started it may, and writers.
pub(crate) fn may_steer(principal: &Principal, held: Rights, execution: &ExecutionSummary) -> bool {
    !principal.is_reader()
        && (held == Rights::Write || (held > Rights::None && execution.user_id == Some(principal.id)))
}
