//! Every address against every kind of caller. A route that is not in the table fails the test.

use flowtrail_testkit::{Rest, TestServer, flow};
use reqwest::Method;
use serde_json::{Value, json};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nobody,
    BadKey,
    ExpiredKey,
    RevokedKey,
    Stranger,
    /// Somebody who may read the flow because everybody may.
    Public,
    Reader,
    Writer,
    Owner,
    Administrator,
    /// The token of a page, made by the owner.
    Page,
    /// The owner's session, without the header that a write by cookie needs.
    Cookie,
}

const WITHOUT_RIGHTS: [Kind; 4] = [Kind::Nobody, Kind::BadKey, Kind::ExpiredKey, Kind::RevokedKey];
const KNOWN: [Kind; 8] = [
    Kind::Stranger,
    Kind::Public,
    Kind::Reader,
    Kind::Writer,
    Kind::Owner,
    Kind::Administrator,
    Kind::Page,
    Kind::Cookie,
];

/// A route, what is sent there, and how those who have a key are answered, in the order of [`KNOWN`].
struct Row {
    method: &'static str,
    path: &'static str,
    body: fn() -> Value,
    /// Nothing for routes that anybody may use.
    statuses: Option<[u16; 8]>,
}

fn nothing() -> Value {
    Value::Null
}

const fn row(method: &'static str, path: &'static str, statuses: [u16; 8]) -> Row {
    Row { method, path, body: nothing, statuses: Some(statuses) }
}

const fn with(method: &'static str, path: &'static str, body: fn() -> Value, statuses: [u16; 8]) -> Row {
    Row { method, path, body, statuses: Some(statuses) }
}

const fn open(method: &'static str, path: &'static str) -> Row {
    Row { method, path, body: nothing, statuses: None }
}

/// All may.
const ALL: [u16; 8] = [200; 8];

fn table() -> Vec<Row> {
    let mut rows = vec![open("GET", "/healthz"), open("GET", "/readyz")];
    // Sessions: who logs in needs no key yet, and who is not logged in has no session to end.
    rows.extend([row("GET", "/api/events", ALL)]);
    rows.extend([row("GET", "/metrics", [403, 403, 403, 403, 403, 200, 403, 403])]);
    rows.extend([open("POST", "/api/session"), open("GET", "/api/session"), open("DELETE", "/api/session")]);
    //                                                        stranger public reader writer owner admin page cookie
    rows.extend([
        row("GET", "/api/me", ALL),
        row("GET", "/api/flows", ALL),
        with(
            "POST",
            "/api/flows",
            || json!({"name": "New", "kind": "external"}),
            [201, 201, 201, 201, 201, 201, 403, 403],
        ),
        with("POST", "/api/flows/import", || json!([]), [400, 400, 400, 400, 400, 400, 400, 403]),
        row("GET", "/api/flows/{flow_id}", [404, 200, 200, 200, 200, 200, 200, 200]),
        with(
            "PATCH",
            "/api/flows/{flow_id}",
            || json!({"description": "x"}),
            [404, 403, 403, 200, 200, 200, 403, 403],
        ),
        row("DELETE", "/api/flows/{flow_id}", [404, 403, 403, 204, 204, 204, 403, 403]),
        row("GET", "/api/flows/{flow_id}/export", [404, 200, 200, 200, 200, 200, 200, 200]),
        with(
            "POST",
            "/api/flows/{flow_id}/run",
            || json!({"params": {"name": "x"}}),
            [404, 200, 200, 200, 200, 200, 403, 403],
        ),
        row("GET", "/api/flows/{flow_id}/executions", [404, 200, 200, 200, 200, 200, 200, 200]),
        with(
            "POST",
            "/api/flows/{flow_id}/executions",
            || json!({}),
            [404, 201, 201, 201, 201, 201, 403, 403],
        ),
        row("DELETE", "/api/flows/{flow_id}/executions", [404, 403, 403, 200, 200, 200, 403, 403]),
        row("GET", "/api/flows/{flow_id}/executions/stats", [404, 403, 200, 200, 200, 200, 200, 200]),
        row("GET", "/api/flows/{flow_id}/executions/timeseries", [404, 403, 200, 200, 200, 200, 200, 200]),
        row("GET", "/api/flows/{flow_id}/executions/points", [404, 403, 200, 200, 200, 200, 200, 200]),
        row("GET", "/api/flows/{flow_id}/executions/export", [404, 200, 200, 200, 200, 200, 200, 200]),
        with(
            "POST",
            "/api/flows/{flow_id}/executions/prune",
            || json!({"keep": 50}),
            [404, 403, 403, 200, 200, 200, 403, 403],
        ),
        row(
            "GET",
            "/api/flows/{flow_id}/executions/{execution_id}",
            [404, 404, 200, 200, 200, 200, 200, 200],
        ),
        row(
            "DELETE",
            "/api/flows/{flow_id}/executions/{execution_id}",
            [404, 404, 403, 204, 204, 204, 403, 403],
        ),
        row("GET", "/api/executions", ALL),
        row("GET", "/api/executions/stats", ALL),
        row("GET", "/api/executions/timeseries", ALL),
        row("GET", "/api/executions/export", ALL),
        // A batch is answered line by line.
        row("POST", "/api/executions/batch", [200, 200, 200, 200, 200, 200, 200, 403]),
        row("GET", "/api/executions/{execution_id}", [404, 404, 200, 200, 200, 200, 200, 200]),
        with(
            "PATCH",
            "/api/executions/{pending_id}",
            || json!({"status": "fulfilled"}),
            [404, 404, 403, 200, 200, 200, 403, 403],
        ),
        with(
            "POST",
            "/api/executions/{pending_id}/nodes",
            || json!([{"seq": 1, "nodeId": "a", "nodeType": "t"}]),
            [404, 404, 403, 200, 200, 200, 403, 403],
        ),
        row("GET", "/api/executions/{execution_id}/nodes/{seq}", [404, 404, 200, 200, 200, 200, 200, 200]),
        row("POST", "/api/executions/{execution_id}/replay", [404, 404, 202, 202, 202, 202, 403, 403]),
        row("POST", "/api/executions/{pending_id}/cancel", [404, 404, 403, 202, 202, 202, 403, 403]),
        // Strangers are told that it is there and not theirs.
        with(
            "POST",
            "/api/v1/flows/{flow_id}/executions",
            || json!({"status": "success", "execution_time": 1}),
            [403, 200, 200, 200, 200, 200, 403, 403],
        ),
        row("GET", "/api/v1/flows/{flow_id}/executions", [403, 200, 200, 200, 200, 200, 200, 200]),
        row("GET", "/api/v1/flows/{flow_id}/executions/stats", [403, 403, 200, 200, 200, 200, 200, 200]),
        row(
            "GET",
            "/api/v1/flows/{flow_id}/executions/{execution_id}",
            [403, 404, 200, 200, 200, 200, 200, 200],
        ),
        row("DELETE", "/api/v1/flows/{flow_id}/executions", [403, 403, 403, 200, 200, 200, 403, 403]),
        row(
            "DELETE",
            "/api/v1/flows/{flow_id}/executions/{execution_id}",
            [403, 404, 403, 200, 200, 200, 403, 403],
        ),
        row("GET", "/api/users", [403, 403, 403, 403, 403, 200, 403, 403]),
        with("POST", "/api/users", || json!({"name": "New"}), [403, 403, 403, 403, 403, 201, 403, 403]),
        row("DELETE", "/api/users/{user_id}", [403, 403, 403, 403, 403, 204, 403, 403]),
        row("GET", "/api/keys", [200, 200, 200, 200, 200, 200, 403, 200]),
        with("POST", "/api/keys", || json!({"name": "New"}), [201, 201, 201, 201, 201, 201, 403, 403]),
        // Somebody else's key.
        row("DELETE", "/api/keys/{key_id}", [404, 404, 404, 404, 404, 204, 403, 403]),
        with(
            "POST",
            "/api/embed-tokens",
            || json!({"flowIds": ["{flow_id}"], "ttlSeconds": 60}),
            [404, 403, 201, 201, 201, 201, 403, 403],
        ),
        row("GET", "/api/audit", [403, 403, 403, 403, 403, 200, 403, 403]),
    ]);
    rows
}

/// A flow with its history, and everybody who wants something of it.
struct World {
    server: TestServer,
    client: reqwest::Client,
    callers: Vec<(Kind, Caller)>,
    people: Vec<(Kind, String)>,
    flow: String,
    public_flow: String,
    execution: String,
    public_execution: String,
}

enum Caller {
    Key(Option<String>),
    Cookie(String),
}

impl World {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let rest = server.rest().clone();
        let mut callers = vec![
            (Kind::Nobody, Caller::Key(None)),
            (Kind::BadKey, Caller::Key(Some("ft_nobodys".to_owned()))),
            (Kind::Administrator, Caller::Key(Some(server.key().to_owned()))),
        ];
        let mut people = Vec::new();
        let mut owners_key = String::new();
        for kind in [
            Kind::Stranger,
            Kind::Public,
            Kind::Reader,
            Kind::Writer,
            Kind::Owner,
            Kind::ExpiredKey,
            Kind::RevokedKey,
        ] {
            let user = rest.post("/api/users", &json!({"name": format!("{kind:?}")})).await.expect(201);
            let id = user["id"].as_str().unwrap().to_owned();
            let made = rest.post("/api/keys", &json!({"name": "k", "userId": id})).await.expect(201);
            let key = made["key"].as_str().unwrap().to_owned();
            match kind {
                Kind::Owner => owners_key.clone_from(&key),
                Kind::RevokedKey => {
                    let path = format!("/api/keys/{}", made["id"].as_str().unwrap());
                    rest.delete(&path).await.expect(204);
                }
                Kind::ExpiredKey => expire(&server, made["prefix"].as_str().unwrap()),
                _ => {}
            }
            callers.push((kind, Caller::Key(Some(key))));
            people.push((kind, id));
        }
        let mut world = Self {
            callers,
            people,
            flow: String::new(),
            public_flow: String::new(),
            execution: String::new(),
            public_execution: String::new(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            server,
        };
        world.flow = world.make_flow("hello", false).await;
        world.public_flow = world.make_flow("hello_all", true).await;
        world.execution = world.run(&world.flow, &owners_key).await;
        world.public_execution = world.run(&world.public_flow, &owners_key).await;

        let owner = world.server.rest().with_key(Some(&owners_key));
        let flows = json!({"flowIds": [world.flow, world.public_flow]});
        let token = owner.post("/api/embed-tokens", &flows).await.expect(201);
        world.callers.push((Kind::Page, Caller::Key(token["token"].as_str().map(str::to_owned))));
        let answer = world
            .client
            .post(format!("{}/api/session", world.server.base()))
            .body(json!({"key": owners_key}).to_string())
            .send()
            .await
            .unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        let pair = cookie.split(';').next().unwrap().to_owned();
        world.callers.push((Kind::Cookie, Caller::Cookie(pair)));
        world
    }

    fn key(&self, kind: Kind) -> Option<&str> {
        match &self.callers.iter().find(|(other, _)| *other == kind)?.1 {
            Caller::Key(key) => key.as_deref(),
            Caller::Cookie(_) => None,
        }
    }

    fn owner(&self) -> Rest {
        self.server.rest().with_key(self.key(Kind::Owner))
    }

    fn person(&self, kind: Kind) -> &str {
        &self.people.iter().find(|(other, _)| *other == kind).unwrap().1
    }

    /// A flow of the owner's, shared with the reader and the writer, and with everybody if it is public.
    async fn make_flow(&self, tool_name: &str, public: bool) -> String {
        let access = json!({
            "read": [self.person(Kind::Reader)],
            "write": [self.person(Kind::Writer)],
            "public": public,
        });
        let made = flow(tool_name).text("name").returns("{{ ask.name }}").field("access", access).build();
        let flow = self.owner().post("/api/flows", &made).await.expect(201);
        flow["id"].as_str().unwrap().to_owned()
    }

    async fn run(&self, flow: &str, key: &str) -> String {
        let rest = self.server.rest().with_key(Some(key));
        let body = json!({"params": {"name": "x"}});
        let execution = rest.post(&format!("/api/flows/{flow}/run"), &body).await.expect(200);
        execution["id"].as_str().unwrap().to_owned()
    }

    /// The address for one caller: with things of its own where it takes something away.
    async fn address(&self, row: &Row, kind: Kind, number: usize) -> String {
        let is_public = kind == Kind::Public;
        let (mut flow, mut execution) = if is_public {
            (self.public_flow.clone(), self.public_execution.clone())
        } else {
            (self.flow.clone(), self.execution.clone())
        };
        let mut path = row.path.to_owned();
        if row.method == "DELETE" || path.contains("prune") {
            // The token of a page is for the flows that were there when it was made.
            if path.contains("{flow_id}") && kind != Kind::Page {
                flow = self.make_flow(&format!("gone_{number}"), is_public).await;
                execution = self.run(&flow, self.key(Kind::Owner).unwrap()).await;
            }
            if path.contains("{user_id}") {
                let body = json!({"name": "Leaving"});
                let user = self.server.rest().post("/api/users", &body).await.expect(201);
                path = path.replace("{user_id}", user["id"].as_str().unwrap());
            }
            if path.contains("{key_id}") {
                let body = json!({"name": "leaving", "userId": self.person(Kind::RevokedKey)});
                let key = self.server.rest().post("/api/keys", &body).await.expect(201);
                path = path.replace("{key_id}", key["id"].as_str().unwrap());
            }
        }
        if path.contains("{pending_id}") {
            let body = json!({});
            let started =
                self.owner().post(&format!("/api/flows/{flow}/executions"), &body).await.expect(201);
            path = path.replace("{pending_id}", started["id"].as_str().unwrap());
        }
        path.replace("{flow_id}", &flow).replace("{execution_id}", &execution).replace("{seq}", "1")
    }

    async fn send(&self, row: &Row, kind: Kind, address: &str) -> (u16, String) {
        let method: Method = row.method.parse().unwrap();
        let mut request = self.client.request(method, format!("{}{address}", self.server.base()));
        match &self.callers.iter().find(|(other, _)| *other == kind).unwrap().1 {
            Caller::Key(None) => {}
            Caller::Key(Some(key)) => request = request.bearer_auth(key),
            Caller::Cookie(pair) => request = request.header("cookie", pair),
        }
        let body = (row.body)();
        if !body.is_null() {
            let flow = if kind == Kind::Public { &self.public_flow } else { &self.flow };
            request = request.body(body.to_string().replace("{flow_id}", flow));
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        // A stream of events has no end.
        let is_stream = answer.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream");
        (status, if is_stream { String::new() } else { answer.text().await.unwrap() })
    }
}

/// Lets a key expire, which over HTTP it may only do in the future.
fn expire(server: &TestServer, prefix: &str) {
    let database = rusqlite::Connection::open(server.data_dir().join("flowtrail.db")).unwrap();
    let changed = database.execute("UPDATE api_keys SET expires_at = 1 WHERE prefix = ?1", [prefix]).unwrap();
    assert_eq!(changed, 1);
}

#[tokio::test]
async fn every_route_answers_every_kind_of_caller_as_the_table_says() {
    let world = World::new().await;
    let table = table();
    let mut wrong = Vec::new();
    for (number, row) in table.iter().enumerate() {
        let Some(statuses) = row.statuses else { continue };
        for kind in WITHOUT_RIGHTS {
            let address = world.address(row, kind, number * 100 + kind as usize).await;
            let (status, body) = world.send(row, kind, &address).await;
            let told = if row.path.starts_with("/api/v1") { "\"detail\"" } else { "\"unauthenticated\"" };
            if status != 401 || !body.contains(told) {
                wrong.push(format!(
                    "{} {} by {kind:?}: {status} instead of 401: {body}",
                    row.method, row.path
                ));
            }
        }
        for (kind, expected) in KNOWN.into_iter().zip(statuses) {
            let address = world.address(row, kind, number * 100 + kind as usize).await;
            let (status, body) = world.send(row, kind, &address).await;
            if status != expected {
                let shown: String = body.chars().take(200).collect();
                wrong.push(format!(
                    "{} {} by {kind:?}: {status} instead of {expected}: {shown}",
                    row.method, row.path
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_route_is_in_the_table() {
    let normal = |path: &str| path.replace("{pending_id}", "{execution_id}");
    let table: Vec<(String, String)> =
        table().iter().map(|row| (row.method.to_owned(), normal(row.path))).collect();
    let routes: Vec<(String, String)> =
        flowtrail_http::routes().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
    for route in &routes {
        assert!(table.contains(route), "{route:?} is not in the table");
    }
    for row in &table {
        assert!(routes.contains(row), "{row:?} is no route");
    }
}

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
        let version = "2026-07-28";
        let mut params = json!({"_meta": {
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientCapabilities": {},
        }});
        if method == "tools/call" {
            let tool = if kind == Kind::Public { "hello_all" } else { "hello" };
            params["name"] = json!(tool);
            params["arguments"] = json!({"name": "x"});
        }
        let mut request = self
            .client
            .post(format!("{}/mcp", self.server.base()))
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .header("mcp-protocol-version", version)
            .header("mcp-method", method);
        if let Some(name) = params["name"].as_str() {
            request = request.header("mcp-name", name);
        }
        match &self.callers.iter().find(|(other, _)| *other == kind).unwrap().1 {
            Caller::Key(None) => {}
            Caller::Key(Some(key)) => request = request.bearer_auth(key),
            Caller::Cookie(pair) => request = request.header("cookie", pair),
        }
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = request.body(body.to_string()).send().await.unwrap();
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
                _ => {
                    assert!(body["result"].is_object() || body["error"]["code"].is_i64(), "{told}");
                    let first = everybodys.get_or_insert_with(|| body.clone());
                    assert_eq!(first, &body, "{told}");
                }
            }
        }
    }
}
