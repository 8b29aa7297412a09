//! The server beside the one of the version before: interleaved pairs, so that what else the machine does falls on both.

use std::path::Path;

use flowtrail_testkit::{TestProcess, flow};
use serde_json::json;

use crate::bodies;
use crate::options::{Before, Options};
use crate::table::Row;
use crate::top::{Asked, rate};

/// What is asked of both.
const WORKLOADS: [&str; 4] =
    ["POST of an execution", "a call over MCP", "first page of a flow", "statistics"];

/// Measures pairs, and prints the median of their ratios with its range.
pub(crate) fn measure(now: &Path, before: &Before, options: &Options) -> Result<(), String> {
    let mut rates: [[Vec<f64>; 2]; 4] = Default::default();
    for pair in 0..before.pairs {
        // Whoever is second finds the machine as the first has left it.
        let order = if pair % 2 == 0 { [0, 1] } else { [1, 0] };
        for which in order {
            let binary = if which == 0 { &before.binary } else { now };
            for (workload, found) in of_one(binary, options)?.into_iter().enumerate() {
                rates[workload][which].push(found);
            }
        }
        eprintln!("pair {} of {}", pair + 1, before.pairs);
    }
    for (name, [old, new]) in WORKLOADS.iter().zip(&rates) {
        let mut ratios: Vec<f64> = new.iter().zip(old).map(|(new, old)| new / old).collect();
        ratios.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (ratios.first(), ratios.last()) else { continue };
        Row {
            workload: format!("{name}, {} connections, {} pairs", options.connections, before.pairs),
            measured: format!("{:.0}/s", median(new)),
            beside: format!("before: {:.0}/s; ratios {least:.2} to {most:.2}", median(old)),
            ratio: Some(median(&ratios)),
            ..Row::default()
        }
        .print();
    }
    Ok(())
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// The rates of one server, on a new database, in the order of [`WORKLOADS`].
fn of_one(binary: &Path, options: &Options) -> Result<[f64; 4], String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let server = TestProcess::start(binary, folder.path(), &[]);
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let made = runtime.block_on(async {
        let rest = server.rest();
        let echo = flow("Echo").text("message").returns("{{ ask.message }}").build();
        rest.post("/api/flows", &echo).await.expect(201);
        rest.post("/api/flows", &json!({"name": "Measured", "kind": "external"})).await.expect(201)
    });
    let executions = format!("/api/flows/{}/executions", made["id"].as_str().ok_or("a flow has an id")?);
    let about = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({"name": "echo", "arguments": {"message": "hello"}, "_meta": about});
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
    let mcp = [
        ("Accept", "application/json, text/event-stream"),
        ("MCP-Protocol-Version", "2026-07-28"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Name", "echo"),
    ];
    let execution = bodies::execution().to_string();
    let ask = |method, path: &str, body, headers| {
        let asked =
            Asked { method, url: format!("{}{path}", server.base()), key: server.key(), body, headers };
        rate(&asked, options.connections, options.seconds, folder.path())
    };
    Ok([
        ask("POST", &executions, &execution, &[])?,
        ask("POST", "/mcp", &call, &mcp)?,
        ask("GET", &executions, "", &[])?,
        ask("GET", "/api/executions/stats", "", &[])?,
    ])
}
