//! Every route, and how each kind of caller is answered there.

use serde_json::{Value, json};

/// A route, what is sent there, and how those who have a key are answered, in the order of [`KNOWN`].
pub(crate) struct Row {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) body: fn() -> Value,
    /// Nothing for routes that anybody may use.
    pub(crate) statuses: Option<[u16; 8]>,
}

pub(crate) fn nothing() -> Value {
    Value::Null
}

pub(crate) const fn row(method: &'static str, path: &'static str, statuses: [u16; 8]) -> Row {
    Row { method, path, body: nothing, statuses: Some(statuses) }
}

pub(crate) const fn with(
    method: &'static str,
    path: &'static str,
    body: fn() -> Value,
    statuses: [u16; 8],
) -> Row {
    Row { method, path, body, statuses: Some(statuses) }
}

pub(crate) const fn open(method: &'static str, path: &'static str) -> Row {
    Row { method, path, body: nothing, statuses: None }
}

/// All may.
pub(crate) const ALL: [u16; 8] = [200; 8];

pub(crate) fn table() -> Vec<Row> {
    let mut rows = vec![open("GET", "/healthz"), open("GET", "/readyz")];
    // Sessions: who logs in needs no key yet, and who is not logged in has no session to end.
    rows.extend([row("GET", "/api/events", ALL), row("GET", "/api/openapi.json", ALL)]);
    rows.extend([row("GET", "/metrics", [403, 403, 403, 403, 403, 200, 403, 403])]);
    rows.extend([open("POST", "/api/session"), open("GET", "/api/session"), open("DELETE", "/api/session")]);
    //                                                        stranger public reader writer owner admin page cookie
    rows.extend([
        row("GET", "/api/me", ALL),
        row("GET", "/api/flows", ALL),
        with(
            "POST",
            "/api/flows",
            || json!({"name": "New", "kind": "external"}),
            [201, 201, 201, 201, 201, 201, 403, 403],
        ),
        with("POST", "/api/flows/import", || json!([]), [400, 400, 400, 400, 400, 400, 400, 403]),
        row("GET", "/api/flows/{flow_id}", [404, 200, 200, 200, 200, 200, 200, 200]),
        with(
            "PATCH",
            "/api/flows/{flow_id}",
            || json!({"description": "x"}),
            [404, 403, 403, 200, 200, 200, 403, 403],
        ),
        row("DELETE", "/api/flows/{flow_id}", [404, 403, 403, 204, 204, 204, 403, 403]),
        row("GET", "/api/flows/{flow_id}/export", [404, 200, 200, 200, 200, 200, 200, 200]),
        with(
            "POST",
            "/api/flows/{flow_id}/run",
            || json!({"params": {"name": "x"}}),
            [404, 200, 200, 200, 200, 200, 403, 403],
        ),
        row("GET", "/api/flows/{flow_id}/executions", [404, 200, 200, 200, 200, 200, 200, 200]),
        with(
            "POST",
            "/api/flows/{flow_id}/executions",
            || json!({}),
            [404, 201, 201, 201, 201, 201, 403, 403],
        ),
        row("DELETE", "/api/flows/{flow_id}/executions", [404, 403, 403, 200, 200, 200, 403, 403]),
        row("GET", "/api/flows/{flow_id}/executions/stats", [404, 403, 200, 200, 200, 200, 200, 200]),
        row("GET", "/api/flows/{flow_id}/executions/timeseries", [404, 403, 200, 200, 200, 200, 200, 200]),
        row("GET", "/api/flows/{flow_id}/executions/points", [404, 403, 200, 200, 200, 200, 200, 200]),
        row("GET", "/api/flows/{flow_id}/executions/export", [404, 200, 200, 200, 200, 200, 200, 200]),
        with(
            "POST",
            "/api/flows/{flow_id}/executions/prune",
            || json!({"keep": 50}),
            [404, 403, 403, 200, 200, 200, 403, 403],
        ),
        row(
            "GET",
            "/api/flows/{flow_id}/executions/{execution_id}",
            [404, 404, 200, 200, 200, 200, 200, 200],
        ),
        row(
            "DELETE",
            "/api/flows/{flow_id}/executions/{execution_id}",
            [404, 404, 403, 204, 204, 204, 403, 403],
        ),
        row("GET", "/api/executions", ALL),
        row("GET", "/api/executions/stats", ALL),
        row("GET", "/api/executions/timeseries", ALL),
        row("GET", "/api/executions/export", ALL),
        // A batch is answered line by line.
        row("POST", "/api/executions/batch", [200, 200, 200, 200, 200, 200, 200, 403]),
        // Of nothing, by administrators.
        row("POST", "/api/executions/import", [403, 403, 403, 403, 403, 200, 403, 403]),
        row("GET", "/api/executions/{execution_id}", [404, 404, 200, 200, 200, 200, 200, 200]),
        with(
            "PATCH",
            "/api/executions/{pending_id}",
            || json!({"status": "fulfilled"}),
            [404, 404, 403, 200, 200, 200, 403, 403],
        ),
        with(
            "POST",
            "/api/executions/{pending_id}/nodes",
            || json!([{"seq": 1, "nodeId": "a", "nodeType": "t"}]),
            [404, 404, 403, 200, 200, 200, 403, 403],
        ),
        row("GET", "/api/executions/{execution_id}/nodes", [404, 404, 200, 200, 200, 200, 200, 200]),
        row("GET", "/api/executions/{execution_id}/nodes/{seq}", [404, 404, 200, 200, 200, 200, 200, 200]),
        row("POST", "/api/executions/{execution_id}/replay", [404, 404, 202, 202, 202, 202, 403, 403]),
        row("POST", "/api/executions/{pending_id}/cancel", [404, 404, 403, 202, 202, 202, 403, 403]),
        // Strangers are told that it is there and not theirs.
        with(
            "POST",
            "/api/v1/flows/{flow_id}/executions",
            || json!({"status": "success", "execution_time": 1}),
            [403, 200, 200, 200, 200, 200, 403, 403],
        ),
        row("GET", "/api/v1/flows/{flow_id}/executions", [403, 200, 200, 200, 200, 200, 200, 200]),
        row("GET", "/api/v1/flows/{flow_id}/executions/stats", [403, 403, 200, 200, 200, 200, 200, 200]),
        row(
            "GET",
            "/api/v1/flows/{flow_id}/executions/{execution_id}",
            [403, 404, 200, 200, 200, 200, 200, 200],
        ),
        row("DELETE", "/api/v1/flows/{flow_id}/executions", [403, 403, 403, 200, 200, 200, 403, 403]),
        row(
            "DELETE",
            "/api/v1/flows/{flow_id}/executions/{execution_id}",
            [403, 404, 403, 200, 200, 200, 403, 403],
        ),
        row("GET", "/api/users", [403, 403, 403, 403, 403, 200, 403, 403]),
        with("POST", "/api/users", || json!({"name": "New"}), [403, 403, 403, 403, 403, 201, 403, 403]),
        row("DELETE", "/api/users/{user_id}", [403, 403, 403, 403, 403, 204, 403, 403]),
        row("GET", "/api/keys", [200, 200, 200, 200, 200, 200, 403, 200]),
        with("POST", "/api/keys", || json!({"name": "New"}), [201, 201, 201, 201, 201, 201, 403, 403]),
        // Somebody else's key.
        row("DELETE", "/api/keys/{key_id}", [404, 404, 404, 404, 404, 204, 403, 403]),
        with(
            "POST",
            "/api/embed-tokens",
            || json!({"flowIds": ["{flow_id}"], "ttlSeconds": 60}),
            [404, 403, 201, 201, 201, 201, 403, 403],
        ),
        row("GET", "/api/audit", [403, 403, 403, 403, 403, 200, 403, 403]),
    ]);
    rows
}
