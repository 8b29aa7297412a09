//! What happens when something stops in the middle: cancelled, timed out, hung up, killed, shut down.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use flowtrail_testkit::{Era, FlowBuilder, McpClient, TestProcess, TestServer, assert_execution, flow};
use serde_json::{Value, json};

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_flowtrail"))
}

/// An address that takes connections and never answers.
fn silence() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    (listener, url)
}

/// A flow that waits for an address.
fn wait() -> FlowBuilder {
    flow("Wait")
        .text("url")
        .node("fetch", "ApiCall", json!({"method": "GET", "url": "{{ ask.url }}", "timeout": "5m"}))
        .returns("{{ fetch.status }}")
}

fn quick() -> FlowBuilder {
    flow("Quick").text("name").returns("{{ ask.name }}")
}

const STOPPED: &[(&str, &str)] = &[("ask", "completed"), ("fetch", "aborted"), ("say", "skipped")];

async fn server() -> TestServer {
    let server = TestServer::builder().allow_private_addresses().start().await;
    server.create(&wait().field("timeout", json!("4m"))).await;
    server.create(&quick()).await;
    server
}

#[tokio::test]
async fn cancelling_a_call_aborts_it_and_disturbs_no_other_in_both_eras() {
    let server = server().await;
    for era in Era::BOTH {
        let (silent, url) = silence();
        let client = server.mcp(era).await;
        let first = client.begin("wait", json!({"url": url})).await;
        let first_id = server.pending().await;
        // Its request has come: the node runs.
        let _open = silent.accept().unwrap();
        let second = client.begin("wait", json!({"url": url})).await;
        first.cancel(Some("changed my mind".to_owned())).await.unwrap();
        let ended = server.ended(&first_id).await;
        assert_execution(&ended).has_status("aborted").failed("cancelled", None);
        assert_execution(&ended).has_nodes(STOPPED);

        // The other one goes on, and so does everything else.
        assert_eq!(client.call("quick", json!({"name": "x"})).await.text(), "x");
        let second_id = server.pending().await;
        assert_ne!(first_id, second_id);
        second.cancel(None).await.unwrap();
        assert_execution(&server.ended(&second_id).await).has_status("aborted");
    }
}

#[tokio::test]
async fn hanging_up_aborts_a_stateless_call() {
    let server = server().await;
    let (_silent, url) = silence();
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {
            "name": "wait", "arguments": {"url": url},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    })
    .to_string();
    let address = server.base().strip_prefix("http://").unwrap();
    let mut connection = std::net::TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\n\
         mcp-method: tools/call\r\nmcp-name: wait\r\ncontent-length: {}\r\n\r\n",
        server.key(),
        body.len()
    );
    std::io::Write::write_all(&mut connection, head.as_bytes()).unwrap();
    std::io::Write::write_all(&mut connection, body.as_bytes()).unwrap();
    let id = server.pending().await;
    drop(connection);
    assert_execution(&server.ended(&id).await).has_status("aborted").failed("cancelled", None);
}

#[tokio::test]
async fn cancelling_over_http_reaches_a_call_in_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestProcess::start(binary(), folder.path(), &["--allow-private-addresses=true"]);
    server.rest().post("/api/flows", &wait().build()).await.expect(201);
    let (_silent, url) = silence();
    // The `mcp` process has its own configuration: this flow calls an address that only it may not call, so it is
    // told by the environment of this test's process.
    let client = McpClient::over_stdio_with(
        binary(),
        folder.path(),
        Era::Stateless,
        &[("FLOWTRAIL_ALLOW_PRIVATE_ADDRESSES", "true")],
    )
    .await;
    let _call = client.begin("wait", json!({"url": url})).await;
    let id = pending(&server).await;
    let path = format!("/api/executions/{id}");
    server.rest().post(&format!("{path}/cancel"), &Value::Null).await.expect(202);
    let ended = ended(&server, &id).await;
    assert_execution(&ended).has_status("aborted").has("/cancelRequested", &json!(true));
    server.rest().post(&format!("{path}/cancel"), &Value::Null).await.expect_error(409, "already_ended");
}

async fn poll<T>(look: impl AsyncFn() -> Option<T>) -> T {
    let found = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        loop {
            ticks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), found).await.expect("what is waited for comes in time")
}

async fn pending(server: &TestProcess) -> String {
    poll(async || {
        let page = server.rest().get("/api/executions?status=pending").await.expect(200);
        page["items"][0]["id"].as_str().map(str::to_owned)
    })
    .await
}

async fn ended(server: &TestProcess, id: &str) -> Value {
    poll(async || {
        let execution = server.rest().get(&format!("/api/executions/{id}")).await.expect(200);
        (execution["status"] != "pending").then_some(execution)
    })
    .await
}

#[tokio::test]
async fn a_flow_that_takes_too_long_ends_as_inferred() {
    let server = TestServer::builder().allow_private_addresses().start().await;
    server.create(&wait().field("timeout", json!("1s"))).await;
    let (_silent, url) = silence();
    let client = server.mcp(Era::Stateless).await;
    let answer = client.call("wait", json!({"url": url})).await;
    assert!(answer.is_error(), "{answer:?}");
    let execution = server.execution(answer.execution_id()).await;
    assert_execution(&execution)
        .has_status("error")
        .has("/inferred", &json!(true))
        .failed("timeout", Some("fetch"))
        .has("/duration", &json!(1000));
    assert_execution(&execution).has_nodes(STOPPED);
}

#[tokio::test]
async fn after_sigkill_every_acknowledged_execution_is_there_with_a_true_end() {
    let folder = tempfile::tempdir().unwrap();
    let (_silent, url) = silence();
    let server = TestProcess::start(binary(), folder.path(), &["--allow-private-addresses=true"]);
    server.rest().post("/api/flows", &wait().build()).await.expect(201);
    server.rest().post("/api/flows", &quick().build()).await.expect(201);
    let client = server.mcp(Era::Stateless).await;

    let mut reported = Vec::new();
    for number in 0..40 {
        let answer = client.call("quick", json!({"name": format!("n{number}")})).await;
        reported.push(answer.execution_id().to_owned());
    }
    // Started without waiting: the answer says that they are recorded, and nothing more.
    let flows = server.rest().get("/api/flows?q=wait").await.expect(200);
    let run = format!("/api/flows/{}/run?wait=false", flows["items"][0]["id"].as_str().unwrap());
    let mut started = Vec::new();
    for _ in 0..40 {
        let execution = server.rest().post(&run, &json!({"params": {"url": url}})).await.expect(202);
        started.push(execution["id"].as_str().unwrap().to_owned());
    }
    // And many that nobody has heard of when it dies: they are there whole, or not at all.
    let rest = server.rest();
    let hammer = tokio::spawn(async move {
        let body = json!({"params": {"url": url}});
        let mut acknowledged = Vec::new();
        loop {
            let sent = tokio::time::timeout(Duration::from_secs(5), rest.try_post(&run, &body)).await;
            match sent {
                Ok(Some(answer)) => acknowledged.push(answer.expect(202)["id"].as_str().unwrap().to_owned()),
                _ => return acknowledged,
            }
        }
    });
    poll(async || {
        let page = server.rest().get("/api/executions?status=pending&limit=1").await.expect(200);
        page["total"].as_u64().filter(|total| *total > 60)
    })
    .await;
    server.kill();
    started.extend(hammer.await.unwrap());

    let server = TestProcess::start(binary(), folder.path(), &[]);
    poll(async || {
        let page = server.rest().get("/api/executions?status=pending").await.expect(200);
        (page["total"] == 0).then_some(())
    })
    .await;
    for id in &reported {
        let execution = server.rest().get(&format!("/api/executions/{id}")).await.expect(200);
        assert_execution(&execution)
            .has_status("fulfilled")
            .has("/inferred", &json!(false))
            .has_nodes(&[("ask", "completed"), ("say", "completed")]);
    }
    // The last one that was seen may have been written and its answer not yet sent.
    assert!(started.len() >= 60, "{} were acknowledged", started.len());
    for id in &started {
        let execution = server.rest().get(&format!("/api/executions/{id}")).await.expect(200);
        assert_execution(&execution)
            .has_status("error")
            .has("/inferred", &json!(true))
            .failed("interrupted", None);
    }
}

#[tokio::test]
async fn a_live_process_never_loses_an_execution_to_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let (_silent, url) = silence();
    let first = TestProcess::start(binary(), folder.path(), &["--allow-private-addresses=true"]);
    let flow = first.rest().post("/api/flows", &wait().build()).await.expect(201);
    let run = format!("/api/flows/{}/run?wait=false", flow["id"].as_str().unwrap());
    let body = json!({"params": {"url": url}});
    let alive = first.rest().post(&run, &body).await.expect(202)["id"].as_str().unwrap().to_owned();
    let second = TestProcess::start(binary(), folder.path(), &["--allow-private-addresses=true"]);
    let doomed = second.rest().post(&run, &body).await.expect(202)["id"].as_str().unwrap().to_owned();
    second.kill();
    // The first one ends what the second one has left, and keeps its own.
    assert_execution(&ended(&first, &doomed).await).failed("interrupted", None);
    let execution = first.rest().get(&format!("/api/executions/{alive}")).await.expect(200);
    assert_execution(&execution).has_status("pending");
}

#[cfg(unix)]
#[tokio::test]
async fn sigterm_aborts_what_runs_writes_it_and_exits_well() {
    let folder = tempfile::tempdir().unwrap();
    let (_silent, url) = silence();
    let server = TestProcess::start(binary(), folder.path(), &["--allow-private-addresses=true"]);
    let flow = server.rest().post("/api/flows", &wait().build()).await.expect(201);
    let run = format!("/api/flows/{}/run?wait=false", flow["id"].as_str().unwrap());
    let started = server.rest().post(&run, &json!({"params": {"url": url}})).await.expect(202);
    let id = started["id"].as_str().unwrap();
    let killed =
        std::process::Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(server.wait(), Some(0));

    let server = TestProcess::start(binary(), folder.path(), &[]);
    let execution = server.rest().get(&format!("/api/executions/{id}")).await.expect(200);
    assert_execution(&execution).has_status("aborted").has("/inferred", &json!(false));
}
