//! The one way in which handlers ask what blocks.

use actix_web::web;

use crate::ApiError;

/// Runs `work` on the pool for blocking work, and gives its answer.
pub(crate) async fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, ApiError>
where
    T: Send + 'static,
    E: Into<ApiError> + Send + 'static,
{
    web::block(work).await.map_err(ApiError::internal)?.map_err(Into::into)
}
