//! Limits on what clients send, each with its own error.

use std::io::Write;
use std::num::NonZeroUsize;

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
        upload.write_all(&vec![b' '; 12 << 20]).await.unwrap();
        uploads.push(upload);
    }
    let reserved = async || {
        let request = http_client().get(format!("{}/metrics", server.base())).bearer_auth(server.key());
        let text = request.send().await.unwrap().text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("flowtrail_memory_reserved_bytes "));
        line.unwrap().parse::<usize>().unwrap()
    };
    while reserved().await < 24 << 20 {
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

#[tokio::test]
async fn an_execution_has_no_more_nodes_than_it_may() {
    let server = TestServer::builder().settings(|it| it.max_nodes = NonZeroUsize::new(5)).start().await;
    let rest = server.rest();
    let flow = rest.post("/api/flows", &json!({"name": "Elsewhere", "kind": "external"})).await.expect(201);
    let address = format!("/api/flows/{}/executions", flow["id"].as_str().unwrap());
    let nodes = |from: usize, to: usize| -> Vec<Value> {
        (from..=to).map(|seq| json!({"seq": seq, "nodeId": "a", "outputData": seq})).collect()
    };
    let report = |count: usize| json!({"status": "fulfilled", "nodeExecutions": nodes(1, count)});
    let message = rest.post(&address, &report(6)).await.expect_error(400, "invalid");
    assert_eq!(message, "nodeExecutions: expected at most 5 node executions of an execution, got 6");
    let line = json!({"flowId": flow["id"], "status": "fulfilled", "nodeExecutions": nodes(1, 6)});
    let outcome = rest.post("/api/executions/batch", &line).await.expect(200);
    assert_eq!(outcome["error"]["message"], message, "{outcome}");
    let whole = rest.post(&address, &report(5)).await.expect(201);

    // With what is stored; the same again is nothing more.
    let begun = rest.post(&address, &json!({"status": "pending"})).await.expect(201);
    let append = format!("/api/executions/{}/nodes", begun["id"].as_str().unwrap());
    rest.post(&append, &json!({"nodeExecutions": nodes(1, 4)})).await.expect(200);
    rest.post(&append, &json!({"nodeExecutions": nodes(3, 5)})).await.expect(200);
    let more = rest.post(&append, &json!({"nodeExecutions": nodes(5, 6)})).await;
    assert_eq!(more.expect_error(400, "invalid"), message);

    // Page by page, of one that is over and of one that runs.
    let whole = whole["id"].as_str().unwrap();
    for id in [whole, begun["id"].as_str().unwrap()] {
        let page = |query: &str| {
            let path = format!("/api/executions/{id}/nodes?{query}");
            async move { rest.get(&path).await.expect(200) }
        };
        let all = page("").await;
        assert_eq!((all["items"].as_array().unwrap().len(), &all["after"]), (5, &json!(null)));
        let first = page("limit=3").await;
        assert_eq!((&first["items"][2]["outputData"], &first["after"]), (&json!(3), &json!(3)), "{first}");
        let rest = page("limit=3&after=3").await;
        assert_eq!((&rest["items"][0]["seq"], &rest["after"]), (&json!(4), &json!(null)), "{rest}");
        assert_eq!(page("after=5").await["items"], json!([]));
    }
    let wrong = rest.get(&format!("/api/executions/{whole}/nodes?limit=1001")).await;
    assert!(wrong.expect_error(400, "invalid").starts_with("limit: "));
    let shown = rest.get(&format!("/api/executions/{whole}?nodes=none")).await.expect(200);
    assert_eq!((&shown["status"], shown.get("nodeExecutions")), (&json!("fulfilled"), None));
    let stranger = server.user("Mallory").await;
    stranger.rest.get(&format!("/api/executions/{whole}/nodes")).await.expect_error(404, "not_found");
}

#[tokio::test]
async fn of_long_loops_the_last_iterations_and_what_failed_are_recorded() {
    let server = TestServer::builder().settings(|it| it.max_nodes = NonZeroUsize::new(6)).start().await;
    // The first node, the loop, and two nodes for each of 20 iterations, of which the tenth fails and goes on.
    let nodes = json!([
        {"id": "ask", "type": "UserIntent", "parameters": {"parameters": []}},
        {"id": "l", "type": "Loop", "parameters": {"count": 20}},
        {"id": "t", "type": "Transform", "parameters":
            {"code": "if (nodes.l.index === 10) throw new Error('ten'); return nodes.l.index"}},
        {"id": "caught", "type": "Transform", "parameters": {"code": "return 'caught'"}},
        {"id": "u", "type": "Transform", "parameters": {"code": "return 'last of ' + nodes.l.index"}},
    ]);
    let link = |from: &str, to: &str, handle: Option<&str>| json!({"sourceNodeId": from, "targetNodeId": to, "sourceHandle": handle});
    let connections = json!([
        link("ask", "l", None),
        link("l", "t", Some("each")),
        link("t", "u", None),
        link("t", "caught", Some("error")),
    ]);
    let flow = json!({"name": "Long", "toolName": "long", "nodes": nodes, "connections": connections});
    let made = server.rest().post("/api/flows", &flow).await.expect(201);
    let run = format!("/api/flows/{}/run", made["id"].as_str().unwrap());
    let ended = server.rest().post(&run, &json!({})).await.expect(200);
    assert_eq!(ended["status"], "fulfilled", "{ended}");
    let recorded = ended["nodeExecutions"].as_array().unwrap();
    let count = recorded.len() as u64;
    let of = |node: &Value| (node["nodeId"].as_str().unwrap().to_owned(), node["iteration"].as_i64());
    let recorded: Vec<_> = recorded.iter().filter(|node| node["status"] != "skipped").map(of).collect();
    for expected in
        [("ask", None), ("l", None), ("t", Some(0)), ("t", Some(10)), ("t", Some(19)), ("u", Some(19))]
    {
        assert!(recorded.contains(&(expected.0.to_owned(), expected.1)), "{expected:?} in {recorded:?}");
    }
    assert!(!recorded.contains(&("t".to_owned(), Some(15))), "{recorded:?}");
    let left_out = ended["capture"]["nodeExecutions"]["leftOut"].as_u64().unwrap();
    assert_eq!(count + left_out, 2 + 3 * 20, "each is recorded or counted: {recorded:?}");
}

#[tokio::test]
async fn an_execution_that_is_too_large_for_one_answer_is_read_in_parts() {
    let server = small_server().await;
    let rest = server.rest();
    let flow = rest.post("/api/flows", &json!({"name": "F", "kind": "external"})).await.expect(201);
    let path = format!("/api/flows/{}/executions", flow["id"].as_str().unwrap());
    let begun = rest.post(&path, &json!({"initialParams": {"a": 1}})).await.expect(201);
    let path = format!("/api/executions/{}", begun["id"].as_str().unwrap());
    let nodes = |from: i32| -> Vec<Value> {
        let node = |seq| {
            let output = "x".repeat(240_000);
            json!({"seq": seq, "nodeId": "n", "nodeType": "T", "status": "completed", "outputData": output})
        };
        (from..from + 10).map(node).collect()
    };
    for from in [1, 11, 21, 31, 41] {
        rest.post(&format!("{path}/nodes"), &json!({"nodeExecutions": nodes(from)})).await.expect(200);
    }
    let refused = rest.get(&path).await.expect(413);
    assert_eq!(refused["code"], "too_large");
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains(&format!("{path}/nodes")) && message.contains("?nodes=none"), "{message}");
    let rest_of_it = rest.get(&format!("{path}?nodes=none")).await.expect(200);
    assert_eq!(rest_of_it["initialParams"], json!({"a": 1}));
    let (mut after, mut seen, mut pages) = (json!(0), Vec::new(), 0);
    while !after.is_null() {
        let page = rest.get(&format!("{path}/nodes?limit=1000&after={after}")).await.expect(200);
        assert!(
            page.to_string().len() < 5 << 20,
            "a page is bounded by what it takes, not by its items alone"
        );
        seen.extend(page["items"].as_array().unwrap().iter().map(|node| node["seq"].as_i64().unwrap()));
        (after, pages) = (page["after"].clone(), pages + 1);
    }
    assert_eq!((seen, pages), ((1..=50).collect(), 3));
}

/// Lines of a batch that nobody's share of the memory could hold are refused, each by itself.
#[tokio::test]
async fn a_line_whose_tree_exceeds_the_share_is_too_large() {
    let server = small_server().await;
    let flow = server.rest().post("/api/flows", &json!({"name": "F", "kind": "external"})).await.expect(201);
    let line = |outputs: &str| {
        format!("{{\"flowId\": {}, \"status\": \"fulfilled\", \"outputs\": {outputs}}}\n", flow["id"])
    };
    let huge = line(&format!("[{}0]", "0,".repeat(1 << 19)));
    let body = [line("1"), huge, line("2")].concat();
    let request = http_client().post(format!("{}/api/executions/batch", server.base()));
    let answer = request.bearer_auth(server.key()).body(body).send().await.unwrap().text().await.unwrap();
    let lines: Vec<Value> = answer.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let became: Vec<_> = lines.iter().map(|line| line["status"].as_str().unwrap()).collect();
    assert_eq!(became, ["created", "invalid", "created"], "{answer}");
    assert_eq!(lines[1]["error"]["code"], "too_large", "{answer}");
}
