//! A secret never reaches the disk: not by a key's name, not by its form, not by its known value.

use std::path::Path;

use flowtrail_store::{Packed, Store};
use flowtrail_store_diesel::{DatabaseUrl, open_store};
use flowtrail_testkit::{Era, TestServer, flow};
use serde_json::json;

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
                "url": format!("{}/healthz?key={{{{ secrets.SHOP | urlencode }}}}", server.base()),
                "headers": {"authorization": "Bearer {{ secrets.SHOP }}"},
            }),
        )
        .returns("{{ secrets.SHOP }} {{ ask.note }}");
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
