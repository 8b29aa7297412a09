//! `McpTool`, with upstreams that do what they are told.

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use flowtrail_runner::{
    RunnerOptions, SecretRules, Secrets, TraceContext, UpstreamAnswer, UpstreamCall, UpstreamError,
    Upstreams, parse_flow,
};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{ErrorKind, ExecutionId, json_object, read_json_value};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use support::{World, attempts, failure, file, file_asking, nothing, output_of};
use tokio::sync::Notify;
use tokio_util::sync::DropGuard;

type Answer = Result<UpstreamAnswer, UpstreamError>;

/// A call as it came.
#[derive(Debug, Clone, PartialEq)]
struct Called {
    upstream: String,
    tool: String,
    arguments: Map<String, Value>,
    execution: ExecutionId,
    trace: TraceContext,
}

/// Two upstreams, `shop` and `crm`, which give these answers one after the other and then never one again.
#[derive(Debug, Default)]
struct Told {
    answers: Mutex<Vec<Answer>>,
    called: Mutex<Vec<Called>>,
    asked: Notify,
    hanging: Mutex<Option<DropGuard>>,
}

impl Upstreams for Told {
    fn names(&self) -> Vec<String> {
        vec!["shop".to_owned(), "crm".to_owned()]
    }

    fn call<'a>(&'a self, call: UpstreamCall<'a>) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let UpstreamCall { upstream, tool, arguments, execution, trace } = call;
            let (upstream, tool) = (upstream.to_owned(), tool.to_owned());
            self.called.lock().unwrap().push(Called { upstream, tool, arguments, execution, trace });
            self.asked.notify_one();
            let answer = self.answers.lock().unwrap().pop();
            let Some(answer) = answer else {
                let _stopped = self.hanging.lock().unwrap().take();
                return std::future::pending().await;
            };
            answer
        })
    }
}

fn told(answers: Vec<Answer>) -> (World, Arc<Told>) {
    let answers = Mutex::new(answers.into_iter().rev().collect());
    let upstreams = Arc::new(Told { answers, ..Told::default() });
    let rules = SecretRules { upstreams: vec!["shop".to_owned()], ..SecretRules::default() };
    let secrets = BTreeMap::from([("SHOP".to_owned(), ("hunter2".to_owned(), rules))]);
    let secrets = Secrets::with_rules(secrets, false);
    let options = RunnerOptions { upstreams: Some(upstreams.clone()), secrets, ..World::options() };
    (World::with(options), upstreams)
}

fn says(text: &str) -> Answer {
    Ok(UpstreamAnswer { content: vec![json!({"type": "text", "text": text})], ..UpstreamAnswer::default() })
}

fn away(kind: ErrorKind, is_transient: bool) -> Answer {
    Err(UpstreamError { kind, message: "it is away".to_owned(), is_transient })
}

fn tool(more: Value) -> Value {
    let mut parameters = json!({"upstream": "shop", "tool": "find"});
    parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    file(&[("call", "McpTool", parameters)], "ask>call")
}

#[tokio::test]
async fn a_tool_is_called_with_what_the_parameters_say() {
    let structured = Some(json!({"found": 2}));
    let content = vec![
        json!({"type": "text", "text": "one"}),
        json!({"type": "image", "data": "iVD/", "mimeType": "image/png"}),
        json!({"type": "text", "text": "zwei"}),
        json!({"type": "text"}),
        json!("no block"),
    ];
    let answer = UpstreamAnswer {
        content: content.clone(),
        structured: structured.clone(),
        ..UpstreamAnswer::default()
    };
    let (world, upstreams) = told(vec![Ok(answer)]);
    let arguments = json!({"q": "{{ 1 + 1 }}", "key": "{{ secrets.SHOP }}", "deep": [{"é": null}]});
    let finished = world.run(&tool(json!({"arguments": arguments})), nothing()).await;
    let expected = json!({"content": content, "structured": structured, "text": "one\nzwei"});
    assert_eq!(finished.outputs["call"], expected);
    let Value::Object(arguments) = json!({"q": 2, "key": "hunter2", "deep": [{"é": null}]}) else {
        panic!()
    };
    let (upstream, tool) = ("shop".to_owned(), "find".to_owned());
    let trace = TraceContext::default();
    let expected = [Called { upstream, tool, arguments, execution: finished.id, trace }];
    assert_eq!(*upstreams.called.lock().unwrap(), expected);
}

#[tokio::test]
async fn arguments_keep_the_digits_of_their_numbers() {
    let (world, upstreams) = told(vec![says("a")]);
    let numbers = r#"{"n":1.10,"m":1e2,"big":18446744073709551617,"x":1e400}"#;
    let asking = json!([{"name": "value", "type": "object"}]);
    let arguments = json!({"same": "{{ ask.value }}", "one": "{{ input.value.m|default(0) }}", "text": "{{ ask.value.n }} each"});
    let call = json!({"upstream": "shop", "tool": "find", "arguments": arguments});
    let flow = file_asking(&asking, &[("call", "McpTool", call)], "ask>call");
    world.run(&flow, json_object([("value", read_json_value(numbers.as_bytes()).unwrap())])).await;
    let called = upstreams.called.lock().unwrap();
    let expected = format!(r#"{{"same":{numbers},"one":1e2,"text":"1.10 each"}}"#);
    assert_eq!(Value::Object(called[0].arguments.clone()).to_string(), expected);
}

#[tokio::test]
async fn arguments_may_be_absent_or_come_from_a_template() {
    let (world, upstreams) = told(vec![says("a"), says("b"), says("c")]);
    for more in [
        json!({}),
        json!({"arguments": null}),
        json!({"arguments": "{{ {'a': [1]} }}", "upstream": "{{ 'crm' }}"}),
    ] {
        let finished = world.run(&tool(more), nothing()).await;
        assert_eq!(finished.outcome, Outcome::Fulfilled);
        assert_eq!(finished.outputs["call"].get("structured"), None);
    }
    let called = upstreams.called.lock().unwrap().clone();
    let arguments: Vec<_> = called.iter().map(|call| json!(call.arguments)).collect();
    assert_eq!(arguments, [json!({}), json!({}), json!({"a": [1]})]);
    assert_eq!(called[2].upstream, "crm");
    let finished = world.run(&tool(json!({"arguments": "{{ [1] }}"})), nothing()).await;
    assert_eq!(failure(&finished), ("invalid_input", "parameters.arguments: must be an object".to_owned()));
}

#[tokio::test]
async fn a_tool_that_says_it_failed_has_failed_and_is_not_called_again() {
    let answer = |text: &str| Ok(UpstreamAnswer { is_error: true, ..says(text).unwrap() });
    let (world, _) = told(vec![answer("no such order"), answer(&"é".repeat(5000)), answer(" ")]);
    let flow = tool(json!({"retry": {"maxAttempts": 2, "delay": "1ms"}}));
    let finished = world.run(&flow, nothing()).await;
    let expected = "tool \"find\" of upstream \"shop\" failed: no such order".to_owned();
    assert_eq!(failure(&finished), ("failed", expected));
    let recorded = world.recorded(&finished);
    assert_eq!(output_of(&recorded, "call")["text"], json!("no such order"), "the output is kept");
    assert_eq!(attempts(&recorded, "call").len(), 1);
    let (_, message) = failure(&world.run(&flow, nothing()).await);
    assert!(message.ends_with("é..."));
    assert!(message.chars().count() < 2_100);
    let (_, message) = failure(&world.run(&flow, nothing()).await);
    assert_eq!(message, "tool \"find\" of upstream \"shop\" failed");
}

#[tokio::test]
async fn an_upstream_that_is_away_for_a_moment_is_called_again() {
    let retry = json!({"retry": {"maxAttempts": 3, "delay": "1ms"}});
    let (world, _) = told(vec![away(ErrorKind::Network, true), away(ErrorKind::Timeout, true), says("here")]);
    let finished = world.run(&tool(retry.clone()), nothing()).await;
    assert_eq!(finished.outputs["call"]["text"], json!("here"));
    let failed = |attempt| (attempt, "error", "tool \"find\" of upstream \"shop\": it is away".to_owned());
    let recorded = world.recorded(&finished);
    assert_eq!(attempts(&recorded, "call"), [failed(1), failed(2), (3, "completed", String::new())]);
    let (world, upstreams) = told(vec![away(ErrorKind::Forbidden, false)]);
    let finished = world.run(&tool(retry), nothing()).await;
    assert_eq!(failure(&finished).0, "forbidden");
    assert_eq!(upstreams.called.lock().unwrap().len(), 1);
    let on_timeout = json!({"retry": {"maxAttempts": 2, "delay": "1ms", "on": ["timeout"]}});
    let (world, upstreams) = told(vec![away(ErrorKind::Network, true)]);
    assert_eq!(failure(&world.run(&tool(on_timeout), nothing()).await).0, "network");
    assert_eq!(upstreams.called.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_call_that_takes_too_long_or_is_not_wanted_any_more_is_dropped() {
    let (world, upstreams) = told(vec![]);
    let finished = world.run(&tool(json!({"timeout": "50ms"})), nothing()).await;
    assert_eq!(failure(&finished), ("timeout", "took longer than 50ms".to_owned()));
    let dropped = tokio_util::sync::CancellationToken::new();
    *upstreams.hanging.lock().unwrap() = Some(dropped.clone().drop_guard());
    upstreams.asked.notified().await;
    let flow = world.flow(&tool(json!({})));
    let call = world.call(&flow, nothing());
    let cancel = call.cancel.clone();
    let running = world.runner.start(call).await.unwrap();
    upstreams.asked.notified().await;
    cancel.cancel();
    assert!(matches!(running.finish().await.outcome, Outcome::Aborted(_)));
    dropped.cancelled().await;
}

#[tokio::test]
async fn upstreams_that_are_not_configured_are_named_with_those_that_are() {
    let (world, _) = told(vec![]);
    for (upstream, expected) in [
        ("shpo", "upstream \"shpo\" is not configured, did you mean \"shop\"? Known are shop, crm"),
        ("warehouse", "upstream \"warehouse\" is not configured, known are shop, crm"),
    ] {
        let finished = world.run(&tool(json!({"upstream": upstream})), nothing()).await;
        assert_eq!(failure(&finished), ("failed", expected.to_owned()));
    }
    let finished = World::new().run(&tool(json!({})), nothing()).await;
    let expected = "upstream \"shop\" is not configured on this server, which has none";
    assert_eq!(failure(&finished).1, expected);
}

#[test]
fn parameters_are_checked() {
    for (parameters, expected) in [
        (json!({"tool": "find"}), "node a, parameters.upstream: is missing"),
        (json!({"upstream": "shop", "tool": " "}), "node a, parameters.tool: is missing"),
        (json!({"upstream": 1, "tool": "find"}), "parameters.upstream: must be a string"),
        (
            json!({"upstream": "shop", "tool": "find", "arguments": []}),
            "parameters.arguments: must be an object, or",
        ),
        (
            json!({"upstream": "shop", "tool": "find", "arguments": "x"}),
            "parameters.arguments: must be an object, or",
        ),
        (
            json!({"upstream": "shop", "tool": "find", "arguments": {"a": ["{{ b }}"]}}),
            "arguments.a[0]: there is no node b",
        ),
        (json!({"upstream": "shop", "tool": "find", "timeout": 5}), "parameters.timeout: must be a string"),
        (json!({"upstream": "shop", "tool": "find", "retry": {}}), "parameters.retry.maxAttempts: must be"),
        (
            json!({"upstream": "shop", "tool": "find", "args": {}}),
            "parameters.args: is no parameter of McpTool",
        ),
    ] {
        let problems =
            parse_flow(file(&[("a", "McpTool", parameters.clone())], "ask>a")).unwrap_err().to_string();
        assert!(problems.contains(expected), "{parameters}: {problems}");
    }
    assert!(parse_flow(tool(json!({"upstream": "elsewhere"}))).is_ok(), "flows are portable");
}
