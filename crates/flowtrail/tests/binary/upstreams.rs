//! Standing before servers that answer in ways of their own: what passes, and what is recorded of it.

use std::collections::BTreeMap;

use flowtrail_testkit::{Said, ScriptedServer, http_client};
use serde_json::{Value, json};

use super::answers::{CODINGS, events, gzip, packed};
use super::{World, call, message, recorded};

/// Posts a message to `/mcp/far`, and gives the status, the content type and the text of the answer.
async fn post(world: &World, message: &Value) -> (u16, String, String) {
    let mut request = http_client()
        .post(format!("{}/mcp/far", world.server.base()))
        .bearer_auth(world.server.key())
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", message["method"].as_str().unwrap_or_default());
    if let Some(name) = message["params"]["name"].as_str() {
        request = request.header("mcp-name", name);
    }
    let answer = request.body(message.to_string()).send().await.unwrap();
    let status = answer.status().as_u16();
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let kind = header("content-type").unwrap_or_default();
    assert_eq!(header("content-encoding"), None, "nobody gets packed what they did not ask for");
    (status, kind, answer.text().await.unwrap_or_default())
}

fn before(far: &ScriptedServer) -> World {
    World::start(&BTreeMap::from([("far", format!("url = {:?}", far.url()))]))
}

#[tokio::test]
async fn answers_are_recorded_as_they_are_meant_however_they_are_sent() {
    const DONE: &str = r#"{"content":[{"type":"text","text":"done"}]}"#;
    let far = ScriptedServer::start(|message| {
        let number = message["id"].as_i64().filter(|_| message["method"] == "tools/call")?;
        let whole = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{DONE}}}"#);
        Some(match number {
            1 => packed("application/json", "gzip", gzip(whole("1").as_bytes())),
            2 => events(&format!("event: message\ndata: {}\n\n", whole("2"))),
            3 => events(&format!(": hello\n\nevent: ping\ndata: {{}}\n\ndata: {}\n\n", whole("3"))),
            4 => events(&format!("\u{feff}data: {}\r\n\r\n", whole("\"4\""))),
            _ => Said::Raw(
                200,
                vec![("content-type", "application/json".to_owned())],
                whole("5.0").into_bytes(),
            ),
        })
    });
    let world = before(&far);
    for id in 1..=5 {
        let (status, _, text) = post(&world, &call(json!(id), json!({}))).await;
        assert_eq!(status, 200, "{id}: {text}");
        assert!(text.contains("done"), "{id}: {text}");
    }
    let all = recorded(&world.server.rest(), |found| {
        found.len() == 5 && found.iter().all(|execution| execution["status"] == "fulfilled")
    })
    .await;
    for execution in all {
        assert_eq!(
            (&execution["inferred"], &execution["outputs"]["content"][0]["text"]),
            (&json!(false), &json!("done"))
        );
    }
}

#[tokio::test]
async fn packed_answers_are_unpacked_and_recorded() {
    let far = ScriptedServer::start(|message| {
        let id = usize::try_from(message["id"].as_i64()?).ok()?;
        let (coding, pack) = CODINGS[id % CODINGS.len()];
        let answer =
            json!({"jsonrpc": "2.0", "id": id, "result": {"content": [{"type": "text", "text": "done"}]}});
        Some(match id < CODINGS.len() {
            true => packed("application/json", coding, pack(answer.to_string().as_bytes())),
            false => packed("text/event-stream", coding, pack(format!("data: {answer}\n\n").as_bytes())),
        })
    });
    let world = before(&far);
    let count = CODINGS.len() * 2;
    for id in 0..count {
        let (status, _, text) = post(&world, &call(json!(id), json!({}))).await;
        assert!(status == 200 && text.contains("done"), "{id}: {text}");
    }
    let all = recorded(&world.server.rest(), |found| {
        found.len() == count && found.iter().all(|execution| execution["status"] == "fulfilled")
    })
    .await;
    assert!(all.iter().all(|execution| execution["outputs"]["content"][0]["text"] == "done"), "{all:#?}");
}

#[tokio::test]
async fn what_cannot_be_unpacked_is_an_error() {
    let far = ScriptedServer::start(|message| {
        let mut cut = gzip(&[b'x'; 100]);
        cut.truncate(12);
        Some(match message["id"].as_i64()? {
            1 => packed("application/json", "gzip", b"{}".to_vec()),
            2 => packed("application/json", "gzip", cut),
            3 => packed("application/json", "compress", b"{}".to_vec()),
            4 => packed("application/json", "br", vec![0xff; 40]),
            _ => packed("text/event-stream", "deflate", b"data: nonsense\n\n".to_vec()),
        })
    });
    let world = before(&far);
    for id in 1..=4 {
        let (status, _, text) = post(&world, &call(json!(id), json!({}))).await;
        assert!(status == 502 && text.contains("far gave no answer"), "{id}: {status} {text}");
    }
    // Its head has passed before anything can be told of it.
    let request =
        http_client().post(format!("{}/mcp/far", world.server.base())).bearer_auth(world.server.key());
    let request = request.header("content-type", "application/json");
    let request = request.header("accept", "application/json, text/event-stream");
    let request = request.header("mcp-protocol-version", "2026-07-28").header("mcp-method", "tools/call");
    let sent = request.header("mcp-name", "call").body(call(json!(5), json!({})).to_string()).send().await;
    // The body breaks off, and so early that the head may not have been sent.
    if let Ok(begun) = sent {
        assert!(begun.text().await.is_err());
    }
    let all = recorded(&world.server.rest(), |found| {
        found.len() == 5 && found.iter().all(|execution| execution["status"] != "pending")
    })
    .await;
    for execution in all {
        assert_eq!(execution["status"], "error", "{execution:#}");
        let told = execution["errorInfo"]["message"].as_str().unwrap();
        assert!(told.contains("cannot be decoded"), "{told}");
    }
}

#[tokio::test]
async fn what_is_no_success_is_recorded_with_its_status_and_its_text() {
    let far = ScriptedServer::start(|message| {
        let status =
            u16::try_from(message["id"].as_i64().filter(|_| message["method"] == "tools/call")?).unwrap();
        let (kind, body) = match status {
            404 => ("text/html", "<p>nothing here"),
            429 => ("application/json", r#"{"error": {"message": "slow down"}}"#),
            _ => ("text/plain", "go away"),
        };
        Some(Said::Raw(status, vec![("content-type", kind.to_owned())], body.as_bytes().to_vec()))
    });
    let world = before(&far);
    for status in [401, 403, 404, 429, 500] {
        post(&world, &call(json!(status), json!({}))).await;
        let found = recorded(&world.server.rest(), |found| {
            found
                .first()
                .is_some_and(|newest| newest["meta"]["requestId"] == status && newest["status"] == "error")
        })
        .await;
        let said = found[0]["errorInfo"]["message"].as_str().unwrap();
        assert!(said.contains(&status.to_string()), "{said}");
        let text = match status {
            404 => "nothing here",
            429 => "slow down",
            _ => "go away",
        };
        assert!(said.contains(text), "{status}: {said}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_ends_its_call() {
    let far = ScriptedServer::start(|message| {
        (message["method"] == "tools/call")
            .then(|| events("event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"res"))
    });
    let world = before(&far);
    post(&world, &call(json!(1), json!({}))).await;
    let found = recorded(&world.server.rest(), |found| {
        found.first().is_some_and(|newest| newest["status"] != "pending")
    })
    .await;
    assert_eq!(found[0]["status"], "error", "{found:?}");
    let message = found[0]["errorInfo"]["message"].as_str().unwrap();
    assert!(message.contains("ended before"), "{message}");
}

#[tokio::test]
async fn a_redirect_on_the_same_host_is_followed_with_the_message() {
    let behind = ScriptedServer::start(|_| None);
    let to = behind.url().to_owned();
    let far = ScriptedServer::start(move |message| {
        let status = if message["id"] == 1 { 307 } else { 308 };
        (message["method"] == "tools/call")
            .then(|| Said::Raw(status, vec![("location", to.clone())], Vec::new()))
    });
    let moved = ScriptedServer::start(|message| {
        let location = vec![("location", "/mcp/".to_owned())];
        let status = match message["id"].as_i64()? {
            1 => 307,
            2 => 308,
            3 => 301,
            _ => 302,
        };
        (message["path"] == "/mcp").then(|| Said::Raw(status, location, Vec::new()))
    });
    let world = before(&moved);
    for id in 1..=4 {
        let (status, _, text) = post(&world, &call(json!(id), json!({}))).await;
        let is_followed = id <= 2;
        assert_eq!(status, if is_followed { 200 } else { 502 }, "{id}: {text}");
        assert!(
            text.contains(if is_followed { "done" } else { "a redirect to http://127.0.0.1" }),
            "{id}: {text}"
        );
    }
    // The same host, another port: that is another place, and the message stays here.
    let world = before(&far);
    for id in 1..=2 {
        let (status, _, text) = post(&world, &call(json!(id), json!({}))).await;
        assert!(status == 502 && text.contains(behind.url()), "{status} {text}");
    }
    assert_eq!(behind.heard("tools/call").len(), 0);
    let are_errors = |found: &[Value]| found.len() == 2 && found.iter().all(|one| one["status"] == "error");
    recorded(&world.server.rest(), are_errors).await;
}

#[tokio::test]
async fn a_call_of_several_messages_is_one_execution_also_after_a_restart() {
    let far = ScriptedServer::start(|message| {
        let params = &message["params"];
        let task = |status: &str| {
            json!({"taskId": "t1", "status": status, "createdAt": "2026-11-01T00:00:00Z",
                "lastUpdatedAt": "2026-11-01T00:00:00Z", "ttlMs": 600_000, "pollIntervalMs": 50})
        };
        match message["method"].as_str()? {
            "tools/call" if params["arguments"]["n"] == 2 => {
                Some(Said::Result(json!({"resultType": "task", "task": task("working")})))
            }
            "tools/call" if params.get("inputResponses").is_none() => Some(Said::Result(json!({
                "resultType": "input_required", "requestState": "state-1",
                "inputRequests": {"sure": {"method": "elicitation/create", "params": {"message": "Sure?"}}},
            }))),
            "tools/call" => Some(Said::Result(json!({
                "resultType": "complete", "isError": true,
                "content": [{"type": "text", "text": "the person declined"}],
            }))),
            "tasks/get" => {
                let mut over = task("completed");
                over["resultType"] = json!("complete");
                over["result"] = json!({"content": [{"type": "text", "text": "after all"}]});
                Some(Said::Result(over))
            }
            _ => None,
        }
    });
    let mut world = before(&far);
    post(&world, &call(json!(1), json!({}))).await;
    post(&world, &call(json!(2), json!({"arguments": {"n": 2}}))).await;
    let all_pend = |found: &[Value]| found.len() == 2 && found.iter().all(|one| one["status"] == "pending");
    let waiting = recorded(&world.server.rest(), all_pend).await;
    let asked = waiting.iter().find(|one| one["meta"]["requestId"] == 1).unwrap();
    assert_eq!(asked["nodeExecutions"][0]["nodeType"], "Input", "{asked:#}");
    assert!(!asked.to_string().contains("state-1"), "the state is not kept");
    world.restart();
    recorded(&world.server.rest(), all_pend).await;
    let retry = json!({"requestState": "state-1", "inputResponses": {"sure": {"action": "decline"}}});
    post(&world, &call(json!(3), retry)).await;
    let get = message("tasks/get", json!(4), json!({"taskId": "t1"}));
    post(&world, &get).await;
    let over = recorded(&world.server.rest(), |found| {
        found.len() == 2 && found.iter().all(|one| one["status"] != "pending")
    })
    .await;
    let of =
        |status: &str| over.iter().find(|one| one["status"] == status).unwrap_or_else(|| panic!("{over:#?}"));
    let (declined, done) = (of("error"), of("fulfilled"));
    assert_eq!(declined["errorInfo"]["message"], "the person declined");
    assert_eq!(declined["nodeExecutions"][0]["outputData"]["sure"]["action"], "decline", "{declined:#}");
    assert_eq!(done["outputs"]["content"][0]["text"], "after all");
    let stats = world.server.rest().get("/api/executions/stats").await.expect(200);
    assert_eq!((&stats["total"], &stats["pending"]), (&json!(2), &json!(0)));
}
