//! When something passed, by a clock that can be told to people and by one that does not jump.

use std::time::Instant;

use time::OffsetDateTime;

/// A moment of this process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// By the machine's clock.
    pub(super) at: OffsetDateTime,
    since: Instant,
}

impl Moment {
    #[expect(clippy::disallowed_methods, reason = "the tracker with its clock may not be open yet")]
    pub(super) fn now() -> Self {
        Self { at: OffsetDateTime::now_utc(), since: Instant::now() }
    }

    /// When this was, as told from an earlier moment: whatever was done to the machine's clock in between, what has passed
    /// since is what has passed.
    pub(super) fn told_from(&self, earlier: &Self) -> OffsetDateTime {
        earlier.at + self.since.saturating_duration_since(earlier.since)
    }
}
