//! What is taken away, and the space that it gives back.

use flowtrail_types::{ExecutionId, ExecutionStatus, FlowId, Place};
use time::OffsetDateTime;

/// A wish to take away the older part of a flow's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewPrune {
    /// The flow.
    pub flow: FlowId,
    /// All that ended and stands below this place goes, and what stands there stays; all of it when absent.
    pub below: Option<Place>,
}

/// What one step of taking away did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PruneStep {
    /// How many executions' rows went.
    pub deleted: u64,
    /// Whether nothing is left to take away.
    pub is_done: bool,
}

/// A question for executions that ended, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedQuery {
    /// Of this flow, or of all.
    pub flow: Option<FlowId>,
    /// Those that began before this time.
    pub before: Option<OffsetDateTime>,
    /// Those that stand after this place, seen from the oldest.
    pub after: Option<Place>,
    /// How many executions are looked at, pending ones too.
    pub limit: u32,
}

/// An execution that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Where it stands.
    pub place: Place,
    /// Its flow.
    pub flow: FlowId,
    /// How it ended.
    pub status: ExecutionStatus,
    /// What its data takes, in bytes as they are stored.
    pub bytes: i64,
}

impl Ended {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> ExecutionId {
        self.place.id
    }
}

/// Some executions that ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndedPage {
    /// They.
    pub items: Vec<Ended>,
    /// How far was looked; absent when nothing comes after.
    pub searched_to: Option<Place>,
}

/// What a table takes with its indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSize {
    /// Its name.
    pub name: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes of them that hold nothing, and that new rows will use.
    pub free: u64,
}

/// What a database takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StorageSize {
    /// Its tables, the largest first.
    pub tables: Vec<TableSize>,
    /// All of it on disk, in bytes, with what is not yet moved from the log.
    pub bytes: u64,
    /// Bytes that can be given back to the file system, or used again.
    pub reclaimable: u64,
    /// How that happens, in a sentence.
    pub how: &'static str,
}
