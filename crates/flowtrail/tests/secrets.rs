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
