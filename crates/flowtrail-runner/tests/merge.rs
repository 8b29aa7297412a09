//! `Merge`: what came, in the order of the connections.

mod support;

use flowtrail_runner::parse_flow;
use flowtrail_types::lifecycle::Outcome;
use serde_json::{Value, json};
use support::{World, code, failure, file, file_asking, nothing, output_of, statuses};

/// What a `Merge` gives of these values, which come in this order.
async fn merged(values: &[Value], parameters: Value) -> Value {
    let ids: Vec<String> = (0..values.len()).map(|n| format!("n{n}")).collect();
    // The nodes stand in the file the other way round: it is the connections that count.
    let mut nodes: Vec<_> = ids
        .iter()
        .zip(values)
        .map(|(id, value)| (id.as_str(), "Transform", code(&format!("return {value}"))))
        .collect();
    nodes.push(("all", "Merge", parameters));
    nodes.reverse();
    let ways: Vec<String> = ids.iter().map(|id| format!("ask>{id} {id}>all")).collect();
    let finished = World::new().run(&file(&nodes, &ways.join(" ")), nothing()).await;
    assert_eq!(finished.outcome, Outcome::Fulfilled);
    finished.outputs["all"].clone()
}

#[tokio::test]
async fn strategies_do_what_they_say() {
    let concat = json!({"strategy": "concat"});
    let with_comma = json!({"strategy": "concat", "separator": ", "});
    let values = [json!("é"), json!({"b": 1, "a": [2]}), json!(null), json!(1.5)];
    for (parameters, values, expected) in [
        (json!({"strategy": "first"}), &values[..], json!("é")),
        (json!({"strategy": "last"}), &values, json!(1.5)),
        (json!({"strategy": "array"}), &values, json!(values)),
        (concat.clone(), &values, json!("é{\"b\":1,\"a\":[2]}null1.5")),
        (with_comma.clone(), &values, json!("é, {\"b\":1,\"a\":[2]}, null, 1.5")),
        (concat.clone(), &[json!([1]), json!([]), json!([[2], "x"])], json!([1, [2], "x"])),
        (with_comma, &[json!([1]), json!([2])], json!("[1], [2]")),
        (concat.clone(), &[json!([1]), json!("x")], json!("[1]x")),
        (concat, &[json!("")], json!("")),
        (json!({"strategy": "array"}), &[json!(7)], json!([7])),
        (json!({"strategy": "array"}), &[json!([7])], json!([[7]])),
    ] {
        assert_eq!(merged(values, parameters.clone()).await, expected, "{parameters} of {values:?}");
    }
}

#[tokio::test]
async fn only_the_branches_that_were_taken_count() {
    let world = World::new();
    let parameters = json!([{"name": "n", "type": "number", "required": true}]);
    let nodes = [
        ("large", "Conditional", json!({"expression": "input.n > 10"})),
        ("more", "Transform", code("return 'more'")),
        ("less", "Transform", code("return 'less'")),
        ("always", "Transform", code("return 'always'")),
        ("all", "Merge", json!({"strategy": "array"})),
    ];
    let ways = "ask>large large:true>more large:false>less less>all ask>always always>all more>all";
    let flow = world.flow(&file_asking(&parameters, &nodes, ways));
    let large = world.try_run(&flow, json!({"n": 11})).await.unwrap();
    assert_eq!(large.outputs["all"], json!(["always", "more"]));
    let small = world.try_run(&flow, json!({"n": 1})).await.unwrap();
    assert_eq!(small.outputs["all"], json!(["less", "always"]));
    let recorded = world.recorded(&small);
    assert!(statuses(&recorded).contains(&("more".to_owned(), "skipped")));
    // What is recorded as its input is what any other node would have got.
    let merge = recorded.node_executions.iter().find(|node| node.node_id == "all").unwrap();
    assert_eq!(merge.input_data.as_ref().unwrap().to_value(), json!({"less": "less", "always": "always"}));
    assert_eq!(output_of(&recorded, "all"), json!(["less", "always"]));
}

#[tokio::test]
async fn a_merge_that_no_branch_leads_to_is_skipped_and_both_ways_of_a_node_may() {
    let world = World::new();
    let both = [
        ("is", "Conditional", json!({"expression": "input.no"})),
        ("all", "Merge", json!({"strategy": "array"})),
    ];
    let finished = world.run(&file(&both, "ask>is is:true>all is:false>all is:error>all"), nothing()).await;
    assert_eq!(finished.outputs, json!({"all": [{}]}));
    let none = world.run(&file(&both, "ask>is is:true>all"), nothing()).await;
    assert_eq!(none.outcome, Outcome::Fulfilled);
    assert!(statuses(&world.recorded(&none)).contains(&("all".to_owned(), "skipped")));
}

#[tokio::test]
async fn a_failed_branch_comes_in_by_its_way_for_that() {
    let world = World::new();
    let nodes = [
        ("bad", "Transform", code("throw new Error('no stock')")),
        ("good", "Transform", code("return 'good'")),
        ("all", "Merge", json!({"strategy": "array"})),
    ];
    let finished = world.run(&file(&nodes, "ask>bad ask>good bad:error>all good>all"), nothing()).await;
    assert_eq!(finished.outputs["all"][0]["message"], json!("Error: no stock (line 1, column 11)"));
    assert_eq!(finished.outputs["all"][1], json!("good"));
}

#[tokio::test]
async fn the_separator_may_be_a_template() {
    let parameters = json!({"strategy": "concat", "separator": "{{ n0 }}-"});
    assert_eq!(merged(&[json!("a"), json!("b")], parameters).await, json!("aa-b"));
    let world = World::new();
    let missing = json!({"strategy": "concat", "separator": "{{ ask.nothing }}"});
    let finished = world.run(&file(&[("all", "Merge", missing)], "ask>all"), nothing()).await;
    assert_eq!(failure(&finished).1, "parameters.separator: `ask.nothing` is undefined");
}

#[tokio::test]
async fn what_is_merged_again_and_again_is_bounded() {
    let ids: Vec<String> = (0..60).map(|n| format!("n{n}")).collect();
    let mut nodes: Vec<_> =
        ids.iter().map(|id| (id.as_str(), "Merge", json!({"strategy": "array"}))).collect();
    nodes[0] = ("n0", "Transform", code("return 'x'.repeat(10000)"));
    let ways: Vec<String> = (2..60).flat_map(|n| [1, 2].map(|back| format!("n{}>n{n}", n - back))).collect();
    let mut flow = file(&nodes, &format!("ask>n0 n0>n1 {}", ways.join(" ")));
    flow["capture"] = json!("none");
    let (kind, message) = failure(&World::new().run(&flow, nothing()).await);
    assert_eq!((kind, message.as_str()), ("limit", "what is to be merged has more than 16 MiB as JSON"));
}

#[test]
fn parameters_are_checked() {
    for (parameters, expected) in [
        (json!({}), "node a, parameters.strategy: is missing"),
        (json!({"strategy": 1}), "node a, parameters.strategy: must be a string"),
        (
            json!({"strategy": "frist"}),
            "parameters.strategy: \"frist\" is no strategy, did you mean \"first\"?",
        ),
        (json!({"strategy": "zip"}), "is no strategy, known are concat, first, last, array"),
        (
            json!({"strategy": "array", "separator": ""}),
            "parameters.separator: is for the strategy concat only",
        ),
        (json!({"strategy": "concat", "separator": 1}), "parameters.separator: must be a string"),
        (json!({"strategy": "concat", "seperator": "x"}), "did you mean \"separator\"?"),
    ] {
        let problems =
            parse_flow(file(&[("a", "Merge", parameters.clone())], "ask>a")).unwrap_err().to_string();
        assert!(problems.contains(expected), "{parameters}: {problems}");
    }
}
