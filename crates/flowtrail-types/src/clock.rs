//! Where times come from.

use std::fmt::Debug;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

/// A source of the current time, in UTC.
///
/// Injected wherever a time is needed, so that a test of timeouts or paging is exact.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The current time in UTC, to the microsecond: the finest that every database keeps.
    fn now(&self) -> OffsetDateTime;

    /// The time since a fixed moment. It never jumps, whatever is done to the machine's clock: durations and timeouts of what
    /// runs in this process are measured by it.
    fn monotonic(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the ambient clock")]
    fn now(&self) -> OffsetDateTime {
        crate::timestamp::to_micros(OffsetDateTime::now_utc())
    }

    fn monotonic(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }
}

/// A clock that stands still until it is told to move.
#[derive(Debug)]
pub struct ManualClock(Mutex<Times>);

#[derive(Debug)]
struct Times {
    now: OffsetDateTime,
    monotonic: Duration,
}

impl ManualClock {
    /// A clock that shows `at`.
    #[must_use]
    pub fn new(at: OffsetDateTime) -> Self {
        Self(Mutex::new(Times { now: at, monotonic: Duration::ZERO }))
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let mut times = self.lock();
        times.now += by;
        times.monotonic += by;
    }

    /// Sets the clock, backwards too, as a real one may be. No time passes by that.
    pub fn set(&self, at: OffsetDateTime) {
        self.lock().now = at;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Times> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Default for ManualClock {
    /// 2026-01-06T12:00:00Z, a fixed and recognisable moment.
    fn default() -> Self {
        Self::new(time::macros::datetime!(2026-01-06 12:00 UTC))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        self.lock().now
    }

    fn monotonic(&self) -> Duration {
        self.lock().monotonic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_a_clock_lets_no_time_pass() {
        let clock = ManualClock::default();
        let begun = (clock.now(), clock.monotonic());
        clock.set(begun.0 + Duration::from_secs(3_600));
        assert_eq!(clock.monotonic(), begun.1);
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.monotonic() - begun.1, Duration::from_secs(1));
        assert_eq!(clock.now() - begun.0, time::Duration::seconds(3_601));
    }
}
