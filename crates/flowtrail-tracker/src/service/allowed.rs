//! What a principal may do with what they see, so that nobody is offered what would be refused.

use flowtrail_types::{Execution, Flow, FlowKind, Principal};

use super::replay;
use crate::access::{self, Rights};
use crate::{Tracker, TrackerError};

/// What can be done with a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowAct {
    /// Run it, if it can be run here, and record into it.
    Call,
    /// See all of its history and its figures, and not only what one has started oneself.
    SeeAll,
    /// Change it, delete its executions, and delete it.
    Change,
}

impl FlowAct {
    /// All there are.
    pub const ALL: &[Self] = &[Self::Call, Self::SeeAll, Self::Change];

    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::SeeAll => "seeAll",
            Self::Change => "change",
        }
    }
}

/// What can be done with an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutionAct {
    /// Ask it to stop.
    Cancel,
    /// Run it again.
    Replay,
    /// Delete it.
    Delete,
}

impl ExecutionAct {
    /// All there are.
    pub const ALL: &[Self] = &[Self::Cancel, Self::Replay, Self::Delete];

    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Replay => "replay",
            Self::Delete => "delete",
        }
    }
}

impl Tracker {
    /// What the principal may do with a flow that they see.
    #[must_use]
    pub fn allowed_with_flow(&self, principal: &Principal, flow: &Flow) -> Vec<FlowAct> {
        let held = access::rights(principal, flow);
        let may = |act: &FlowAct| match act {
            FlowAct::Call => access::may_use(principal, flow),
            FlowAct::SeeAll => held >= Rights::Read,
            FlowAct::Change => held >= Rights::Write,
        };
        FlowAct::ALL.iter().copied().filter(may).collect()
    }

    /// What the principal may do, as it stands now, with an execution that they see. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Store`] when the rights cannot be looked up.
    pub fn allowed_with_execution(
        &self,
        principal: &Principal,
        execution: &Execution,
    ) -> Result<Vec<ExecutionAct>, TrackerError> {
        let summary = &execution.summary;
        let held = self.rights_of(principal, summary)?;
        let has_ended = summary.status.is_final();
        let mut allowed = Vec::new();
        if !has_ended && access::may_steer(principal, held, summary) {
            allowed.push(ExecutionAct::Cancel);
        }
        if has_ended && self.is_replayable(principal, execution) {
            allowed.push(ExecutionAct::Replay);
        }
        // It is deleted by the address of its flow, which has to be there.
        if has_ended && held >= Rights::Write && summary.flow_id.is_some() {
            allowed.push(ExecutionAct::Delete);
        }
        Ok(allowed)
    }

    fn is_replayable(&self, principal: &Principal, execution: &Execution) -> bool {
        replay::params(execution).is_ok()
            && self.flow(principal, execution.summary.guarding_flow_id).is_ok_and(|flow| {
                flow.active && flow.kind == FlowKind::Runnable && access::may_use(principal, &flow)
            })
    }
}
