//! The examples of the description: one flow, one execution and what belongs to them, the same everywhere.

use serde_json::{Value, json};

/// The flow of the examples.
pub(super) const FLOW: &str = "3f2c1b7e-58a1-4c53-9a35-0d4f6c1f2a10";
/// A flow that runs elsewhere.
pub(super) const EXTERNAL_FLOW: &str = "936da01f-9abd-4d9d-80c7-02af85c822a8";
/// The execution of the examples.
pub(super) const EXECUTION: &str = "019b9335-4200-7000-8000-00000000000a";
/// The user of the examples.
pub(super) const USER: &str = "0b8f7c3e-6a0d-4c62-8f1b-2f5f0c3f9a77";

pub(super) fn new_flow() -> Value {
    json!({"name": "Nightly report", "kind": "external"})
}

pub(super) fn flow_file() -> Value {
    json!({
        "name": "Greet", "toolName": "greet", "description": "Greets somebody.",
        "nodes": nodes(), "connections": [{"sourceNodeId": "ask", "targetNodeId": "say"}],
    })
}

fn nodes() -> Value {
    json!([
        {"id": "ask", "name": "Ask", "type": "UserIntent",
         "parameters": {"parameters": [{"name": "name", "type": "string", "required": true}]}},
        {"id": "say", "name": "Say", "type": "Return", "parameters": {"text": "Hello, {{ ask.name }}!"}},
    ])
}

pub(super) fn flow() -> Value {
    json!({
        "id": FLOW, "kind": "runnable", "name": "Greet", "toolName": "greet", "description": "Greets somebody.",
        "active": true, "version": 1, "nodes": nodes(), "connections": [{"sourceNodeId": "ask", "targetNodeId": "say"}],
        "timeout": "30s", "access": {"read": [], "write": [], "public": false}, "capture": "full", "retention": null,
        "ownerId": USER, "createdAt": "2026-01-01T09:00:00.000Z", "updatedAt": "2026-01-01T09:00:00.000Z",
    })
}

pub(super) fn flow_summary() -> Value {
    let mut flow = flow();
    if let Value::Object(fields) = &mut flow {
        fields.retain(|name, _| name != "nodes" && name != "connections");
        fields.insert("lastStatuses".to_owned(), json!(["fulfilled", "error"]));
        fields.insert("runsLastDay".to_owned(), json!(2));
        fields.insert("successRate".to_owned(), json!(0.5));
        fields.insert("lastExecutionAt".to_owned(), json!("2026-01-06T12:00:00.000Z"));
    }
    flow
}

pub(super) fn summary() -> Value {
    json!({
        "id": EXECUTION, "flowId": FLOW, "flowName": "Greet", "flowToolName": "greet", "flowVersion": 1, "userId": USER,
        "userName": "Ada", "status": "fulfilled", "inferred": false, "source": "mcp", "startedAt": "2026-01-06T12:00:00.000Z",
        "endedAt": "2026-01-06T12:00:00.012Z", "duration": 12, "initialParamsPreview": "Ada", "error": null,
    })
}

pub(super) fn page() -> Value {
    json!({
        "items": [summary()], "total": 1, "totalIsExact": true, "page": 1, "limit": 20, "totalPages": 1,
        "asOf": "2026-01-06T12:00:01.000000Z", "after": null, "hasPendingExecutions": false,
    })
}

pub(super) fn node() -> Value {
    json!({
        "seq": 2, "nodeId": "say", "nodeName": "Say", "nodeType": "Return", "status": "completed",
        "executedAt": "2026-01-06T12:00:00.001Z", "executionTimeMs": 0.412, "inputData": {"name": "Ada"},
        "outputData": {"text": "Hello, Ada!"}, "error": null, "errorKind": null, "parentSeq": null, "iteration": null,
        "attempt": 1, "capture": {},
    })
}

pub(super) fn execution() -> Value {
    let mut execution = summary();
    let more = json!({
        "initialParams": {"name": "Ada"}, "outputs": "Hello, Ada!", "nodeExecutions": [node()], "errorInfo": null,
        "meta": {"client": {"name": "an-agent", "version": "1.0"}}, "tags": {}, "parentExecutionId": null, "replayOf": null,
        "cancelRequested": false, "capture": {}, "createdAt": "2026-01-06T12:00:00.000Z", "updatedAt": "2026-01-06T12:00:00.012Z",
    });
    if let (Value::Object(execution), Value::Object(more)) = (&mut execution, more) {
        execution.extend(more);
    }
    execution
}

pub(super) fn exported() -> Value {
    let mut exported = execution();
    exported["precise"] = json!({
        "startedAtUs": 1_767_700_800_000_104_i64, "endedAtUs": 1_767_700_800_012_511_i64, "durationUs": 12_407,
    });
    exported
}

pub(super) fn finished() -> Value {
    json!({
        "id": EXECUTION, "status": "error", "startedAt": "2026-01-06T12:00:00.000Z", "duration": 1234.5,
        "initialParams": {"orderId": "A-1"}, "tags": {"shop": "north"},
        "errorInfo": {"message": "the upstream answered 503", "nodeId": "fetch"},
        "nodeExecutions": [{"nodeId": "fetch", "nodeType": "http", "executionTimeMs": 1200, "error": "503"}],
    })
}

pub(super) fn figures() -> Value {
    json!({
        "total": 3, "pending": 0, "fulfilled": 2, "error": 1, "aborted": 0, "rejected": 0,
        "successRate": 0.6666666666666666,
        "avgDuration": 12.5, "p50Duration": 12.1, "p95Duration": 14.8, "p99Duration": 14.8,
        "lastExecutionAt": "2026-01-06T12:00:00.000Z",
    })
}

pub(super) fn series() -> Value {
    let mut point = json!({"at": "2026-01-06T00:00:00.000Z"});
    if let (Value::Object(point), Value::Object(figures)) = (&mut point, figures()) {
        point.extend(figures);
    }
    json!({"step": "day", "points": [point]})
}

pub(super) fn saved() -> Value {
    json!({
        "flow_id": EXTERNAL_FLOW, "status": "error", "inputs": {"topic": "jokes"}, "node_results": {"ask": "jokes"},
        "errors": {"model": "out of tokens"}, "execution_time": 1234,
    })
}

pub(super) fn recorded_item() -> Value {
    json!({"id": EXECUTION, "flow_id": EXTERNAL_FLOW, "status": "error", "execution_time": 1234, "created_at": 1_767_700_800})
}

pub(super) fn recorded() -> Value {
    json!({
        "id": EXECUTION, "flow_id": EXTERNAL_FLOW, "status": "error", "execution_time": 1234, "created_at": 1_767_700_800,
        "user_id": USER, "inputs": {"topic": "jokes"}, "outputs": null, "node_results": {"ask": "jokes"},
        "errors": {"model": "out of tokens"}, "meta": {},
    })
}

pub(super) fn audit() -> Value {
    json!({
        "id": "019b9335-4200-7000-8000-00000000000b", "at": "2026-01-06T12:00:00.000Z", "userId": USER, "userName": "Ada",
        "action": "key.created", "subjectId": "7d444840-9dc0-41d1-b245-5ffdce74fad2", "subject": "nightly job", "detail": null,
    })
}
