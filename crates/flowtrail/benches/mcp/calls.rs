//! Calls of the smallest flow over HTTP, beside the SDK's own echo on the same stack; and a long list of tools.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Instant;

use flowtrail_testkit::TestProcess;
use serde_json::{Value, json};

use crate::part;
use crate::table::Row;
use crate::top::{Asked, rate};

const CLIENTS: usize = 64;
/// Which part of the echo's rate is to be reached.
const PART: f64 = 0.5;
const TOOLS: usize = 1_000;
/// The longest that a list of so many tools may take, in milliseconds.
const LISTED: f64 = 10.0;
const VERSION: &str = "2026-07-28";

/// A request of the era in which each stands for itself.
fn request(method: &str, mut params: Value) -> String {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

const HEADERS: &[(&str, &str)] = &[
    ("Accept", "application/json, text/event-stream"),
    ("MCP-Protocol-Version", VERSION),
    ("Mcp-Method", "tools/call"),
    ("Mcp-Name", "echo"),
];

/// The echo as a process of its own, which is killed when it is dropped.
struct Echo {
    child: Child,
    base: String,
}

impl Echo {
    fn start() -> Result<Self, String> {
        let mut child =
            part(&["echo", "http"])?.stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("the echo has no output")?;
        BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        let base = line.trim().strip_prefix("listening on ").ok_or("the echo does not listen")?.to_owned();
        Ok(Self { child, base })
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn flow(name: &str) -> Value {
    json!({
        "name": name,
        "toolName": name,
        "description": "Says what it is given.",
        "nodes": [
            {"id": "ask", "type": "UserIntent", "parameters": {"parameters": [
                {"name": "message", "type": "string", "description": "What to say", "required": true}]}},
            {"id": "say", "type": "Return", "parameters": {"text": "{{ ask.message }}"}},
        ],
        "connections": [{"sourceNodeId": "ask", "targetNodeId": "say"}],
    })
}

pub(crate) fn measure(seconds: u32) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let server = TestProcess::start(Path::new(env!("CARGO_BIN_EXE_flowtrail")), folder.path(), &[]);
    let rest = server.rest();
    runtime.block_on(async { rest.post("/api/flows", &flow("echo")).await.expect(201) });
    let body = request("tools/call", json!({"name": "echo", "arguments": {"message": "x".repeat(200)}}));

    let echo = Echo::start()?;
    for (base, key) in [(server.base(), server.key()), (echo.base.as_str(), "none")] {
        let answer = runtime.block_on(post(base, key, &body))?;
        if !answer.contains(&"x".repeat(200)) || answer.contains("isError\":true") {
            return Err(format!("{base} answered {answer}"));
        }
    }
    let at_top = |base: &str, key: &str| {
        let asked = Asked { method: "POST", url: format!("{base}/mcp"), key, body: &body, headers: HEADERS };
        rate(&asked, CLIENTS, seconds, folder.path())
    };
    let bound = at_top(&echo.base, "none")?;
    drop(echo);
    let calls = at_top(server.base(), server.key())?;
    Row {
        workload: format!("calls of a flow with one Return over HTTP, {CLIENTS} clients, each durable"),
        measured: format!("{calls:.0}/s"),
        beside: format!("{bound:.0}/s by the SDK's echo"),
        ratio: Some(calls / bound),
        target: &format!("{PART}"),
        is_reached: Some(calls / bound >= PART),
    }
    .print();

    for number in 1..TOOLS {
        runtime
            .block_on(async { rest.post("/api/flows", &flow(&format!("echo_{number}"))).await.expect(201) });
    }
    let listing = request("tools/list", json!({}));
    let mut took: Vec<f64> = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        let answer = runtime.block_on(post(server.base(), server.key(), &listing))?;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
        let listed = answer.matches("\"inputSchema\"").count();
        if listed < TOOLS {
            return Err(format!("of {TOOLS} tools were listed {listed}"));
        }
    }
    took.sort_by(f64::total_cmp);
    let median = took[took.len() / 2];
    Row {
        workload: format!("tools/list with {TOOLS} tools, median of {}", took.len()),
        measured: format!("{median:.1} ms"),
        target: &format!("below {LISTED} ms"),
        is_reached: Some(median < LISTED),
        ..Row::default()
    }
    .print();
    Ok(())
}

/// One request, by a client that sends nothing else, and all that is answered.
async fn post(base: &str, key: &str, body: &str) -> Result<String, String> {
    let method = if body.contains("tools/list") { "tools/list" } else { "tools/call" };
    let client = flowtrail_testkit::http_client();
    let mut request = client.post(format!("{base}/mcp")).bearer_auth(key).header("Mcp-Method", method);
    for (name, value) in HEADERS.iter().filter(|(name, _)| !name.starts_with("Mcp-M")) {
        if method == "tools/call" || *name != "Mcp-Name" {
            request = request.header(*name, *value);
        }
    }
    let request = request.header("Content-Type", "application/json").body(body.to_owned());
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let text = answer.text().await.map_err(|error| error.to_string())?;
    if status.is_success() { Ok(text) } else { Err(format!("{status}: {text}")) }
}
