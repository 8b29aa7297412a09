//! Calls that are answered without the SDK: nobody can tell them from those that it answers.

use flowtrail_testkit::TestServer;
use serde_json::{Value, json};

/// What is sent: a call as most of them come, or one that says something more of itself, which is the SDK's to understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    Sdk,
}

async fn call(server: &TestServer, way: Way, tool: &str, arguments: &Value) -> (u16, String, Value) {
    let mut about = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    });
    if way == Way::Sdk {
        about["example.com/more"] = json!(true);
    }
    let params = json!({"name": tool, "arguments": arguments, "_meta": about});
    let body = json!({"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": params});
    let request = flowtrail_testkit::http_client()
        .post(format!("{}/mcp", server.base()))
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool)
        .bearer_auth(server.key());
    let answer = request.body(body.to_string()).send().await.unwrap();
    let status = answer.status().as_u16();
    let mut headers: Vec<String> = answer
        .headers()
        .iter()
        .filter(|(name, _)| {
            !["access-control-expose-headers", "content-length", "date", "transfer-encoding", "x-request-id"]
                .contains(&name.as_str())
        })
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    (status, headers.join("\n"), answer.json().await.unwrap())
}

/// The execution that an answer names, if one does; its name is taken out of the answer.
async fn execution(server: &TestServer, answer: &mut Value) -> Option<Value> {
    let id = answer.pointer_mut("/result/_meta/flowtrail~1executionId")?.take();
    let execution = server.execution(id.as_str().unwrap()).await;
    let nodes: Vec<Value> = execution["nodeExecutions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| {
            json!([node["seq"], node["nodeId"], node["status"], node["inputData"], node["outputData"]])
        })
        .collect();
    Some(json!({
        "nodes": nodes,
        "flowName": execution["flowName"],
        "status": execution["status"],
        "source": execution["source"],
        "userName": execution["userName"],
        "initialParams": execution["initialParams"],
        "outputs": execution["outputs"],
        "meta": execution["meta"],
    }))
}

#[tokio::test]
async fn are_answered_and_recorded_as_the_sdk_would_have_it() {
    let server = TestServer::start().await;
    server.create(&flowtrail_testkit::flow("Echo").text("message").returns("{{ ask.message }}")).await;
    for file in [
        json!({"name": "Count", "toolName": "count", "description": "Counts", "nodes": [
            {"id": "ask", "type": "UserIntent", "parameters": {"parameters": []}},
            {"id": "turn", "type": "Transform", "parameters": {"code": "return { n: 1, list: [1, 'é', null] }"}},
            {"id": "say", "type": "Return", "parameters": {"json": "{{ turn }}"}},
        ], "connections": [
            {"sourceNodeId": "ask", "targetNodeId": "turn"}, {"sourceNodeId": "turn", "targetNodeId": "say"},
        ]}),
        json!({"name": "Fails", "toolName": "fails", "description": "Fails", "nodes": [
            {"id": "ask", "type": "UserIntent", "parameters": {"parameters": []}},
            {"id": "turn", "type": "Transform", "parameters": {"code": "throw new Error('no')"}},
        ], "connections": [{"sourceNodeId": "ask", "targetNodeId": "turn"}]}),
    ] {
        server.rest().post("/api/flows", &file).await.expect(201);
    }
    let calls = [
        ("echo", json!({"message": "Grüße, 世界 \u{0} 🚀 \u{2028}"})),
        ("count", json!({})),
        ("fails", json!({})),
        ("echo", json!({})),
        ("echo", json!({"message": 7, "more": 1})),
        ("no_such_tool", json!({})),
        ("flowtrail_list_executions", json!({"status": "aborted"})),
    ];
    for (tool, arguments) in calls {
        let (mut plain, mut sdk) = (
            call(&server, Way::Plain, tool, &arguments).await,
            call(&server, Way::Sdk, tool, &arguments).await,
        );
        let recorded = (execution(&server, &mut plain.2).await, execution(&server, &mut sdk.2).await);
        assert_eq!(plain, sdk, "{tool} {arguments}");
        assert_eq!(recorded.0, recorded.1, "{tool} {arguments}");
    }
    let all = server.rest().get("/api/executions").await.expect(200);
    assert_eq!(all["total"], 6, "what is refused is not recorded by either");
}

#[tokio::test]
async fn whoever_hangs_up_stops_what_they_called() {
    let server = TestServer::start().await;
    let file = json!({"name": "Slow", "toolName": "slow", "description": "Is slow", "nodes": [
        {"id": "ask", "type": "UserIntent", "parameters": {"parameters": []}},
        {"id": "turn", "type": "Transform", "parameters": {"code": "while (true) {}"}},
    ], "connections": [{"sourceNodeId": "ask", "targetNodeId": "turn"}]});
    server.rest().post("/api/flows", &file).await.expect(201);
    let statuses = async || -> Vec<String> {
        let all = server.rest().get("/api/executions").await.expect(200);
        let statuses = all["items"].as_array().unwrap().iter();
        statuses.map(|one| one["status"].as_str().unwrap().to_owned()).collect()
    };
    let mut look = tokio::time::interval(std::time::Duration::from_millis(5));
    let until = async |wanted: &str, look: &mut tokio::time::Interval| {
        while statuses().await != [wanted] {
            look.tick().await;
        }
    };
    let nothing = json!({});
    tokio::select! {
        answer = call(&server, Way::Plain, "slow", &nothing) => panic!("it was answered: {answer:?}"),
        () = until("pending", &mut look) => {}
    }
    until("aborted", &mut look).await;
}

#[tokio::test]
async fn are_recorded_once_when_they_are_rejected() {
    let server =
        TestServer::builder().settings(|settings| settings.record_rejected = Some(true)).start().await;
    server.create(&flowtrail_testkit::flow("Echo").text("message").returns("{{ ask.message }}")).await;
    for (tool, arguments) in [("echo", json!({})), ("no_such_tool", json!({"a": 1}))] {
        for way in [Way::Plain, Way::Sdk] {
            call(&server, way, tool, &arguments).await;
        }
    }
    let all = server.rest().get("/api/executions").await.expect(200);
    let ids = all["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap());
    let mut recorded = Vec::new();
    for id in ids {
        let execution = server.execution(id).await;
        let fields = ["flowName", "status", "source", "userName", "initialParams", "meta", "errorInfo"];
        recorded.push(fields.map(|field| execution[field].clone()));
    }
    assert_eq!(recorded.len(), 4);
    assert_eq!((&recorded[0], &recorded[2]), (&recorded[1], &recorded[3]), "nobody can tell them apart");
    assert_eq!(server.rest().get("/api/executions/stats").await.expect(200)["rejected"], 4);
}
