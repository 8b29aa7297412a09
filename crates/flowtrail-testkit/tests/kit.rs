//! The kit does what it promises to other people's tests.

use flowtrail_testkit::{Era, TestServer, assert_execution, flow, sqlite_store};
use serde_json::json;

#[tokio::test]
async fn a_server_is_there_in_a_line_and_gone_when_dropped() {
    let server = TestServer::start().await;
    server.create(&flow("Greet").text("name").returns("Hello {{ ask.name }}")).await;
    let answer = server.mcp(Era::Stateless).await.call("greet", json!({"name": "Ana"})).await;
    assert_eq!(answer.text(), "Hello Ana");
    let execution = server.execution(answer.execution_id()).await;
    assert_execution(&execution)
        .has_status("fulfilled")
        .has_nodes(&[("say", "completed"), ("ask", "completed")]);
    let (base, folder) = (server.base().to_owned(), server.data_dir().to_owned());
    drop(server);
    assert!(flowtrail_testkit::Rest::new(&base, None).try_post("/healthz", &json!({})).await.is_none());
    assert!(!folder.exists());
}

#[test]
fn an_assertion_that_fails_shows_the_execution() {
    let execution =
        json!({"status": "error", "nodeExecutions": [], "errorInfo": {"kind": "failed", "nodeId": null}});
    assert_execution(&execution).has_status("error").failed("failed", None);
    let failed =
        std::panic::catch_unwind(|| assert_execution(&execution).has_status("fulfilled")).unwrap_err();
    let message = failed.downcast_ref::<String>().unwrap();
    assert!(message.contains("\"fulfilled\"") && message.contains("\"kind\": \"failed\""), "{message}");
}

#[test]
fn a_store_is_there_in_a_line() {
    let store = sqlite_store();
    assert!(store.folder().join("flowtrail.db").is_file());
}
