//! Calls of several messages that pass by: questions to the client, and tasks of both forms, whatever comes of them.

use std::collections::BTreeMap;

use flowtrail_testkit::{Said, ScriptedServer, http_client};
use serde_json::{Value, json};

use super::{World, call, message, recorded};

/// Posts a message to `/mcp/NAME`, and gives the answer.
async fn post_to(world: &World, name: &str, key: &str, message: &Value) -> Value {
    let mut request = http_client()
        .post(format!("{}/mcp/{name}", world.server.base()))
        .bearer_auth(key)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", message["method"].as_str().unwrap_or_default());
    let names = message["params"].get("name").or(message["params"].get("taskId"));
    if let Some(name) = names.and_then(Value::as_str) {
        request = request.header("mcp-name", name);
    }
    let answer = request.body(message.to_string()).send().await.unwrap().text().await.unwrap();
    flowtrail_types::read_json_value(answer.as_bytes()).unwrap_or_else(|_| panic!("{answer}"))
}

async fn post(world: &World, message: &Value) -> Value {
    post_to(world, "far", world.server.key(), message).await
}

fn before(far: &ScriptedServer) -> World {
    World::start(&BTreeMap::from([("far", format!("url = {:?}", far.url()))]))
}

/// How a task is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// By the extension, beside the result's type.
    Flat,
    /// By the extension, under `task`.
    Nested,
    /// As in 2025-11-25, with the result in an answer of its own.
    Old,
}

fn task(form: Form, status: &str, more: &Value) -> Value {
    let (ttl, interval) =
        if form == Form::Old { ("ttl", "pollInterval") } else { ("ttlMs", "pollIntervalMs") };
    let mut task = json!({"taskId": "t1", "status": status, "createdAt": "2026-11-01T00:00:00Z",
        "lastUpdatedAt": "2026-11-01T00:00:00Z"});
    task[ttl] = json!(600_000);
    task[interval] = json!(50);
    task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    task
}

/// A server whose call is a task that comes to this.
fn as_task(form: Form, status: &'static str, more: Value) -> ScriptedServer {
    ScriptedServer::start(move |message| {
        let method = message["method"].as_str()?;
        Some(Said::Result(match (method, form) {
            ("tools/call", Form::Flat) => {
                let mut begun = task(form, "working", &json!({}));
                begun["resultType"] = json!("task");
                begun
            }
            ("tools/call", Form::Nested) => {
                json!({"resultType": "task", "task": task(form, "working", &json!({}))})
            }
            ("tools/call", Form::Old) => json!({"task": task(form, "working", &json!({}))}),
            ("tasks/get", _) if status == "unknown" => return Some(Said::Error(-32602, "no such task")),
            ("tasks/get", Form::Old) => {
                let mut told = more.clone();
                told.as_object_mut().unwrap().remove("result");
                task(form, status, &told)
            }
            ("tasks/get", _) => {
                let mut over = task(form, status, &more);
                over["resultType"] = json!("complete");
                over
            }
            ("tasks/result", Form::Old) => more.get("result")?.clone(),
            ("tasks/cancel", _) => json!({"resultType": "complete"}),
            _ => return None,
        }))
    })
}

#[tokio::test]
async fn tasks_end_as_they_are_told() {
    let text = |text: &str| json!({"content": [{"type": "text", "text": text}]});
    let mut failed = text("the shelf is empty");
    failed["isError"] = json!(true);
    for form in [Form::Flat, Form::Nested, Form::Old] {
        for (status, more, expected, kind, says) in [
            ("completed", json!({"result": text("done")}), "fulfilled", Value::Null, ""),
            ("completed", json!({"result": failed}), "error", json!("failed"), "the shelf is empty"),
            (
                "failed",
                json!({"error": {"code": -32603, "message": "no space left"}}),
                "error",
                json!("failed"),
                "no space left",
            ),
            ("failed", json!({"statusMessage": "out of paper"}), "error", json!("failed"), "out of paper"),
            (
                "cancelled",
                json!({"statusMessage": "by the operator"}),
                "aborted",
                json!("cancelled"),
                "by the operator",
            ),
            ("unknown", json!({}), "error", json!("interrupted"), "no such task"),
        ] {
            // In the old form a failure without a result has no `error` beside it.
            if form == Form::Old && more.get("error").is_some() {
                continue;
            }
            let case = format!("{form:?} {status} {more}");
            // Who is told that it failed, and why, need not ask for more.
            let is_fetched = form == Form::Old && more.get("result").is_some();
            let far = as_task(form, status, more);
            let world = before(&far);
            post(&world, &call(json!(1), json!({}))).await;
            let rest = world.server.rest();
            recorded(&rest, |found| found.len() == 1 && found[0]["status"] == "pending").await;
            post(&world, &message("tasks/cancel", json!(2), json!({"taskId": "t1"}))).await;
            recorded(&rest, |found| found[0]["status"] == "pending" && found[0]["cancelRequested"] == true)
                .await;
            post(&world, &message("tasks/get", json!(3), json!({"taskId": "t1"}))).await;
            if is_fetched {
                post(&world, &message("tasks/result", json!(4), json!({"taskId": "t1"}))).await;
            }
            let found = recorded(&rest, |found| found[0]["status"] != "pending").await;
            assert_eq!(found.len(), 1, "{case}");
            assert_eq!(found[0]["status"], expected, "{case} {:#}", found[0]);
            assert_eq!(found[0]["errorInfo"]["kind"], kind, "{case} {:#}", found[0]);
            assert!(found[0]["errorInfo"].to_string().contains(says), "{case} {:#}", found[0]);
            let stats = rest.get("/api/executions/stats").await.expect(200);
            assert_eq!(stats["total"], 1, "{case}: it is counted once");
        }
    }
}

#[tokio::test]
async fn tasks_that_nobody_hears_of_end_by_their_time() {
    let short = ScriptedServer::start(|message| {
        (message["method"] == "tools/call").then(|| {
            let mut begun = task(Form::Flat, "working", &json!({"ttlMs": 1_000}));
            begun["resultType"] = json!("task");
            Said::Result(begun)
        })
    });
    let world = before(&short);
    post(&world, &call(json!(1), json!({}))).await;
    let found =
        recorded(&world.server.rest(), |found| found.len() == 1 && found[0]["status"] != "pending").await;
    assert_eq!(
        (&found[0]["status"], &found[0]["inferred"]),
        (&json!("error"), &json!(true)),
        "{:#}",
        found[0]
    );
    assert_eq!(found[0]["errorInfo"]["kind"], "timeout", "{:#}", found[0]);
    let took = found[0]["duration"].as_u64().unwrap();
    // From its start, which the answer with the time to live follows.
    assert!((1_000..3_000).contains(&took), "{took} ms");
}

/// A server that asks before it does anything, so many times, with a state or without.
fn asking(times: u64, has_state: bool) -> ScriptedServer {
    ScriptedServer::start(move |message| {
        let params = &message["params"];
        if message["method"] != "tools/call" {
            return None;
        }
        let answered = params["inputResponses"].as_object().and_then(|given| given.keys().next().cloned());
        let round = answered.and_then(|name| name.strip_prefix("sure-")?.parse::<u64>().ok()).unwrap_or(0);
        if round == times {
            return Some(Said::Result(json!({"resultType": "complete",
                "content": [{"type": "text", "text": "as you wish"}]})));
        }
        let name = format!("sure-{}", round + 1);
        let request = json!({"method": "elicitation/create", "params": {"message": format!("Sure? {name}")}});
        let mut asked = json!({"resultType": "input_required", "inputRequests": {name: request}});
        if has_state {
            asked["requestState"] = json!(format!("state-{round}"));
        }
        Some(Said::Result(asked))
    })
}

fn retry(id: i64, round: u64, action: &str, state: Option<&str>) -> Value {
    let mut more = json!({"inputResponses": {format!("sure-{round}"): {"action": action}}});
    if let Some(state) = state {
        more["requestState"] = json!(state);
    }
    call(json!(id), more)
}

#[tokio::test]
async fn questions_are_nodes_of_the_call_that_asks_them() {
    for (has_state, action) in [(true, "accept"), (false, "accept"), (true, "decline"), (false, "decline")] {
        let far = asking(2, has_state);
        let world = before(&far);
        post(&world, &call(json!(1), json!({}))).await;
        post(&world, &retry(2, 1, action, has_state.then_some("state-0"))).await;
        let last = post(&world, &retry(3, 2, action, has_state.then_some("state-1"))).await;
        assert_eq!(last["result"]["content"][0]["text"], "as you wish", "{last}");
        let ended = |found: &[Value]| found.first().is_some_and(|one| one["status"] == "fulfilled");
        let found = recorded(&world.server.rest(), ended).await;
        assert_eq!(found.len(), 1, "state: {has_state}, {action}");
        let nodes = found[0]["nodeExecutions"].as_array().unwrap();
        let told: Vec<Value> =
            nodes.iter().map(|node| json!([node["nodeId"], node["status"], node["outputData"]])).collect();
        let expected = [1, 2].map(|round| {
            json!([format!("input-{round}"), "completed", {format!("sure-{round}"): {"action": action}}])
        });
        assert_eq!(told, expected, "state: {has_state}");
    }
}

#[tokio::test]
async fn a_dismissed_question_is_an_aborted_node() {
    let far = asking(1, true);
    let world = before(&far);
    post(&world, &call(json!(1), json!({}))).await;
    post(&world, &retry(2, 1, "cancel", Some("state-0"))).await;
    let found =
        recorded(&world.server.rest(), |found| found.first().is_some_and(|one| one["status"] != "pending"))
            .await;
    assert_eq!(
        (found.len(), &found[0]["nodeExecutions"][0]["status"]),
        (1, &json!("aborted")),
        "{:#}",
        found[0]
    );
}

#[tokio::test]
async fn a_retry_continues_its_own_call_and_nobody_elses() {
    // Two that look alike: without a state nobody can tell which of them goes on.
    let far = asking(1, false);
    let world = before(&far);
    for id in 1..=2 {
        post(&world, &call(json!(id), json!({}))).await;
    }
    post(&world, &retry(3, 1, "accept", None)).await;
    let found = recorded(&world.server.rest(), |found| found.len() == 3).await;
    let ambiguous = found.iter().find(|one| one["meta"]["retryOf"] == "ambiguous").unwrap();
    assert_eq!(ambiguous["status"], "fulfilled", "{ambiguous:#}");
    assert_eq!(found.iter().filter(|one| one["status"] == "pending").count(), 2);

    // Another user's state is none of theirs.
    let far = asking(1, true);
    let world = before(&far);
    let rest = world.server.rest();
    post(&world, &call(json!(1), json!({}))).await;
    let user = rest.post("/api/users", &json!({"name": "ben"})).await.expect(201);
    let key = rest.post("/api/keys", &json!({"name": "k", "userId": user["id"]})).await.expect(201);
    let flows = rest.get("/api/flows?limit=100").await.expect(200);
    let flow = format!("/api/flows/{}", flows["items"][0]["id"].as_str().unwrap());
    rest.patch(&flow, &json!({"access": {"read": [], "write": [], "public": true}})).await.expect(200);
    post_to(&world, "far", key["key"].as_str().unwrap(), &retry(2, 1, "accept", Some("state-0"))).await;
    let found = recorded(&rest, |found| found.len() == 2).await;
    assert!(found.iter().any(|one| one["userName"] == "admin" && one["status"] == "pending"), "{found:#?}");
}

#[tokio::test]
async fn questions_pass_before_a_command_too() {
    let far = asking(1, true);
    let inner = tempfile::tempdir().unwrap();
    let arguments = json!(["proxy", "--data-dir", inner.path(), "--name", "inner", "--url", far.url()]);
    let binary = super::binary().to_str().unwrap();
    let world =
        World::start(&BTreeMap::from([("near", format!("command = {binary:?}\nargs = {arguments}"))]));
    let asked = post_to(&world, "near", world.server.key(), &call(json!(1), json!({}))).await;
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    post_to(&world, "near", world.server.key(), &retry(2, 1, "accept", Some("state-0"))).await;
    let found =
        recorded(&world.server.rest(), |found| found.first().is_some_and(|one| one["status"] == "fulfilled"))
            .await;
    assert_eq!(
        (found.len(), &found[0]["nodeExecutions"][0]["nodeType"]),
        (1, &json!("Input")),
        "{:#}",
        found[0]
    );
}

#[tokio::test]
async fn half_characters_are_replaced_and_marked_wherever_they_stand() {
    const HALF: &str = r"cut \ud83d";
    let far = ScriptedServer::start(|message| {
        let (id, params) = (&message["id"], &message["params"]);
        let answer = |result: &str| {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
            Some(Said::Raw(200, vec![("content-type", "application/json".to_owned())], body.into_bytes()))
        };
        let (times, text) = (
            r#""createdAt":"2026-11-01T00:00:00Z","lastUpdatedAt":"2026-11-01T00:00:00Z","ttlMs":600000"#,
            format!(r#"{{"content":[{{"type":"text","text":"{HALF}"}}],"structuredContent":{{"m":1e2}}}}"#),
        );
        match message["method"].as_str()? {
            "tools/call" if params["arguments"]["n"] == 2 => {
                answer(&format!(r#"{{"resultType":"task","taskId":"t1","status":"working",{times}}}"#))
            }
            "tools/call" if params.get("inputResponses").is_none() => answer(&format!(
                r#"{{"resultType":"input_required","requestState":"s","inputRequests":{{"sure":{{"method":"elicitation/create","params":{{"message":"{HALF}","n":1e2}}}}}}}}"#
            )),
            "tools/call" => answer(r#"{"resultType":"complete","content":[]}"#),
            "tasks/get" => answer(&format!(
                r#"{{"resultType":"complete","taskId":"t1","status":"completed",{times},"result":{text}}}"#
            )),
            _ => None,
        }
    });
    let world = before(&far);
    post(&world, &call(json!(1), json!({}))).await;
    let marked = retry(2, 1, "accept", Some("s")).to_string();
    let marked =
        marked.replace("\"accept\"", &format!("\"accept\",\"content\":{{\"why\":\"{HALF}\",\"n\":1e2}}"));
    let sent = http_client()
        .post(format!("{}/mcp/far", world.server.base()))
        .bearer_auth(world.server.key())
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "call");
    assert_eq!(sent.body(marked).send().await.unwrap().status(), 200);
    post(&world, &call(json!(3), json!({"arguments": {"n": 2}}))).await;
    post(&world, &message("tasks/get", json!(4), json!({"taskId": "t1"}))).await;
    let both = |found: &[Value]| found.len() == 2 && found.iter().all(|one| one["status"] == "fulfilled");
    let found = recorded(&world.server.rest(), both).await;
    let [task, asked] = &found[..] else { panic!() };
    assert_eq!(task["capture"]["outputs"]["replaced"], true, "{task:#}");
    assert_eq!(task["outputs"]["structuredContent"].to_string(), r#"{"m":1e2}"#);
    let node = &asked["nodeExecutions"][0];
    for (field, pointer) in [("inputData", "/sure/params"), ("outputData", "/sure-1/content")] {
        assert_eq!(node["capture"][field]["replaced"], true, "{node:#}");
        let data = node[field].pointer(pointer).unwrap_or_else(|| panic!("{node:#}"));
        assert_eq!(data["n"].to_string(), "1e2");
    }
}
