//! Users, filters and exports at the terminal, beside a server on the same data directory.

use std::path::Path;
use std::process::Command;

use flowtrail_testkit::TestServer;
use serde_json::{Value, json};

/// Runs a command on a server's data directory, and gives its exit code, what it printed, and its errors.
fn run(server: &TestServer, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_flowtrail"))
        .arg("--data-dir")
        .arg(server.data_dir())
        .args(arguments)
        .env("RUST_LOG", "error")
        .output()
        .unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code(), stdout, stderr)
}

async fn server() -> (TestServer, String) {
    let server = TestServer::start().await;
    let made = json!({"kind": "external", "name": "Elsewhere"});
    let made = server.rest().post("/api/flows", &made).await.expect(201);
    let executions = format!("/api/flows/{}/executions", made["id"].as_str().unwrap());
    for number in 1..=5 {
        let whole = json!({"status": "fulfilled", "startedAt": format!("2026-01-06T12:0{number}:00Z"),
            "duration": 100 * number, "initialParams": {"order": format!("A{number} =1+1")},
            "tags": {"parity": if number % 2 == 0 { "even" } else { "odd" }}});
        server.rest().post(&executions, &whole).await.expect(201);
    }
    (server, made["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn users_are_made_and_listed() {
    let server = TestServer::start().await;
    let (code, id, hint) = run(&server, &["user", "create", "Ada Lovelace"]);
    assert_eq!((code, id.trim().len()), (Some(0), 36), "{id}");
    assert!(hint.contains("flowtrail key create NAME --user \"Ada Lovelace\""), "{hint}");
    let (code, _, _) = run(&server, &["user", "create", "Root", "--role", "admin", "--json"]);
    assert_eq!(code, Some(0));
    let (_, listed, _) = run(&server, &["user", "list"]);
    assert!(listed.lines().any(|line| line.starts_with("Ada Lovelace") && line.contains("user")), "{listed}");
    let (_, listed, _) = run(&server, &["user", "list", "--json"]);
    let users: Vec<Value> = serde_json::from_str(&listed).unwrap();
    assert!(users.iter().any(|user| user["name"] == "Root" && user["role"] == "admin"), "{listed}");
    let (code, key, _) = run(&server, &["key", "create", "laptop", "--user", "Ada Lovelace"]);
    assert_eq!(code, Some(0));
    let me = server.rest().with_key(Some(key.trim())).get("/api/me").await.expect(200);
    assert_eq!(me["id"], id.trim());
    let (code, _, error) = run(&server, &["key", "create", "x", "--user", "Nobody"]);
    assert_eq!(code, Some(1));
    assert_eq!(error.trim(), "flowtrail: there is no user \"Nobody\": `flowtrail user list` shows them");
    let (code, _, _) = run(&server, &["user", "create", "x", "--role", "god"]);
    assert_eq!(code, Some(2));
}

#[tokio::test]
async fn lists_take_every_filter() {
    let (server, flow) = server().await;
    let total = |arguments: &[&str]| {
        let (code, printed, error) = run(&server, &[&["executions", "list", "--json"], arguments].concat());
        assert_eq!(code, Some(0), "{arguments:?}: {error}");
        let page: Value = serde_json::from_str(&printed).unwrap();
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(total(&[]), 5);
    assert_eq!(total(&["--flow", &flow, "--min-duration", "200", "--max-duration", "400"]), 3);
    assert_eq!(total(&["--tag", "parity:even"]), 2);
    assert_eq!(total(&["-q", "a3 ="]), 1);
    assert_eq!(total(&["--from", "2026-01-06T12:02:00Z", "--to", "2026-01-06T12:04:00Z"]), 2);
    assert_eq!(total(&["--user", "admin"]), 5);
    assert_eq!(total(&["--status", "error"]), 0);
    let (_, printed, _) =
        run(&server, &["executions", "list", "--sort", "duration", "--limit", "1", "--json"]);
    let page: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(page["items"][0]["duration"], 500);
    for (arguments, named) in [
        (["--tag", "parity"], "--tag"),
        (["--from", "noon"], "--from"),
        (["--sort", "colour"], "--sort"),
        (["--min-duration", "long"], "--min-duration"),
    ] {
        let (code, _, error) = run(&server, &[&["executions", "list"][..], &arguments].concat());
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(error.contains(named), "{error}");
    }
}

#[tokio::test]
async fn exports_go_to_a_pipe_or_a_new_file() {
    let (server, flow) = server().await;
    let (code, printed, _) = run(&server, &["executions", "export", "--flow", &flow]);
    assert_eq!(code, Some(0));
    let first: Value = serde_json::from_str(printed.lines().next().unwrap()).unwrap();
    assert_eq!((printed.lines().count(), &first["initialParams"]), (5, &json!({"order": "A5 =1+1"})));

    let file = server.data_dir().join("out.csv");
    let path = file.to_str().unwrap();
    let export = ["executions", "export", "--format", "csv", "--tag", "parity:odd", "--output", path];
    let (code, printed, error) = run(&server, &export);
    assert_eq!((code, printed.as_str()), (Some(0), ""), "{error}");
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(written.lines().count(), 4, "{written}");
    let (code, _, error) = run(&server, &export);
    assert_eq!(code, Some(1), "a file that is there is not written over");
    assert!(error.starts_with(&format!("flowtrail: cannot make {path}")), "{error}");
    let nowhere = server.data_dir().join("no").join("out");
    let (code, _, _) = run(&server, &["executions", "export", "--output", nowhere.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(!Path::new(&nowhere).exists());
    let (code, _, error) = run(&server, &["executions", "export", "--format", "xml"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("expected ndjson or csv"), "{error}");
}

#[tokio::test]
async fn executions_are_shown_as_they_begin_and_end() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let (server, flow) = server().await;
    let other =
        server.rest().post("/api/flows", &json!({"kind": "external", "name": "Other"})).await.expect(201);
    let mut tail = Command::new(env!("CARGO_BIN_EXE_flowtrail"))
        .arg("--data-dir")
        .arg(server.data_dir())
        .args(["executions", "tail", "--flow", &flow, "--last", "2"])
        .env("RUST_LOG", "error")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (sender, lines) = std::sync::mpsc::channel();
    let stdout = BufReader::new(tail.stdout.take().unwrap());
    std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let next = || lines.recv_timeout(std::time::Duration::from_secs(30)).expect("a line comes in time");
    for order in ["A4 =1+1", "A5 =1+1"] {
        let line = next();
        assert!(line.contains("✓ fulfilled") && line.contains(order), "{line}");
    }
    let path = format!("/api/flows/{flow}/executions");
    let elsewhere = format!("/api/flows/{}/executions", other["id"].as_str().unwrap());
    server.rest().post(&elsewhere, &json!({"status": "fulfilled"})).await.expect(201);
    let started = server.rest().post(&path, &json!({})).await.expect(201);
    let id = started["id"].as_str().unwrap();
    let line = next();
    assert!(line.contains("◔ pending") && line.contains(id), "{line}");
    let end = json!({"status": "error", "errorInfo": {"message": "it broke"}});
    server.rest().patch(&format!("/api/executions/{id}"), &end).await.expect(200);
    let line = next();
    assert!(line.contains("✗ error") && line.contains("it broke") && line.contains(id), "{line}");
    let told = Command::new("kill").args(["-TERM", &tail.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert_eq!(tail.wait().unwrap().code(), Some(0));
}
