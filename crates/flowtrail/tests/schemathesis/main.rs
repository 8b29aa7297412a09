//! schemathesis, which reads the description that a server gives of itself, and looks for requests and answers that are
//! not as described. What it is told stands in `schemathesis.toml` beside this file.

use std::path::Path;

use flowtrail_testkit::TestServer;
use serde_json::{Value, json};
use tokio::process::Command;

/// What the examples of the description are about.
const FLOW: &str = "3f2c1b7e-58a1-4c53-9a35-0d4f6c1f2a10";
const EXTERNAL_FLOW: &str = "936da01f-9abd-4d9d-80c7-02af85c822a8";

/// The example of a schema of the description.
fn example(name: &str) -> Value {
    flowtrail_http::openapi()["components"]["schemas"][name]["examples"][0].clone()
}

/// Records what the examples name, so that they find it.
async fn seed(server: &TestServer) {
    let rest = server.rest();
    let mut flow = example("NewRunnableFlow");
    flow["id"] = json!(FLOW);
    rest.post("/api/flows", &flow).await.expect(201);
    let mut external = example("NewExternalFlow");
    external["id"] = json!(EXTERNAL_FLOW);
    rest.post("/api/flows", &external).await.expect(201);
    let executions = format!("/api/flows/{EXTERNAL_FLOW}/executions");
    rest.post(&executions, &example("FinishedExecution")).await.expect(201);
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "nobody may miss it")]
async fn schemathesis_finds_nothing() {
    let Some(python) = std::env::var_os("FLOWTRAIL_TEST_PYTHON") else {
        eprintln!(
            "SKIPPED: FLOWTRAIL_TEST_PYTHON names no Python with schemathesis; `cargo xtask test` makes one"
        );
        return;
    };
    let server = TestServer::start().await;
    seed(&server).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis");
    let place = tempfile::tempdir().unwrap();
    let output = Command::new(python)
        .args(["-m", "schemathesis.cli", "--no-color", "--config-file"])
        .arg(folder.join("schemathesis.toml"))
        .args(["run", &format!("{}/api/docs/openapi.json", server.base())])
        .env("FLOWTRAIL_KEY", server.key())
        .env("NO_PROXY", "127.0.0.1")
        .env("PYTHONPATH", &folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // Where it keeps what it found.
        .current_dir(place.path())
        .kill_on_drop(true)
        .output()
        .await
        .expect("it can be started");
    let printed = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{}", printed.concat());
    // It tried every operation but the one that is left out.
    let all = flowtrail_http::routes().count();
    let tried = format!("{} selected / {all} total", all - 1);
    assert!(printed[0].contains(&tried), "{}", printed[0]);
}
