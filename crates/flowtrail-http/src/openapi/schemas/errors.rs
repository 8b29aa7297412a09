//! What is answered when something is refused.

use serde_json::{Value, json};

use super::{count, id, list, object, schema, shown, text, whole};
use crate::ErrorCode;

pub(super) fn schemas() -> Value {
    let codes: Vec<&str> = ErrorCode::TABLE.iter().map(|(_, word, _, _)| *word).collect();
    json!({
        "ErrorCode": {"type": "string", "enum": codes, "description": "What kind of error it is: a stable word for programs."},
        "Problem": shown(
            object(&["field", "message"], json!({
                "node": {"type": ["string", "null"], "description": "The node that it is about, if it is about one."},
                "field": text("The field."),
                "message": text("What is wrong, and what was expected."),
            })),
            "One of several things that are wrong.",
            json!({"node": "shape", "field": "parameters.code", "message": "line 1: unexpected token"}),
        ),
        "Error": shown(
            object(&["statusCode", "message", "error", "code"], json!({
                "statusCode": {"type": "integer", "minimum": 400, "maximum": 599, "description": "The status of the answer."},
                "message": text("What is wrong, for people. It names the field where there is one."),
                "error": text("The status in words."),
                "code": schema("ErrorCode"),
                "problems": list(schema("Problem"), "All that is wrong, where there can be several things."),
                "differences": list(text("A field."), "What differs from what was recorded before."),
                "id": id("Where Flowtrail itself went wrong: the log has more under this id."),
            })),
            "Why something was refused.",
            json!({"statusCode": 400, "message": "limit: expected a whole number from 1 to 100, got \"0\"", "error": "Bad Request", "code": "invalid"}),
        ),
        "Detail": shown(
            whole(json!({"detail": text("What is wrong, for people.")})),
            "Why something was refused, in the words of Open WebUI.",
            json!({"detail": "status: expected success, error or aborted"}),
        ),
        "Deleted": shown(
            whole(json!({"deleted": count(0, "How many.")})),
            "How many executions were deleted, or would be.",
            json!({"deleted": 12}),
        ),
        "Description": {"description": "A description of an API.", "type": "object", "additionalProperties": true, "examples": [{"openapi": "3.1.0"}]},
        "Health": shown(
            whole(json!({"status": {"enum": ["ok", "ready"]}})),
            "That all is well.",
            json!({"status": "ok"}),
        ),
    })
}
