//! The binary as users start it: each command as a process of its own, with each feature that has to be wired up for it. Nothing
//! here shares a process with the server, so nothing that a test sets up can hide that a command does not.

mod answers;
mod before;
mod calls;
mod commands;
#[cfg(target_os = "linux")]
mod full_disk;
mod hanging_database;
mod outgoing;
#[cfg(unix)]
mod private;
#[cfg(target_os = "linux")]
mod processes;
mod proxy;
mod traces;
mod upstreams;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use flowtrail_testkit::{FlowBuilder, Rest, TestProcess};
use serde_json::{Value, json};

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_flowtrail"))
}

/// Runs a command on a data directory to its end.
fn run(data_dir: &Path, arguments: &[&str]) -> Output {
    Command::new(binary())
        .arg("--data-dir")
        .arg(data_dir)
        .args(arguments)
        .env("RUST_LOG", "error")
        .output()
        .expect("the binary starts")
}

/// A server whose flows may call this machine, with these upstreams.
struct World {
    folder: tempfile::TempDir,
    server: TestProcess,
}

impl World {
    fn start(upstreams: &BTreeMap<&str, String>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut written =
            String::from("allow_private_addresses = true\n[secrets]\nTOKEN = \"sesame-open\"\n");
        for (name, settings) in upstreams {
            written.push_str(&format!("[upstreams.{name}]\n{settings}\n"));
        }
        let config = folder.path().join("flowtrail.toml");
        std::fs::write(&config, written).expect("it is written");
        let config = config.to_str().expect("a path").to_owned();
        let server = TestProcess::start(binary(), folder.path(), &["--config", &config]);
        Self { folder, server }
    }

    /// Kills the server, and starts another one on the same data.
    fn restart(&mut self) {
        let config = self.folder.path().join("flowtrail.toml");
        let arguments = ["--config", config.to_str().expect("a path")];
        // The old one goes when the new one is there: both hold the database meanwhile, as at any upgrade.
        self.server = TestProcess::start(binary(), self.folder.path(), &arguments);
    }

    /// Runs a flow once, and gives its execution.
    async fn ran(&self, flow: &FlowBuilder) -> Value {
        self.ran_with(flow, &json!({"params": {}})).await
    }

    async fn ran_with(&self, flow: &FlowBuilder, body: &Value) -> Value {
        let rest = self.server.rest();
        let made = rest.post("/api/flows", &flow.build()).await.expect(201);
        let run = format!("/api/flows/{}/run", made["id"].as_str().expect("an id"));
        rest.post(&run, body).await.expect(200)
    }
}

/// A message of 2026-07-28.
fn message(method: &str, id: Value, params: Value) -> Value {
    let mut params = params;
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {
            "elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}},
        },
    });
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

/// A call of the tool `call`, with these parameters besides.
fn call(id: Value, more: Value) -> Value {
    let mut params = json!({"name": "call", "arguments": {"n": 1}});
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    message("tools/call", id, params)
}

/// The executions of calls that passed, in full, as soon as they are as expected.
async fn recorded(rest: &Rest, is_expected: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..500 {
        looks.tick().await;
        let page = rest.get("/api/executions?source=proxy").await.expect(200);
        let mut found = Vec::new();
        for item in page["items"].as_array().unwrap() {
            let path = format!("/api/executions/{}", item["id"].as_str().unwrap());
            found.push(rest.get(&path).await.expect(200));
        }
        if is_expected(&found) {
            return found;
        }
    }
    let page = rest.get("/api/executions?source=proxy").await.expect(200);
    panic!("not as expected: {page:#}");
}
