//! `Loop`: what runs how often, what it is given, what is recorded, and how it ends.

mod support;

use std::sync::Arc;

use flowtrail_runner::Returned;
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{ExecutionStatus, NodeStatus};
use serde_json::{Value, json};
use support::{
    Answer, Log, Server, World, attempts, code, failure, file, file_asking, hanging, lines, looping, nothing,
    output_of, text,
};

/// What a loop gives that can be written in a line.
async fn results(parameters: Value, body: &str) -> Value {
    let finished = World::new().run(&looping(parameters, body), nothing()).await;
    assert_eq!(finished.outcome, Outcome::Fulfilled);
    finished.outputs["l"]["results"].clone()
}

#[tokio::test]
async fn each_item_is_an_iteration_and_each_is_recorded() {
    let world = World::new();
    let nodes = [
        ("l", "Loop", json!({"over": "['a', 'é']"})),
        ("first", "Transform", code("return input + nodes.l.index")),
        (
            "second",
            "Return",
            json!({"json": {"was": "{{ first }}", "item": "{{ l.item }}", "last": "{{ l.last }}"}}),
        ),
        ("after", "Transform", code("return [input.iterations, nodes.l.results.length, Object.keys(nodes)]")),
    ];
    let finished = world.run(&file(&nodes, "ask>l l:each>first first>second l:done>after"), nothing()).await;
    let recorded = world.recorded(&finished);
    assert_eq!(
        lines(&recorded),
        [
            "1 ask completed",
            "2 l completed",
            "3 first 2.0 completed",
            "4 second 2.0 completed",
            "5 first 2.1 completed",
            "6 second 2.1 completed",
            "7 after completed",
        ]
    );
    let first = json!({"was": "a0", "item": "a", "last": null});
    let second = json!({"was": "é1", "item": "é", "last": first});
    assert_eq!(output_of(&recorded, "l"), json!({"iterations": 2, "results": [first, second]}));
    assert_eq!(output_of(&recorded, "after"), json!([2, 2, ["ask", "l"]]));
    let input =
        |seq: i32| recorded.node_executions.iter().find(|node| node.seq == seq).unwrap().input_data.clone();
    assert_eq!(input(5).unwrap().to_value(), json!("é"));
}

#[tokio::test]
async fn items_come_from_any_expression() {
    assert_eq!(
        results(json!({"over": "[1, [2], null, {a: 3}]"}), "return input").await,
        json!([1, [2], null, {"a": 3}])
    );
    assert_eq!(
        results(json!({"over": "Array.from({length: 3}, (_, n) => n * n)"}), "return input").await,
        json!([0, 1, 4])
    );
    assert_eq!(results(json!({"over": "[NaN]"}), "return input").await, json!([null]));
    assert_eq!(results(json!({"over": "(input.x ?? nodes.ask.y ?? [7])"}), "return input").await, json!([7]));
}

#[tokio::test]
async fn counts_are_numbers_or_templates() {
    for (count, expected) in [
        (json!(3), json!([0, 1, 2])),
        (json!("{{ 1 + 1 }}"), json!([0, 1])),
        (json!("{{ 2.0 }}"), json!([0, 1])),
        (json!("{{ 0 }}"), json!([])),
        (json!(0), json!([])),
    ] {
        assert_eq!(results(json!({"count": count}), "return nodes.l.item").await, expected, "{count}");
    }
}

#[tokio::test]
async fn until_is_judged_after_each_iteration() {
    let world = World::new();
    let until = "input >= 8 && nodes.l.index > 1 && nodes.b === input && nodes.l.item === input / 2";
    let nodes = [
        ("one", "Transform", code("return 1")),
        ("l", "Loop", json!({"until": until})),
        ("b", "Transform", code("return input * 2")),
    ];
    let finished = world.run(&file(&nodes, "ask>one one>l l:each>b"), nothing()).await;
    assert_eq!(finished.outputs["l"], json!({"iterations": 3, "results": [2, 4, 8]}));
    assert_eq!(
        results(json!({"until": "true"}), "return nodes.l.last").await,
        json!([null]),
        "once at least"
    );
    let truthy = results(json!({"until": "input"}), "return (nodes.l.last ?? -3) + 1").await;
    assert_eq!(truthy, json!([-2]), "as JavaScript has it");
}

#[tokio::test]
async fn the_result_is_what_the_last_nodes_gave() {
    let world = World::new();
    let nodes = [
        ("l", "Loop", json!({"count": 3})),
        ("odd", "Conditional", json!({"expression": "input % 2"})),
        ("yes", "Transform", code("return 'odd'")),
        ("more", "Transform", code("return 'more'")),
        ("no", "Transform", code("return 'even'")),
    ];
    let ways = "ask>l l:each>odd odd:true>yes odd:true>more odd:false>no";
    let finished = world.run(&file(&nodes, ways), nothing()).await;
    let several = json!({"yes": "odd", "more": "more"});
    assert_eq!(finished.outputs["l"]["results"], json!(["even", several, "even"]));
    let only_one_way =
        world.run(&file(&nodes, "ask>l l:each>odd odd:true>yes ask>more ask>no"), nothing()).await;
    assert_eq!(only_one_way.outputs["l"]["results"], json!([0, "odd", 2]));
    let merged = [
        ("l", "Loop", json!({"count": 2})),
        ("a", "Transform", code("return 'a' + input")),
        ("m", "Merge", json!({"strategy": "array"})),
    ];
    let finished = world.run(&file(&merged, "ask>l l:each>m l:each>a a>m"), nothing()).await;
    assert_eq!(finished.outputs["l"]["results"], json!([[0, "a0"], [1, "a1"]]));
}

#[tokio::test]
async fn what_an_iteration_does_not_need_is_recorded_as_skipped_in_it() {
    let world = World::new();
    let nodes = [
        ("l", "Loop", json!({"count": 2})),
        ("is", "Conditional", json!({"expression": "input === 1"})),
        ("b", "Transform", code("return 'b'")),
    ];
    let finished = world.run(&file(&nodes, "ask>l l:each>is is:true>b"), nothing()).await;
    assert_eq!(
        lines(&world.recorded(&finished)),
        [
            "1 ask completed",
            "2 l completed",
            "3 is 2.0 completed",
            "4 b 2.0 skipped",
            "5 is 2.1 completed",
            "6 b 2.1 completed",
        ]
    );
}

#[tokio::test]
async fn without_iterations_the_body_is_skipped_and_so_it_is_with_its_loop() {
    let world = World::new();
    let inner = [
        ("l", "Loop", json!({"over": "[]"})),
        ("m", "Loop", json!({"count": 1})),
        ("b", "Transform", code("return 1")),
    ];
    let finished = world.run(&file(&inner, "ask>l l:each>m m:each>b"), nothing()).await;
    assert_eq!(finished.outputs, json!({"l": {"iterations": 0, "results": []}}));
    let expected = ["1 ask completed", "2 l completed", "3 m 2.- skipped", "4 b 2.- skipped"];
    assert_eq!(lines(&world.recorded(&finished)), expected);
    let finished = world.run(&file(&inner, "l:each>m m:each>b"), nothing()).await;
    assert_eq!(
        lines(&world.recorded(&finished)),
        ["1 ask completed", "2 l skipped", "3 m skipped", "4 b skipped"]
    );
}

#[tokio::test]
async fn a_body_that_fails_fails_its_loop_and_is_to_blame() {
    let world = World::new();
    let nodes = [
        ("l", "Loop", json!({"count": 5})),
        ("b", "Transform", code("if (input === 2) throw new Error('no stock'); return input")),
        ("c", "Transform", code("return input")),
        ("after", "Return", text("{{ l.iterations }}")),
    ];
    let ways = "ask>l l:each>b b>c l:done>after";
    let finished = world.run(&file(&nodes, ways), nothing()).await;
    let message = "node b failed in iteration 2: Error: no stock (line 1, column 28)";
    assert_eq!(failure(&finished), ("failed", message.to_owned()));
    let recorded = world.recorded(&finished);
    assert_eq!(recorded.error_info.as_ref().unwrap().node_id.as_deref(), Some("b"));
    let ends = &lines(&recorded)[6..];
    assert_eq!(ends, ["7 b 2.2 error", "8 c 2.2 skipped", "9 after skipped"]);
    let looped = recorded.node_executions.iter().find(|node| node.node_id == "l").unwrap();
    assert_eq!((looped.status, looped.error.as_deref()), (NodeStatus::Error, Some(message)));
    assert_eq!(
        output_of(&recorded, "l"),
        json!({"iterations": 2, "results": [0, 1]}),
        "what had come is kept"
    );
}

#[tokio::test]
async fn failures_are_gone_on_from_in_the_body_or_after_it() {
    let world = World::new();
    let nodes = [
        ("l", "Loop", json!({"count": 2})),
        ("b", "Transform", code("if (input === 1) throw new Error('no'); return input")),
        ("sorry", "Transform", code("return 'sorry: ' + input.kind")),
    ];
    let within = world.run(&file(&nodes, "ask>l l:each>b b:error>sorry"), nothing()).await;
    assert_eq!(within.outputs["l"]["results"], json!([0, "sorry: failed"]));
    let after = world.run(&file(&nodes, "ask>l l:each>b l:error>sorry"), nothing()).await;
    assert_eq!(after.outcome, Outcome::Fulfilled);
    assert_eq!(after.outputs, json!({"sorry": "sorry: failed"}));
    let recorded = world.recorded(&after);
    assert_eq!(recorded.summary.status, ExecutionStatus::Fulfilled);
    assert_eq!(
        lines(&recorded)[1..],
        ["2 l error", "3 b 2.0 completed", "4 b 2.1 error", "5 sorry completed"]
    );
}

#[tokio::test]
async fn what_runs_beside_a_node_that_fails_in_a_body_is_stopped_while_the_flow_goes_on() {
    let world = World::new();
    let (server, _) = hanging().await;
    let fails = Server::start(|_| async { Answer::with("500 Internal Server Error", "", "") }).await;
    let nodes = [
        ("l", "Loop", json!({"count": 1})),
        ("hangs", "ApiCall", json!({"method": "GET", "url": server.url("/")})),
        ("fails", "ApiCall", json!({"method": "GET", "url": fails.url("/")})),
        ("sorry", "Return", text("{{ l.message }}")),
    ];
    let finished = world.run(&file(&nodes, "ask>l l:each>hangs l:each>fails l:error>sorry"), nothing()).await;
    assert_eq!(finished.outcome, Outcome::Fulfilled);
    let lines = lines(&world.recorded(&finished));
    assert_eq!(lines[1..], ["2 l error", "3 hangs 2.0 aborted", "4 fails 2.0 error", "5 sorry completed"]);
}

#[tokio::test]
async fn every_answer_counts_in_the_order_of_the_flow_and_of_the_iterations() {
    let world = World::new();
    let nodes = [
        ("before", "Return", text("before")),
        ("l", "Loop", json!({"over": "['x', 'y']"})),
        ("say", "Return", text("{{ l.index }}: {{ l.item }}")),
        ("link", "Link", json!({"url": "https://shop.example/{{ l.item }}"})),
        ("after", "Return", json!({"json": "{{ l.results }}"})),
    ];
    let ways = "ask>before ask>l l:each>say say>link l:done>after";
    let finished = world.run(&file(&nodes, ways), nothing()).await;
    let link = |item: &str| Returned::Link { url: format!("https://shop.example/{item}"), text: None };
    let said = |said: &str| Returned::Text(said.to_owned());
    let last: Vec<Value> =
        ["x", "y"].map(|item| json!({"url": format!("https://shop.example/{item}")})).into();
    assert_eq!(
        finished.returns,
        [said("before"), said("0: x"), link("x"), said("1: y"), link("y"), Returned::Json(json!(last))]
    );
    assert_eq!(finished.outputs.as_array().unwrap().len(), 6);
    let nodes = [
        ("l", "Loop", json!({"count": 3})),
        ("say", "Return", text("{{ l.index }}")),
        ("b", "Transform", code("if (nodes.l.index === 1) throw new Error('no')")),
    ];
    let finished = world.run(&file(&nodes, "ask>l l:each>say say>b"), nothing()).await;
    assert_eq!(finished.returns, [said("0"), said("1")], "what was answered before it failed");
}

#[tokio::test]
async fn loops_stand_in_loops() {
    let world = World::new();
    let nodes = [
        ("rows", "Loop", json!({"over": "[[1, 2], [], [3]]"})),
        ("cells", "Loop", json!({"over": "input"})),
        ("cell", "Transform", code("return nodes.rows.index + ':' + nodes.cells.index + ':' + input")),
        ("row", "Transform", code("return input.results.join(' ')")),
        ("say", "Return", json!({"json": "{{ rows.results }}"})),
    ];
    let ways = "ask>rows rows:each>cells cells:each>cell cells:done>row rows:done>say";
    let finished = world.run(&file(&nodes, ways), nothing()).await;
    assert_eq!(finished.outputs, json!(["0:0:1 0:1:2", "", "2:0:3"]));
    assert_eq!(
        lines(&world.recorded(&finished)),
        [
            "1 ask completed",
            "2 rows completed",
            "3 cells 2.0 completed",
            "4 cell 3.0 completed",
            "5 cell 3.1 completed",
            "6 row 2.0 completed",
            "7 cells 2.1 completed",
            "8 cell 7.- skipped",
            "9 row 2.1 completed",
            "10 cells 2.2 completed",
            "11 cell 10.0 completed",
            "12 row 2.2 completed",
            "13 say completed",
        ]
    );
    let mut failing = file(&nodes, ways);
    failing["nodes"][3]["parameters"] = code("if (input === 3) throw 'three'; return input");
    let finished = world.run(&failing, nothing()).await;
    let expected =
        "node cells failed in iteration 2: node cell failed in iteration 0: the code threw \"three\"";
    assert_eq!(failure(&finished).1, expected);
    assert_eq!(world.recorded(&finished).error_info.unwrap().node_id.as_deref(), Some("cell"));
}

#[tokio::test]
async fn eight_loops_in_each_other() {
    let world = World::new();
    let ids: Vec<String> = (0..8).map(|n| format!("l{n}")).collect();
    let mut nodes: Vec<_> = ids.iter().map(|id| (id.as_str(), "Loop", json!({"count": 2}))).collect();
    nodes.push(("b", "Merge", json!({"strategy": "first"})));
    let ways: Vec<String> = (0..7).map(|n| format!("l{n}:each>l{}", n + 1)).collect();
    let finished = world.run(&file(&nodes, &format!("ask>l0 {} l7:each>b", ways.join(" "))), nothing()).await;
    assert_eq!(finished.outcome, Outcome::Fulfilled);
    // The trigger, 2 + 4 + … bodies and the loops between.
    assert_eq!(world.recorded(&finished).node_executions.len(), 1 + (1 << 9) - 1);
}

#[tokio::test]
async fn a_body_tries_again_within_its_iteration() {
    let world = World::new();
    let count = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |_| {
        let is_first = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed).is_multiple_of(2);
        async move { if is_first { Answer::HangUp } else { Answer::text("well") } }
    })
    .await;
    let call = json!({"method": "GET", "url": server.url("/"), "retry": {"maxAttempts": 2, "delay": "1ms"}});
    let nodes = [("l", "Loop", json!({"count": 2})), ("b", "ApiCall", call)];
    let finished = world.run(&file(&nodes, "ask>l l:each>b"), nothing()).await;
    assert_eq!(finished.outputs["l"]["iterations"], json!(2));
    let recorded = world.recorded(&finished);
    let expected = ["3 b 2.0 error", "4 b 2.0 completed", "5 b 2.1 error", "6 b 2.1 completed"];
    assert_eq!(lines(&recorded)[2..], expected);
    assert_eq!(
        attempts(&recorded, "b").iter().map(|(attempt, ..)| *attempt).collect::<Vec<_>>(),
        [1, 2, 1, 2]
    );
}

#[tokio::test]
async fn flows_in_loops_and_loops_in_flows() {
    let world = World::new();
    let parameters = json!([{"name": "n", "type": "integer", "required": true}]);
    let nodes = [
        ("l", "Loop", json!({"count": "{{ ask.n }}"})),
        ("b", "Transform", code("return input + 1")),
        ("say", "Return", json!({"json": "{{ l.results }}"})),
    ];
    let mut child = file_asking(&parameters, &nodes, "ask>l l:each>b l:done>say");
    child["toolName"] = json!("counting");
    world.flow(&child);
    let nodes = [
        ("l", "Loop", json!({"over": "[2, 0, 1]"})),
        ("call", "CallFlow", json!({"toolName": "counting", "params": {"n": "{{ l.item }}"}})),
        ("give", "Transform", code("return input.output")),
    ];
    let finished = world.run(&file(&nodes, "ask>l l:each>call call>give"), nothing()).await;
    assert_eq!(finished.outputs["l"]["results"], json!([[1, 2], [], [1]]));
}

#[tokio::test]
async fn an_observer_is_told_of_each_node_once() {
    let world = World::new();
    let nodes = [
        ("l", "Loop", json!({"count": 3})),
        ("is", "Conditional", json!({"expression": "input === 1"})),
        ("yes", "Transform", code("return 1")),
        ("never", "Transform", code("return 1")),
        ("m", "Loop", json!({"count": 2})),
        ("b", "Merge", json!({"strategy": "first"})),
        ("end", "Return", text("x")),
    ];
    let ways = "ask>l l:each>is is:true>yes is:error>never is:false>m m:each>b l:done>end";
    let told = async |file: Value| {
        let flow = world.flow(&file);
        let log = Arc::new(Log::default());
        let mut call = world.call(&flow, nothing());
        call.observer = Some(log.clone());
        world.runner.run(call).await.unwrap();
        log.lines()
    };
    assert_eq!(
        told(file(&nodes, ways)).await,
        [
            "1/8 ask completed",
            "2/8 is completed",
            "3/8 b completed",
            "4/8 m completed",
            "5/8 yes completed",
            "6/8 never skipped",
            "7/8 l completed",
            "8/8 end completed",
        ]
    );
    let skipped = told(file(&nodes, &ways.replace("ask>l", "ask>end"))).await;
    assert_eq!(skipped.len(), 8);
    assert_eq!(skipped[0], "1/8 is skipped");
    let mut failing = file(&nodes, ways);
    failing["nodes"][3]["parameters"] = code("throw 1");
    let lines = told(failing).await;
    assert_eq!(lines[4..], ["5/8 yes error", "6/8 never skipped", "7/8 l error"]);
}
