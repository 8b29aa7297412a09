//! Turns for what blocks: so many requests ask the database at a time, no user takes more than their share of them, and those who
//! wait are served in turn by user.

use std::cell::Cell;
use std::future::Future;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use flowtrail_runner::places::{self, Full, Place, Places};
use flowtrail_types::UserId;
use uuid::Uuid;

use crate::{ApiError, ErrorCode};

/// Maximum wait for a turn.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Number of requests that may wait for a turn.
const MOST_WAITING: usize = 1_024;

/// Callers without a key, and work of the server's own, count as one user.
const NOBODY: UserId = UserId::from_uuid(Uuid::nil());

/// The turns of a process.
#[derive(Debug)]
pub(crate) struct Turns {
    /// Few of those that may take long, so that what is quick need not wait for them.
    quick: Places,
    long: Places,
    waiting: Places,
}

/// The kind of turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Quick,
    Long,
}

impl Turns {
    /// Turns of which each user may have this many percent.
    pub(crate) fn new(user_percent: u8) -> Self {
        // More would only take turns, with a thread each: what a request takes then goes into changing from one to the other.
        let processors = available_parallelism().map_or(2, usize::from);
        let of = |count: usize| Places::new(count, places::share(count, user_percent));
        Self { quick: of(4 * processors), long: of(processors.div_ceil(2)), waiting: of(MOST_WAITING) }
    }

    /// A turn, as soon as it is the user's. What waits takes no thread.
    async fn take(&self, user: UserId, turn: Turn) -> Result<Place, ApiError> {
        let places = match turn {
            Turn::Quick => &self.quick,
            Turn::Long => &self.long,
        };
        if let Ok(place) = places.try_take(user) {
            return Ok(place);
        }
        let busy =
            || ApiError::new(ErrorCode::Busy, "more is asked for than the database answers; try again");
        let _waiting = self.waiting.try_take(user).map_err(|full| match full {
            Full::All => busy(),
            Full::Share { of } => {
                let message = format!(
                    "your share of the requests that wait for the database is used up, {of} of them: try again in a moment"
                );
                ApiError::new(ErrorCode::ShareUsed, message)
            }
        })?;
        tokio::time::timeout(LONGEST_WAIT, places.take(user)).await.ok().flatten().ok_or_else(busy)
    }
}

/// The party for which something is asked.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    turns: Arc<Turns>,
    user: Cell<UserId>,
}

tokio::task_local! {
    static ASKING: Asking;
}

/// Turns for what belongs to no server: tests, and work that began elsewhere.
static OF_NOBODY: std::sync::LazyLock<Arc<Turns>> = std::sync::LazyLock::new(|| Arc::new(Turns::new(100)));

impl Asking {
    /// The party of a request, as long as its user is not known.
    pub(crate) fn new(turns: Arc<Turns>) -> Self {
        Self { turns, user: Cell::new(NOBODY) }
    }

    /// The party for which this runs, to be named where the work goes on elsewhere.
    pub(crate) fn current() -> Self {
        ASKING.try_with(Self::clone).unwrap_or_else(|_| Self::new(Arc::clone(&OF_NOBODY)))
    }

    /// Runs work in which all that blocks is asked for this party.
    pub(crate) async fn scope<T>(self, work: impl Future<Output = T>) -> T {
        ASKING.scope(self, work).await
    }
}

/// Notes the user of the request.
pub(crate) fn is_asked_by(user: UserId) {
    // Outside of a request there is nothing to note.
    let _ = ASKING.try_with(|asking| asking.user.set(user));
}

/// Notes the key of a request of which the user is not known yet, so that those who look for theirs do not share one share.
pub(crate) fn is_asked_with(key: &[u8]) {
    let mut first = [0; 16];
    first.copy_from_slice(&blake3::hash(key).as_bytes()[..16]);
    is_asked_by(UserId::from_uuid(Uuid::from_bytes(first)));
}

/// A turn for whoever asks.
pub(crate) async fn turn(turn: Turn) -> Result<Place, ApiError> {
    let asking = Asking::current();
    asking.turns.take(asking.user.get(), turn).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: u128) -> UserId {
        UserId::from_uuid(Uuid::from_u128(number))
    }

    #[actix_web::test]
    async fn one_user_keeps_nobody_else_waiting() {
        let turns = Arc::new(Turns::new(50));
        let greedy = || turns.take(user(1), Turn::Quick);
        let share = places::share(4 * available_parallelism().map_or(2, usize::from), 50);
        let mut taken = Vec::new();
        for _ in 0..share {
            taken.push(greedy().await.unwrap());
        }
        let mut waiting: Vec<_> = (0..MOST_WAITING / 2).map(|_| Box::pin(greedy())).collect();
        for each in &mut waiting {
            assert!(futures_util::poll!(each).is_pending());
        }
        // Their share of the queue is used up, and everybody else is served at once.
        assert_eq!(greedy().await.unwrap_err().code(), ErrorCode::ShareUsed);
        turns.take(user(2), Turn::Quick).await.unwrap();
        drop(taken);
        waiting.remove(0).await.unwrap();
    }

    #[actix_web::test]
    async fn a_request_is_its_user_s_from_when_that_is_known() {
        let turns = Arc::new(Turns::new(50));
        let asked = Asking::new(turns).scope(async {
            assert_eq!(Asking::current().user.get(), NOBODY);
            is_asked_by(user(3));
            Asking::current().user.get()
        });
        assert_eq!(asked.await, user(3));
        assert_eq!(Asking::current().user.get(), NOBODY);
    }
}
