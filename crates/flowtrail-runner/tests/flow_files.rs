//! Flow files: what is read, and every problem that is told.

mod support;

use std::time::Duration;

use flowtrail_runner::{Problems, parse_flow, parse_flow_file, write_flow_file};
use flowtrail_types::{CapturePolicy, FlowDraft, FlowKind, Node};
use serde_json::{Value, json};
use support::{World, file, file_asking};

/// The example of the contract.
const EXAMPLE: &str = r#"{
  "name": "Order summary",
  "toolName": "order_summary",
  "description": "Summarise an order for a customer.",
  "timeout": "30s",
  "nodes": [
    {"id": "ask", "name": "Ask", "type": "UserIntent",
     "parameters": {"parameters": [{"name": "orderId", "type": "string", "description": "Order number", "required": true}]}},
    {"id": "shape", "name": "Shape", "type": "Transform", "parameters": {"code": "return { id: input.orderId.trim() };"}},
    {"id": "say", "name": "Say", "type": "Return", "parameters": {"text": "Order {{ shape.id }} is on its way."}}
  ],
  "connections": [
    {"sourceNodeId": "ask", "targetNodeId": "shape"},
    {"sourceNodeId": "shape", "targetNodeId": "say"}
  ]
}"#;

#[track_caller]
fn problems_of(flow: Value) -> String {
    let shown = format!("{flow:#}");
    match parse_flow(flow) {
        Ok(_) => panic!("no problem was found in {shown}"),
        Err(problems) => problems.to_string(),
    }
}

/// The problems are exactly these.
#[track_caller]
fn assert_problems(flow: Value, expected: &[&str]) {
    let problems = problems_of(flow);
    assert_eq!(problems.lines().collect::<Vec<_>>(), expected);
}

/// There is one problem, and it says this.
#[track_caller]
fn assert_problem(flow: Value, expected: &str) {
    let problems = problems_of(flow);
    assert_eq!(problems.lines().count(), 1, "{problems}");
    assert!(problems.contains(expected), "{problems}\ndoes not contain {expected}");
}

#[track_caller]
fn parsed(bytes: &[u8]) -> Vec<FlowDraft> {
    parse_flow_file(bytes).unwrap_or_else(|problems| panic!("{problems}"))
}

fn unreadable(bytes: &[u8]) -> String {
    parse_flow_file(bytes).map_err(|problems: Problems| problems.to_string()).unwrap_err()
}

#[test]
fn the_example_of_the_contract_is_read() {
    let flows = parsed(EXAMPLE.as_bytes());
    let [flow] = flows.as_slice() else { panic!("{} flows", flows.len()) };
    assert_eq!(flow.name, "Order summary");
    assert_eq!(flow.tool_name.as_ref().unwrap().as_str(), "order_summary");
    assert_eq!(flow.timeout, Some(Duration::from_secs(30)));
    assert_eq!((flow.definition.nodes.len(), flow.definition.connections.len()), (3, 2));
    assert!(flow.active);
}

#[test]
fn what_is_written_is_read_again_as_it_was() {
    let world = World::new();
    let mut written: Value = serde_json::from_str(EXAMPLE).unwrap();
    written["active"] = json!(false);
    written["capture"] = json!("metadata");
    written["nodes"][0]["position"] = json!({"x": 1, "y": 2});
    written["nodes"][1]["timeout"] = json!("2s");
    let draft = parse_flow(written.clone()).unwrap();
    let flow = world.flow(&written);
    assert_eq!(write_flow_file(&flow), written);
    assert_eq!(parse_flow(write_flow_file(&flow)).unwrap(), draft);
    let external = world.flow(&json!({"name": "Nightly", "kind": "external"}));
    assert_eq!(write_flow_file(&external), json!({"name": "Nightly", "kind": "external"}));
}

#[test]
fn a_file_that_is_no_json_says_where() {
    assert_eq!(unreadable(b""), "the file is empty");
    assert_eq!(unreadable(b" \n"), "the file is empty");
    assert_eq!(unreadable(b"ab\xff"), "the file is not UTF-8 text, from byte 2");
    assert_eq!(unreadable(b"{\n  \"name\": }"), "not valid JSON: expected value at line 2 column 11");
    assert!(unreadable("[".repeat(200).as_bytes()).starts_with("nested deeper than 128 levels, at line 1"));
    assert_eq!(unreadable(b"[]"), "the file is an array without any flow");
    assert_eq!(unreadable(b"7"), "a flow is a JSON object with at least a name");
}

#[test]
fn an_array_tells_which_flow_has_which_problem() {
    let good: Value = serde_json::from_str(EXAMPLE).unwrap();
    let mut bad = good.clone();
    bad["name"] = json!("Bad");
    bad["nodes"][1]["type"] = json!("Transfrom");
    let nameless = json!({"kind": "external"});
    let text = unreadable(json!([good, bad, nameless]).to_string().as_bytes());
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        [
            "node shape, type: \"Transfrom\" is no kind of node, did you mean \"Transform\"? (flow 2, \"Bad\")",
            "name: is missing (flow 3)",
        ]
    );
    let text = unreadable(json!([good, good]).to_string().as_bytes());
    assert!(text.starts_with("toolName: order_summary is also that of flow 1"), "{text}");
}

#[test]
fn a_tool_name_is_made_from_the_name() {
    let mut flow = file(&[], "");
    flow["name"] = json!("Größe & Co");
    assert_eq!(parse_flow(flow.clone()).unwrap().tool_name.unwrap().as_str(), "gr_e_co");
    flow["name"] = json!("日本");
    assert_problem(flow.clone(), "toolName: is missing, and none can be made from the name");
    flow["toolName"] = json!("nihon");
    assert!(parse_flow(flow.clone()).is_ok());
    flow["toolName"] = json!("ni hon");
    assert_problem(flow, "toolName: a tool name is made of A-Z a-z 0-9 _ - . and has no ' '");
}

#[test]
fn fields_of_the_flow() {
    let with = |field: &str, value: Value| {
        let mut flow = file(&[], "");
        flow[field] = value;
        flow
    };
    for (field, value, expected) in [
        ("name", json!(""), "name: is missing"),
        ("name", json!("x".repeat(301)), "name: has 301 characters, at most 300 are possible"),
        ("colour", json!(1), "colour: is unknown, known are name, toolName"),
        ("timout", json!("1s"), "timout: is unknown, did you mean \"timeout\"?"),
        ("timeout", json!(30), "timeout: must be a string"),
        ("timeout", json!("0s"), "timeout: must be more than 0"),
        ("timeout", json!("25h"), "timeout: \"25h\" is more than the 24 h"),
        ("timeout", json!("soon"), "timeout: \"soon\" is no duration like \"30s\""),
        ("active", json!("yes"), "active: must be true or false"),
        (
            "capture",
            json!("some"),
            "capture: unknown capture policy \"some\", expected full, metadata or none",
        ),
        ("kind", json!("elsewhere"), "kind: unknown flow kind \"elsewhere\""),
        ("id", json!("7"), "id: \"7\" is no UUID"),
        ("retention", json!({"maxAge": "soon"}), "retention: expected"),
        ("access", json!([]), "access: must be an object"),
        ("access", json!({"read": ["me"]}), "access.read[0]: \"me\" is no UUID"),
        ("access", json!({"writers": []}), "access.writers: is unknown, did you mean \"write\"?"),
        ("ownerId", json!("x"), "ownerId: is given by the server"),
        ("connections", json!({}), "connections: must be an array"),
        ("connections", json!([1]), "connections[0]: must be an object"),
    ] {
        assert_problem(with(field, value), expected);
    }
    let flow = json!({"name": "Full", "kind": "runnable", "id": "0192d3f0-0000-7000-8000-000000000001",
        "nodes": [{"id": "ask", "type": "UserIntent"}], "access": {"public": true}, "retention": null,
        "capture": "none", "active": false});
    let draft = parse_flow(flow).unwrap();
    assert!(draft.id.is_some() && draft.access.public && !draft.active);
    assert_eq!(draft.capture, CapturePolicy::None);
}

#[test]
fn external_flows_have_only_a_name() {
    let draft = parse_flow(json!({"name": "Nightly import", "kind": "external"})).unwrap();
    assert_eq!((draft.kind, draft.tool_name), (FlowKind::External, None));
    let nodes = json!([{"id": "ask", "type": "UserIntent"}]);
    assert_problem(
        json!({"name": "x", "kind": "external", "nodes": nodes}),
        "nodes: must be empty: an external flow runs elsewhere",
    );
    assert_problem(
        json!({"name": "x", "kind": "external", "toolName": "x"}),
        "toolName: an external flow has none",
    );
}

#[test]
fn every_problem_is_told_at_once() {
    let flow = json!({
        "nodes": [
            {"id": "a", "type": "Transform", "parameters": {"cod": "return 1"}},
            {"type": "Return", "parameters": {"text": "x"}},
            {"id": "b", "type": "Return", "parameters": {"text": 7}},
        ],
        "connections": [{"sourceNodeId": "a", "targetNodeId": "nowhere"}],
        "timeout": "never",
    });
    assert_problems(
        flow,
        &[
            "timeout: \"never\" is no duration like \"30s\" or \"5m\": expected number at 0",
            "name: is missing",
            "nodes: a flow has one UserIntent, its trigger, and this one has none",
            "node a, parameters.cod: is no parameter of Transform, did you mean \"code\"?",
            "node a, parameters.code: is missing",
            "nodes[1].id: is missing",
            "node b, parameters.text: must be a string",
            "connections[0].targetNodeId: there is no node \"nowhere\", known are a, b",
        ],
    );
}

#[test]
fn ids_are_identifiers_of_their_own() {
    let named = |id: &str| file(&[(id, "Return", json!({"text": "x"}))], "");
    for (id, expected) in [
        ("1st", "id: is no identifier"),
        ("a-b", "id: is no identifier"),
        ("a b", "id: is no identifier"),
        ("é", "id: is no identifier"),
        ("input", "id: is a name that templates keep"),
        ("secrets", "id: is a name that templates keep"),
        ("none", "id: is a name that templates keep"),
        ("ask", "id: is the id of two nodes"),
    ] {
        assert_problem(named(id), expected);
    }
    for id in ["_", "a1", "If", "_a_B_2"] {
        assert!(parse_flow(named(id)).is_ok(), "{id}");
    }
}

#[test]
fn there_is_one_trigger() {
    let mut flow = file(&[("more", "UserIntent", json!({}))], "");
    assert_problem(flow.clone(), "a flow has one UserIntent, this one has 2: ask, more");
    flow["nodes"] = json!([]);
    assert_problem(flow, "a flow has one UserIntent, its trigger, and this one has none");
}

#[test]
fn kinds_are_known() {
    for (kind, expected) in
        [("", "type: is missing, known are UserIntent, Transform"), ("apicall", "did you mean \"ApiCall\"?")]
    {
        assert_problem(file(&[("a", kind, json!({}))], ""), expected);
    }
}

#[test]
fn connections_lead_from_node_to_node() {
    let text = |id: &'static str| (id, "Return", json!({"text": "x"}));
    let condition = ("check", "Conditional", json!({"expression": "true"}));
    let nodes = [text("a"), text("b"), text("c"), condition];
    for (connections, expected) in [
        ("ask>a a>ask", "connections[1]: leads into the trigger"),
        ("ask>a a>a", "connections[1]: leads from a to itself"),
        ("ask>a ask>a", "connections[1]: is there twice: ask → a"),
        ("ask>x", "connections[0].targetNodeId: there is no node \"x\""),
        ("x>a", "connections[0].sourceNodeId: there is no node \"x\""),
        ("a>b b>a", "connections: lead in a circle: a → b → a"),
        ("ask>a a>b b>c c>b", "connections: lead in a circle: b → c → b"),
        ("ask>check check>a", "connections[1].sourceHandle: is missing: check is left by true or false"),
        ("ask>check check:maybe>a", "check (Conditional) has no way out \"maybe\", only true, false, error"),
        ("ask>a a:true>b", "a (Return) has no way out \"true\", only error"),
        ("ask:error>a", "ask has only its normal way out and not \"error\""),
    ] {
        let flow = file(&nodes, connections);
        let problems = problems_of(flow);
        assert!(problems.contains(expected), "{connections}: {problems}");
    }
    let good = "ask>check check:true>a check:false>b check:error>c a>c ask>c";
    assert!(parse_flow(file(&nodes, good)).is_ok());
    assert!(parse_flow(file(&nodes, "ask>a b>c")).is_ok(), "nodes that no way leads to are allowed");
}

#[test]
fn there_are_not_too_many_nodes() {
    let ids: Vec<String> = (0..500).map(|n| format!("n{n}")).collect();
    let nodes: Vec<_> = ids.iter().map(|id| (id.as_str(), "Return", json!({"text": "x"}))).collect();
    assert_problem(file(&nodes, ""), "nodes: a flow has at most 500 nodes, this one has 501");
    assert!(parse_flow(file(&nodes[..499], "")).is_ok());
    let connections = "n0>n1 ".repeat(2001);
    assert_problem(file(&nodes[..2], &connections), "at most 2000 connections, this one has 2001");
}

#[test]
fn parameters_of_every_kind() {
    for (kind, parameters, expected) in [
        ("Transform", json!({"code": "return 1 +"}), "node a, parameters.code: SyntaxError:"),
        ("Transform", json!({"code": "return await input"}), "must not be asynchronous"),
        (
            "Transform",
            json!({"code": "}); while (true) {} (function () {"}),
            "node a, parameters.code: SyntaxError:",
        ),
        ("Transform", json!({"code": 1}), "node a, parameters.code: must be a string"),
        ("Conditional", json!({}), "node a, parameters.expression: is missing"),
        ("Conditional", json!({"expression": "input ="}), "node a, parameters.expression: SyntaxError:"),
        ("Return", json!({}), "node a, parameters.text: is missing: a Return has either text or json"),
        ("Return", json!({"text": "x", "json": 1}), "node a, parameters.json: is one too many"),
        ("Return", json!({"text": "{{ ask. }}"}), "node a, parameters.text: syntax error:"),
        ("Return", json!({"text": "{{ nobody.x }}"}), "parameters.text: there is no node nobody"),
        ("Return", json!({"text": "{{ akk.x }}"}), "there is no node akk, did you mean \"ask\"?"),
        (
            "Return",
            json!({"json": {"deep": ["{{ b.x }}"]}}),
            "parameters.json.deep[0]: no way leads from b to this node",
        ),
        ("Return", json!({"text": "{{ a.x }}"}), "parameters.text: a is this node itself"),
        ("Return", json!({"text": "{{ ask.x|shout }}"}), "unknown filter shout"),
        ("Return", json!({"text": "{% include 'x' %}"}), "a template has no {% include %}"),
        ("Interface", json!({}), "node a, parameters.data: is missing"),
        (
            "Interface",
            json!({"data": 1, "resource": {"url": "x"}}),
            "parameters.resource.url: is unknown, did you mean \"uri\"?",
        ),
        (
            "Interface",
            json!({"data": 1, "resource": {"uri": 1}}),
            "parameters.resource.uri: must be a string",
        ),
        ("Link", json!({}), "node a, parameters.url: is missing"),
        ("Link", json!({"url": "javascript:alert(1)"}), "must be an http or https URL and not javascript:"),
        ("Link", json!({"url": "/here"}), "parameters.url: is no URL"),
        ("CallFlow", json!({"params": {}}), "node a, parameters.toolName: is missing"),
        ("CallFlow", json!({"toolName": "a b"}), "parameters.toolName: a tool name is made of"),
        ("CallFlow", json!({"toolName": "a", "params": []}), "parameters.params: must be an object"),
    ] {
        let nodes = [("a", kind, parameters.clone()), ("b", "Return", json!({"text": "x"}))];
        let problems = problems_of(file(&nodes, "ask>a ask>b"));
        assert!(problems.contains(expected), "{kind} {parameters}: {problems}");
    }
}

#[test]
fn parameters_of_api_calls() {
    let url = "https://shop.example/orders";
    for (parameters, expected) in [
        (json!({"url": url}), "parameters.method: is missing"),
        (json!({"method": "FETCH", "url": url}), "parameters.method: \"FETCH\" is no method"),
        (json!({"method": "GET"}), "parameters.url: is missing"),
        (json!({"method": "GET", "url": "ftp://x.example"}), "must be an http or https URL and not ftp:"),
        (
            json!({"method": "GET", "url": "https://me:pw@x.example"}),
            "parameters.url: has a user name or password",
        ),
        (json!({"method": "GET", "url": url, "headers": []}), "parameters.headers: must be an object"),
        (
            json!({"method": "GET", "url": url, "headers": {"a": {}}}),
            "parameters.headers.a: must be a string, a number",
        ),
        (
            json!({"method": "GET", "url": url, "headers": {"Host": "x"}}),
            "parameters.headers.Host: is set by itself",
        ),
        (json!({"method": "GET", "url": url, "query": {"a": {}}}), "parameters.query.a: must be"),
        (json!({"method": "GET", "url": url, "timeout": "x"}), "parameters.timeout: \"x\" is no duration"),
        (
            json!({"method": "GET", "url": url, "acceptStatus": [99]}),
            "parameters.acceptStatus: must be an array",
        ),
        (json!({"method": "GET", "url": url, "retry": 3}), "parameters.retry: must be an object"),
        (json!({"method": "GET", "url": url, "header": {}}), "did you mean \"headers\"?"),
    ] {
        let problems = problems_of(file(&[("a", "ApiCall", parameters.clone())], "ask>a"));
        assert!(problems.contains(expected), "{parameters}: {problems}");
    }
}

#[test]
fn credentials_do_not_stand_in_flows() {
    let call = |headers: Value, query: Value, url: &str| {
        let parameters = json!({"method": "get", "url": url, "headers": headers, "query": query});
        file(&[("a", "ApiCall", parameters)], "ask>a")
    };
    let url = "https://shop.example/";
    for (headers, query, url) in [
        (json!({"Authorization": "Bearer abc"}), json!({}), url),
        (json!({"x-api-key": "abc"}), json!({}), url),
        (json!({"Cookie": "session=1"}), json!({}), url),
        (json!({"x-custom": "sk-abcdef"}), json!({}), url),
        (json!({}), json!({"access_token": "abc"}), url),
        (json!({}), json!({"key": "AIzaSyA1234567890abcdef"}), url),
        (json!({}), json!({}), "https://shop.example/?api_key=abc"),
    ] {
        let problems = problems_of(call(headers, query, url));
        assert!(problems.contains("looks like a credential: configure a secret"), "{problems}");
    }
    let headers = json!({"Authorization": "Bearer {{ secrets.SHOP }}", "accept": "text/plain"});
    let good = call(
        headers,
        json!({"page": 2, "key": "name"}),
        "https://shop.example/?token={{ secrets.T }}&max_tokens=5",
    );
    assert!(parse_flow(good).is_ok());
}

#[test]
fn declared_parameters_are_sound() {
    for (declaration, expected) in [
        (json!({"type": "string"}), "[0].name: is missing"),
        (json!({"name": "x".repeat(65), "type": "string"}), "[0].name: must have 1 to 64 characters"),
        (json!({"name": "a"}), "[0].type: is missing, expected string, number"),
        (json!({"name": "a", "type": "text"}), "[0].type: \"text\" is no type"),
        (json!({"name": "a", "type": "string", "default": 1}), "[0].default: is no string"),
        (json!({"name": "a", "type": "integer", "default": 1.5}), "[0].default: is no integer"),
        (json!({"name": "a", "type": "string", "enum": []}), "[0].enum: must be an array with at least one"),
        (json!({"name": "a", "type": "string", "enum": ["x", 1]}), "[0].enum[1]: is no string"),
        (json!({"name": "a", "type": "string", "enum": ["x"], "default": "y"}), "[0].default: is not one of"),
        (
            json!({"name": "a", "type": "string", "requird": true}),
            "[0].requird: is unknown, did you mean \"required\"?",
        ),
        (json!({"name": "a", "type": "string", "required": "yes"}), "[0].required: must be true or false"),
        (json!("a"), "[0]: must be an object"),
    ] {
        let problems = problems_of(file_asking(&json!([declaration]), &[], ""));
        assert!(problems.contains(expected), "{declaration}: {problems}");
        assert!(problems.starts_with("node ask, parameters.parameters"), "{problems}");
    }
    let twice = json!([{"name": "a", "type": "string"}, {"name": "a", "type": "number"}]);
    assert_problem(file_asking(&twice, &[], ""), "[1].name: \"a\" is declared twice");
}

#[test]
fn a_node_without_a_name_is_known_by_its_id() {
    let draft = parse_flow(file(&[("say", "Return", json!({"text": "x"}))], "ask>say")).unwrap();
    assert_eq!(draft.definition.nodes.iter().map(Node::label).collect::<Vec<_>>(), ["ask", "say"]);
}

#[test]
fn a_schema_of_an_answer_is_one() {
    let flow = |parameters: Value| {
        json!({
            "name": "Answer",
            "nodes": [{"id": "ask", "type": "UserIntent"}, {"id": "say", "type": "Return", "parameters": parameters}],
            "connections": [{"sourceNodeId": "ask", "targetNodeId": "say"}],
        })
    };
    let object = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    let kept = parse_flow(flow(json!({"json": {"n": 1}, "schema": object}))).unwrap();
    assert_eq!(flowtrail_runner::output_schema(&kept.definition), object.as_object());
    for (parameters, expected) in [
        (json!({"text": "x", "schema": object}), "belongs to json"),
        (json!({"json": 1, "schema": {"type": "string"}}), "must be a JSON Schema with \"type\": \"object\""),
        (json!({"json": 1, "schema": "x"}), "must be a JSON Schema"),
        (json!({"json": 1, "schema": {"type": "object", "minProperties": "x"}}), "is no JSON Schema"),
        (json!({"json": 1, "schema": {"type": "object", "$ref": "http://a.example/b"}}), "is no JSON Schema"),
    ] {
        let problems = parse_flow(flow(parameters.clone())).unwrap_err().to_string();
        assert!(
            problems.contains("node say, parameters.schema") && problems.contains(expected),
            "{problems}"
        );
    }
}
