//! `GET /metrics`: figures for Prometheus. For administrators.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpResponse, web};
use flowtrail_tracker::{Distribution, Measures};
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::blocking::blocking;
use crate::query::Query;
use crate::{ApiError, App, Caller, ErrorCode};

/// Upper bounds of how long requests take, in seconds.
const TIMES: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: Name,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Timed {
    method: Name,
    route: String,
}

/// A method that is known; others are one, since whoever asks chooses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Name(&'static str);

impl EncodeLabelValue for Name {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        encoder.write_str(self.0)
    }
}

/// What is counted of requests.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    times: Family<Timed, Histogram>,
    limited: AtomicU64,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("flowtrail_http");
        let requests = Family::default();
        let times: Family<Timed, Histogram> = Family::new_with_constructor(|| Histogram::new(TIMES));
        registry.register("requests", "Requests that were answered", requests.clone());
        registry.register(
            "request_seconds",
            "How long it took until an answer began, in seconds",
            times.clone(),
        );
        Self { registry, requests, times, limited: AtomicU64::new(0) }
    }

    /// A request was answered. `route` is its address with the names of what varies in it, if it has one.
    pub(crate) fn answered(&self, method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
        let method = Name(match *method {
            Method::GET => "GET",
            Method::POST => "POST",
            Method::PATCH => "PATCH",
            Method::DELETE => "DELETE",
            Method::OPTIONS => "OPTIONS",
            Method::HEAD => "HEAD",
            _ => "other",
        });
        let route = route.unwrap_or("none").to_owned();
        self.times.get_or_create(&Timed { method, route: route.clone() }).observe(took.as_secs_f64());
        self.requests.get_or_create(&Request { method, route, status: status.as_u16() }).inc();
    }

    /// A request was refused because its key asks too often.
    pub(crate) fn limited(&self) {
        self.limited.fetch_add(1, Ordering::Relaxed);
    }
}

pub(super) async fn handle(
    app: web::Data<App>,
    Caller(principal): Caller,
    query: Query,
) -> Result<HttpResponse, ApiError> {
    query.only(&[])?;
    if !principal.is_admin() {
        return Err(ApiError::new(ErrorCode::Forbidden, "you may not see the server's figures"));
    }
    let tracker = app.tracker().clone();
    let (measures, stored) = blocking(move || {
        let stored = tracker.statistics(&principal, None, flowtrail_tracker::StatsRange::default())?;
        Ok::<_, ApiError>((tracker.measures(), stored))
    })
    .await?;
    let mut text = String::new();
    write_measures(&mut text, &measures).map_err(ApiError::internal)?;
    let counts = [
        ("pending", stored.pending),
        ("fulfilled", stored.fulfilled),
        ("error", stored.error),
        ("aborted", stored.aborted),
    ];
    family(
        &mut text,
        "stored_executions",
        "gauge",
        "Executions that are stored, by status, without rejected calls",
        "status",
        &counts,
    )
    .map_err(ApiError::internal)?;
    let limited = app.metrics().limited.load(Ordering::Relaxed);
    single(
        &mut text,
        "http_limited_total",
        "counter",
        "Requests refused because their key asks too often",
        limited,
    )
    .map_err(ApiError::internal)?;
    single(
        &mut text,
        "proxy_gaps_total",
        "counter",
        "Calls that passed to other servers without being recorded",
        app.upstreams().gaps(),
    )
    .map_err(ApiError::internal)?;
    single(
        &mut text,
        "memory_reserved_bytes",
        "gauge",
        "Memory reserved for requests in progress",
        app.memory().used() as u64,
    )
    .map_err(ApiError::internal)?;
    if let Some(sessions) = app.doors().sessions() {
        single(&mut text, "mcp_sessions", "gauge", "Sessions of MCP clients at /mcp", sessions as u64)
            .map_err(ApiError::internal)?;
    }
    encode(&mut text, &app.metrics().registry).map_err(ApiError::internal)?;
    Ok(HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(text))
}

fn write_measures(text: &mut String, measures: &Measures) -> fmt::Result {
    let (commands, bytes) = measures.waiting;
    single(text, "queue_commands", "gauge", "Commands that wait to be written", commands)?;
    single(text, "queue_bytes", "gauge", "Bytes of payload that wait to be written", bytes)?;
    single(text, "running_executions", "gauge", "Executions that run in this process", measures.running)?;
    single(text, "event_listeners", "gauge", "Clients that listen to events", measures.listeners)?;
    single(
        text,
        "rejected_calls_total",
        "counter",
        "Calls that were rejected before they ran, when that is recorded",
        measures.rejected,
    )?;
    single(
        text,
        "pruned_executions_total",
        "counter",
        "Executions taken away by retention and prunes",
        measures.pruned,
    )?;
    if let Some(pool) = measures.pool {
        let uses = [("idle", pool.idle), ("in_use", pool.connections.saturating_sub(pool.idle))];
        let uses = uses.map(|(name, count)| (name, u64::from(count)));
        family(text, "database_connections", "gauge", "Connections for reading", "state", &uses)?;
    }
    let started: Vec<_> = measures.started.iter().map(|(source, count)| (source.as_str(), *count)).collect();
    family(
        text,
        "started_executions_total",
        "counter",
        "Executions that began, by source",
        "source",
        &started,
    )?;
    let ended = measures.ended.iter().filter(|(status, _)| status.is_final());
    let ended: Vec<_> = ended.map(|(status, count)| (status.as_str(), *count)).collect();
    family(text, "ended_executions_total", "counter", "Executions that ended, by status", "status", &ended)?;
    histogram(text, "batch_commands", "Commands that shared a transaction", &measures.batches)?;
    histogram(text, "commit_seconds", "How long transactions took, in seconds", &measures.commits)?;
    histogram(text, "flush_seconds", "How long the disk took to have them, in seconds", &measures.flushes)
}

/// What stands before the samples of a metric. In OpenMetrics a counter's name does not end as its samples do.
fn head(text: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    let name = name.strip_suffix("_total").unwrap_or(name);
    writeln!(text, "# HELP flowtrail_{name} {help}.\n# TYPE flowtrail_{name} {kind}")
}

fn single(text: &mut String, name: &str, kind: &str, help: &str, value: u64) -> fmt::Result {
    head(text, name, kind, help)?;
    writeln!(text, "flowtrail_{name} {value}")
}

fn family(
    text: &mut String,
    name: &str,
    kind: &str,
    help: &str,
    label: &str,
    samples: &[(&str, u64)],
) -> fmt::Result {
    head(text, name, kind, help)?;
    for (value, count) in samples {
        writeln!(text, "flowtrail_{name}{{{label}=\"{value}\"}} {count}")?;
    }
    Ok(())
}

fn histogram(text: &mut String, name: &str, help: &str, distribution: &Distribution) -> fmt::Result {
    head(text, name, "histogram", help)?;
    let mut sum = 0;
    let bounds = distribution.bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
    for (bound, count) in bounds.zip(&distribution.counts) {
        sum += count;
        writeln!(text, "flowtrail_{name}_bucket{{le=\"{bound}\"}} {sum}")?;
    }
    writeln!(text, "flowtrail_{name}_count {sum}\nflowtrail_{name}_sum {}", distribution.sum)
}
