//! Numbers and text come back as they were sent, by whatever way they came.

use flowtrail_testkit::{TestServer, flow};
use serde_json::{Value, json};

/// Numbers that serde_json or a double would change.
const NUMBERS: &str = r#"{"n":1.10,"m":1e2,"big":115792089237316195423570985008687907853269984665640564039457584007913129639935,"x":1e400,"neg":-9223372036854775809,"z":-0,"just":18446744073709551617,"odd":9007199254740993,"long":123456789.123456789123}"#;

/// Half of a character, and what becomes of it.
const HALF: &str = r#"{"text":"cut \ud83d","\udc00":1}"#;
const REPLACED: &str = "{\"text\":\"cut \u{fffd}\",\"\u{fffd}\":1}";

async fn external(server: &TestServer) -> String {
    let made = server.rest().post("/api/flows", &json!({"kind": "external", "name": "Elsewhere"})).await;
    made.expect(201)["id"].as_str().unwrap().to_owned()
}

#[track_caller]
fn assert_sent(execution: &Value, fields: &[&str], expected: &str) {
    for field in fields {
        let found = execution.pointer(field).unwrap_or_else(|| panic!("no {field} in {execution:#}"));
        assert_eq!(found.to_string(), expected, "{field}");
    }
}

const PAYLOADS: [&str; 5] =
    ["/initialParams", "/outputs", "/meta", "/nodeExecutions/0/inputData", "/nodeExecutions/0/outputData"];

fn report(payload: &str) -> String {
    format!(
        r#"{{"status":"fulfilled","initialParams":{payload},"outputs":{payload},"meta":{payload},"nodeExecutions":[{{"nodeId":"a","inputData":{payload},"outputData":{payload}}}]}}"#
    )
}

#[tokio::test]
async fn reports_are_read_back_as_they_were_sent() {
    let server = TestServer::start().await;
    let (rest, flow) = (server.rest(), external(&server).await);
    let path = format!("/api/flows/{flow}/executions");
    for mark in ["", "\u{feff}"] {
        let body = format!("{mark}{}", report(NUMBERS)).into_bytes();
        let made = rest.post_bytes(&path, body).await.expect(201);
        let id = made["id"].as_str().unwrap();
        let node = rest.get(&format!("/api/executions/{id}/nodes/1")).await.expect(200);
        let own = rest.get(&format!("/api/executions/{id}?data=own")).await.expect(200);
        let whole = server.execution(id).await;
        assert_sent(&made, &PAYLOADS, NUMBERS);
        assert_sent(&whole, &PAYLOADS, NUMBERS);
        assert_sent(&own, &PAYLOADS[..3], NUMBERS);
        assert_sent(&node, &["/inputData", "/outputData"], NUMBERS);
        assert_eq!(whole["capture"], json!({}), "nothing was changed");
    }
    let halves = rest.post_bytes(&path, report(HALF).into_bytes()).await.expect(201);
    assert_sent(&halves, &PAYLOADS, REPLACED);
    for field in ["initialParams", "outputs", "meta"] {
        assert_eq!(halves["capture"][field]["replaced"], true, "{field}");
        assert_eq!(halves["capture"][field]["redacted"], false, "{field}");
    }
    assert_eq!(halves["nodeExecutions"][0]["capture"]["inputData"]["replaced"], true);

    // Step by step.
    let begin = format!(r#"{{"initialParams":{HALF}}}"#);
    let begun = rest.post_bytes(&path, begin.into_bytes()).await.expect(201);
    let id = begun["id"].as_str().unwrap();
    let node = format!(r#"[{{"seq":1,"nodeId":"a","outputData":{HALF},"inputData":{NUMBERS}}}]"#);
    rest.post_bytes(&format!("/api/executions/{id}/nodes"), node.into_bytes()).await.expect(200);
    let execution = server.execution(id).await;
    let node = &execution["nodeExecutions"][0];
    assert_eq!(
        (&node["capture"]["outputData"]["replaced"], &node["capture"]["inputData"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(node["inputData"].to_string(), NUMBERS);
}

#[tokio::test]
async fn batches_and_exports_keep_them() {
    let from = TestServer::start().await;
    let id = "6f1c1d44-0000-4000-8000-000000000001";
    let external = json!({"id": id, "kind": "external", "name": "Elsewhere"});
    from.rest().post("/api/flows", &external).await.expect(201);
    let line = |payload: &str| report(payload).replacen('{', &format!(r#"{{"flowId":"{id}","#), 1);
    let lines = format!("\u{feff}{}\r\n{}\r\n", line(NUMBERS), line(HALF));
    let outcomes = from.rest().post_bytes("/api/executions/batch", lines.into_bytes()).await.expect(200);
    assert_eq!(outcomes.as_str().unwrap().matches("\"created\"").count(), 2, "{outcomes}");
    let exported = from.rest().get("/api/executions/export?format=ndjson").await.expect(200);
    let exported = exported.as_str().unwrap().to_owned();
    assert_eq!(exported.matches(NUMBERS).count(), 5, "{exported}");
    assert_eq!(exported.matches(REPLACED).count(), 5, "{exported}");
    assert_eq!(exported.matches("\"replaced\":true").count(), 5, "{exported}");

    let to = TestServer::start().await;
    to.rest().post("/api/flows", &external).await.expect(201);
    to.rest().post_bytes("/api/executions/batch", exported.into_bytes()).await.expect(200);
    let again = to.rest().get("/api/executions/export?format=ndjson").await.expect(200);
    assert_eq!(again.as_str().unwrap().matches(NUMBERS).count(), 5, "{again}");
}

#[tokio::test]
async fn the_dialect_of_open_webui_keeps_them() {
    let server = TestServer::start().await;
    let flow = "6f1c1d44-0000-4000-8000-000000000002";
    let path = format!("/api/v1/flows/{flow}/executions");
    for (sent, kept) in [(NUMBERS, NUMBERS), (HALF, REPLACED)] {
        let body = format!(
            r#"{{"status":"success","execution_time":1,"inputs":{sent},"outputs":{sent},"node_results":{{"a":{sent}}}}}"#
        );
        let made = server.rest().post_bytes(&path, body.into_bytes()).await.expect(200);
        assert_sent(&made, &["/inputs", "/outputs", "/node_results/a"], kept);
        let native = server.execution(made["id"].as_str().unwrap()).await;
        assert_eq!(native["capture"]["initialParams"]["replaced"] == true, sent == HALF, "{native:#}");
    }
}

/// Posts a call of the tool `echo` with these arguments, in a way that the SDK has to answer or not.
async fn call(server: &TestServer, arguments: &str, is_plain: bool, mark: &str) -> Value {
    let more = if is_plain { "" } else { r#","example.com/more":true"# };
    let about = format!(
        r#"{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{{"name":"raw","version":"1"}},"io.modelcontextprotocol/clientCapabilities":{{}}{more}}}"#
    );
    let body = format!(
        r#"{mark}{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{arguments},"_meta":{about}}}}}"#
    );
    let request = flowtrail_testkit::http_client()
        .post(format!("{}/mcp", server.base()))
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "echo")
        .bearer_auth(server.key());
    let answer = request.body(body).send().await.unwrap().text().await.unwrap();
    let data = answer.lines().filter_map(|line| line.strip_prefix("data: ")).rfind(|data| !data.is_empty());
    let answer: Value = serde_json::from_str(data.unwrap_or(&answer)).unwrap_or_else(|_| panic!("{answer}"));
    let id = answer.pointer("/result/_meta/flowtrail~1executionId").unwrap_or_else(|| panic!("{answer:#}"));
    server.execution(id.as_str().unwrap()).await
}

#[tokio::test]
async fn calls_over_mcp_keep_them() {
    let server = TestServer::start().await;
    let value = json!({"name": "value", "type": "object", "required": true});
    server.create(&flow("Echo").parameter(value).returns("{{ ask.value }}")).await;
    for is_plain in [true, false] {
        for (sent, kept) in [(NUMBERS, NUMBERS), (HALF, REPLACED)] {
            for mark in ["", "\u{feff}"] {
                let execution = call(&server, &format!(r#"{{"value":{sent}}}"#), is_plain, mark).await;
                assert_sent(&execution, &["/initialParams/value"], kept);
                let replaced = &execution["capture"]["initialParams"]["replaced"];
                assert_eq!(*replaced == true, sent == HALF, "plain: {is_plain}, {execution:#}");
            }
        }
        let magic = r#"{"$serde_json::private::Number":"7"}"#;
        let execution = call(&server, &format!(r#"{{"value":{magic}}}"#), is_plain, "").await;
        assert_sent(&execution, &["/initialParams/value"], magic);
    }
}

#[tokio::test]
async fn scripts_get_doubles_and_the_record_says_so() {
    let server = TestServer::start().await;
    let rest = server.rest();
    let value = json!({"name": "value", "type": "object", "required": true});
    let built =
        flow("Script").parameter(value).transform("double", "return {big: input.value.big, half: '\\ud83d'}");
    let made = server.create(&built.returns("{{ ask.value }}")).await;
    let run = format!("/api/flows/{}/run", made["id"].as_str().unwrap());
    let sent = r#"{"big":9007199254740993,"n":1.10}"#;
    let body = format!(r#"{{"params":{{"value":{sent}}}}}"#);
    let execution = rest.post_bytes(&run, body.into_bytes()).await.expect(200);
    let node = execution["nodeExecutions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|node| node["nodeId"] == "double")
        .unwrap();
    assert_eq!(node["inputData"]["value"].to_string(), sent, "all digits are kept");
    assert_eq!(node["capture"]["inputData"]["rounded"], true, "{node:#}");
    assert_eq!(node["capture"]["outputData"]["replaced"], true, "{node:#}");
    assert_eq!(node["outputData"], json!({"big": 9_007_199_254_740_992_u64, "half": "\u{fffd}"}));

    // It is run again as it was.
    let id = execution["id"].as_str().unwrap();
    let again = rest.post(&format!("/api/executions/{id}/replay"), &json!({})).await.expect(202);
    assert_eq!(again["initialParams"]["value"].to_string(), sent);

    let exact = rest.post(&run, &json!({"params": {"value": {"big": 2, "n": 0.1}}})).await.expect(200);
    let node =
        exact["nodeExecutions"].as_array().unwrap().iter().find(|node| node["nodeId"] == "double").unwrap();
    assert_eq!(node["capture"]["inputData"], Value::Null, "{node:#}");

    let body = r#"{"params":{"value":{"big":1,"items":[1,-1e400]}}}"#;
    let failed = rest.post_bytes(&run, body.as_bytes().to_vec()).await.expect(200);
    assert_eq!(failed["status"], "error");
    assert_eq!(failed["errorInfo"]["kind"], "invalid_input");
    let message = failed["errorInfo"]["message"].as_str().unwrap();
    assert!(message.contains("input.value.items[1]: -1e400 is larger"), "{message}");
}
