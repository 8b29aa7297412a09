//! Other servers behind `/mcp/{upstream}`: who is let in, what is recorded whose, and what is refused. What passes is tried
//! with real servers and clients in `tests/mcp`.

use flowtrail_testkit::{Era, McpClient, Rest, TestServer};
use serde_json::{Value, json};

/// A server that stands before a Flowtrail of its own, which has a flow "echo".
struct World {
    behind: TestServer,
    server: TestServer,
    client: reqwest::Client,
}

async fn world() -> World {
    let behind = TestServer::start().await;
    let flow = flowtrail_testkit::flow("Echo").text("message").returns("{{ ask.message }}");
    behind.create(&flow).await;
    let settings =
        format!("url = \"{}/mcp\"\nheaders = {{Authorization = \"Bearer {}\"}}", behind.base(), behind.key());
    let url = toml::from_str(&settings).expect("settings of an upstream");
    let wrong = toml::from_str(&format!("url = \"{}/mcp\"", behind.base())).expect("settings");
    let gone = toml::from_str("url = \"http://127.0.0.1:9/mcp\"").expect("settings");
    let missing = toml::from_str("command = \"no-such-program\"").expect("settings");
    let server = TestServer::builder().settings(|settings| {
        settings.upstreams.insert("far".to_owned(), url);
        settings.upstreams.insert("wrong".to_owned(), wrong);
        settings.upstreams.insert("gone".to_owned(), gone);
        settings.upstreams.insert("missing".to_owned(), missing);
    });
    World { behind, server: server.start().await, client: flowtrail_testkit::http_client() }
}

impl World {
    async fn post(&self, name: &str, key: Option<&str>, body: &Value) -> (u16, Option<String>, Value) {
        let version = "2026-07-28";
        let mut request = self
            .client
            .post(format!("{}/mcp/{name}", self.server.base()))
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", version)
            .header("mcp-method", body["method"].as_str().unwrap_or("none"));
        if let Some(tool) = body["params"]["name"].as_str() {
            request = request.header("mcp-name", tool);
        }
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        let answer = request.body(body.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        let challenge = answer.headers().get("www-authenticate");
        let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
        let text = answer.text().await.unwrap();
        let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).rfind(|data| !data.is_empty());
        (status, challenge, serde_json::from_str(data.unwrap_or(&text)).unwrap_or(Value::String(text)))
    }
}

fn call(tool: &str, message: &str) -> Value {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    });
    let params = json!({"name": tool, "arguments": {"message": message}, "_meta": meta});
    json!({"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": params})
}

async fn executions(rest: &Rest) -> Vec<Value> {
    let page = rest.get("/api/executions?source=proxy").await.expect(200);
    page["items"].as_array().expect("items").clone()
}

/// Waits until so many have been recorded: that happens beside the traffic.
async fn recorded(rest: &Rest, count: usize) -> Vec<Value> {
    let mut look = tokio::time::interval(std::time::Duration::from_millis(10));
    for _ in 0..3_000 {
        look.tick().await;
        let found = executions(rest).await;
        if found.len() >= count && found.iter().all(|execution| execution["status"] != "pending") {
            return found;
        }
    }
    panic!("{count} calls were not recorded in time: {:#?}", executions(rest).await);
}

#[tokio::test]
async fn a_call_passes_and_is_its_callers() {
    let world = world().await;
    let (ann, bob) = (world.server.user("Ann").await, world.server.user("Bob").await);
    let (status, _, answer) = world.post("far", Some(&ann.key), &call("echo", "hello")).await;
    assert_eq!((status, &answer["result"]["content"][0]["text"]), (200, &json!("hello")), "{answer:#}");
    let found = recorded(&ann.rest, 1).await;
    let execution = world.server.execution(found[0]["id"].as_str().unwrap()).await;
    assert_eq!(execution["flowName"], "far.echo");
    assert_eq!(execution["userName"], "Ann");
    assert_eq!(execution["initialParams"], json!({"message": "hello"}));
    assert_eq!(execution["outputs"]["content"][0]["text"], "hello");
    assert_eq!(execution["meta"]["client"]["name"], "raw");
    assert_eq!(execution["meta"]["protocol"], "2026-07-28");
    assert_eq!(execution["meta"]["traceparent"], "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert!(executions(&bob.rest).await.is_empty(), "Bob may use the server and sees what is his");
    let behind = world.behind.rest().get("/api/executions").await.expect(200);
    assert_eq!(behind["items"][0]["userName"], "admin", "the key that was sent on is the configured one");
}

#[tokio::test]
async fn a_session_passes_too() {
    let world = world().await;
    for era in Era::BOTH {
        let base = world.server.base();
        let client = McpClient::at(&format!("{base}/mcp/far"), world.server.key(), era).await;
        assert_eq!(client.tool_names().await, ["echo"]);
        assert_eq!(client.call("echo", json!({"message": era.version()})).await.text(), era.version());
        client.close().await;
    }
    let found = recorded(world.server.rest(), 2).await;
    for (execution, era) in found.iter().rev().zip(Era::BOTH) {
        let execution = world.server.execution(execution["id"].as_str().unwrap()).await;
        assert_eq!(execution["meta"]["protocol"], era.version());
        assert_eq!(execution["meta"]["client"]["name"], "flowtrail-testkit");
        let is_in_session = execution["meta"]["session"].is_string();
        assert_eq!(is_in_session, era == Era::Session, "{:#}", execution["meta"]);
    }
    let flows = world.server.rest().get("/api/flows").await.expect(200);
    assert_eq!(
        (&flows["items"][0]["kind"], &flows["items"][0]["name"]),
        (&json!("upstream"), &json!("far.echo"))
    );
}

#[tokio::test]
async fn who_may_not_is_told_so_and_nothing_passes() {
    let world = world().await;
    let ann = world.server.user("Ann").await;
    // No key, or a bad one: and where one is sent.
    for (key, error) in [(None, ""), (Some("ft_bad"), ", error=\"invalid_token\"")] {
        let (status, challenge, _) = world.post("far", key, &call("echo", "x")).await;
        let metadata = format!("{}/.well-known/oauth-protected-resource/mcp/far", world.server.base());
        assert_eq!(
            (status, challenge),
            (401, Some(format!("Bearer resource_metadata=\"{metadata}\"{error}")))
        );
        let told: Value = world.client.get(&metadata).send().await.unwrap().json().await.unwrap();
        assert_eq!(told["resource"], format!("{}/mcp/far", world.server.base()));
        assert_eq!(told["bearer_methods_supported"], json!(["header"]));
    }
    // A page's token only reads.
    let made =
        world.server.rest().post("/api/flows", &json!({"name": "x", "kind": "external"})).await.expect(201);
    let wanted = json!({"flowIds": [made["id"]], "ttlSeconds": 60});
    let token = world.server.rest().post("/api/embed-tokens", &wanted).await.expect(201);
    let (status, _, _) = world.post("far", token["token"].as_str(), &call("echo", "x")).await;
    assert_eq!(status, 403);
    // A flow that is nobody else's: its tool is not either.
    world.post("far", Some(world.server.key()), &call("echo", "first")).await;
    let found = recorded(world.server.rest(), 1).await;
    let flow = format!("/api/flows/{}", found[0]["flowId"].as_str().unwrap());
    let private = json!({"access": {"read": [], "write": [], "public": false}});
    world.server.rest().patch(&flow, &private).await.expect(200);
    let (_, _, refused) = world.post("far", Some(&ann.key), &call("echo", "x")).await;
    assert_eq!(refused["error"]["code"], -32602, "{refused:#}");
    let behind = world.behind.rest().get("/api/executions").await.expect(200);
    assert_eq!(behind["total"], 1, "none of these has passed");
}

/// Posts a body as it stands, which `Value` could not say.
async fn post_raw(world: &World, body: &str) -> (u16, String) {
    let request = world
        .client
        .post(format!("{}/mcp/far", world.server.base()))
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "echo")
        .bearer_auth(world.server.key());
    let answer = request.body(body.to_owned()).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn what_two_readers_may_read_differently_is_not_passed_on() {
    let world = world().await;
    let plain = call("echo", "x").to_string();
    for odd in [
        plain.replacen(r#""method":"#, r#""method":"ping","METHOD":"#, 1),
        plain.replacen(r#""name":"echo""#, r#""name":"other","Name":"echo""#, 1),
        plain.replacen(r#""params":"#, r#""params":{},"params":"#, 1),
    ] {
        assert_ne!(odd, plain);
        let (status, answer) = post_raw(&world, &odd).await;
        assert_eq!(status, 400, "{answer}");
        assert!(answer.contains("-32600") && answer.contains("expected"), "{answer}");
    }
    let behind = world.behind.rest().get("/api/executions").await.expect(200);
    assert_eq!(behind["total"], 0, "none of these has passed");
}

#[tokio::test]
async fn half_a_character_is_replaced_and_marked() {
    let world = world().await;
    let (status, answer) =
        post_raw(&world, &call("echo", "cut: HALF").to_string().replace("HALF", "\\ud83d")).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("cut: \u{fffd}"), "{answer}");
    for server in [&world.server, &world.behind] {
        let page = server.rest().get("/api/executions").await.expect(200);
        let execution = server.execution(page["items"][0]["id"].as_str().unwrap()).await;
        assert_eq!(execution["initialParams"]["message"], "cut: \u{fffd}");
        assert_eq!(execution["capture"]["initialParams"]["replaced"], true, "{execution:#}");
    }
}

#[tokio::test]
async fn numbers_pass_and_are_recorded_as_they_were_sent() {
    let world = world().await;
    let numbers = r#"{"message":[1.10,1e2,1E400,-0,18446744073709551617]}"#;
    let call = call("echo", "HERE").to_string().replace(r#"{"message":"HERE"}"#, numbers);
    let (status, _) = post_raw(&world, &call).await;
    assert_eq!(status, 200);
    let found = recorded(world.server.rest(), 1).await;
    let execution = world.server.execution(found[0]["id"].as_str().unwrap()).await;
    assert_eq!(execution["initialParams"].to_string(), numbers);
    assert_eq!(execution["capture"], json!({}));
}

#[tokio::test]
async fn nobody_has_other_peoples_calls_recorded_into_a_flow_of_their_own() {
    let world = world().await;
    let mallory = world.server.user("Mallory").await;
    let squat = json!({"name": "x", "kind": "upstream", "toolName": "far.echo", "access": {"public": true}});
    let refused = mallory.rest.post("/api/flows", &squat).await.expect(400);
    assert!(refused["message"].as_str().unwrap().contains("kind"), "{refused:#}");
    // A runnable flow of the name may be theirs; the calls are recorded elsewhere.
    let own = flowtrail_testkit::flow("Own").field("toolName", json!("far.echo")).returns("mine").build();
    mallory.rest.post("/api/flows", &own).await.expect(201);
    world.post("far", Some(world.server.key()), &call("echo", "hello")).await;
    recorded(world.server.rest(), 1).await;
    assert!(executions(&mallory.rest).await.is_empty());
}

#[tokio::test]
async fn a_session_is_its_users_alone() {
    let world = world().await;
    let ann = world.server.user("Ann").await;
    let url = format!("{}/mcp/far", world.server.base());
    let begin = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}});
    let post = |key: &str, session: Option<&str>, body: &Value| {
        let mut request = world.client.post(&url).bearer_auth(key).header("content-type", "application/json");
        request = request.header("accept", "application/json, text/event-stream");
        if let Some(session) = session {
            request = request.header("mcp-session-id", session);
        }
        request.body(body.to_string()).send()
    };
    let answer = post(world.server.key(), None, &begin).await.unwrap();
    let session = answer.headers()["mcp-session-id"].to_str().unwrap().to_owned();
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
    assert_eq!(post(&ann.key, Some(&session), &list).await.unwrap().status(), 404);
    let ended =
        world.client.delete(&url).bearer_auth(&ann.key).header("mcp-session-id", &session).send().await;
    assert_eq!(ended.unwrap().status(), 404);
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert!(post(world.server.key(), Some(&session), &initialized).await.unwrap().status().is_success());
    assert!(post(world.server.key(), Some(&session), &list).await.unwrap().status().is_success());
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_an_error_with_its_name() {
    let world = world().await;
    let key = Some(world.server.key());
    for (name, status, said) in [
        ("gone", 502, "gone cannot be reached"),
        ("wrong", 502, "wrong answered 401 Unauthorized: its address or its headers in [upstreams.wrong]"),
        ("missing", 502, "cannot start no-such-program"),
    ] {
        let (got, _, body) = world.post(name, key, &call("echo", "x")).await;
        let message = body["error"]["message"].as_str().unwrap_or_default();
        assert_eq!((got, &body["id"]), (status, &json!("a")), "{body:#}");
        assert!(message.contains(said), "{message}");
    }
    let (status, _, body) = world.post("nobody", key, &call("echo", "x")).await;
    assert_eq!((status, &body["code"]), (404, &json!("not_found")));
}

#[tokio::test]
async fn hosts_origins_and_bodies_are_checked_before_anything_passes() {
    let world = world().await;
    let url = format!("{}/mcp/far", world.server.base());
    let post =
        || world.client.post(&url).bearer_auth(world.server.key()).header("content-type", "application/json");
    let body = call("echo", "x").to_string();
    for (name, value) in [("host", "evil.example"), ("origin", "https://evil.example")] {
        let refused = post().header(name, value).body(body.clone()).send().await.unwrap();
        assert_eq!(refused.status(), 403, "{name}");
    }
    let rubbish = post().body("{\"jsonrpc\":").send().await.unwrap();
    assert_eq!(rubbish.status(), 400);
    let refused: Value = rubbish.json().await.unwrap();
    assert_eq!(refused["error"]["code"], -32700);
    let put = world.client.put(&url).bearer_auth(world.server.key()).send().await.unwrap();
    assert_eq!(put.status(), 405);
    assert_eq!(world.behind.rest().get("/api/executions").await.expect(200)["total"], 0);
}
