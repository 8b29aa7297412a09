//! The traits. One for each resource, behind one accessor.

mod executions;
mod resources;
mod upkeep;

use std::fmt::Debug;

pub use executions::{
    Counted, DataSize, ExecutionStore, ForeignWrites, Found, MOST_SORTED, NodePage, PendingExecution,
    StatusCounts,
};
pub use resources::{
    AuditStore, FlowStore, InstanceStore, KeyHash, KeyStore, RecognisedKey, TokenStore, UserStore,
    VisibleFlows,
};
pub use upkeep::{Job, PoolState, Upkeep};

use crate::StoreError;

/// A database, seen from above. All calls block; but for those of marks none is cheap enough to be made on an async
/// executor.
pub trait Store: Debug + Send + Sync + 'static {
    /// Executions and their history.
    fn executions(&self) -> &dyn ExecutionStore;
    /// Flows and their definitions.
    fn flows(&self) -> &dyn FlowStore;
    /// Users.
    fn users(&self) -> &dyn UserStore;
    /// API keys.
    fn keys(&self) -> &dyn KeyStore;
    /// What stands for users for a while.
    fn tokens(&self) -> &dyn TokenStore;
    /// Who did what.
    fn audit(&self) -> &dyn AuditStore;
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

    /// A number that is another one whenever a key, a token, a user or a flow has changed since, by whatever process; none
    /// where that cannot be told. Cheap enough to be asked on an async executor: what was looked up under one number
    /// need not be looked up again under the same.
    fn rules_mark(&self) -> Option<u64>;

    /// The same for all that can be read: another number whenever anything has been committed since, by whatever process.
    /// The first call may block.
    fn content_mark(&self) -> Option<u64>;
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

    fn tokens(&self) -> &dyn TokenStore {
        (**self).tokens()
    }

    fn audit(&self) -> &dyn AuditStore {
        (**self).audit()
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

    fn rules_mark(&self) -> Option<u64> {
        (**self).rules_mark()
    }

    fn content_mark(&self) -> Option<u64> {
        (**self).content_mark()
    }
}
