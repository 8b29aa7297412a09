//! A trace goes through: from the request into the record, and from there to whatever a flow calls.

use std::collections::BTreeMap;

use flowtrail_testkit::{ScriptedServer, flow, http_client};
use serde_json::{Value, json};

use super::World;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Posts a message to `/mcp` with these headers, and gives the status and the answer.
async fn post(world: &World, headers: &[(&str, &str)], message: &Value) -> (u16, Value) {
    let url = format!("{}/mcp", world.server.base());
    let mut request = http_client()
        .post(url)
        .bearer_auth(world.server.key())
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", message["method"].as_str().unwrap_or_default());
    if let Some(name) = message["params"]["name"].as_str() {
        request = request.header("mcp-name", name);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.body(message.to_string()).send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn call(id: Value, tool: &str, trace: Value) -> Value {
    let mut meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    meta.as_object_mut().unwrap().extend(trace.as_object().unwrap().clone());
    let params = json!({"name": tool, "arguments": {}, "_meta": meta});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
}

const BOTH: (&str, &str) = ("accept", "application/json, text/event-stream");

#[tokio::test]
async fn a_trace_is_recorded_and_passed_on_to_tools_and_apis() {
    let far = ScriptedServer::start(|_| None);
    let world = World::start(&BTreeMap::from([("far", format!("url = {:?}", far.url()))]));
    let request = json!({"method": "POST", "url": far.url(), "body": {"method": "api", "id": 1}});
    let inner = flow("Inner").node("api", "ApiCall", request).returns("x");
    world.server.rest().post("/api/flows", &inner.build()).await.expect(201);
    let outer = flow("Outer")
        .node("tool", "McpTool", json!({"upstream": "far", "tool": "call"}))
        .node("inner", "CallFlow", json!({"toolName": "inner"}))
        .returns("x");
    world.server.rest().post("/api/flows", &outer.build()).await.expect(201);
    let state = [BOTH, ("traceparent", PARENT), ("tracestate", "a=b"), ("baggage", "user=7")];
    let said = json!({"traceparent": PARENT, "tracestate": "a=b", "baggage": "user=7"});
    for (id, headers, meta) in [
        (json!(7), &state[..], json!({})),
        (json!("7"), &state[..1], said.clone()),
        (json!("p"), &state[..1], {
            // Progress is told by the SDK: the same is recorded on that way.
            let mut said = said.clone();
            said["progressToken"] = json!(1);
            said
        }),
    ] {
        let (status, answer) = post(&world, headers, &call(id.clone(), "outer", meta)).await;
        assert_eq!(status, 200, "{answer}");
        let found = world.server.rest().get("/api/executions?source=mcp&limit=2").await.expect(200);
        for item in found["items"].as_array().unwrap() {
            let path = format!("/api/executions/{}", item["id"].as_str().unwrap());
            let execution = world.server.rest().get(&path).await.expect(200);
            for (name, value) in said.as_object().unwrap() {
                assert_eq!(&execution["meta"][name], value, "{name} of {execution}");
            }
            if item["flowName"] == "Outer" {
                assert_eq!(execution["meta"]["requestId"], id, "with its JSON type");
            }
        }
        let tool = far.heard("tools/call").pop().unwrap();
        let api = far.heard("api").pop().unwrap();
        for (name, value) in said.as_object().unwrap() {
            assert_eq!(&tool["params"]["_meta"][name], value, "{name} of the tool");
            assert_eq!(&api["headers"][name], value, "{name} of the API");
        }
    }
}

#[tokio::test]
async fn what_clients_accept_is_read_as_http_has_it_and_ids_as_json_rpc() {
    let world = World::start(&BTreeMap::new());
    world.server.rest().post("/api/flows", &flow("Echo").returns("x").build()).await.expect(201);
    for accept in ["*/*", "application/*, text/*;q=0.5", "text/html, */*;q=0.1"] {
        let (status, answer) = post(&world, &[("accept", accept)], &call(json!(1), "echo", json!({}))).await;
        assert_eq!((status, &answer["id"]), (200, &json!(1)), "{accept}: {answer}");
    }
    for id in [json!(null), json!(1.5), json!(true), json!([1]), json!({"a": 1})] {
        let (status, answer) = post(&world, &[BOTH], &call(id.clone(), "echo", json!({}))).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32600)), "{id}: {answer}");
    }
    let mut odd = call(json!(2), "echo", json!({}));
    odd["params"] = json!([1]);
    let (status, answer) = post(&world, &[BOTH], &odd).await;
    assert_eq!(
        (status, &answer["error"]["code"], &answer["id"]),
        (400, &json!(-32600), &json!(2)),
        "{answer}"
    );
}
