//! What happens is told to who may hear it, as it happens, and to who comes back.

use std::path::Path;

use flowtrail_testkit::{Era, EventStream, Rest, TestProcess, TestServer, flow};
use serde_json::{Value, json};

async fn external(rest: &Rest, access: Value) -> String {
    let body = json!({"name": "Nightly", "kind": "external", "access": access});
    rest.post("/api/flows", &body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

async fn record(rest: &Rest, flow: &str) -> String {
    let body = json!({"status": "fulfilled", "initialParams": {"day": "monday"}});
    let made = rest.post(&format!("/api/flows/{flow}/executions"), &body).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_run_is_told_node_by_node() {
    let server = TestServer::builder().allow_private_addresses().start().await;
    let wait = flow("Wait")
        .text("url")
        .node("fetch", "ApiCall", json!({"method": "GET", "url": "{{ ask.url }}", "timeout": "5m"}))
        .returns("{{ fetch.status }}");
    server.create(&wait.field("timeout", json!("4m"))).await;
    // It takes connections and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let client = server.mcp(Era::Stateless).await;
    let mut events = server.events("").await;
    let call = client.begin("wait", json!({"url": url})).await;

    let started = events.expect("execution.started").await;
    let id = &started.data["id"];
    assert_eq!(
        (&started.data["status"], &started.data["initialParamsPreview"]),
        (&json!("pending"), &json!(url))
    );
    let begun = events.expect("node.started").await;
    assert_eq!((&begun.data["executionId"], &begun.data["nodeId"]), (id, &json!("ask")));
    assert_eq!((&begun.data["seq"], &begun.data["executionTimeMs"]), (&json!(1), &Value::Null));
    let ended = events.expect("node.ended").await;
    assert_eq!((&ended.data["nodeId"], &ended.data["status"]), (&json!("ask"), &json!("completed")));
    assert!(ended.data["executionTimeMs"].is_f64(), "{ended:?}");
    assert!(ended.data.get("outputData").is_none(), "no data travels: {ended:?}");
    assert_eq!(events.expect("node.started").await.data["nodeId"], "fetch");
    call.cancel(None).await.unwrap();
    let mut ended = events.next().await.unwrap();
    // What is stopped with its execution is told of by that, or by itself.
    while ended.kind != "execution.ended" {
        assert!(ended.kind.starts_with("node."), "{ended:?}");
        ended = events.next().await.unwrap();
    }
    let listed = server.rest().get("/api/executions").await.expect(200)["items"][0].clone();
    assert_eq!(ended.data, listed, "it is what a list shows");
    assert_eq!(&ended.data["id"], id);
    // Recorded as a whole, an execution has but an end.
    let nightly = external(server.rest(), json!({})).await;
    let recorded = record(server.rest(), &nightly).await;
    assert_eq!(events.expect("execution.ended").await.data["id"], recorded);
}

#[tokio::test]
async fn what_comes_in_quick_succession_is_told_whole() {
    let binary = Path::new(env!("CARGO_BIN_EXE_flowtrail"));
    let folder = tempfile::tempdir().unwrap();
    let here = TestProcess::start(binary, folder.path(), &[]);
    let there = TestProcess::start(binary, folder.path(), &[]);
    let flow = external(&there.rest(), json!({})).await;
    let mut events = EventStream::open(here.base(), here.key(), "", None).await;
    // Until each has noticed the other, somebody may be told to fetch again instead.
    record(&there.rest(), &flow).await;
    while events.next().await.unwrap().kind == "resync" {
        record(&there.rest(), &flow).await;
    }
    let started = there.rest().post(&format!("/api/flows/{flow}/executions"), &json!({})).await.expect(201);
    let path = format!("/api/executions/{}", started["id"].as_str().unwrap());
    let mut next = events.next().await.unwrap();
    while next.data["id"] != started["id"] {
        next = events.next().await.unwrap();
    }
    assert_eq!(next.kind, "execution.started");
    // Looked at all at once: the other process looks five times a second.
    for seq in 1..=3 {
        let node = json!([{"seq": seq, "nodeId": format!("n{seq}")}]);
        there.rest().post(&format!("{path}/nodes"), &node).await.expect(200);
    }
    there.rest().patch(&path, &json!({"status": "fulfilled"})).await.expect(200);
    for seq in 1..=3 {
        assert_eq!(events.expect("node.ended").await.data["seq"], seq);
    }
    assert_eq!(events.expect("execution.ended").await.data["id"], started["id"]);
    // What another process deletes is no ghost.
    let itself = format!("/api/flows/{flow}{}", path.strip_prefix("/api").unwrap());
    there.rest().delete(&itself).await.expect(204);
    events.expect("resync").await;
}

#[tokio::test]
async fn what_is_told_from_outside_is_told_on() {
    let server = TestServer::start().await;
    let rest = server.rest();
    let flow = external(rest, json!({})).await;
    let mut events = server.events("").await;
    let started = rest.post(&format!("/api/flows/{flow}/executions"), &json!({})).await.expect(201);
    let path = format!("/api/executions/{}", started["id"].as_str().unwrap());
    let node = |seq: u32| json!({"seq": seq, "nodeId": format!("n{seq}"), "outputData": {"secret": 1}});
    rest.post(&format!("{path}/nodes"), &json!([node(1)])).await.expect(200);
    rest.post(&format!("{path}/nodes"), &json!([node(1), node(2)])).await.expect(200);
    rest.patch(&path, &json!({"status": "aborted"})).await.expect(200);
    events.expect("execution.started").await;
    for seq in [1, 2] {
        let ended = events.expect("node.ended").await;
        assert_eq!((&ended.data["seq"], ended.data.get("outputData")), (&json!(seq), None));
    }
    assert_eq!(events.expect("execution.ended").await.data["status"], "aborted");

    rest.delete(&format!("/api/flows/{flow}{}", path.strip_prefix("/api").unwrap())).await.expect(204);
    let deleted = events.expect("execution.deleted").await;
    assert_eq!(deleted.data, json!({"id": started["id"], "flowId": flow}));
    // Under the same id it may be recorded again.
    let again = json!({"id": started["id"], "status": "fulfilled"});
    rest.post(&format!("/api/flows/{flow}/executions"), &again).await.expect(201);
    assert_eq!(events.expect("execution.ended").await.data["id"], started["id"]);
    // Where nothing goes nothing is told.
    rest.post(&format!("/api/flows/{flow}/executions/prune"), &json!({"keep": 10})).await.expect(200);
    // Who deletes many at once says only that there is something to fetch.
    rest.post(&format!("/api/flows/{flow}/executions/prune"), &json!({"keep": 0})).await.expect(200);
    events.expect("resync").await;
}

#[tokio::test]
async fn everybody_hears_what_they_may_see() {
    let server = TestServer::start().await;
    let [ben, eve] = [server.user("Ben").await, server.user("Eve").await];
    let shared = external(server.rest(), json!({"read": [ben.id]})).await;
    let public = external(server.rest(), json!({"public": true})).await;
    let own = external(server.rest(), json!({})).await;
    let made = server.rest().post("/api/embed-tokens", &json!({"flowIds": [own]})).await.expect(201);
    let token = made["token"].as_str().unwrap();
    let listen = |key: &str, query: String| {
        let (base, key) = (server.base().to_owned(), key.to_owned());
        async move { EventStream::open(&base, &key, &query, None).await }
    };
    let mut bens = listen(&ben.key, String::new()).await;
    let mut eves = listen(&eve.key, String::new()).await;
    let mut pages = listen(token, String::new()).await;
    let mut of_one = listen(server.key(), format!("?flowId={public}")).await;

    let mut ids = Vec::new();
    for flow in [&shared, &public, &own] {
        ids.push(record(server.rest(), flow).await);
    }
    // Of a flow that is only public they hear what they started themselves.
    let eves_own = record(&eve.rest, &public).await;
    assert_eq!(bens.expect("execution.ended").await.data["id"], ids[0]);
    assert_eq!(eves.expect("execution.ended").await.data["id"], eves_own);
    assert_eq!(pages.expect("execution.ended").await.data["id"], ids[2]);
    assert_eq!(of_one.expect("execution.ended").await.data["id"], ids[1]);
    assert_eq!(of_one.expect("execution.ended").await.data["id"], eves_own);

    // Who loses a flow hears no more of it, and not what came before either.
    let place = bens.last_id().to_owned();
    record(server.rest(), &shared).await;
    let access = json!({"access": {"read": []}});
    server.rest().patch(&format!("/api/flows/{shared}"), &access).await.expect(200);
    record(server.rest(), &shared).await;
    let mut again = EventStream::open(server.base(), &ben.key, "", Some(&place)).await;
    let bens_own = record(&ben.rest, &public).await;
    assert_eq!(again.expect("execution.ended").await.data["id"], bens_own);
    for (flow, code) in [(own.as_str(), 404), ("no-id", 400)] {
        let answer = ben.rest.get(&format!("/api/events?flowId={flow}")).await;
        assert_eq!(answer.status, code, "{answer:?}");
    }
}

#[tokio::test]
async fn a_process_that_is_alone_misses_nothing_of_what_it_writes() {
    let server = TestServer::start().await;
    let flow = external(server.rest(), json!({})).await;
    let mut events = server.events("").await;
    // Longer than the housekeeping takes to look around.
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_secs(3) {
        let id = record(server.rest(), &flow).await;
        assert_eq!(events.expect("execution.ended").await.data["id"], id);
        server.rest().delete(&format!("/api/flows/{flow}/executions/{id}")).await.expect(204);
        events.expect("execution.deleted").await;
    }
}

#[tokio::test]
async fn who_comes_back_misses_nothing_or_is_told_to_fetch_again() {
    let server = TestServer::start().await;
    let flow = external(server.rest(), json!({})).await;
    let mut events = server.events("").await;
    let first = record(server.rest(), &flow).await;
    assert_eq!(events.expect("execution.ended").await.data["id"], first);
    let place = events.last_id().to_owned();
    drop(events);
    let missed = [record(server.rest(), &flow).await, record(server.rest(), &flow).await];
    let mut events = EventStream::open(server.base(), server.key(), "", Some(&place)).await;
    for id in &missed {
        assert_eq!(events.expect("execution.ended").await.data["id"], *id);
    }
    for unknown in ["", "1", "00000000000000000000000000000000-1", "ä"] {
        let mut events = EventStream::open(server.base(), server.key(), "", Some(unknown)).await;
        events.expect("resync").await;
        let next = record(server.rest(), &flow).await;
        assert_eq!(events.expect("execution.ended").await.data["id"], next, "it goes on after that");
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_key() {
    let server = TestServer::start().await;
    let made = server.rest().post("/api/keys", &json!({"name": "k"})).await.expect(201);
    let mut events = EventStream::open(server.base(), made["key"].as_str().unwrap(), "", None).await;
    let mut others = server.events("").await;
    server.rest().delete(&format!("/api/keys/{}", made["id"].as_str().unwrap())).await.expect(204);
    assert_eq!(events.next().await, None);
    let flow = external(server.rest(), json!({})).await;
    record(server.rest(), &flow).await;
    others.expect("execution.ended").await;
}

#[tokio::test]
async fn what_happens_in_another_process_is_heard_and_its_revocations_too() {
    let binary = Path::new(env!("CARGO_BIN_EXE_flowtrail"));
    let folder = tempfile::tempdir().unwrap();
    let here = TestProcess::start(binary, folder.path(), &[]);
    let there = TestProcess::start(binary, folder.path(), &[]);
    let flow = external(&there.rest(), json!({})).await;
    let made = there.rest().post("/api/keys", &json!({"name": "k"})).await.expect(201);
    let mut events = EventStream::open(here.base(), made["key"].as_str().unwrap(), "", None).await;
    let started = there.rest().post(&format!("/api/flows/{flow}/executions"), &json!({})).await.expect(201);
    let path = format!("/api/executions/{}", started["id"].as_str().unwrap());
    assert_eq!(events.expect("execution.started").await.data["id"], started["id"]);
    let node = json!([{"seq": 1, "nodeId": "a"}]);
    there.rest().post(&format!("{path}/nodes"), &node).await.expect(200);
    assert_eq!(events.expect("node.ended").await.data["nodeId"], "a");
    there.rest().patch(&path, &json!({"status": "fulfilled"})).await.expect(200);
    events.expect("execution.ended").await;
    there.rest().delete(&format!("/api/keys/{}", made["id"].as_str().unwrap())).await.expect(204);
    assert_eq!(events.next().await, None);
}
