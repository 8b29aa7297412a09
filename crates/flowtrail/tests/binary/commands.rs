//! Every command starts, does what it is for, and ends with the exit code that says so.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

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
        (&["executions", "prune", "--older-than", "1d"], 0),
        (&["executions", "prune"], 2),
        (&["flow", "export", "nobody"], 1),
        (&["flow", "delete", "nobody"], 1),
        (&["key", "list"], 0),
        (&["key", "revoke", "ft_nobody"], 1),
        (&["user", "list"], 0),
        (&["db", "size"], 0),
        (&["backup", "copy.db"], 0),
        (&["login-link", "--url", "https://flows.example"], 0),
        (&["login-link", "--url", "flows.example"], 2),
        (&["login-link", "--listen", "127.0.0.1:0"], 2),
        (&["proxy"], 2),
        (&["proxy", "--", "no-such-program"], 1),
        (&["proxy", "--name", "nobody"], 1),
    ] {
        let folder = tempfile::tempdir().unwrap();
        assert!(run(folder.path(), &["migrate", "up"]).status.success());
        // A copy belongs to the folder, wherever this runs.
        let copy = folder.path().join("copy.db");
        let arguments: Vec<&str> = arguments
            .iter()
            .map(|argument| if *argument == "copy.db" { copy.to_str().unwrap() } else { argument })
            .collect();
        let output = run(folder.path(), &arguments);
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
async fn the_demo_serves_what_it_has_called() {
    let demo = TestProcess::start_as(binary(), &["demo"]);
    let rest = demo.rest();
    let has_all = |counts: &Value| {
        let has_any = |status: &str| counts[status].as_u64() > Some(0);
        ["pending", "fulfilled", "error", "aborted"].into_iter().all(has_any)
            && counts["total"].as_u64() >= Some(30)
    };
    let mut looks = tokio::time::interval(Duration::from_millis(100));
    // It calls its flows while it serves already.
    let mut counts = Value::Null;
    for _ in 0..600 {
        looks.tick().await;
        counts = rest.get("/api/executions/stats").await.expect(200);
        if has_all(&counts) {
            break;
        }
    }
    assert!(has_all(&counts), "{counts}");
    let flows = rest.get("/api/flows").await.expect(200);
    assert!(flows["total"].as_u64() >= Some(5), "{flows}");
    let client = demo.mcp(Era::Stateless).await;
    assert!(client.tool_names().await.iter().any(|name| name == "order_summary"));
    client.close().await;
    let told = Command::new("kill").args(["-TERM", &demo.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert_eq!(demo.wait(), Some(0));
}

#[tokio::test]
async fn a_login_link_of_the_server_that_runs_works_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestProcess::start(binary(), folder.path(), &[]);
    let link = run(folder.path(), &["login-link"]);
    let link = String::from_utf8(link.stdout).unwrap();
    let (base, code) = link.trim().split_once("/#code=").unwrap_or_else(|| panic!("{link}"));
    assert_eq!(base, server.base());
    let anybody = server.rest().with_key(None);
    anybody.post("/api/session", &json!({"code": code})).await.expect(201);
    anybody.post("/api/session", &json!({"code": code})).await.expect_error(401, "unauthenticated");
}

#[tokio::test]
async fn without_a_command_it_serves_and_what_is_deleted_keeps_its_history() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().to_str().unwrap();
    let server = TestProcess::start_as(binary(), &["--data-dir", data_dir]);
    let made = server.rest().post("/api/flows", &flow("Echo").returns("x").build()).await.expect(201);
    let ran = format!("/api/flows/{}/run", made["id"].as_str().unwrap());
    let ran = server.rest().post(&ran, &json!({"params": {}})).await.expect(200);
    let exported = run(folder.path(), &["flow", "export", "echo"]);
    assert!(String::from_utf8(exported.stdout).unwrap().contains("\"Echo\""));
    let shown = run(folder.path(), &["executions", "show", ran["id"].as_str().unwrap()]);
    assert!(shown.status.success() && String::from_utf8(shown.stdout).unwrap().contains("Echo"));
    let deleted = run(folder.path(), &["flow", "delete", "echo"]);
    assert!(deleted.status.success(), "{deleted:?}");
    let flows = server.rest().get("/api/flows").await.expect(200);
    assert_eq!(flows["total"], 0);
    let kept = server.rest().get("/api/executions").await.expect(200);
    assert_eq!((&kept["total"], &kept["items"][0]["flowName"]), (&json!(1), &json!("Echo")));
}

#[tokio::test]
async fn a_server_that_may_not_migrate_serves_the_schema_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    assert!(run(folder.path(), &["migrate", "up"]).status.success());
    drop(TestProcess::start(binary(), folder.path(), &["--no-migrate"]));
    assert!(run(folder.path(), &["migrate", "down", "--yes"]).status.success());
    let refused = run(folder.path(), &["serve", "--no-migrate", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("flowtrail migrate up"));
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
    // A byte order mark and line ends of another system are nothing that was written.
    let text = std::fs::read_to_string(&file).unwrap();
    let marked = folder.path().join("marked.ndjson");
    std::fs::write(&marked, format!("\u{feff}{}", text.replace('\n', "\r\n"))).unwrap();
    let again = run(other.path(), &["executions", "import", marked.to_str().unwrap(), "--json"]);
    let counts: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(counts, json!({"created": 0, "exists": 3, "invalid": 0, "conflict": 0}));
    let third = tempfile::tempdir().unwrap();
    let served = TestProcess::start(binary(), third.path(), &[]);
    let lines = std::fs::read(&marked).unwrap();
    let became = served.rest().post_bytes("/api/executions/import", lines).await.expect(200);
    assert_eq!(became.as_str().unwrap().matches("\"created\"").count(), 3, "{became}");
    // So are those between exports that were put together.
    let together = format!("{text}\u{feff}{text}").into_bytes();
    let became = served.rest().post_bytes("/api/executions/import", together).await.expect(200);
    assert_eq!(became.as_str().unwrap().matches("\"exists\"").count(), 6, "{became}");
    let mut text = format!("\u{feff}{text}").into_bytes();
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
    let exact =
        r#"{"status":"fulfilled","initialParams":{"n":1.10,"m":1e2,"big":18446744073709551617,"x":1e400}}"#;
    let external = json!({"kind": "external", "name": "Elsewhere"});
    let external = server.rest().post("/api/flows", &external).await.expect(201);
    let path = format!("/api/flows/{}/executions", external["id"].as_str().unwrap());
    let made = server.rest().post_bytes(&path, exact.into()).await.expect(201);
    let expected = r#"{"n":1.10,"m":1e2,"big":18446744073709551617,"x":1e400}"#;
    assert_eq!(made["initialParams"].to_string(), expected);
    for (arguments, code) in [
        (&["migrate", "status"][..], 0),
        (&["executions", "list"], 0),
        (&["executions", "export"], 0),
        (&["executions", "prune", "--older-than", "1d"], 0),
        (&["stats"], 0),
        (&["flow", "list"], 0),
        (&["key", "list"], 0),
        (&["user", "list"], 0),
        (&["db", "size"], 0),
        (&["backup", "copy.db"], 1),
    ] {
        let output = run(folder.path(), &[arguments, &on_postgres].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    }
    let environment = [("DATABASE_URL", database.url())];
    let client = McpClient::over_stdio_with(binary(), folder.path(), Era::Session, &environment).await;
    assert_eq!(client.call("flowtrail_get_stats", json!({})).await.structured()["total"], 2);
    client.close().await;
}
