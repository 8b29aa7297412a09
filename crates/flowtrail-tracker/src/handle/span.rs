//! The time that an execution has, by a clock that does not jump.

use std::time::Duration;

use flowtrail_types::{Clock, ErrorInfo, ErrorKind, timestamp};
use time::OffsetDateTime;

use super::node::BegunNode;

/// When an execution of this process began, by both clocks, and how long it may take.
///
/// Whatever is done to the machine's clock while it runs: what it took is what has passed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// When it began, by the machine's clock.
    pub(crate) began_at: OffsetDateTime,
    since: Duration,
    timeout: Duration,
}

impl Span {
    /// One that begins now.
    pub(crate) fn begin(clock: &dyn Clock, timeout: Duration) -> Self {
        Self { began_at: clock.now(), since: clock.monotonic(), timeout }
    }

    /// When its time is over, by the clock that does not jump.
    pub(crate) fn deadline(&self) -> Duration {
        self.since.saturating_add(self.timeout)
    }

    /// What the machine's clock would have shown at a moment if nobody had set it meanwhile.
    pub(super) fn at(&self, monotonic: Duration) -> OffsetDateTime {
        timestamp::to_micros(self.began_at + monotonic.saturating_sub(self.since))
    }

    /// The same, at its deadline at the latest.
    pub(super) fn end_by(&self, monotonic: Duration) -> OffsetDateTime {
        self.at(monotonic.min(self.deadline()))
    }

    /// Why it was given up, and which node was running.
    pub(super) fn timeout_error(&self, running: Option<&BegunNode>) -> ErrorInfo {
        let after = self.timeout;
        match running {
            None => {
                ErrorInfo::new(ErrorKind::Timeout, format!("it took longer than {after:?} and was given up"))
            }
            Some(node) => {
                let name = &node.node_name;
                let message =
                    format!("it took longer than {after:?} and was given up while {name:?} was running");
                ErrorInfo::new(ErrorKind::Timeout, message).at_node(&node.node_id, name)
            }
        }
    }
}
