//! The one way in which handlers ask what blocks.

use std::time::{Duration, Instant};

use actix_web::web;

use crate::turns::{self, Turn};
use crate::{ApiError, ErrorCode};

/// Maximum wait for an answer, with the wait for a turn.
const LONGEST_ANSWER: Duration = Duration::from_secs(10);

/// Runs `work` on the pool for blocking work, and gives its answer.
pub(crate) async fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, ApiError>
where
    T: Send + 'static,
    E: Into<ApiError> + Send + 'static,
{
    blocking_at(Pace::Quick, work).await
}

/// How long something may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It looks a few things up.
    Quick,
    /// Goes on for as long as it takes, in steps or within limits of its own: deleting a million executions, compiling code.
    Steps,
    /// It reads so much that those who ask for such things take turns among themselves, and keep nobody else waiting.
    Long,
}

/// As [`blocking`], at its pace.
pub(crate) async fn blocking_at<T, E>(
    pace: Pace,
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, ApiError>
where
    T: Send + 'static,
    E: Into<ApiError> + Send + 'static,
{
    let begun = Instant::now();
    let turn = turns::turn(match pace {
        Pace::Quick | Pace::Steps => Turn::Quick,
        Pace::Long => Turn::Long,
    });
    let turn = turn.await?;
    let done = web::block(move || {
        // It ends with the work, also when nobody waits for that any more.
        let _turn = turn;
        work()
    });
    let limit =
        if pace == Pace::Steps { Duration::MAX } else { LONGEST_ANSWER.saturating_sub(begun.elapsed()) };
    let done = tokio::time::timeout(limit, done).await.map_err(|_| {
        let message =
            "the database does not answer, and whether this was done is not known; look before you repeat it";
        ApiError::new(ErrorCode::Unavailable, message)
    })?;
    done.map_err(ApiError::internal)?.map_err(Into::into)
}

/// Runs `work` where it is when it is short and asks no database, and otherwise as [`blocking`] does: a thread of its own costs
/// more than a short work.
pub(crate) async fn blocking_unless<T, E>(
    is_short: bool,
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, ApiError>
where
    T: Send + 'static,
    E: Into<ApiError> + Send + 'static,
{
    if is_short { work().map_err(Into::into) } else { blocking(work).await }
}

#[cfg(test)]
mod tests {
    use std::thread::available_parallelism;

    use super::*;

    #[actix_web::test]
    async fn what_is_quick_does_not_wait_for_what_takes_long() {
        let (release, held) = std::sync::mpsc::channel::<()>();
        let held = std::sync::Arc::new(std::sync::Mutex::new(held));
        // More than there are turns of any kind.
        let many = 4 * available_parallelism().map_or(2, usize::from) + 4;
        let long: Vec<_> = (0..many)
            .map(|_| {
                let held = held.clone();
                actix_web::rt::spawn(blocking_at(Pace::Long, move || {
                    let _ = held.lock().map(|held| held.recv());
                    Ok::<_, ApiError>(())
                }))
            })
            .collect();
        tokio::task::yield_now().await;
        for _ in 0..20 {
            blocking(|| Ok::<_, ApiError>(())).await.unwrap();
        }
        drop(release);
        for each in long {
            each.await.unwrap().unwrap();
        }
    }
}
