//! Flows, users, keys, and the processes that run executions.

use flowtrail_types::{
    ApiKey, AuditEntry, AuditQuery, Flow, FlowId, FlowKind, FlowQuery, FlowSummary, FlowVersion, InstanceId,
    KeyId, Page, Token, User, UserId,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::StoreError;

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

/// Users. Those that were deleted are found no more, but their names go on standing beside what they did.
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

    /// Remembers the name of somebody who is no user here, as if they had been deleted. One who is there, by id, stays as
    /// they are.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn remember(&self, id: UserId, name: &str, at: OffsetDateTime) -> Result<(), StoreError>;

    /// Deletes a user, with their keys and tokens. False when there is none.
    ///
    /// # Errors
    ///
    /// When nothing was deleted.
    fn delete(&self, id: UserId, at: OffsetDateTime) -> Result<bool, StoreError>;
}

/// The SHA-256 of an API key or a token, which is all that is stored of it. Each has 256 random bits, so it needs
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
    /// The key with this hash, unless it was revoked or its user was deleted. It may have expired.
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

    /// Revokes a key at once, with the tokens that were made by means of it. False when there is none.
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

/// What stands for users for a while.
pub trait TokenStore: Send + Sync {
    /// The token with this hash, and for whom it stands. It may have expired.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn lookup(&self, hash: &KeyHash) -> Result<Option<(Token, User)>, StoreError>;

    /// Adds a token. False, and nothing is added, when its user or its key is there no longer.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn add(&self, token: &Token, hash: &KeyHash) -> Result<bool, StoreError>;

    /// Deletes a token at once. Of those who do so at the same time, one is told that it was there.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn delete(&self, hash: &KeyHash) -> Result<bool, StoreError>;

    /// Deletes the tokens that expired before this time, and tells how many.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn delete_expired(&self, before: OffsetDateTime) -> Result<usize, StoreError>;
}

/// Who did what.
pub trait AuditStore: Send + Sync {
    /// Adds an entry, or changes the detail of the one with its id.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn add(&self, entry: &AuditEntry) -> Result<(), StoreError>;

    /// Does something that this store writes, on this thread, and adds the entry in the same transaction: both are written, or
    /// neither is. Without an entry when nothing had to be written.
    ///
    /// # Errors
    ///
    /// Those of `act`, and when the database does not answer.
    fn add_with(
        &self,
        entry: &AuditEntry,
        act: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// Deletes the entries from before a time but one, so many at most, and tells how many.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn delete_before(
        &self,
        before: OffsetDateTime,
        but: Option<Uuid>,
        most: u32,
    ) -> Result<usize, StoreError>;

    /// Entries, newest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn list(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError>;
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
