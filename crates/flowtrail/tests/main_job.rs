//! The main job: a flow called through MCP leaves a durable record that can be read back over HTTP, node by node.
//! In both eras of the protocol, over HTTP and over stdio.

use std::path::Path;

use flowtrail_testkit::{Era, FlowBuilder, McpClient, TestProcess, TestServer, assert_execution, flow};
use serde_json::{Value, json};

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_flowtrail"))
}

fn greet() -> FlowBuilder {
    flow("Greet")
        .text("name")
        .transform("shape", "return { name: input.name.trim(), length: input.name.trim().length };")
        .returns("Hello {{ shape.name }}")
}

const ALL_COMPLETED: &[(&str, &str)] = &[("ask", "completed"), ("shape", "completed"), ("say", "completed")];

#[tokio::test]
async fn a_call_over_http_leaves_a_record_in_both_eras() {
    let server = TestServer::start().await;
    let made = server.create(&greet()).await;
    for era in Era::BOTH {
        let client = server.mcp(era).await;
        assert_eq!(client.tool_names().await, ["greet"]);
        let answer = client.call("greet", json!({"name": " Ana "})).await;
        assert_eq!(answer.text(), "Hello Ana");
        assert!(!answer.is_error());

        let execution = server.execution(answer.execution_id()).await;
        assert_execution(&execution)
            .has_status("fulfilled")
            .has_nodes(ALL_COMPLETED)
            .has("/flowId", &made["id"])
            .has("/flowName", &json!("Greet"))
            .has("/flowToolName", &json!("greet"))
            .has("/flowVersion", &json!(1))
            .has("/source", &json!("mcp"))
            .has("/userName", &json!("admin"))
            .has("/inferred", &json!(false))
            .has("/initialParams", &json!({"name": " Ana "}))
            .has("/initialParamsPreview", &json!(" Ana "))
            .has("/outputs", &json!("Hello Ana"))
            .has("/nodeExecutions/0/outputData", &json!({"name": " Ana "}))
            .has("/nodeExecutions/1/inputData", &json!({"name": " Ana "}))
            .has("/nodeExecutions/1/outputData", &json!({"name": "Ana", "length": 3}))
            .has("/meta/client/name", &json!("flowtrail-testkit"))
            .has("/meta/protocol", &json!(era.version()));
        client.close().await;
    }
}

#[tokio::test]
async fn a_call_over_stdio_is_read_back_over_http_in_both_eras() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestProcess::start(binary(), folder.path(), &[]);
    server.rest().post("/api/flows", &greet().build()).await.expect(201);
    for era in Era::BOTH {
        // Another process on the same data directory, beside the server.
        let client = McpClient::over_stdio(binary(), folder.path(), era).await;
        assert_eq!(client.tool_names().await, ["greet"]);
        let answer = client.call("greet", json!({"name": "Ben"})).await;
        assert_eq!(answer.text(), "Hello Ben");
        let id = answer.execution_id();
        let execution = server.rest().get(&format!("/api/executions/{id}")).await.expect(200);
        assert_execution(&execution).has_status("fulfilled").has_nodes(ALL_COMPLETED);
        client.close().await;
    }
}

#[tokio::test]
async fn the_examples_do_what_they_say() {
    let server = TestServer::builder().allow_private_addresses().start().await;
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples");
    for name in
        ["order_summary", "order_report", "text_statistics", "split_bill", "check_website", "packing_list"]
    {
        let file = std::fs::read(examples.join(format!("{name}.json"))).unwrap();
        server.rest().post_bytes("/api/flows/import", file).await.expect(201);
    }
    let client = server.mcp(Era::Stateless).await;
    let items = json!([{"name": "pen", "price": 1.25, "quantity": 2}, {"name": "lamp", "price": 20}]);

    let summary = client.call("order_summary", json!({"orderId": " A-1 ", "items": items})).await;
    assert_eq!(summary.text(), "Dear customer, order A-1 has 3 items for 22.5, plus shipping.");
    let execution = server.execution(summary.execution_id()).await;
    assert_execution(&execution).has_nodes(&[
        ("ask", "completed"),
        ("total", "completed"),
        ("is_large", "completed"),
        ("say", "completed"),
        ("say_free", "skipped"),
    ]);

    let report = client.call("order_report", json!({"orderId": "A-1", "items": items})).await;
    let child = report.structured()["execution"].as_str().map(str::to_owned).expect("the child's execution");
    let child = server.execution(&child).await;
    assert_execution(&child).has_status("fulfilled").has("/parentExecutionId", &json!(report.execution_id()));

    let statistics = client.call("text_statistics", json!({"text": "One two. Two!"})).await;
    assert_eq!(
        statistics.structured(),
        json!({"characters": 13, "words": 3, "sentences": 2,
               "frequent": [{"word": "two", "count": 2}, {"word": "one", "count": 1}]})
    );

    let bill = client.call("split_bill", json!({"paid": {"Ana": 30, "Ben": 0}})).await;
    assert_eq!(bill.structured()["transfers"], json!([{"from": "Ben", "to": "Ana", "amount": 15}]));

    let items = json!([{"name": "pen", "weightKg": 0.1}, {"name": "safe", "weightKg": 15, "quantity": 2}]);
    let list = client.call("packing_list", json!({"items": items})).await;
    assert_eq!(list.text(), "2 items. pen: by parcel, safe: by freight.");

    let up = client.call("check_website", json!({"url": format!("{}/healthz", server.base())})).await;
    assert_eq!(up.structured()["status"], 200);
    let down = client.call("check_website", json!({"url": format!("{}/nothing", server.base())})).await;
    assert_eq!(down.structured()["reachable"], false);
}

#[tokio::test]
async fn sixty_four_calls_at_once_are_sixty_four_executions() {
    let server = TestServer::start().await;
    server.create(&greet()).await;
    let client = server.mcp(Era::Stateless).await;
    let calls = (0..64).map(|number| client.call("greet", json!({"name": format!("number {number}")})));
    let answers = futures_util::future::join_all(calls).await;
    let mut ids: Vec<&str> = answers.iter().map(|answer| answer.execution_id()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 64);
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer.text(), format!("Hello number {number}"));
        let execution = server.execution(answer.execution_id()).await;
        let expected = json!({"name": format!("number {number}")});
        assert_execution(&execution).has("/initialParams", &expected).has_nodes(ALL_COMPLETED);
    }
}

#[tokio::test]
async fn progress_is_told_for_each_node_in_both_eras() {
    let server = TestServer::start().await;
    server.create(&greet()).await;
    for era in Era::BOTH {
        let mut client = server.mcp(era).await;
        client.call("greet", json!({"name": "Ana"})).await;
        let told = [client.next_progress().await, client.next_progress().await, client.next_progress().await];
        assert_eq!(told, ["1/3 ask: completed", "2/3 shape: completed", "3/3 say: completed"]);
    }
}

#[tokio::test]
async fn flows_appear_and_go_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestProcess::start(binary(), folder.path(), &[]);
    let mut client = server.mcp(Era::Session).await;
    assert_eq!(client.tool_names().await, Vec::<String>::new());

    let flow = server.rest().post("/api/flows", &greet().build()).await.expect(201);
    client.tools_changed().await;
    assert_eq!(client.tool_names().await, ["greet"]);

    let path = format!("/api/flows/{}", flow["id"].as_str().unwrap());
    server.rest().patch(&path, &json!({"active": false})).await.expect(200);
    client.tools_changed().await;
    assert_eq!(client.tool_names().await, Vec::<String>::new());
    let refused = client.try_call("greet", json!({"name": "Ana"})).await.unwrap_err().to_string();
    assert!(refused.contains("switched off"), "{refused}");

    server.rest().patch(&path, &json!({"active": true, "toolName": "welcome"})).await.expect(200);
    client.tools_changed().await;
    assert_eq!(client.tool_names().await, ["welcome"]);

    // Another process: the command line, on the same data directory.
    let file = folder.path().join("second.json");
    std::fs::write(&file, flow_text("Second")).unwrap();
    let imported = command(folder.path(), &["flow", "import", file.to_str().unwrap()]);
    assert!(imported.status.success(), "{imported:?}");
    client.tools_changed().await;
    assert_eq!(client.tool_names().await, ["second", "welcome"]);
}

fn flow_text(name: &str) -> String {
    flow(name).returns("done").build().to_string()
}

fn command(data_dir: &Path, arguments: &[&str]) -> std::process::Output {
    std::process::Command::new(binary())
        .args(arguments)
        .env("FLOWTRAIL_DATA_DIR", data_dir)
        .env("RUST_LOG", "warn")
        .output()
        .expect("the binary runs")
}

#[tokio::test]
async fn a_deleted_flow_leaves_its_history_under_its_names() {
    let server = TestServer::start().await;
    let made = server.create(&greet()).await;
    let client = server.mcp(Era::Stateless).await;
    let answer = client.call("greet", json!({"name": "Ana"})).await;
    let id = made["id"].as_str().unwrap();
    server.rest().delete(&format!("/api/flows/{id}")).await.expect(204);
    server.rest().get(&format!("/api/flows/{id}")).await.expect_error(404, "not_found");
    assert_eq!(client.tool_names().await, Vec::<String>::new());
    let execution = server.execution(answer.execution_id()).await;
    assert_execution(&execution).has("/flowId", &Value::Null).has("/flowName", &json!("Greet"));
    let all = server.rest().get("/api/executions").await.expect(200);
    assert_eq!(all["items"][0]["flowToolName"], "greet");
    // Its tool name is free again.
    server.create(&greet()).await;
}

#[tokio::test]
async fn the_command_line_shows_the_same_history() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestProcess::start(binary(), folder.path(), &[]);
    server.rest().post("/api/flows", &greet().build()).await.expect(201);
    let client = server.mcp(Era::Stateless).await;
    let answer = client.call("greet", json!({"name": "Ana"})).await;
    let shown = |arguments: &[&str]| {
        let output = command(folder.path(), arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let list = shown(&["executions", "list"]);
    assert!(list.contains("✓ fulfilled") && list.contains(answer.execution_id()), "{list}");
    let one = shown(&["executions", "show", answer.execution_id()]);
    assert!(one.contains("shape (Transform)") && one.contains(r#"{"name":"Ana","length":3}"#), "{one}");
    let json: Value = serde_json::from_str(&shown(&["executions", "list", "--json"])).unwrap();
    assert_eq!(json["items"][0]["id"], answer.execution_id());
    assert!(shown(&["flow", "list"]).contains("greet"));
    let exported = shown(&["flow", "export", "greet"]);
    assert_eq!(serde_json::from_str::<Value>(&exported).unwrap()["toolName"], "greet");

    let key = shown(&["key", "create", "laptop"]).trim().to_owned();
    server.rest().with_key(Some(&key)).get("/api/me").await.expect(200);
    let prefix = &key[..8];
    assert!(shown(&["key", "list"]).contains(prefix));
    shown(&["key", "revoke", prefix]);
    server.rest().with_key(Some(&key)).get("/api/me").await.expect_error(401, "unauthenticated");
    let missing = command(folder.path(), &["executions", "show", "01a2026e-4cdf-7295-82c1-f4f32106a321"]);
    assert_eq!(missing.status.code(), Some(1));
    let reason = String::from_utf8(missing.stderr).unwrap();
    assert_eq!(reason.trim(), "flowtrail: there is no such execution");
}
