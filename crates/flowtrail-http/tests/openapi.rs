//! The API's description says what the server does, and stands in the documentation as it is.

use std::collections::BTreeSet;

use actix_web::http::header;
use actix_web::test::{self, TestRequest};
use flowtrail_http::{App, AppOptions, openapi, routes};
use flowtrail_runner::{Runner, RunnerOptions};
use flowtrail_store::MemoryStore;
use flowtrail_tracker::Tracker;
use serde_json::Value;

const KEY: &str = "a-key-for-the-tests-of-the-description";

/// Where `cargo xtask openapi` writes it.
const KEPT: &str = include_str!("../../../docs/openapi.json");

/// Every operation: its path, its method and what is said of it.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, methods): (&String, &'_ Value)| {
        let path = path.clone();
        let methods: Vec<String> = methods.as_object().unwrap().keys().cloned().collect();
        methods.into_iter().map(move |method| (path.clone(), method))
    };
    let all: Vec<(String, String)> = paths.iter().flat_map(of_path).collect();
    all.into_iter().map(|(path, method)| (path.clone(), method.clone(), &paths[&path][&method])).collect()
}

#[test]
fn the_description_that_is_kept_is_current() {
    let kept: Value = serde_json::from_str(KEPT).unwrap();
    assert!(kept == openapi(), "docs/openapi.json is not what the code says: run `cargo xtask openapi`");
}

#[test]
fn every_route_is_described_once_with_errors_and_examples() {
    let document = openapi();
    let all = operations(&document);
    assert_eq!(all.len(), routes().count());
    let names: BTreeSet<&str> = all.iter().map(|(_, _, one)| one["operationId"].as_str().unwrap()).collect();
    assert_eq!(names.len(), all.len(), "two operations have one name");
    for (path, method, operation) in &all {
        let what = format!("{method} {path}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{what}");
        let needs_key = operation["security"].as_array().is_some_and(|ways| !ways.is_empty());
        assert!(!needs_key || responses.contains_key("401"), "{what}");
        for (status, answer) in responses {
            assert!(answer["description"].as_str().is_some_and(|text| !text.is_empty()), "{what} {status}");
        }
    }
}

/// Every `$ref` of a value.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(target)) = fields.get("$ref") {
                found.insert(target.clone());
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn what_is_referred_to_is_there_and_what_is_there_is_referred_to() {
    let document = openapi();
    let mut used = BTreeSet::new();
    references(&document, &mut used);
    for target in &used {
        assert!(document.pointer(&target[1..]).is_some(), "{target} is not there");
    }
    for kind in ["schemas", "parameters", "headers", "examples"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            let target = format!("#/components/{kind}/{name}");
            // Lines are described in words.
            let is_in_words = KEPT.contains(&format!("`{name}`"));
            let is_for_all = target.ends_with("/method_not_allowed");
            assert!(used.contains(&target) || is_in_words || is_for_all, "{target} is used nowhere");
        }
    }
}

#[test]
fn every_example_is_what_its_schema_says() {
    let document = openapi();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let mut whole = schema.clone();
        whole["components"] = document["components"].clone();
        let validator = jsonschema::options().should_validate_formats(true).build(&whole).unwrap();
        for example in schema["examples"].as_array().into_iter().flatten() {
            let errors: Vec<String> = validator
                .iter_errors(example)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{name}: {errors:?}");
        }
        let is_word = schema.get("enum").is_some() || name == "Capture";
        assert!(is_word || schema["examples"].is_array(), "{name} has no example");
    }
}

/// A parameter that is not known is refused by every operation of the native API, which names those that are: so what is
/// described is what is taken.
#[actix_web::test]
async fn the_parameters_that_are_described_are_those_that_are_taken() {
    let tracker = Tracker::open(MemoryStore::new()).unwrap();
    tracker.ensure_admin_key(Some(KEY)).unwrap();
    let app = App::new(Runner::new(tracker, RunnerOptions::default()), AppOptions::default());
    let service =
        test::init_service(actix_web::App::new().configure(move |config| app.configure(config))).await;
    let document = openapi();
    let mut wrong = Vec::new();
    for (path, method, operation) in operations(&document) {
        let needs_key = operation["security"].to_string().contains("key");
        if !needs_key || path.starts_with("/api/v1/") {
            continue;
        }
        let described: BTreeSet<String> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|parameter| document.pointer(parameter["$ref"].as_str()?.get(1..)?))
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
            .collect();
        let address = path
            .replace("{flowId}", "3f2c1b7e-58a1-4c53-9a35-0d4f6c1f2a10")
            .replace("{executionId}", "019b9335-4200-7000-8000-00000000000a")
            .replace("{userId}", "0b8f7c3e-6a0d-4c62-8f1b-2f5f0c3f9a77")
            .replace("{keyId}", "0b8f7c3e-6a0d-4c62-8f1b-2f5f0c3f9a77")
            .replace("{seq}", "1");
        let request = TestRequest::with_uri(&format!("{address}?colour=red"))
            .method(method.to_ascii_uppercase().parse().unwrap())
            .insert_header((header::AUTHORIZATION, format!("Bearer {KEY}")))
            .to_request();
        let answer = test::call_service(&service, request).await;
        let status = answer.status().as_u16();
        let body: Value = test::read_body_json(answer).await;
        let message = body["message"].as_str().unwrap_or_default();
        let taken: BTreeSet<String> = message
            .strip_prefix("colour: unknown parameter, expected ")
            .map(|names| names.split(", ").map(str::to_owned).collect())
            .unwrap_or_default();
        if status != 400 || !message.starts_with("colour: unknown parameter") || taken != described {
            wrong.push(format!(
                "{method} {path}: {described:?} are described, and it answers {status}: {message}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
