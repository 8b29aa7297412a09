//! `GET /api/executions/export`, also below a flow: a filtered list, streamed, whatever its size.
//!
//! As NDJSON each line is a full execution, in the shape in which it can be recorded again by
//! `POST /api/executions/batch`. As CSV each row is what a list shows.

use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use flowtrail_tracker::{Tracker, TrackerError, Walk};
use flowtrail_types::{ExecutionFilter, ExecutionSummary, FlowId, Principal, timestamp};
use futures_util::stream::{self, Stream};

use super::path_id;
use crate::blocking::blocking;
use crate::query::Query;
use crate::{ApiError, App, Caller};

/// How many executions are read at once.
const AT_ONCE: u32 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Ndjson,
    Csv,
}

pub(super) async fn of_flow(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    let flow = path_id(&request, "flow_id", "flow")?;
    export(&app, principal, Some(flow), &query).await
}

pub(super) async fn all(
    app: web::Data<App>,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    export(&app, principal, None, &query).await
}

async fn export(
    app: &App,
    principal: Principal,
    flow: Option<FlowId>,
    query: &Query,
) -> Result<HttpResponse, ApiError> {
    let filter = ExecutionFilter { flow, ..query.filter(&["format"])? };
    let format = match query.text("format") {
        None | Some("ndjson") => Format::Ndjson,
        Some("csv") => Format::Csv,
        Some(other) => {
            return Err(ApiError::invalid("format", format!("expected ndjson or csv, got {other:?}")));
        }
    };
    let tracker = app.tracker().clone();
    let export = blocking(move || -> Result<Export, TrackerError> {
        let walk = tracker.walk(&principal, &filter)?;
        Ok(Export { tracker, principal, walk, format })
    })
    .await?;
    let (kind, name) = match format {
        Format::Ndjson => ("application/x-ndjson", "executions.ndjson"),
        Format::Csv => ("text/csv; charset=utf-8", "executions.csv"),
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .content_type(kind)
        .streaming(parts(export)))
}

struct Export {
    tracker: Tracker,
    principal: Principal,
    walk: Walk,
    format: Format,
}

/// The export, part by part. One that cannot go on breaks off, so that nobody takes it for whole.
fn parts(export: Export) -> impl Stream<Item = Result<Bytes, ApiError>> {
    let head = match export.format {
        Format::Ndjson => None,
        Format::Csv => Some(Ok(Bytes::from_static(CSV_HEAD.as_bytes()))),
    };
    let rest = stream::try_unfold(export, |mut export| async move {
        blocking(move || -> Result<_, ApiError> {
            let part = export.next()?;
            Ok(part.map(|part| (Bytes::from(part), export)))
        })
        .await
    });
    futures_util::StreamExt::chain(stream::iter(head), rest)
}

impl Export {
    fn next(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
        let some = self.walk.next(AT_ONCE)?;
        if some.is_empty() {
            return Ok(None);
        }
        let mut written = Vec::new();
        for summary in some {
            match self.format {
                Format::Csv => write_row(&mut written, &summary)?,
                Format::Ndjson => match self.tracker.execution(&self.principal, summary.id) {
                    Ok(execution) => {
                        serde_json::to_writer(&mut written, &execution).map_err(ApiError::internal)?;
                        written.push(b'\n');
                    }
                    // It was deleted meanwhile.
                    Err(TrackerError::NotFound(_)) => {}
                    Err(error) => return Err(error.into()),
                },
            }
        }
        Ok(Some(written))
    }
}

const CSV_HEAD: &str = "id,flowId,flowName,flowToolName,flowVersion,userId,userName,status,inferred,source,startedAt,\
                        endedAt,duration,initialParamsPreview,error\r\n";

fn write_row(written: &mut Vec<u8>, execution: &ExecutionSummary) -> Result<(), ApiError> {
    let text = |text: &Option<String>| text.as_deref().map(harmless).unwrap_or_default();
    let shown = |value: Option<String>| value.unwrap_or_default();
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(written);
    let row = [
        execution.id.to_string(),
        shown(execution.flow_id.map(|id| id.to_string())),
        harmless(&execution.flow_name),
        text(&execution.flow_tool_name),
        shown(execution.flow_version.map(|version| version.to_string())),
        shown(execution.user_id.map(|id| id.to_string())),
        text(&execution.user_name),
        execution.status.as_str().to_owned(),
        execution.inferred.to_string(),
        execution.source.as_str().to_owned(),
        timestamp::format(execution.started_at),
        shown(execution.ended_at.map(timestamp::format)),
        shown(execution.duration_ms.map(|millis| millis.to_string())),
        text(&execution.initial_params_preview),
        text(&execution.error),
    ];
    writer.write_record(&row).map_err(ApiError::internal)?;
    writer.flush().map_err(ApiError::internal)
}

/// A text that no spreadsheet takes for a formula: one that begins like a formula gets an apostrophe before it.
fn harmless(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{text}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_a_spreadsheet_would_run_is_made_harmless() {
        assert_eq!(harmless("=HYPERLINK(\"http://x\")"), "'=HYPERLINK(\"http://x\")");
        assert_eq!(harmless("-1"), "'-1");
        assert_eq!(harmless("a=b"), "a=b");
        assert_eq!(harmless(""), "");
    }
}
