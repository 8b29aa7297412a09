//! Every command starts, does what it is for, and ends with the exit code that says so.

use std::io::Write;
use std::process::{Command, Stdio};

use flowtrail_testkit::{Era, McpClient, TestProcess, flow};
use serde_json::{Value, json};

use super::{binary, run};

#[tokio::test]
async fn commands_without_a_server_start_on_an_empty_folder() {
    for (arguments, code) in [
        (&["migrate", "up"][..], 0),
        (&["migrate", "status"], 0),
        (&["user", "create", "Ana"], 0),
        (&["key", "create", "laptop"], 0),
        (&["flow", "list"], 0),
        (&["executions", "list"], 0),
        (&["stats"], 0),
        (&["openapi"], 0),
        (&["executions", "import", "/no/such/file"], 1),
        (&["executions", "show", "01900000-0000-7000-8000-000000000001"], 1),
        (&["executions", "list", "--limit", "many"], 2),
    ] {
        let folder = tempfile::tempdir().unwrap();
        assert!(run(folder.path(), &["migrate", "up"]).status.success());
        let output = run(folder.path(), arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn flows_are_called_over_both_transports() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestProcess::start(binary(), folder.path(), &[]);
    let echo = flow("Echo").text("message").returns("{{ ask.message }}");
    server.rest().post("/api/flows", &echo.build()).await.expect(201);
    for era in Era::BOTH {
        let over_http = server.mcp(era).await;
        assert_eq!(over_http.call("echo", json!({"message": "a"})).await.text(), "a");
        over_http.close().await;
        let over_stdio = McpClient::over_stdio(binary(), folder.path(), era).await;
        assert_eq!(over_stdio.call("echo", json!({"message": "b"})).await.text(), "b");
        over_stdio.close().await;
    }
}

#[tokio::test]
async fn rejected_calls_are_recorded_when_the_environment_or_a_flag_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [("FLOWTRAIL_RECORD_REJECTED", "true")];
    let client = McpClient::over_stdio_with(binary(), folder.path(), Era::Session, &environment).await;
    client.try_call("no_such_tool", json!({})).await.unwrap_err();
    client.close().await;
    let server = TestProcess::start(binary(), folder.path(), &["--record-rejected"]);
    server.mcp(Era::Stateless).await.try_call("no_such_tool", json!({})).await.unwrap_err();
    drop(server);
    let silent = TestProcess::start(binary(), folder.path(), &["--record-rejected", "false"]);
    silent.mcp(Era::Stateless).await.try_call("no_such_tool", json!({})).await.unwrap_err();
    drop(silent);
    let told = run(folder.path(), &["stats", "--json"]);
    let figures: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((&figures["total"], &figures["rejected"]), (&json!(0), &json!(2)));
    let listed = run(folder.path(), &["executions", "list"]);
    assert_eq!(String::from_utf8(listed.stdout).unwrap().matches("(unknown tool)").count(), 2);
}

#[test]
fn standard_input_gets_an_answer_to_ids_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Command::new(binary())
        .args(["mcp", "--data-dir"])
        .arg(folder.path())
        .env("RUST_LOG", "error")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = process.stdin.take().unwrap();
    for line in [
        json!({"jsonrpc": "2.0", "id": 1.5, "method": "ping"}),
        json!({"jsonrpc": "2.0", "id": null, "method": "ping"}),
        json!({"jsonrpc": "1.0", "id": 1, "method": "ping"}),
        json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": [1]}),
    ] {
        writeln!(stdin, "{line}").unwrap();
    }
    drop(stdin);
    let output = process.wait_with_output().unwrap();
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let codes: Vec<&Value> = lines.iter().map(|line| &line["error"]["code"]).collect();
    assert_eq!(codes, [&json!(-32600); 4], "{lines:?}");
    assert_eq!(lines[3]["id"], 3);
}

#[tokio::test]
async fn an_export_goes_back_in_through_a_file_and_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestProcess::start(binary(), folder.path(), &[]);
    let made = server.rest().post("/api/flows", &flow("Echo").returns("x").build()).await.expect(201);
    let path = format!("/api/flows/{}/run", made["id"].as_str().unwrap());
    for _ in 0..3 {
        server.rest().post(&path, &json!({"params": {}})).await.expect(200);
    }
    let file = folder.path().join("out.ndjson");
    let exported = run(folder.path(), &["executions", "export", "--output", file.to_str().unwrap()]);
    assert!(exported.status.success(), "{exported:?}");
    let other = tempfile::tempdir().unwrap();
    let imported = run(other.path(), &["executions", "import", file.to_str().unwrap(), "--json"]);
    let counts: Value = serde_json::from_slice(&imported.stdout).unwrap();
    assert_eq!(counts, json!({"created": 3, "exists": 0, "invalid": 0, "conflict": 0}));
    let mut text = std::fs::read(&file).unwrap();
    text.extend(b"{\"id\": 7}\n");
    let mut piped = Command::new(binary())
        .args(["executions", "import", "-", "--data-dir"])
        .arg(other.path())
        .env("RUST_LOG", "error")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    piped.stdin.take().unwrap().write_all(&text).unwrap();
    let piped = piped.wait_with_output().unwrap();
    assert_eq!(piped.status.code(), Some(1));
    let said = String::from_utf8(piped.stderr).unwrap();
    assert!(said.contains("line 4: "), "{said}");
    assert!(
        String::from_utf8(piped.stdout).unwrap().starts_with("0 imported, 3 were here already, 1 invalid")
    );
}

#[tokio::test]
async fn a_database_of_the_version_before_is_brought_up_to_date() {
    // How many migrations have come since the first edition.
    const SINCE: &str = "5";
    let folder = tempfile::tempdir().unwrap();
    let server = TestProcess::start(binary(), folder.path(), &[]);
    let made = server.rest().post("/api/flows", &flow("Echo").returns("x").build()).await.expect(201);
    let run_it = format!("/api/flows/{}/run", made["id"].as_str().unwrap());
    let external = json!({"kind": "external", "name": "Elsewhere"});
    let external = server.rest().post("/api/flows", &external).await.expect(201);
    let executions = format!("/api/flows/{}/executions", external["id"].as_str().unwrap());
    let whole = json!({"status": "error", "errorInfo": {"message": "no"}, "duration": 7,
        "nodeExecutions": [{"nodeId": "a", "executedAt": "2026-01-06T12:00:00Z", "executionTimeMs": 1.5}]});
    for _ in 0..5 {
        server.rest().post(&run_it, &json!({"params": {}})).await.expect(200);
        server.rest().post(&executions, &whole).await.expect(201);
    }
    let begun = server.rest().post(&executions, &json!({"leaseSeconds": 3_600})).await.expect(201);
    let before = server.rest().get("/api/executions/export").await.expect(200);
    drop(server);
    let down = run(folder.path(), &["migrate", "down", "--steps", SINCE, "--yes"]);
    assert!(down.status.success(), "{down:?}");
    let list = run(folder.path(), &["executions", "list"]);
    assert_eq!(list.status.code(), Some(1));
    let said = String::from_utf8(list.stderr).unwrap();
    assert!(said.contains("flowtrail migrate up"), "reading does not migrate: {said}");
    let server = TestProcess::start(binary(), folder.path(), &[]);
    let after = server.rest().get("/api/executions/export").await.expect(200);
    assert_eq!(after, before);
    let end = format!("/api/executions/{}", begun["id"].as_str().unwrap());
    server.rest().patch(&end, &json!({"status": "fulfilled"})).await.expect(200);
    let stats = server.rest().get("/api/executions/stats").await.expect(200);
    assert_eq!((&stats["total"], &stats["error"], &stats["pending"]), (&json!(11), &json!(5), &json!(0)));
}

#[tokio::test]
async fn postgresql_serves_restores_and_refuses_a_ceiling() {
    let Some(database) = flowtrail_store_diesel::testing::test_database() else { return };
    let folder = tempfile::tempdir().unwrap();
    let on_postgres = ["--database-url", database.url()];
    let ceiling = run(folder.path(), &[&["serve", "--max-disk", "64MiB"][..], &on_postgres].concat());
    assert_eq!(ceiling.status.code(), Some(2), "{ceiling:?}");
    let said = String::from_utf8(ceiling.stderr).unwrap();
    assert!(said.contains("PostgreSQL") && said.contains("FLOWTRAIL_RETENTION_BYTES"), "{said}");
    let elsewhere = tempfile::tempdir().unwrap();
    let origin = TestProcess::start(binary(), elsewhere.path(), &[]);
    let made = origin.rest().post("/api/flows", &flow("Echo").returns("x").build()).await.expect(201);
    let path = format!("/api/flows/{}/run", made["id"].as_str().unwrap());
    let ran = origin.rest().post(&path, &json!({"params": {}})).await.expect(200);
    let exported = run(elsewhere.path(), &["executions", "export"]).stdout;
    let server = TestProcess::start(binary(), folder.path(), &on_postgres);
    for status in ["created", "exists"] {
        let became = server.rest().post_bytes("/api/executions/import", exported.clone()).await.expect(200);
        assert_eq!(became["status"], status, "{became}");
    }
    let restored = format!("/api/executions/{}", ran["id"].as_str().unwrap());
    let restored = server.rest().get(&restored).await.expect(200);
    for field in ["source", "startedAt", "duration", "createdAt", "nodeExecutions", "outputs"] {
        assert_eq!(restored[field], ran[field], "{field}");
    }
}
