//! Whether the process lives, and whether it can work.

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::openapi::{Answer, Asker, Operation};
use crate::routes::Route;
use crate::{ApiError, App, ErrorCode};

pub(crate) const ROUTES: &[Route] =
    &[
    Route::get("/healthz", || web::get().to(live),
        Operation::new("isLive", "Whether the process lives").by(Asker::Anybody)
            .gives(&[Answer::json(200, "Health", "It does.")])),
    Route::get("/readyz", || web::get().to(ready),
        Operation::new("isReady", "Whether it can work").by(Asker::Anybody)
            .details("The database is reachable, its schema is current, the queue is not full, and the server is not stopping.")
            .gives(&[Answer::json(200, "Health", "It can.")]).fails(&[ErrorCode::Unavailable])),
    ];

/// It answers, so it lives.
async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// The database is reachable, its schema is current, the queue is not full, and it is not about to stop.
async fn ready(app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    if app.shutdown().is_cancelled() {
        return Err(ApiError::new(ErrorCode::Unavailable, "the server is shutting down"));
    }
    let tracker = app.tracker().clone();
    // Not behind those who ask for something: it must tell of a server that is slow, and not be slow itself.
    let checked = web::block(move || tracker.check()).await.map_err(ApiError::internal)?;
    match checked {
        Ok(()) => Ok(HttpResponse::Ok().json(json!({"status": "ready"}))),
        Err(error) => {
            log::warn!("not ready: {error}");
            Err(ApiError::new(ErrorCode::Unavailable, format!("not ready: {error}")))
        }
    }
}
