//! How often each key may ask.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use flowtrail_types::{FlowId, KeyId, Principal, UserId};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// After so many requests those are forgotten who have not asked for long.
const SWEEP: u32 = 10_000;

/// Requests a second for each key; of what stands for a user without one, for each user; for the visitors of a page together.
#[derive(Debug)]
pub(crate) struct Limits {
    limiter: DefaultKeyedRateLimiter<Who>,
    clock: DefaultClock,
    asked: AtomicU32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Key(KeyId),
    User(UserId),
    /// Visitors of somebody's page: they must not use up what its maker may send.
    Page(UserId, u64),
}

impl Limits {
    /// So many a second, and as many at once.
    pub(crate) fn new(a_second: NonZeroU32) -> Self {
        let limiter = RateLimiter::keyed(Quota::per_second(a_second));
        Self { limiter, clock: DefaultClock::default(), asked: AtomicU32::new(0) }
    }

    /// Counts a request.
    ///
    /// # Errors
    ///
    /// After how long it may be sent again.
    pub(crate) fn count(&self, principal: &Principal) -> Result<(), Duration> {
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.limiter.retain_recent();
        }
        let who = match (&principal.only, principal.key) {
            (Some(flows), _) => Who::Page(principal.id, hash_of(flows)),
            (None, Some(key)) => Who::Key(key),
            (None, None) => Who::User(principal.id),
        };
        self.limiter.check_key(&who).map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }
}

fn hash_of(flows: &[FlowId]) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    flows.hash(&mut hasher);
    hasher.finish()
}
