//! Running flows: what runs when, what is recorded, how it ends.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flowtrail_runner::{Call, Observer, Returned, RunError, RunnerOptions, Secrets};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{ErrorKind, ExecutionStatus, NodeStatus, Source};
use serde_json::json;
use support::{
    Answer, Log, Server, World, code, failure, file, file_asking, hanging, nothing, order, output_of,
    statuses, text,
};
use tokio::sync::{Barrier, Notify};

#[tokio::test]
async fn a_flow_runs_from_node_to_node_and_is_recorded() {
    let world = World::new();
    let finished = world.run(&order(), json!({"orderId": " 7 "})).await;
    assert_eq!(finished.outcome, Outcome::Fulfilled);
    assert_eq!(finished.returns, [Returned::Text("Order 7 is on its way.".to_owned())]);
    let recorded = world.recorded(&finished);
    assert_eq!(recorded.summary.status, ExecutionStatus::Fulfilled);
    assert_eq!(recorded.summary.source, Source::Embedded);
    assert_eq!(recorded.summary.initial_params_preview.as_deref(), Some(" 7 "));
    assert_eq!(recorded.outputs.as_ref().unwrap().to_value(), json!("Order 7 is on its way."));
    let order: Vec<&str> = recorded.node_executions.iter().map(|node| node.node_id.as_str()).collect();
    assert_eq!(order, ["ask", "shape", "say"]);
    assert_eq!(recorded.node_executions[2].input_data.as_ref().unwrap().to_value(), json!({"id": "7"}));
    assert_eq!(recorded.node_executions[1].node_type, "Transform");
}

#[tokio::test]
async fn calls_that_cannot_be_run_are_refused_and_not_recorded() {
    let world = World::new();
    let flow = world.flow(&order());
    match world.try_run(&flow, nothing()).await {
        Err(RunError::Arguments(problems)) => {
            assert_eq!(problems.to_string(), "orderId: is missing, expected string");
        }
        other => panic!("{other:?}"),
    }
    let mut inactive = order();
    inactive["active"] = json!(false);
    let inactive = world.flow(&inactive);
    assert!(matches!(world.try_run(&inactive, json!({"orderId": "7"})).await, Err(RunError::Inactive)));
    let external = world.flow(&json!({"name": "Nightly", "kind": "external"}));
    assert!(matches!(world.try_run(&external, nothing()).await, Err(RunError::NotRunnable)));
    let mut broken = (*flow).clone();
    broken.definition.nodes[1].kind = "Spin".to_owned();
    let broken = world.try_run(&Arc::new(broken), json!({"orderId": "7"})).await;
    assert!(matches!(broken, Err(RunError::Invalid(_))), "{broken:?}");
    assert_eq!(world.runner.tracker().running(), 0);
}

#[tokio::test]
async fn answers_of_every_kind() {
    let world = World::new();
    let nodes = [
        ("link", "Link", json!({"url": "https://shop.example/{{ 1 + 1 }}", "text": "Open"})),
        (
            "view",
            "Interface",
            json!({"data": {"n": "{{ 1 + 1 }}"}, "resource": {"uri": "ui://a", "text": "<b>"}}),
        ),
        ("json", "Return", json!({"json": {"ask": "{{ ask }}"}})),
    ];
    let finished = world.run(&file(&nodes, "ask>json ask>view ask>link"), nothing()).await;
    let resource = Some(json!({"uri": "ui://a", "text": "<b>"}));
    assert_eq!(
        finished.returns,
        [
            Returned::Link { url: "https://shop.example/2".to_owned(), text: Some("Open".to_owned()) },
            Returned::Interface { data: json!({"n": 2}), resource },
            Returned::Json(json!({"ask": {}})),
        ]
    );
    let bad = file(&[("link", "Link", json!({"url": "{{ 'javascript' + ':alert(1)' }}"}))], "ask>link");
    assert!(failure(&world.run(&bad, nothing()).await).1.contains("must be an http or https URL"));
}

#[tokio::test]
async fn outputs_are_those_of_returns_or_else_of_the_last_nodes() {
    let world = World::new();
    let one = file(&[("a", "Return", text("A"))], "ask>a");
    assert_eq!(world.run(&one, nothing()).await.outputs, json!("A"));
    let two = file(&[("a", "Return", json!({"json": 1})), ("b", "Return", text("B"))], "ask>b ask>a");
    assert_eq!(world.run(&two, nothing()).await.outputs, json!([1, "B"]));
    let nodes = [
        ("a", "Transform", code("return 1")),
        ("b", "Transform", code("return input + 1")),
        ("c", "Transform", code("return 3")),
    ];
    let leaves = world.run(&file(&nodes, "ask>a a>b ask>c"), nothing()).await;
    assert_eq!(leaves.outputs, json!({"b": 2, "c": 3}));
    assert_eq!(world.run(&file(&[], ""), nothing()).await.outputs, json!(null));
}

#[tokio::test]
async fn a_node_with_several_before_it_gets_their_outputs_by_id() {
    let world = World::new();
    let nodes = [
        ("a", "Transform", code("return 1")),
        ("b", "Transform", code("return 2")),
        ("sum", "Transform", code("return { sum: input.a + input.b, of: Object.keys(nodes).sort() }")),
    ];
    let finished = world.run(&file(&nodes, "ask>a ask>b a>sum b>sum"), nothing()).await;
    assert_eq!(finished.outputs, json!({"sum": {"sum": 3, "of": ["a", "ask", "b"]}}));
}

#[tokio::test]
async fn a_conditional_takes_one_way_and_the_other_is_skipped() {
    let world = World::new();
    let parameters = json!([{"name": "n", "type": "number", "required": true}]);
    let nodes = [
        ("lost", "Return", text("never")),
        ("more", "Transform", code("return 'more'")),
        ("deeper", "Transform", code("return input + '!'")),
        ("large", "Conditional", json!({"expression": "input.n > 10"})),
        ("less", "Transform", code("return 'less than ' + input.n")),
        ("say", "Return", text("{{ input }}")),
    ];
    let ways = "ask>large large:true>more more>deeper large:false>less deeper>say less>say";
    let flow = world.flow(&file_asking(&parameters, &nodes, ways));
    let large = world.try_run(&flow, json!({"n": 11})).await.unwrap();
    assert_eq!(large.outputs, json!("more!"));
    let small = world.try_run(&flow, json!({"n": 1})).await.unwrap();
    assert_eq!(small.outputs, json!("less than 1"));
    let recorded = world.recorded(&small);
    let expected = [
        ("ask", "completed"),
        ("deeper", "skipped"),
        ("large", "completed"),
        ("less", "completed"),
        ("lost", "skipped"),
        ("more", "skipped"),
        ("say", "completed"),
    ];
    assert_eq!(statuses(&recorded), expected.map(|(id, status)| (id.to_owned(), status)));
    let skipped = recorded.node_executions.iter().filter(|node| node.status == NodeStatus::Skipped);
    assert_eq!(skipped.map(|node| node.node_id.as_str()).collect::<Vec<_>>(), ["lost", "more", "deeper"]);
    assert_eq!(output_of(&recorded, "large"), json!({"n": 1}));
}

#[tokio::test]
async fn branches_run_at_the_same_time() {
    let world = World::new();
    // Nobody is answered before both have asked.
    let both = Arc::new(Barrier::new(2));
    let server = Server::start(move |_| {
        let both = Arc::clone(&both);
        async move {
            both.wait().await;
            Answer::text("here")
        }
    })
    .await;
    let call = json!({"method": "GET", "url": server.url("/"), "timeout": "20s"});
    let nodes = [
        ("a", "ApiCall", call.clone()),
        ("b", "ApiCall", call),
        ("say", "Return", text("{{ a.body }} and {{ b.body }}")),
    ];
    let finished = world.run(&file(&nodes, "ask>a ask>b a>say b>say"), nothing()).await;
    assert_eq!(finished.outputs, json!("here and here"));
}

#[tokio::test]
async fn a_failing_node_ends_the_execution_and_is_named() {
    let world = World::new();
    let nodes =
        [("bad", "Transform", code("throw new Error('no stock')")), ("say", "Return", text("{{ bad }}"))];
    let finished = world.run(&file(&nodes, "ask>bad bad>say"), nothing()).await;
    assert_eq!(failure(&finished), ("failed", "Error: no stock (line 1, column 11)".to_owned()));
    let recorded = world.recorded(&finished);
    let error = recorded.error_info.as_ref().unwrap();
    assert_eq!((error.node_id.as_deref(), error.kind), (Some("bad"), ErrorKind::Failed));
    let expected = [("ask", "completed"), ("bad", "error"), ("say", "skipped")];
    assert_eq!(statuses(&recorded), expected.map(|(node, status)| (node.to_owned(), status)));
}

#[tokio::test]
async fn an_error_branch_goes_on_with_what_went_wrong() {
    let world = World::new();
    let nodes = [
        ("bad", "Transform", code("throw new Error('no stock')")),
        ("good", "Return", text("fine")),
        ("sorry", "Return", json!({"json": {"got": "{{ input }}", "message": "{{ bad.message }}"}})),
    ];
    let finished = world.run(&file(&nodes, "ask>bad bad>good bad:error>sorry"), nothing()).await;
    assert_eq!(finished.outcome, Outcome::Fulfilled);
    let message = "Error: no stock (line 1, column 11)";
    let got = json!({"message": message, "kind": "failed", "nodeId": "bad", "nodeName": "bad", "input": {}});
    assert_eq!(finished.outputs, json!({"got": got, "message": message}));
    let recorded = world.recorded(&finished);
    let expected = [("ask", "completed"), ("bad", "error"), ("good", "skipped"), ("sorry", "completed")];
    assert_eq!(statuses(&recorded), expected.map(|(id, status)| (id.to_owned(), status)));
}

/// A server that never answers, and tells when it was asked.
#[tokio::test]
async fn a_failing_node_stops_those_that_run_beside_it() {
    let world = World::new();
    let hangs = Arc::new(Notify::new());
    let server = Server::start(move |request| {
        let hangs = Arc::clone(&hangs);
        async move {
            if request.line == "GET /hang" {
                hangs.notify_one();
                return Answer::Never;
            }
            hangs.notified().await;
            Answer::with("500 Internal Server Error", "", "")
        }
    })
    .await;
    let call = |path: &str| json!({"method": "GET", "url": server.url(path)});
    let nodes = [("fails", "ApiCall", call("/fail")), ("hangs", "ApiCall", call("/hang"))];
    let finished = world.run(&file(&nodes, "ask>fails ask>hangs"), nothing()).await;
    assert!(failure(&finished).1.ends_with("answered 500 Internal Server Error"));
    let recorded = world.recorded(&finished);
    let expected = [("ask", "completed"), ("fails", "error"), ("hangs", "aborted")];
    assert_eq!(statuses(&recorded), expected.map(|(id, status)| (id.to_owned(), status)));
}

#[tokio::test]
async fn a_call_can_be_cancelled_by_its_caller_and_through_the_tracker() {
    let world = World::new();
    let (server, asked) = hanging().await;
    let nodes = [("hangs", "ApiCall", json!({"method": "GET", "url": server.url("/")}))];
    let flow = world.flow(&file(&nodes, "ask>hangs"));
    for by_caller in [true, false] {
        let call = world.call(&flow, nothing());
        let cancel = call.cancel.clone();
        let running = world.runner.start(call).await.unwrap();
        asked.notified().await;
        if by_caller {
            cancel.cancel();
        } else {
            world.runner.tracker().cancel(&world.me, running.id).unwrap().await.unwrap();
        }
        let finished = running.finish().await;
        let Outcome::Aborted(Some(reason)) = &finished.outcome else { panic!("{finished:?}") };
        assert_eq!(reason.kind, ErrorKind::Cancelled);
        let recorded = world.recorded(&finished);
        assert_eq!(recorded.summary.status, ExecutionStatus::Aborted);
        assert_eq!(statuses(&recorded)[1], ("hangs".to_owned(), "aborted"));
    }
}

#[tokio::test]
async fn an_execution_goes_on_when_nobody_waits_for_it() {
    let world = World::new();
    let asked = Arc::new(Notify::new());
    let go_on = Arc::new(Notify::new());
    let (tell, wait) = (Arc::clone(&asked), Arc::clone(&go_on));
    let server = Server::start(move |_| {
        let (tell, wait) = (Arc::clone(&tell), Arc::clone(&wait));
        async move {
            tell.notify_one();
            wait.notified().await;
            Answer::text("x")
        }
    })
    .await;
    let nodes = [("call", "ApiCall", json!({"method": "GET", "url": server.url("/")}))];
    let flow = world.flow(&file(&nodes, "ask>call"));
    let ended = Arc::new(Notify::new());
    let mut call = world.call(&flow, nothing());
    call.observer = Some(Arc::new(WhenDone(Arc::clone(&ended))));
    drop(world.runner.start(call).await.unwrap());
    asked.notified().await;
    go_on.notify_one();
    ended.notified().await;
}

/// Tells when all nodes are done.
struct WhenDone(Arc<Notify>);

impl Observer for WhenDone {
    fn node_ended(&self, done: usize, total: usize, _: &str, _: NodeStatus) {
        if done == total {
            self.0.notify_one();
        }
    }
}

#[tokio::test]
async fn a_flow_that_takes_too_long_is_given_up() {
    let world = World::new();
    let (server, _) = hanging().await;
    let nodes = [("hangs", "ApiCall", json!({"method": "GET", "url": server.url("/")}))];
    let mut slow = file(&nodes, "ask>hangs");
    slow["timeout"] = json!("100ms");
    let finished = world.run(&slow, nothing()).await;
    let message = "it took longer than 100ms and was given up while \"hangs\" was running";
    assert_eq!(failure(&finished), ("timeout", message.to_owned()));
    let recorded = world.recorded(&finished);
    let error = recorded.error_info.as_ref().unwrap();
    assert_eq!((error.node_id.as_deref(), error.message.as_str()), (Some("hangs"), message));
    assert_eq!(recorded.summary.duration_ms, Some(100), "it ended when its time was over");
    assert_eq!(recorded.summary.status, ExecutionStatus::Error);
    assert!(recorded.summary.inferred);
    assert_eq!(statuses(&recorded)[1], ("hangs".to_owned(), "aborted"));
}

#[tokio::test]
async fn a_node_has_a_timeout_of_its_own() {
    let world = World::new();
    let (server, _) = hanging().await;
    let nodes = [
        ("hangs", "ApiCall", json!({"method": "GET", "url": server.url("/")})),
        ("late", "Return", text("{{ hangs.message }}")),
    ];
    let mut flow = file(&nodes, "ask>hangs hangs:error>late");
    flow["nodes"][1]["timeout"] = json!("50ms");
    assert_eq!(world.run(&flow, nothing()).await.outputs, json!("took longer than 50ms"));
    let scripts =
        World::with(RunnerOptions { script_timeout: Duration::from_millis(100), ..World::options() });
    let finished =
        scripts.run(&file(&[("spin", "Transform", code("for (;;) {}"))], "ask>spin"), nothing()).await;
    assert_eq!(failure(&finished), ("timeout", "the code ran longer than 100ms".to_owned()));
}

#[tokio::test]
async fn an_observer_is_told_of_every_node() {
    let world = World::new();
    let nodes = [
        ("is", "Conditional", json!({"expression": "true"})),
        ("no", "Return", text("no")),
        ("yes", "Return", text("yes")),
    ];
    let mut named = file(&nodes, "ask>is is:true>yes is:false>no");
    named["nodes"][3]["name"] = json!("Say yes");
    let flow = world.flow(&named);
    let log = Arc::new(Log::default());
    let mut call: Call = world.call(&flow, nothing());
    call.observer = Some(log.clone());
    world.runner.run(call).await.unwrap();
    assert_eq!(
        log.lines(),
        ["1/4 ask completed", "2/4 is completed", "3/4 no skipped", "4/4 Say yes completed"]
    );
}

#[tokio::test]
async fn secrets_reach_templates_and_nothing_else() {
    let secrets = Secrets::new(BTreeMap::from([("SHOP".to_owned(), "hunter2".to_owned())])).unrestricted();
    let world = World::with(RunnerOptions { secrets, ..World::options() });
    let nodes = [
        ("known", "Return", text("{{ secrets.SHOP|length }}")),
        ("code", "Transform", code("return typeof secrets")),
    ];
    let finished = world.run(&file(&nodes, "ask>known ask>code"), nothing()).await;
    assert_eq!(finished.returns, [Returned::Text("7".to_owned())]);
    assert_eq!(output_of(&world.recorded(&finished), "code"), json!("undefined"));
    let unknown = file(&[("say", "Return", text("{{ secrets.NOPE }}"))], "ask>say");
    let finished = world.run(&unknown, nothing()).await;
    assert_eq!(failure(&finished).1, "parameters.text: secret NOPE is not configured");
}

#[tokio::test]
async fn secrets_are_in_nothing_that_leaves_to_the_caller() {
    let secrets = Secrets::new(BTreeMap::from([("SHOP".to_owned(), "hunter/2".to_owned())])).unrestricted();
    let world = World::with(RunnerOptions { secrets, ..World::options() });
    let mut child = file(&[("say", "Return", text("{{ secrets.SHOP }}"))], "ask>say");
    child["toolName"] = json!("child");
    world.flow(&child);
    let url = "https://shop.example/?key={{ secrets.SHOP|replace('/', '%2F') }}";
    let nodes = [
        ("text", "Return", text("It is {{ secrets.SHOP }}.")),
        ("json", "Return", json!({"json": {"a": ["{{ secrets.SHOP }}"]}})),
        ("link", "Link", json!({"url": url, "text": "{{ secrets.SHOP }}"})),
        (
            "view",
            "Interface",
            json!({
                "data": "{{ {secrets.SHOP: 1} }}",
                "resource": {"uri": "ui://a", "text": "<{{ secrets.SHOP }}>"},
            }),
        ),
        ("child", "CallFlow", json!({"toolName": "child"})),
        // A flow goes on with what is real.
        ("real", "Return", text("{{ child.output == secrets.SHOP }}")),
    ];
    let flow = file(&nodes, "ask>text ask>json ask>link ask>view ask>child child>real");
    let finished = world.run(&flow, nothing()).await;
    assert_eq!(finished.outcome, Outcome::Fulfilled);
    let resource = Some(json!({"uri": "ui://a", "text": "<[redacted]>"}));
    let url = "https://shop.example/?key=[redacted]".to_owned();
    let returns = [
        Returned::Text("It is [redacted].".to_owned()),
        Returned::Json(json!({"a": ["[redacted]"]})),
        Returned::Link { url, text: Some("[redacted]".to_owned()) },
        Returned::Interface { data: json!({"[redacted]": 1}), resource },
        Returned::Text("true".to_owned()),
    ];
    assert_eq!(finished.returns, returns);
    assert!(!finished.outputs.to_string().contains("hunter"), "{}", finished.outputs);
    let fails = code("throw new Error('no ' + input.output)");
    let nodes = [("child", "CallFlow", json!({"toolName": "child"})), ("say", "Transform", fails)];
    let finished = world.run(&file(&nodes, "ask>child child>say"), nothing()).await;
    assert_eq!(failure(&finished).1, "Error: no [redacted] (line 1, column 25)");
}

#[tokio::test]
async fn what_is_missing_is_named_when_a_template_needs_it() {
    let world = World::new();
    let flow = file(&[("say", "Return", text("Hello {{ ask.name }}"))], "ask>say");
    let finished = world.run(&flow, nothing()).await;
    assert_eq!(failure(&finished), ("failed", "parameters.text: `ask.name` is undefined".to_owned()));
    let gentle = file(&[("say", "Return", text("Hello {{ ask.name|default('you') }}"))], "ask>say");
    assert_eq!(world.run(&gentle, nothing()).await.outputs, json!("Hello you"));
}

#[tokio::test]
async fn five_hundred_nodes_in_a_row_and_side_by_side() {
    let world = World::new();
    let ids: Vec<String> = (0..499).map(|n| format!("n{n}")).collect();
    let nodes: Vec<_> =
        ids.iter().map(|id| (id.as_str(), "Return", json!({"json": "{{ input }}"}))).collect();
    let row: Vec<String> =
        std::iter::once("ask>n0".to_owned()).chain((1..499).map(|n| format!("n{}>n{n}", n - 1))).collect();
    let beside: Vec<String> = (0..499).map(|n| format!("ask>n{n}")).collect();
    for connections in [row, beside] {
        let finished = world.run(&file(&nodes, &connections.join(" ")), nothing()).await;
        assert_eq!(finished.outcome, Outcome::Fulfilled);
        assert_eq!(finished.returns.len(), 499);
        assert_eq!(world.recorded(&finished).node_executions.len(), 500);
    }
}
