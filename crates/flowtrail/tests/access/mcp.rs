//! Every method of MCP against every kind of caller.

use serde_json::{Value, json};

use crate::kind::{KNOWN, Kind, WITHOUT_RIGHTS};
use crate::world::World;

/// The methods of both eras of MCP, and one of nobody's. What the server answers is the same for everybody who may ask at
/// all, but for tools.
const METHODS: &[&str] = &[
    "ping",
    "server/discover",
    "tools/list",
    "tools/call",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "resources/subscribe",
    "resources/unsubscribe",
    "completion/complete",
    "logging/setLevel",
    "tasks/get",
    "tasks/cancel",
    "flowtrail/nothing",
];

impl World {
    async fn ask_mcp(&self, kind: Kind, method: &str) -> (u16, Value) {
        let params = match method {
            "tools/call" => {
                let tool = if kind == Kind::Public { "hello_all" } else { "hello" };
                json!({"name": tool, "arguments": {"name": "x"}})
            }
            _ => json!({}),
        };
        self.ask_mcp_with(kind, method, params).await
    }

    async fn ask_mcp_with(&self, kind: Kind, method: &str, mut params: Value) -> (u16, Value) {
        let version = "2026-07-28";
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let mut request = self
            .client
            .post(format!("{}/mcp", self.server.base()))
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", version)
            .header("mcp-method", method);
        if let Some(name) = params["name"].as_str().or(params["uri"].as_str()) {
            request = request.header("mcp-name", name);
        }
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = self.proven(kind, request).body(body.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).rfind(|data| !data.is_empty());
        (status, serde_json::from_str(data.unwrap_or(&text)).unwrap_or(Value::String(text)))
    }
}

#[tokio::test]
async fn every_mcp_method_answers_every_kind_of_caller_as_it_must() {
    let world = World::new().await;
    for method in METHODS {
        let mut everybodys = None;
        for kind in WITHOUT_RIGHTS {
            let (status, body) = world.ask_mcp(kind, method).await;
            assert_eq!((status, &body["code"]), (401, &json!("unauthenticated")), "{method} by {kind:?}");
        }
        // A page of another site can make a browser send the cookie, and nothing happens.
        let (status, body) = world.ask_mcp(Kind::Cookie, method).await;
        assert_eq!((status, &body["code"]), (403, &json!("csrf")), "{method} by cookie");
        for kind in KNOWN.into_iter().filter(|kind| *kind != Kind::Cookie) {
            let (status, body) = world.ask_mcp(kind, method).await;
            let told = format!("{method} by {kind:?}: {status} {body:#}");
            let may_call = !matches!(kind, Kind::Stranger | Kind::Page);
            match *method {
                "tools/list" => {
                    let tools: Vec<&str> = body["result"]["tools"]
                        .as_array()
                        .unwrap_or_else(|| panic!("{told}"))
                        .iter()
                        .map(|tool| tool["name"].as_str().unwrap())
                        // Everybody may ask for history; what they are told is theirs.
                        .filter(|name| !name.starts_with("flowtrail_"))
                        .collect();
                    let expected: &[&str] = match kind {
                        Kind::Page => &[],
                        // What is public may be called by all who have a key.
                        Kind::Stranger | Kind::Public => &["hello_all"],
                        _ => &["hello", "hello_all"],
                    };
                    assert_eq!(tools, expected, "{told}");
                }
                "tools/call" if may_call => {
                    assert_eq!(body["result"]["content"][0]["text"], "x", "{told}");
                }
                // To who may not call it there is no such tool.
                "tools/call" => assert_eq!(body["error"]["code"], -32602, "{told}"),
                "resources/list" => {
                    let shown = body["result"]["resources"].to_string();
                    let is_seen = shown.contains(&world.execution);
                    assert_eq!(is_seen, !matches!(kind, Kind::Stranger | Kind::Public), "{told}");
                }
                _ => {
                    assert!(body["result"].is_object() || body["error"]["code"].is_i64(), "{told}");
                    let first = everybodys.get_or_insert_with(|| body.clone());
                    assert_eq!(first, &body, "{told}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_history_that_agents_are_told_is_theirs() {
    let world = World::new().await;
    let of = |name: &str, arguments: Value| json!({"name": name, "arguments": arguments});
    for kind in KNOWN.into_iter().filter(|kind| *kind != Kind::Cookie) {
        let sees = !matches!(kind, Kind::Stranger | Kind::Public);
        let get = of("flowtrail_get_execution", json!({"executionId": world.execution}));
        let (_, got) = world.ask_mcp_with(kind, "tools/call", get).await;
        assert_eq!(got["result"]["isError"] != json!(true), sees, "{kind:?}: {got:#}");
        let list = of("flowtrail_list_executions", json!({}));
        let (_, listed) = world.ask_mcp_with(kind, "tools/call", list).await;
        assert_eq!(listed.to_string().contains(&world.execution), sees, "{kind:?}: {listed:#}");
        let stats = of("flowtrail_get_stats", json!({"flow": world.flow}));
        let (_, told) = world.ask_mcp_with(kind, "tools/call", stats).await;
        assert_eq!(told["result"]["structuredContent"]["total"].is_u64(), sees, "{kind:?}: {told:#}");
        let uri = json!({"uri": format!("flowtrail://executions/{}", world.execution)});
        let (_, read) = world.ask_mcp_with(kind, "resources/read", uri).await;
        assert_eq!(read["result"].is_object(), sees, "{kind:?}: {read:#}");
        assert_eq!(read["error"]["code"] == json!(-32602), !sees, "{kind:?}: {read:#}");
    }
}
