//! Trying again: which failures, how often, and what is recorded of it.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flowtrail_runner::{RunnerOptions, parse_flow};
use flowtrail_types::lifecycle::Outcome;
use serde_json::{Value, json};
use support::{Answer, Log, Server, World, attempts, failure, file, nothing, output_of, statuses};
use tokio::sync::Notify;

/// A server that gives the first answers it is told to, and then says that all is well.
async fn failing_first(answers: Vec<Answer>) -> Server {
    let answers = std::sync::Mutex::new(answers.into_iter());
    Server::start(move |_| {
        let answer = answers.lock().unwrap().next();
        async move { answer.unwrap_or_else(|| Answer::text("well")) }
    })
    .await
}

fn status(status: &'static str) -> Answer {
    Answer::with(status, "", "")
}

/// A flow that asks a server, with as little delay as there can be.
fn flow(server: &Server, retry: Value, more: Value) -> Value {
    let mut parameters =
        json!({"method": "POST", "url": server.url("/"), "retry": {"maxAttempts": 3, "delay": "1ms"}});
    for (target, fields) in [("retry", retry), ("", more)] {
        let target = if target.is_empty() { &mut parameters } else { &mut parameters[target] };
        target.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    }
    file(&[("call", "ApiCall", parameters)], "ask>call")
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_each_attempt_is_seen() {
    let world = World::new();
    let server = failing_first(vec![status("503 Service Unavailable"), Answer::HangUp]).await;
    let finished = world.run(&flow(&server, json!({}), json!({})), nothing()).await;
    assert_eq!(finished.outputs["call"]["body"], json!("well"));
    let recorded = world.recorded(&finished);
    let attempts = attempts(&recorded, "call");
    let url = server.url("/");
    assert_eq!(attempts[0], (1, "error", format!("POST {url} answered 503 Service Unavailable")));
    assert_eq!((attempts[1].0, attempts[1].1), (2, "error"));
    assert!(attempts[1].2.starts_with(&format!("POST {url} failed: ")), "{}", attempts[1].2);
    assert_eq!(attempts[2], (3, "completed", String::new()));
    assert_eq!(output_of(&recorded, "call")["status"], json!(503), "what the first attempt got is kept");
    let inputs =
        recorded.node_executions.iter().skip(1).map(|node| node.input_data.clone().unwrap().to_value());
    assert_eq!(inputs.collect::<Vec<_>>(), [json!({}), json!({}), json!({})]);
}

#[tokio::test]
async fn the_last_attempt_is_the_nodes() {
    let world = World::new();
    let unwell = || {
        vec![
            status("502 Bad Gateway"),
            status("500 Internal Server Error"),
            status("429 Slow"),
            Answer::Never,
        ]
    };
    let server = failing_first(unwell()).await;
    let finished = world.run(&flow(&server, json!({}), json!({})), nothing()).await;
    assert!(failure(&finished).1.contains(" answered 429 "), "{:?}", finished.outcome);
    let recorded = world.recorded(&finished);
    assert_eq!(attempts(&recorded, "call").len(), 3);
    assert_eq!(recorded.error_info.as_ref().unwrap().node_id.as_deref(), Some("call"));
    assert_eq!(server.received().len(), 3);

    let server = failing_first(unwell()).await;
    let mut on = flow(&server, json!({}), json!({}));
    on["nodes"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": "on", "type": "Return", "parameters": {"text": "{{ call.kind }}"}}));
    on["connections"]
        .as_array_mut()
        .unwrap()
        .push(json!({"sourceNodeId": "call", "targetNodeId": "on", "sourceHandle": "error"}));
    let flow = world.flow(&on);
    let log = Arc::new(Log::default());
    let mut call = world.call(&flow, nothing());
    call.observer = Some(log.clone());
    let finished = world.runner.run(call).await.unwrap();
    assert_eq!(finished.outputs, json!("failed"));
    assert_eq!(
        log.lines(),
        ["1/3 ask completed", "2/3 call error", "3/3 on completed"],
        "a node is told of once"
    );
}

#[tokio::test]
async fn what_does_not_pass_is_not_tried_again() {
    let world = World::new();
    for (answer, retry, more) in [
        (status("404 Not Found"), json!({}), json!({})),
        (status("401 Unauthorized"), json!({}), json!({})),
        (status("501 Not Implemented"), json!({}), json!({})),
        (status("503 Service Unavailable"), json!({"on": ["network", "timeout"]}), json!({})),
        (status("503 Service Unavailable"), json!({}), json!({"acceptStatus": [503]})),
        (Answer::HangUp, json!({"on": ["status"]}), json!({})),
        (Answer::redirect("302 Found", "file:///etc/passwd"), json!({}), json!({})),
    ] {
        let server = failing_first(vec![answer]).await;
        let finished = world.run(&flow(&server, retry, more), nothing()).await;
        assert_eq!(server.received().len(), 1, "{finished:?}");
        assert_eq!(attempts(&world.recorded(&finished), "call").len(), 1);
    }
    let world = World::with(World::options());
    let server = failing_first(vec![]).await;
    let forbidden = world.run(&flow(&server, json!({}), json!({})), nothing()).await;
    assert_eq!(failure(&forbidden).0, "forbidden");
    assert_eq!(attempts(&world.recorded(&forbidden), "call").len(), 1);
    let invalid =
        json!({"method": "GET", "url": "{{ 'no url' }}", "retry": {"maxAttempts": 2, "delay": "1ms"}});
    let invalid = world.run(&file(&[("call", "ApiCall", invalid)], "ask>call"), nothing()).await;
    assert_eq!(failure(&invalid).0, "invalid_input");
    assert_eq!(attempts(&world.recorded(&invalid), "call").len(), 1);
}

#[tokio::test]
async fn the_nodes_timeout_is_for_each_attempt() {
    let world = World::new();
    let server = failing_first(vec![Answer::Never, Answer::Never]).await;
    let finished = world.run(&flow(&server, json!({}), json!({"timeout": "50ms"})), nothing()).await;
    assert_eq!(finished.outputs["call"]["body"], json!("well"));
    let slow = || "took longer than 50ms".to_owned();
    assert_eq!(
        attempts(&world.recorded(&finished), "call"),
        [(1, "error", slow()), (2, "error", slow()), (3, "completed", String::new())]
    );
}

#[tokio::test]
async fn the_flows_timeout_is_for_all_of_them() {
    let world = World::new();
    let server = failing_first(vec![status("503 Service Unavailable")]).await;
    let mut patient = flow(&server, json!({"delay": "1h", "maxDelay": "1h"}), json!({}));
    patient["timeout"] = json!("100ms");
    let finished = world.run(&patient, nothing()).await;
    assert_eq!(failure(&finished), ("timeout", "it took longer than 100ms and was given up".to_owned()));
    assert_eq!(statuses(&world.recorded(&finished))[1], ("call".to_owned(), "error"));
}

#[tokio::test]
async fn waiting_for_the_next_attempt_can_be_cancelled() {
    let world = World::new();
    let (asked, count) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let (tell, counted) = (Arc::clone(&asked), Arc::clone(&count));
    let server = Server::start(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        tell.notify_one();
        async { status("503 Service Unavailable") }
    })
    .await;
    let flow = world.flow(&flow(&server, json!({"delay": "1h", "maxDelay": "1h"}), json!({})));
    let call = world.call(&flow, nothing());
    let cancel = call.cancel.clone();
    let running = world.runner.start(call).await.unwrap();
    asked.notified().await;
    cancel.cancel();
    assert!(matches!(running.finish().await.outcome, Outcome::Aborted(_)));
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_a_server_asks_to_wait_is_kept_up_to_the_longest_delay() {
    let world = World::with(RunnerOptions { allow_private_addresses: true, ..World::options() });
    let busy = |after: &str| Answer::with("429 Too Many Requests", &format!("retry-after: {after}"), "");
    let server = failing_first(vec![busy("3600"), busy("Fri, 31 Dec 2199 23:59:59 GMT")]).await;
    let finished = world.run(&flow(&server, json!({"maxDelay": "2ms"}), json!({})), nothing()).await;
    assert_eq!(finished.outputs["call"]["body"], json!("well"));
    // A server that says "at once" is asked at once, whatever the delay is.
    let server = failing_first(vec![busy("0"), busy("Sun, 06 Nov 1994 08:49:37 GMT")]).await;
    let finished =
        world.run(&flow(&server, json!({"delay": "1h", "maxDelay": "1h"}), json!({})), nothing()).await;
    assert_eq!(finished.outputs["call"]["body"], json!("well"));
}

#[test]
fn the_parameter_is_checked() {
    for (retry, expected) in [
        (json!(3), "node a, parameters.retry: must be an object with maxAttempts"),
        (json!({}), "parameters.retry.maxAttempts: must be a whole number from 2 to 10"),
        (json!({"maxAttempts": 1}), "retry.maxAttempts: must be a whole number from 2 to 10"),
        (json!({"maxAttempts": 11}), "retry.maxAttempts: must be a whole number from 2 to 10"),
        (json!({"maxAttempts": 2.5}), "retry.maxAttempts: must be a whole number from 2 to 10"),
        (json!({"maxAttempts": 1e99}), "retry.maxAttempts: must be a whole number from 2 to 10"),
        (json!({"maxAttempts": "{{ ask.n }}"}), "retry.maxAttempts: must be a whole number"),
        (json!({"maxAttempts": 2, "factor": 0.5}), "retry.factor: must be a number from 1 to 10"),
        (json!({"maxAttempts": 2, "factor": "2"}), "retry.factor: must be a number from 1 to 10"),
        (json!({"maxAttempts": 2, "delay": 5}), "retry.delay: must be a duration like"),
        (json!({"maxAttempts": 2, "delay": "soon"}), "retry.delay: \"soon\" is no duration"),
        (json!({"maxAttempts": 2, "maxDelay": "0s"}), "retry.maxDelay: must be more than 0"),
        (json!({"maxAttempts": 2, "delay": "1m"}), "retry.delay: is more than maxDelay (30s)"),
        (
            json!({"maxAttempts": 2, "on": []}),
            "retry.on: must be an array with at least one of timeout, network, status",
        ),
        (json!({"maxAttempts": 2, "on": ["status", 500]}), "retry.on: must be an array"),
        (
            json!({"maxAttempts": 2, "attempts": 3}),
            "retry.attempts: is unknown, did you mean \"maxAttempts\"?",
        ),
    ] {
        let parameters = json!({"method": "GET", "url": "https://shop.example/", "retry": retry});
        let problems = parse_flow(file(&[("a", "ApiCall", parameters)], "ask>a")).unwrap_err().to_string();
        assert!(problems.contains(expected), "{retry}: {problems}");
    }
    let full =
        json!({"maxAttempts": 10, "delay": "500ms", "factor": 1.5, "maxDelay": "1m", "on": ["timeout"]});
    for retry in [full, json!({"maxAttempts": 2, "delay": null})] {
        let parameters = json!({"method": "GET", "url": "https://shop.example/", "retry": retry});
        assert!(parse_flow(file(&[("a", "ApiCall", parameters)], "ask>a")).is_ok());
    }
    let on_return = file(&[("a", "Return", json!({"text": "x", "retry": {"maxAttempts": 2}}))], "ask>a");
    assert!(parse_flow(on_return).unwrap_err().to_string().contains("is no parameter of Return"));
}
