//! Which executions, which flows.

use serde::Serialize;
use time::OffsetDateTime;

use crate::{Cursor, Digest, ExecutionStatus, FlowId, PageRequest, Source, UserId, timestamp};

/// What executions are wanted. An empty filter wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutionFilter {
    /// Of this flow.
    pub flow: Option<FlowId>,
    /// With this status.
    pub status: Option<ExecutionStatus>,
    /// Reported by this source.
    pub source: Option<Source>,
    /// Started by this user.
    pub user: Option<UserId>,
    /// That began at this time or later.
    pub from: Option<OffsetDateTime>,
    /// That began before this time.
    pub to: Option<OffsetDateTime>,
}

impl ExecutionFilter {
    /// Those of one flow.
    #[must_use]
    pub fn of_flow(flow: FlowId) -> Self {
        Self { flow: Some(flow), ..Self::default() }
    }

    /// Whether nothing but the flow and the status is asked for: then counters know the total.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.source.is_none() && self.user.is_none() && self.from.is_none() && self.to.is_none()
    }

    /// The filter and the order as a number that a cursor carries, so that it is not used with another.
    #[must_use]
    pub fn fingerprint(&self, sort: SortKey, direction: SortDirection) -> u32 {
        let time = |at: Option<OffsetDateTime>| at.map_or(i64::MIN, timestamp::unix_micros).to_le_bytes();
        let digest = Digest::of(&[
            self.flow.as_ref().map_or(&[][..], |flow| flow.as_uuid().as_bytes()),
            self.status.map_or("", ExecutionStatus::as_str).as_bytes(),
            self.source.map_or("", Source::as_str).as_bytes(),
            self.user.as_ref().map_or(&[][..], |user| user.as_uuid().as_bytes()),
            &time(self.from),
            &time(self.to),
            &[sort as u8, direction as u8],
        ]);
        let [a, b, c, d, ..] = *digest.as_bytes();
        u32::from_be_bytes([a, b, c, d])
    }
}

/// What a list of executions is sorted by. The id breaks ties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SortKey {
    /// When they began.
    #[default]
    StartedAt,
}

/// In which direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SortDirection {
    /// Newest first.
    #[default]
    Descending,
}

/// What of the history a principal may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visibility {
    /// Everything.
    All,
    /// Some of it.
    Limited {
        /// Everything of these flows.
        flows: Vec<FlowId>,
        /// Of every other public flow, what this user started.
        user: UserId,
        /// The public flows, of which they see their own executions.
        own_in: Vec<FlowId>,
    },
}

/// A question for a page of executions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionQuery {
    /// Which ones are wanted.
    pub filter: ExecutionFilter,
    /// Which ones may be seen.
    pub visibility: Visibility,
    /// Only what was recorded at this time or earlier.
    pub as_of: Option<OffsetDateTime>,
    /// Only what stands after this place.
    pub after: Option<Cursor>,
    /// How many of them are left out from the beginning.
    pub offset: u64,
    /// How many are wanted.
    pub limit: u32,
}

/// A question for a page of flows, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlowQuery {
    /// Whose flows: those that this user owns or that are shared with them. Everyone's when absent.
    pub visible_to: Option<UserId>,
    /// Text that the name or the tool name has, whatever its case.
    pub text: Option<String>,
    /// Which part of them.
    pub page: PageRequest,
}
