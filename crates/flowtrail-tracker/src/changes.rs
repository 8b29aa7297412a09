//! What has changed, for those who watch.

use std::sync::Arc;

use flowtrail_types::{ExecutionId, FlowId, UserId};
use tokio::sync::broadcast;

use crate::{NodeProgress, Tracker};

/// Something happened, in this process or another one.
#[derive(Debug, Clone, PartialEq)]
pub enum Changed {
    /// To these executions. It is on disk: whoever reads them now sees it.
    Executions(Arc<[ExecutionId]>),
    /// A node of an execution that runs in this process began, or ended, which is on disk soon.
    Node(Arc<NodeProgress>),
    /// An execution was deleted.
    Deleted {
        /// Which.
        execution: ExecutionId,
        /// Of which flow.
        flow: FlowId,
        /// Who had started it.
        user: Option<UserId>,
    },
    /// Executions of this flow were deleted, many at once.
    Thinned(FlowId),
    /// Nobody knows to which: look at everything again.
    Missed,
}

/// How many changes may wait for a slow watcher before it misses some.
pub(crate) const WAITING: usize = 8_192;

impl Tracker {
    /// Tells of what is written from now on: at once what this process writes, within a moment what others do. A receiver
    /// that is too slow is told that it lagged, and then has to look at everything again.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Changed> {
        self.inner.changes.subscribe()
    }
}
