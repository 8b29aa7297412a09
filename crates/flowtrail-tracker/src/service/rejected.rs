//! Calls that are rejected before they run: recorded when the options say so, and counted by themselves.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use flowtrail_store::Command;
use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{
    Access, CapturePolicy, ErrorInfo, ErrorKind, ExecutionId, Flow, FlowId, Principal, Source, UserId,
};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use super::import::deleted_flow;
use super::principals::ADMINISTRATOR;
use crate::access::may_use;
use crate::handle::new_end;
use crate::recorder::Patience;
use crate::{Ack, Ending, Sent, StartExecution, Tracker, TrackerError};

/// The flow of calls of tools that do not exist: deleted from the beginning, so that it is shown nowhere, and public, so that
/// everybody sees their own calls. Always the same id, so that processes that share a database have one.
pub(super) const UNKNOWN_TOOL: FlowId =
    FlowId::from_uuid(Uuid::from_u128(0x0000_0000_0000_8000_8000_0000_0000_0003));
/// Its name.
const UNKNOWN_TOOL_NAME: &str = "(unknown tool)";
/// How many characters are kept of the name of a tool that does not exist.
const TOOL_NAME_LENGTH: usize = 100;

/// How many rejected calls of a user are recorded within [`WINDOW`]. The others are only counted.
const RECORDED_AT_ONCE: usize = 10;
const WINDOW: Duration = Duration::from_secs(1);
/// How many users are remembered before those are forgotten whose calls lie further back than [`WINDOW`].
const REMEMBERED_USERS: usize = 1_000;

/// What a rejected call was of, and why it was rejected.
#[derive(Debug, Clone, PartialEq)]
pub enum RejectedTool<'a> {
    /// A flow.
    Flow {
        /// The flow.
        flow: &'a Flow,
        /// The parameter that it declares first, which lists show.
        first_param: Option<&'a str>,
        /// What is wrong with the call, each with the argument that it is about, if it is about one. It may name values.
        problems: Vec<(Option<&'a str>, String)>,
    },
    /// A tool of this name, which does not exist, or which the principal may not see.
    Unknown(&'a str),
}

/// A call that was rejected before it ran.
#[derive(Debug, Clone)]
pub struct RejectedCall<'a> {
    /// What was called.
    pub tool: RejectedTool<'a>,
    /// By which way the call came.
    pub source: Source,
    /// The arguments, as they came.
    pub params: Sent<'a>,
    /// What the caller says besides: an object, or nothing.
    pub meta: Option<&'a Value>,
    /// The execution that was to be run again.
    pub replay_of: Option<ExecutionId>,
}

/// When each user's last recorded calls were rejected.
#[derive(Debug, Default)]
pub(crate) struct Rejections(Mutex<HashMap<UserId, VecDeque<Duration>>>);

impl Rejections {
    /// Whether one more is recorded, at this time of the monotonic clock.
    fn take(&self, user: UserId, now: Duration) -> bool {
        let is_over = |at: &Duration| now.saturating_sub(*at) >= WINDOW;
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= REMEMBERED_USERS {
            users.retain(|_, recorded| recorded.back().is_some_and(|last| !is_over(last)));
        }
        let recorded = users.entry(user).or_default();
        while recorded.front().is_some_and(is_over) {
            recorded.pop_front();
        }
        let is_free = recorded.len() < RECORDED_AT_ONCE;
        if is_free {
            recorded.push_back(now);
        }
        is_free
    }
}

impl Tracker {
    /// Whether rejected calls are recorded.
    #[must_use]
    pub fn records_rejected(&self) -> bool {
        self.inner.rejections.is_some()
    }

    /// Records or counts a call that was rejected before it ran, as a failed execution without nodes. Nothing happens unless
    /// [`Options::record_rejected`](crate::Options::record_rejected) is set, and of a principal who may not call the flow.
    /// May block for a moment, until the flow of unknown tools is found or made.
    ///
    /// # Errors
    ///
    /// At once when the store does not answer; by the acknowledgement when the record was not written.
    pub fn reject(
        &self,
        principal: &Principal,
        call: &RejectedCall<'_>,
    ) -> Result<Option<Ack<()>>, TrackerError> {
        let Some(rejections) = &self.inner.rejections else { return Ok(None) };
        let unknown;
        let flow = match &call.tool {
            RejectedTool::Flow { flow, .. } => *flow,
            RejectedTool::Unknown(_) => {
                unknown = unknown_tool_flow(self.inner.clock.now());
                &unknown
            }
        };
        if principal.is_reader() || (flow.id != UNKNOWN_TOOL && !may_use(principal, flow)) {
            return Ok(None);
        }
        if flow.id == UNKNOWN_TOOL && self.any_flow(UNKNOWN_TOOL)?.is_none() {
            self.remember_flow(flow.clone())?;
        }
        let command = if rejections.take(principal.id, self.inner.clock.monotonic()) {
            self.rejection(principal, flow, call)?
        } else {
            Command::CountRejected { flow: flow.id, at: self.inner.clock.now() }
        };
        let receiver = self.inner.recorder.submit(command, Patience::Refusable);
        Ok(Some(Ack::new(receiver, |reply| reply.map(drop))))
    }

    fn rejection(
        &self,
        principal: &Principal,
        flow: &Flow,
        call: &RejectedCall<'_>,
    ) -> Result<Command, TrackerError> {
        let inner = &self.inner;
        let now = inner.clock.now();
        let mut meta = Map::new();
        meta.insert("rejected".to_owned(), Value::Bool(true));
        let mut start = StartExecution::of(flow, call.source).params(call.params);
        start.replay_of = call.replay_of;
        let reason = match &call.tool {
            RejectedTool::Flow { first_param, problems, .. } => {
                start.first_param = *first_param;
                // What is said of an argument may hold its value, and is as secret as that.
                let told = problems.iter().map(|(argument, problem)| match argument {
                    Some(name) => format!("{name}: {}", inner.redactor.redact_under(name, problem)),
                    None => problem.clone(),
                });
                told.collect::<Vec<_>>().join("\n")
            }
            RejectedTool::Unknown(name) => {
                // Cut after redaction: of a secret not even a part is kept.
                let name = inner.redactor.redact_under("tool", name);
                let name: String = name.chars().take(TOOL_NAME_LENGTH).collect();
                let reason = format!("Unknown tool: {name}");
                meta.insert("tool".to_owned(), Value::String(name));
                reason
            }
        };
        if let Some(Value::Object(said)) = call.meta
            && flow.capture == CapturePolicy::Full
        {
            for (name, value) in said {
                meta.entry(name).or_insert_with(|| value.clone());
            }
        }
        let mut new = inner.new_execution(principal, &start, now, None)?;
        new.is_rejected = true;
        // That it was rejected is kept by whatever policy.
        let captured = inner.capture(CapturePolicy::Full).payload(&Value::Object(meta));
        new.capture.extend(captured.mark.map(|mark| ("meta".to_owned(), mark)));
        new.meta = captured.stored;
        let outcome = Outcome::Error(ErrorInfo::new(ErrorKind::InvalidInput, reason));
        let mut end =
            new_end(&inner.capture(flow.capture), Told::Reported, Ending::now(outcome), now, Vec::new());
        end.ended_at = now;
        Ok(Command::record(new, Vec::new(), end)??)
    }
}

/// The flow of calls of tools that do not exist.
pub(super) fn unknown_tool_flow(now: OffsetDateTime) -> Flow {
    let access = Access { public: true, ..Access::default() };
    Flow { access, ..deleted_flow(UNKNOWN_TOOL, UNKNOWN_TOOL_NAME, ADMINISTRATOR, now) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_any_second_so_many_are_recorded_of_each_user() {
        let rejections = Rejections::default();
        let [one, other] = [1, 2].map(|number| UserId::from_uuid(Uuid::from_u128(number)));
        let at = |millis: u64| Duration::from_millis(5_000 + millis);
        let taken = |user, now| (0..20).filter(|_| rejections.take(user, now)).count();
        assert_eq!((taken(one, at(0)), taken(other, at(999))), (10, 10));
        assert_eq!((taken(one, at(999)), taken(one, at(1_000)), taken(one, at(1_999))), (0, 10, 0));
        assert_eq!(taken(other, at(1_500)), 0, "the second is not that of a clock");
    }

    #[test]
    fn users_are_forgotten_after_a_while() {
        let rejections = Rejections::default();
        for number in 0..5_000 {
            let user = UserId::from_uuid(Uuid::from_u128(number));
            rejections.take(user, Duration::from_millis(u64::try_from(number).unwrap()));
        }
        assert!(rejections.0.lock().unwrap().len() <= REMEMBERED_USERS + 1);
    }
}
