//! The history API of Open WebUI's flows, as its client uses it.

use flowtrail_testkit::{Era, TestServer, TestUser, flow};
use serde_json::{Value, json};

const FLOW: &str = "936da01f-9abd-4d9d-80c7-02af85c822a8";
const SPREAD: &str = "6f1c1d44-0000-4000-8000-00000000e301";

fn list(flow: &str) -> String {
    format!("/api/v1/flows/{flow}/executions")
}

#[tokio::test]
async fn what_was_sent_comes_back_as_it_was() {
    let server = TestServer::start().await;
    let TestUser { id: ana_id, rest: ana, .. } = server.user("Ana").await;
    let odd = json!({"ü \"quoted\"": [1, 2.5, null, {"deep": {"er": "☃"}}], "": null});
    for (status, inputs, outputs, results, errors) in [
        (
            "success",
            json!({"topic": "jokes"}),
            json!({"text": "Ha"}),
            json!({"in": "jokes", "model": {"text": "Ha"}}),
            json!({}),
        ),
        ("success", Value::Null, Value::Null, Value::Null, Value::Null),
        ("success", json!({}), json!({}), json!({}), json!({})),
        (
            "error",
            Value::Null,
            odd.clone(),
            json!({"in": null, "b": false, "a": odd}),
            json!({"a": "it broke\nhere", "z": ""}),
        ),
        ("error", Value::Null, Value::Null, json!({}), Value::Null),
        ("aborted", json!({"n": 1}), Value::Null, json!({"in": 0}), Value::Null),
    ] {
        let body = json!({
            "flow_id": FLOW, "status": status, "inputs": inputs, "outputs": outputs, "node_results": results,
            "errors": errors, "execution_time": 1_234,
        });
        let made = ana.post(&list(FLOW), &body).await.expect(200);
        let fields: Vec<&str> = made.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            fields,
            [
                "id",
                "flow_id",
                "user_id",
                "status",
                "inputs",
                "outputs",
                "node_results",
                "errors",
                "execution_time",
                "created_at",
                "meta",
            ]
        );
        for (field, sent) in body.as_object().unwrap() {
            assert_eq!(&made[field], sent, "{field} of {body}");
        }
        assert_eq!((&made["user_id"], &made["meta"]), (&json!(ana_id), &json!({})));
        let id = made["id"].as_str().unwrap();
        assert_eq!(ana.get(&format!("{}/{id}", list(FLOW))).await.expect(200), made);
    }
    let listed = ana.get(&list(FLOW)).await.expect(200);
    assert_eq!(listed.as_array().unwrap().len(), 6);
    let fields: Vec<&str> = listed[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["id", "flow_id", "status", "execution_time", "created_at"]);
    // They are executions like all others, and the flow was made by the first one.
    let native = ana.get(&format!("/api/flows/{FLOW}/executions?status=error")).await.expect(200);
    assert_eq!(native["items"][1]["error"], "it broke");
    assert_eq!(native["items"][0]["error"], "the flow failed; its reporter gave no reason");
    assert_eq!(native["items"][0]["duration"], 1_234);
    let flow = ana.get(&format!("/api/flows/{FLOW}")).await.expect(200);
    assert_eq!((&flow["kind"], &flow["ownerId"]), (&json!("external"), &json!(ana_id)));
}

#[tokio::test]
async fn pages_go_by_arrival_and_statistics_leave_out_what_is_pending() {
    let server = TestServer::start().await;
    let rest = server.rest();
    let mut ids = Vec::new();
    for number in 0..70u32 {
        // The later ones took longer, so that they began earlier.
        let status = ["success", "success", "error", "aborted"][number as usize % 4];
        let body = json!({"status": status, "execution_time": number * 1_000});
        ids.push(rest.post(&list(FLOW), &body).await.expect(200)["id"].clone());
    }
    ids.reverse();
    let id_of =
        |page: &Value| page.as_array().unwrap().iter().map(|item| item["id"].clone()).collect::<Vec<_>>();
    assert_eq!(id_of(&rest.get(&list(FLOW)).await.expect(200)), ids[..60]);
    assert_eq!(id_of(&rest.get(&format!("{}?page=2", list(FLOW))).await.expect(200)), ids[60..]);
    assert_eq!(rest.get(&format!("{}?page=3", list(FLOW))).await.expect(200), json!([]));

    let pending = rest.post(&format!("/api/flows/{FLOW}/executions"), &json!({})).await.expect(201);
    let one = format!("{}/{}", list(FLOW), pending["id"].as_str().unwrap());
    assert_eq!(rest.get(&one).await.expect(404)["detail"], "Execution not found");
    rest.delete(&one).await.expect(404);
    let stats = rest.get(&format!("{}/stats", list(FLOW))).await.expect(200);
    assert_eq!(stats["total_executions"], 70);
    assert_eq!(
        (&stats["success_count"], &stats["error_count"], &stats["aborted_count"]),
        (&json!(36), &json!(17), &json!(17))
    );
    assert!((stats["avg_execution_time"].as_f64().unwrap() - 34_500.0).abs() < 1.0, "{stats}");
    let newest = rest.get(&list(FLOW)).await.expect(200)[0]["created_at"].clone();
    assert_eq!(stats["last_execution_at"], newest);
    assert_eq!(rest.delete(&format!("{}/{}", list(FLOW), ids[0].as_str().unwrap())).await.expect(200), true);
    assert_eq!(rest.delete(&list(FLOW)).await.expect(200), true);
    assert_eq!(rest.get(&list(FLOW)).await.expect(200), json!([]));
    let stats = rest.get(&format!("{}/stats", list(FLOW))).await.expect(200);
    assert_eq!(
        stats,
        json!({
            "total_executions": 0, "success_count": 0, "error_count": 0, "aborted_count": 0, "avg_execution_time": 0.0,
            "last_execution_at": null,
        })
    );
    assert_eq!(rest.get("/api/executions?status=pending").await.expect(200)["total"], 1, "it is still there");
}

#[tokio::test]
async fn errors_are_told_in_its_words() {
    let server = TestServer::start().await;
    let ana = server.user("Ana").await.rest;
    let eve = server.user("Eve").await.rest;
    let good = json!({"status": "success", "execution_time": 1});
    let id = ana.post(&list(FLOW), &good).await.expect(200)["id"].as_str().unwrap().to_owned();
    let unknown = "11111111-9abd-4d9d-80c7-02af85c822a8";
    let detail = |answer: flowtrail_testkit::Answer, status: u16| {
        let body = answer.expect(status);
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
        body["detail"].as_str().unwrap().to_owned()
    };
    let nobody = server.rest().with_key(None);
    for rest in [&nobody, &server.rest().with_key(Some("ft_nobodys"))] {
        detail(rest.get(&list(FLOW)).await, 401);
        detail(rest.post(&list(unknown), &good).await, 401);
    }
    for path in [list(FLOW), format!("{}/stats", list(FLOW)), format!("{}/{id}", list(FLOW))] {
        detail(eve.get(&path).await, 403);
        detail(ana.get(&path.replace(FLOW, unknown)).await, 404);
        detail(ana.get(&path.replace(FLOW, "no-id")).await, 404);
    }
    detail(eve.post(&list(FLOW), &good).await, 403);
    detail(eve.delete(&list(FLOW)).await, 403);
    detail(eve.delete(&format!("{}/{id}", list(FLOW))).await, 403);
    detail(ana.delete(&list(unknown)).await, 404);
    // An execution of another flow is none of this one.
    let other = "22222222-9abd-4d9d-80c7-02af85c822a8";
    ana.post(&list(other), &good).await.expect(200);
    for missing in [
        format!("{}/{id}", list(other)),
        format!("{}/no-id", list(FLOW)),
        format!("{}/{unknown}", list(FLOW)),
    ] {
        detail(ana.get(&missing).await, 404);
        detail(ana.delete(&missing).await, 404);
    }
    for (body, field) in [
        (json!([]), "body"),
        (json!({"execution_time": 1}), "status"),
        (json!({"status": "done", "execution_time": 1}), "status"),
        (json!({"status": "success"}), "execution_time"),
        (json!({"status": "success", "execution_time": -1}), "execution_time"),
        (json!({"status": "success", "execution_time": 1e300}), "execution_time"),
        (json!({"status": "success", "execution_time": "1"}), "execution_time"),
        (json!({"status": "success", "execution_time": 1, "inputs": []}), "inputs"),
        (json!({"status": "success", "execution_time": 1, "node_results": "x"}), "node_results"),
        (json!({"status": "error", "execution_time": 1, "errors": {"a": 1}}), "errors.a"),
        (json!({"status": "success", "execution_time": 1, "flow_id": unknown}), "flow_id"),
    ] {
        let told = detail(ana.post(&list(FLOW), &body).await, 422);
        assert!(told.starts_with(&format!("{field}: ")), "{body}: {told}");
    }
    detail(ana.post_bytes(&list(FLOW), b"{".to_vec()).await, 422);
    detail(ana.post(&list("no-id"), &good).await, 422);
    detail(ana.get(&format!("{}?page=0", list(FLOW))).await, 422);
    // To a flow that is not known yet, too.
    for (name, value) in
        [("execution_time", json!(1e15)), ("node_results", json!({"": 1})), ("errors", json!({"a": 1}))]
    {
        let mut body = json!({"status": "error", "execution_time": 1});
        body[name] = value;
        detail(ana.post(&list(unknown), &body).await, 422);
    }
    detail(
        ana.post(
            &list(FLOW),
            &json!({"status": "success", "execution_time": 1, "inputs": {"x": "y".repeat(17 << 20)}}),
        )
        .await,
        413,
    );
    // Nothing of all that left anything behind.
    assert_eq!(ana.get(&list(FLOW)).await.expect(200).as_array().unwrap().len(), 1);
    ana.get(&format!("/api/flows/{unknown}")).await.expect_error(404, "not_found");
}

#[tokio::test]
async fn what_came_over_mcp_is_shown_too() {
    let server = TestServer::start().await;
    let greet = server.create(&flow("Greet").text("name").returns("Hello {{ ask.name }}")).await;
    let client = server.mcp(Era::Stateless).await;
    let answer = client.call("greet", json!({"name": "Ana"})).await;
    let path = list(greet["id"].as_str().unwrap());
    let shown = server.rest().get(&format!("{path}/{}", answer.execution_id())).await.expect(200);
    assert_eq!((&shown["status"], &shown["inputs"]), (&json!("success"), &json!({"name": "Ana"})));
    assert_eq!(shown["node_results"]["ask"], json!({"name": "Ana"}));
    assert_eq!(shown["errors"], Value::Null);
    assert_eq!(server.rest().get(&path).await.expect(200)[0]["id"], answer.execution_id());
}

#[tokio::test]
async fn who_sees_only_their_own_gets_whole_pages_of_it() {
    let server = TestServer::start().await;
    let eve = server.user("Eve").await.rest;
    let body = json!({"name": "Open to all", "kind": "external", "access": {"public": true}});
    let made = server.rest().post("/api/flows", &body).await.expect(201);
    let flow = made["id"].as_str().unwrap();
    let good = json!({"status": "success", "execution_time": 1});
    let theirs = eve.post(&list(flow), &good).await.expect(200);
    // Neither what is pending nor what is somebody else's takes the place of theirs.
    for _ in 0..3 {
        eve.post(&format!("/api/flows/{flow}/executions"), &json!({})).await.expect(201);
        server.rest().post(&list(flow), &good).await.expect(200);
    }
    let page = eve.get(&list(flow)).await.expect(200);
    assert_eq!(page.as_array().unwrap().len(), 1, "{page}");
    assert_eq!(page[0]["id"], theirs["id"]);
    assert_eq!(eve.get(&format!("{}?page=2", list(flow))).await.expect(200), json!([]));
}

#[tokio::test]
async fn what_its_page_makes_of_an_emoji_is_recorded() {
    let server = TestServer::start().await;
    let rest = server.rest();
    for (name, value, expected) in [
        (
            "node_results",
            r#"{"m": {"0": "\ud83d", "1": "\ude42", "label": "Model"}}"#,
            json!({"m": {"0": "\u{fffd}", "1": "\u{fffd}", "label": "Model"}}),
        ),
        ("node_results", r#"{"m": "\ud83d\ude42 \\ud83d"}"#, json!({"m": "🙂 \\ud83d"})),
        ("outputs", r#"{"\udc00": ["\ud83d\ud83d\ude42"]}"#, json!({"\u{fffd}": ["\u{fffd}🙂"]})),
        ("inputs", r#"{"text": "cut \uD83D"}"#, json!({"text": "cut \u{fffd}"})),
        ("errors", r#"{"m": "no \uDE42"}"#, json!({"m": "no \u{fffd}"})),
    ] {
        let body = format!(
            r#"{{"flow_id": "{FLOW}", "status": "error", "{name}": {value}, "execution_time": 12.5}}"#
        );
        for body in [body.clone(), format!("\u{feff}{body}")] {
            let made = rest.post_bytes(&list(FLOW), body.clone().into_bytes()).await.expect(200);
            assert_eq!(made[name], expected, "{body}");
            let id = made["id"].as_str().unwrap();
            assert_eq!(rest.get(&format!("{}/{id}", list(FLOW))).await.expect(200)[name], expected, "{body}");
        }
    }
    // A text that is spread over an object, as `{...text}` does it: a member for each half of a character.
    for text in ["Done", "Done 🙂", "👩‍👩‍👧", "a🇩🇪"] {
        let units: Vec<u16> = text.encode_utf16().collect();
        let member = |(index, unit): (usize, &u16)| format!(r#""{index}":"\u{unit:04x}","#);
        let spread: String = units.iter().enumerate().map(member).collect();
        let spread = format!(r#"{{"model_1":{{{spread}"label":"Model"}}}}"#);
        let body = format!(
            r#"{{"flow_id":"{SPREAD}","status":"success","inputs":{{}},"outputs":{spread},"node_results":{spread},"errors":null,"execution_time":1234}}"#
        );
        let made = rest.post_bytes(&list(SPREAD), body.into_bytes()).await.expect(200);
        for field in ["outputs", "node_results"] {
            let members = made[field]["model_1"].as_object().unwrap();
            assert_eq!(
                (members.len(), &members["label"]),
                (units.len() + 1, &json!("Model")),
                "{text} {made}"
            );
            let halves = units.iter().filter(|unit| (0xd800..0xe000).contains(*unit)).count();
            let replaced = members.values().filter(|value| **value == "\u{fffd}").count();
            assert_eq!(replaced, halves, "{text} {made}");
        }
    }
    let stats = rest.get(&format!("{}/stats", list(SPREAD))).await.expect(200);
    assert_eq!((&stats["total_executions"], &stats["success_count"]), (&json!(4), &json!(4)));
    // What is broken in another way stays refused.
    for broken in
        [r#"{"status": "success", "execution_time": 1, "inputs": {"a": "\ud8"}}"#, r#"{"status": "\x"}"#]
    {
        rest.post_bytes(&list(FLOW), broken.as_bytes().to_vec()).await.expect(422);
    }
}

#[tokio::test]
async fn errors_that_are_no_texts_come_back_as_they_were() {
    let server = TestServer::start().await;
    let rest = server.rest();
    let errors = json!({
        "text": "it broke", "detail": {"detail": "no such model", "code": 404}, "spread": {}, "list": ["a", {"b": 1}], "none": null,
    });
    let body = json!({"status": "error", "errors": errors, "node_results": {"text": 1}, "execution_time": 0});
    let made = rest.post(&list(FLOW), &body).await.expect(200);
    assert_eq!((&made["errors"], &made["meta"]), (&errors, &json!({})));
    let native = format!("/api/flows/{FLOW}/executions/{}", made["id"].as_str().unwrap());
    let nodes = rest.get(&native).await.expect(200)["nodeExecutions"].clone();
    let messages: Vec<&str> =
        nodes.as_array().unwrap().iter().map(|node| node["error"].as_str().unwrap()).collect();
    let reason = "the node failed; its reporter gave no reason";
    assert_eq!(messages, ["it broke", "no such model", "{}", "[\"a\",{\"b\":1}]", reason]);
}

#[tokio::test]
async fn bad_input_is_named_as_this_dialect_names_it() {
    let server = TestServer::start().await;
    let long = "n".repeat(201);
    for (field, value, expected) in [
        ("execution_time", json!(1e15), "execution_time: ".to_owned()),
        ("execution_time", json!(1e13), "execution_time: ".to_owned()),
        ("node_results", json!({"a": 1, "": 1}), "node_results.: ".to_owned()),
        ("node_results", json!({ long.clone(): 1 }), format!("node_results.{}: ", "n".repeat(100))),
        ("errors", json!({ long: "x" }), format!("errors.{}: ", "n".repeat(100))),
        ("inputs", json!("x"), "inputs: ".to_owned()),
    ] {
        let mut body = json!({"status": "error", "execution_time": 1});
        body[field] = value;
        let answer = server.rest().post(&list(FLOW), &body).await.expect(422);
        let detail = answer["detail"].as_str().unwrap();
        assert!(detail.starts_with(&expected), "{body}: {detail}");
        for native in ["nodeExecutions", "nodeId", "duration", "initialParams"] {
            assert!(!detail.contains(native), "{body}: {detail}");
        }
    }
}
