//! What is taken away, and the space that it gives back.

use flowtrail_types::{ExecutionId, ExecutionStatus, FlowId, Place, Step};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::StoreError;

/// A wish to take away the older part of the history of a flow, or of all flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewPrune {
    /// The flow, or all of them when absent.
    pub flow: Option<FlowId>,
    /// All that ended and stands below this place goes, and what stands there stays; all of it when absent. Of all flows
    /// nothing goes but whole hours: there the place is the beginning of an hour, with the nil id.
    pub below: Option<Place>,
}

impl NewPrune {
    /// Takes away of a flow what stands below a place, or all of it.
    #[must_use]
    pub fn of_flow(flow: FlowId, below: Option<Place>) -> Self {
        Self { flow: Some(flow), below }
    }

    /// Takes away of all flows what began before the hour in which this time lies.
    #[must_use]
    pub fn of_all(at: OffsetDateTime) -> Self {
        Self { flow: None, below: Some(beginning(Step::Hour.begin(at))) }
    }

    /// Refuses what no store does.
    ///
    /// # Errors
    ///
    /// [`StoreError::Internal`] when it is of all flows and its place is not the beginning of an hour.
    pub fn check(&self) -> Result<(), StoreError> {
        let is_whole_hours =
            self.below.is_some_and(|below| below == beginning(Step::Hour.begin(below.started_at)));
        if self.flow.is_some() || is_whole_hours {
            return Ok(());
        }
        let reason = "a prune of all flows ends with the beginning of an hour".to_owned();
        Err(StoreError::Internal { reason, source: None })
    }
}

/// The place that nothing stands below that began then.
fn beginning(at: OffsetDateTime) -> Place {
    Place { started_at: at, id: ExecutionId::from_uuid(Uuid::nil()) }
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
    /// Without those that were restored from an export since this time.
    pub spare_imported_since: Option<OffsetDateTime>,
    /// How many executions are looked at, pending ones too.
    pub limit: u32,
}

/// How many executions of a flow were restored from exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportedOf {
    /// The flow.
    pub flow: FlowId,
    /// How many.
    pub count: u64,
    /// What their data takes.
    pub bytes: i64,
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
