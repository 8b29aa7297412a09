//! A secret never reaches the disk: not by a key's name, not by its form, not by its known value.

use std::path::Path;

use flowtrail::SecretSettings;
use flowtrail_store::{Packed, Store};
use flowtrail_store_diesel::{DatabaseUrl, open_store};
use flowtrail_testkit::{Era, Said, ScriptedServer, TestServer, flow};
use flowtrail_tracker::{FlowChange, TrackerError};
use flowtrail_types::{Flow, Principal, Role, User};
use serde_json::json;
use time::OffsetDateTime;

/// Every byte of every file in a folder.
fn contents(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            bytes.extend(contents(&path));
        } else {
            bytes.extend(std::fs::read(path).unwrap());
        }
    }
    bytes
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// Every packed value of a database, decompressed.
fn unpacked(path: &Path) -> Vec<Vec<u8>> {
    let conn = rusqlite::Connection::open(path).unwrap();
    let mut statement =
        conn.prepare("SELECT packed FROM execution_payloads WHERE packed IS NOT NULL").unwrap();
    let values = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    values.map(|value| Packed::from_bytes(&value.unwrap()).json().unwrap()).collect()
}

#[tokio::test]
async fn planted_secrets_are_in_no_file() {
    const CONFIGURED: &str = "planted-configured-value/1";
    const BY_KEY: &str = "planted-by-key-2";
    const BY_FORM: &str = "sk-plantedByForm3abcdefghijklmnop";
    const CARD: &str = "4929 1234 5678 9015";
    let server = TestServer::builder().allow_private_addresses().secret("SHOP", CONFIGURED).start().await;
    let spread = flow("Spread")
        .text("note")
        .parameter(json!({"name": "password", "type": "string", "required": true}))
        .transform("shape", "return { auth: { token: input.password }, list: [input.note] };")
        .node(
            "fetch",
            "ApiCall",
            json!({
                "method": "GET",
                "url": format!("{}/healthz?key={{{{ secrets.SHOP }}}}", server.base()),
                "headers": {"authorization": "Bearer {{ secrets.SHOP }}"},
            }),
        )
        .returns("{{ fetch.url }} {{ ask.note }}");
    server.create(&spread).await;
    let fail = flow("Fail").text("note").transform("boom", "throw new Error('bad key ' + input.note);");
    server.create(&fail).await;
    let client = server.mcp(Era::Stateless).await;
    let arguments = json!({"note": format!("use {BY_FORM}, {CARD} and {CONFIGURED}"), "password": BY_KEY});
    let answer = client.call("spread", arguments).await;
    assert!(answer.text().contains(BY_FORM), "the caller's own result is untouched: {answer:?}");
    assert!(!answer.text().contains(CONFIGURED), "a configured secret is never shown");
    let failed = client.call("fail", json!({"note": format!("{BY_FORM} {CONFIGURED}")})).await;
    assert!(failed.is_error());

    let secrets = [CONFIGURED, "planted-configured-value%2F1", BY_KEY, BY_FORM, CARD];
    let search = |what: &str, bytes: &[u8]| {
        for secret in secrets {
            assert!(!holds(bytes, secret), "{secret} is in {what}");
        }
    };
    // In the database and its log, before and after the data is packed, in a copy, and in every value decompressed.
    let kept = contents(server.data_dir());
    assert!(holds(&kept, "[redacted]"), "the record is there");
    search("the database or its log", &kept);
    let url = DatabaseUrl::Sqlite(server.data_dir().join("flowtrail.db"));
    let store = open_store(&url, false).unwrap();
    let later = time::OffsetDateTime::UNIX_EPOCH + time::Duration::days(365 * 500);
    assert!(store.executions().pack(later, 1_000).unwrap() > 0, "there is something to pack");
    search("the packed database or its log", &contents(server.data_dir()));
    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("copy.db");
    store.upkeep().backup(&copy, &|_| {}).unwrap();
    search("the copy", &contents(copies.path()));
    let unpacked = unpacked(&copy);
    assert!(unpacked.iter().any(|value| holds(value, "[redacted]")), "the record is there, packed");
    unpacked.iter().for_each(|value| search("packed data", value));
    let execution = server.execution(answer.execution_id()).await;
    assert_eq!(execution["capture"]["initialParams"]["redacted"], true, "{execution:#}");
}

#[tokio::test]
async fn who_wants_no_values_kept_has_none_kept() {
    const VALUE: &str = "a-value-that-nobody-wants-kept";
    let server = TestServer::start().await;
    for policy in ["metadata", "none"] {
        let quiet = flow(policy)
            .field("capture", json!(policy))
            .text("note")
            .transform("boom", "throw new Error('it was ' + input.note);");
        server.create(&quiet).await;
        let client = server.mcp(Era::Stateless).await;
        let answer = client.call(policy, json!({"note": VALUE})).await;
        let execution = server.execution(answer.execution_id()).await;
        assert_eq!(execution["status"], "error");
        assert_eq!(execution["initialParams"], json!(null));
        assert_eq!(execution["initialParamsPreview"], json!(null));
        let nodes = execution["nodeExecutions"].as_array().unwrap().len();
        assert_eq!(nodes, if policy == "none" { 0 } else { 2 }, "{execution:#}");
    }
    assert!(!holds(&contents(server.data_dir()), VALUE));
}

#[tokio::test]
async fn a_flow_that_holds_a_secret_s_value_is_refused_with_its_place() {
    const CONFIGURED: &str = "planted-configured-value/1";
    let server = TestServer::builder().secret("SHOP", CONFIGURED).secret("PIN", "90210777").start().await;
    let sound = || flow("Sound").text("note").transform("shape", "return 1;").returns("x");
    let transform = |code: &str| flow("Sound").transform("shape", code).build();
    let with = |field: &str, value: serde_json::Value| sound().field(field, value).build();
    let returning =
        |data: serde_json::Value| flow("Sound").node("say", "Return", json!({"json": data})).build();
    let cases = [
        (transform(&format!("return '{CONFIGURED}';")), json!("shape"), "parameters.code"),
        // The value in Base64.
        (transform("return 'cGxhbnRlZC1jb25maWd1cmVkLXZhbHVlLzE=';"), json!("shape"), "parameters.code"),
        (returning(json!({"list": [1, 90_210_777]})), json!("say"), "parameters.json.list[1]"),
        (returning(json!({"90210777": true})), json!("say"), "parameters.json.[redacted]"),
        (with("name", json!(format!("Key {CONFIGURED}"))), json!(null), "name"),
        (with("toolName", json!("key-90210777")), json!(null), "toolName"),
        (with("description", json!(format!("Uses {CONFIGURED}."))), json!(null), "description"),
    ];
    for (body, node, field) in cases {
        for answer in [
            server.rest().post("/api/flows", &body).await,
            server.rest().post("/api/flows/import", &body).await,
        ] {
            let refused = answer.expect(400);
            assert_eq!(refused["code"], "invalid_flow", "{refused}");
            let problem = &refused["problems"][0];
            assert_eq!((&problem["node"], &problem["field"]), (&node, &json!(field)), "{refused}");
            assert!(!refused.to_string().contains(CONFIGURED) && !refused.to_string().contains("90210777"));
        }
    }
    let made = server.create(&sound()).await;
    let path = format!("/api/flows/{}", made["id"].as_str().unwrap());
    let change = json!({"description": CONFIGURED});
    server.rest().patch(&path, &change).await.expect_error(400, "invalid_flow");
    server.rest().patch(&path, &json!({"description": "Says nothing."})).await.expect(200);
    assert!(!holds(&contents(server.data_dir()), CONFIGURED));
}

#[tokio::test]
async fn names_and_tags_that_hold_a_secret_are_redacted() {
    const CONFIGURED: &str = "planted-configured-value/1";
    let server = TestServer::builder().secret("SHOP", CONFIGURED).start().await;
    let external = json!({"name": "Elsewhere", "kind": "external"});
    let made = server.rest().post("/api/flows", &external).await.expect(201);
    let flow_id = made["id"].as_str().unwrap();
    let named = format!("a {CONFIGURED}");
    let node = json!({"seq": 1, "nodeId": named, "nodeName": named, "nodeType": named});
    let reports = [
        json!({"status": "fulfilled", "tags": {named.clone(): "1"}}),
        json!({"status": "fulfilled", "tags": {"key": named}}),
        json!({"status": "fulfilled", "nodeExecutions": [node]}),
        json!({"status": "error", "errorInfo":
            {"message": named, "kind": "failed", "nodeId": named, "nodeName": named}}),
    ];
    let address = format!("/api/flows/{flow_id}/executions");
    let mut ids = Vec::new();
    for report in &reports {
        let made = server.rest().post(&address, report).await.expect(201);
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    let line = json!({"flowId": flow_id, "status": "fulfilled", "tags": {named.clone(): "1"}}).to_string();
    let batch = server.rest().post_bytes("/api/executions/batch", line.into_bytes()).await.expect(200);
    ids.push(batch["id"].as_str().unwrap().to_owned());
    for id in ids {
        let shown = server.execution(&id).await.to_string();
        assert!(shown.contains("a [redacted]") && !shown.contains(CONFIGURED), "{shown}");
    }
    let page = server.rest().get(&address).await.expect(200).to_string();
    assert!(!page.contains(CONFIGURED), "{page}");
    assert!(!holds(&contents(server.data_dir()), CONFIGURED));
}

/// A server with a secret that has rules, and what a user may do with it.
async fn ruled() -> TestServer {
    let table = "value = \"planted-configured-value/1\"\nhosts = [\"127.0.0.1\"]\nusers = [\"Ada\"]\nflows = [\"orders\"]";
    let ruled: SecretSettings = toml::from_str(table).unwrap();
    let server = TestServer::builder().allow_private_addresses().secret("PLAIN", "another-configured-value");
    server.settings(|settings| drop(settings.secrets.insert("RULED".to_owned(), ruled))).start().await
}

fn sending(name: &str, secret: &str, to: &str) -> serde_json::Value {
    let headers = json!({"x-key": format!("{{{{ secrets.{secret} }}}}")});
    let call = json!({"method": "GET", "url": to, "headers": headers});
    flow(name).field("toolName", json!(name)).node("fetch", "ApiCall", call).build()
}

#[tokio::test]
async fn a_secret_is_for_those_whom_its_rules_name() {
    let server = ruled().await;
    let (admin, ada, bob) = (server.rest(), server.user("Ada").await, server.user("Bob").await);
    let health = format!("{}/healthz", server.base());
    let problem = |answer: serde_json::Value| answer["problems"][0]["message"].as_str().unwrap().to_owned();

    // Administrators always may, others when they are named, and by the short form nobody else.
    let made = admin.post("/api/flows", &sending("orders", "RULED", &health)).await.expect(201);
    let refused = bob.rest.post("/api/flows", &sending("bobs", "PLAIN", &health)).await.expect(400);
    assert!(problem(refused).contains("secret PLAIN may be used only by administrators"));
    let refused = ada.rest.post("/api/flows", &sending("adas", "PLAIN", &health)).await.expect(400);
    assert!(problem(refused).contains("secret PLAIN"));
    let refused = ada.rest.post("/api/flows", &sending("adas", "RULED", &health)).await.expect(400);
    assert!(problem(refused).contains("not for this flow"));

    // An edit by anybody else that keeps it is refused; what has nothing to do with it is not.
    let path = format!("/api/flows/{}", made["id"].as_str().unwrap());
    let shared = json!({"access": {"write": [ada.id, bob.id]}});
    admin.patch(&path, &shared).await.expect(200);
    let edit = |url: &str| {
        let sent = sending("orders", "RULED", url);
        json!({"nodes": sent["nodes"], "connections": sent["connections"]})
    };
    bob.rest.patch(&path, &edit(&health)).await.expect_error(400, "invalid_flow");
    bob.rest.patch(&path, &json!({"description": "Fetches."})).await.expect(200);
    ada.rest.patch(&path, &edit(&health)).await.expect(200);

    // It goes to its hosts and nowhere else.
    let run = format!("{path}/run");
    let ran = admin.post(&run, &json!({})).await.expect(200);
    assert_eq!(ran["status"], "fulfilled", "{ran}");
    let elsewhere = health.replace("127.0.0.1", "localhost");
    ada.rest.patch(&path, &edit(&elsewhere)).await.expect(200);
    let ran = admin.post(&run, &json!({})).await.expect(200);
    assert_eq!(ran["errorInfo"]["kind"], "forbidden", "{ran}");
    let message = ran["errorInfo"]["message"].as_str().unwrap();
    assert!(message.contains("the secret RULED may not be sent to localhost"), "{message}");

    // A definition that somebody else saved, when the rules were others, is stored, and may use nothing.
    admin.patch(&path, &edit(&health)).await.expect(200);
    let bob = Principal::from(User {
        id: bob.id.parse().unwrap(),
        name: "Bob".to_owned(),
        role: Role::User,
        created_at: OffsetDateTime::UNIX_EPOCH,
    });
    let same =
        |flow: &Flow| Ok(FlowChange { definition: Some(flow.definition.clone()), ..FlowChange::default() });
    let id = made["id"].as_str().unwrap().parse().unwrap();
    server.tracker().change_flow::<TrackerError>(&bob, id, same).unwrap();
    let ran = admin.post(&run, &json!({})).await.expect(200);
    assert_eq!(ran["errorInfo"]["kind"], "forbidden", "{ran}");
    let message = ran["errorInfo"]["message"].as_str().unwrap();
    assert!(message.contains("the secret RULED may be used only by administrators"), "{message}");
    admin.patch(&path, &edit(&health)).await.expect(200);
    assert_eq!(admin.post(&run, &json!({})).await.expect(200)["status"], "fulfilled");
}

#[tokio::test]
async fn a_secret_is_refused_where_something_could_be_done_with_it() {
    let server = TestServer::builder().secret("SHOP", "planted-configured-value/1").start().await;
    let call = |url: &str| flow("Call").node("n", "ApiCall", json!({"method": "GET", "url": url})).build();
    for (body, field) in [
        (flow("Say").node("n", "Return", json!({"text": "{{ secrets.SHOP }}"})).build(), "parameters.text"),
        (call("https://x/{{ secrets.SHOP | upper }}"), "parameters.url"),
        (call("https://x/{{ secrets.SHOP[0:4] }}"), "parameters.url"),
        (call("https://x/{% for c in secrets.SHOP %}{{ c }}{% endfor %}"), "parameters.url"),
    ] {
        let refused = server.rest().post("/api/flows", &body).await.expect(400);
        assert_eq!(
            (&refused["code"], &refused["problems"][0]["node"]),
            (&json!("invalid_flow"), &json!("n"))
        );
        assert_eq!(refused["problems"][0]["field"], field, "{refused}");
    }
    let unrestricted = TestServer::builder().secret("SHOP", "planted-configured-value/1");
    let unrestricted =
        unrestricted.settings(|settings| settings.secrets_unrestricted = Some(true)).start().await;
    let made = unrestricted.rest().post("/api/flows", &call("https://x/{{ secrets.SHOP | upper }}")).await;
    made.expect(201);
}

/// A server that sends a secret back: in pieces of a stream, and where its answers are cut for an error's message.
fn repeating(secret: &'static str) -> ScriptedServer {
    ScriptedServer::start(move |message| {
        let (head, tail) = secret.split_at(9);
        let raw = |status, kind: &str, body: String| {
            Some(Said::Raw(status, vec![("content-type", kind.to_owned())], body.into_bytes()))
        };
        match message["path"].as_str() {
            Some("/chat/completions") => {
                let deltas = [
                    json!({"content": format!("say {head}")}),
                    json!({"content": tail}),
                    json!({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": format!("{{\"key\":\"{head}")}}]}),
                    json!({"tool_calls": [{"index": 0, "function": {"arguments": format!("{tail}\"}}")}}]}),
                    json!({"reasoning_content": head}),
                    json!({"reasoning_content": tail}),
                ];
                let event =
                    |delta| format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta}]}));
                let body: String = deltas.into_iter().map(event).collect();
                let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
                raw(200, "text/event-stream", format!("{body}data: {end}\n\ndata: [DONE]\n\n"))
            }
            // Cut somewhere within the secret: a message has at most so many characters of an answer.
            Some(path) if path.starts_with("/cut/") => {
                let before: usize = path["/cut/".len()..].parse().unwrap();
                raw(500, "text/plain", format!("{}{secret}", "x".repeat(before)))
            }
            _ => None,
        }
    })
}

#[tokio::test]
async fn a_secret_that_comes_back_in_pieces_is_redacted() {
    const CONFIGURED: &str = "planted-configured-value/1";
    let far = repeating(CONFIGURED);
    let base = far.url().trim_end_matches("/mcp").to_owned();
    let server = TestServer::builder().allow_private_addresses().secret("SHOP", CONFIGURED).start().await;
    let ask = json!({"baseUrl": base, "model": "m", "prompt": "hi", "stream": true});
    server.create(&flow("Ask").node("ask_it", "Model", ask).returns("{{ ask_it }}")).await;
    let client = server.mcp(Era::Stateless).await;
    let answer = client.call("ask", json!({})).await;
    assert!(answer.text().contains("say [redacted]"), "{answer:?}");
    let mut shown = vec![answer.text(), server.execution(answer.execution_id()).await.to_string()];
    for before in [480, 490, 494, 497] {
        let fetch = json!({"method": "GET", "url": format!("{base}/cut/{before}")});
        let name = format!("cut{before}");
        server.create(&flow(&name).node("fetch", "ApiCall", fetch)).await;
        let answer = client.call(&name, json!({})).await;
        assert!(answer.is_error());
        shown.push(answer.text());
        shown.push(server.execution(answer.execution_id()).await.to_string());
    }
    let part = &CONFIGURED[..4];
    for text in &shown {
        assert!(!text.contains(part) && !text.contains(&CONFIGURED[9..]), "{text}");
    }
    assert!(!holds(&contents(server.data_dir()), part));
}
