//! Importing: whose flow it is, that nothing is lost without a word, and that no file does harm.

mod support;

use std::time::Instant;

use flowtrail_runner::{import_flow_file, parse_flow_file};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use support::importing::{briefly, imported, refused};
use support::{file, text};

/// A flow with one node of Manifest's or with one sign of it.
fn manifest(more: Value) -> Value {
    let mut flow = json!({"name": "M", "nodes": [], "connections": []});
    flow.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    flow
}

#[test]
fn formats_are_told_apart_by_what_they_have() {
    let of = |kind: &str, parameters: Value| {
        manifest(json!({"nodes": [{"id": "a", "type": kind, "parameters": parameters}]}))
    };
    for flow in [
        manifest(json!({"appId": "a"})),
        manifest(json!({"whenToUse": "x"})),
        manifest(json!({"toolDescription": "x"})),
        manifest(json!({"nodes": [{"id": "a", "slug": "a", "type": "Return"}]})),
        manifest(
            json!({"nodes": [{"id": "a", "type": "Return"}], "connections": [{"sourceNodeId": "user-intent", "targetNodeId": "a"}]}),
        ),
        manifest(
            json!({"nodes": [{"id": "a", "type": "Return"}, {"id": "b", "type": "Return"}], "connections": [{"sourceNodeId": "a", "targetNodeId": "b", "targetHandle": "input"}]}),
        ),
        of("StatCard", json!({})),
        of("JavaScriptCodeTransform", json!({"code": "return 1"})),
        of("UserIntent", json!({"toolName": "x"})),
        of("ApiCall", json!({"url": "https://x.example", "headers": []})),
        of("ApiCall", json!({"url": "https://x.example", "timeout": 1})),
        of("CallFlow", json!({"targetFlowId": "x"})),
        of("Link", json!({"href": "x.example"})),
        of("Interface", json!({"layoutTemplate": "table"})),
        json!({"name": "O", "nodes": [], "edges": []}),
        json!({"flow": {"name": "O", "nodes": [], "edges": []}, "version": "1.0"}),
    ] {
        assert_eq!(imported(&flow).drafts.len(), 1, "{flow}");
        assert!(parse_flow_file(flow.to_string().as_bytes()).is_err(), "{flow} is none of Flowtrail's");
    }
}

#[test]
fn flowtrails_own_files_are_read_as_ever() {
    let own = file(&[("say", "Return", text("x"))], "ask>say");
    for file in [own.clone(), json!([own]), json!({"name": "E", "kind": "external"})] {
        let read = imported(&file);
        assert_eq!(read.drafts, parse_flow_file(file.to_string().as_bytes()).unwrap());
        assert_eq!(read.notes, []);
    }
    let mut typo = own.clone();
    typo["isActive"] = json!(true);
    assert!(refused(&typo).starts_with("isActive: is unknown"), "a mistake stays one");
    for nothing in [json!(7), json!([]), json!({}), json!({"flow": own}), json!({"flows": []}), json!(null)] {
        let problems = parse_flow_file(nothing.to_string().as_bytes()).unwrap_err().to_string();
        assert_eq!(refused(&nothing), problems);
    }
}

#[test]
fn a_file_may_mix_formats_and_a_flow_that_does_is_one_of_them() {
    let own = file(&[("say", "Return", text("x"))], "ask>say");
    let other = json!({"name": "Test", "nodes": [], "edges": [], "connections": [{"a": 1}]});
    let result = imported(&json!([own, other, {"flow": other}]));
    let names: Vec<_> =
        result.drafts.iter().map(|draft| draft.tool_name.as_ref().unwrap().as_str()).collect();
    assert_eq!(names, ["test", "test_2", "test_3"]);
    assert!(briefly(&result.notes).contains(&"dropped - connections".to_owned()), "{:?}", result.notes);
    let problems = refused(&json!([own, other, {"name": "X", "nodes": 1, "edges": []}, {"name": 1}]));
    assert_eq!(problems.lines().next(), Some("nodes: must be an array (flow 3, \"X\")"));
    assert!(problems.contains("(flow 4)"), "{problems}");
}

#[test]
fn what_is_too_large_is_refused_at_once() {
    let began = Instant::now();
    let nodes: Vec<Value> = (0..501).map(|id| json!({"id": format!("n{id}"), "type": "merge"})).collect();
    assert!(
        refused(&json!({"nodes": nodes, "edges": []})).starts_with("nodes: a flow has at most 500 nodes")
    );
    let edges = vec![json!({}); 2_001];
    assert!(
        refused(&json!({"nodes": [], "edges": edges})).starts_with("edges: a flow has at most 2000 edges")
    );
    // Half of the nodes trigger, and each reaches the other half.
    let nodes: Vec<Value> = (0..500)
        .map(|id| json!({"id": format!("n{id}"), "slug": "s", "type": if id < 250 { "UserIntent" } else { "Return" }}))
        .collect();
    let connections: Vec<Value> = (0..499)
        .map(|id: usize| json!({"sourceNodeId": format!("n{id}"), "targetNodeId": format!("n{}", if id < 250 { 250 } else { id + 1 })}))
        .collect();
    assert!(
        refused(&json!({"nodes": nodes, "connections": connections}))
            .contains("more than 10000 nodes together")
    );
    let mut fields = Map::new();
    (0..200_000).for_each(|field| {
        fields.insert(format!("f{field}"), json!(1));
    });
    let notes =
        imported(&json!({"name": "F", "nodes": [{"id": "a", "type": "input", "data": fields}], "edges": []}))
            .notes;
    assert!(notes.len() <= 2_001 && notes.last().unwrap().message.contains("more notes"), "{}", notes.len());
    let deep = format!("{{\"edges\": [], \"nodes\": {}{}}}", "[".repeat(130), "]".repeat(130));
    assert!(import_flow_file(deep.as_bytes()).unwrap_err().to_string().starts_with("nested deeper"));
    let stored =
        json!({"name": "D", "edges": [], "nodes": format!("{}{}", "[".repeat(127), "]".repeat(127))});
    assert!(!refused(&stored).is_empty());
    let kinds = ["loop", "conditional", "merge", "transform"];
    let dense: Vec<Value> = (0..400)
        .flat_map(|a| {
            (1..6)
                .map(move |b| json!({"source": format!("n{a}"), "target": format!("n{}", (a + b).min(499))}))
        })
        .collect();
    let nodes: Vec<Value> = (0..500)
        .map(|id| json!({"id": format!("n{id}"), "type": kinds[id % 4], "data": {"condition": "{{n.output}} {{input}}"}}))
        .collect();
    let _ = import_flow_file(json!({"name": "D", "nodes": nodes, "edges": dense}).to_string().as_bytes());
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}

/// Anything that may stand in a file, in the words of both formats and others.
fn anything() -> impl Strategy<Value = Value> {
    let texts = prop_oneof![
        Just("{{input}}"),
        Just("{{ a.output.b }}"),
        Just("{{b.x}} {% y"),
        Just("{{loop.output.value}}"),
        Just("{{ secrets.K }}"),
        Just("{{{"),
        Just("return input.a;"),
        Just("array"),
        Just("json"),
        Just("concat"),
        Just("日本"),
        Just(""),
        Just("https://x.example/?key=abcdefghij123456"),
    ];
    let leaf = prop_oneof![
        texts.prop_map(|text| json!(text)),
        Just(json!(null)),
        any::<bool>().prop_map(|flag| json!(flag)),
        any::<i32>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            btree_map("[a-c]|code|url|headers|parameters|name|value|key", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

const ID: &str = "a|b|c|d|input_1|loop_1|loop_2|nodes|日本|x-y";

const KINDS: &str = "UserIntent|ApiCall|JavaScriptCodeTransform|Return|CallFlow|Link|Interface|StatCard|PostList|BlankComponent|RegistryComponent|Other";

const STEPS: &str = "input|model|output|transform|knowledge|websearch|conditional|loop|merge|other";

const FIELDS: &str = "toolName|toolDescription|parameters|isActive|method|url|headers|timeout|code|text|targetFlowId|href|mockData|title\
    |label|value|modelId|prompt|useAdvancedSettings|temperature|max_tokens|format|operation|config|knowledgeBaseId|query|topK|condition\
    |operator|compareValue|loopType|maxIterations|arrayPath|breakCondition|strategy|separator|unheard";

fn nodes(kinds: &'static str, data: &'static str) -> impl Strategy<Value = Vec<Value>> {
    let node = (ID, kinds, btree_map(FIELDS, anything(), 0..6), prop::option::of(ID));
    vec(node, 0..7).prop_map(move |nodes| {
        let mut known = Vec::new();
        let mut made = Vec::new();
        for (id, kind, fields, slug) in nodes {
            if !known.contains(&id) {
                made.push(json!({"id": id, "type": kind, "slug": slug, data: fields.into_iter().collect::<Map<_, _>>()}));
                known.push(id);
            }
        }
        made
    })
}

fn ends() -> impl Strategy<Value = Vec<(String, String, Option<String>)>> {
    let way = prop::option::of("true|false|each|each|done|main|action:go".prop_map(String::from));
    // Mostly forward, as a circle is refused.
    let end = (ID, ID, way, prop::bool::weighted(0.95)).prop_map(|(from, to, way, is_forward)| {
        if is_forward && from > to { (to, from, way) } else { (from, to, way) }
    });
    vec(end, 0..12)
}

fn flows() -> impl Strategy<Value = Value> {
    let first = (nodes(KINDS, "parameters"), ends()).prop_map(|(nodes, ends)| {
        let connections: Vec<Value> = ends
            .into_iter()
            .map(|(from, to, handle)| json!({"sourceNodeId": from, "targetNodeId": to, "sourceHandle": handle}))
            .collect();
        json!({"appId": "a", "name": "F", "nodes": nodes, "connections": connections})
    });
    let second = (nodes(STEPS, "data"), ends()).prop_map(|(nodes, ends)| {
        let edges: Vec<Value> = ends
            .into_iter()
            .map(|(from, to, handle)| json!({"source": from, "target": to, "sourceHandle": handle}))
            .collect();
        json!({"name": "S", "nodes": nodes, "edges": edges})
    });
    prop_oneof![first, second]
}

/// What only a conversion could have got wrong.
const MISTAKES: [&str; 9] = [
    "no way leads from",
    "there is no node",
    "nothing else may lead",
    "has no way out",
    "only its normal way",
    "is there twice",
    "leads from",
    "repeats nothing",
    "is the id of two nodes",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// A file gives flows that can be made, or problems of what it says itself; and no node is lost without a word.
    #[test]
    fn every_file_is_imported_or_refused(mut flow in flows()) {
        for (index, node) in flow["nodes"].as_array_mut().unwrap().iter_mut().enumerate() {
            node["position"] = json!({"x": index, "y": 7});
        }
        match import_flow_file(flow.to_string().as_bytes()) {
            Ok(imported) => for node in flow["nodes"].as_array().unwrap() {
                let is_told = imported.notes.iter().any(|note| note.node.as_deref() == node["id"].as_str());
                let mut made = imported.drafts.iter().flat_map(|draft| &draft.definition.nodes);
                prop_assert!(is_told || made.any(|made| made.position.as_ref() == Some(&node["position"])), "{node} in {flow:#}");
            },
            Err(problems) => {
                let problems = problems.to_string();
                for mistake in MISTAKES {
                    let is_circle = problems.contains("circle");
                    prop_assert!(is_circle || !problems.contains(mistake), "{problems}\nin {flow:#}");
                }
            }
        }
    }

    /// A field that nobody knows is in the notes, wherever it stands.
    #[test]
    fn a_field_that_nobody_knows_is_told(mut flow in flows(), place in "flow|node|data|end", name in "zz[a-z]{1,5}") {
        let Ok(_) = import_flow_file(flow.to_string().as_bytes()) else { return Ok(()) };
        let is_manifest = flow.get("edges").is_none();
        let (lists, inner) = if is_manifest { ("connections", "parameters") } else { ("edges", "data") };
        let target = match place.as_str() {
            "flow" => Some(&mut flow),
            "node" => flow["nodes"].as_array_mut().and_then(|nodes| nodes.first_mut()),
            "data" => flow["nodes"].as_array_mut().and_then(|nodes| nodes.first_mut()).map(|node| &mut node[inner]),
            _ => flow[lists].as_array_mut().and_then(|ends| ends.first_mut()),
        };
        let Some(target) = target else { return Ok(()) };
        target[&name] = json!("something");
        let notes = imported(&flow).notes;
        let first = flow["nodes"][0]["id"].as_str();
        let is_told = |note: &flowtrail_runner::ImportNote| {
            note.field.contains(&name) || (place == "data" && note.node.as_deref() == first && note.field.is_empty() && note.message.contains("left out"))
        };
        prop_assert!(notes.iter().any(is_told), "{name} at {place} in {flow:#}: {notes:#?}");
    }
}
