//! The parameters of queries and headers, each described once, and the headers of answers.

use flowtrail_types::{AuditAction, ExecutionStatus, PageRequest, SearchText, Source};
use serde_json::{Map, Value, json};

use super::words;
use crate::executions::nodes;
use crate::query::MOST_MILLIS;

/// What filters executions.
pub(crate) const FILTERS: &[&str] =
    &["status", "source", "user", "from", "to", "minDuration", "maxDuration", "tag", "q"];
/// What chooses a page of a list of executions.
pub(crate) const PAGING: &[&str] = &["page", "limit", "after", "asOf", "sort"];
/// What chooses hours and what is counted in them.
pub(crate) const RANGE: &[&str] = &["fromHour", "toHour", "counting"];

/// A parameter: its name here, where it stands, its name there, its schema, what it means.
type Parameter = (&'static str, &'static str, &'static str, Value, &'static str);

fn table() -> Vec<Parameter> {
    let time = json!({"type": "string", "format": "date-time", "examples": ["2026-11-22T10:00:00.000Z"]});
    let limit = json!({"type": "integer", "minimum": 1, "maximum": PageRequest::MAX_LIMIT, "default": 20});
    let millis = json!({"type": "integer", "minimum": 0, "maximum": MOST_MILLIS});
    let text = json!({"type": "string", "maxLength": SearchText::MAX});
    let id = json!({"type": "string", "format": "uuid"});
    let either = json!({"type": "boolean", "default": false});
    let page = json!({"type": "integer", "minimum": 1, "maximum": u32::MAX, "default": 1});
    let status = words(ExecutionStatus::ALL, ExecutionStatus::as_str);
    let source = words(Source::ALL, Source::as_str);
    let action = words(AuditAction::ALL, AuditAction::as_str);
    let format = json!({"enum": ["ndjson", "csv"], "default": "ndjson"});
    let tag =
        json!({"type": "string", "pattern": "^[^:]{1,64}:[\\s\\S]{0,256}$", "examples": ["shop:north"]});
    let query = |name, schema, means| (name, "query", name, schema, means);
    vec![
        query("page", page, "The number of the page, from 1."),
        query("limit", limit, "How many items a page has."),
        query(
            "after",
            json!({"type": "string"}),
            "Goes on where a page ended: its `after`, with the same filters and order.",
        ),
        query(
            "asOf",
            time.clone(),
            "Leaves out what was recorded later: the `asOf` of the first page, as it was given.",
        ),
        query(
            "sort",
            json!({"enum": ["startedAt", "duration"], "default": "startedAt"}),
            "Newest first, or longest first.",
        ),
        query("status", status, "Executions that stand so."),
        query("source", source, "Executions that were reported so."),
        query("user", id.clone(), "Executions that this user started."),
        query("from", time.clone(), "Executions that began at this time or later."),
        query("to", time.clone(), "Executions that began before this time."),
        query("minDuration", millis.clone(), "Executions that took so many milliseconds or more."),
        query("maxDuration", millis, "Executions that took so many milliseconds or less."),
        query("tag", tag, "Executions with this tag; the first colon separates key and value."),
        query(
            "q",
            text.clone(),
            "Executions that have this text in a name, the preview or the error, or whose id begins so.",
        ),
        (
            "flowText",
            "query",
            "q",
            text,
            "Flows that have this text in their name, tool name or description.",
        ),
        ("fromHour", "query", "from", time.clone(), "From the hour on in which this time is."),
        ("toHour", "query", "to", time, "To the end of the hour before this time, or in which it is."),
        query(
            "counting",
            json!({"enum": ["stored", "recorded"], "default": "stored"}),
            "What is stored, or also what was deleted since.",
        ),
        query("step", json!({"enum": ["hour", "day"], "default": "day"}), "How much time a point is of."),
        query("format", format, "Full executions as lines of JSON, or what lists show as CSV."),
        query("dryRun", either.clone(), "Only counts, and deletes nothing."),
        query(
            "data",
            json!({"enum": ["all", "own", "none"], "default": "all"}),
            "With `own` the payloads of nodes are left out, with `none` all of them.",
        ),
        query(
            "nodes",
            json!({"enum": ["all", "none"], "default": "all"}),
            "With `none` the node executions are left out; `…/nodes` has them page by page.",
        ),
        (
            "afterSeq",
            "query",
            "after",
            json!({"type": "integer", "minimum": 0, "maximum": i32::MAX, "default": 0}),
            "Goes on behind the node execution with this number: the page's `after`.",
        ),
        (
            "nodeLimit",
            "query",
            "limit",
            json!({"type": "integer", "minimum": 1, "maximum": nodes::MOST, "default": 100}),
            "How many items a page has.",
        ),
        query("allowed", either, "Also tells what you may do with it."),
        query(
            "wait",
            json!({"type": "boolean", "default": true}),
            "With `false` it is answered as soon as it has begun.",
        ),
        query("flowId", id, "Only what happens in this flow."),
        query("action", action, "Only what was done so."),
        (
            "auditAfter",
            "query",
            "after",
            json!({"type": "string", "format": "uuid"}),
            "Goes on where a page ended: its `after`.",
        ),
        (
            "Last-Event-ID",
            "header",
            "Last-Event-ID",
            json!({"type": "string"}),
            "The id of the last event that was received: the stream goes on after it.",
        ),
        (
            "If-None-Match",
            "header",
            "If-None-Match",
            json!({"type": "string"}),
            "The `ETag` of what the client has: if it is still current, the answer is 304.",
        ),
    ]
}

/// All of them as components.
pub(super) fn components() -> Map<String, Value> {
    let described = |(name, place, wire, schema, means): Parameter| {
        let mut value = json!({"name": wire, "in": place, "description": means, "schema": schema});
        if place == "query" {
            // `?status=` says as little as nothing.
            value["allowEmptyValue"] = json!(true);
        }
        (name.to_owned(), value)
    };
    table().into_iter().map(described).collect()
}

/// The headers of answers as components.
pub(super) fn headers() -> Value {
    let text = |means: &str| json!({"description": means, "schema": {"type": "string"}});
    json!({
        "ETag": text("Changes when the answer does."),
        "Location": text("Where the execution is."),
        "Set-Cookie": text("The session, in a cookie that no page can read."),
        "Retry-After": {"description": "After how many seconds to try again.", "schema": {"type": "integer", "minimum": 1}},
        "WWW-Authenticate": text("That a bearer key is expected."),
    })
}
