//! Executions that run elsewhere and are told of over HTTP: step by step, whole, and in batches.

use flowtrail_testkit::{Answer, TestServer, assert_execution, flow};
use serde_json::{Value, json};
use uuid::Uuid;

const FLOW: &str = "6f1c1d44-0000-4000-8000-000000000001";

/// A server with an external flow of a known id.
async fn server() -> TestServer {
    let server = TestServer::start().await;
    let external = json!({"id": FLOW, "kind": "external", "name": "Elsewhere"});
    server.rest().post("/api/flows", &external).await.expect(201);
    server
}

fn executions() -> String {
    format!("/api/flows/{FLOW}/executions")
}

fn new_id(server: &TestServer) -> String {
    let tracker = server.tracker();
    tracker.ids().next(tracker.clock().now()).to_string()
}

/// The fields that a refusal says differ.
fn differing(answer: &Answer) -> Vec<&str> {
    answer.body["differences"].as_array().unwrap().iter().map(|field| field.as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_execution_is_told_of_step_by_step_and_each_step_may_be_told_again() {
    let server = server().await;
    let rest = server.rest();
    let id = new_id(&server);
    let start =
        json!({"id": id, "initialParams": {"orderId": "A1", "password": "hunter2"}, "tags": {"env": "test"}});
    let begun = rest.post(&executions(), &start).await.expect(201);
    assert_execution(&begun).has_status("pending").has("/initialParams/orderId", &json!("A1"));
    assert_ne!(begun["initialParams"]["password"], "hunter2", "a secret does not get that far");
    rest.post(&executions(), &start).await.expect(200);

    let nodes = format!("/api/executions/{id}/nodes");
    let first = json!({"seq": 1, "nodeId": "fetch", "nodeType": "http", "executionTimeMs": 12.5,
        "inputData": {"url": "https://shop.example"}, "outputData": {"rows": 3}});
    // Out of order: the number counts, not when it comes.
    let second = json!([{"seq": 2, "nodeId": "store", "error": "the disk is full", "errorKind": "limit"}]);
    assert_eq!(rest.post(&nodes, &second).await.expect(200)["status"], "created");
    assert_eq!(rest.post(&nodes, &first).await.expect(200)["status"], "created");
    let both = json!({"nodeExecutions": [first, second[0]]});
    assert_eq!(rest.post(&nodes, &both).await.expect(200)["status"], "exists");
    let mut other = first.clone();
    other["outputData"]["rows"] = json!(4);
    let refused = rest.post(&nodes, &other).await;
    assert_eq!(differing(&refused), ["nodeExecutions[seq 1].outputData"]);
    refused.expect_error(409, "conflict");

    let path = format!("/api/executions/{id}");
    let end = json!({"status": "error", "outputs": {"stored": 0},
        "errorInfo": {"message": "the disk is full", "nodeId": "store", "nodeName": "Store"}});
    let ended = rest.patch(&path, &end).await.expect(200);
    assert_execution(&ended)
        .failed("failed", Some("store"))
        .has_nodes(&[("fetch", "completed"), ("store", "error")])
        .has("/nodeExecutions/0/executionTimeMs", &json!(12.5))
        .has("/nodeExecutions/1/errorKind", &json!("limit"))
        .has("/tags/env", &json!("test"));
    assert_eq!(
        rest.patch(&path, &end).await.expect(200)["updatedAt"],
        ended["updatedAt"],
        "the same end again"
    );
    rest.patch(&path, &json!({"status": "fulfilled"})).await.expect_error(409, "already_ended");
    let late = json!({"seq": 3, "nodeId": "late"});
    rest.post(&nodes, &late).await.expect_error(409, "already_ended");
}

#[tokio::test]
async fn a_whole_execution_told_twice_is_one_and_other_content_says_what_differs() {
    let server = server().await;
    let rest = server.rest();
    let whole = json!({
        "id": new_id(&server), "status": "fulfilled", "startedAt": "2026-01-06T12:00:00.000Z", "duration": 1500,
        "initialParams": {"day": "2026-01-06"}, "outputs": {"rows": 12}, "meta": {"host": "worker-1"},
        "nodeExecutions": [
            {"nodeId": "fetch", "executionTimeMs": 1000, "outputData": [1, 2]},
            {"nodeId": "store", "executedAt": "2026-01-06T12:00:01.000Z", "iteration": 0, "parentSeq": 1},
        ],
    });
    let recorded = rest.post(&executions(), &whole).await.expect(201);
    assert_execution(&recorded)
        .has_status("fulfilled")
        .has("/endedAt", &json!("2026-01-06T12:00:01.500Z"))
        .has("/duration", &json!(1500))
        .has("/nodeExecutions/0/executedAt", &json!(null))
        .has("/nodeExecutions/0/executionTimeMs", &json!(1000.0))
        .has("/nodeExecutions/1/executedAt", &json!("2026-01-06T12:00:01.000Z"))
        .has("/nodeExecutions/1/executionTimeMs", &json!(null))
        .has("/nodeExecutions/1/parentSeq", &json!(1));
    let again = rest.post(&executions(), &whole).await.expect(200);
    assert_eq!(again, recorded);

    let mut other = whole.clone();
    other["outputs"] = json!({"rows": 13});
    other["nodeExecutions"][0]["outputData"] = json!([1]);
    other["nodeExecutions"][1]["iteration"] = json!(1);
    other["startedAt"] = json!("2026-01-06T12:00:00.001Z");
    let refused = rest.post(&executions(), &other).await;
    let expected =
        ["startedAt", "outputs", "nodeExecutions[seq 1].outputData", "nodeExecutions[seq 2].iteration"];
    for field in expected {
        assert!(differing(&refused).contains(&field), "{field} is among {:?}", differing(&refused));
    }
    refused.expect_error(409, "conflict");

    // Without any time a retry is the same, though another time is concluded.
    let timeless = json!({"id": new_id(&server), "status": "aborted", "nodeExecutions": [{"nodeId": "a"}]});
    rest.post(&executions(), &timeless).await.expect(201);
    rest.post(&executions(), &timeless).await.expect(200);
}

#[tokio::test]
async fn what_somebody_else_recorded_under_an_id_is_not_told() {
    let server = server().await;
    let rest = server.rest();
    let id = new_id(&server);
    rest.post(&executions(), &json!({"id": id, "status": "fulfilled", "outputs": 1})).await.expect(201);
    let user = rest.post("/api/users", &json!({"name": "Stranger"})).await.expect(201);
    let key = json!({"name": "theirs", "userId": user["id"]});
    let key = rest.post("/api/keys", &key).await.expect(201)["key"].as_str().unwrap().to_owned();
    let stranger = rest.with_key(Some(&key));
    stranger.post(&executions(), &json!({})).await.expect_error(404, "not_found");
    let theirs =
        stranger.post("/api/flows", &json!({"kind": "external", "name": "Theirs"})).await.expect(201);
    let path = format!("/api/flows/{}/executions", theirs["id"].as_str().unwrap());
    let refused = stranger.post(&path, &json!({"id": id, "status": "fulfilled", "outputs": 2})).await;
    assert_eq!(refused.body["differences"], Value::Null);
    refused.expect_error(409, "conflict");
    let node = json!({"seq": 1, "nodeId": "x"});
    stranger.post(&format!("/api/executions/{id}/nodes"), &node).await.expect_error(404, "not_found");
    stranger
        .patch(&format!("/api/executions/{id}"), &json!({"status": "fulfilled"}))
        .await
        .expect_error(404, "not_found");
}

#[tokio::test]
async fn a_batch_is_answered_line_by_line_and_a_bad_line_sinks_no_good_one() {
    let server =
        TestServer::builder().settings(|settings| settings.max_body = "4KiB".parse().ok()).start().await;
    let rest = server.rest();
    let external = json!({"id": FLOW, "kind": "external", "name": "Elsewhere"});
    rest.post("/api/flows", &external).await.expect(201);
    let (first, second) = (new_id(&server), new_id(&server));
    let whole = |id: &str, outputs: i32| {
        json!({"flowId": FLOW, "id": id, "status": "fulfilled", "duration": 5, "outputs": outputs})
            .to_string()
    };
    let lines = [
        whole(&first, 1),
        String::new(),
        "{".to_owned(),
        whole(&second, 1),
        whole(&first, 1),
        whole(&second, 2),
        json!({"status": "fulfilled"}).to_string(),
        json!({"flowId": Uuid::nil(), "status": "fulfilled"}).to_string(),
        json!({"flowId": FLOW, "status": "error"}).to_string(),
        format!("{{\"flowId\": \"{FLOW}\", \"outputs\": \"{}\"}}", "x".repeat(5_000)),
        json!({"flowId": FLOW, "status": "fulfilled", "duration": -1}).to_string(),
        json!({"flowId": FLOW}).to_string(),
    ];
    let answer = rest.post_bytes("/api/executions/batch", lines.join("\n").into_bytes()).await;
    let text = answer.expect(200);
    let outcomes: Vec<Value> =
        text.as_str().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<(u64, &str, &str)> = outcomes
        .iter()
        .map(|outcome| {
            let code = outcome["error"]["code"].as_str().unwrap_or("");
            (outcome["line"].as_u64().unwrap(), outcome["status"].as_str().unwrap(), code)
        })
        .collect();
    let expected = [
        (1, "created", ""),
        (3, "invalid", "invalid_json"),
        (4, "created", ""),
        (5, "exists", ""),
        (6, "conflict", "conflict"),
        (7, "invalid", "invalid"),
        (8, "invalid", "not_found"),
        (9, "invalid", "invalid"),
        (10, "invalid", "too_large"),
        (11, "invalid", "invalid"),
        (12, "created", ""),
    ];
    assert_eq!(told, expected);
    assert_eq!(outcomes[0]["id"], first);
    assert_eq!(outcomes[4]["error"]["differences"], json!(["outputs"]));
    let listed = rest.get(&executions()).await.expect(200);
    assert_eq!(listed["total"], 3);
}

#[tokio::test]
async fn bad_reports_get_an_error_that_names_the_field_and_leave_nothing() {
    let server = server().await;
    let rest = server.rest();
    let version_4 = "6f1c1d44-0000-4000-8000-000000000002";
    let node = |fields: Value| json!({"status": "fulfilled", "nodeExecutions": [fields]});
    let cases = [
        (json!([]), "body"),
        (json!({"colour": "red"}), "colour"),
        (json!({"id": version_4}), "id"),
        (json!({"id": "x"}), "id"),
        (json!({"flowId": version_4}), "flowId"),
        (json!({"status": "done"}), "status"),
        (json!({"status": "error"}), "errorInfo"),
        (json!({"status": "error", "errorInfo": {"kind": "failed"}}), "errorInfo.message"),
        (json!({"status": "error", "errorInfo": {"message": "x", "kind": "bad luck"}}), "errorInfo.kind"),
        (json!({"status": "fulfilled", "errorInfo": {"message": "x"}}), "errorInfo"),
        (json!({"outputs": 1}), "outputs"),
        (json!({"endedAt": "2026-01-06T12:00:00Z"}), "endedAt"),
        (json!({"nodeExecutions": [{"nodeId": "a"}]}), "nodeExecutions"),
        (json!({"startedAt": "1969-12-31T23:59:59Z"}), "startedAt"),
        (json!({"startedAt": "2999-01-01T00:00:00Z"}), "startedAt"),
        (json!({"startedAt": "yesterday"}), "startedAt"),
        (json!({"status": "fulfilled", "endedAt": "2999-01-01T00:00:00Z"}), "endedAt"),
        (json!({"status": "fulfilled", "duration": -1}), "duration"),
        (json!({"status": "fulfilled", "duration": "5"}), "duration"),
        (json!({"status": "fulfilled", "duration": 9e13}), "duration"),
        (json!({"leaseSeconds": 0}), "leaseSeconds"),
        (json!({"leaseSeconds": 86_401}), "leaseSeconds"),
        (json!({"tags": {"a:b": "c"}}), "tags"),
        (json!({"tags": {"a": 1}}), "tags.a"),
        (json!({"tags": []}), "tags"),
        (node(json!({})), "nodeExecutions[0].nodeId"),
        (node(json!({"nodeId": ""})), "nodeExecutions[0].nodeId"),
        (node(json!({"nodeId": "x".repeat(201)})), "nodeExecutions[0].nodeId"),
        (node(json!({"nodeId": "a", "seq": 0})), "nodeExecutions[0].seq"),
        (node(json!({"nodeId": "a", "seq": 1.5})), "nodeExecutions[0].seq"),
        (node(json!({"nodeId": "a", "status": "pending"})), "nodeExecutions[0].status"),
        (node(json!({"nodeId": "a", "executionTimeMs": -0.1})), "nodeExecutions[0].executionTimeMs"),
        (node(json!({"nodeId": "a", "executedAt": "1066-10-14T09:00:00Z"})), "nodeExecutions[0].executedAt"),
        (node(json!({"nodeId": "a", "attempt": 0})), "nodeExecutions[0].attempt"),
        (node(json!({"nodeId": "a", "node": 1})), "nodeExecutions[0].node"),
        (node(json!(7)), "nodeExecutions[0]"),
    ];
    for (body, field) in cases {
        let message = rest.post(&executions(), &body).await.expect_error(400, "invalid");
        assert!(message.starts_with(&format!("{field}: ")), "{body}: {message}");
    }
    let twice = json!({"status": "fulfilled",
        "nodeExecutions": [{"seq": 1, "nodeId": "a"}, {"seq": 1, "nodeId": "b"}]});
    rest.post(&executions(), &twice).await.expect_error(409, "conflict");
    let nul = json!({"status": "fulfilled", "initialParams": {"text": "a\u{0}b 🙂"}, "outputs": "\u{0}"});
    let kept = rest.post(&executions(), &nul).await.expect(201);
    assert_eq!((&kept["initialParams"], &kept["outputs"]), (&nul["initialParams"], &nul["outputs"]));
    let listed = rest.get(&executions()).await.expect(200);
    assert_eq!(listed["total"], 1, "nothing is left of what was refused");
}

#[tokio::test]
async fn what_flowtrail_runs_itself_is_not_told_of_by_others() {
    let server = TestServer::builder().allow_private_addresses().start().await;
    let rest = server.rest();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let fetch = json!({"method": "GET", "url": "{{ ask.url }}", "timeout": "5m"});
    let made = server.create(&flow("Wait").text("url").node("fetch", "ApiCall", fetch).returns("done")).await;
    let run = format!("/api/flows/{}/run?wait=false", made["id"].as_str().unwrap());
    let begun = rest.post(&run, &json!({"params": {"url": url}})).await.expect(202);
    let id = begun["id"].as_str().unwrap();
    let node = json!({"seq": 9, "nodeId": "x"});
    rest.post(&format!("/api/executions/{id}/nodes"), &node).await.expect_error(409, "runs_here");
    let end = json!({"status": "fulfilled"});
    rest.patch(&format!("/api/executions/{id}"), &end).await.expect_error(409, "runs_here");
    rest.post(&format!("/api/executions/{id}/cancel"), &json!({})).await.expect(202);
    server.ended(id).await;
}

#[tokio::test]
async fn what_was_exported_can_be_recorded_elsewhere_and_is_the_same() {
    let from = server().await;
    for number in 0..120 {
        let status = if number % 3 == 0 { "aborted" } else { "fulfilled" };
        let started_at = format!("2026-01-06T12:{:02}:{:02}.500Z", number / 60, number % 60);
        let whole = json!({"status": status, "startedAt": started_at, "duration": number, "initialParams": {"n": number},
            "nodeExecutions": [{"nodeId": "a", "inputData": number}], "tags": {"parity": (number % 2).to_string()}});
        from.rest().post(&executions(), &whole).await.expect(201);
    }
    let exported = from.rest().get(&format!("{}/export", executions())).await.expect(200);
    let exported = exported.as_str().unwrap();
    assert_eq!(exported.lines().count(), 120);
    let to = server().await;
    let outcomes = to.rest().post_bytes("/api/executions/batch", exported.into()).await.expect(200);
    assert!(outcomes.as_str().unwrap().lines().all(|line| line.contains("\"created\"")), "{outcomes}");
    let again = to.rest().get("/api/executions/export?format=ndjson").await.expect(200);
    let written = |text: &str| -> Vec<Value> {
        let known_by_the_server = ["createdAt", "updatedAt"];
        text.lines()
            .map(|line| {
                let mut execution: Value = serde_json::from_str(line).unwrap();
                execution
                    .as_object_mut()
                    .unwrap()
                    .retain(|name, _| !known_by_the_server.contains(&name.as_str()));
                execution
            })
            .collect()
    };
    assert_eq!(written(again.as_str().unwrap()), written(exported));

    let csv =
        from.rest().get(&format!("{}/export?format=csv&status=aborted", executions())).await.expect(200);
    let csv = csv.as_str().unwrap();
    assert_eq!(csv.lines().count(), 41);
    assert!(csv.starts_with("id,flowId,flowName"), "{csv}");
    assert!(
        csv.lines()
            .nth(1)
            .unwrap()
            .ends_with(",aborted,false,api,2026-01-06T12:01:57.500Z,2026-01-06T12:01:57.617Z,117,117,")
    );
    from.rest().get("/api/executions/export?format=xml").await.expect_error(400, "invalid");
}

#[tokio::test]
async fn a_flow_that_ran_can_be_run_again_unless_its_parameters_were_not_kept() {
    let server = TestServer::start().await;
    let rest = server.rest();
    let greet = flow("Greet").text("name").returns("Hello {{ ask.name }}.");
    let made = server.create(&greet).await;
    let run = format!("/api/flows/{}/run", made["id"].as_str().unwrap());
    let original = rest.post(&run, &json!({"params": {"name": "Ada"}})).await.expect(200);
    let replay = format!("/api/executions/{}/replay", original["id"].as_str().unwrap());
    let begun = rest.post(&replay, &json!({})).await.expect(202);
    let again = server.ended(begun["id"].as_str().unwrap()).await;
    assert_execution(&again)
        .has_status("fulfilled")
        .has("/source", &json!("replay"))
        .has("/replayOf", &original["id"])
        .has("/initialParams", &original["initialParams"])
        .has("/outputs", &original["outputs"]);
    let card = json!({"params": {"name": "4111 1111 1111 1111"}});
    let secret = rest.post(&run, &card).await.expect(200);
    let replay = format!("/api/executions/{}/replay", secret["id"].as_str().unwrap());
    let message = rest.post(&replay, &json!({})).await.expect_error(409, "incomplete");
    assert!(message.contains("held a secret"), "{message}");
}

/// The answer to a record is made from what was recorded, and not read back.
#[tokio::test]
async fn the_answer_to_a_record_is_what_is_read_from_then_on() {
    let server = TestServer::builder()
        .settings(|settings| settings.max_payload = Some("1KiB".parse().unwrap()))
        .start()
        .await;
    let rest = server.rest();
    let error =
        json!({"message": "first line\nsecond line", "kind": "limit", "nodeId": "b", "nodeName": "Bee"});
    let nodes = json!([
        {"seq": 2, "nodeId": "b", "error": "broken", "inputData": {"apiKey": "sk-1234567890abcdef"}},
        {"seq": 1, "nodeId": "a", "nodeName": "Ä", "nodeType": "http", "executionTimeMs": 1.2345, "executedAt": "2026-01-06T12:00:00.123456Z",
         "inputData": "x".repeat(5_000), "outputData": [1, null, {"two": 2.5e300}], "attempt": 3, "iteration": 0, "parentSeq": 1},
    ]);
    let reports = [
        json!({"status": "fulfilled"}),
        json!({"status": "fulfilled", "outputs": null, "duration": 0, "nodeExecutions": []}),
        json!({"status": "error", "errorInfo": error, "nodeExecutions": nodes, "startedAt": "2026-01-06T12:00:00Z", "duration": 1234.5678,
            "initialParams": {"password": "hunter2", "long": "y".repeat(3_000)}, "outputs": {"z": "😀".repeat(600)},
            "meta": {"by": "test"}, "tags": {"shop": "north", "token": "abc"}}),
        json!({"status": "aborted", "endedAt": "2026-01-06T12:00:01.999999Z", "startedAt": "2026-01-06T12:00:00.000001Z"}),
        json!({"status": "aborted", "errorInfo": {"message": "stopped"}, "endedAt": "2026-01-05T12:00:00Z", "startedAt": "2026-01-06T12:00:00Z"}),
    ];
    for capture in ["full", "metadata", "none"] {
        let flow = json!({"name": format!("Kept {capture}"), "kind": "external", "capture": capture});
        let flow = rest.post("/api/flows", &flow).await.expect(201);
        let path = format!("/api/flows/{}/executions", flow["id"].as_str().unwrap());
        for report in &reports {
            let told = rest.post(&path, report).await.expect(201);
            let read =
                rest.get(&format!("/api/executions/{}", told["id"].as_str().unwrap())).await.expect(200);
            assert_eq!(told, read, "{capture}: {report}");
        }
    }
}
