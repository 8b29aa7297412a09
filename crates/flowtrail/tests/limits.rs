//! Limits on what clients send, each with its own error.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use flowtrail_testkit::{TestServer, http_client};
use serde_json::{Value, json};

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
