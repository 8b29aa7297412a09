//! The living flows, in memory, so that a call reads no database to find its flow.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use flowtrail_store::{Store, StoreError};
use flowtrail_types::Flow;
use tokio::sync::watch;

/// The living flows as they were at one revision.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    revision: i64,
    /// By tool name, in its order.
    pub(crate) tools: Vec<Arc<Flow>>,
    by_tool_name: HashMap<String, Arc<Flow>>,
}

impl Snapshot {
    /// How often any flow had changed.
    pub(crate) fn revision(&self) -> i64 {
        self.revision
    }

    pub(crate) fn tool(&self, name: &str) -> Option<&Arc<Flow>> {
        self.by_tool_name.get(name)
    }
}

/// The living flows, renewed when their revision has moved.
#[derive(Debug)]
pub(crate) struct Catalog {
    current: RwLock<Arc<Snapshot>>,
    changed: watch::Sender<i64>,
}

impl Catalog {
    pub(crate) fn load(store: &dyn Store) -> Result<Self, StoreError> {
        let snapshot = read(store)?;
        let changed = watch::Sender::new(snapshot.revision);
        Ok(Self { current: RwLock::new(Arc::new(snapshot)), changed })
    }

    pub(crate) fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells of every change, by this process or another.
    pub(crate) fn changes(&self) -> watch::Receiver<i64> {
        self.changed.subscribe()
    }

    /// Reads the flows again if their revision has moved. True when it had.
    pub(crate) fn refresh(&self, store: &dyn Store) -> Result<bool, StoreError> {
        if store.flows().revision()? == self.current().revision {
            return Ok(false);
        }
        let snapshot = read(store)?;
        let revision = snapshot.revision;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have read a later one.
        if revision <= current.revision {
            return Ok(false);
        }
        *current = Arc::new(snapshot);
        drop(current);
        self.changed.send_replace(revision);
        Ok(true)
    }
}

fn read(store: &dyn Store) -> Result<Snapshot, StoreError> {
    // Before the flows: if they change in between, the next look sees a newer revision and reads them again.
    let revision = store.flows().revision()?;
    let mut snapshot = Snapshot { revision, ..Snapshot::default() };
    for flow in store.flows().list_all()? {
        let flow = Arc::new(flow);
        if let Some(name) = &flow.tool_name {
            let name = name.as_str().to_owned();
            snapshot.by_tool_name.insert(name, Arc::clone(&flow));
            snapshot.tools.push(flow);
        }
    }
    Ok(snapshot)
}
