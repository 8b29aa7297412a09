//! A PostgreSQL that takes what it is sent and does not answer.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flowtrail_store_diesel::testing::{PostgresServer, test_server};
use flowtrail_testkit::TestProcess;
use serde_json::json;

use super::binary;

/// Runs statements, each by itself.
fn psql(url: &str, statements: &[&str]) {
    let mut psql = Command::new("psql");
    psql.args(["--no-psqlrc", "--quiet", "--tuples-only", url]);
    for statement in statements {
        psql.args(["--command", statement]);
    }
    assert!(psql.stdout(Stdio::null()).status().expect("psql starts").success());
}

/// From now on commits wait for a copy that is not there.
fn hang(url: &str) {
    psql(url, &["ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()"]);
}

/// From now on they do not.
fn go_on(url: &str) {
    psql(url, &["ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"]);
}

/// PostgreSQL says that such a commit is done. Only the main server may have it, and lose it.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_which_the_wait_for_the_copy_was_cancelled_is_not_acknowledged() {
    let Some(postgres) = test_server(PostgresServer::builder()) else { return };
    let database = postgres.create_database().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = TestProcess::start(binary(), folder.path(), &["--database-url", database.url()]);
    let rest = server.rest();
    let flow = rest.post("/api/flows", &json!({"name": "Elsewhere", "kind": "external"})).await.expect(201);
    let address = format!("/api/flows/{}/executions", flow["id"].as_str().unwrap());
    let report = json!({"id": "019aca3c-0000-7000-8000-000000000001", "status": "fulfilled"});

    hang(database.url());
    let cancelling = async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let waits = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
            psql(database.url(), &[waits]);
        }
    };
    // The first ones may go before the server has heard of it.
    let unanswered = async {
        loop {
            let answer = rest.post(&address, &report).await;
            if answer.status >= 300 {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let first = tokio::time::timeout(Duration::from_secs(30), async {
        tokio::select! {
            answer = unanswered => answer,
            () = cancelling => unreachable!("it goes on for ever"),
        }
    });
    let unknown = first.await.expect("it is answered").expect(503);
    assert_eq!(unknown["code"], "unavailable", "{unknown}");

    go_on(database.url());
    let made = async {
        while rest.post(&address, &report).await.status >= 300 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), made).await.expect("it is recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_answered_and_the_server_is_not_ready_and_can_end() {
    let Some(postgres) = test_server(PostgresServer::builder()) else { return };
    let database = postgres.create_database().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = TestProcess::start(binary(), folder.path(), &["--database-url", database.url()]);
    let rest = server.rest();
    let flow = rest.post("/api/flows", &json!({"name": "Elsewhere", "kind": "external"})).await.expect(201);
    let address = format!("/api/flows/{}/executions", flow["id"].as_str().unwrap());
    let report = json!({"status": "fulfilled"});
    rest.post(&address, &report).await.expect(201);
    rest.get("/readyz").await.expect(200);

    hang(database.url());
    let begun = Instant::now();
    let post = || {
        let (rest, address, report) = (rest.clone(), address.clone(), report.clone());
        tokio::spawn(async move { rest.post(&address, &report).await })
    };
    // The first ones may go before the server has heard of it.
    let sent = loop {
        let mut sent = post();
        if tokio::time::timeout(Duration::from_millis(500), &mut sent).await.is_err() {
            break sent;
        }
    };
    let not_ready = async {
        while rest.get("/readyz").await.status != 503 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(8), not_ready).await.expect("it is not ready");
    let waiting = post();
    let unknown = sent.await.unwrap().expect(503);
    assert_eq!(unknown["code"], "unavailable", "{unknown}");
    assert!(unknown["message"].as_str().unwrap().contains("is not known"), "{unknown}");
    let busy = waiting.await.unwrap().expect(503);
    assert_eq!((&busy["code"], &busy["id"]), (&json!("busy"), &json!(null)), "{busy}");
    assert!(begun.elapsed() < Duration::from_secs(60), "nobody waits for the copy");

    // The same again under the id of the answer is the same record.
    go_on(database.url());
    let mut again = report.clone();
    again["id"] = unknown["id"].clone();
    let made = async {
        loop {
            let answer = rest.post(&address, &again).await;
            if answer.status < 300 {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), made).await.expect("it is recorded");
    let shown = rest.get(&format!("/api/executions/{}", unknown["id"].as_str().unwrap())).await;
    assert_eq!(shown.expect(200)["status"], "fulfilled");

    // A server whose database does not answer ends all the same.
    hang(database.url());
    let stuck = async {
        while rest.get("/readyz").await.status != 503 {
            let _ = tokio::time::timeout(Duration::from_millis(200), rest.post(&address, &report)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), stuck).await.expect("it waits again");
    let told = Command::new("kill").arg(server.id().to_string()).status().unwrap();
    assert!(told.success());
    let ended = tokio::task::spawn_blocking(move || server.wait());
    let code = tokio::time::timeout(Duration::from_secs(40), ended).await.expect("it ends").unwrap();
    assert_eq!(code, Some(0));
    // Its commit would keep PostgreSQL from ending.
    go_on(database.url());
}
