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

/// The lines of the documentation that show every resource, run one after the other as they stand there.
#[tokio::test]
async fn every_line_of_the_tour_works_and_every_route_is_in_it() {
    if std::process::Command::new("curl").arg("--version").output().is_err() {
        skipped("curl is not installed");
        return;
    }
    let documentation = include_str!("../../../docs/API.md");
    let blocks = documentation.split("```sh tour\n").skip(1).filter_map(|rest| rest.split("```").next());
    let script = format!("set -euo pipefail\n{}", blocks.collect::<String>());
    let server = TestServer::start().await;
    let place = tempfile::tempdir().unwrap();
    let output = Command::new("bash")
        .args(["-c", &script])
        .env("BASE", server.base())
        .env("KEY", server.key())
        .env("NO_PROXY", "127.0.0.1")
        .current_dir(place.path())
        .output()
        .await
        .unwrap();
    let printed = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{}", printed.concat());
    // Each route is shown, with whatever stands where something varies.
    let shown: Vec<&str> = script.lines().filter(|line| line.contains("$BASE/")).collect();
    let missing: Vec<&str> = flowtrail_http::routes()
        .map(|route| route.path)
        .filter(|path| !path.starts_with("/api/v1/"))
        .filter(|path| !shown.iter().any(|line| is_shown(line, path)))
        .collect();
    assert!(missing.is_empty(), "{missing:?} are in no line");
}

/// Whether a line asks for an address, such as `/api/flows/{flow_id}/export`.
fn is_shown(line: &str, path: &str) -> bool {
    let Some((_, rest)) = line.split_once("$BASE/") else { return false };
    let asked = rest.split(['"', '?', ' ']).next().unwrap_or_default();
    let (mut asked, mut wanted) = (asked.split('/'), path.trim_start_matches('/').split('/'));
    loop {
        match (asked.next(), wanted.next()) {
            (None, None) => return true,
            (Some(_), Some(varies)) if varies.starts_with('{') => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}
