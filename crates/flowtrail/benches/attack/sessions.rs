//! Sessions that nobody comes back to.

use flowtrail_testkit::http_client;
use serde_json::json;

use super::target::{BESIDE, BUDGET, Target};
use super::{Outcome, Scale, mib};

/// Many `initialize` of one user.
pub(crate) async fn many(target: &Target, scale: Scale) -> Vec<Outcome> {
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "attack", "version": "1"}}});
    let client = http_client();
    let before = target.resident();
    let watch = target.watch();
    let mut first = None;
    for _ in 0..scale.sessions {
        let request = client.post(format!("{}/mcp", target.process.base())).bearer_auth(target.process.key());
        let request = request.header("accept", "application/json, text/event-stream").json(&initialize);
        let answer = request.send().await.expect("it answers");
        let session = answer.headers().get("mcp-session-id").cloned();
        first = first.or(session);
        let _ = answer.bytes().await;
    }
    let (_, most) = watch.end().await;
    let ping = json!({"jsonrpc": "2.0", "id": 2, "method": "ping"});
    let request = client.post(format!("{}/mcp", target.process.base())).bearer_auth(target.process.key());
    let request = request.header("accept", "application/json, text/event-stream").json(&ping);
    let status = match first {
        Some(first) => {
            request.header("mcp-session-id", first).send().await.expect("it answers").status().as_u16()
        }
        None => 0,
    };
    vec![
        Outcome::new(
            "the first of many sessions of a user",
            format!("status {status}"),
            "404: it has ended",
            status == 404,
        ),
        Outcome::new(
            "resident memory meanwhile",
            format!("{} → {}", mib(before), mib(most)),
            mib(before + BESIDE),
            most <= before + BESIDE && most <= BUDGET + BESIDE,
        ),
    ]
}
