//! The one way in which handlers ask what blocks.

use std::sync::LazyLock;
use std::thread::available_parallelism;
use std::time::Duration;

use actix_web::web;
use tokio::sync::Semaphore;

use crate::{ApiError, ErrorCode};

/// How many are asked at once. More would only take turns, with a thread each: what a request takes then goes into changing
/// from one to the other. What waits here takes no thread.
static AT_ONCE: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(4 * available_parallelism().map_or(2, usize::from)));

/// How long to wait for a turn.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Runs `work` on the pool for blocking work, and gives its answer.
pub(crate) async fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, ApiError>
where
    T: Send + 'static,
    E: Into<ApiError> + Send + 'static,
{
    let turn = tokio::time::timeout(LONGEST_WAIT, AT_ONCE.acquire()).await;
    let turn = turn
        .map_err(|_| {
            ApiError::new(ErrorCode::Busy, "more is asked for than the database answers; try again")
        })?
        .map_err(ApiError::internal)?;
    let done = web::block(move || {
        // It ends with the work, also when nobody waits for that any more.
        let _turn = turn;
        work()
    });
    done.await.map_err(ApiError::internal)?.map_err(Into::into)
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
