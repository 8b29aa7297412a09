//! Executions that were restored from an export a moment ago. They are old, and rules would take them away before anybody has
//! seen them.

use flowtrail_store::{ImportedOf, Store, StoreError};
use flowtrail_types::FlowId;
use time::OffsetDateTime;

/// For how long rules leave alone what was restored.
const SPARED_FOR: time::Duration = time::Duration::HOUR;

/// What rules leave alone.
#[derive(Debug)]
pub(super) struct Spared {
    /// Since when it was restored.
    pub(super) since: OffsetDateTime,
    of: Vec<ImportedOf>,
}

impl Spared {
    pub(super) fn find(store: &dyn Store, now: OffsetDateTime) -> Result<Self, StoreError> {
        let since = now - SPARED_FOR;
        Ok(Self { since, of: store.executions().imported_since(since)? })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// How many they are of this flow, or of all but those that are excepted.
    pub(super) fn count(&self, flow: Option<FlowId>, excepted: &[FlowId]) -> u64 {
        self.within(flow, excepted).map(|of| of.count).sum()
    }

    /// What the data of those takes.
    pub(super) fn bytes(&self, flow: Option<FlowId>, excepted: &[FlowId]) -> i64 {
        self.within(flow, excepted).map(|of| of.bytes).sum()
    }

    fn within<'a>(
        &'a self,
        flow: Option<FlowId>,
        excepted: &'a [FlowId],
    ) -> impl Iterator<Item = &'a ImportedOf> {
        self.of
            .iter()
            .filter(move |of| flow.is_none_or(|flow| of.flow == flow) && !excepted.contains(&of.flow))
    }
}
