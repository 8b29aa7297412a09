//! `GET /api/executions/export`, also below a flow: a filtered list, streamed, whatever its size.

use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use flowtrail_types::ExecutionFilter;
use futures_util::stream::{self, Stream, StreamExt};

use super::scope;
use crate::blocking::{Pace, blocking, blocking_at};
use crate::export::PART;
use crate::memory::{Holder, Reserved};
use crate::query::Query;
use crate::turns::Asking;
use crate::{ApiError, App, Caller, Export, ExportFormat};

pub(super) async fn handle(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let flow = scope(&request)?;
    let filter = ExecutionFilter { flow, ..query.filter(&["format"])? };
    let format: ExportFormat = query.parsed("format")?.unwrap_or_default();
    let tracker = app.tracker().clone();
    let mut reserved = app.memory().reservation(Holder::from(&principal));
    // An export that has no room is refused, and not begun and broken off.
    reserved.grow(PART).await?;
    let export = blocking(move || Export::begin(&tracker, &principal, &filter, format)).await?;
    let (kind, name) = match format {
        ExportFormat::Ndjson => ("application/x-ndjson", "executions.ndjson"),
        ExportFormat::Csv => ("text/csv; charset=utf-8", "executions.csv"),
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .content_type(kind)
        .streaming(parts(export, reserved)))
}

/// A part, and the memory that it takes until it is sent.
struct Part(Vec<u8>, #[expect(dead_code, reason = "it is given back with the part")] Reserved);

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The export, part by part. One that cannot go on breaks off, so that nobody takes it for whole.
fn parts(export: Export, reserved: Reserved) -> impl Stream<Item = Result<Bytes, ApiError>> {
    let head = Some(export.head()).filter(|head| !head.is_empty());
    let head = head.map(|head| Ok(Bytes::from_static(head.as_bytes())));
    // The parts are made after the request's own work is done.
    let asking = Asking::current();
    let rest = stream::try_unfold((export, reserved), move |(mut export, mut reserved)| {
        let asking = asking.clone();
        async move {
            // The part before was taken, so this holds nothing and may wait for a moment.
            reserved.fill(PART).await?;
            let mut next = reserved.another();
            let part = blocking_at(Pace::Steps, move || -> Result<_, ApiError> {
                let Some((part, _)) = export.next_part()? else { return Ok(None) };
                next.absorb(&mut reserved, part.len())?;
                Ok(Some((Bytes::from_owner(Part(part, next)), (export, reserved))))
            });
            asking.scope(part).await
        }
    });
    stream::iter(head).chain(rest)
}
