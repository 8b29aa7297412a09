//! A database that the first edition made: `before/` has it, with what that edition's server said of it (`before/README.md`).

use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use flowtrail_testkit::TestProcess;
use serde_json::{Value, json};

use super::{binary, run};

fn unpacked(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/binary/before");
    let packed = std::fs::read(folder.join(name)).expect("it is in the repository");
    let mut bytes = Vec::new();
    GzDecoder::new(&packed[..]).read_to_end(&mut bytes).expect("it was packed with gzip");
    bytes
}

/// Fails unless `now` says all that `before` said. It may say more.
#[track_caller]
fn assert_says(now: &Value, before: &Value, place: &str) {
    match (now, before) {
        (Value::Object(now), Value::Object(before)) => {
            for (name, value) in before {
                let there = now.get(name).unwrap_or_else(|| panic!("{place}.{name} is gone"));
                assert_says(there, value, &format!("{place}.{name}"));
            }
        }
        (Value::Array(now), Value::Array(before)) => {
            assert_eq!(now.len(), before.len(), "{place}");
            for (index, (now, before)) in now.iter().zip(before).enumerate() {
                assert_says(now, before, &format!("{place}[{index}]"));
            }
        }
        _ => assert_eq!(now, before, "{place}"),
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("an execution")).collect()
}

#[tokio::test]
async fn what_the_first_edition_recorded_is_there_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("flowtrail.db"), unpacked("flowtrail.db.gz")).unwrap();
    let told: Value = serde_json::from_slice(&unpacked("told.json.gz")).unwrap();
    let read = run(folder.path(), &["executions", "list"]);
    assert_eq!(read.status.code(), Some(1), "reading does not migrate");
    let server = TestProcess::start(binary(), folder.path(), &[]);
    let rest = server.rest();
    let exported = rest.get("/api/executions/export").await.expect(200);
    let before = lines(&String::from_utf8(unpacked("export.ndjson.gz")).unwrap());
    assert!(before.len() > 10);
    let now = lines(exported.as_str().unwrap());
    assert_says(&json!(now), &json!(before), "export");
    for (path, name) in [
        ("/api/executions/stats", "stats"),
        ("/api/executions/stats?counting=recorded", "recorded"),
        ("/api/flows", "flows"),
        ("/api/executions?limit=100", "executions"),
    ] {
        let mut before = told[name].clone();
        if name == "flows" {
            // The runs of a day that is long past.
            for flow in before["items"].as_array_mut().unwrap() {
                flow.as_object_mut().unwrap().remove("runsLastDay");
            }
        }
        if name == "executions" {
            before.as_object_mut().unwrap().remove("after");
        }
        assert_says(&rest.get(path).await.expect(200), &before, name);
    }
    // Its keys are good, and see what they saw.
    let ana = rest.with_key(told["key"].as_str());
    assert_eq!(ana.get("/api/me").await.expect(200)["name"], "ana");
    assert_eq!(ana.get("/api/flows").await.expect(200)["total"], 1);

    // What was pending is ended, its flows run, and what is deleted is counted.
    let pending = format!("/api/executions/{}", told["pending"].as_str().unwrap());
    rest.patch(&pending, &json!({"status": "fulfilled", "outputs": {"at": "last"}})).await.expect(200);
    let flows = rest.get("/api/flows?q=order").await.expect(200);
    let flow = flows["items"][0]["id"].as_str().unwrap();
    let ran =
        rest.post(&format!("/api/flows/{flow}/run"), &json!({"params": {"order": "A-9"}})).await.expect(200);
    assert_eq!(ran["outputs"], json!({"order": "A-9", "n": 1.5}));
    let deleted = rest.delete(&format!("/api/flows/{flow}/executions?status=error")).await.expect(200);
    assert_eq!(deleted["deleted"], 1);
    let (stats, was) = (rest.get("/api/executions/stats").await.expect(200), &told["stats"]);
    let count = |figures: &Value, name: &str| figures[name].as_i64().unwrap();
    assert_eq!(count(&stats, "pending"), count(was, "pending") - 1);
    assert_eq!(count(&stats, "fulfilled"), count(was, "fulfilled") + 2);
    assert_eq!(count(&stats, "error"), count(was, "error") - 1);
    assert_eq!(stats["rejected"], 0);
}

/// Flows that use secrets as the first edition let them are still there and active. The nodes that do so fail.
#[tokio::test]
async fn what_the_first_edition_let_flows_do_with_secrets_is_forbidden() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("flowtrail.db"), unpacked("secrets.db.gz")).unwrap();
    let settings = "allow_private_addresses = true\n[secrets]\nSHOP = \"planted-configured-value/1\"\n";
    let file = folder.path().join("flowtrail.toml");
    std::fs::write(&file, settings).unwrap();
    let server = TestProcess::start(binary(), folder.path(), &["--config", file.to_str().unwrap()]);
    let rest = server.rest();
    let flows = rest.get("/api/flows").await.expect(200);
    assert_eq!(flows["total"], 4);
    let mut told = Vec::new();
    for flow in flows["items"].as_array().unwrap() {
        assert_eq!(flow["active"], true, "{flow}");
        let ran = rest.post(&format!("/api/flows/{}/run", flow["id"].as_str().unwrap()), &json!({})).await;
        let ran = ran.expect(200);
        let message = ran["errorInfo"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(!ran.to_string().contains("planted-configured"), "{ran}");
        told.push((flow["toolName"].as_str().unwrap().to_owned(), ran["errorInfo"]["kind"].clone(), message));
    }
    let of = |name: &str| told.iter().find(|(tool, ..)| tool == name).unwrap();
    for (name, rule) in [("shows", "may not stand here"), ("of_ana", "may be used only by administrators")] {
        let (_, kind, message) = of(name);
        assert_eq!(kind, "forbidden", "{name}: {message}");
        assert!(message.contains("the secret SHOP") && message.contains(rule), "{name}: {message}");
    }
    // That of an administrator is sent: nobody listens there.
    assert_eq!(of("sends").1, "network", "{told:?}");
    assert_eq!(of("holds").1, Value::Null, "{told:?}");
}
