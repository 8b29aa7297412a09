//! Whether the process lives, and whether it can work.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use flowtrail_tracker::{Tracker, TrackerError};
use serde_json::json;
use tokio::sync::Mutex;

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

/// Maximum wait of a record while the server is ready.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Maximum time for the database to answer when it is looked at.
const LOOK: Duration = Duration::from_millis(800);

/// Check that the database answers. However many ask, one thread at a time waits for it.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Arc<Mutex<()>>);

impl Readiness {
    /// The tracker's own check; nothing when it is not done in time.
    async fn check(&self, tracker: &Tracker) -> Option<Result<(), TrackerError>> {
        let (looking, tracker) = (Arc::clone(&self.0), tracker.clone());
        let checked = async {
            // One that looks and takes long is the answer to everybody.
            let looking = looking.lock_owned().await;
            web::block(move || {
                let _looking = looking;
                tracker.check()
            })
            .await
        };
        tokio::time::timeout(LOOK, checked).await.ok()?.ok()
    }
}

/// It answers, so it lives.
async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// The database is reachable, its schema is current, the queue is not full, and it is not about to stop.
async fn ready(app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    if app.shutdown().is_cancelled() {
        return Err(ApiError::new(ErrorCode::Unavailable, "the server is shutting down"));
    }
    if let Some(waited) = app.tracker().oldest_waiting().filter(|waited| *waited > LONGEST_WAIT) {
        let message =
            format!("not ready: a record has waited for {:.1} s to be written", waited.as_secs_f64());
        return Err(ApiError::new(ErrorCode::Unavailable, message));
    }
    // Not behind those who ask for something: it must tell of a server that is slow, and not be slow itself.
    let Some(checked) = app.readiness().check(app.tracker()).await else {
        return Err(ApiError::new(ErrorCode::Unavailable, "not ready: the database does not answer"));
    };
    match checked {
        Ok(()) => Ok(HttpResponse::Ok().json(json!({"status": "ready"}))),
        Err(error) => {
            log::warn!("not ready: {error}");
            Err(ApiError::new(ErrorCode::Unavailable, format!("not ready: {error}")))
        }
    }
}
