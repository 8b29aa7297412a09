//! What is needed to run an execution again.

use std::sync::Arc;

use flowtrail_types::{Execution, ExecutionId, Flow, Payload, Principal};
use serde_json::{Map, Value};

use crate::{Tracker, TrackerError};

impl Tracker {
    /// The flow of an execution as it is today, and what the execution was given, if that was kept whole. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`] when the principal may not see the execution or call its flow, or the flow was deleted;
    /// [`TrackerError::Incomplete`] when it was not kept as it was.
    pub fn to_replay(
        &self,
        principal: &Principal,
        id: ExecutionId,
    ) -> Result<(Arc<Flow>, Map<String, Value>), TrackerError> {
        let original = self.execution(principal, id)?;
        let flow = self.flow(principal, original.summary.guarding_flow_id)?;
        Ok((flow, params(&original)?))
    }
}

/// What the original was given, if it was kept as it was.
pub(super) fn params(original: &Execution) -> Result<Map<String, Value>, TrackerError> {
    let mark = original.capture.get("initialParams");
    // Whatever else a mark says, what is not missing is there.
    if let Some(mark) = mark.filter(|mark| !mark.captured || mark.truncated || mark.redacted) {
        return Err(TrackerError::Incomplete(match (mark.captured, mark.truncated) {
            (false, _) => "were not kept",
            (true, true) => "were cut",
            (true, false) => "held a secret, which was taken out",
        }));
    }
    match original.initial_params.as_ref().map(Payload::to_value) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(params)) => Ok(params),
        Some(_) => Err(TrackerError::Incomplete("are not an object")),
    }
}
