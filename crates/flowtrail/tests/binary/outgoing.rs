//! What the server sends out: over TLS and without, to models, to APIs, and to the tools of other servers.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flowtrail_testkit::{Era, Said, ScriptedServer, assert_execution, flow};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::{World, binary};

/// An address where somebody listens who does not speak TLS.
async fn no_tls() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut hello = [0; 8];
            // A client that speaks TLS begins with a record of type 22.
            if stream.read(&mut hello).await.is_ok() {
                assert_eq!(hello[0], 22, "a TLS handshake");
            }
        }
    });
    format!("https://{address}")
}

#[tokio::test]
async fn flows_reach_apis_and_models_with_and_without_tls() {
    let far = ScriptedServer::start(|message| {
        let answered = json!({"choices": [{"message": {"role": "assistant", "content": "42"}, "finish_reason": "stop"}]});
        let body = if message.get("messages").is_some() { answered } else { json!({"you": "said it"}) };
        let headers = vec![("content-type", "application/json".to_owned())];
        Some(Said::Raw(200, headers, body.to_string().into_bytes()))
    });
    let world = World::start(&BTreeMap::new());
    let body = json!({"method": "x", "id": 1, "token": "{{ secrets.TOKEN }}"});
    let request = json!({"method": "POST", "url": far.url(), "body": body});
    let execution = world.ran(&flow("Api").node("call", "ApiCall", request).returns("{{ call.body }}")).await;
    assert_execution(&execution).has_status("fulfilled");
    assert_eq!(far.heard("x")[0]["token"], "sesame-open", "the secret was sent");
    assert!(!execution.to_string().contains("sesame-open"), "and not recorded");
    let model = json!({"baseUrl": far.url(), "model": "m", "prompt": "what?", "stream": false});
    let execution = world.ran(&flow("Model").node("ask2", "Model", model).returns("{{ ask2.text }}")).await;
    assert_execution(&execution).has_status("fulfilled").has("/outputs", &json!("42"));
    let secure = json!({"method": "GET", "url": no_tls().await});
    let execution = world.ran(&flow("Tls").node("call", "ApiCall", secure).returns("x")).await;
    assert_execution(&execution).failed("network", Some("call"));
    world.server.rest().get("/healthz").await.expect(200);
}

#[tokio::test]
async fn tools_of_other_servers_are_called_by_address_and_by_command() {
    let far = ScriptedServer::start(|_| None);
    let behind = tempfile::tempdir().unwrap();
    let echo = flow("Echo").text("message").returns("{{ ask.message }}").build();
    let file = behind.path().join("echo.json");
    std::fs::write(&file, echo.to_string()).unwrap();
    let made = super::run(behind.path(), &["flow", "import", file.to_str().unwrap()]);
    assert!(made.status.success(), "{made:?}");
    let command = format!(
        "command = {:?}\nargs = [\"mcp\", \"--data-dir\", {:?}]",
        binary().to_str().unwrap(),
        behind.path().to_str().unwrap(),
    );
    let secure = format!("url = \"{}/mcp\"", no_tls().await);
    let world = World::start(&BTreeMap::from([
        ("far", format!("url = {:?}", far.url())),
        ("near", command),
        ("secure", secure),
    ]));
    let tool = |name: &str, upstream: &str, tool: &str| {
        let parameters = json!({"upstream": upstream, "tool": tool, "arguments": {"message": "hello"}});
        flow(name).node("call", "McpTool", parameters).returns("{{ call.text }}")
    };
    let by_address = world.ran(&tool("By address", "far", "call")).await;
    assert_execution(&by_address).has_status("fulfilled").has("/outputs", &json!("done"));
    let by_command = world.ran(&tool("By command", "near", "echo")).await;
    assert_execution(&by_command).has_status("fulfilled").has("/outputs", &json!("hello"));
    let by_tls = world.ran(&tool("By TLS", "secure", "call")).await;
    assert_execution(&by_tls).failed("network", Some("call"));
    for upstream in ["far", "near"] {
        let url = format!("{}/mcp/{upstream}", world.server.base());
        let client = flowtrail_testkit::McpClient::at(&url, world.server.key(), Era::Stateless).await;
        assert_eq!(client.tool_names().await.len(), 1, "{upstream}");
        client.close().await;
    }
}

/// A tool whose calls go on as tasks that stand like this, one after the other.
fn as_task(form: fn(Value) -> Value, standings: Vec<Value>) -> ScriptedServer {
    let asked = AtomicUsize::new(0);
    let cancelled = Mutex::new(false);
    ScriptedServer::start(move |message| {
        let task = |more: &Value| {
            let mut task = json!({"taskId": "t1", "status": "working", "createdAt": "2026-11-01T00:00:00Z",
                "lastUpdatedAt": "2026-11-01T00:00:00Z", "ttlMs": 60_000, "pollIntervalMs": 50});
            task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            task
        };
        match message["method"].as_str().unwrap_or_default() {
            "tools/call" => Some(Said::Result(form(task(&json!({}))))),
            "tasks/get" => {
                assert_eq!(message["params"]["taskId"], "t1");
                let place = asked.fetch_add(1, Ordering::Relaxed).min(standings.len() - 1);
                let mut task = task(&standings[place]);
                task["resultType"] = json!("complete");
                Some(Said::Result(task))
            }
            "tasks/cancel" => {
                *cancelled.lock().unwrap() = true;
                Some(Said::Result(json!({"resultType": "complete"})))
            }
            _ => None,
        }
    })
}

#[tokio::test]
async fn a_tool_that_goes_on_as_a_task_is_followed_to_its_end() {
    let flat: fn(Value) -> Value = |mut task| {
        task["resultType"] = json!("task");
        task
    };
    let nested: fn(Value) -> Value = |task| json!({"resultType": "task", "task": task});
    let text = |text: &str| json!({"content": [{"type": "text", "text": text}]});
    let mut upstreams = BTreeMap::new();
    let mut servers = Vec::new();
    for (name, form, standings) in [
        ("done", flat, vec![json!({}), json!({"status": "completed", "result": text("after all")})]),
        ("nested", nested, vec![json!({"status": "completed", "result": text("after all")})]),
        (
            "failed",
            flat,
            vec![json!({"status": "failed", "error": {"code": -32603, "message": "no space left"}})],
        ),
        ("stopped", flat, vec![json!({"status": "cancelled", "statusMessage": "by the operator"})]),
        ("asking", flat, vec![json!({"status": "input_required", "inputRequests": {}})]),
        ("slow", flat, vec![json!({})]),
    ] {
        let server = as_task(form, standings);
        upstreams.insert(name, format!("url = {:?}", server.url()));
        servers.push((name, server));
    }
    let world = World::start(&upstreams);
    for (name, server) in &servers {
        let parameters =
            json!({"upstream": name, "tool": "call", "timeout": if *name == "slow" { "1s" } else { "20s" }});
        let flow = flow(name).node("call", "McpTool", parameters).returns("{{ call.text }}");
        let execution = world.ran(&flow).await;
        let message = execution["errorInfo"]["message"].as_str().unwrap_or_default();
        match *name {
            "done" | "nested" => assert_eq!(execution["outputs"], "after all", "{execution}"),
            "failed" => assert!(message.contains("the task of the call failed: no space left"), "{message}"),
            "stopped" => {
                assert!(message.contains("cancelled the task of the call: by the operator"), "{message}");
            }
            "asking" => assert!(message.contains("asks for input"), "{message}"),
            _ => {
                assert_execution(&execution).failed("timeout", Some("call"));
                let mut looks = tokio::time::interval(Duration::from_millis(20));
                while server.heard("tasks/cancel").is_empty() {
                    looks.tick().await;
                }
            }
        }
    }
}
