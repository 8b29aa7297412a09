//! The application, as production builds it, on the store in memory.

use actix_web::http::{Method, StatusCode, header};
use actix_web::test::{self, TestRequest};
use flowtrail_http::{App, AppOptions};
use flowtrail_runner::{Runner, RunnerOptions};
use flowtrail_store::MemoryStore;
use flowtrail_tracker::Tracker;
use serde_json::{Value, json};

const KEY: &str = "a-key-for-the-tests-of-http";

fn app() -> App {
    let tracker = Tracker::open(MemoryStore::new()).unwrap();
    tracker.ensure_admin_key(Some(KEY)).unwrap();
    App::new(
        Runner::new(tracker, RunnerOptions::default()),
        AppOptions { max_body: 4_096, ..AppOptions::default() },
    )
}

/// Sends one request, and gives the status and the body.
async fn send(app: &App, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
    let configured = app.clone();
    let service =
        test::init_service(actix_web::App::new().configure(move |config| configured.configure(config))).await;
    let mut request = TestRequest::with_uri(path)
        .method(method)
        .insert_header((header::HOST, "localhost"))
        .insert_header((header::AUTHORIZATION, format!("Bearer {KEY}")));
    if let Some(body) = body {
        request = request.set_payload(body.to_string());
    }
    let response = test::call_service(&service, request.to_request()).await;
    let status = response.status();
    let bytes = test::read_body(response).await;
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

#[actix_web::test]
async fn errors_have_the_form_of_the_contract() {
    let app = app();
    for (method, path, status, code) in [
        (Method::GET, "/api/nothing", 404, "not_found"),
        (Method::PUT, "/api/flows", 405, "method_not_allowed"),
        (Method::GET, "/api/flows/no-id", 404, "not_found"),
        (Method::GET, "/api/executions?limit=1000", 400, "invalid"),
        (Method::GET, "/api/flows?colour=red", 400, "invalid"),
        (Method::GET, "/nothing", 404, "not_found"),
    ] {
        let (answered, body) = send(&app, method, path, None).await;
        assert_eq!((answered.as_u16(), &body["code"]), (status, &json!(code)), "{path}: {body}");
        assert_eq!(body["statusCode"], status);
        assert_eq!(body["error"], answered.canonical_reason().unwrap());
        assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{path}: {body}");
    }
}

#[actix_web::test]
async fn a_body_over_the_limit_is_refused_before_it_is_read_whole() {
    let large = json!({"name": "x".repeat(5_000)});
    let (status, body) = send(&app(), Method::POST, "/api/flows", Some(large)).await;
    assert_eq!((status.as_u16(), &body["code"]), (413, &json!("too_large")));
}

#[actix_web::test]
async fn a_flow_has_the_fields_of_the_contract() {
    let app = app();
    let (status, made) =
        send(&app, Method::POST, "/api/flows", Some(json!({"name": "Nightly", "kind": "external"}))).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let fields: Vec<&str> = made.as_object().unwrap().keys().map(String::as_str).collect();
    for field in [
        "id",
        "kind",
        "name",
        "toolName",
        "description",
        "active",
        "version",
        "nodes",
        "connections",
        "timeout",
        "access",
        "capture",
        "retention",
        "ownerId",
        "createdAt",
        "updatedAt",
    ] {
        assert!(fields.contains(&field), "{field} is missing in {made:#}");
    }
    let itself = format!("/api/flows/{}", made["id"].as_str().unwrap());
    let rules = json!({"maxAge": "30d", "maxCount": 5});
    let (_, changed) = send(&app, Method::PATCH, &itself, Some(json!({"retention": rules}))).await;
    assert_eq!(changed["retention"], rules, "{changed:#}");
    let (_, list) = send(&app, Method::GET, "/api/flows", None).await;
    assert_eq!(list["items"][0]["retention"], rules, "{list:#}");
    let (_, cleared) = send(&app, Method::PATCH, &itself, Some(json!({"retention": null}))).await;
    assert_eq!(cleared["retention"], json!(null), "{cleared:#}");
    let item = list["items"][0].as_object().unwrap();
    assert!(
        !item.contains_key("nodes") && item.contains_key("lastStatuses") && item.contains_key("retention"),
        "{list:#}"
    );
    let path = format!("/api/flows/{}/run", made["id"].as_str().unwrap());
    let (status, refused) = send(&app, Method::POST, &path, Some(json!({}))).await;
    assert_eq!((status.as_u16(), &refused["code"]), (409, &json!("flow_not_runnable")));
}

#[actix_web::test]
async fn it_lives_and_is_ready() {
    let app = app();
    for path in ["/healthz", "/readyz", "/"] {
        assert_eq!(send(&app, Method::GET, path, None).await.0, StatusCode::OK, "{path}");
    }
}
