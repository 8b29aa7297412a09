//! The bodies of loops: what is refused when a flow is checked, and that what is not refused runs.

mod support;

use flowtrail_runner::parse_flow;
use flowtrail_types::lifecycle::Outcome;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{World, file, nothing};

const NODES: [&str; 4] = ["a", "b", "c", "d"];

/// The problems of a flow with two loops `l` and `m`, and with nodes from `a` to `d`.
fn problems(connections: &str) -> Vec<String> {
    let mut nodes = vec![("l", "Loop", json!({"count": 2})), ("m", "Loop", json!({"count": 2}))];
    nodes.extend(NODES.map(|id| (id, "Merge", json!({"strategy": "first"}))));
    // A loop that is not spoken of is left out.
    nodes.retain(|(id, kind, _)| *kind != "Loop" || connections.contains(&format!("{id}:each")));
    match parse_flow(file(&nodes, connections)) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.to_string().lines().map(str::to_owned).collect(),
    }
}

#[test]
fn sound_bodies_are_taken() {
    for connections in [
        "ask>l l:each>a a>b l:done>c c>d",
        "ask>l l:each>a l:each>b a>c b>c",
        "ask>l l:each>m m:each>a m:done>b l:done>c",
        "ask>l ask>m l:each>a m:each>b l:done>c m:done>c",
        "ask>l l:done>m l:each>a m:each>b m:error>c l:error>d",
        "l:each>a",
    ] {
        assert_eq!(problems(connections), [""; 0], "{connections}");
    }
}

#[test]
fn what_leads_into_a_body_or_out_of_it_is_refused() {
    let stray = |connection: usize, source: &str, target: &str, owner: &str| {
        format!(
            "connections[{connection}]: leads from {source} to {target}, which is in the body of {owner} because a way \
             leads to it from each: nothing else may lead there. What comes after {owner} hangs on its done, and on no \
             node of its body"
        )
    };
    for (connections, expected) in [
        ("ask>l l:each>a ask>a", vec![stray(2, "ask", "a", "l")]),
        ("ask>l l:each>a l:done>a", vec![stray(2, "l", "a", "l")]),
        ("ask>l l:each>a l:error>a", vec![stray(2, "l", "a", "l")]),
        ("ask>l l:each>a a>b l:done>b", vec![stray(3, "l", "b", "l")]),
        ("ask>l l:each>a a>b ask>c c>b", vec![stray(4, "c", "b", "l")]),
        ("ask>l l:each>m m:each>a a>b m:done>b", vec![stray(4, "m", "b", "m")]),
        ("ask>l ask>m l:each>a m:each>a", vec![stray(3, "m", "a", "l")]),
        ("ask>l l:each>m m:each>a l:each>a", vec![stray(3, "l", "a", "m")]),
    ] {
        assert_eq!(problems(connections), expected, "{connections}");
    }
}

#[test]
fn a_way_back_is_not_needed() {
    let back = |connection: usize, source: &str, target: &str| {
        format!(
            "connections[{connection}]: leads from {source} back to {target}, in whose body it is: no way back is \
             needed, the next iteration begins by itself when the last node of the body has ended"
        )
    };
    for (connections, expected) in [
        ("ask>l l:each>a a>b b>l", back(3, "b", "l")),
        ("ask>l l:each>m m:each>a a>l", back(3, "a", "l")),
        ("ask>l l:each>m m:each>a m:done>l", back(3, "m", "l")),
    ] {
        assert_eq!(problems(connections), [expected], "{connections}");
    }
    let circle = problems("ask>l l:each>a a>b b>a");
    assert_eq!(circle, ["connections: lead in a circle: a → b → a"]);
    assert_eq!(problems("ask>l l:each>l"), ["connections[1]: leads from l to itself"]);
}

#[test]
fn parameters_are_checked() {
    let one_of = "a Loop has one of over, count and until";
    for (parameters, expected) in [
        (json!({}), format!("node a, parameters.over: is missing: {one_of}")),
        (json!({"over": null}), format!("parameters.over: is missing: {one_of}")),
        (json!({"over": "[]", "until": "true"}), format!("parameters.until: is one too many: {one_of}")),
        (json!({"over": []}), "parameters.over: must be a string".to_owned()),
        (json!({"over": " "}), "parameters.over: is missing".to_owned()),
        (json!({"over": "[1,"}), "parameters.over: SyntaxError:".to_owned()),
        (json!({"over": "return []"}), "parameters.over: SyntaxError:".to_owned()),
        (json!({"until": "input ="}), "parameters.until: SyntaxError:".to_owned()),
        (json!({"count": -1}), "parameters.count: must be a whole number from 0, or a template".to_owned()),
        (json!({"count": 1.5}), "parameters.count: must be a whole number from 0, or a template".to_owned()),
        (json!({"count": "3"}), "parameters.count: must be a whole number from 0, or a template".to_owned()),
        (json!({"count": [3]}), "parameters.count: must be a whole number from 0, or a template".to_owned()),
        (json!({"count": 1001}), "parameters.count: is 1001, more than the 1000 iterations".to_owned()),
        (json!({"count": "{{ b }}"}), "parameters.count: no way leads from b to this node".to_owned()),
        (
            json!({"count": 1, "maxIterations": 0}),
            "parameters.maxIterations: must be a whole number from 1 to 10000".to_owned(),
        ),
        (
            json!({"count": 1, "maxIterations": 10_001}),
            "parameters.maxIterations: must be a whole number from 1".to_owned(),
        ),
        (
            json!({"count": 1, "maxIterations": "5"}),
            "parameters.maxIterations: must be a whole number from 1".to_owned(),
        ),
        (json!({"each": "[]"}), "parameters.each: is no parameter of Loop".to_owned()),
    ] {
        let nodes = [("a", "Loop", parameters.clone()), ("b", "Return", json!({"text": "x"}))];
        let problems = parse_flow(file(&nodes, "ask>a a:each>b")).unwrap_err().to_string();
        assert!(problems.contains(&expected), "{parameters}: {problems}");
    }
}

#[test]
fn there_is_a_body_and_names_are_known_where_they_have_a_value() {
    let checked = |nodes: &[(&str, &str, Value)], connections: &str| {
        parse_flow(file(nodes, connections)).map(drop).map_err(|problems| problems.to_string())
    };
    let a_loop = ("l", "Loop", json!({"count": 1}));
    let say = |id: &'static str, text: &str| (id, "Return", json!({ "text": text }));
    let bodyless = checked(&[a_loop.clone(), say("b", "x")], "ask>l l:done>b");
    let expected = "node l, connections: repeats nothing: connect it by each to the first node of what it is to repeat, its body";
    assert_eq!(bodyless, Err(expected.to_owned()));
    let plain = checked(&[a_loop.clone(), say("b", "x")], "ask>l l>b").unwrap_err();
    assert!(plain.contains("connections[1].sourceHandle: is missing: l is left by each or done"), "{plain}");
    let within = [a_loop.clone(), say("b", "{{ l.item }} {{ l.index }} {{ ask }}"), say("c", "{{ b }}")];
    assert_eq!(checked(&within, "ask>l l:each>b b>c"), Ok(()));
    let after = [a_loop, say("b", "x"), say("c", "{{ b }}")];
    let expected = "node c, parameters.text: no way leads from b to this node, so it has no output here";
    assert_eq!(checked(&after, "ask>l l:each>b l:done>c"), Err(expected.to_owned()));
}

#[test]
fn loops_are_not_nested_too_deeply() {
    let nested = |count: usize| {
        let ids: Vec<String> = (0..count).map(|n| format!("l{n}")).collect();
        let mut nodes: Vec<_> = ids.iter().map(|id| (id.as_str(), "Loop", json!({"count": 1}))).collect();
        nodes.push(("b", "Return", json!({"text": "x"})));
        let ways: Vec<String> = ids.windows(2).map(|pair| format!("{}:each>{}", pair[0], pair[1])).collect();
        parse_flow(file(&nodes, &format!("ask>l0 {} l{}:each>b", ways.join(" "), count - 1)))
    };
    assert!(nested(8).is_ok());
    let problems = nested(9).unwrap_err().to_string();
    assert_eq!(problems, "node l8: is nested too deeply: at most 8 loops may stand in each other");
    assert_eq!(nested(200).unwrap_err().to_string().lines().count(), 192);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever graph is not refused runs to its end, and leaves a record of every node.
    #[test]
    fn what_is_not_refused_runs(connections in prop::collection::vec((0..7_usize, 0..6_usize, 0..3_usize), 1..12)) {
        const IDS: [&str; 7] = ["l", "m", "is", "a", "b", "c", "ask"];
        let nodes = [
            ("l", "Loop", json!({"count": 2})),
            ("m", "Loop", json!({"over": "[1]"})),
            ("is", "Conditional", json!({"expression": "nodes.l?.index"})),
            ("a", "Merge", json!({"strategy": "array"})),
            ("b", "Merge", json!({"strategy": "first"})),
            ("c", "Merge", json!({"strategy": "last"})),
        ];
        let way = |source: usize, way: usize| match source {
            0 | 1 => [":each", ":done", ":error"][way],
            2 => [":true", ":false", ":error"][way],
            _ => "",
        };
        let mut ways: Vec<String> = connections
            .iter()
            .map(|(source, target, handle)| format!("{}{}>{}", IDS[*source], way(*source, *handle), IDS[*target]))
            .collect();
        ways.push("ask>l".to_owned());
        ways.sort();
        ways.dedup();
        // A loop without a body is refused: one that has none is not there.
        let is_there = |id: &str| !matches!(id, "l" | "m") || ways.iter().any(|way| way.starts_with(&format!("{id}:each")));
        let nodes: Vec<_> = nodes.into_iter().filter(|(id, ..)| is_there(id)).collect();
        let is_known = |id: &str| id == "ask" || nodes.iter().any(|(known, ..)| *known == id);
        let ways: Vec<String> = ways
            .into_iter()
            .filter(|way| {
                let (source, target) = way.split_once('>').unwrap();
                is_known(source.split(':').next().unwrap()) && is_known(target)
            })
            .collect();
        let flow = file(&nodes, &ways.join(" "));
        prop_assume!(parse_flow(flow.clone()).is_ok());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (finished, recorded) = runtime.block_on(async {
            let world = World::new();
            let finished = world.run(&flow, nothing()).await;
            let recorded = world.recorded(&finished);
            (finished, recorded)
        });
        prop_assert_eq!(&finished.outcome, &Outcome::Fulfilled);
        for (id, ..) in &nodes {
            prop_assert!(recorded.node_executions.iter().any(|node| node.node_id == *id), "{} in {:?}", id, ways);
        }
        for node in recorded.node_executions.iter().filter(|node| node.iteration.is_some()) {
            let parent = recorded.node_executions.iter().find(|parent| Some(parent.seq) == node.parent_seq);
            prop_assert!(parent.is_some_and(|parent| parent.node_type == "Loop" && parent.seq < node.seq));
        }
    }
}
