//! `Model` against an endpoint of the test's own.

mod support;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use flowtrail_runner::{RunnerOptions, Secrets};
use flowtrail_types::Execution;
use serde_json::{Value, json};
use support::{
    Answer, End, Received, Server, World, attempts, failure, file, file_asking, nothing, output_of,
};

const KEY: &str = "hunter2-of-the-endpoint";
const STREAM: &str = "content-type: text/event-stream; charset=utf-8";

fn options() -> RunnerOptions {
    let secrets = Secrets::new(BTreeMap::from([("LLM".to_owned(), KEY.to_owned())]));
    RunnerOptions { secrets, allow_private_addresses: true, ..World::options() }
}

/// An endpoint that gives these answers one after the other.
async fn endpoint(answers: Vec<Answer>) -> Server {
    let answers = Mutex::new(answers.into_iter());
    Server::start(move |_| {
        let answer = answers.lock().unwrap().next();
        async move { answer.expect("it is not asked more often") }
    })
    .await
}

fn model(server: &Server, more: Value) -> Value {
    let mut parameters = json!({"baseUrl": server.url("/v1"), "model": "small", "prompt": "Hello"});
    parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    file(&[("llm", "Model", parameters)], "ask>llm")
}

/// A stream of these events, each a piece.
fn stream(events: &[Value], end: End) -> Answer {
    let mut pieces: Vec<String> = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    if let End::Done = end {
        pieces.push("data: [DONE]\n\n".to_owned());
    }
    Answer::Pieces(STREAM, pieces, end)
}

fn piece(text: &str) -> Value {
    json!({"model": "small-1", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]})
}

fn last(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn usage() -> Value {
    json!({"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12, "prompt_tokens_details": {"cached_tokens": 4}})
}

fn whole(text: &str) -> String {
    json!({"model": "small-1", "usage": usage(),
           "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]})
    .to_string()
}

fn body(received: &Received) -> Value {
    serde_json::from_str(&received.body).unwrap()
}

/// Everything that is recorded, as text.
fn everything(execution: &Execution) -> String {
    serde_json::to_string(execution).unwrap()
}

#[tokio::test]
async fn a_streamed_completion_comes_together() {
    let world = World::with(options());
    let events = [
        json!({"model": "small-1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}),
        piece("Grüß "),
        json!({"choices": [{"index": 1, "delta": {"content": "another choice"}}]}),
        piece("Gott 日本"),
        last("stop"),
        json!({"choices": [], "usage": usage()}),
    ];
    let server = endpoint(vec![stream(&events, End::Done)]).await;
    let finished = world.run(&model(&server, json!({"apiKey": "{{ secrets.LLM }}"})), nothing()).await;
    let mut output = finished.outputs["llm"].clone();
    assert!(output["durationMs"].is_u64());
    output["durationMs"] = json!(0);
    let asked = json!({"model": "small", "messages": [{"role": "user", "content": "Hello"}], "stream": true,
                       "stream_options": {"include_usage": true}});
    let tokens = json!({"inputTokens": 5, "cachedInputTokens": 4, "outputTokens": 3, "reasoningTokens": null,
                        "totalTokens": 12});
    assert_eq!(
        output,
        json!({
            "text": "Grüß Gott 日本", "model": "small-1", "finishReason": "stop", "usage": tokens, "rawUsage": usage(),
            "durationMs": 0, "request": {"url": server.url("/v1/chat/completions"), "body": asked},
        })
    );
    let received = &server.received()[0];
    assert_eq!(received.line, "POST /v1/chat/completions");
    assert_eq!(body(received), asked);
    assert!(received.headers.contains(&format!("authorization: bearer {KEY}")), "{}", received.headers);
    assert!(received.headers.contains("content-type: application/json"), "{}", received.headers);
}

#[tokio::test]
async fn a_stream_may_be_cut_anywhere_and_say_things_besides() {
    let world = World::with(options());
    let text = format!(
        ": ping\r\n\r\nevent: chunk\r\ndata:{}\r\n\r\n\r\nretry: 5\n: x\n\ndata\n\ndata: {}\n\ndata: [DONE]\n\ndata: no JSON\n\n",
        piece("né"),
        last("length"),
    );
    let pieces = text.chars().map(String::from).collect();
    let by_another_type = Answer::with(
        "200 OK",
        "content-type: text/plain",
        text.trim_start_matches(": ping\r\n\r\nevent: chunk\r\n"),
    );
    let answers = vec![Answer::Pieces(STREAM, pieces, End::Done), by_another_type];
    let server = endpoint(answers).await;
    for _ in 0..2 {
        let finished = world.run(&model(&server, json!({})), nothing()).await;
        let output = &finished.outputs["llm"];
        assert_eq!((&output["text"], &output["finishReason"]), (&json!("né"), &json!("length")));
        assert_eq!((&output["usage"], &output["rawUsage"]), (&json!(null), &json!(null)));
    }
}

#[tokio::test]
async fn one_answer_is_as_good_as_a_stream() {
    let world = World::with(options());
    let parts = json!({"choices": [{"message": {"content": [{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}]}}]});
    let answers =
        vec![Answer::json(&whole("whole")), Answer::json(&whole("whole")), Answer::json(&parts.to_string())];
    let server = endpoint(answers).await;
    let finished = world.run(&model(&server, json!({"stream": false})), nothing()).await;
    assert_eq!(finished.outputs["llm"]["text"], json!("whole"));
    assert_eq!(finished.outputs["llm"]["usage"]["inputTokens"], json!(5));
    let finished = world.run(&model(&server, json!({})), nothing()).await;
    assert_eq!(finished.outputs["llm"]["text"], json!("whole"), "although a stream was asked for");
    let finished = world.run(&model(&server, json!({"stream": null})), nothing()).await;
    assert_eq!(finished.outputs["llm"]["text"], json!("in parts"));
    let received = server.received();
    assert_eq!(body(&received[0]).get("stream"), None);
    assert_eq!(body(&received[1])["stream"], json!(true));
}

#[tokio::test]
async fn requests_are_what_the_parameters_say() {
    let world = World::with(options());
    let server =
        endpoint(vec![Answer::json(&whole("a")), Answer::json(&whole("b")), Answer::json(&whole("c"))]).await;
    let more = json!({
        "baseUrl": server.url("/v1/?api-version=2"), "model": "{{ 'lar' + 'ge' }}", "system": "Be {{ ask.mood }}.", "prompt": null,
        "messages": [{"role": "user", "content": "n = {{ ask.n }}"}, {"role": "assistant", "content": [{"type": "text", "text": "ok"}]}],
        "temperature": 0, "topP": "{{ 0.5 }}", "maxTokens": "{{ ask.n }}", "seed": -7, "stop": ["a", "{{ ask.mood }}"],
        "responseFormat": {"type": "json_object"}, "headers": {"X-Title": "Shop", "api-key": "{{ secrets.LLM }}"}, "stream": false,
    });
    let mut flow = model(&server, more);
    let parameters = json!([{"name": "n", "type": "integer", "required": true}, {"name": "mood", "type": "string", "default": "brief"}]);
    flow["nodes"][0]["parameters"]["parameters"] = parameters.clone();
    world.run(&flow, json!({"n": 5})).await;
    let received = server.received();
    assert_eq!(received[0].line, "POST /v1/chat/completions?api-version=2");
    assert_eq!(
        body(&received[0]),
        json!({
            "model": "large",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "n = 5"},
                {"role": "assistant", "content": [{"type": "text", "text": "ok"}]},
            ],
            "temperature": 0, "top_p": 0.5, "max_tokens": 5, "seed": -7, "stop": ["a", "brief"],
            "response_format": {"type": "json_object"},
        })
    );
    assert!(received[0].headers.contains(&format!("api-key: {KEY}")), "{}", received[0].headers);
    assert!(received[0].headers.contains("x-title: shop"), "{}", received[0].headers);
    assert!(!received[0].headers.contains("authorization"), "{}", received[0].headers);

    let make = "return [{ role: 'user', content: 'from a script' }]";
    let templated = json!({"baseUrl": server.url("/"), "model": "small", "messages": "{{ make }}"});
    let nodes = [("make", "Transform", json!({"code": make})), ("llm", "Model", templated)];
    world.run(&file_asking(&parameters, &nodes, "ask>make make>llm"), json!({"n": 1})).await;
    let received = server.received();
    assert_eq!(received[1].line, "POST /chat/completions");
    assert_eq!(body(&received[1])["messages"], json!([{"role": "user", "content": "from a script"}]));
}

#[tokio::test]
async fn what_templates_give_is_checked_before_anybody_is_asked() {
    let options = options();
    let world = World::with(RunnerOptions { secrets: options.secrets.clone().unrestricted(), ..options });
    let server = endpoint(vec![]).await;
    for (more, expected) in [
        (json!({"temperature": "{{ 3 }}"}), "parameters.temperature: must be a number from 0 to 2"),
        (json!({"temperature": "{{ 'NaN' }}"}), "parameters.temperature: must be a number from 0 to 2"),
        (json!({"maxTokens": "{{ 0 }}"}), "parameters.maxTokens: must be a whole number of 1 or more"),
        (json!({"seed": "{{ 1.5 }}"}), "parameters.seed: must be a whole number"),
        (json!({"model": "{{ '' }}"}), "parameters.model: is empty"),
        (json!({"baseUrl": "{{ 'here' }}"}), "parameters.baseUrl: is no URL"),
        (json!({"baseUrl": "{{ 'mailto:me' }}"}), "parameters.baseUrl: must be an http or https URL"),
        (
            json!({"prompt": null, "messages": "{{ [] }}"}),
            "parameters.messages: must be an array with at least one",
        ),
        (
            json!({"prompt": null, "messages": "{{ ['x'] }}"}),
            "parameters.messages[0]: must be an object with a role",
        ),
        (json!({"apiKey": "{{ secrets.LLM|replace(secrets.LLM, ' ') }}"}), "parameters.apiKey: is empty"),
        (
            json!({"apiKey": "{{ secrets.LLM }}\n-"}),
            "parameters.apiKey: has characters that no header may have",
        ),
        (json!({"apiKey": "{{ secrets.NOPE }}"}), "parameters.apiKey: secret NOPE is not configured"),
    ] {
        let (_, message) = failure(&world.run(&model(&server, more.clone()), nothing()).await);
        assert!(message.contains(expected), "{more}: {message}");
    }
    assert!(server.received().is_empty());
}

#[tokio::test]
async fn statuses_say_what_the_endpoint_says() {
    let world = World::with(options());
    let json = "content-type: application/json";
    for (answer, expected) in [
        (
            Answer::with("401 Unauthorized", json, r#"{"error": {"message": "Incorrect key", "type": "x"}}"#),
            "answered 401 Unauthorized: Incorrect key",
        ),
        (
            Answer::with("404 Not Found", json, r#"{"error": "no such\nmodel"}"#),
            "answered 404 Not Found: no such model",
        ),
        (
            Answer::with("422 Unprocessable Entity", json, r#"{"detail": "bad"}"#),
            "answered 422 Unprocessable Entity: bad",
        ),
        (
            Answer::with("400 Bad Request", json, r#"{"object": "error", "message": "too long"}"#),
            "answered 400 Bad Request: too long",
        ),
        (
            Answer::with("500 Internal Server Error", "", ""),
            "answered 500 Internal Server Error (no content type, empty)",
        ),
        (
            Answer::with("502 Bad Gateway", "content-type: text/html", "<html>\n  <h1>Oops</h1>"),
            "answered 502 Bad Gateway (text/html): <html> <h1>Oops</h1>",
        ),
        (
            Answer::with("200 OK", "content-type: text/html; charset=utf-8", "<html>Log in"),
            "answered 200 OK without a completion (text/html; charset=utf-8): <html>Log in",
        ),
        (
            Answer::with("200 OK", json, "{oops"),
            "answered 200 OK without a completion (application/json): {oops",
        ),
        (Answer::with("200 OK", json, "[]"), "answered without any choices"),
        (Answer::json(r#"{"choices": []}"#), "answered without any choices"),
        (Answer::json(r#"{"error": {"message": "overloaded"}}"#), "answered with an error: overloaded"),
        (Answer::json(r#"{"error": {"code": 7}}"#), "answered with an error: {\"code\":7}"),
    ] {
        let server = endpoint(vec![answer]).await;
        let finished = world.run(&model(&server, json!({})), nothing()).await;
        let url = server.url("/v1/chat/completions");
        assert_eq!(failure(&finished), ("failed", format!("POST {url} {expected}")));
        let kept = output_of(&world.recorded(&finished), "llm");
        assert_eq!(kept["request"]["body"]["model"], json!("small"), "what was asked is seen");
    }
    let long = Answer::with("500 Internal Server Error", "content-type: text/plain", &"é".repeat(10_000));
    let server = endpoint(vec![long]).await;
    let (_, message) = failure(&world.run(&model(&server, json!({})), nothing()).await);
    assert!(message.ends_with("é...") && message.chars().count() < 700, "{message}");
}

#[tokio::test]
async fn a_stream_that_breaks_off_keeps_what_had_come() {
    let options = RunnerOptions { stream_idle_timeout: Duration::from_millis(50), ..options() };
    let world = World::with(options);
    let error = json!({"error": {"message": "out of memory", "type": "server_error"}});
    for (answer, more, kind, expected) in [
        (
            Answer::Pieces(STREAM, vec![format!("data: {}\n\n", piece("Once upon"))], End::Done),
            json!({}),
            "network",
            "ended its answer without a finish_reason",
        ),
        (stream(&[piece("Once upon")], End::Broken), json!({}), "network", "/v1/chat/completions failed: "),
        (
            stream(&[piece("Once upon")], End::Stalled),
            json!({}),
            "timeout",
            "sent nothing for 50ms in the middle of its answer",
        ),
        (
            stream(&[piece("Once upon")], End::Stalled),
            json!({"timeout": "20ms"}),
            "timeout",
            "took longer than 20ms",
        ),
        (
            stream(&[piece("Once upon"), error], End::Stalled),
            json!({}),
            "failed",
            "answered with an error: out of memory",
        ),
        (
            stream(&[piece("Once upon"), json!("text")], End::Stalled),
            json!({}),
            "failed",
            "sent an event that is no JSON object: \"text\"",
        ),
    ] {
        let server = endpoint(vec![answer]).await;
        let finished = world.run(&model(&server, more), nothing()).await;
        let (found, message) = failure(&finished);
        assert!(found == kind && message.contains(expected), "{found}: {message}");
        let kept = output_of(&world.recorded(&finished), "llm");
        assert_eq!((&kept["text"], &kept["finishReason"]), (&json!("Once upon"), &json!(null)), "{expected}");
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let world = World::with(options());
    let busy = || {
        Answer::with("429 Too Many Requests", "retry-after: 3600", r#"{"error": {"message": "slow down"}}"#)
    };
    let overloaded = json!({"error": {"message": "later", "type": "overloaded_error"}});
    let answers = vec![
        busy(),
        Answer::Pieces(STREAM, vec![format!("data: {}\n\n", piece("cut"))], End::Done),
        stream(&[piece("cut"), overloaded], End::Done),
        Answer::Pieces(STREAM, Vec::new(), End::Broken),
        stream(&[piece("whole"), last("stop")], End::Done),
    ];
    let server = endpoint(answers).await;
    let retry = json!({"retry": {"maxAttempts": 6, "delay": "1ms", "maxDelay": "2ms"}});
    let finished = world.run(&model(&server, retry.clone()), nothing()).await;
    assert_eq!(finished.outputs["llm"]["text"], json!("whole"));
    let recorded = world.recorded(&finished);
    let attempts = attempts(&recorded, "llm");
    assert_eq!(
        attempts.iter().map(|(attempt, status, _)| (*attempt, *status)).collect::<Vec<_>>(),
        [(1, "error"), (2, "error"), (3, "error"), (4, "error"), (5, "completed")]
    );
    assert!(attempts[0].2.ends_with("answered 429 Too Many Requests: slow down"), "{}", attempts[0].2);
    let server = endpoint(vec![Answer::with("400 Bad Request", "", "")]).await;
    let finished = world.run(&model(&server, retry), nothing()).await;
    assert!(failure(&finished).1.contains("answered 400"));
}

#[tokio::test]
async fn the_key_is_in_nothing_that_is_told_or_recorded() {
    let options = options();
    let world = World::with(RunnerOptions { secrets: options.secrets.clone().unrestricted(), ..options });
    let flow = |server: &Server| {
        model(server, json!({"apiKey": "{{ secrets.LLM }}", "prompt": "{{ secrets.LLM }}"}))
    };
    let json = "content-type: application/json";
    let echo = format!(r#"{{"error": {{"message": "Authorization: Bearer {KEY} is wrong"}}}}"#);
    for answer in [
        Answer::with("401 Unauthorized", json, &echo),
        Answer::with("500 Internal Server Error", "content-type: text/html", &format!("<p>{KEY}")),
        Answer::json(&echo),
        stream(&[piece(KEY), json!({"error": {"message": format!("Bearer {KEY}")}})], End::Done),
        stream(&[piece("It is "), piece(KEY), last("stop")], End::Done),
        stream(&[piece("It is hunter2"), piece("-of-the-endpoint"), last("stop")], End::Done),
    ] {
        let server = endpoint(vec![answer]).await;
        let finished = world.run(&flow(&server), nothing()).await;
        let told = format!("{finished:?}{}", everything(&world.recorded(&finished)));
        assert!(!told.contains(KEY), "{told}");
        assert!(told.contains("[redacted]"), "{told}");
    }
}

#[tokio::test]
async fn limits_are_kept() {
    let world = World::with(RunnerOptions { max_response_bytes: 1000, ..options() });
    let many: Vec<Value> = (0..20).map(|_| piece(&"x".repeat(100))).collect();
    let silent: Vec<Value> = (0..300).map(|_| piece("")).collect();
    let calls = json!({"choices": [{"delta": {"tool_calls": [{"index": 128}]}}]});
    for (answer, expected) in [
        (stream(&many, End::Done), "answered with more than 1000 bytes of text"),
        (stream(&silent, End::Done), "answered with more than 16000 bytes"),
        (Answer::json(&whole(&"x".repeat(2000))), "answered with more than 1000 bytes"),
        (stream(&[calls], End::Done), "asked for more than 128 calls of tools"),
    ] {
        let server = endpoint(vec![answer]).await;
        let (kind, message) = failure(&world.run(&model(&server, json!({})), nothing()).await);
        assert!(kind == "limit" && message.ends_with(expected), "{kind}: {message}");
    }
    let closed = World::with(RunnerOptions { allow_private_addresses: false, ..options() });
    let server = endpoint(vec![]).await;
    let finished = closed.run(&model(&server, json!({})), nothing()).await;
    assert_eq!(failure(&finished).0, "forbidden");
}

#[tokio::test]
async fn calls_of_tools_and_refusals_are_told() {
    let world = World::with(options());
    let call = |more: Value| json!({"choices": [{"delta": {"tool_calls": [more]}}]});
    let events = [
        call(
            json!({"index": 0, "id": "a", "type": "function", "function": {"name": "find", "arguments": ""}}),
        ),
        call(json!({"index": 1, "id": "b", "function": {"name": "buy", "arguments": "{}"}})),
        call(json!({"index": 0, "function": {"arguments": "{\"q\":"}})),
        call(json!({"index": 0, "function": {"arguments": "1}"}})),
        json!({"choices": [{"delta": {"refusal": "No."}}]}),
        last("tool_calls"),
    ];
    let server = endpoint(vec![stream(&events, End::Done)]).await;
    let finished = world.run(&model(&server, json!({})), nothing()).await;
    let output = &finished.outputs["llm"];
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    assert_eq!(output["toolCalls"], json!([call("a", "find", "{\"q\":1}"), call("b", "buy", "{}")]));
    assert_eq!((&output["refusal"], &output["text"]), (&json!("No."), &json!("")));
}
