//! A disk without room, as a small file system in memory that only the server's own processes see.

use std::path::Path;

use flowtrail_testkit::{Rest, TestProcess};
use serde_json::json;

use super::{binary, run};

/// Starts a server on a disk of 6 MiB in a name space of its own, after a command that may fill it.
fn start(folder: &Path, before: &str) -> TestProcess {
    let script = format!(
        "mount -t tmpfs -o size=6m tmpfs '{0}' && {before}; exec '{1}' serve --data-dir '{0}'",
        folder.display(),
        binary().display()
    );
    TestProcess::start_as(Path::new("unshare"), &["--map-root-user", "--mount", "sh", "-c", &script])
}

/// Records until the disk is full, and returns how many records fitted.
async fn fill(rest: &Rest, address: &str) -> usize {
    // Noise, which no compression makes smaller.
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:016x}", state ^ (state >> 29))
    };
    for recorded in 0..500 {
        let outputs: String = (0..6_000).map(|_| noise()).collect();
        let answer = rest.post(address, &json!({"status": "fulfilled", "outputs": outputs})).await;
        if answer.status != 201 {
            let message = answer.expect_error(507, "storage_full");
            assert_eq!(message, "the server's disk is full");
            return recorded;
        }
    }
    panic!("the disk is never full");
}

async fn external(rest: &Rest) -> String {
    let flow = rest.post("/api/flows", &json!({"name": "Elsewhere", "kind": "external"})).await.expect(201);
    format!("/api/flows/{}/executions", flow["id"].as_str().unwrap())
}

#[tokio::test]
async fn on_a_full_disk_reading_deleting_and_logging_in_work() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), "true");
    let rest = server.rest();
    rest.get("/readyz").await.expect(200);
    let address = external(&rest).await;
    let recorded = fill(&rest, &address).await;
    assert!(recorded > 20, "the log leaves room for records: {recorded}");
    let message = rest.get("/readyz").await.expect_error(503, "unavailable");
    assert!(message.starts_with("not ready: the disk is full"), "{message}");

    assert_eq!(rest.get(&address).await.expect(200)["total"], recorded);
    rest.post("/api/session", &json!({"key": server.key()})).await.expect(201);
    let key = rest.post("/api/keys", &json!({"name": "another"})).await.expect(201);
    rest.delete(&format!("/api/keys/{}", key["id"].as_str().unwrap())).await.expect(204);
    let pruned = rest.post(&format!("{address}/prune"), &json!({"keep": 5})).await.expect(200);
    assert_eq!(pruned["deleted"], recorded - 5);

    // What was deleted is room for records.
    rest.post(&address, &json!({"status": "fulfilled"})).await.expect(201);
    rest.get("/readyz").await.expect(200);
}

#[tokio::test]
async fn a_server_that_begins_on_a_full_disk_shows_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let server = TestProcess::start(binary(), &kept, &[]);
    let address = external(&server.rest()).await;
    let recorded = server.rest().post(&address, &json!({"status": "fulfilled"})).await.expect(201);
    let copy = folder.path().join("copy.db");
    assert!(run(&kept, &["backup", copy.to_str().unwrap()]).status.success());
    server.kill();
    // The database of before, of which nothing is kept in reserve, on a disk that something else has filled.
    let before = format!(
        "cp '{}' '{1}/flowtrail.db' && dd if=/dev/zero of='{1}/filler' bs=4096 2>/dev/null",
        copy.display(),
        disk.display()
    );
    let server = start(&disk, &before);
    let rest = server.rest();
    let shown = rest.get(&format!("/api/executions/{}", recorded["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(shown["status"], "fulfilled");
    rest.post(&address, &json!({"status": "fulfilled"})).await.expect_error(507, "storage_full");
    let message = rest.get("/readyz").await.expect_error(503, "unavailable");
    assert!(message.contains("which only reads since: start it again when there is room"), "{message}");
}
