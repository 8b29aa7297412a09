//! The traits. One for each resource, behind one accessor.

use std::fmt::Debug;

use flowtrail_types::{
    ApiKey, Execution, ExecutionId, ExecutionQuery, ExecutionSummary, Flow, FlowId, FlowKind, FlowQuery,
    FlowSummary, FlowVersion, InstanceId, KeyId, Page, User, UserId,
};
use time::OffsetDateTime;

use crate::{Applied, Command, Refusal, StoreError};

/// A database, seen from above. All calls block; none is cheap enough to be made on an async executor.
pub trait Store: Debug + Send + Sync + 'static {
    /// Executions and their history.
    fn executions(&self) -> &dyn ExecutionStore;
    /// Flows and their definitions.
    fn flows(&self) -> &dyn FlowStore;
    /// Users.
    fn users(&self) -> &dyn UserStore;
    /// API keys.
    fn keys(&self) -> &dyn KeyStore;
    /// Processes that run executions.
    fn instances(&self) -> &dyn InstanceStore;

    /// Whether the database answers and its schema is current.
    ///
    /// # Errors
    ///
    /// When it is not.
    fn check(&self) -> Result<(), StoreError>;

    /// A number that changes whenever another process has written, if the database can tell cheaply.
    /// It lets a server skip looking for changes that cannot be there.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn foreign_changes(&self) -> Result<Option<i64>, StoreError>;
}

/// Executions and their history.
pub trait ExecutionStore: Send + Sync {
    /// Writes a batch of commands, in their order, in one transaction. When this returns, what was written
    /// survives the death of the process, as far as the store survives it at all.
    ///
    /// A command that breaks a rule gets its own refusal and leaves nothing behind; the rest is written.
    ///
    /// # Errors
    ///
    /// When nothing of the batch was written.
    fn commit(&self, batch: &[Command]) -> Result<Vec<Result<Applied, Refusal>>, StoreError>;

    /// An execution with all its data.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn lookup(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError>;

    /// An execution without its data.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn lookup_summary(&self, id: ExecutionId) -> Result<Option<ExecutionSummary>, StoreError>;

    /// One page, newest first by start, then by id. Reads no payload.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn list(&self, query: &ExecutionQuery) -> Result<Vec<ExecutionSummary>, StoreError>;

    /// How many executions a query finds, counting no further than `bound`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn count(&self, query: &ExecutionQuery, bound: u64) -> Result<u64, StoreError>;

    /// How many executions of a flow, or of all, stand in each status, from counters that are kept in the
    /// transactions that write executions.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn status_counts(&self, flow: Option<FlowId>) -> Result<StatusCounts, StoreError>;

    /// The pending executions of a process, oldest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn list_pending(&self, instance: InstanceId, limit: u32) -> Result<Vec<ExecutionId>, StoreError>;

    /// The pending executions whose deadline has passed, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn list_overdue(&self, now: OffsetDateTime, limit: u32) -> Result<Vec<ExecutionId>, StoreError>;

    /// The pending executions of a process that somebody asked to stop.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn list_cancel_requested(&self, instance: InstanceId) -> Result<Vec<ExecutionId>, StoreError>;
}

/// How many executions stand in each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusCounts {
    /// Not ended.
    pub pending: u64,
    /// Ended as they should.
    pub fulfilled: u64,
    /// Failed.
    pub error: u64,
    /// Stopped.
    pub aborted: u64,
}

impl StatusCounts {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.pending + self.fulfilled + self.error + self.aborted
    }

    /// Those with one status.
    #[must_use]
    pub fn of(&self, status: flowtrail_types::ExecutionStatus) -> u64 {
        use flowtrail_types::ExecutionStatus::{Aborted, Error, Fulfilled, Pending};
        match status {
            Pending => self.pending,
            Fulfilled => self.fulfilled,
            Error => self.error,
            Aborted => self.aborted,
        }
    }
}

/// The flows whose history a user may see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VisibleFlows {
    /// Those that they own or that are shared with them: everything of them.
    pub full: Vec<FlowId>,
    /// Those that are only public: what they started themselves.
    pub own_only: Vec<FlowId>,
}

/// Flows and their definitions.
pub trait FlowStore: Send + Sync {
    /// A flow, deleted or not.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn lookup(&self, id: FlowId) -> Result<Option<Flow>, StoreError>;

    /// The flow that has this tool name and is not deleted.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn lookup_tool(&self, tool_name: &str) -> Result<Option<Flow>, StoreError>;

    /// The oldest flow of this kind, name and owner that is not deleted.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn lookup_named(&self, kind: FlowKind, name: &str, owner: UserId) -> Result<Option<Flow>, StoreError>;

    /// A definition that a flow has or had.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn lookup_version(&self, flow: FlowId, version: i32) -> Result<Option<FlowVersion>, StoreError>;

    /// One page of the flows that are not deleted, by name, then by id.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn list(&self, query: &FlowQuery, now: OffsetDateTime) -> Result<Page<FlowSummary>, StoreError>;

    /// The flows whose history a user may see, those that are deleted too.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn list_visible(&self, user: UserId) -> Result<VisibleFlows, StoreError>;

    /// All flows that are not deleted, active or not, with their definitions, by tool name.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn list_all(&self) -> Result<Vec<Flow>, StoreError>;

    /// A number that grows with every change of any flow, by whatever process.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn revision(&self) -> Result<i64, StoreError>;

    /// Adds flows, all or none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Taken`] when an id or a tool name is; nothing was added then.
    fn add(&self, flows: &[Flow]) -> Result<(), StoreError>;

    /// Writes a changed flow over the one that was read. Its version is kept beside the older ones.
    ///
    /// # Errors
    ///
    /// [`StoreError::Changed`] when the flow's `updated_at` is no longer `seen`, or it was deleted;
    /// [`StoreError::Taken`] when the new tool name is.
    fn update(&self, flow: &Flow, seen: OffsetDateTime) -> Result<(), StoreError>;

    /// Marks a flow as deleted: its tool name is free again, its history stays. False when there is none.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn delete(&self, id: FlowId, at: OffsetDateTime) -> Result<bool, StoreError>;
}

/// Users.
pub trait UserStore: Send + Sync {
    /// A user.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn lookup(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// The oldest user with this name.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn lookup_named(&self, name: &str) -> Result<Option<User>, StoreError>;

    /// All users, by name.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn list(&self) -> Result<Vec<User>, StoreError>;

    /// Adds a user. One that is there already, by id, stays as it is.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn add(&self, user: &User) -> Result<(), StoreError>;
}

/// The SHA-256 of an API key, which is all that is stored of it. A key has 256 random bits, so it needs
/// neither salt nor a slow hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

/// A key that was shown, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecognisedKey {
    /// The key.
    pub key: ApiKey,
    /// Its user.
    pub user: User,
}

/// API keys.
pub trait KeyStore: Send + Sync {
    /// The key with this hash, unless it was revoked. It may have expired.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn lookup(&self, hash: &KeyHash) -> Result<Option<RecognisedKey>, StoreError>;

    /// The keys of a user, or of all, that are not revoked, oldest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn list(&self, user: Option<UserId>) -> Result<Vec<ApiKey>, StoreError>;

    /// Adds a key, or writes it over the one that has its id.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or the user is unknown.
    fn add(&self, key: &ApiKey, hash: &KeyHash) -> Result<(), StoreError>;

    /// Revokes a key at once. False when there is none.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn revoke(&self, id: KeyId) -> Result<bool, StoreError>;

    /// Notes that a key was used.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn touch(&self, id: KeyId, at: OffsetDateTime) -> Result<(), StoreError>;
}

/// Processes that run executions.
pub trait InstanceStore: Send + Sync {
    /// Makes it known that a process lives. It counts as alive until it is [released](Self::release), its
    /// store is dropped, or it dies.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or the sign of life cannot be given.
    fn register(&self, id: InstanceId, at: OffsetDateTime) -> Result<(), StoreError>;

    /// The processes that were registered and are dead now.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn list_dead(&self) -> Result<Vec<InstanceId>, StoreError>;

    /// Forgets a process that is dead, once nothing of it is pending.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn forget(&self, id: InstanceId) -> Result<(), StoreError>;

    /// A process of this store stops being alive.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn release(&self, id: InstanceId) -> Result<(), StoreError>;
}
