//! Sessions, tokens for pages, users that go, and the log of who did what.

use flowtrail_testkit::{Era, TestServer, TestUser, flow};
use flowtrail_tracker::{FlowChange, StartExecution, Tracker, TrackerError};
use flowtrail_types::{Access, Source};
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

/// A browser: it keeps one cookie, and knows what goes with it.
struct Browser {
    client: Client,
    base: String,
    cookie: Option<String>,
    csrf: Option<String>,
}

impl Browser {
    fn new(server: &TestServer) -> Self {
        let client = flowtrail_testkit::http_client();
        Self { client, base: server.base().to_owned(), cookie: None, csrf: None }
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> Response {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        if let Some(csrf) = &self.csrf {
            request = request.header("X-Flowtrail-CSRF", csrf);
        }
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        request.send().await.unwrap()
    }

    /// Logs in, and gives what was said of who is logged in.
    async fn log_in(&mut self, by: Value) -> Result<Value, (u16, String)> {
        let answer = self.send(Method::POST, "/api/session", by).await;
        let status = answer.status().as_u16();
        let cookie = answer.headers().get(SET_COOKIE).map(|value| value.to_str().unwrap().to_owned());
        let said: Value = answer.json().await.unwrap();
        if status != 201 {
            assert_eq!(cookie, None);
            return Err((status, said["code"].as_str().unwrap().to_owned()));
        }
        self.cookie = cookie.map(|cookie| cookie.split(';').next().unwrap().to_owned());
        self.csrf = said["csrf"].as_str().map(str::to_owned);
        Ok(said)
    }

    async fn status(&self, method: Method, path: &str, body: Value) -> u16 {
        self.send(method, path, body).await.status().as_u16()
    }
}

#[tokio::test]
async fn a_session_does_what_its_key_does_and_writes_with_its_header_only() {
    let server = TestServer::start().await;
    let mut browser = Browser::new(&server);
    assert_eq!(browser.status(Method::GET, "/api/session", Value::Null).await, 401);
    assert_eq!(browser.log_in(json!({"key": "ft_nobodys"})).await, Err((401, "unauthenticated".to_owned())));
    assert_eq!(browser.log_in(json!({})).await, Err((400, "invalid".to_owned())));
    let said = browser.log_in(json!({"key": server.key()})).await.unwrap();
    assert_eq!(said["user"]["name"], "admin");
    assert_eq!(said["user"]["role"], "admin");

    let external = json!({"name": "Nightly", "kind": "external"});
    assert_eq!(browser.status(Method::GET, "/api/flows", Value::Null).await, 200);
    assert_eq!(browser.status(Method::POST, "/api/flows", external.clone()).await, 201);
    // Whoever opens the page again learns the header's value again.
    let again: Value = browser.send(Method::GET, "/api/session", Value::Null).await.json().await.unwrap();
    assert_eq!(again, said);
    // A page of another site can make a browser send the cookie at best, never the header.
    let csrf = browser.csrf.replace("wrong".to_owned());
    let refused = browser.send(Method::POST, "/api/flows", external.clone()).await;
    assert_eq!(refused.status().as_u16(), 403);
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "csrf");
    assert_eq!(browser.status(Method::DELETE, "/api/session", Value::Null).await, 403);
    browser.csrf = csrf;
    assert_eq!(browser.status(Method::DELETE, "/api/session", Value::Null).await, 204);
    assert_eq!(browser.status(Method::GET, "/api/flows", Value::Null).await, 401);
    // It is no key, and the token of a page is none either.
    let secret = browser.cookie.unwrap().split_once('=').unwrap().1.to_owned();
    server.rest().with_key(Some(&secret)).get("/api/me").await.expect_error(401, "unauthenticated");
}

#[tokio::test]
async fn the_code_of_a_login_link_works_once() {
    let server = TestServer::start().await;
    let code = server.tracker().create_login_code().unwrap().secret;
    let mut browser = Browser::new(&server);
    assert_eq!(browser.log_in(json!({"key": code})).await, Err((401, "unauthenticated".to_owned())));
    let said = browser.log_in(json!({"code": code})).await.unwrap();
    assert_eq!(said["user"]["role"], "admin");
    let mut other = Browser::new(&server);
    assert_eq!(other.log_in(json!({"code": code})).await, Err((401, "unauthenticated".to_owned())));
}

#[tokio::test]
async fn a_page_of_another_site_cannot_log_anybody_in() {
    let server = TestServer::start().await;
    let client = flowtrail_testkit::http_client();
    let body = json!({"key": server.key()}).to_string();
    for (origin, status) in [("https://evil.example", 403), ("null", 403), (server.base(), 201)] {
        let login = client.post(format!("{}/api/session", server.base())).header("origin", origin);
        let answer = login.body(body.clone()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{origin}");
        assert_eq!(answer.headers().contains_key(SET_COOKIE), status == 201, "{origin}");
    }
}

#[tokio::test]
async fn with_a_key_go_the_sessions_and_tokens_that_were_made_by_it() {
    let server = TestServer::start().await;
    let TestUser { key_id: key, rest: ana, .. } = server.user("Ana").await;
    let flow = ana.post("/api/flows", &json!({"name": "Nightly", "kind": "external"})).await.expect(201);
    let token = ana.post("/api/embed-tokens", &json!({"flowIds": [flow["id"]]})).await.expect(201);
    let page = server.rest().with_key(token["token"].as_str());
    let another = server.rest().post("/api/keys", &json!({"name": "k"})).await.expect(201);
    let mut browser = Browser::new(&server);
    browser.log_in(json!({"key": another["key"]})).await.unwrap();

    let list = format!("/api/flows/{}/executions", flow["id"].as_str().unwrap());
    page.get(&list).await.expect(200);
    server.rest().delete(&format!("/api/keys/{key}")).await.expect(204);
    page.get(&list).await.expect_error(401, "unauthenticated");
    assert_eq!(browser.status(Method::GET, "/api/me", Value::Null).await, 200);
    let path = format!("/api/keys/{}", another["id"].as_str().unwrap());
    server.rest().delete(&path).await.expect(204);
    assert_eq!(browser.status(Method::GET, "/api/me", Value::Null).await, 401);
}

#[tokio::test]
async fn a_page_reads_what_it_is_for_and_no_more_than_its_maker() {
    let server = TestServer::start().await;
    let hello = flow("Hello").text("name").returns("{{ ask.name }}").build();
    let [shown, other] = [
        server.rest().post("/api/flows", &hello).await.expect(201),
        server.rest().post("/api/flows", &json!({"name": "Other", "kind": "external"})).await.expect(201),
    ];
    let [shown_id, other_id] = [&shown, &other].map(|flow| flow["id"].as_str().unwrap().to_owned());
    server.rest().post(&format!("/api/flows/{other_id}/executions"), &json!({})).await.expect(201);
    let run = format!("/api/flows/{shown_id}/run");
    server.rest().post(&run, &json!({"params": {"name": "x"}})).await.expect(200);
    // Made by an administrator, it sees the one flow all the same.
    let made = server.rest().post("/api/embed-tokens", &json!({"flowIds": [shown_id]})).await.expect(201);
    let page = server.rest().with_key(made["token"].as_str());
    assert_eq!(page.get("/api/executions").await.expect(200)["total"], 1);
    assert_eq!(page.get("/api/executions/stats").await.expect(200)["total"], 1);
    assert_eq!(page.get("/api/flows").await.expect(200)["total"], 1);
    page.get(&format!("/api/flows/{other_id}")).await.expect_error(404, "not_found");
    page.post(&run, &json!({"params": {"name": "x"}})).await.expect_error(403, "forbidden");
    let mcp = flowtrail_testkit::McpClient::over_http(
        server.base(),
        made["token"].as_str().unwrap(),
        Era::Stateless,
    )
    .await;
    assert_eq!(mcp.tool_names().await, Vec::<String>::new());

    // What its maker loses, it loses too.
    let TestUser { id: ana_id, rest: ana, .. } = server.user("Ana").await;
    let itself = format!("/api/flows/{shown_id}");
    let share = |with: Value| json!({"access": {"read": with, "write": [], "public": false}});
    server.rest().patch(&itself, &share(json!([ana_id]))).await.expect(200);
    let made = ana.post("/api/embed-tokens", &json!({"flowIds": [shown_id]})).await.expect(201);
    let page = server.rest().with_key(made["token"].as_str());
    assert_eq!(page.get("/api/executions").await.expect(200)["total"], 1);
    server.rest().patch(&itself, &share(json!([]))).await.expect(200);
    assert_eq!(page.get("/api/executions").await.expect(200)["total"], 0);
    page.get(&format!("{itself}/executions")).await.expect_error(404, "not_found");

    for (body, field) in [
        (json!({"flowIds": []}), "flowIds"),
        (json!({"flowIds": "all"}), "flowIds"),
        (json!({"flowIds": [1]}), "flowIds[0]"),
        (json!({"flowIds": [shown_id], "ttlSeconds": 0}), "ttlSeconds"),
        (json!({"flowIds": [shown_id], "ttlSeconds": 86_401}), "ttlSeconds"),
    ] {
        let message = server.rest().post("/api/embed-tokens", &body).await.expect_error(400, "invalid");
        assert!(message.starts_with(&format!("{field}: expected")), "{body}: {message}");
    }
}

#[tokio::test]
async fn a_user_who_goes_leaves_their_name() {
    let server = TestServer::start().await;
    let TestUser { id: ana_id, rest: ana, .. } = server.user("Ana").await;
    let flow = ana.post("/api/flows", &json!({"name": "Nightly", "kind": "external"})).await.expect(201);
    let list = format!("/api/flows/{}/executions", flow["id"].as_str().unwrap());
    ana.post(&list, &json!({"status": "fulfilled"})).await.expect(201);
    let path = format!("/api/users/{ana_id}");
    server.rest().delete(&path).await.expect(204);
    server.rest().delete(&path).await.expect_error(404, "not_found");
    ana.get("/api/me").await.expect_error(401, "unauthenticated");
    let page = server.rest().get(&list).await.expect(200);
    assert_eq!(page["items"][0]["userName"], "Ana");
    let users = server.rest().get("/api/users").await.expect(200);
    let names: Vec<&Value> = users["items"].as_array().unwrap().iter().map(|user| &user["name"]).collect();
    assert_eq!(names, ["admin"]);
    let admin = format!("/api/users/{}", users["items"][0]["id"].as_str().unwrap());
    server.rest().delete(&admin).await.expect_error(403, "forbidden");
}

#[tokio::test]
async fn who_did_what_is_kept() {
    let server = TestServer::start().await;
    let rest = server.rest();
    let mut browser = Browser::new(&server);
    browser.log_in(json!({"key": server.key()})).await.unwrap();
    browser.status(Method::DELETE, "/api/session", Value::Null).await;
    let TestUser { id: ana_id, key_id, key: anas_key, rest: ana } = server.user("Ana").await;
    let flow = ana.post("/api/flows", &json!({"name": "Nightly", "kind": "external"})).await.expect(201);
    let flow_id = flow["id"].as_str().unwrap();
    let list = format!("/api/flows/{flow_id}/executions");
    let mut ids = Vec::new();
    for _ in 0..3 {
        let made = ana.post(&list, &json!({"status": "fulfilled"})).await.expect(201);
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    let access = json!({"access": {"read": [], "write": [], "public": true}});
    ana.patch(&format!("/api/flows/{flow_id}"), &access).await.expect(200);
    ana.patch(&format!("/api/flows/{flow_id}"), &json!({"description": "not about access"}))
        .await
        .expect(200);
    ana.post("/api/embed-tokens", &json!({"flowIds": [flow_id]})).await.expect(201);
    ana.delete(&format!("{list}/{}", ids[0])).await.expect(204);
    // Counting deletes nothing.
    ana.delete(&format!("{list}?status=fulfilled&dryRun=true")).await.expect(200);
    ana.delete(&format!("{list}?status=fulfilled")).await.expect(200);
    ana.post(&format!("{list}/prune"), &json!({"keep": 0})).await.expect(200);
    ana.delete(&format!("/api/flows/{flow_id}")).await.expect(204);
    rest.delete(&format!("/api/keys/{key_id}")).await.expect(204);
    rest.delete(&format!("/api/users/{ana_id}")).await.expect(204);

    let log = rest.get("/api/audit?limit=100").await.expect(200);
    let told: Vec<(&str, &str)> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|entry| (entry["userName"].as_str().unwrap(), entry["action"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("admin", "session.created"),
            ("admin", "session.deleted"),
            ("admin", "user.created"),
            ("admin", "key.created"),
            ("Ana", "flow.accessChanged"),
            ("Ana", "embedToken.created"),
            ("Ana", "execution.deleted"),
            ("Ana", "executions.deleted"),
            ("Ana", "executions.pruned"),
            ("Ana", "flow.deleted"),
            ("admin", "key.revoked"),
            ("admin", "user.deleted"),
        ]
    );
    let of = |action: &str| {
        let mut found = log["items"].as_array().unwrap().iter().filter(|entry| entry["action"] == action);
        found.next().unwrap().clone()
    };
    assert_eq!(of("executions.deleted")["detail"], json!({"deleted": 2}));
    assert_eq!(of("executions.deleted")["subject"], "Nightly");
    assert_eq!(of("flow.accessChanged")["detail"]["after"]["public"], true);
    assert_eq!(of("execution.deleted")["subjectId"], ids[0]);
    let text = log.to_string();
    for secret in [server.key(), "fte_", "fts_", &anas_key] {
        assert!(!text.contains(secret), "a secret is in the log: {text}");
    }

    let pruned = rest.get("/api/audit?action=executions.pruned").await.expect(200);
    assert_eq!(pruned["items"].as_array().unwrap().len(), 1);
    let mine = rest.get(&format!("/api/audit?user={ana_id}&limit=4")).await.expect(200);
    assert_eq!(mine["items"].as_array().unwrap().len(), 4);
    let after = mine["after"].as_str().unwrap();
    let rest_of = rest.get(&format!("/api/audit?user={ana_id}&limit=4&after={after}")).await.expect(200);
    assert_eq!(rest_of["items"].as_array().unwrap().len(), 2);
    assert_eq!(rest_of["after"], Value::Null);
    rest.get("/api/audit?action=cooking").await.expect_error(400, "invalid");
    ana.get("/api/audit").await.expect_error(401, "unauthenticated");
}

/// Whoever asks often is not looked up each time; what is remembered of them must not outlive a change, whichever process
/// makes it.
#[tokio::test]
async fn what_another_process_changes_holds_for_the_next_request() {
    let server = TestServer::start().await;
    let person = server.user("Ada").await;
    let flow =
        server.rest().post("/api/flows", &json!({"name": "Shared", "kind": "external"})).await.expect(201);
    let itself = format!("/api/flows/{}", flow["id"].as_str().unwrap());
    let shared = json!({"access": {"read": [person.id], "write": [], "public": false}});
    server.rest().patch(&itself, &shared).await.expect(200);
    for _ in 0..3 {
        person.rest.get(&itself).await.expect(200);
    }
    // Another tracker on the same file is what another process has.
    let database = server.data_dir().join("flowtrail.db");
    let url = format!("sqlite://{}", database.display()).parse().unwrap();
    let other = Tracker::open(flowtrail_store_diesel::open_store(&url, true).unwrap()).unwrap();
    let admin = other.local_administrator().unwrap();
    let id = flow["id"].as_str().unwrap().parse().unwrap();
    let private = FlowChange { access: Some(Access::default()), ..FlowChange::default() };
    // What the server has looked up it gives again, as long as nothing was written.
    let (page, figures) = (format!("{itself}/executions"), format!("{itself}/executions/stats"));
    for _ in 0..3 {
        assert_eq!(person.rest.get(&page).await.expect(200)["total"], 0);
        assert_eq!(person.rest.get(&figures).await.expect(200)["total"], 0);
    }
    let external = other.flow(&admin, id).unwrap();
    for recorded in 1..=20 {
        let start = StartExecution::of(&external, Source::Embedded);
        other.start(&admin, start).unwrap().wait().unwrap().fulfil(None).wait().unwrap();
        assert_eq!(person.rest.get(&page).await.expect(200)["total"], recorded);
        assert_eq!(person.rest.get(&figures).await.expect(200)["total"], recorded);
    }
    other.change_flow(&admin, id, |_| Ok::<_, TrackerError>(private.clone())).unwrap();
    person.rest.get(&page).await.expect_error(404, "not_found");
    person.rest.get(&figures).await.expect_error(404, "not_found");
    person.rest.get(&itself).await.expect_error(404, "not_found");
    person.rest.get("/api/me").await.expect(200);
    other.revoke_key(&admin, person.key_id.parse().unwrap()).unwrap();
    person.rest.get("/api/me").await.expect_error(401, "unauthenticated");
    // So does what the command line changes.
    let second = server.user("Bea").await;
    second.rest.get("/api/me").await.expect(200);
    let revoked = std::process::Command::new(env!("CARGO_BIN_EXE_flowtrail"))
        .args(["key", "revoke", &second.key_id, "--data-dir"])
        .arg(server.data_dir())
        .output()
        .unwrap();
    assert!(revoked.status.success(), "{revoked:?}");
    second.rest.get("/api/me").await.expect_error(401, "unauthenticated");
}

#[tokio::test]
async fn the_last_key_of_the_last_administrator_stays() {
    let server = TestServer::start().await;
    let rest = server.rest();
    let keys = rest.get("/api/keys").await.expect(200);
    let only = keys["items"][0]["id"].as_str().unwrap().to_owned();
    let message = rest.delete(&format!("/api/keys/{only}")).await.expect_error(403, "forbidden");
    assert!(message.contains("last key of an administrator"), "{message}");
    // Those of users do not count, and neither does one that has expired or will soon.
    server.user("Ada").await;
    rest.delete(&format!("/api/keys/{only}")).await.expect_error(403, "forbidden");

    let other = rest.post("/api/users", &json!({"name": "Second", "role": "admin"})).await.expect(201);
    let second = rest.post("/api/keys", &json!({"name": "second", "userId": other["id"]})).await.expect(201);
    rest.delete(&format!("/api/keys/{only}")).await.expect(204);
    let rest = rest.with_key(second["key"].as_str());
    let user = format!("/api/users/{}", other["id"].as_str().unwrap());
    let message = rest.delete(&user).await.expect_error(403, "forbidden");
    assert!(message.contains("last administrator with a key"), "{message}");
}
