//! Executions as reporters tell of them.

use flowtrail_types::{ErrorKind, NodeStatus};
use serde_json::{Value, json};

use super::{any, both, count, figure, id, list, object, or_null, schema, shown, text, time, whole};
use crate::openapi::{example, words};

pub(super) fn schemas() -> Value {
    json!({
        "ReportedError": shown(
            object(&["message"], json!({
                "message": text("What happened."),
                "kind": or_null(words(ErrorKind::ALL, ErrorKind::as_str)),
                "nodeId": {"type": ["string", "null"], "description": "The node that is to blame."},
                "nodeName": {"type": ["string", "null"], "description": "Its name."},
            })),
            "Why it failed.",
            json!({"message": "the upstream answered 503", "nodeId": "fetch"}),
        ),
        "ReportedNode": shown(
            object(&["nodeId"], node()),
            "A node's part in an execution, as it is reported. In a whole execution its `seq` is its place in the list unless told otherwise.",
            json!({"nodeId": "fetch", "nodeType": "http", "executionTimeMs": 12.5, "outputData": {"status": 200}}),
        ),
        "AppendedNode": shown(
            object(&["seq", "nodeId"], node()),
            "A node's part in an execution, as it is appended.",
            json!({"seq": 1, "nodeId": "fetch", "nodeType": "http", "executionTimeMs": 12.5, "outputData": {"status": 200}}),
        ),
        "NewExecution": {
            "description": "An execution that runs elsewhere: one that begins, or one that is over, told of as a whole.",
            "oneOf": [schema("StartedExecution"), schema("FinishedExecution")],
            "examples": [example::finished()],
        },
        "StartedExecution": shown(
            object(&[], both(begun(), json!({"status": {"enum": ["pending", null]}}))),
            "An execution that begins.",
            json!({"initialParams": {"orderId": "A-1"}, "tags": {"shop": "north"}, "leaseSeconds": 60}),
        ),
        "FinishedExecution": {
            "description": "An execution that is over.",
            "oneOf": ends(&[], &both(begun(), over())),
            "examples": [example::finished()],
        },
        "BatchLine": {
            "description": "An execution that is over, in a line of its own.",
            "oneOf": ends(&["flowId"], &both(json!({"flowId": id("Its flow.")}), both(begun(), over()))),
            "examples": [{"flowId": example::EXTERNAL_FLOW, "status": "fulfilled", "duration": 12}],
        },
        "BatchOutcome": shown(
            object(&["line", "id", "status"], json!({
                "line": count(1, "The number of the line, from 1."),
                "id": or_null(text("The execution's id, or what was told as such.")),
                "status": {"enum": ["created", "exists", "invalid", "conflict"]},
                "error": schema("Error"),
            })),
            "What became of a line. One that is `invalid` for the reason `busy` or `unavailable` may be sent again.",
            json!({"line": 1, "id": example::EXECUTION, "status": "created"}),
        ),
        "AppendedNodes": {
            "description": "Node executions to append: a list of them, or one alone.",
            "oneOf": [
                object(&["nodeExecutions"], json!({
                    "nodeExecutions": {"type": "array", "minItems": 1, "items": schema("AppendedNode")},
                })),
                {"type": "array", "minItems": 1, "items": schema("AppendedNode")},
                schema("AppendedNode"),
            ],
            "examples": [{"nodeExecutions": [{"seq": 1, "nodeId": "fetch", "nodeType": "http", "executionTimeMs": 12.5, "outputData": {"status": 200}}]}],
        },
        "Appended": shown(
            whole(json!({"id": id("The execution."), "status": {"enum": ["created", "exists"]}})),
            "Whether the nodes are new, or were appended before.",
            json!({"id": example::EXECUTION, "status": "created"}),
        ),
        "EndedExecution": {
            "description": "How an execution ends.",
            "oneOf": ends(&[], &end()),
            "examples": [{"status": "fulfilled", "outputs": {"total": 3}}],
        },
        "CancelRequested": shown(
            whole(json!({"id": id("The execution."), "cancelRequested": {"const": true}})),
            "That it was asked to stop.",
            json!({"id": example::EXECUTION, "cancelRequested": true}),
        ),
        "Prune": {
            "description": "What is kept: the newest so many, or what began at this time or later.",
            "oneOf": [
                object(&["keep"], json!({"keep": {"type": "integer", "minimum": 0, "maximum": i32::MAX, "description": "How many are kept."}})),
                object(&["before"], json!({"before": time("What began before it is deleted.")})),
            ],
            "examples": [{"keep": 50}],
        },
    })
}

/// What can be told when it begins.
fn begun() -> Value {
    json!({
        "id": {
            "type": ["string", "null"],
            "format": "uuid",
            "pattern": "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$",
            "description": "An id of your choosing: a UUID of version 7, no more than a day ahead. The same id again is the same execution.",
        },
        "startedAt": or_null(time("When it began; from 1970 to a day ahead. Now, when absent.")),
        "initialParams": any("What it was given."),
        "meta": any("What else there is to keep."),
        "tags": {"type": ["object", "null"], "additionalProperties": {"type": "string"}, "description": "Keys and values to filter by."},
        "parentExecutionId": or_null(id("The execution that called it.")),
        "replayOf": or_null(id("The execution that it repeats.")),
        "leaseSeconds": {"type": ["integer", "null"], "minimum": 1, "maximum": 86_400, "description": "After how many seconds of silence it is taken for interrupted."},
    })
}

/// What can be told of an end, whatever it was.
fn end() -> Value {
    json!({"endedAt": or_null(time("When it ended.")), "outputs": any("What it produced.")})
}

/// What can be told when it is over.
fn over() -> Value {
    let more = json!({
        "duration": or_null(figure("How long it took, in milliseconds.")),
        "nodeExecutions": or_null(list(schema("ReportedNode"), "Its nodes.")),
    });
    both(end(), more)
}

/// The three ways to end: with an error that says why, with one that may, and with none.
fn ends(required: &[&str], told: &Value) -> Vec<Value> {
    let way = |status: &str, error: Option<Value>, needed: &[&str]| {
        let status = json!({"status": {"const": status}});
        let error = error.map_or_else(|| json!({}), |error| json!({"errorInfo": error}));
        object(&[required, &["status"], needed].concat(), both(both(status, error), told.clone()))
    };
    vec![
        way("fulfilled", None, &[]),
        way("error", Some(schema("ReportedError")), &["errorInfo"]),
        way("aborted", Some(or_null(schema("ReportedError"))), &[]),
    ]
}

fn node() -> Value {
    json!({
        "seq": {"type": "integer", "minimum": 1, "maximum": i32::MAX, "description": "Its number within the execution."},
        "nodeId": {"type": "string", "minLength": 1, "maxLength": 200, "description": "The node's id within the flow."},
        "nodeName": {"type": ["string", "null"], "description": "Its name; its id when absent."},
        "nodeType": {"type": ["string", "null"], "description": "Its kind; `node` when absent."},
        "status": {"enum": reported_statuses(), "description": "How it ended: `error` when it has an `error`, otherwise `completed`."},
        "executedAt": or_null(time("When it began.")),
        "executionTimeMs": or_null(figure("How long it took, in milliseconds.")),
        "inputData": any("What it was given."),
        "outputData": any("What it produced."),
        "error": {"type": ["string", "null"], "description": "Why it failed."},
        "errorKind": or_null(words(ErrorKind::ALL, ErrorKind::as_str)),
        "parentSeq": {"type": ["integer", "null"], "minimum": 1, "maximum": i32::MAX, "description": "The node execution that it is part of."},
        "iteration": {"type": ["integer", "null"], "minimum": 0, "maximum": i32::MAX, "description": "Which iteration of a loop it is part of."},
        "attempt": {"type": ["integer", "null"], "minimum": 1, "maximum": i32::MAX, "description": "Which attempt it is."},
    })
}

/// How a node can have ended, or nothing.
fn reported_statuses() -> Vec<Option<&'static str>> {
    let ended = NodeStatus::ALL.iter().filter(|status| **status != NodeStatus::Pending);
    ended.map(|status| Some(status.as_str())).chain([None]).collect()
}
