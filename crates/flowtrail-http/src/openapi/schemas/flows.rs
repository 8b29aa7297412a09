//! Flows and their graphs.

use flowtrail_tracker::FlowAct;
use flowtrail_types::{CapturePolicy, ExecutionStatus, FlowKind};
use serde_json::{Value, json};

use super::{
    allowed, any, besides, both, count, flag, id, list, object, or_null, schema, shown, text, time, whole,
};
use crate::openapi::{example, words};

pub(super) fn schemas() -> Value {
    json!({
        "Node": shown(
            object(&["id", "type"], json!({
                "id": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "description": "An identifier, by which templates name its output."},
                "name": text("Its name for people; its id when there is none."),
                "type": {"type": "string", "description": "Its kind, for example `Transform`."},
                "parameters": {"type": "object", "additionalProperties": true, "description": "What its kind wants to know."},
                "timeout": text("How long it may take, for example `5s`."),
                "position": any("Where an editor draws it. Kept as it came."),
            })),
            "A node of a flow's graph.",
            json!({"id": "say", "name": "Say", "type": "Return", "parameters": {"text": "Hello, {{ ask.name }}!"}}),
        ),
        "Connection": shown(
            object(&["sourceNodeId", "targetNodeId"], json!({
                "sourceNodeId": text("The node that it leaves."),
                "targetNodeId": text("The node that it enters."),
                "sourceHandle": text("The way out by which it leaves; the normal one when absent."),
            })),
            "A connection of a flow's graph.",
            json!({"sourceNodeId": "ask", "targetNodeId": "say"}),
        ),
        "Access": shown(
            object(&[], access()),
            "Who may read and call a flow, and who may change it, besides its owner and administrators.",
            json!({"read": [], "write": [], "public": false}),
        ),
        "Retention": shown(
            object(&[], json!({
                "maxCount": count(0, "How many executions are kept."),
                "maxAge": age("How long executions are kept, for example `30d`."),
                "maxErrorAge": age("How long those are kept that failed."),
                "maxBytes": count(0, "How much their data may take as it is stored, in bytes."),
            })),
            "How much of a flow's history is kept.",
            json!({"maxCount": 100_000, "maxAge": "30d"}),
        ),
        "Flow": shown(
            besides(whole(both(flow(), graph())), json!({
                "allowed": allowed(words(FlowAct::ALL, FlowAct::as_str), "What you may do with it; told with `allowed=true`."),
            })),
            "A flow.",
            example::flow(),
        ),
        "FlowSummary": shown(whole(both(flow(), activity())), "A flow as a list shows it.", example::flow_summary()),
        "FlowPage": shown(
            whole(super::executions::paged("FlowSummary")),
            "A page of flows.",
            json!({"items": [example::flow_summary()], "total": 1, "totalIsExact": true, "page": 1, "limit": 20, "totalPages": 1, "after": null}),
        ),
        "NewFlow": {
            "description": "A flow to make.",
            "oneOf": [schema("NewExternalFlow"), schema("NewRunnableFlow")],
            "examples": [example::new_flow()],
        },
        "NewExternalFlow": shown(
            object(&["name", "kind"], external()),
            "A flow that runs elsewhere and is recorded here.",
            example::new_flow(),
        ),
        "NewRunnableFlow": shown(
            object(&["name", "nodes"], both(json!({"id": id("An id of your choosing.")}), told())),
            "A flow that can be run here.",
            example::flow_file(),
        ),
        "FlowChange": shown(
            object(&[], changes()),
            "What is to be changed of a flow; what is left out stays.",
            json!({"description": "Greets a customer.", "retention": {"maxCount": 100_000, "maxAge": "30d"}}),
        ),
        "FlowFile": shown(
            object(&["name"], file()),
            "A flow as a file has it.",
            example::flow_file(),
        ),
        "FlowFiles": shown(
            json!({"anyOf": [
                schema("FlowFile"),
                list(json!({"anyOf": [schema("FlowFile"), schema("ForeignFlow")]}), "Several."),
                schema("ForeignFlow"),
            ]}),
            "A flow file: one flow, or an array of them.",
            example::flow_file(),
        ),
        "ForeignFlow": shown(
            json!({"type": "object", "additionalProperties": true}),
            "A flow of Manifest's (`nodes` with `connections`) or of Open WebUI's (`nodes` with `edges`), alone, in `{\"flow\": …}` or in `{\"flows\": […]}`.",
            json!({"name": "Echo", "nodes": [], "edges": []}),
        ),
        "FlowList": shown(
            object(&["items"], json!({
                "items": list(schema("Flow"), "The flows."),
                "notes": list(schema("ImportNote"), "What did not come over as it was; absent when there is nothing to tell."),
            })),
            "The flows that were made.",
            json!({"items": [example::flow()]}),
        ),
        "ImportNote": shown(
            whole(json!({
                "flow": {"type": ["string", "null"], "description": "The flow's name; null when it concerns the whole file."},
                "node": {"type": ["string", "null"], "description": "The id that the node has in the file, when it is a node's."},
                "field": text("The field in the file, as a path. Empty when it concerns the whole."),
                "kind": {
                    "enum": ["dropped", "changed", "assumed", "configure", "unsupported"],
                    "description": "What became of it: it is gone, behaves differently, was assumed, works once something is set, or was replaced by a node that fails.",
                },
                "message": text("The same for a person."),
            })),
            "Something of another system's flow that did not come over as it was.",
            json!({"flow": "Support", "node": "search_1", "field": "type", "kind": "unsupported", "message": "a web search has no counterpart; the node was replaced by one that fails, and the flow is not active"}),
        ),
        "Run": shown(
            object(&[], json!({"params": {"type": ["object", "null"], "additionalProperties": true, "description": "The flow's parameters by name."}})),
            "What a flow is run with.",
            json!({"params": {"name": "Ada"}}),
        ),
    })
}

fn access() -> Value {
    json!({
        "read": list(id("A user."), "Users who may read and call it."),
        "write": list(id("A user."), "Users who may change it, too."),
        "public": flag("Whether every user may read and call it."),
    })
}

fn age(means: &str) -> Value {
    json!({"type": "string", "pattern": "^[0-9]{1,5}[smhd]$", "description": means})
}

/// What somebody tells of a flow, and can change.
fn told() -> Value {
    json!({
        "kind": {"const": FlowKind::Runnable.as_str()},
        "name": {"type": "string", "minLength": 1, "maxLength": 300, "description": "Its name for people."},
        "toolName": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,100}$", "description": "The name of its tool over MCP; made from the name when absent."},
        "description": text("What it does, for models and people."),
        "active": flag("Whether it can be called."),
        "nodes": list(schema("Node"), "The nodes of its graph."),
        "connections": list(schema("Connection"), "The connections between them."),
        "timeout": {"type": ["string", "null"], "description": "How long an execution may take, for example `30s`."},
        "access": schema("Access"),
        "capture": words(CapturePolicy::ALL, CapturePolicy::as_str),
        "retention": or_null(schema("Retention")),
    })
}

/// What somebody tells of a flow that runs elsewhere.
fn external() -> Value {
    let mut told = both(json!({"id": id("An id of your choosing.")}), told());
    if let Value::Object(fields) = &mut told {
        fields.retain(|name, _| !["toolName", "nodes", "connections"].contains(&name.as_str()));
        fields.insert("kind".to_owned(), json!({"const": FlowKind::External.as_str()}));
    }
    told
}

fn changes() -> Value {
    let mut told = told();
    if let Value::Object(fields) = &mut told {
        fields.remove("kind");
    }
    told
}

fn file() -> Value {
    let mut told = told();
    if let Value::Object(fields) = &mut told {
        fields.shift_remove("access");
        fields.insert("kind".to_owned(), words(FlowKind::ALL, FlowKind::as_str));
    }
    told
}

fn flow() -> Value {
    json!({
        "id": id("Its id."),
        "kind": words(FlowKind::ALL, FlowKind::as_str),
        "name": text("Its name for people."),
        "toolName": {"type": ["string", "null"], "description": "The name of its tool over MCP, if it can be called."},
        "description": text("What it does."),
        "active": flag("Whether it can be called."),
        "version": count(1, "Which of its definitions is the current one."),
        "timeout": {"type": ["string", "null"], "description": "How long an execution may take; as configured when null."},
        "access": shown(whole(access()), "Who may read and change it.", json!({"read": [], "write": [], "public": false})),
        "capture": words(CapturePolicy::ALL, CapturePolicy::as_str),
        "retention": or_null(schema("Retention")),
        "ownerId": id("The user whose flow it is."),
        "createdAt": time("When it was made."),
        "updatedAt": time("When it last changed."),
    })
}

fn graph() -> Value {
    json!({
        "nodes": list(schema("Node"), "The nodes of its graph."),
        "connections": list(schema("Connection"), "The connections between them."),
    })
}

fn activity() -> Value {
    json!({
        "lastStatuses": list(words(ExecutionStatus::ALL, ExecutionStatus::as_str), "The statuses of its newest 20 executions, newest first."),
        "runsLastDay": count(0, "How many executions began within this hour and the 23 before it."),
        "successRate": {"type": ["number", "null"], "minimum": 0, "maximum": 1, "description": "Fulfilled / (fulfilled + error); null without either."},
        "lastExecutionAt": or_null(time("When its newest execution began.")),
    })
}
