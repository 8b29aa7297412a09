//! A store that keeps everything in this process: the same rules, no durability.
//!
//! For tests of what stands above a store, and for programs that want no file.

mod executions;
mod lists;
mod principals;
mod resources;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Debug};
use std::sync::{Mutex, MutexGuard, PoisonError};

use flowtrail_types::{
    ApiKey, AuditEntry, Digest, Execution, ExecutionId, Flow, FlowId, FlowVersion, InstanceId, KeyId, Tally,
    Token, User, UserId,
};

use crate::fold::{Changes, KnownNode};
use crate::{
    AuditStore, ExecutionStore, FlowStore, InstanceStore, KeyHash, KeyStore, Store, StoreError, TokenStore,
    Upkeep, UserStore,
};

/// A store in memory.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    executions: BTreeMap<ExecutionId, Row>,
    /// What happened, by flow and hour, and what of it was taken away since.
    recorded: Changes,
    removed: Changes,
    flows: BTreeMap<FlowId, Flow>,
    versions: BTreeMap<(FlowId, i32), FlowVersion>,
    revision: i64,
    users: BTreeMap<UserId, User>,
    deleted_users: BTreeSet<UserId>,
    keys: BTreeMap<KeyId, (ApiKey, KeyHash)>,
    tokens: HashMap<KeyHash, Token>,
    audit: Vec<AuditEntry>,
    /// Registered processes, and whether they are alive.
    instances: HashMap<InstanceId, bool>,
}

/// An execution with what is kept beside it for the rules.
struct Row {
    execution: Execution,
    /// The flow, also once it is deleted.
    flow_id: FlowId,
    /// When it was restored from an export.
    imported_at: Option<time::OffsetDateTime>,
    deadline_at: time::OffsetDateTime,
    digest: Digest,
    end_digest: Option<Digest>,
    nodes: BTreeMap<i32, KnownNode>,
    /// What it is found by while it waits for another message.
    waiting: Vec<Digest>,
    /// What its data took when it was recorded at once.
    bytes: i64,
    /// Whether it is a call that was rejected.
    is_rejected: bool,
}

impl Row {
    fn is_imported_since(&self, since: time::OffsetDateTime) -> bool {
        self.imported_at.is_some_and(|at| at >= since)
    }

    fn count_in(&self, tally: &mut Tally) {
        let summary = &self.execution.summary;
        if self.is_rejected {
            tally.add_rejected(self.bytes, 1);
        } else {
            tally.add(summary.status, summary.duration_us(), self.bytes, 1);
        }
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic between two changes of the state would be a bug here; the state is still readable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("MemoryStore")
            .field("executions", &state.executions.len())
            .field("flows", &state.flows.len())
            .finish_non_exhaustive()
    }
}

impl Store for MemoryStore {
    fn executions(&self) -> &dyn ExecutionStore {
        self
    }

    fn flows(&self) -> &dyn FlowStore {
        self
    }

    fn users(&self) -> &dyn UserStore {
        self
    }

    fn keys(&self) -> &dyn KeyStore {
        self
    }

    fn tokens(&self) -> &dyn TokenStore {
        self
    }

    fn audit(&self) -> &dyn AuditStore {
        self
    }

    fn instances(&self) -> &dyn InstanceStore {
        self
    }

    fn upkeep(&self) -> &dyn Upkeep {
        self
    }

    fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn foreign_changes(&self) -> Result<Option<i64>, StoreError> {
        // Nobody else can write to it, so the number never changes.
        Ok(Some(0))
    }

    fn rules_mark(&self) -> Option<u64> {
        // Looking it up takes no longer.
        None
    }

    fn content_mark(&self) -> Option<u64> {
        None
    }
}
