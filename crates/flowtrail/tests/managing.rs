//! Statistics, deleting and keys over HTTP.

use flowtrail_testkit::{TestServer, flow};
use serde_json::{Value, json};

/// A server with an external flow and ten executions of it, one a minute from noon on: every fifth failed.
async fn server() -> (TestServer, String) {
    let server = TestServer::start().await;
    let made =
        server.rest().post("/api/flows", &json!({"kind": "external", "name": "Elsewhere"})).await.expect(201);
    let executions = format!("/api/flows/{}/executions", made["id"].as_str().unwrap());
    for minute in 0..10 {
        let mut whole = json!({"status": "fulfilled", "duration": 100 * (minute + 1),
            "startedAt": format!("2026-01-06T12:{minute:02}:00.000Z")});
        if minute % 5 == 0 {
            whole["status"] = json!("error");
            whole["errorInfo"] = json!({"message": "no"});
        }
        server.rest().post(&executions, &whole).await.expect(201);
    }
    server.rest().post(&executions, &json!({"startedAt": "2026-01-06T13:30:00.000Z"})).await.expect(201);
    (server, executions)
}

#[tokio::test]
async fn statistics_and_time_series_tell_of_a_flow_and_of_all() {
    let (server, executions) = server().await;
    let rest = server.rest();
    for path in [executions.as_str(), "/api/executions"] {
        let told = rest.get(&format!("{path}/stats")).await.expect(200);
        let counts =
            ["total", "pending", "fulfilled", "error", "aborted"].map(|name| told[name].as_u64().unwrap());
        assert_eq!(counts, [11, 1, 8, 2, 0], "{told}");
        assert_eq!((&told["successRate"], &told["avgDuration"]), (&json!(0.8), &json!(550.0)));
        assert_eq!(told["lastExecutionAt"], "2026-01-06T13:30:00.000Z");
        let p50 = told["p50Duration"].as_f64().unwrap();
        assert!((495.0..=505.0).contains(&p50), "{p50}");
        let series = rest.get(&format!("{path}/timeseries?step=hour")).await.expect(200);
        let points: Vec<(&str, u64)> = series["points"]
            .as_array()
            .unwrap()
            .iter()
            .map(|point| (point["at"].as_str().unwrap(), point["total"].as_u64().unwrap()))
            .collect();
        assert_eq!(points, [("2026-01-06T12:00:00.000Z", 10), ("2026-01-06T13:00:00.000Z", 1)]);
        let narrow = rest.get(&format!("{path}/stats?from=2026-01-06T13:00:00Z")).await.expect(200);
        assert_eq!(narrow["total"], 1);
        rest.get(&format!("{path}/timeseries?step=minute")).await.expect_error(400, "invalid");
        rest.get(&format!("{path}/stats?since=1")).await.expect_error(400, "invalid");
    }
}

#[tokio::test]
async fn executions_are_deleted_one_by_one_by_filter_and_by_age() {
    let (server, executions) = server().await;
    let rest = server.rest();
    let total = async || rest.get(&executions).await.expect(200)["total"].as_u64().unwrap();
    let listed = rest.get(&executions).await.expect(200);
    let path_of = |place: usize| format!("{executions}/{}", listed["items"][place]["id"].as_str().unwrap());
    rest.delete(&path_of(0)).await.expect_error(409, "still_running");
    rest.delete(&path_of(1)).await.expect(204);
    rest.get(&path_of(1)).await.expect_error(404, "not_found");
    rest.delete(&path_of(1)).await.expect_error(404, "not_found");
    assert_eq!(total().await, 10);

    let dry = rest.delete(&format!("{executions}?status=error&dryRun=true")).await.expect(200);
    assert_eq!((dry, total().await), (json!({"deleted": 2}), 10));
    assert_eq!(rest.delete(&format!("{executions}?status=error")).await.expect(200), json!({"deleted": 2}));
    assert_eq!(total().await, 8);
    rest.delete(&format!("{executions}?page=2")).await.expect_error(400, "invalid");
    rest.delete(&format!("{executions}?dryRun=perhaps")).await.expect_error(400, "invalid");

    let prune = format!("{executions}/prune");
    assert_eq!(
        rest.post(&format!("{prune}?dryRun=true"), &json!({"keep": 5})).await.expect(200)["deleted"],
        3
    );
    assert_eq!(rest.post(&prune, &json!({"keep": 5})).await.expect(200)["deleted"], 3);
    assert_eq!(total().await, 5);
    let before = json!({"before": "2026-01-06T12:07:00Z"});
    assert_eq!(rest.post(&prune, &before).await.expect(200)["deleted"], 2);
    for body in [
        json!({}),
        json!({"keep": -1}),
        json!({"keep": 1, "before": "2026-01-06T12:07:00Z"}),
        json!({"kept": 1}),
    ] {
        rest.post(&prune, &body).await.expect_error(400, "invalid");
    }
    assert_eq!(rest.delete(&executions).await.expect(200)["deleted"], 2);
    assert_eq!(total().await, 1, "what is pending stays");
}

#[tokio::test]
async fn the_detail_leaves_the_data_out_if_told_and_a_node_is_read_alone() {
    let server = TestServer::start().await;
    let rest = server.rest();
    let made = server.create(&flow("Greet").text("name").returns("Hello {{ ask.name }}.")).await;
    let run = format!("/api/flows/{}/run", made["id"].as_str().unwrap());
    let whole = rest.post(&run, &json!({"params": {"name": "Ada"}})).await.expect(200);
    let path = format!("/api/executions/{}", whole["id"].as_str().unwrap());
    let bare = rest.get(&format!("{path}?data=none")).await.expect(200);
    for name in ["initialParams", "outputs", "meta"] {
        assert!(bare.get(name).is_none() && whole.get(name).is_some(), "{name}");
    }
    let nodes = bare["nodeExecutions"].as_array().unwrap();
    assert_eq!(nodes.len(), 2);
    assert!(
        nodes.iter().all(|node| node.get("outputData").is_none() && node["nodeId"].is_string()),
        "{bare}"
    );
    let node = rest.get(&format!("{path}/nodes/2")).await.expect(200);
    assert_eq!(node, whole["nodeExecutions"][1]);
    for seq in ["3", "0", "x", "99999999999"] {
        rest.get(&format!("{path}/nodes/{seq}")).await.expect_error(404, "not_found");
    }
    rest.get(&format!("{path}?data=some")).await.expect_error(400, "invalid");
}

#[tokio::test]
async fn keys_are_shown_once_and_stop_working_at_once() {
    let server = TestServer::start().await;
    let admin = server.rest();
    let user = admin.post("/api/users", &json!({"name": "Ada", "role": "user"})).await.expect(201);
    assert_eq!((&user["name"], &user["role"]), (&json!("Ada"), &json!("user")));
    let wanted = json!({"name": "laptop", "userId": user["id"]});
    let made = admin.post("/api/keys", &wanted).await.expect(201);
    let secret = made["key"].as_str().unwrap();
    assert!(secret.starts_with(made["prefix"].as_str().unwrap()) && secret.starts_with("ft_"), "{made}");
    let ada = admin.with_key(Some(secret));
    assert_eq!(ada.get("/api/me").await.expect(200)["name"], "Ada");

    // One's own, and no more.
    let own = ada.get("/api/keys").await.expect(200);
    assert_eq!(own["items"].as_array().unwrap().len(), 1);
    assert!(own["items"][0].get("key").is_none(), "it is shown once");
    let all = admin.get("/api/keys").await.expect(200);
    assert!(all["items"].as_array().unwrap().len() >= 2, "{all}");
    ada.post("/api/keys", &json!({"name": "theirs", "userId": all["items"][0]["userId"]}))
        .await
        .expect_error(403, "forbidden");
    ada.get("/api/users").await.expect_error(403, "forbidden");
    ada.post("/api/users", &json!({"name": "Eve", "role": "admin"})).await.expect_error(403, "forbidden");
    let foreign = all["items"].as_array().unwrap().iter().find(|key| key["userId"] != user["id"]).unwrap();
    let foreign = format!("/api/keys/{}", foreign["id"].as_str().unwrap());
    ada.delete(&foreign).await.expect_error(404, "not_found");

    let second = ada.post("/api/keys", &json!({"name": "phone"})).await.expect(201);
    let phone = admin.with_key(second["key"].as_str());
    phone.get("/api/me").await.expect(200);
    ada.delete(&format!("/api/keys/{}", second["id"].as_str().unwrap())).await.expect(204);
    phone.get("/api/me").await.expect_error(401, "unauthenticated");

    for body in [
        json!({}),
        json!({"name": ""}),
        json!({"name": 1}),
        json!({"name": "x", "expiresAt": "2001-01-01T00:00:00Z"}),
        json!({"name": "x", "userId": "me"}),
        json!({"name": "x", "scope": "all"}),
    ] {
        ada.post("/api/keys", &body).await.expect_error(400, "invalid");
    }
    for body in
        [json!({"role": "user"}), json!({"name": "x", "role": "root"}), json!({"name": "\u{7}"}), json!([])]
    {
        admin.post("/api/users", &body).await.expect_error(400, "invalid");
    }
    let users = admin.get("/api/users").await.expect(200);
    let names: Vec<&Value> = users["items"].as_array().unwrap().iter().map(|user| &user["name"]).collect();
    assert!(names.contains(&&json!("Ada")), "{names:?}");
}
