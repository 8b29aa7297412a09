//! Executions that are restored from an export: as they were, as often as one likes, and by administrators only.

use std::collections::BTreeMap;

use flowtrail_testkit::{TestServer, flow};
use serde_json::{Value, json};

/// Executions of all kinds: of a flow that ran here, of one that was deleted, of another user, redacted, not kept, failed
/// and cancelled.
async fn full_server() -> TestServer {
    let server = TestServer::start().await;
    let rest = server.rest();
    let made = server.create(&flow("Greet").text("name").transform("shout", "input").returns("hi")).await;
    let run = format!("/api/flows/{}/run", made["id"].as_str().unwrap());
    let ran = rest.post(&run, &json!({"params": {"name": "Ada"}})).await.expect(200);
    let replay = format!("/api/executions/{}/replay", ran["id"].as_str().unwrap());
    let again = rest.post(&replay, &json!({})).await.expect(202);
    server.ended(again["id"].as_str().unwrap()).await;
    for (name, capture) in [("Kept", "full"), ("Counted", "metadata"), ("Deleted", "full")] {
        let external =
            json!({"kind": "external", "name": name, "capture": capture, "access": {"public": true}});
        let made = rest.post("/api/flows", &external).await.expect(201);
        let id = made["id"].as_str().unwrap();
        let executions = format!("/api/flows/{id}/executions");
        for body in [
            json!({"status": "fulfilled", "startedAt": "2026-01-06T12:00:00.000999Z", "endedAt": "2026-01-06T12:00:00.002001Z",
                "initialParams": {"password": "hunter2", "n": [1, 2.50, "é"]}, "outputs": {"a": null}, "tags": {"k": "v"},
                "meta": {"traceparent": "00-1"},
                "nodeExecutions": [{"nodeId": "a", "inputData": 1, "executedAt": "2026-01-06T12:00:00.001Z", "executionTimeMs": 0.123},
                    {"nodeId": "b", "status": "error", "error": "no", "errorKind": "network", "parentSeq": 1, "iteration": 0}]}),
            json!({"status": "error", "errorInfo": {"message": "it broke", "nodeId": "a"}, "duration": 12}),
            json!({"status": "aborted", "duration": 0}),
        ] {
            rest.post(&executions, &body).await.expect(201);
        }
        let user = server.user(&format!("user of {name}")).await;
        let whole = json!({"status": "fulfilled", "duration": 1});
        user.rest.post(&executions, &whole).await.expect(201);
        if name == "Deleted" {
            rest.delete(&format!("/api/flows/{id}")).await.expect(204);
        }
    }
    server
}

async fn exported(server: &TestServer) -> String {
    let exported = server.rest().get("/api/executions/export").await.expect(200);
    exported.as_str().unwrap().to_owned()
}

fn by_id(exported: &str) -> BTreeMap<String, Value> {
    let line = |line: &str| -> Value { serde_json::from_str(line).unwrap() };
    exported.lines().map(line).map(|line| (line["id"].as_str().unwrap().to_owned(), line)).collect()
}

/// Imports a text, and gives the outcome of each line.
async fn import(server: &TestServer, text: &str) -> Vec<Value> {
    let answers = server.rest().post_bytes("/api/executions/import", text.into()).await.expect(200);
    // One line is read as JSON.
    let answers = answers.as_str().map_or_else(|| answers.to_string(), str::to_owned);
    answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn all_are(outcomes: &[Value], status: &str) -> bool {
    outcomes.iter().all(|outcome| outcome["status"] == status)
}

#[tokio::test]
async fn a_complete_export_is_restored_as_it_was_and_only_once() {
    let from = full_server().await;
    let text = exported(&from).await;
    let before = by_id(&text);
    assert_eq!(before.len(), 14);
    let to = TestServer::start().await;
    let outcomes = import(&to, &text).await;
    assert!(all_are(&outcomes, "created"), "{outcomes:?}");
    let restored = exported(&to).await;
    for (id, after) in by_id(&restored) {
        let before = &before[&id];
        for (name, value) in before.as_object().unwrap() {
            // Here the flow is a deleted one.
            if !matches!(name.as_str(), "flowId" | "deletedFlowId") {
                assert_eq!(&after[name], value, "{name} of {id}");
            }
        }
        let flow = if before["flowId"].is_null() { &before["deletedFlowId"] } else { &before["flowId"] };
        assert_eq!((&after["deletedFlowId"], &after["flowId"]), (flow, &Value::Null));
    }
    for (server, text) in [(&to, &text), (&from, &text), (&from, &restored), (&to, &restored)] {
        let outcomes = import(server, text).await;
        assert!(all_are(&outcomes, "exists"), "{outcomes:?}");
    }
    let stats = to.rest().get("/api/executions/stats").await.expect(200);
    assert_eq!((&stats["total"], &stats["error"]), (&json!(14), &json!(3)), "they count as recorded");
    let audit = to.rest().get("/api/audit?action=executions.imported").await.expect(200);
    assert_eq!(audit["items"][2]["detail"], json!({"created": 14, "exists": 0, "invalid": 0, "conflict": 0}));
}

#[tokio::test]
async fn an_export_of_before_is_taken_and_shown_as_it_was() {
    let from = full_server().await;
    let text = exported(&from).await;
    let old: String = by_id(&text)
        .into_values()
        .map(|mut line| {
            line.as_object_mut().unwrap().retain(|name, _| name != "precise" && name != "deletedFlowId");
            format!("{line}\n")
        })
        .collect();
    let to = TestServer::start().await;
    let outcomes = import(&to, &old).await;
    assert!(all_are(&outcomes, "created"), "{outcomes:?}");
    let before = by_id(&text);
    for (id, after) in by_id(&exported(&to).await) {
        for name in
            ["startedAt", "endedAt", "duration", "createdAt", "source", "userId", "userName", "flowName"]
        {
            assert_eq!(after[name], before[&id][name], "{name} of {id}");
        }
    }
    let outcomes = import(&to, &old).await;
    assert!(all_are(&outcomes, "exists"), "{outcomes:?}");
}

#[tokio::test]
async fn what_differs_is_a_conflict_and_what_is_no_export_is_invalid() {
    let server = full_server().await;
    let text = exported(&server).await;
    let (_, line) = by_id(&text).pop_first().unwrap();
    let changed = |name: &str, value: Value| {
        let mut line = line.clone();
        line[name] = value;
        line
    };
    for (line, status, field) in [
        (changed("outputs", json!("others")), "conflict", "outputs"),
        (changed("source", json!("embedded")), "conflict", "source"),
        (changed("inferred", json!(true)), "conflict", "inferred"),
        (changed("status", json!("pending")), "invalid", "status"),
        (changed("source", json!("elsewhere")), "invalid", "source"),
        (
            changed("precise", json!({"startedAtUs": 1, "endedAtUs": 2, "durationUs": 1})),
            "invalid",
            "precise",
        ),
        (changed("duration", json!(-1)), "invalid", "duration"),
        (changed("unheardOf", json!(1)), "invalid", "unheardOf"),
    ] {
        let outcomes = import(&server, &format!("{line}\n")).await;
        assert_eq!(outcomes[0]["status"], status, "{outcomes:?}");
        let message = outcomes[0]["error"]["message"].as_str().unwrap_or_default();
        // A duration may be refused before it is compared.
        assert!(message.contains(field), "{field}: {message}");
    }
    assert_eq!(by_id(&exported(&server).await), by_id(&text), "nothing has changed");
}

#[tokio::test]
async fn only_administrators_import() {
    let server = full_server().await;
    let text = exported(&server).await;
    let ana = server.user("Ana").await;
    let refused = ana.rest.post_bytes("/api/executions/import", text.into()).await;
    refused.expect_error(403, "forbidden");
    server
        .rest()
        .with_key(None)
        .post_bytes("/api/executions/import", Vec::new())
        .await
        .expect_error(401, "unauthenticated");
    let empty = server.rest().post_bytes("/api/executions/import", b"\xef\xbb\xbf\n\n".to_vec()).await;
    assert_eq!(empty.expect(200), Value::Null);
}
