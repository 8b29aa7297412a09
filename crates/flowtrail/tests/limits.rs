//! Limits on what clients send, each with its own error.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use flowtrail_testkit::{TestServer, http_client};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_login_takes_16_kib() {
    let server = TestServer::start().await;
    let log_in = async |body: Vec<u8>, coding: &str| {
        let request = http_client().post(format!("{}/api/session", server.base()));
        let answer = request.header("content-encoding", coding).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let sized = |size: usize| {
        let mut body = json!({"key": server.key()}).to_string().into_bytes();
        body.resize(size, b' ');
        body
    };
    assert_eq!(log_in(sized(16 << 10), "identity").await.0, 201);
    assert_eq!(log_in(gzip(&sized(16 << 10)), "gzip").await.0, 201);
    for (body, coding) in [(sized((16 << 10) + 1), "identity"), (gzip(&sized(64 << 20)), "gzip")] {
        let (status, error) = log_in(body, coding).await;
        assert_eq!((status, &error["code"]), (413, &json!("too_large")), "{coding}: {error}");
        assert!(error["message"].as_str().unwrap().contains("16384 bytes"), "{error}");
    }
}

/// A server with 64 MiB for requests, of which each user may have a half.
async fn small_server() -> TestServer {
    TestServer::builder().settings(|settings| settings.memory = Some("64MiB".parse().unwrap())).start().await
}

#[tokio::test]
async fn a_body_whose_tree_exceeds_the_share_is_too_large() {
    let server = small_server().await;
    let flow = server.rest().post("/api/flows", &json!({"name": "F", "kind": "external"})).await.expect(201);
    let url = format!("{}/api/flows/{}/executions", server.base(), flow["id"].as_str().unwrap());
    let zeros = format!("{{\"status\": \"fulfilled\", \"outputs\": [{}0]}}", "0,".repeat(1 << 19));
    for (body, coding) in [(zeros.clone().into_bytes(), "identity"), (gzip(zeros.as_bytes()), "gzip")] {
        let request = http_client().post(&url).bearer_auth(server.key()).header("content-encoding", coding);
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), 413, "{coding}");
        let error: Value = answer.json().await.unwrap();
        assert!(error["message"].as_str().unwrap().contains("your share of 32 MiB"), "{error}");
    }
    let text = json!({"status": "fulfilled", "outputs": "x".repeat(8 << 20)});
    server.rest().post(&url[server.base().len()..], &text).await.expect(201);
}

#[tokio::test]
async fn bodies_under_way_have_a_share_for_each_user() {
    let server = small_server().await;
    let other = server.user("Ann").await;
    let flow = json!({"name": "Own", "kind": "external"});
    let flow = other.rest.post("/api/flows", &flow).await.expect(201);
    let address = server.base().strip_prefix("http://").unwrap();
    let mut uploads = Vec::new();
    for _ in 0..2 {
        let mut upload = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "POST /api/flows HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
            server.key(),
            15 << 20
        );
        upload.write_all(head.as_bytes()).await.unwrap();
        upload.write_all(&vec![b' '; 9 << 20]).await.unwrap();
        uploads.push(upload);
    }
    let reserved = async || {
        let request = http_client().get(format!("{}/metrics", server.base())).bearer_auth(server.key());
        let text = request.send().await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("flowtrail_memory_reserved_bytes "));
        line.unwrap().parse::<usize>().unwrap()
    };
    while reserved().await < 18 << 20 {
        tokio::task::yield_now().await;
    }
    let large = json!({"status": "fulfilled", "outputs": "x".repeat(6 << 20)});
    let path = format!("/api/flows/{}/executions", flow["id"].as_str().unwrap());
    let refused = server.rest().post(&path, &large).await;
    refused.expect_error(429, "share_used");
    other.rest.post(&path, &large).await.expect(201);
    drop(uploads);
    while reserved().await > 0 {
        tokio::task::yield_now().await;
    }
    server.rest().post(&path, &large).await.expect(201);
}
