//! Sessions of MCP clients: their owners, their number and their lifetime.

use flowtrail_testkit::{TestServer, http_client};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const INITIALIZE: &str = r#"{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
    "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}}"#;

/// A client of 2025-11-25 that writes its own requests.
struct Client<'s> {
    server: &'s TestServer,
    key: String,
}

impl Client<'_> {
    fn request(&self, method: reqwest::Method, session: Option<&str>) -> reqwest::RequestBuilder {
        let url = format!("{}/mcp", self.server.base());
        let request = http_client().request(method, url).bearer_auth(&self.key);
        let request = request.header("content-type", "application/json");
        let request = request.header("accept", "application/json, text/event-stream");
        match session {
            Some(session) => request.header("mcp-session-id", session),
            None => request,
        }
    }

    async fn post(&self, session: Option<&str>, message: &Value) -> reqwest::Response {
        self.request(reqwest::Method::POST, session).body(message.to_string()).send().await.unwrap()
    }

    async fn initialize(&self) -> reqwest::Response {
        self.request(reqwest::Method::POST, None).body(INITIALIZE).send().await.unwrap()
    }

    async fn open(&self) -> String {
        let answer = self.initialize().await;
        assert_eq!(answer.status(), 200);
        let session = answer.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(self.post(Some(&session), &initialized).await.status(), 202);
        session
    }

    /// The status of a request in a session.
    async fn status(&self, session: &str) -> u16 {
        let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
        self.post(Some(session), &list).await.status().as_u16()
    }

    async fn listen(&self, session: &str) -> reqwest::Response {
        let stream = self.request(reqwest::Method::GET, Some(session)).send().await.unwrap();
        assert_eq!(stream.status(), 200);
        stream
    }
}

#[tokio::test]
async fn a_session_belongs_to_its_user_however_many_follow() {
    let server = TestServer::start().await;
    let (ann, ben) = (server.user("Ann").await, server.user("Ben").await);
    let (ann, ben) = (Client { server: &server, key: ann.key }, Client { server: &server, key: ben.key });
    let first = ann.open().await;
    assert_eq!((ann.status(&first).await, ben.status(&first).await), (200, 404));
    let kept = ann.open().await;
    let stream = ann.listen(&kept).await;
    for _ in 0..99 {
        ann.open().await;
    }
    // The first one made room: it is nobody's now.
    assert_eq!((ann.status(&first).await, ben.status(&first).await), (404, 404));
    assert_eq!((ann.status(&kept).await, ben.status(&kept).await), (200, 404), "a stream keeps a session");
    assert_eq!(ben.status("no-such-session").await, 404);
    assert_eq!(ben.status(&ben.open().await).await, 200, "others have room of their own");
    drop(stream);
    let ended = ann.request(reqwest::Method::DELETE, Some(&kept)).send().await.unwrap();
    assert!(ended.status().is_success());
    assert_eq!(ann.status(&kept).await, 404);
}

#[tokio::test]
async fn clients_that_hang_up_leave_no_more_sessions_than_the_limit() {
    let server = TestServer::start().await;
    let address = server.base().strip_prefix("http://").unwrap();
    let body = INITIALIZE.to_string();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
        server.key(),
        body.len()
    );
    for _ in 0..300 {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(request.as_bytes()).await.unwrap();
    }
    let sessions = async || {
        let request = http_client().get(format!("{}/metrics", server.base())).bearer_auth(server.key());
        let text = request.send().await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("flowtrail_mcp_sessions "))?;
        line.parse::<usize>().ok()
    };
    // All of the user's sessions may still be opening.
    let client = Client { server: &server, key: server.key().to_owned() };
    while client.initialize().await.status() != 200 {
        tokio::task::yield_now().await;
    }
    // They end in the background.
    while sessions().await.is_none_or(|sessions| sessions > 100) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_user_with_every_session_in_use_is_told_to_wait() {
    let server = TestServer::start().await;
    let client = Client { server: &server, key: server.key().to_owned() };
    let mut streams = Vec::new();
    for _ in 0..100 {
        streams.push(client.listen(&client.open().await).await);
    }
    let refused = client.initialize().await;
    assert_eq!(
        (refused.status(), refused.headers().contains_key("retry-after")),
        (503.try_into().unwrap(), true)
    );
    let error: Value = refused.json().await.unwrap();
    assert!(error["message"].as_str().unwrap().contains("100 of your MCP sessions"), "{error}");
    streams.pop();
    // The server learns of a closed connection when it does.
    while client.initialize().await.status() != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_idle_session_ends_and_one_with_a_stream_does_not() {
    let server = TestServer::builder()
        .settings(|settings| settings.mcp_session_idle = Some("1s".parse().unwrap()))
        .start()
        .await;
    let client = Client { server: &server, key: server.key().to_owned() };
    let (idle, listening) = (client.open().await, client.open().await);
    let stream = client.listen(&listening).await;
    let started = std::time::Instant::now();
    let mut looks = tokio::time::interval(std::time::Duration::from_millis(1_200));
    for _ in 0..2 {
        looks.tick().await;
    }
    assert!(started.elapsed() >= std::time::Duration::from_secs(1));
    assert_eq!((client.status(&idle).await, client.status(&listening).await), (404, 200));
    drop(stream);
}
