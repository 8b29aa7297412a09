//! The traits. One for each resource, behind one accessor.

use std::fmt::Debug;

use flowtrail_types::{
    ApiKey, Execution, ExecutionId, ExecutionQuery, ExecutionSummary, Flow, FlowId, FlowKind, FlowQuery,
    FlowSummary, FlowVersion, InstanceId, KeyId, Page, Place, StatsQuery, StatsScope, Step, Tally, User,
    UserId,
};
use time::OffsetDateTime;

use crate::{Applied, Command, EndedPage, EndedQuery, NewPrune, PruneStep, Refusal, StorageSize, StoreError};

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
    /// The database itself: what it takes, what goes, what is left behind when it is gone.
    fn upkeep(&self) -> &dyn Upkeep;

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

/// A store that was chosen at run time.
impl Store for Box<dyn Store> {
    fn executions(&self) -> &dyn ExecutionStore {
        (**self).executions()
    }

    fn flows(&self) -> &dyn FlowStore {
        (**self).flows()
    }

    fn users(&self) -> &dyn UserStore {
        (**self).users()
    }

    fn keys(&self) -> &dyn KeyStore {
        (**self).keys()
    }

    fn instances(&self) -> &dyn InstanceStore {
        (**self).instances()
    }

    fn upkeep(&self) -> &dyn Upkeep {
        (**self).upkeep()
    }

    fn check(&self) -> Result<(), StoreError> {
        (**self).check()
    }

    fn foreign_changes(&self) -> Result<Option<i64>, StoreError> {
        (**self).foreign_changes()
    }
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

    /// The same, but what was written is sure to survive only when a [`flush`](Self::flush) has returned that was called
    /// afterwards. Until then it can be read already. For stores that write one batch while the disk takes the last one.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit).
    fn commit_unflushed(&self, batch: &[Command]) -> Result<Vec<Result<Applied, Refusal>>, StoreError> {
        self.commit(batch)
    }

    /// Waits until the disk has all that was written before.
    ///
    /// # Errors
    ///
    /// When it refuses. Nothing that was written since the last flush may be acknowledged then.
    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

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

    /// One page, newest first by start, then by id. Reads no payload, and no more rows than a bound: a filter that
    /// has no index of its own may stop before the page is full, and then tells how far it got.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn list(&self, query: &ExecutionQuery) -> Result<Found, StoreError>;

    /// How many executions a query finds, looking at no more than `bound`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn count(&self, query: &ExecutionQuery, bound: u32) -> Result<Counted, StoreError>;

    /// How many executions stand in each status, from counters that are kept in the transactions that write
    /// executions.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn status_counts(&self, scope: &StatsScope) -> Result<StatusCounts, StoreError>;

    /// What is counted of the executions that began in some hours, from the same counters. The cost is the number of
    /// days and hours at the edges that are asked for, not the number of executions.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn tally(&self, query: &StatsQuery) -> Result<Tally, StoreError>;

    /// The same for each hour or day in which there is something, oldest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn tally_by(&self, query: &StatsQuery, step: Step) -> Result<Vec<(OffsetDateTime, Tally)>, StoreError>;

    /// When the newest execution began.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn last_started_at(&self, scope: &StatsScope) -> Result<Option<OffsetDateTime>, StoreError>;

    /// When the execution was recorded that was recorded last. What is recorded by the same process after it was asked
    /// has a later time.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn last_recorded_at(&self) -> Result<Option<OffsetDateTime>, StoreError>;

    /// Which executions other processes have written to since this was last asked, so that who watches can look at them.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn foreign_writes(&self) -> Result<ForeignWrites, StoreError>;

    /// Deletes executions, in one transaction, and tells which. Pending ones stay, and those that are not there are no
    /// error.
    ///
    /// # Errors
    ///
    /// When nothing was deleted.
    fn delete(&self, ids: &[ExecutionId]) -> Result<Vec<ExecutionId>, StoreError>;

    /// Takes the older part of the history of a flow, or of all, out of every answer and every statistic, at once,
    /// whatever its size, and tells how many executions that were. Their rows go by
    /// [`continue_prune`](Self::continue_prune). What is pending now stays, and so does what is recorded from now on,
    /// whenever it began. It waits until the rows are deleted of one that reaches further and goes on.
    ///
    /// # Errors
    ///
    /// When nothing was taken out; [`StoreError::Internal`] for a wish that [`NewPrune::check`] refuses.
    fn begin_prune(&self, prune: &NewPrune) -> Result<u64, StoreError>;

    /// Deletes the rows of at most so many executions that were taken out, in one transaction.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn continue_prune(&self, limit: u32) -> Result<PruneStep, StoreError>;

    /// Executions that ended, oldest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn list_ended(&self, query: &EndedQuery) -> Result<EndedPage, StoreError>;

    /// Packs the data of at most so many executions that ended before this time and whose data is not packed yet, in
    /// one transaction, and tells how many.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn pack(&self, ended_before: OffsetDateTime, limit: u32) -> Result<usize, StoreError>;

    /// The pending executions of a process, oldest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn list_pending(&self, instance: InstanceId, limit: u32) -> Result<Vec<ExecutionId>, StoreError>;

    /// The pending executions of a process, and those that no process runs, whose deadline has passed, at most `limit`.
    /// Those of another process are its own to judge: its clock may tell another time.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn list_overdue(
        &self,
        instance: InstanceId,
        now: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<ExecutionId>, StoreError>;

    /// The pending executions of a process that somebody asked to stop.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn list_cancel_requested(&self, instance: InstanceId) -> Result<Vec<ExecutionId>, StoreError>;
}

/// A page of executions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// They.
    pub items: Vec<ExecutionSummary>,
    /// How far was searched, when the search stopped before the page was full though more may come.
    pub searched_to: Option<Place>,
}

/// What other processes have written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ForeignWrites {
    /// The executions that they wrote to.
    pub executions: Vec<ExecutionId>,
    /// Whether there may be more: then whoever watches has to look at everything again.
    pub missed: bool,
}

/// A number of executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// How many there are, or at least.
    pub count: u64,
    /// Whether there are no more.
    pub is_exact: bool,
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
    /// Those of a tally.
    #[must_use]
    pub fn of_tally(tally: &Tally) -> Self {
        let count = |value: i64| u64::try_from(value).unwrap_or(0);
        Self {
            pending: count(tally.pending),
            fulfilled: count(tally.fulfilled),
            error: count(tally.error),
            aborted: count(tally.aborted),
        }
    }

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

/// Work that one process does for all that share a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Job {
    /// Retention, packing, giving back space.
    Upkeep,
}

impl Job {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::Upkeep];

    /// Its name, for locks.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upkeep => "upkeep",
        }
    }
}

/// The database itself.
pub trait Upkeep: Send + Sync {
    /// Tries to be the one process that does a job, and stays it until the process ends or cannot reach the database
    /// any more. False while another one is.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn lead(&self, job: Job) -> Result<bool, StoreError>;

    /// What the database takes, table by table. Reads all of it.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn size(&self) -> Result<StorageSize, StoreError>;

    /// What the database takes on disk now, in bytes, with its log. Cheap.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn bytes_on_disk(&self) -> Result<u64, StoreError>;

    /// What of it is in use: what would be left if all that is free were given back. Cheap.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn bytes_in_use(&self) -> Result<u64, StoreError>;

    /// How many bytes nothing uses that could be given back now. Cheap.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn bytes_to_give_back(&self) -> Result<u64, StoreError>;

    /// Never lets the database grow beyond so many bytes, log included. A write that would is refused as
    /// [`StoreError::NotWritable`].
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn set_ceiling(&self, bytes: u64) -> Result<(), StoreError>;

    /// Gives at most so many bytes that nothing uses back to the file system, and tells how many. What the database
    /// does so by itself is not told.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn give_back(&self, most: u64) -> Result<u64, StoreError>;

    /// Writes a consistent copy of the database to a file that is not there yet, while it is in use. It holds all that
    /// was committed before it began. `progress` is told the bytes written, now and then.
    ///
    /// # Errors
    ///
    /// When the file is there, cannot be written, or this database is copied by its own tools.
    fn backup(&self, to: &std::path::Path, progress: &(dyn Fn(u64) + Sync)) -> Result<(), StoreError>;
}
