//! `flowtrail demo`: a temporary database with example flows that have been called through the real MCP endpoint.

use std::net::TcpListener;

use flowtrail_store_diesel::DatabaseUrl;
use flowtrail_tracker::Tracker;
use flowtrail_types::{ExecutionFilter, ExecutionId, ExecutionStatus, PageRequest};
use indicatif::{ProgressBar, ProgressStyle};
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientCapabilities, ClientConfig, ClientRequest, Implementation,
    ProtocolVersion,
};
use rmcp::service::{PeerRequestOptions, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientLifecycleMode, ClientServiceExt, RoleClient};
use serde_json::{Map, Value, json};

use super::serve::{listen, until_told_to_stop};
use super::{block_on, runtime};
use crate::failure::Doing;
use crate::terminal::say;
use crate::wiring::{Access, Wiring};
use crate::{Config, Failure};

/// The flows that stand in `docs/examples`.
const EXAMPLES: &[&str] = &[
    include_str!("../../../../docs/examples/order_summary.json"),
    include_str!("../../../../docs/examples/order_report.json"),
    include_str!("../../../../docs/examples/text_statistics.json"),
    include_str!("../../../../docs/examples/split_bill.json"),
    include_str!("../../../../docs/examples/check_website.json"),
];

pub(super) fn run(mut config: Config) -> Result<(), Failure> {
    let folder =
        tempfile::Builder::new().prefix("flowtrail-demo-").tempdir().doing("cannot make a folder")?;
    config.data_dir = folder.path().to_path_buf();
    config.database = DatabaseUrl::Sqlite(folder.path().join("flowtrail.db"));
    config.allow_private_addresses = true;
    let listener = match listen(&config.listen) {
        Ok(listener) => listener,
        // Nobody chose the port, so any will do.
        Err(_) if !config.listen_is_chosen => listen("127.0.0.1:0")?,
        Err(failure) => return Err(failure),
    };
    let address = listener.local_addr().doing("cannot tell the address")?;
    let runtime = runtime()?;
    let access = Access::Serve { migrate: true, runtime: runtime.handle().clone() };
    let wiring = Wiring::open(&config, access)?;
    let key = match (&wiring.new_admin_key, &config.admin_key) {
        (Some(key), _) | (None, Some(key)) => key.clone(),
        (None, None) => return Err(Failure::new("the demo's database has no administrator's key")),
    };
    import(&wiring)?;
    let code = wiring.tracker.create_login_code()?.secret;
    say(format_args!("listening on http://{address}"));
    // It takes connections and never answers: what calls it stays pending.
    let silent = TcpListener::bind("127.0.0.1:0").doing("cannot make an address that never answers")?;
    let silent_url = format!("http://{}/slow", silent.local_addr().doing("cannot tell the address")?);
    let base = format!("http://{address}");
    let tracker = wiring.tracker.clone();
    block_on(runtime, async {
        // The client is kept until the end: if it hung up, what it has pending would be aborted.
        let script = async {
            let client = play(&base, &key, &silent_url).await?;
            greet(&base, &key, &code, failed(&tracker)?);
            Ok::<_, Failure>(client)
        };
        let serving = until_told_to_stop(wiring, &config, listener);
        tokio::pin!(serving);
        tokio::select! {
            ended = &mut serving => ended,
            client = script => {
                let _kept = client?;
                serving.await
            }
        }
    })
}

fn import(wiring: &Wiring) -> Result<(), Failure> {
    let administrator = wiring.tracker.local_administrator()?;
    let mut drafts = Vec::new();
    for text in EXAMPLES {
        drafts.extend(flowtrail_runner::parse_flow_file(text.as_bytes()).doing("an example is not sound")?);
    }
    wiring.tracker.create_flows(&administrator, drafts)?;
    Ok(())
}

/// The newest execution that failed at a node.
fn failed(tracker: &Tracker) -> Result<Option<ExecutionId>, Failure> {
    let filter = ExecutionFilter { status: Some(ExecutionStatus::Error), ..ExecutionFilter::default() };
    let page = tracker.executions(&tracker.local_administrator()?, &filter, PageRequest::default())?;
    Ok(page.page.items.iter().find(|execution| !execution.inferred).map(|execution| execution.id))
}

fn greet(base: &str, key: &str, code: &str, failed: Option<ExecutionId>) {
    say("");
    say(format_args!(
        "The history of the calls that were just made over MCP; some of them failed:\n  {base}/executions#code={code}\n"
    ));
    say(format_args!("Call a flow from an MCP client (streamable HTTP):\n  {base}/mcp"));
    say(format_args!("  Authorization: Bearer {key}\n"));
    let curl = format!("  curl -H 'Authorization: Bearer {key}'");
    say("List what failed:");
    say(format_args!("{curl} '{base}/api/executions?status=error&limit=5'\n"));
    if let Some(failed) = failed {
        say("Read one of them, node by node:");
        say(format_args!("{curl} {base}/api/executions/{failed}"));
    }
    say("\nEverything here is deleted when you press Ctrl-C.");
}

type Client = RunningService<RoleClient, ClientConfig>;

/// Calls the flows like a client would, until there are a few dozen executions of every status.
async fn play(base: &str, key: &str, silent_url: &str) -> Result<Client, Failure> {
    let transport = StreamableHttpClientTransport::from_config(
        StreamableHttpClientTransportConfig::with_uri(format!("{base}/mcp")).auth_header(key),
    );
    let me = ClientConfig::new(
        ClientCapabilities::default(),
        Implementation::new("flowtrail-demo", env!("CARGO_PKG_VERSION")),
    );
    let mode = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    let client = me.serve_with_lifecycle(transport, mode).await.doing("the demo cannot connect to itself")?;
    let calls = calls(base);
    let bar = ProgressBar::new(calls.len() as u64).with_style(
        ProgressStyle::with_template("calling flows over MCP {bar:30} {pos}/{len} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    for (tool, arguments) in calls {
        bar.set_message(tool);
        let request = CallToolRequestParams::new(tool).with_arguments(arguments);
        client.call_tool(request).await.doing(format_args!("calling {tool}"))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let slow = || {
        let mut request = CallToolRequestParams::new("check_website");
        request.arguments = Some(object(json!({"url": silent_url})));
        ClientRequest::CallToolRequest(CallToolRequest::new(request))
    };
    for reason in ["took too long", "no longer needed", "the user pressed stop"] {
        let call = client
            .send_cancellable_request(slow(), PeerRequestOptions::no_options())
            .await
            .doing("calling check_website")?;
        wait_until_pending(&client).await?;
        call.cancel(Some(reason.to_owned())).await.doing("cancelling a call")?;
    }
    for _ in 0..2 {
        let call = client
            .send_cancellable_request(slow(), PeerRequestOptions::no_options())
            .await
            .doing("calling check_website")?;
        tokio::spawn(call.await_response());
    }
    wait_until_pending(&client).await?;
    Ok(client)
}

/// A request that is answered after those before it have reached the server.
async fn wait_until_pending(client: &Client) -> Result<(), Failure> {
    let arguments = object(json!({"text": "One more while another call is waiting."}));
    let request = CallToolRequestParams::new("text_statistics").with_arguments(arguments);
    client.call_tool(request).await.doing("calling text_statistics").map(drop)
}

/// What is called, with what.
fn calls(base: &str) -> Vec<(&'static str, Map<String, Value>)> {
    let texts = [
        "The quick brown fox jumps over the lazy dog. The dog does not mind.",
        "流程的历史。每次运行都有记录。",
        "To be, or not to be: that is the question!",
        "Ein Satz. Noch ein Satz? Und noch einer!",
    ];
    let mut calls = Vec::new();
    for round in 0..6u32 {
        let order = format!("A-{}", 1040 + round);
        let items = json!([
            {"name": "notebook", "price": 3.5, "quantity": round + 1},
            {"name": "pen", "price": 1.2, "quantity": 2},
            {"name": "lamp", "price": 24.9, "quantity": round % 3},
        ]);
        calls.push(("order_summary", json!({"orderId": order, "items": items, "customer": "Ana"})));
        calls.push(("text_statistics", json!({"text": texts[round as usize % texts.len()]})));
        calls.push((
            "split_bill",
            json!({"paid": {"Ana": 30 + round, "Ben": 12, "Chris": f64::from(round) * 2.5}, "currency": "EUR"}),
        ));
        calls.push(("check_website", json!({"url": format!("{base}/healthz")})));
        if round % 2 == 0 {
            calls.push(("order_report", json!({"orderId": order, "items": items})));
        }
    }
    // What goes wrong in real life.
    calls.push(("order_summary", json!({"orderId": "A-1046", "items": []})));
    calls.push(("order_summary", json!({"orderId": "A-1047", "items": [{"name": "mystery box"}]})));
    calls.push(("order_report", json!({"orderId": "A-1048", "items": []})));
    calls.push(("split_bill", json!({"paid": {"Ana": 30}})));
    calls.push(("split_bill", json!({"paid": {"Ana": 30, "Ben": -5}})));
    calls.push(("check_website", json!({"url": format!("{base}/no-such-page")})));
    calls.into_iter().map(|(tool, arguments)| (tool, object(arguments))).collect()
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
