//! Requests that are almost right: valid ones with bytes changed, cut, doubled and put together from others. The seeds are fixed.

use std::time::{Duration, Instant};

use flowtrail_testkit::http_client;
use serde_json::json;

use super::target::{BESIDE, BUDGET, Target, p99};
use super::{Chance, Outcome, Scale, mib};

/// A valid request: method, path, content type, body.
type Seed = (&'static str, String, &'static str, Vec<u8>);

const JSON: &str = "application/json";

fn seeds(flow: &str) -> Vec<Seed> {
    let report = json!({"flowId": flow, "status": "fulfilled", "startedAt": "2026-01-06T12:00:00.123Z", "duration": 12.5,
        "initialParams": {"a": [1, 2.5, null, "ü\u{1f980}"]}, "outputs": {"b": 1e300}, "tags": {"shop": "north"},
        "nodeExecutions": [{"seq": 1, "nodeId": "n", "nodeType": "http", "status": "completed", "inputData": {}, "outputData": [1]}]});
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "arguments": {"message": "hello"},
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "progressToken": 7}}});
    let initialize = json!({"jsonrpc": "2.0", "id": "a", "method": "initialize", "params": {"protocolVersion": "2025-11-25",
        "capabilities": {}, "clientInfo": {"name": "attack", "version": "1"}}});
    let made = json!({"name": "Made", "nodes": [{"id": "ask", "type": "UserIntent", "parameters": {"parameters": [{"name": "q", "type": "string"}]}},
        {"id": "shape", "type": "Transform", "parameters": {"code": "return {n: input.q.length}"}},
        {"id": "say", "type": "Return", "parameters": {"text": "{{ shape.n | default(0) }} {% if ask.q %}x{% endif %}"}}],
        "connections": [{"sourceNodeId": "ask", "targetNodeId": "shape"}, {"sourceNodeId": "shape", "targetNodeId": "say"}]});
    let file = json!({"flows": [made]});
    let lines = format!("{report}\n{report}\n\n{report}\n");
    let query = "q=a&status=error&from=2026-01-01T00:00:00Z&to=2026-12-31&minDuration=1&maxDuration=9000&tag=shop:north&sort=-duration\
                 &page=2&limit=10&source=api&after=AAEC";
    let bytes = |value: &serde_json::Value| value.to_string().into_bytes();
    vec![
        ("POST", format!("/api/flows/{flow}/executions"), JSON, bytes(&report)),
        ("POST", "/api/executions/batch".to_owned(), "application/x-ndjson", lines.clone().into_bytes()),
        ("POST", "/api/executions/import".to_owned(), "application/x-ndjson", lines.into_bytes()),
        ("POST", "/mcp".to_owned(), JSON, bytes(&call)),
        ("POST", "/mcp".to_owned(), JSON, bytes(&initialize)),
        ("POST", "/api/flows".to_owned(), JSON, bytes(&made)),
        ("POST", "/api/flows/import".to_owned(), JSON, bytes(&file)),
        ("GET", format!("/api/executions?{query}"), JSON, Vec::new()),
        ("GET", format!("/api/flows/{flow}/executions/export?format=csv&{query}"), JSON, Vec::new()),
        ("GET", format!("/api/executions/timeseries?{query}&step=hour"), JSON, Vec::new()),
    ]
}

/// Bytes that mean something to one of the readers.
const TOKENS: [&[u8]; 16] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"-0",
    b"1e999",
    b"99999999999999999999",
    b"\n",
    b"\r\n\r\n",
    b"\xef\xbb\xbf",
    b"\xff",
    b"{{ secrets.A }}",
];

fn mutate(bytes: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    for _ in 0..=chance.below(4) {
        let place = |chance: &mut Chance, length: usize| chance.below(length as u64 + 1) as usize;
        let at = place(chance, bytes.len());
        match chance.below(7) {
            0 if at < bytes.len() => bytes[at] = chance.below(256) as u8,
            1 => drop(bytes.splice(at..at, TOKENS[chance.below(16) as usize].iter().copied())),
            2 => bytes.truncate(at),
            3 => {
                let end = (at + place(chance, 20)).min(bytes.len());
                drop(bytes.drain(at..end));
            }
            4 => {
                let end = (at + place(chance, 200)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = place(chance, bytes.len());
                drop(bytes.splice(to..to, piece));
            }
            5 => {
                let from = place(chance, other.len());
                drop(bytes.splice(at.., other[from..].iter().copied()));
            }
            _ => drop(bytes.splice(at..at, std::iter::repeat_n(b'[', place(chance, 3_000)))),
        }
    }
}

/// A path with what cannot stand in one escaped.
fn as_path(bytes: &[u8]) -> String {
    let mut path = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(byte) {
            path.push(char::from(*byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

/// Sends them one after the other.
#[expect(clippy::print_stderr, reason = "the request that went wrong is what one wants to see")]
pub(crate) async fn almost_right(target: &Target, scale: Scale) -> Vec<Outcome> {
    let flow =
        target.rest.post("/api/flows", &json!({"name": "Elsewhere", "kind": "external"})).await.expect(201);
    let seeds = seeds(flow["id"].as_str().expect("an id"));
    let client = http_client();
    let mut chance = Chance(7);
    let before = target.resident();
    let (mut sent, mut times, mut wrong) = (0, Vec::new(), Vec::new());
    for _ in 0..scale.garbage {
        let (method, path, kind, body) = &seeds[chance.below(seeds.len() as u64) as usize];
        let (_, other_path, _, other_body) = &seeds[chance.below(seeds.len() as u64) as usize];
        let (mut path, mut body) = (path.clone(), body.clone());
        if body.is_empty() {
            // What stands before the question mark leads to the reader that is meant.
            let (place, query) = path.split_once('?').expect("a query");
            let mut query = query.as_bytes().to_vec();
            mutate(&mut query, other_path.as_bytes(), &mut chance);
            path = format!("{place}?{}", as_path(&query));
        } else {
            mutate(&mut body, other_body, &mut chance);
        }
        let method = method.parse().expect("a method");
        let request = client.request(method, format!("{}{path}", target.process.base()));
        let request = request.bearer_auth(target.process.key()).header("content-type", *kind);
        let request = request.header("accept", "application/json, text/event-stream").body(body.clone());
        let begun = Instant::now();
        let answer = request.timeout(Duration::from_secs(15)).send().await;
        times.push(begun.elapsed());
        sent += 1;
        match answer {
            Ok(answer) if answer.status().as_u16() < 500 => drop(answer.bytes().await),
            Ok(answer) => {
                wrong.push(format!("{path} → {}: {}", answer.status(), String::from_utf8_lossy(&body)));
            }
            Err(error) if error.is_builder() => {}
            Err(error) => wrong.push(format!("{path} → {error}: {}", String::from_utf8_lossy(&body))),
        }
    }
    if let Some(first) = wrong.first() {
        eprintln!("the first that went wrong: {first}");
    }
    let most = target.resident();
    vec![
        Outcome::new(
            "requests that are almost right: JSON-RPC, NDJSON, flow files, reports, queries",
            format!(
                "{sent} sent, {} answered with 5xx or not at all, p99 {:.1} ms",
                wrong.len(),
                p99(times).as_secs_f64() * 1_000.0
            ),
            "none",
            wrong.is_empty(),
        ),
        Outcome::new(
            "resident memory after them",
            format!("{} → {}", mib(before), mib(most)),
            mib(BUDGET + BESIDE),
            most <= BUDGET + BESIDE,
        ),
    ]
}
