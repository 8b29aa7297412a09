//! What somebody sends who means no good: other people's ids wherever an id can stand, cursors that were tampered with,
//! batches without end.

use flowtrail_testkit::{TestServer, TestUser};
use futures_util::StreamExt;
use serde_json::{Value, json};

/// Somebody's flow with an execution, of which nobody else knows.
struct Theirs {
    flow: String,
    execution: String,
    user: TestUser,
}

async fn theirs(server: &TestServer) -> Theirs {
    let user = server.user("Ada").await;
    let flow = json!({"name": "Ada's own", "kind": "external"});
    let flow = user.rest.post("/api/flows", &flow).await.expect(201)["id"].as_str().unwrap().to_owned();
    let report = json!({"status": "fulfilled", "outputs": "Ada's secret", "tags": {"of": "ada"}});
    let execution = user.rest.post(&format!("/api/flows/{flow}/executions"), &report).await.expect(201);
    Theirs { flow, execution: execution["id"].as_str().unwrap().to_owned(), user }
}

#[tokio::test]
async fn the_ids_of_others_open_nothing_wherever_they_stand() {
    let server = TestServer::start().await;
    let theirs = theirs(&server).await;
    let before = theirs.user.rest.get(&format!("/api/executions/{}", theirs.execution)).await.expect(200);
    let stranger = server.user("Mallory").await;
    let rest = &stranger.rest;
    let own = rest.post("/api/flows", &json!({"name": "Mallory's", "kind": "external"})).await.expect(201);
    let own = own["id"].as_str().unwrap();
    let Theirs { flow, execution, user } = &theirs;

    // In the address.
    for path in [
        format!("/api/flows/{flow}"),
        format!("/api/flows/{flow}/export"),
        format!("/api/flows/{flow}/executions"),
        format!("/api/flows/{flow}/executions/stats"),
        format!("/api/flows/{flow}/executions/points"),
        format!("/api/flows/{flow}/executions/timeseries"),
        format!("/api/flows/{flow}/executions/export"),
        format!("/api/flows/{flow}/executions/{execution}"),
        // Their execution below one's own flow.
        format!("/api/flows/{own}/executions/{execution}"),
        format!("/api/executions/{execution}"),
        format!("/api/executions/{execution}/nodes/1"),
        format!("/api/events?flowId={flow}"),
    ] {
        rest.get(&path).await.expect_error(404, "not_found");
    }
    rest.delete(&format!("/api/flows/{own}/executions/{execution}")).await.expect_error(404, "not_found");
    rest.delete(&format!("/api/keys/{}", user.key_id)).await.expect_error(404, "not_found");
    rest.delete(&format!("/api/users/{}", user.id)).await.expect_error(403, "forbidden");
    let dialect = rest.get(&format!("/api/v1/flows/{own}/executions/{execution}")).await;
    assert_eq!(dialect.status, 404, "{:?}", dialect.body);
    let dialect = rest.get(&format!("/api/v1/flows/{flow}/executions/{execution}")).await;
    assert_eq!(dialect.status, 403, "{:?}", dialect.body);

    // In filters.
    for filter in
        [format!("user={}", user.id), format!("q={flow}"), format!("q={execution}"), "tag=of:ada".to_owned()]
    {
        let found = rest.get(&format!("/api/executions?{filter}")).await.expect(200);
        assert_eq!((&found["items"], &found["total"]), (&json!([]), &json!(0)), "{filter}");
    }

    // In bodies.
    let ids = json!({"flowIds": [flow]});
    rest.post("/api/embed-tokens", &ids).await.expect_error(404, "not_found");
    let key = json!({"name": "theirs", "userId": user.id});
    rest.post("/api/keys", &key).await.expect_error(403, "forbidden");
    let taken = json!({"id": flow, "name": "Mine now", "kind": "external"});
    rest.post("/api/flows", &taken).await.expect_error(409, "taken");
    let line = json!({"flowId": flow, "status": "fulfilled"});
    let outcome = rest.post("/api/executions/batch", &line).await.expect(200);
    assert_eq!((&outcome["status"], &outcome["error"]["code"]), (&json!("invalid"), &json!("not_found")));
    let same = json!({"id": execution, "status": "fulfilled", "outputs": "mine"});
    let refused = rest.post(&format!("/api/flows/{own}/executions"), &same).await;
    assert_eq!(refused.status, 409);
    assert!(!refused.body.to_string().contains("secret") && refused.body.get("differences").is_none());
    let nodes = json!({"seq": 1, "nodeId": "mine"});
    rest.post(&format!("/api/executions/{execution}/nodes"), &nodes).await.expect_error(404, "not_found");
    rest.patch(&format!("/api/executions/{execution}"), &json!({"status": "aborted"}))
        .await
        .expect_error(404, "not_found");
    for action in ["cancel", "replay"] {
        rest.post(&format!("/api/executions/{execution}/{action}"), &json!({}))
            .await
            .expect_error(404, "not_found");
    }
    // As a parent or an original it is a word that somebody said, and tells nothing of it.
    let child = json!({"status": "fulfilled", "parentExecutionId": execution, "replayOf": execution});
    let child = rest.post(&format!("/api/flows/{own}/executions"), &child).await;
    assert!(!child.body.to_string().contains("secret"), "{:?}", child.body);

    let after = user.rest.get(&format!("/api/executions/{execution}")).await.expect(200);
    assert_eq!(after, before, "nothing of it has changed");
}

#[tokio::test]
async fn a_cursor_that_was_tampered_with_is_refused_or_shows_what_is_ones_own() {
    let server = TestServer::start().await;
    let theirs = theirs(&server).await;
    let stranger = server.user("Mallory").await;
    let own =
        stranger.rest.post("/api/flows", &json!({"name": "Mallory's", "kind": "external"})).await.expect(201);
    let path = format!("/api/flows/{}/executions", own["id"].as_str().unwrap());
    for _ in 0..5 {
        stranger.rest.post(&path, &json!({"status": "fulfilled"})).await.expect(201);
    }
    let first = stranger.rest.get("/api/executions?limit=2").await.expect(200);
    let cursor = first["after"].as_str().unwrap();
    let mut refused = 0;
    for (at, character) in cursor.char_indices() {
        for other in ['A', 'z', '0', '_'].into_iter().filter(|other| *other != character) {
            let tampered = format!("{}{other}{}", &cursor[..at], &cursor[at + 1..]);
            let answer = stranger.rest.get(&format!("/api/executions?limit=2&after={tampered}")).await;
            match answer.status {
                200 => assert!(!answer.body.to_string().contains(&theirs.flow), "{tampered}"),
                400 => refused += 1,
                status => panic!("{tampered}: {status} {:?}", answer.body),
            }
        }
    }
    assert!(refused > 0);
    for nonsense in
        ["", "%00", "..", "%F0%9F%98%80", &"A".repeat(5_000), &cursor[1..], &format!("{cursor}{cursor}")]
    {
        let answer = stranger.rest.get(&format!("/api/executions?after={nonsense}")).await;
        assert!(matches!(answer.status, 200 | 400), "{nonsense}: {}", answer.status);
    }
    // Somebody else's cursor is of no use either: what it leads to is decided by who asks.
    let all = server.rest().get("/api/executions?limit=1").await.expect(200);
    let led = stranger.rest.get(&format!("/api/executions?after={}", all["after"].as_str().unwrap())).await;
    assert!(!led.body.to_string().contains(&theirs.execution), "{:?}", led.body);
}

/// A million lines, of which one in ten thousand is good: each is answered in its place, and the good ones are there.
#[tokio::test]
async fn a_batch_of_a_million_lines_is_answered_line_by_line() {
    const LINES: usize = 1_000_000;
    const EVERY: usize = 10_000;
    let server = TestServer::start().await;
    let flow =
        server.rest().post("/api/flows", &json!({"name": "Long", "kind": "external"})).await.expect(201);
    let good = format!("{}\n", json!({"flowId": flow["id"], "status": "fulfilled"}));
    // What is wrong differs: no JSON, no object, no flow, no status.
    let bad = ["x\n", "[]\n", "{}\n", "{\"flowId\":1}\n"];
    let part = move |from: usize| -> Result<Vec<u8>, std::io::Error> {
        let lines =
            (from..from + EVERY).map(|at| if at % EVERY == EVERY / 2 { good.as_str() } else { bad[at % 4] });
        Ok(lines.collect::<String>().into_bytes())
    };
    let parts = (0..LINES / EVERY).map(move |number| part(number * EVERY));
    let answer = flowtrail_testkit::http_client()
        .post(format!("{}/api/executions/batch", server.base()))
        .bearer_auth(server.key())
        .header("content-type", "application/x-ndjson")
        .body(reqwest::Body::wrap_stream(futures_util::stream::iter(parts)))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let (mut line, mut created, mut rest) = (0, 0, Vec::new());
    let mut body = answer.bytes_stream();
    while let Some(some) = body.next().await {
        rest.extend_from_slice(&some.unwrap());
        let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for text in rest[..whole].split(|byte| *byte == b'\n').filter(|text| !text.is_empty()) {
            line += 1;
            // All of them are counted, some of them are read.
            if line % EVERY == EVERY / 2 + 1 || line % 997 == 0 {
                let outcome: Value = serde_json::from_slice(text).unwrap();
                assert_eq!(outcome["line"], line);
                let is_good = line % EVERY == EVERY / 2 + 1;
                assert_eq!(outcome["status"], if is_good { "created" } else { "invalid" }, "{outcome}");
                created += usize::from(is_good);
            }
        }
        rest.drain(..whole);
    }
    assert_eq!((line, created), (LINES, LINES / EVERY));
    let path = format!("/api/flows/{}/executions/stats", flow["id"].as_str().unwrap());
    assert_eq!(server.rest().get(&path).await.expect(200)["total"], LINES / EVERY);
}
