//! What the server sends out: over TLS and without, to models, to APIs, and to the tools of other servers.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flowtrail_testkit::{Era, Said, ScriptedServer, assert_execution, flow};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::answers::{CODINGS, packed};
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

#[tokio::test]
async fn tools_are_called_however_their_answers_are_sent() {
    let json_of =
        |message: &Value, result: &Value| json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
    let done = json!({"resultType": "complete", "content": [{"type": "text", "text": "done"}]});
    let mut upstreams = BTreeMap::new();
    let mut servers = Vec::new();
    for (name, number) in ["a", "b", "c", "d", "e", "f"].into_iter().zip(0..) {
        let (coding, pack) = CODINGS[number];
        let done = done.clone();
        // Everything that it says is packed, from the first answer on.
        let server = ScriptedServer::start(move |message| {
            let result = match message["method"].as_str()? {
                "server/discover" => json!({"resultType": "complete", "supportedVersions": ["2026-07-28"],
                    "capabilities": {"tools": {}}, "ttlMs": 0, "cacheScope": "private"}),
                "tools/list" => {
                    json!({"resultType": "complete", "tools": [], "ttlMs": 0, "cacheScope": "private"})
                }
                "tools/call" => done.clone(),
                _ => return None,
            };
            let answer = json_of(message, &result).to_string();
            Some(match message["method"] == "tools/call" && number % 2 == 0 {
                true => packed("text/event-stream", coding, pack(format!("data: {answer}\n\n").as_bytes())),
                false => packed("application/json", coding, pack(answer.as_bytes())),
            })
        });
        // Of several codings in a row the library undoes none, and of the two meanings of deflate it knows one.
        if number != 2 && coding != "gzip, gzip" {
            upstreams.insert(name, format!("url = {:?}", server.url()));
        }
        servers.push(server);
    }
    for (name, status) in [("moved", 307), ("gone", 308)] {
        let server = ScriptedServer::start(move |message| {
            let location = vec![("location", "/mcp/".to_owned())];
            (message["path"] == "/mcp").then(|| Said::Raw(status, location, Vec::new()))
        });
        upstreams.insert(name, format!("url = {:?}", server.url()));
        servers.push(server);
    }
    let world = World::start(&upstreams);
    for name in upstreams.keys() {
        let parameters = json!({"upstream": name, "tool": "call", "timeout": "20s"});
        let execution =
            world.ran(&flow(name).node("call", "McpTool", parameters).returns("{{ call.text }}")).await;
        assert_eq!(execution["outputs"], "done", "{name}: {}", execution["errorInfo"]);
    }
}

#[tokio::test]
async fn streams_of_models_end_as_they_are_told() {
    fn piece(text: &str, reason: &str) -> String {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{reason}}}]}}\n\n"
        )
    }
    const DONE: &str = "data: [DONE]\n\n";
    let cut = |reason: &str| format!("{}{}", piece("Once", reason), piece(" upon", reason));
    let answers: Vec<(&str, String, &str, &str)> = vec![
        (
            "halves",
            piece("Hi \\ud83d", "null") + &piece("\\ude42 there", "\"stop\"") + DONE,
            "Hi 🙂 there",
            "",
        ),
        (
            "error",
            piece("Once", "null") + "event: error\ndata: {\"message\": \"overloaded\"}\n\n",
            "Once",
            "overloaded",
        ),
        ("done", piece("all of it", "null") + DONE, "all of it", ""),
        (
            "mark",
            "\u{feff}{\"choices\":[{\"message\":{\"content\":\"whole\"},\"finish_reason\":\"stop\"}]}"
                .to_owned(),
            "whole",
            "",
        ),
        ("null", cut("null"), "Once upon", "without a finish_reason"),
        ("empty", cut("\"\""), "Once upon", "without a finish_reason"),
        ("word", cut("\"null\""), "Once upon", "without a finish_reason"),
    ];
    let told = answers.clone();
    let far = ScriptedServer::start(move |message| {
        let path = message["path"].as_str()?;
        let (_, body, ..) = told.iter().find(|(name, ..)| path.contains(&format!("/{name}/")))?;
        let kind = if body.starts_with('\u{feff}') { "application/json" } else { "text/event-stream" };
        Some(Said::Raw(200, vec![("content-type", kind.to_owned())], body.clone().into_bytes()))
    });
    let world = World::start(&BTreeMap::new());
    let base = far.url().trim_end_matches("/mcp");
    for (name, _, text, failure) in answers {
        let model = json!({"baseUrl": format!("{base}/{name}"), "model": "m", "prompt": "x"});
        let execution = world.ran(&flow(name).node("model", "Model", model).returns("x")).await;
        let node = &execution["nodeExecutions"][1];
        assert_eq!(node["outputData"]["text"], text, "{name} {node:#}");
        assert_eq!(node["status"] == "error", !failure.is_empty(), "{name} {node:#}");
        assert!(node["error"].as_str().unwrap_or_default().contains(failure), "{name} {node:#}");
    }
}

#[tokio::test]
async fn a_flow_of_another_system_sends_its_body() {
    let far = ScriptedServer::start(|message| {
        let headers = vec![("content-type", "application/json".to_owned())];
        message.get("title").map(|_| Said::Raw(200, headers, b"{}".to_vec()))
    });
    let node = |id: &str, kind: &str, slug: &str, parameters: Value| json!({"id": id, "type": kind, "name": slug, "slug": slug, "position": {"x": 0, "y": 0}, "parameters": parameters});
    let body = r#"{"method": "x", "title": "{{ ask-ticket.title }}", "prio": {{ ask-ticket.prio }}, "none": {{ ask-ticket.none }}}"#;
    let file = json!({"id": "6f1c1d44-0000-4000-8000-000000000001", "appId": "6f1c1d44-0000-4000-8000-000000000002",
    "name": "Make a ticket", "isActive": true, "nodes": [
        node("t", "UserIntent", "ask-ticket", json!({"toolName": "make_ticket", "toolDescription": "d", "isActive": true,
            "parameters": [
                {"name": "title", "type": "string", "description": "t", "optional": false},
                {"name": "prio", "type": "integer", "description": "p", "optional": false},
            ]})),
        node("a", "ApiCall", "post-ticket", json!({"method": "POST", "url": far.url(), "headers": [], "body": body, "timeout": 30_000})),
        node("r", "Return", "say", json!({"text": "made"})),
    ], "connections": [
        {"id": "ta", "sourceNodeId": "t", "sourceHandle": "output", "targetNodeId": "a", "targetHandle": "input"},
        {"id": "ar", "sourceNodeId": "a", "sourceHandle": "output", "targetNodeId": "r", "targetHandle": "input"},
    ]});
    let world = World::start(&BTreeMap::new());
    let imported = world.server.rest().post("/api/flows/import", &file).await.expect(201);
    let flow = &imported["items"][0];
    assert_eq!(flow["active"], true, "{imported:#}");
    let notes = imported["notes"].as_array().cloned().unwrap_or_default();
    assert!(!notes.iter().any(|note| note.to_string().contains("body")), "{notes:#?}");
    let run = format!("/api/flows/{}/run", flow["id"].as_str().unwrap());
    for (title, prio) in [("Printer", 3), ("Möbel 🙂", -1), ("", 0)] {
        let execution = world
            .server
            .rest()
            .post(&run, &json!({"params": {"title": title, "prio": prio}}))
            .await
            .expect(200);
        assert_eq!(execution["status"], "fulfilled", "{execution:#}");
        let sent = far.heard("x").pop().unwrap();
        assert_eq!(
            (&sent["title"], &sent["prio"], &sent["none"]),
            (&json!(title), &json!(prio), &Value::Null)
        );
    }
    // By the command line it is the same.
    let path = world.folder.path().join("ticket.json");
    std::fs::write(&path, file.to_string()).unwrap();
    let made = super::run(tempfile::tempdir().unwrap().path(), &["flow", "import", path.to_str().unwrap()]);
    assert!(made.status.success(), "{made:?}");
    assert!(!String::from_utf8_lossy(&made.stderr).contains("body"), "notes go to stderr: {made:?}");
}

#[tokio::test]
async fn the_first_thing_that_a_process_does_may_be_anything() {
    let far = ScriptedServer::start(|message| {
        (message["method"] == "initialize").then(|| {
            Said::Result(json!({"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                "serverInfo": {"name": "up", "version": "1"}}))
        })
    });
    let secure = no_tls().await;
    let world = World::start(&BTreeMap::from([
        ("up", format!("url = {:?}", far.url())),
        ("secure", format!("url = \"{secure}/mcp\"")),
    ]));
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}});
    let ask = async |name: &str| {
        let request = flowtrail_testkit::http_client()
            .post(format!("{}/mcp/{name}", world.server.base()))
            .bearer_auth(world.server.key())
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json");
        let answer = request.body(initialize.to_string()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    for _ in 0..4 {
        let (status, text) = ask("up").await;
        assert!(status == 200 && text.contains("2025-06-18"), "{status} {text}");
    }
    assert_eq!(ask("secure").await.0, 502);
    let request = json!({"method": "GET", "url": secure});
    let execution = world.ran(&flow("Api").node("call", "ApiCall", request).returns("x")).await;
    assert_execution(&execution).failed("network", Some("call"));
    assert_eq!(ask("up").await.0, 200);

    // A server over standard input and output is a process of its own.
    let parameters = json!({"upstream": "up", "tool": "call"});
    let calls = flow("Calls").node("call", "McpTool", parameters).returns("{{ call.text }}").build();
    let secured =
        flow("Secured").node("call", "McpTool", json!({"upstream": "secure", "tool": "call"})).returns("x");
    for made in [calls, secured.build()] {
        world.server.rest().post("/api/flows", &made).await.expect(201);
    }
    let config = world.folder.path().join("flowtrail.toml");
    let environment = [("FLOWTRAIL_CONFIG", config.to_str().unwrap())];
    for era in Era::BOTH {
        let client =
            flowtrail_testkit::McpClient::over_stdio_with(binary(), world.folder.path(), era, &environment)
                .await;
        let answer = client.call("calls", json!({})).await;
        assert_eq!(answer.text(), "done", "{era:?}");
        assert!(client.call("secured", json!({})).await.is_error());
        client.close().await;
    }
}
