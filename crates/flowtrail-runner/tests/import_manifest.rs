//! Manifest's flows: what they become, what is told, and that they run.

mod support;

use flowtrail_runner::{NoteKind, Returned, RunnerOptions, Secrets};
use serde_json::{Value, json};
use support::importing::{assert_note, briefly, imported, made, node, refused, ways};
use support::{Answer, Server, World, failure};

fn at(x: i32) -> Value {
    json!({"x": x, "y": 100})
}

fn way(from: &str, handle: &str, to: &str) -> Value {
    json!({"id": format!("{from}-{to}"), "sourceNodeId": from, "sourceHandle": handle, "targetNodeId": to, "targetHandle": "input"})
}

/// Asks a service for a parcel and tells where it is, as text and as a card.
fn parcel(base: &str) -> Value {
    json!({
        "id": "6d0f8f0e-3c1b-4a52-9d4f-0c6b8a1c0001", "appId": "a0000000-0000-4000-8000-000000000001",
        "name": "Parcels", "description": "Tools of the shop", "isActive": true,
        "createdAt": "2026-01-12T09:00:00.000Z", "updatedAt": "2026-01-16T12:00:00.000Z",
        "nodes": [
            {"id": "n1", "slug": "ask_parcel", "type": "UserIntent", "name": "Ask parcel", "position": at(0), "parameters": {
                "toolName": "where_is_parcel", "toolDescription": "Where a parcel is.", "whenToUse": "Questions about parcels.",
                "whenNotToUse": "Returns.", "isActive": true, "parameters": [
                    {"name": "user_query", "type": "string", "description": "In short", "optional": false, "isSystem": true},
                    {"name": "number", "type": "string", "description": "Its number", "optional": false},
                    {"name": "lang", "type": "string", "description": "Language", "optional": true}]}},
            {"id": "n2", "slug": "fetch-parcel", "type": "ApiCall", "name": "Fetch parcel", "position": at(1), "parameters": {
                "method": "GET", "url": format!("{base}?n={{{{ ask_parcel.number }}}}&lang={{{{ask_parcel.lang}}}}&api_key=abcd1234abcd1234"),
                "headers": [{"key": "Authorization", "value": "Bearer {{ secrets.POST_KEY }}"},
                            {"key": "X-Api-Key", "value": "zyxw9876zyxw9876"}, {"key": "Host", "value": "other"}],
                "timeout": 15000, "inputMappings": [], "resolvedOutputSchema": {"type": "object"}}},
            {"id": "n3", "slug": "shape", "type": "JavaScriptCodeTransform", "name": "Shape", "position": at(2), "parameters": {
                "code": "function transform(input: Input) {\n  const found: Found = input[\"fetch-parcel\"].body;\n  return { stats: [{ label: 'Place', value: found.place }], place: found.place };\n}"}},
            {"id": "n4", "slug": "card", "type": "StatCard", "name": "Card", "position": at(3), "parameters": {"appearanceConfig": {"columns": 2}}},
            {"id": "n5", "slug": "say", "type": "Return", "name": "Say", "position": at(3), "parameters": {
                "text": "Parcel {{ trigger.number }} is in {{ shape.stats.0.value }}. {{ nobody.x }}{not one} {{ask_parcel.lang}}"}},
            {"id": "n6", "slug": "more", "type": "Link", "name": "More", "position": at(4), "parameters": {"href": "post.example/{{ card.place }}"}}
        ],
        "connections": [way("n1", "main", "n2"), way("n2", "output", "n3"), way("n3", "output", "n4"), way("n3", "output", "n5"),
                        way("n4", "action:onMore", "n6")]
    })
}

#[test]
fn a_flow_becomes_one_of_flowtrails() {
    let imported = imported(&parcel("https://post.example/v1/parcels"));
    let [draft] = imported.drafts.as_slice() else { panic!("{:#?}", imported.drafts) };
    assert_eq!((draft.name.as_str(), draft.active), ("Parcels", true));
    assert_eq!(draft.tool_name.as_ref().unwrap().as_str(), "where_is_parcel");
    let described = "Where a parcel is.\nWHEN TO USE:\nQuestions about parcels.\nWHEN NOT TO USE:\nReturns.";
    assert_eq!(draft.description, described);
    assert_eq!(
        ways(draft),
        ["ask_parcel>fetch_parcel", "fetch_parcel>shape", "shape>card_data", "shape>say", "card_data>card"]
    );
    let call = node(draft, "fetch_parcel");
    assert_eq!(call["position"], at(1));
    assert_eq!(
        call["parameters"],
        json!({
            "method": "GET",
            "url": "https://post.example/v1/parcels?n={{ ask_parcel.number | default(\"\") }}&lang={{ ask_parcel.lang \
                    | default(\"\") }}&api_key={{ secrets.WHERE_IS_PARCEL_API_KEY }}",
            "headers": {"Authorization": "Bearer {{ secrets.POST_KEY }}", "X-Api-Key": "{{ secrets.WHERE_IS_PARCEL_X_API_KEY }}"},
            "timeout": "15s",
        })
    );
    let shape = node(draft, "shape")["parameters"]["code"].as_str().unwrap().to_owned();
    assert!(shape.starts_with("input = { \"fetch-parcel\": nodes.fetch_parcel };\n"), "{shape}");
    assert!(shape.contains("const found = input"), "{shape}");
    assert_eq!(
        node(draft, "say")["parameters"]["text"],
        "Parcel {{ ask_parcel.number | default(\"\") }} is in {{ shape.stats[0].value | default(\"\") }}. {not one} \
         {{ ask_parcel.lang | default(\"\") }}"
    );
    assert_eq!(
        briefly(&imported.notes),
        [
            "dropped - id, appId, createdAt, updatedAt",
            "dropped - connections[4]",
            "configure n2 parameters.url",
            "configure n2 parameters.headers[0].value",
            "configure n2 parameters.headers[1].value",
            "dropped n2 parameters.headers[2].value",
            "changed n2 ",
            "dropped n4 parameters.appearanceConfig",
            "assumed n5 parameters.text",
            "dropped n5 parameters.text",
            "changed - ",
            "dropped - description",
            "dropped n6 ",
        ]
    );
    let told = format!("{:?}", imported.notes);
    assert!(!told.contains("abcd1234") && !told.contains("zyxw9876"), "{told}");
}

#[tokio::test]
async fn a_flow_that_was_imported_runs() {
    let server = Server::start(|_| async { Answer::json(r#"{"place": "Graz"}"#) }).await;
    let secrets = ["POST_KEY", "WHERE_IS_PARCEL_API_KEY", "WHERE_IS_PARCEL_X_API_KEY"];
    let secrets = Secrets::new(secrets.map(|name| (name.to_owned(), format!("{name}-hidden"))).into());
    let world = World::with(RunnerOptions { secrets, allow_private_addresses: true, ..World::options() });
    let flows = made(&world, &parcel(&server.url("/p")));
    let finished = world.try_run(&flows[0], json!({"user_query": "?", "number": "7"})).await.unwrap();
    assert_eq!(finished.outcome.status().as_str(), "fulfilled", "{:?}", finished.outcome);
    let card = json!({"stats": [{"label": "Place", "value": "Graz"}]});
    assert!(finished.returns.iter().any(|answer| matches!(answer, Returned::Text(text) if text.starts_with("Parcel 7 is in Graz. {not one}"))), "{:?}", finished.returns);
    assert!(
        finished
            .returns
            .iter()
            .any(|answer| matches!(answer, Returned::Interface { data, .. } if *data == card)),
        "{:?}",
        finished.returns
    );
    let [received] = server.received().try_into().unwrap();
    assert_eq!(received.line, "GET /p?n=7&lang=&api_key=WHERE_IS_PARCEL_API_KEY-hidden");
    assert!(received.headers.contains("authorization: bearer post_key-hidden"), "{}", received.headers);
}

#[tokio::test]
async fn a_flow_of_the_first_days_runs() {
    let file = json!({
        "id": "7a000000-0000-4000-8000-000000000002", "appId": "a", "name": "Opening hours", "toolName": "opening_hours",
        "toolDescription": "When the shop is open.", "isActive": 1,
        "parameters": [{"name": "day", "type": "string", "description": "Weekday", "optional": true}],
        "nodes": serde_json::to_string(&json!([{"id": "r1", "type": "Return", "name": "Hours", "parameters": {"text": "9 to 18. {{ not a template }}"}}])).unwrap(),
        "connections": [way("user-intent", "main", "r1")],
    });
    let world = World::new();
    let flows = made(&world, &file);
    assert_eq!(flows[0].tool_name.as_ref().unwrap().as_str(), "opening_hours");
    let finished = world.try_run(&flows[0], json!({"day": "Monday"})).await.unwrap();
    assert_eq!(finished.returns, [Returned::Text("9 to 18. {{ not a template }}".to_owned())]);
}

#[tokio::test]
async fn each_trigger_is_a_flow_and_flows_call_each_other() {
    let shop = json!({
        "id": "shop", "appId": "a", "name": "Shop", "isActive": true,
        "nodes": [
            {"id": "t1", "slug": "greet", "type": "UserIntent", "name": "Greet", "parameters": {"toolName": "greet", "parameters": [{"name": "who", "type": "string", "optional": false}]}},
            {"id": "t2", "slug": "part", "type": "UserIntent", "name": "Part", "parameters": {"toolName": "part", "isActive": false}},
            {"id": "s", "slug": "shared", "type": "JavaScriptCodeTransform", "name": "Shared", "parameters": {"code": "return { text: JSON.stringify(input) }"}},
            {"id": "x", "slug": "alone", "type": "Return", "name": "Alone", "parameters": {"text": ""}}],
        "connections": [way("t1", "main", "s"), way("t2", "main", "s")],
    });
    let caller = json!({
        "id": "caller", "appId": "a", "name": "Caller", "isActive": true,
        "nodes": [
            {"id": "t", "slug": "begin", "type": "UserIntent", "name": "Begin", "parameters": {"toolName": "greet", "parameters": [{"name": "who", "type": "string"}]}},
            {"id": "c", "slug": "call", "type": "CallFlow", "name": "Call", "parameters": {"targetFlowId": "shop", "inputMapping": {"a": "b"}}}],
        "connections": [way("t", "main", "c")],
    });
    let file = json!({"id": "app", "name": "My app", "status": "published", "flows": [shop, caller]});
    let result = imported(&file);
    let names: Vec<&str> = result.drafts.iter().map(|draft| draft.name.as_str()).collect();
    assert_eq!(names, ["Shop – Greet", "Shop – Part", "Caller"]);
    assert_eq!(result.drafts.iter().map(|draft| draft.active).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(result.drafts[2].tool_name.as_ref().unwrap().as_str(), "greet_2");
    assert_note(&result.notes, NoteKind::Changed, "t", "parameters.toolName", "\"greet\" became greet_2");
    assert_note(&result.notes, NoteKind::Dropped, "x", "", "reached by no trigger");
    assert_note(&result.notes, NoteKind::Dropped, "c", "parameters.inputMapping", "never used");
    assert_note(&result.notes, NoteKind::Dropped, "-", "status", "no counterpart");
    assert_eq!(
        node(&result.drafts[2], "call")["parameters"],
        json!({"toolName": "greet", "params": {"who": "{{ begin.who }}"}})
    );
    let world = World::new();
    let flows = made(&world, &file);
    let finished = world.try_run(&flows[2], json!({"who": "Ada"})).await.unwrap();
    assert_eq!(finished.returns, [Returned::Json(json!({"text": "{\"who\":\"Ada\"}"}))]);
}

/// A flow of a trigger and these nodes, connected one after the other.
fn chain(nodes: &[(&str, &str, Value)]) -> Value {
    let mut all = vec![json!({"id": "t", "slug": "begin", "type": "UserIntent", "name": "Begin",
        "parameters": {"toolName": "chain", "toolDescription": "Tries", "parameters": [{"name": "a", "type": "number", "optional": true}]}})];
    let mut connections = Vec::new();
    let mut before = "t";
    for (id, kind, parameters) in nodes {
        all.push(json!({"id": id, "slug": id, "type": kind, "name": id, "parameters": parameters}));
        connections.push(way(before, "output", id));
        before = id;
    }
    json!({"appId": "a", "name": "Chain", "nodes": all, "connections": connections})
}

#[tokio::test]
async fn scripts_of_every_form_run() {
    let world = World::new();
    for (code, expected) in [
        ("return input;", json!({"a": 2})),
        ("function transform(input: Input): Output {\n  return input.begin;\n}", json!({"a": 2})),
        ("const transform = ({ begin }) => ({ b: begin.a + 1 })", json!({"b": 3})),
        ("const f = (data: { a: number }) => { console.log(data); return data.a as number; };", json!(2)),
        (
            "interface A { b: string }\nconst x: number[] = [1, 2];\nreturn x.map((y: number): number => y * 2);",
            json!([2, 4]),
        ),
    ] {
        let mut file = chain(&[("s", "JavaScriptCodeTransform", json!({ "code": code }))]);
        file["nodes"][0]["parameters"]["toolName"] = json!(format!("t{}", code.len()));
        let flows = made(&world, &file);
        let finished = world.try_run(&flows[0], json!({"a": 2})).await.unwrap();
        assert_eq!(finished.returns, [Returned::Json(expected)], "{code}: {:?}", finished.outcome);
    }
}

#[tokio::test]
async fn what_cannot_run_fails_and_says_why() {
    let file = chain(&[
        ("s", "JavaScriptCodeTransform", json!({"code": "return ]"})),
        ("r", "Return", json!({"text": "x"})),
    ]);
    let result = imported(&file);
    assert!(!result.drafts[0].active);
    assert_note(
        &result.notes,
        NoteKind::Unsupported,
        "s",
        "parameters.code",
        "its code is not understood: SyntaxError: unexpected token in expression (line 1",
    );
    let world = World::new();
    let mut draft = result.drafts.into_iter().next().unwrap();
    draft.active = true;
    let flow = world.runner.tracker().create_flow(&world.me, draft).unwrap();
    let finished = world.try_run(&flow, json!({})).await.unwrap();
    assert!(failure(&finished).1.contains("could not be imported"), "{:?}", finished.outcome);
    for (kind, parameters, field, says) in [
        ("Teleport", json!({}), "type", "no such kind"),
        ("ApiCall", json!({}), "parameters.url", "no URL"),
        ("ApiCall", json!({"url": "https://me:secret@x.example"}), "parameters.url", "user name"),
        ("CallFlow", json!({"targetFlowId": "elsewhere"}), "parameters.targetFlowId", "not in the file"),
        ("CallFlow", json!({"targetFlowId": null}), "parameters.targetFlowId", "not in the file"),
        (
            "JavaScriptCodeTransform",
            json!({"code": "async function f(input) { return 1 }"}),
            "parameters.code",
            "asynchronous",
        ),
        ("Link", json!({"href": " "}), "parameters.href", "no URL"),
    ] {
        let result = imported(&chain(&[("n", kind, parameters)]));
        assert_note(&result.notes, NoteKind::Unsupported, "n", field, says);
        assert!(!result.drafts[0].active, "{kind}");
    }
}

#[test]
fn components_answer_with_what_came_before() {
    let registry = json!({"registryName": "table", "title": "A {{table}}", "version": "1", "files": [{"path": "x"}], "variant": "", "description": "d"});
    let file = chain(&[
        ("s", "JavaScriptCodeTransform", json!({"code": "return input"})),
        ("c", "RegistryComponent", registry),
        ("b", "BlankComponent", json!({"customCode": "<p/>"})),
        ("p", "PostList", json!({})),
        ("i", "Interface", json!({"layoutTemplate": "table", "mockData": {"rows": ["{{x}}"]}})),
        ("l", "Link", json!({"href": "a.example/{{ c.title }}"})),
    ]);
    let result = imported(&file);
    let draft = &result.drafts[0];
    assert_eq!(
        node(draft, "c")["parameters"]["data"],
        json!({"a": "{{ begin.a | default(none) }}", "s": "{{ s }}", "registryName": "table", "title": "A {{ \"{{\" }}table}}"})
    );
    assert_eq!(node(draft, "i")["parameters"]["data"], json!({"rows": ["{{ \"{{\" }}x}}"]}));
    assert_eq!(node(draft, "l")["parameters"]["url"], "https://a.example/{{ c.data.title | default(\"\") }}");
    assert_note(&result.notes, NoteKind::Dropped, "c", "parameters.files", "no widget");
    assert_note(
        &result.notes,
        NoteKind::Dropped,
        "c",
        "parameters.version, parameters.description",
        "no registry",
    );
    assert_note(&result.notes, NoteKind::Dropped, "b", "parameters.customCode", "no widget");
    assert_note(&result.notes, NoteKind::Changed, "p", "", "posts");
    assert_note(&result.notes, NoteKind::Dropped, "i", "parameters.layoutTemplate", "no widget");
}

#[test]
fn references_get_the_connections_that_they_need_and_never_a_circle() {
    let mut file = chain(&[
        (
            "one",
            "ApiCall",
            json!({"url": "https://x.example/{{ two.body.a }}{{ other.body }}{{ one.body }}"}),
        ),
        (
            "two",
            "ApiCall",
            json!({"url": "https://x.example/{{ one._execution.httpStatus }}{{ one.statusText }}{{ one.headers.ETag }}"}),
        ),
    ]);
    file["nodes"].as_array_mut().unwrap().push(json!({"id": "o", "name": "Other", "type": "ApiCall", "parameters": {"url": "https://y.example", "headers": {}}}));
    file["connections"].as_array_mut().unwrap().push(way("t", "main", "o"));
    let result = imported(&file);
    let draft = &result.drafts[0];
    assert!(ways(draft).contains(&"other>one".to_owned()), "{:?}", ways(draft));
    assert_eq!(node(draft, "one")["parameters"]["url"], "https://x.example/{{ other.body | default(\"\") }}");
    assert_eq!(
        node(draft, "two")["parameters"]["url"],
        "https://x.example/{{ one.status | default(\"\") }}{{ one.headers.etag | default(\"\") }}"
    );
    assert_note(
        &result.notes,
        NoteKind::Dropped,
        "one",
        "parameters.url",
        "\"two\" names no node that has run before",
    );
    assert_note(
        &result.notes,
        NoteKind::Dropped,
        "one",
        "parameters.url",
        "\"one\" names no node that has run before",
    );
    assert_note(&result.notes, NoteKind::Dropped, "two", "parameters.url", "\"one.statusText\" is not known");
}

#[test]
fn a_flow_without_a_trigger_gets_one_and_is_not_active() {
    let file = json!({"appId": "a", "name": "Loose", "nodes": [{"id": "r", "slug": "r", "type": "Return", "name": "R", "parameters": {"text": "x"}}], "connections": []});
    let result = imported(&file);
    assert!(!result.drafts[0].active);
    assert_eq!(ways(&result.drafts[0]), ["user_intent>r"]);
    assert_note(&result.notes, NoteKind::Assumed, "-", "nodes", "no node triggers");
    let empty = imported(&chain(&[]));
    assert_eq!(
        node(&empty.drafts[0], "begin_answer")["parameters"]["text"],
        "Trigger \"Begin\" is not connected to any nodes."
    );
}

#[test]
fn what_is_no_flow_is_refused_with_every_problem() {
    assert!(refused(&json!({"appId": "a", "name": "Old", "views": []})).starts_with("nodes: is missing"));
    let file = json!({"appId": "a", "nodes": [1, {"type": "Return"}, {"id": "a", "type": "Return"}, {"id": "a"}], "connections": ["x"]});
    assert_eq!(
        refused(&file).lines().collect::<Vec<_>>(),
        [
            "nodes[0]: must be an object",
            "nodes[1].id: is missing",
            "node a, id: is the id of two nodes",
            "node a, type: is missing",
            "connections[0]: must be an object",
        ]
    );
    let mut circle = chain(&[("x", "Return", json!({})), ("y", "Return", json!({}))]);
    circle["connections"].as_array_mut().unwrap().push(way("y", "output", "x"));
    assert!(refused(&circle).contains("lead in a circle: x → y → x"), "{}", refused(&circle));
    let wrong = chain(&[("x", "ApiCall", json!({"url": "no url", "timeout": 1}))]);
    let problems = refused(&wrong);
    assert!(problems.starts_with("node x, parameters.url: is no URL"), "{problems}");
    assert!(problems.contains("\nnode x: note: a status of 400"), "{problems}");
}

#[test]
fn secrets_are_named_once_where_they_are_needed() {
    let result = imported(&chain(&[(
        "x",
        "ApiCall",
        json!({"url": "https://x.example", "headers": [{"key": "A", "value": "{{ secrets.K }}"}]}),
    )]));
    assert_note(&result.notes, NoteKind::Configure, "x", "parameters.headers[0].value", "needs the secret K");
}
