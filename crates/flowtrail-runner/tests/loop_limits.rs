//! `Loop`: how often at most, how much, how long, and being stopped.

mod support;

use std::sync::Arc;

use flowtrail_runner::{Call, Observer};
use flowtrail_types::NodeStatus;
use flowtrail_types::lifecycle::Outcome;
use serde_json::json;
use support::{World, code, failure, file, hanging, lines, looping, nothing, text};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn there_are_not_too_many_iterations() {
    let most = "more than the 1000 iterations that maxIterations allows";
    for (parameters, expected) in [
        (json!({"over": "Array(1001).fill(1)"}), format!("parameters.over gives 1001 items, {most}")),
        (json!({"count": "{{ 1001 }}"}), format!("parameters.count is 1001, {most}")),
        (
            json!({"count": "{{ 1e300 }}"}),
            format!("parameters.count is 1e300, {most}").replace("1e300", "1e+300"),
        ),
        (
            json!({"over": "Array(10001).fill(1)", "maxIterations": 10_000}),
            "parameters.over gives 10001 items, more than the 10000 iterations that maxIterations allows"
                .to_owned(),
        ),
        (
            json!({"until": "false", "maxIterations": 3}),
            "parameters.until has not come true, more than the 3 iterations that maxIterations allows"
                .to_owned(),
        ),
    ] {
        let world = World::new();
        let finished = world.run(&looping(parameters.clone(), "return 1"), nothing()).await;
        assert_eq!(failure(&finished), ("limit", expected), "{parameters}");
        let recorded = world.recorded(&finished);
        assert_eq!(recorded.error_info.as_ref().unwrap().node_id.as_deref(), Some("l"));
        let ran =
            recorded.node_executions.iter().filter(|node| node.status == NodeStatus::Completed).count() - 1;
        assert_eq!(ran, if parameters.get("until").is_some() { 3 } else { 0 }, "{parameters}");
    }
}

#[tokio::test]
async fn what_cannot_be_repeated_over_is_refused_before_the_first_iteration() {
    for (parameters, kind, expected) in [
        (json!({"over": "null"}), "failed", "parameters.over: must give an array, and gave null"),
        (json!({"over": "undefined"}), "failed", "parameters.over: must give an array, and gave null"),
        (json!({"over": "'abc'"}), "failed", "parameters.over: must give an array, and gave a string"),
        (
            json!({"over": "({length: 2})"}),
            "failed",
            "parameters.over: must give an array, and gave an object",
        ),
        (json!({"over": "input.no.way"}), "failed", "TypeError: cannot read property 'way' of undefined"),
        (
            json!({"count": "{{ -1 }}"}),
            "invalid_input",
            "parameters.count: must be a whole number from 0, and is -1",
        ),
        (
            json!({"count": "{{ 1.5 }}"}),
            "invalid_input",
            "parameters.count: must be a whole number from 0, and is 1.5",
        ),
        (json!({"count": "{{ 'NaN' }}"}), "invalid_input", "must be a whole number from 0, and is a string"),
        (json!({"count": "{{ '3' }}"}), "invalid_input", "must be a whole number from 0, and is a string"),
        (json!({"count": "{{ none }}"}), "invalid_input", "must be a whole number from 0, and is null"),
        (json!({"count": "{{ ask.n }}"}), "failed", "parameters.count: `ask.n` is undefined"),
    ] {
        let world = World::new();
        let finished = world.run(&looping(parameters.clone(), "return 1"), nothing()).await;
        let (found, message) = failure(&finished);
        assert!(found == kind && message.contains(expected), "{parameters}: {found}: {message}");
        assert_eq!(lines(&world.recorded(&finished)), ["1 ask completed", "2 l error", "3 b 2.- skipped"]);
    }
    let (kind, message) =
        failure(&World::new().run(&looping(json!({"until": "input.no.way"}), "return {}"), nothing()).await);
    assert!(
        kind == "failed" && message.starts_with("parameters.until after iteration 0: TypeError"),
        "{message}"
    );
}

#[tokio::test]
async fn what_loops_give_is_bounded() {
    let world = World::new();
    let large = "return 'x'.repeat(1024 * 1024)";
    // Not to be captured: that is not what this is about, and takes long.
    let mut results = looping(json!({"count": 100}), large);
    results["capture"] = json!("none");
    let finished = world.run(&results, nothing()).await;
    let expected = "the results of 16 iterations have more than 16 MiB as JSON";
    assert_eq!(failure(&finished), ("limit", expected.to_owned()));
    // Answers that are not the last of their iteration are no results.
    let nodes = [
        ("l", "Loop", json!({"count": 100})),
        ("make", "Transform", code(large)),
        ("say", "Return", json!({"json": "{{ make }}"})),
        ("b", "Transform", code("return 1")),
    ];
    let mut answers = file(&nodes, "ask>l l:each>make make>say say>b");
    answers["capture"] = json!("none");
    let finished = world.run(&answers, nothing()).await;
    let expected =
        "node say failed in iteration 15: the answers given in loops have more than 16 MiB as JSON";
    assert_eq!(failure(&finished), ("limit", expected.to_owned()));
    assert_eq!(finished.returns.len(), 15);
}

#[tokio::test]
async fn results_do_not_grow_into_each_other_without_end() {
    let world = World::new();
    let nodes = [
        ("l", "Loop", json!({"until": "false", "maxIterations": 10_000})),
        ("b", "Merge", json!({"strategy": "array"})),
    ];
    let finished = world.run(&file(&nodes, "ask>l l:each>b"), nothing()).await;
    let expected = "the result of iteration 127 is nested deeper than 128 levels";
    assert_eq!(failure(&finished), ("limit", expected.to_owned()));
    let twice = [
        ("l", "Loop", json!({"until": "false"})),
        ("a", "Merge", json!({"strategy": "concat"})),
        ("b", "Merge", json!({"strategy": "concat"})),
        ("c", "Merge", json!({"strategy": "concat"})),
    ];
    let mut doubling = file(&twice, "ask>l l:each>a l:each>b a>c b>c");
    doubling["capture"] = json!("none");
    let (kind, message) = failure(&world.run(&doubling, nothing()).await);
    assert!(kind == "limit" && message.ends_with("have more than 16 MiB as JSON"), "{message}");
}

#[tokio::test]
async fn ten_thousand_iterations_are_no_trouble() {
    let world = World::new();
    let nodes = [
        ("l", "Loop", json!({"count": 10_000, "maxIterations": 10_000})),
        ("b", "Merge", json!({"strategy": "first"})),
        ("say", "Return", json!({"json": ["{{ l.results|first }}", "{{ l.results|last }}"]})),
    ];
    let finished = world.run(&file(&nodes, "ask>l l:each>b l:done>say"), nothing()).await;
    assert_eq!(finished.outputs, json!([0, 9_999]));
    let recorded = world.recorded(&finished);
    // Beyond 10,000 only the last iteration is recorded, and what comes after the loop.
    assert_eq!(recorded.node_executions.len(), 10_002);
    assert_eq!(recorded.capture["nodeExecutions"].left_out, 1);
    let iterations = recorded.node_executions.iter().filter_map(|node| node.iteration);
    assert!(iterations.eq((0..9_998).chain([9_999])), "each once and in order");
}

/// Cancels the call as soon as a node of this name has ended.
struct CancelAt(&'static str, CancellationToken);

impl Observer for CancelAt {
    fn node_ended(&self, _: usize, _: usize, node: &str, _: NodeStatus) {
        if node == self.0 {
            self.1.cancel();
        }
    }
}

#[tokio::test]
async fn a_loop_that_never_waits_can_be_cancelled() {
    let world = World::new();
    let nodes = [
        ("l", "Loop", json!({"count": 10_000, "maxIterations": 10_000})),
        ("b", "Merge", json!({"strategy": "first"})),
    ];
    let flow = world.flow(&file(&nodes, "ask>l l:each>b"));
    let mut call: Call = world.call(&flow, nothing());
    call.observer = Some(Arc::new(CancelAt("b", call.cancel.clone())));
    let finished = world.runner.run(call).await.unwrap();
    assert!(matches!(finished.outcome, Outcome::Aborted(_)), "{:?}", finished.outcome);
    let recorded = world.recorded(&finished);
    assert!(recorded.node_executions.len() < 100, "{}", recorded.node_executions.len());
    assert_eq!(lines(&recorded)[1], "2 l aborted");
}

#[tokio::test]
async fn what_a_loop_waits_for_is_stopped_with_it() {
    let world = World::new();
    let (server, asked) = hanging().await;
    let nodes = [
        ("l", "Loop", json!({"count": 3})),
        ("b", "ApiCall", json!({"method": "GET", "url": server.url("/")})),
        ("c", "Return", text("{{ b.body }}")),
        ("after", "Return", text("x")),
    ];
    let flow = world.flow(&file(&nodes, "ask>l l:each>b b>c l:done>after"));
    let call = world.call(&flow, nothing());
    let cancel = call.cancel.clone();
    let running = world.runner.start(call).await.unwrap();
    asked.notified().await;
    cancel.cancel();
    let finished = running.finish().await;
    assert!(matches!(finished.outcome, Outcome::Aborted(_)));
    let mut lines = lines(&world.recorded(&finished));
    lines.sort();
    assert_eq!(
        lines,
        ["1 ask completed", "2 l aborted", "3 b 2.0 aborted", "4 c 2.0 skipped", "5 after skipped"]
    );
}

#[tokio::test]
async fn a_loop_has_the_time_that_it_is_given_and_else_that_of_the_flow() {
    let world = World::new();
    let (server, _) = hanging().await;
    let nodes = [
        ("l", "Loop", json!({"count": 3})),
        ("b", "ApiCall", json!({"method": "GET", "url": server.url("/"), "timeout": "1h"})),
        ("late", "Return", text("{{ l.message }}")),
    ];
    let mut own = file(&nodes, "ask>l l:each>b l:error>late");
    own["nodes"][1]["timeout"] = json!("50ms");
    let finished = world.run(&own, nothing()).await;
    assert_eq!(finished.outputs, json!("took longer than 50ms"));
    let expected = ["1 ask completed", "2 l error", "3 b 2.0 aborted", "4 late completed"];
    assert_eq!(lines(&world.recorded(&finished)), expected);
    let mut flows = file(&nodes[..2], "ask>l l:each>b");
    flows["timeout"] = json!("50ms");
    let finished = world.run(&flows, nothing()).await;
    assert_eq!(
        failure(&finished),
        ("timeout", "it took longer than 50ms and was given up while \"b\" was running".to_owned())
    );
}
