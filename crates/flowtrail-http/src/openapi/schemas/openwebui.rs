//! The dialect of Open WebUI.

use serde_json::{Value, json};

use super::{any, both, count, figure, id, object, schema, shown, whole};
use crate::openapi::example;

pub(super) fn schemas() -> Value {
    json!({
        "SavedExecution": shown(
            open(object(&["status", "execution_time"], json!({
                "flow_id": {"type": ["string", "null"], "description": "The flow's id, which the address has, too."},
                "status": {"enum": ["success", "error", "aborted"]},
                "inputs": map("What it was given."),
                "outputs": map("What it produced."),
                "node_results": map("What each node produced."),
                "errors": errors(),
                "execution_time": figure("How long it took, in milliseconds."),
            }))),
            "An execution that is over.",
            example::saved(),
        ),
        "RecordedExecution": shown(
            whole(both(item(), json!({
                "user_id": {"type": ["string", "null"], "format": "uuid", "description": "Who reported it."},
                "inputs": any("What it was given."),
                "outputs": any("What it produced."),
                "node_results": map("What each node produced."),
                "errors": errors(),
                "meta": {"type": "object", "additionalProperties": true, "description": "What else is kept of it."},
            }))),
            "An execution with all that is known of it.",
            example::recorded(),
        ),
        "RecordedItem": shown(whole(item()), "An execution as a list shows it.", example::recorded_item()),
        "RecordedItems": {
            "description": "A page of 60 executions, the last to arrive first.",
            "type": "array",
            "maxItems": 60,
            "items": schema("RecordedItem"),
            "examples": [[example::recorded_item()]],
        },
        "RecordedStats": shown(
            whole(json!({
                "total_executions": count(0, "All that are over."),
                "success_count": count(0, "Those that ended as they should."),
                "error_count": count(0, "Those that failed."),
                "aborted_count": count(0, "Those that were stopped."),
                "avg_execution_time": figure("Their average, in milliseconds."),
                "last_execution_at": {"type": ["integer", "null"], "description": "When the last arrived, in Unix seconds."},
            })),
            "Figures over a flow's executions.",
            json!({"total_executions": 3, "success_count": 2, "error_count": 1, "aborted_count": 0, "avg_execution_time": 1234.5, "last_execution_at": 1_767_700_800}),
        ),
        "Done": {"description": "That it was deleted.", "const": true, "examples": [true]},
    })
}

/// What is not known is not looked at: its clients may be newer than this server.
fn open(mut object: Value) -> Value {
    object["additionalProperties"] = json!(true);
    object
}

fn map(means: &str) -> Value {
    json!({"type": ["object", "null"], "additionalProperties": true, "description": means})
}

fn errors() -> Value {
    json!({"type": ["object", "null"], "additionalProperties": {"type": "string"}, "description": "Why nodes failed, by node."})
}

fn item() -> Value {
    json!({
        "id": id("Its id."),
        "flow_id": id("Its flow."),
        "status": {"enum": ["success", "error", "aborted"]},
        "execution_time": count(0, "How long it took, in milliseconds."),
        "created_at": {"type": "integer", "description": "When it arrived, in Unix seconds."},
    })
}
