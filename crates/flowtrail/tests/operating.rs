//! What surrounds requests: ids, figures, limits, tags, packing, and pages of other origins.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroU32;

use flowtrail_testkit::{TestServer, flow};
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

fn client() -> Client {
    flowtrail_testkit::http_client()
}

fn request(server: &TestServer, method: Method, path: &str) -> RequestBuilder {
    client().request(method, format!("{}{path}", server.base())).bearer_auth(server.key())
}

async fn answered(request: RequestBuilder) -> (u16, HeaderMap, Vec<u8>) {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, headers, answer.bytes().await.unwrap().to_vec())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// What is answered to bytes that no client library would send.
fn raw(server: &TestServer, bytes: &[u8]) -> String {
    let address = server.base().strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // The server may hang up before it has read everything.
    let _ = connection.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn every_answer_has_an_id_and_the_headers_that_keep_browsers_safe() {
    let server = TestServer::start().await;
    let mut ids = Vec::new();
    for (path, status) in
        [("/healthz", 200), ("/api/me", 200), ("/", 200), ("/nothing", 404), ("/api/flows?x=1", 400)]
    {
        let (answer, headers, _) = answered(request(&server, Method::GET, path)).await;
        assert_eq!(answer, status, "{path}");
        assert_eq!(text(&headers, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(text(&headers, "x-frame-options"), "DENY", "{path}");
        assert_eq!(text(&headers, "referrer-policy"), "no-referrer", "{path}");
        // The page itself holds nothing of anybody's.
        let kept = if path == "/" { "no-cache" } else { "no-store" };
        assert!(text(&headers, "cache-control").contains(kept), "{path}");
        ids.push(text(&headers, "x-request-id").to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5, "{ids:?}");
    let named = request(&server, Method::GET, "/api/me").header("x-request-id", "of-the-client");
    assert_eq!(text(&answered(named).await.1, "x-request-id"), "of-the-client");
}

#[tokio::test]
async fn an_execution_that_has_not_changed_is_not_sent_again() {
    let server = TestServer::start().await;
    let made =
        server.rest().post("/api/flows", &json!({"name": "Nightly", "kind": "external"})).await.expect(201);
    let list = format!("/api/flows/{}/executions", made["id"].as_str().unwrap());
    let started = server.rest().post(&list, &json!({})).await.expect(201);
    let path = format!("/api/executions/{}", started["id"].as_str().unwrap());
    let (status, headers, body) = answered(request(&server, Method::GET, &path)).await;
    assert_eq!((status, text(&headers, "cache-control")), (200, "private, no-cache"));
    let tag = text(&headers, "etag").to_owned();
    let again = |tag: &str| request(&server, Method::GET, &path).header("if-none-match", tag);
    for known in [tag.clone(), tag.replace("W/", ""), format!("\"other\", {tag}"), "*".to_owned()] {
        let (status, headers, body) = answered(again(&known)).await;
        assert_eq!((status, body.len(), text(&headers, "etag")), (304, 0, tag.as_str()), "{known}");
    }
    assert_eq!(answered(again("\"other\"")).await.2, body);
    let other = request(&server, Method::GET, &format!("{path}?data=none")).header("if-none-match", &tag);
    assert_eq!(answered(other).await.0, 200, "it is another answer");
    server.rest().patch(&path, &json!({"status": "fulfilled"})).await.expect(200);
    assert_eq!(answered(again(&tag)).await.0, 200);
}

#[tokio::test]
async fn bodies_travel_packed_both_ways() {
    let server = TestServer::start().await;
    let made =
        server.rest().post("/api/flows", &json!({"name": "Nightly", "kind": "external"})).await.expect(201);
    let list = format!("/api/flows/{}/executions", made["id"].as_str().unwrap());
    let pack = |plain: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(plain.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let body = json!({"status": "fulfilled", "outputs": {"text": "ha".repeat(5_000)}}).to_string();
    let sent = request(&server, Method::POST, &list).header("content-encoding", "gzip").body(pack(&body));
    assert_eq!(answered(sent).await.0, 201);
    let line = json!({"flowId": made["id"], "status": "fulfilled"}).to_string();
    let lines = [line.as_str(), "no json", line.as_str()].join("\n");
    let batch = request(&server, Method::POST, "/api/executions/batch");
    let (_, _, told) = answered(batch.header("content-encoding", "gzip").body(pack(&lines))).await;
    let told: Vec<Value> =
        String::from_utf8(told).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let statuses: Vec<&Value> = told.iter().map(|line| &line["status"]).collect();
    assert_eq!(statuses, ["created", "invalid", "created"]);

    // A bomb is refused by the size of what comes out of it.
    let bomb = pack(&format!("{{\"name\": \"{}\"}}", " ".repeat(40 << 20)));
    let sent = request(&server, Method::POST, "/api/flows").header("content-encoding", "gzip").body(bomb);
    assert_eq!(answered(sent).await.0, 413);
    for (name, value) in [("content-encoding", "br"), ("content-type", "application/xml")] {
        let sent = request(&server, Method::POST, "/api/flows").header(name, value).body("{}");
        let (status, _, body) = answered(sent).await;
        assert_eq!(status, 415, "{}", String::from_utf8_lossy(&body));
    }

    let page = request(&server, Method::GET, &list).header("accept-encoding", "gzip");
    let (status, headers, packed) = answered(page).await;
    assert_eq!((status, text(&headers, "content-encoding")), (200, "gzip"));
    let mut plain = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut plain).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&plain).unwrap()["total"], 3);
}

#[tokio::test]
async fn a_key_that_asks_too_often_is_told_when_it_may_again() {
    let server =
        TestServer::builder().settings(|settings| settings.rate_limit = NonZeroU32::new(1)).start().await;
    let other = server.tracker().clone();
    let mut statuses = Vec::new();
    for _ in 0..20 {
        let (status, headers, body) = answered(request(&server, Method::GET, "/api/me")).await;
        if status == 429 {
            let wait: u32 = text(&headers, "retry-after").parse().unwrap();
            assert!((1..=2).contains(&wait), "{wait}");
            assert!(String::from_utf8_lossy(&body).contains("rate_limited"));
        }
        statuses.push(status);
    }
    assert_eq!(statuses[0], 200);
    assert!(statuses.contains(&429), "{statuses:?}");
    // Another key has its own count, and who needs no key is not counted.
    let me = other.local_administrator().unwrap();
    let key = other.create_key(&me, "other", None, None).unwrap().secret;
    server.rest().with_key(Some(&key)).get("/api/me").await.expect(200);
    for _ in 0..20 {
        server.rest().get("/healthz").await.expect(200);
    }
}

#[tokio::test]
async fn figures_tell_what_the_server_does() {
    let server = TestServer::start().await;
    server.create(&flow("Greet").text("name").returns("Hello {{ ask.name }}")).await;
    let client = server.mcp(flowtrail_testkit::Era::Stateless).await;
    client.call("greet", json!({"name": "Ana"})).await;
    server.rest().get("/api/flows/no-id").await.expect(404);
    let (status, headers, body) = answered(request(&server, Method::GET, "/metrics")).await;
    let figures = String::from_utf8(body).unwrap();
    assert_eq!(status, 200, "{figures}");
    assert!(text(&headers, "content-type").starts_with("application/openmetrics-text"));
    for line in [
        "flowtrail_started_executions_total{source=\"mcp\"} 1",
        "flowtrail_ended_executions_total{status=\"fulfilled\"} 1",
        "flowtrail_stored_executions{status=\"fulfilled\"} 1",
        "flowtrail_queue_commands 0",
        "flowtrail_running_executions 0",
        "flowtrail_http_requests_total{method=\"POST\",route=\"/api/flows\",status=\"201\"} 1",
        "flowtrail_http_requests_total{method=\"GET\",route=\"/api/flows/{flow_id}\",status=\"404\"} 1",
        "# TYPE flowtrail_commit_seconds histogram",
        "# EOF",
    ] {
        assert!(figures.lines().any(|known| known == line), "{line} is not in\n{figures}");
    }
    let count = |name: &str| {
        let line = figures.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}"));
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    // The client asks for progress: it is told of what is there already.
    assert!(count("flowtrail_batch_commands_count ") >= 2.0);
    assert!(count("flowtrail_batch_commands_bucket{le=\"+Inf\"}") >= 2.0);
    assert!(count("flowtrail_database_connections{state=\"idle\"}") >= 1.0);
    assert_eq!(figures.matches("# EOF").count(), 1);
}

#[tokio::test]
async fn pages_of_other_origins_are_let_in_by_name() {
    let page = "https://app.example";
    let server = TestServer::builder()
        .settings(|settings| settings.allowed_origins = Some(vec![format!("{page}/")]))
        .start()
        .await;
    let ask = |origin: &str| request(&server, Method::GET, "/api/me").header("origin", origin);
    let (status, headers, _) = answered(ask(page)).await;
    assert_eq!((status, text(&headers, "access-control-allow-origin")), (200, page));
    let (status, headers, _) = answered(ask("https://evil.example")).await;
    assert_eq!((status, text(&headers, "access-control-allow-origin")), (200, ""));
    let preflight = client()
        .request(Method::OPTIONS, format!("{}/api/executions", server.base()))
        .header("origin", page)
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization,last-event-id");
    let (status, headers, _) = answered(preflight).await;
    assert_eq!((status, text(&headers, "access-control-allow-origin")), (200, page));
    assert!(text(&headers, "access-control-allow-headers").to_lowercase().contains("authorization"));
    assert_eq!(text(&headers, "access-control-allow-credentials"), "", "cookies stay at home");
    // Without any that are allowed, nobody is.
    let closed = TestServer::start().await;
    let (_, headers, _) = answered(request(&closed, Method::GET, "/api/me").header("origin", page)).await;
    assert_eq!(text(&headers, "access-control-allow-origin"), "");
}

#[tokio::test]
async fn requests_that_no_client_would_send_get_an_answer() {
    let server = TestServer::start().await;
    let key = server.key();
    let long = "x".repeat(200_000);
    for (bytes, expected) in [
        (format!("GET /api/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"), "401"),
        (format!("GET /api/flows/%00 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"), "404"),
        (format!("GET /api/flows/../../etc/passwd HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"), "404"),
        (format!("GET /api/me HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\nconnection: close\r\n\r\n"), "4"),
        (format!("GET /{long} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"), "4"),
        ("POST /api/flows HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 7\r\nconnection: close\r\n\r\n{}".to_owned(), "400"),
        ("nonsense\r\n\r\n".to_owned(), "400"),
    ] {
        let answer = raw(&server, bytes.as_bytes());
        let shown: String = bytes.chars().take(80).collect();
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{shown:?} was answered with {answer:.300}");
    }
    // It lives on.
    server.rest().get("/healthz").await.expect(200);
}
