//! Who may do what. The one place that decides it, for every transport.

use flowtrail_types::{Access, ExecutionSummary, Flow, Principal, UserId};

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
    rights_by(principal, flow.owner_id, &flow.access)
}

/// What a principal may do with a flow of this owner, shared like this.
pub(crate) fn rights_by(principal: &Principal, owner: UserId, access: &Access) -> Rights {
    if principal.is_admin() || owner == principal.id || access.write.contains(&principal.id) {
        Rights::Write
    } else if access.read.contains(&principal.id) {
        Rights::Read
    } else if access.public {
        Rights::Public
    } else {
        Rights::None
    }
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
    held == Rights::Write || (held > Rights::None && execution.user_id == Some(principal.id))
}
