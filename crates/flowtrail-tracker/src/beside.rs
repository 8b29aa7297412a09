//! What is told by somebody who stands beside an execution and watches it, as the proxy does: a little later than it
//! happens, and not always all of it.

use flowtrail_types::lifecycle::Outcome;
use serde_json::Value;
use time::OffsetDateTime;

use crate::Sent;

/// How an execution ended.
#[derive(Debug, Clone)]
pub struct Ending<'a> {
    /// How.
    pub outcome: Outcome,
    /// What it produced.
    pub outputs: Option<Sent<'a>>,
    /// How many bytes of JSON all outputs have, when `outputs` is only their beginning.
    pub whole_size: Option<u64>,
    /// What the reporter says besides, when more of it is known than at the start.
    pub meta: Option<&'a Value>,
    /// When; now when not told.
    pub ended_at: Option<OffsetDateTime>,
}

impl Ending<'_> {
    /// An execution that ends now, without outputs.
    #[must_use]
    pub fn now(outcome: Outcome) -> Self {
        Self { outcome, outputs: None, whole_size: None, meta: None, ended_at: None }
    }
}

/// Something that happened in the course of an execution and took no time, such as a message about its progress. It is
/// kept as a node execution.
#[derive(Debug, Clone, Copy)]
pub struct Happening<'a> {
    /// What stands for the node's id.
    pub id: &'a str,
    /// Its name for people.
    pub name: &'a str,
    /// What kind of thing it is; what stands for the node's type.
    pub kind: &'a str,
    /// The how manieth it is of its kind, from 0.
    pub number: Option<i32>,
    /// What was told.
    pub data: Sent<'a>,
    /// When.
    pub at: OffsetDateTime,
}
