//! `POST /api/executions/import`: executions of an export as lines of JSON, restored as they were, and answered like a batch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse};
use flowtrail_tracker::{Applied, ImportCounts};

use super::batch;
use crate::blocking::blocking;
use crate::query::Query;
use crate::{ApiError, App, Caller, Import};

pub(super) async fn handle(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    query.only(&[])?;
    let (tracker, importer) = (app.tracker().clone(), principal.clone());
    let import = blocking(move || Import::begin(&tracker, &importer)).await?;
    batch::answer(&app, &request, principal, Some(Importing::new(import)), payload)
}

/// An import, and what has become of its lines so far. However it ends, the audit log tells of it.
pub(super) struct Importing {
    pub(super) import: Import,
    counts: Mutex<ImportCounts>,
    is_noted: AtomicBool,
}

impl Importing {
    fn new(import: Import) -> Self {
        Self { import, counts: Mutex::default(), is_noted: AtomicBool::new(false) }
    }

    pub(super) fn count(&self, became: &Result<Applied, ApiError>) {
        Import::count(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner), became);
    }

    /// Notes it, unless it was. Blocks.
    pub(super) fn note(&self) {
        let counts = *self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_noted.swap(true, Ordering::Relaxed) {
            note(&self.import, counts);
        }
    }
}

fn note(import: &Import, counts: ImportCounts) {
    if let Err(error) = import.note(counts) {
        log::error!("the audit log does not tell of an import: {error}");
    }
}

impl Drop for Importing {
    fn drop(&mut self) {
        // Whoever imports has left.
        if *self.is_noted.get_mut() {
            return;
        }
        let counts = *self.counts.get_mut().unwrap_or_else(PoisonError::into_inner);
        let import = self.import.clone();
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || note(&import, counts))),
            Err(_) => note(&import, counts),
        }
    }
}
