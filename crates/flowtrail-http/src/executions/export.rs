//! `GET /api/executions/export`, also below a flow: a filtered list, streamed, whatever its size.

use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use flowtrail_types::ExecutionFilter;
use futures_util::stream::{self, Stream, StreamExt};

use super::scope;
use crate::blocking::blocking;
use crate::query::Query;
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
    let export = blocking(move || Export::begin(&tracker, &principal, &filter, format)).await?;
    let (kind, name) = match format {
        ExportFormat::Ndjson => ("application/x-ndjson", "executions.ndjson"),
        ExportFormat::Csv => ("text/csv; charset=utf-8", "executions.csv"),
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .content_type(kind)
        .streaming(parts(export)))
}

/// The export, part by part. One that cannot go on breaks off, so that nobody takes it for whole.
fn parts(export: Export) -> impl Stream<Item = Result<Bytes, ApiError>> {
    let head = Some(export.head()).filter(|head| !head.is_empty());
    let head = head.map(|head| Ok(Bytes::from_static(head.as_bytes())));
    let rest = stream::try_unfold(export, |mut export| async move {
        blocking(move || -> Result<_, ApiError> {
            Ok(export.next_part()?.map(|(part, _)| (Bytes::from(part), export)))
        })
        .await
    });
    stream::iter(head).chain(rest)
}
