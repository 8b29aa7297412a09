//! What a flow is told of a server that does not answer as it should, over HTTP.

use flowtrail_mcp::UpstreamCaller;
use flowtrail_mcp::proxy::{Reach, Target, Upstream};
use flowtrail_runner::{TraceContext, UpstreamCall, UpstreamError, Upstreams};
use flowtrail_types::{ErrorKind, ExecutionId};
use serde_json::Map;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Calls a tool of the server at this address.
async fn called_at(url: &str) -> UpstreamError {
    let target = Target::new(url, []).unwrap();
    let caller = UpstreamCaller::new([Upstream::new("shop", Reach::Url(target)).unwrap()]);
    let execution: ExecutionId = "01900000-0000-7000-8000-000000000001".parse().unwrap();
    let trace = TraceContext::default();
    let call = UpstreamCall { upstream: "shop", tool: "find", arguments: Map::new(), execution, trace };
    caller.call(call).await.expect_err("the server gives no answer")
}

/// Calls a tool of a server that answers every request so.
async fn called(status: &'static str, kind: &'static str, body: &'static str) -> UpstreamError {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            if stream.read(&mut request).await.is_ok() {
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                );
                drop(stream.write_all(answer.as_bytes()).await);
            }
        }
    });
    let error = called_at(&format!("http://127.0.0.1:{port}/mcp")).await;
    server.abort();
    error
}

#[tokio::test]
async fn answers_that_are_not_mcp_are_told_in_plain_words() {
    for (status, kind, body, expected) in [
        (
            "404 Not Found",
            "application/json",
            r#"{"detail": "no route"}"#,
            "HTTP 404 Not Found: no route; check the upstream's address",
        ),
        (
            "401 Unauthorized",
            "text/plain",
            "who are you",
            "HTTP 401 Unauthorized: who are you; check the credentials",
        ),
        ("503 Service Unavailable", "text/plain", "", "HTTP 503 Service Unavailable; see the server's log"),
        ("200 OK", "text/html", "<p>hello", "answered with text/html, not with MCP: check its address"),
    ] {
        let error = called(status, kind, body).await;
        assert!(error.message.contains(expected), "{status}: {}", error.message);
        for leaked in ["Transport", "rmcp", "Error", "Some(", "::"] {
            assert!(!error.message.contains(leaked), "{status}: {}", error.message);
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_may_be_there_later() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = called_at(&format!("http://127.0.0.1:{port}/mcp")).await;
    assert_eq!((error.kind, error.is_transient), (ErrorKind::Network, true));
    assert!(error.message.starts_with("the server cannot be reached: "), "{}", error.message);
}
