//! `ApiCall` against a server of the test's own.

mod support;

use std::collections::BTreeMap;

use flowtrail_runner::{RunnerOptions, Secrets};
use serde_json::{Value, json};
use support::{Answer, Received, Server, World, failure, file, nothing, output_of, statuses};

async fn shop() -> Server {
    Server::start(|request: Received| async move {
        match request.line.split(['?', ' ']).nth(1).unwrap_or_default() {
            "/json" => Answer::json(r#"{"id": 7, "big": 18446744073709551615}"#),
            "/text" => Answer::text("héllo"),
            "/empty" => Answer::with("204 No Content", "", ""),
            "/broken" => Answer::with("200 OK", "content-type: application/json", "{oops"),
            "/binary" => Answer::Full("200 OK", "content-type: image/png".to_owned(), vec![0x89, 0x50, 0xff]),
            "/headers" => Answer::with("200 OK", "X-Many: a\r\nX-Many: b\r\nSet-Cookie: session=1", ""),
            "/missing" => Answer::with("404 Not Found", "content-type: text/plain", "no such order"),
            "/large" => Answer::text(&"x".repeat(3000)),
            "/never" => Answer::Never,
            "/there" => Answer::redirect("302 Found", "/json"),
            "/kept" => Answer::redirect("307 Temporary Redirect", "/json"),
            "/round" => Answer::redirect("302 Found", "/round"),
            "/file" => Answer::redirect("302 Found", "file:///etc/passwd"),
            _ => Answer::with("500 Internal Server Error", "", ""),
        }
    })
    .await
}

fn api(parameters: Value) -> Value {
    file(&[("call", "ApiCall", parameters)], "ask>call")
}

fn get(url: impl Into<String>) -> Value {
    api(json!({"method": "GET", "url": url.into()}))
}

#[tokio::test]
async fn answers_become_outputs() {
    let (world, server) = (World::new(), shop().await);
    for (path, expected) in [
        ("/json", json!({"id": 7, "big": u64::MAX})),
        ("/text", json!("héllo")),
        ("/empty", json!("")),
        ("/broken", json!("{oops")),
        ("/binary", json!("iVD/")),
        ("/there", json!({"id": 7, "big": u64::MAX})),
    ] {
        let finished = world.run(&get(server.url(path)), nothing()).await;
        assert_eq!(finished.outputs["call"]["body"], expected, "{path}");
    }
    let finished = world.run(&get(server.url("/binary")), nothing()).await;
    assert_eq!(finished.outputs["call"]["bodyEncoding"], json!("base64"));
    let finished = world.run(&get(server.url("/headers?q=1")), nothing()).await;
    let output = &finished.outputs["call"];
    assert_eq!(output["status"], json!(200));
    assert_eq!(output["headers"]["x-many"], json!("a, b"));
    assert_eq!(output["headers"].get("set-cookie"), None);
    assert_eq!(output["url"], json!(server.url("/headers")));
    assert!(output["durationMs"].is_u64());
}

#[tokio::test]
async fn requests_are_what_the_parameters_say() {
    let server = shop().await;
    let secrets = Secrets::new(BTreeMap::from([("SHOP".to_owned(), "hunter2".to_owned())]));
    let world = World::with(RunnerOptions { secrets, allow_private_addresses: true, ..World::options() });
    let parameters = json!({
        "method": "post",
        "url": server.url("/json?a=1"),
        "headers": {"Authorization": "Bearer {{ secrets.SHOP }}", "X-Count": 3},
        "query": {"q": "a b&c", "n": 2, "list": ["x", "y"], "no": null},
        "body": {"order": "{{ ask }}", "rush": true},
    });
    world.run(&api(parameters), nothing()).await;
    let text = json!({"method": "PUT", "url": server.url("/json"), "body": "n={{ 1 + 1 }}"});
    world.run(&api(text), nothing()).await;
    let received = server.received();
    assert_eq!(received[0].line, "POST /json?a=1&q=a+b%26c&n=2&list=x&list=y");
    assert_eq!(received[0].body, r#"{"order":{},"rush":true}"#);
    for header in ["authorization: bearer hunter2", "x-count: 3", "content-type: application/json"] {
        assert!(received[0].headers.contains(header), "{header} in {}", received[0].headers);
    }
    assert_eq!((received[1].line.as_str(), received[1].body.as_str()), ("PUT /json", "n=2"));
    assert!(received[1].headers.contains("content-type: text/plain"), "{}", received[1].headers);
}

#[tokio::test]
async fn a_status_of_400_or_more_is_a_failure_unless_accepted() {
    let (world, server) = (World::new(), shop().await);
    let url = server.url("/missing?q=hunter2");
    let finished = world.run(&get(url.clone()), nothing()).await;
    let expected = format!("GET {} answered 404 Not Found: no such order", server.url("/missing"));
    assert_eq!(failure(&finished), ("failed", expected));
    let recorded = world.recorded(&finished);
    assert_eq!(output_of(&recorded, "call")["status"], json!(404));
    let accepting = api(json!({"method": "GET", "url": url, "acceptStatus": [404]}));
    let finished = world.run(&accepting, nothing()).await;
    assert_eq!(finished.outputs["call"]["status"], json!(404));
}

#[tokio::test]
async fn limits_are_kept() {
    let server = shop().await;
    let options =
        RunnerOptions { max_response_bytes: 2000, allow_private_addresses: true, ..World::options() };
    let world = World::with(options);
    let finished = world.run(&get(server.url("/large")), nothing()).await;
    let expected = format!("GET {} answered with more than 2000 bytes", server.url("/large"));
    assert_eq!(failure(&finished), ("limit", expected));
    let slow = api(json!({"method": "GET", "url": server.url("/never"), "timeout": "50ms"}));
    let finished = world.run(&slow, nothing()).await;
    assert_eq!(failure(&finished), ("timeout", "took longer than 50ms".to_owned()));
    assert_eq!(statuses(&world.recorded(&finished))[1], ("call".to_owned(), "error"));
}

#[tokio::test]
async fn redirects_are_followed_with_care() {
    let (world, server) = (World::new(), shop().await);
    let post = |path: &str| api(json!({"method": "POST", "url": server.url(path), "body": "x"}));
    world.run(&post("/there"), nothing()).await;
    world.run(&post("/kept"), nothing()).await;
    let lines: Vec<String> = server.received().iter().map(|request| request.line.clone()).collect();
    assert_eq!(lines, ["POST /there", "GET /json", "POST /kept", "POST /json"]);
    let finished = world.run(&get(server.url("/round")), nothing()).await;
    assert!(failure(&finished).1.contains("redirected more than 5 times"));
    let finished = world.run(&get(server.url("/file")), nothing()).await;
    assert_eq!(failure(&finished).0, "forbidden");
    let accepting = api(json!({"method": "GET", "url": server.url("/there"), "acceptStatus": [302]}));
    let finished = world.run(&accepting, nothing()).await;
    assert_eq!(finished.outputs["call"]["status"], json!(302));
}

#[tokio::test]
async fn private_addresses_are_refused() {
    let (world, server) = (World::with(World::options()), shop().await);
    let port = server.port;
    for url in [
        server.url("/json"),
        format!("http://localhost:{port}/json"),
        format!("http://[::1]:{port}/json"),
        format!("http://[::ffff:127.0.0.1]:{port}/json"),
        format!("http://2130706433:{port}/json"),
        format!("http://0x7f.1:{port}/json"),
        format!("http://0:{port}/json"),
        "http://10.0.0.1/".to_owned(),
        "http://169.254.169.254/latest/meta-data".to_owned(),
    ] {
        let finished = world.run(&get(url.clone()), nothing()).await;
        let (kind, message) = failure(&finished);
        assert_eq!(kind, "forbidden", "{url}: {message}");
        assert!(message.contains("is not allowed: its address is"), "{url}: {message}");
    }
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn a_url_that_a_template_makes_is_checked_too() {
    let world = World::with(World::options());
    let flow = |url: &str| {
        let nodes = [
            ("make", "Transform", json!({"code": format!("return {url:?}")})),
            ("call", "ApiCall", json!({"method": "GET", "url": "{{ make }}"})),
        ];
        file(&nodes, "ask>make make>call")
    };
    for (url, kind) in [
        ("http://127.0.0.1/", "forbidden"),
        ("file:///etc/passwd", "forbidden"),
        ("http://me:pw@shop.example/", "forbidden"),
        ("no url", "invalid_input"),
    ] {
        let finished = world.run(&flow(url), nothing()).await;
        assert_eq!(failure(&finished).0, kind, "{url}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_a_network_error() {
    let world = World::new();
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let finished = world.run(&get(format!("http://127.0.0.1:{port}/a?q=hunter2")), nothing()).await;
    let (kind, message) = failure(&finished);
    assert_eq!(kind, "network");
    assert!(message.starts_with(&format!("GET http://127.0.0.1:{port}/a failed: ")), "{message}");
    assert!(!message.contains("hunter2") && !message.contains('\n'), "{message}");
}
