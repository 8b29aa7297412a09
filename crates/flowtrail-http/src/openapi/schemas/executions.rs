//! Executions as they are read.

use flowtrail_tracker::ExecutionAct;
use flowtrail_types::{ErrorKind, ExecutionStatus, NodeStatus, Source};
use serde_json::{Value, json};

use super::{
    allowed, any, both, count, figure, flag, id, list, object, or_null, schema, shown, text, time, whole,
};
use crate::openapi::{example, words};

pub(super) fn schemas() -> Value {
    json!({
        "ExecutionStatus": words(ExecutionStatus::ALL, ExecutionStatus::as_str),
        "NodeStatus": words(NodeStatus::ALL, NodeStatus::as_str),
        "Source": words(Source::ALL, Source::as_str),
        "ErrorKind": words(ErrorKind::ALL, ErrorKind::as_str),
        "ErrorInfo": shown(
            whole(json!({
                "message": text("What happened, for people and for models."),
                "kind": schema("ErrorKind"),
                "nodeId": {"type": ["string", "null"], "description": "The node that is to blame, if one is."},
                "nodeName": {"type": ["string", "null"], "description": "Its name."},
            })),
            "Why something failed or was stopped.",
            json!({"message": "the upstream answered 503", "kind": "failed", "nodeId": "fetch", "nodeName": "Fetch"}),
        ),
        "Capture": {
            "type": "object",
            "description": "The marks of those payloads that are not whole or not as they were sent, by the name of their field.",
            "additionalProperties": object(&["size", "truncated", "redacted", "captured"], json!({
                "size": count(0, "The bytes of JSON that it had after redaction and before it was cut."),
                "truncated": flag("Whether it was cut."),
                "redacted": flag("Whether something in it was redacted."),
                "captured": flag("Whether it was kept at all."),
                "replaced": flag("Whether a surrogate without a partner was replaced by U+FFFD in it; absent otherwise."),
                "leftOut": count(1, "Of `nodeExecutions`: how many within loops are not recorded, because the execution has more than it may; absent otherwise."),
                "rounded": flag("Whether a script received it with numbers rounded to doubles; absent otherwise. It is kept with all digits."),
            })),
        },
        "ExecutionSummary": shown(whole(summary()), "An execution as a list shows it.", example::summary()),
        "ExecutionPage": shown(
            object(&["items", "total", "totalIsExact", "page", "limit", "totalPages", "asOf", "after", "hasPendingExecutions"], both(paged("ExecutionSummary"), json!({
                "asOf": {"type": "string", "description": "The anchor for further pages, to the microsecond."},
                "hasPendingExecutions": flag("Whether one of the items is still pending."),
                "damaged": list(object(&["table", "column", "id"], json!({
                    "table": text("The table."), "column": text("The column."), "id": text("The row's id."),
                })), "The rows of the page that are left out because they are damaged; absent without any."),
                "searchedTo": time("How far it was looked, when not all was looked at."),
            }))),
            "A page of executions, newest first unless told otherwise.",
            example::page(),
        ),
        "NodeExecution": shown(
            object(&NODE_WITHOUT_DATA, node()),
            "A node's part in an execution.",
            example::node(),
        ),
        "NodePage": shown(
            whole(json!({
                "items": list(schema("NodeExecution"), "Node executions, by number."),
                "after": {"type": ["integer", "null"], "description": "The number of the last one; null when there are no more."},
            })),
            "A page of node executions.",
            json!({"items": [example::node()], "after": null}),
        ),
        "Execution": shown(
            object(&execution_without_data(), execution()),
            "An execution with all that is known of it. With `data=none` the payloads are not there.",
            example::execution(),
        ),
        "ExecutionDetail": {
            "anyOf": [schema("Execution"), schema("ExecutionWithoutNodes")],
            "description": "An execution with all that is known of it. With `nodes=none` its node executions are not there.",
            "examples": [example::execution()],
        },
        "ExecutionWithoutNodes": shown(
            without_nodes(),
            "An execution without its node executions.",
            without_node_executions(example::execution()),
        ),
        "ExportedExecution": shown(
            object(&exported_always(), both(execution(), json!({
                "precise": whole(json!({
                    "startedAtUs": {"type": "integer", "description": "When it began, in microseconds since 1970."},
                    "endedAtUs": {"type": ["integer", "null"], "description": "When it ended, likewise."},
                    "durationUs": {"type": ["integer", "null"], "minimum": 0, "description": "How long it took, in microseconds."},
                })),
                "deletedFlowId": id("Its flow, when that was deleted."),
            }))),
            "An execution as a line of an export, to the microsecond. `precise` is absent in exports of earlier versions.",
            example::exported(),
        ),
        "Statistics": shown(whole(figures()), "Figures over executions. Durations are in milliseconds, over all that ended.", example::figures()),
        "TimeSeries": shown(
            whole(json!({
                "step": {"enum": ["hour", "day"]},
                "points": list(whole(both(json!({"at": time("When it begins.")}), figures())), "Hours or days in which there was something, oldest first."),
            })),
            "The same figures by hour or day.",
            example::series(),
        ),
        "Points": shown(
            whole(json!({
                "ids": list(id("An execution."), "Which executions."),
                "startedAt": list(time("When one began."), "When they began."),
                "duration": list(or_null(figure("Milliseconds.")), "How long they took, null for those that are pending."),
                "status": list(schema("ExecutionStatus"), "How they stand."),
                "thinned": flag("Whether there are more, of which these were chosen evenly."),
            })),
            "Executions as points of a plot: parallel lists, oldest first, at most 5,000.",
            json!({"ids": [example::EXECUTION], "startedAt": ["2026-01-06T12:00:00.000Z"], "duration": [1234.5], "status": ["fulfilled"], "thinned": false}),
        ),
    })
}

/// What a node's part has also when payloads are left out.
const NODE_WITHOUT_DATA: [&str; 13] = [
    "seq",
    "nodeId",
    "nodeName",
    "nodeType",
    "status",
    "executedAt",
    "executionTimeMs",
    "error",
    "errorKind",
    "parentSeq",
    "iteration",
    "attempt",
    "capture",
];

fn execution_without_data() -> Vec<&'static str> {
    vec![
        "id",
        "flowId",
        "flowName",
        "flowToolName",
        "flowVersion",
        "userId",
        "userName",
        "status",
        "inferred",
        "source",
        "startedAt",
        "endedAt",
        "duration",
        "initialParamsPreview",
        "error",
        "errorInfo",
        "tags",
        "parentExecutionId",
        "replayOf",
        "cancelRequested",
        "nodeExecutions",
        "capture",
        "createdAt",
        "updatedAt",
    ]
}

fn without_node_executions(mut of: Value) -> Value {
    if let Value::Object(members) = &mut of {
        members.remove("nodeExecutions");
    }
    of
}

fn without_nodes() -> Value {
    let is_left = |name: &&str| *name != "nodeExecutions";
    let required: Vec<&str> = execution_without_data().into_iter().filter(is_left).collect();
    object(&required, without_node_executions(execution()))
}

fn optional_text(means: &str) -> Value {
    json!({"type": ["string", "null"], "description": means})
}

fn summary() -> Value {
    json!({
        "id": id("Its id."),
        "flowId": or_null(id("Its flow; null once the flow is deleted.")),
        "flowName": text("The flow's name as it was."),
        "flowToolName": optional_text("The flow's tool name as it was."),
        "flowVersion": or_null(count(1, "Which definition ran; null when the flow has none.")),
        "userId": or_null(id("Who started it.")),
        "userName": optional_text("Their name."),
        "status": schema("ExecutionStatus"),
        "inferred": flag("Whether its end was concluded by Flowtrail and not reported."),
        "source": schema("Source"),
        "startedAt": time("When it began."),
        "endedAt": or_null(time("When it ended.")),
        "duration": or_null(count(0, "How long it took, cut to whole milliseconds.")),
        "initialParamsPreview": optional_text("The first declared parameter's value, at most 50 characters."),
        "error": optional_text("Its error in one line."),
    })
}

fn node() -> Value {
    json!({
        "seq": count(1, "Its number within the execution, in the order of beginning."),
        "nodeId": text("The node's id within the flow."),
        "nodeName": text("The node's name as it was."),
        "nodeType": text("The node's kind."),
        "status": schema("NodeStatus"),
        "executedAt": or_null(time("When it began; null when that was not reported.")),
        "executionTimeMs": or_null(figure("How long it took, in milliseconds with three decimals; null when that was not reported.")),
        "inputData": any("What it was given."),
        "outputData": any("What it produced."),
        "error": optional_text("Why it failed."),
        "errorKind": or_null(schema("ErrorKind")),
        "parentSeq": or_null(count(1, "The node execution that it is part of, such as a loop's.")),
        "iteration": or_null(count(0, "Which iteration of a loop it is part of, from 0.")),
        "attempt": count(1, "Which attempt it is."),
        "capture": schema("Capture"),
    })
}

fn figures() -> Value {
    json!({
        "total": count(0, "All of them, without rejected calls."),
        "pending": count(0, "Those that have begun."),
        "fulfilled": count(0, "Those that ended as they should."),
        "error": count(0, "Those that failed."),
        "aborted": count(0, "Those that were stopped."),
        "rejected": count(0, "Calls that were rejected before they ran, in none of the other numbers; 0 unless the server records them."),
        "successRate": {"type": ["number", "null"], "minimum": 0, "maximum": 1, "description": "Fulfilled / (fulfilled + error); null without either."},
        "avgDuration": or_null(figure("Their average.")),
        "p50Duration": or_null(figure("Half took no longer.")),
        "p95Duration": or_null(figure("95 of 100 took no longer.")),
        "p99Duration": or_null(figure("99 of 100 took no longer.")),
        "lastExecutionAt": or_null(time("When the newest began.")),
    })
}

/// What every page has.
pub(super) fn paged(of: &str) -> Value {
    json!({
        "items": list(schema(of), "The items of this page."),
        "total": count(0, "How many there are in all; at least, where `totalIsExact` is false."),
        "totalIsExact": flag("Whether `total` is exact."),
        "page": count(1, "The number of this page."),
        "limit": count(1, "How many items a page has."),
        "totalPages": count(1, "How many pages there are."),
        "after": {"type": ["string", "null"], "description": "Goes on after this page; null on the last one."},
    })
}

/// The properties of an execution.
fn execution() -> Value {
    both(
        summary(),
        json!({
            "initialParams": any("What it was given."),
            "outputs": any("What it produced."),
            "nodeExecutions": list(schema("NodeExecution"), "Its nodes, by number."),
            "errorInfo": or_null(schema("ErrorInfo")),
            "meta": any("What the reporter said besides."),
            "tags": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Keys and values to filter by."},
            "parentExecutionId": or_null(id("The execution that called it.")),
            "replayOf": or_null(id("The execution that it repeats.")),
            "cancelRequested": flag("Whether somebody asked it to stop."),
            "capture": schema("Capture"),
            "allowed": allowed(words(ExecutionAct::ALL, ExecutionAct::as_str), "What you may do with it as it stands; told with `allowed=true`."),
            "createdAt": time("When it was recorded."),
            "updatedAt": time("When its record last changed."),
        }),
    )
}

/// What every line of an export has.
fn exported_always() -> Vec<&'static str> {
    let mut always = execution_without_data();
    always.retain(|name| *name != "allowed");
    always
}
