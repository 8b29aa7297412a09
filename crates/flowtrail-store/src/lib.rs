//! What Flowtrail asks of a database.
//!
//! * [`Store`] is the accessor; behind it stands one small trait per resource: [`ExecutionStore`],
//!   [`FlowStore`], [`UserStore`], [`KeyStore`], [`TokenStore`], [`AuditStore`], [`InstanceStore`]. All of them block.
//! * [`Command`] is the one way in which executions are written; a store takes a batch of them in one
//!   transaction. [`fold`](mod@fold) turns a batch into rows, and decides every outcome, for all stores alike.
//! * [`MemoryStore`] keeps everything in this process, honestly: the same rules, no durability.
//! * `conformance`, behind the feature of that name, is the suite that every store must pass:
//!
//! ```text
//! flowtrail_store::conformance_suite!(make_a_fresh_store);
//! ```

mod command;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
pub mod fold;
mod memory;
mod pack;
mod prune;
mod store;

pub use command::{Applied, Command, Handover, Import, NewEnd, NewExecution, NewNode, Refusal};
pub use error::{Damage, StoreError};
pub use memory::MemoryStore;
pub use pack::{ExecutionData, InvalidPack, MOST_PACKED, NodeDigests, Packed};
pub use prune::{Ended, EndedPage, EndedQuery, ImportedOf, NewPrune, PruneStep, StorageSize, TableSize};
pub use store::{
    AuditStore, Counted, DataSize, ExecutionStore, FlowStore, ForeignWrites, Found, InstanceStore, Job,
    KeyHash, KeyStore, MOST_SORTED, NodePage, PendingExecution, PoolState, RecognisedKey, StatusCounts,
    Store, TokenStore, Upkeep, UserStore, VisibleFlows,
};
