//! Calls that are rejected before they run, by every way in.

use flowtrail_testkit::{Era, TestServer, flow};
use serde_json::{Value, json};

async fn server() -> TestServer {
    let server =
        TestServer::builder().settings(|settings| settings.record_rejected = Some(true)).start().await;
    server.create(&flow("Echo").text("message").returns("{{ ask.message }}")).await;
    server
}

async fn echo_id(server: &TestServer) -> String {
    let flows = server.rest().get("/api/flows?q=echo").await.expect(200);
    flows["items"][0]["id"].as_str().unwrap().to_owned()
}

/// All executions in full, newest first.
async fn recorded(server: &TestServer) -> Vec<Value> {
    let page = server.rest().get("/api/executions?limit=100").await.expect(200);
    let mut recorded = Vec::new();
    for item in page["items"].as_array().unwrap() {
        recorded.push(server.execution(item["id"].as_str().unwrap()).await);
    }
    recorded
}

async fn figures(server: &TestServer) -> Value {
    server.rest().get("/api/executions/stats").await.expect(200)
}

#[track_caller]
fn assert_rejected(execution: &Value, source: &str, message: &str) {
    assert_eq!(execution["status"], "error");
    assert_eq!(execution["source"], source);
    assert_eq!(execution["errorInfo"]["kind"], "invalid_input");
    assert_eq!(execution["meta"]["rejected"], true);
    assert_eq!((&execution["nodeExecutions"], &execution["duration"]), (&json!([]), &json!(0)));
    let told = execution["errorInfo"]["message"].as_str().unwrap();
    assert!(told.contains(message), "{told}");
}

#[tokio::test]
async fn calls_over_mcp_are_recorded_once() {
    for era in Era::BOTH {
        let server = server().await;
        let client = server.mcp(era).await;
        assert!(!client.call("echo", json!({"message": "fine"})).await.is_error());
        assert!(client.call("echo", json!({"message": 7})).await.is_error());
        client.try_call("no_such_tool", json!({"a": 1})).await.unwrap_err();
        client.try_call("flowtrail_no_such_tool", json!({})).await.unwrap_err();
        let all = recorded(&server).await;
        assert_eq!(all.len(), 4, "{era:?}");
        for (found, tool) in all[..2].iter().zip(["flowtrail_no_such_tool", "no_such_tool"]) {
            assert_rejected(found, "mcp", &format!("Unknown tool: {tool}"));
            assert_eq!((&found["flowId"], &found["flowName"]), (&Value::Null, &json!("(unknown tool)")));
            assert_eq!(found["meta"]["tool"], tool);
            assert_eq!(found["meta"]["client"]["name"], "flowtrail-testkit", "{era:?}");
        }
        assert_eq!(all[1]["initialParams"], json!({"a": 1}));
        assert_rejected(&all[2], "mcp", "message: expected string, got the number 7");
        assert_eq!((&all[2]["flowName"], &all[2]["initialParams"]), (&json!("Echo"), &json!({"message": 7})));
        assert_eq!((&all[3]["status"], &all[3]["meta"]["rejected"]), (&json!("fulfilled"), &Value::Null));
        let figures = figures(&server).await;
        assert_eq!(
            json!([figures["total"], figures["error"], figures["rejected"], figures["successRate"]]),
            json!([1, 0, 3, 1.0])
        );
    }
}

#[tokio::test]
async fn calls_over_rest_and_replays_are_recorded() {
    let server = server().await;
    let (rest, id) = (server.rest(), echo_id(&server).await);
    let run = format!("/api/flows/{id}/run");
    rest.post(&run, &json!({"params": {}})).await.expect_error(400, "invalid_arguments");
    rest.post(&format!("{run}?wait=false"), &json!({"params": {"message": "a", "more": 1}}))
        .await
        .expect_error(400, "invalid_arguments");
    let fine = rest.post(&run, &json!({"params": {"message": "a"}})).await.expect(200);
    rest.patch(&format!("/api/flows/{id}"), &json!({"active": false})).await.expect(200);
    rest.post(&run, &json!({"params": {"message": "b"}})).await.expect_error(409, "flow_inactive");
    let replay = format!("/api/executions/{}/replay", fine["id"].as_str().unwrap());
    rest.post(&replay, &json!({})).await.expect_error(409, "flow_inactive");
    let all = recorded(&server).await;
    assert_eq!(all.len(), 5);
    assert_rejected(&all[0], "replay", "the flow is not active");
    assert_eq!(all[0]["replayOf"], fine["id"]);
    assert_rejected(&all[1], "api", "the flow is not active");
    assert_rejected(&all[3], "api", "more: is no parameter of this flow");
    assert_rejected(&all[4], "api", "message: is missing");
    let of_flow = rest.get(&format!("/api/flows/{id}/executions/stats")).await.expect(200);
    assert_eq!((&of_flow["total"], &of_flow["rejected"]), (&json!(1), &json!(4)));
    let shown = rest.get("/api/flows").await.expect(200);
    let shown = &shown["items"][0];
    assert_eq!((&shown["runsLastDay"], &shown["successRate"]), (&json!(1), &json!(1.0)));
    let series = rest.get("/api/executions/timeseries?step=day").await.expect(200);
    assert_eq!((&series["points"][0]["total"], &series["points"][0]["rejected"]), (&json!(1), &json!(4)));
    let metrics = rest.get("/metrics").await.expect(200);
    let metrics = metrics.as_str().unwrap();
    assert!(metrics.contains("flowtrail_rejected_calls_total 4"), "{metrics}");
}

#[tokio::test]
async fn a_flood_is_counted_and_not_recorded() {
    let server = server().await;
    let client = server.mcp(Era::Stateless).await;
    let begun = std::time::Instant::now();
    let calls = (0..40).map(|_| client.try_call("no_such_tool", json!({})));
    let answers = futures_util::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_err));
    let listed = recorded(&server).await.len();
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap();
    assert!((10..=10 + seconds * 10).contains(&listed), "{listed} in {seconds} s");
    assert_eq!(figures(&server).await["rejected"], 40, "none is lost");
}

#[tokio::test]
async fn what_a_flow_calls_is_no_rejected_call() {
    let server = server().await;
    let calls = flow("Calls").node("call", "CallFlow", json!({"toolName": "echo", "params": {"message": 7}}));
    server.create(&calls).await;
    let client = server.mcp(Era::Stateless).await;
    assert!(client.call("calls", json!({})).await.is_error());
    let all = recorded(&server).await;
    assert_eq!((all.len(), &all[0]["meta"]["rejected"]), (1, &Value::Null));
    assert_eq!(
        (&figures(&server).await["error"], &figures(&server).await["rejected"]),
        (&json!(1), &json!(0))
    );
}

#[tokio::test]
async fn an_export_restores_them_as_rejected() {
    let from = server().await;
    let client = from.mcp(Era::Stateless).await;
    client.try_call("no_such_tool", json!({})).await.unwrap_err();
    assert!(client.call("echo", json!({})).await.is_error());
    let export = from.rest().get("/api/executions/export").await.expect(200);
    let to = TestServer::start().await;
    let told =
        to.rest().post_bytes("/api/executions/import", export.as_str().unwrap().into()).await.expect(200);
    assert_eq!(told.as_str().unwrap().matches("\"created\"").count(), 2, "{told}");
    let figures = figures(&to).await;
    assert_eq!((&figures["total"], &figures["rejected"]), (&json!(0), &json!(2)));
    // What was imported first does not decide who sees what comes later.
    let settings = |settings: &mut flowtrail::Settings| settings.record_rejected = Some(true);
    let second = TestServer::builder().settings(settings).start().await;
    second.rest().post_bytes("/api/executions/import", export.as_str().unwrap().into()).await.expect(200);
    let ben = second.user("ben").await;
    let client = flowtrail_testkit::McpClient::over_http(second.base(), &ben.key, Era::Stateless).await;
    client.try_call("no_such_tool", json!({})).await.unwrap_err();
    assert_eq!(ben.rest.get("/api/executions").await.expect(200)["total"], 1, "their own");
    assert_eq!(second.rest().get("/api/executions").await.expect(200)["total"], 3);
    // A report may say of itself what it likes.
    let external = json!({"kind": "external", "name": "Elsewhere"});
    let made = to.rest().post("/api/flows", &external).await.expect(201);
    let report = json!({"status": "error", "meta": {"rejected": true},
        "errorInfo": {"message": "no", "kind": "invalid_input"}});
    let path = format!("/api/flows/{}/executions", made["id"].as_str().unwrap());
    to.rest().post(&path, &report).await.expect(201);
    let stopped = json!({"status": "aborted", "meta": {"rejected": true},
        "errorInfo": {"message": "no", "kind": "invalid_input"}});
    to.rest().post(&path, &stopped).await.expect(201);
    let figures = to.rest().get("/api/executions/stats").await.expect(200);
    assert_eq!(
        (&figures["total"], &figures["error"], &figures["rejected"]),
        (&json!(2), &json!(1), &json!(2))
    );
    let exported = to.rest().get("/api/executions/export?status=aborted").await.expect(200);
    let third = TestServer::start().await;
    third.rest().post_bytes("/api/executions/import", exported.to_string().into()).await.expect(200);
    let figures = third.rest().get("/api/executions/stats").await.expect(200);
    assert_eq!((&figures["aborted"], &figures["rejected"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn nothing_is_recorded_by_default() {
    let server = TestServer::start().await;
    server.create(&flow("Echo").text("message").returns("{{ ask.message }}")).await;
    let client = server.mcp(Era::Session).await;
    client.try_call("no_such_tool", json!({})).await.unwrap_err();
    assert!(client.call("echo", json!({})).await.is_error());
    let figures = figures(&server).await;
    assert_eq!((&figures["total"], &figures["rejected"]), (&json!(0), &json!(0)));
}
