//! The examples for recording from other languages, run as they stand in the documentation.

use std::path::{Path, PathBuf};

use flowtrail_testkit::{TestServer, assert_execution};
use serde_json::json;
use tokio::process::Command;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/recording").join(name)
}

#[expect(clippy::print_stderr, reason = "nobody may miss it")]
fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// Runs an example against a server, and gives what it printed.
async fn run(server: &TestServer, program: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program)
        .args(arguments)
        .env("FLOWTRAIL_URL", server.base())
        .env("FLOWTRAIL_KEY", server.key())
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .await
        .expect("the example can be started");
    let printed = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.success(), printed)
}

/// The path of the execution that the first line names.
fn path<'a>(server: &TestServer, printed: &'a str) -> &'a str {
    let line = printed.lines().next().unwrap();
    line.strip_prefix(server.base()).unwrap_or_else(|| panic!("no address: {printed}"))
}

#[tokio::test]
async fn the_example_for_curl_records_step_by_step_and_in_a_batch() {
    if std::process::Command::new("curl").arg("--version").output().is_err() {
        skipped("curl is not installed");
        return;
    }
    let server = TestServer::start().await;
    let script = example("record.sh");
    for round in 1..=2 {
        let (is_done, printed) = run(&server, Path::new("bash"), &[script.to_str().unwrap()]).await;
        assert!(is_done, "{printed}");
        let execution = server.rest().get(path(&server, &printed)).await.expect(200);
        assert_execution(&execution).has_status("fulfilled").has_nodes(&[("count", "completed")]);
        assert_eq!(printed.lines().filter(|line| line.contains("\"created\"")).count(), 3, "{printed}");
        let all = server.rest().get("/api/executions").await.expect(200);
        assert_eq!(all["total"], 4 * round);
    }
}

#[tokio::test]
async fn the_example_for_python_records_what_works_and_what_fails() {
    let Some(python) = std::env::var_os("FLOWTRAIL_TEST_PYTHON") else {
        skipped("FLOWTRAIL_TEST_PYTHON names no Python that has requests; `cargo xtask test` makes one");
        return;
    };
    let (server, python, script) = (TestServer::start().await, PathBuf::from(python), example("record.py"));
    let script = script.to_str().unwrap();
    let (is_done, printed) = run(&server, &python, &[script, "1 2 39"]).await;
    assert!(is_done, "{printed}");
    let execution = server.rest().get(path(&server, &printed)).await.expect(200);
    assert_execution(&execution)
        .has_status("fulfilled")
        .has_nodes(&[("parse", "completed"), ("add", "completed")])
        .has("/outputs", &json!({"sum": 42}));

    let (is_done, printed) = run(&server, &python, &[script, "one two"]).await;
    assert!(!is_done && printed.contains("ValueError"), "{printed}");
    let failed = server.rest().get("/api/executions?status=error").await.expect(200);
    let id = failed["items"][0]["id"].as_str().unwrap();
    assert_execution(&server.execution(id).await)
        .failed("failed", Some("parse"))
        .has_nodes(&[("parse", "error")])
        .has("/initialParams", &json!({"text": "one two"}));
}
