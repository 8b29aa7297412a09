//! Open WebUI's flows: what they become, what is told, and that they run.

mod support;

use flowtrail_runner::{Finished, NoteKind, Returned, RunnerOptions, Secrets};
use serde_json::{Value, json};
use support::importing::{assert_note, briefly, imported, made, node, refused, ways};
use support::{Answer, Received, Server, World, failure, nothing};

fn step(id: &str, kind: &str, data: Value) -> Value {
    json!({"id": id, "type": kind, "position": {"x": 1, "y": 2}, "data": data, "sourcePosition": "right", "measured": {"width": 3}})
}

/// Edges written as `a>b` or `a:way>b`.
fn flow(nodes: &[(&str, &str, Value)], edges: &str) -> Value {
    let nodes: Vec<Value> = nodes.iter().map(|(id, kind, data)| step(id, kind, data.clone())).collect();
    let edge = |text: &str| {
        let (source, target) = text.split_once('>').unwrap();
        let (source, handle) =
            source.split_once(':').map_or((source, None), |(source, handle)| (source, Some(handle)));
        json!({"id": format!("xy-edge__{text}"), "source": source, "target": target, "sourceHandle": handle})
    };
    let edges: Vec<Value> = edges.split_whitespace().map(edge).collect();
    json!({"name": "Trial", "nodes": nodes, "edges": edges})
}

/// An endpoint that repeats what it is asked, in capitals.
async fn endpoint() -> Server {
    Server::start(|received: Received| async move {
        let body: Value = serde_json::from_str(&received.body).unwrap_or_default();
        if received.line.contains("/retrieval/") {
            let query = body["query"].as_str().unwrap().to_owned();
            return Answer::json(&json!({"documents": [[query, "far"]], "metadatas": [[{"n": 1}, {}]], "distances": [[0.25, 0.9]]}).to_string());
        }
        let asked = body["messages"][0]["content"].as_str().unwrap().to_uppercase();
        let answer = json!({"choices": [{"message": {"role": "assistant", "content": asked}, "finish_reason": "stop"}]});
        Answer::json(&answer.to_string())
    })
    .await
}

fn world(server: &Server) -> World {
    let secrets = [("OPEN_WEBUI_URL", server.url("/api")), ("OPEN_WEBUI_KEY", "key-of-the-other".to_owned())];
    let secrets = Secrets::new(secrets.map(|(name, value)| (name.to_owned(), value)).into());
    World::with(RunnerOptions { secrets, allow_private_addresses: true, ..World::options() })
}

async fn run(file: &Value, arguments: Value) -> Finished {
    let server = endpoint().await;
    let world = world(&server);
    let flows = made(&world, file);
    world.try_run(&flows[0], arguments).await.unwrap()
}

/// What a flow answers, which runs.
async fn answers(file: &Value, arguments: Value) -> Vec<Value> {
    let finished = run(file, arguments).await;
    assert_eq!(
        finished.outcome.status().as_str(),
        "fulfilled",
        "{:?}\n{:#?}",
        finished.outcome,
        imported(file).drafts
    );
    let answer = |returned: &Returned| match returned {
        Returned::Text(text) => json!(text),
        Returned::Json(value) => value.clone(),
        other => panic!("{other:?}"),
    };
    finished.returns.iter().map(answer).collect()
}

/// Sorts a message and answers it.
fn triage() -> Value {
    let model = |prompt: &str, advanced: bool| json!({"label": "Model", "modelId": "small", "modelName": "Small", "prompt": prompt, "useAdvancedSettings": advanced, "temperature": 0, "max_tokens": 5, "status": "success"});
    let mut flow = flow(
        &[
            (
                "input_1",
                "input",
                json!({"label": "Message", "value": "My parcel is broken!", "placeholder": "Customer's message"}),
            ),
            ("model_2", "model", model("Answer negative or positive.\n\n{{input}}", true)),
            ("transform_3", "transform", json!({"label": "Lower", "operation": "lowercase", "config": {}})),
            (
                "conditional_4",
                "conditional",
                json!({"label": "Negative?", "condition": "{{input}}", "operator": "contains", "compareValue": "broken"}),
            ),
            ("model_5", "model", model("Sorry for {{input_1.output}}", false)),
            ("model_6", "model", model("Thanks for {{ input_1.output }} {{name}}", false)),
            ("merge_7", "merge", json!({"label": "Join", "strategy": "concat", "separator": "\\n\\n"})),
            ("output_8", "output", json!({"label": "Reply", "format": "markdown"})),
        ],
        "input_1>model_2 model_2>transform_3 transform_3>conditional_4 conditional_4:true>model_5 conditional_4:false>model_6 \
         model_5>merge_7 model_6>merge_7 merge_7>output_8",
    );
    flow["description"] = json!("Sorts a message and answers it");
    flow["meta"] = json!({"tags": ["shop"]});
    json!({"version": "1.0", "flow": flow, "exportedAt": 1_760_800_123})
}

#[test]
fn a_flow_becomes_one_of_flowtrails() {
    let result = imported(&triage());
    let [draft] = result.drafts.as_slice() else { panic!("{:#?}", result.drafts) };
    assert_eq!((draft.name.as_str(), draft.tool_name.as_ref().unwrap().as_str()), ("Trial", "trial"));
    assert_eq!(
        node(draft, "start")["parameters"]["parameters"],
        json!([{"name": "message", "type": "string", "description": "Customer's message", "default": "My parcel is broken!"}])
    );
    let model = node(draft, "model_2");
    assert_eq!((&model["timeout"], &model["position"]), (&json!("5m"), &json!({"x": 1, "y": 2})));
    assert_eq!(
        model["parameters"],
        json!({
            "baseUrl": "{{ secrets.OPEN_WEBUI_URL }}", "apiKey": "{{ secrets.OPEN_WEBUI_KEY }}", "model": "small",
            "prompt": "Answer negative or positive.\n\n{{ input_1 }}", "temperature": 0.0, "maxTokens": 5,
        })
    );
    assert_eq!(node(draft, "model_6")["parameters"]["prompt"], "Thanks for {{ input_1 }} {{ \"{{\" }}name}}");
    assert_eq!(node(draft, "merge_7")["parameters"], json!({"strategy": "concat", "separator": "\n\n"}));
    assert_eq!(
        ways(draft),
        [
            "start>input_1",
            "input_1>model_2",
            "model_2>transform_3",
            "transform_3>conditional_4",
            "conditional_4>conditional_4_branch",
            "conditional_4_branch:true>model_5",
            "conditional_4_branch:false>model_6",
            "model_5>model_5_value",
            "model_5_value>merge_7",
            "model_6>model_6_value",
            "model_6_value>merge_7",
            "merge_7>output_8",
        ]
    );
    assert_eq!(
        briefly(&result.notes),
        [
            "dropped - meta.tags",
            "assumed model_2 ",
            "changed conditional_4 ",
            "assumed model_5 ",
            "assumed model_6 ",
            "configure - "
        ]
    );
}

#[tokio::test]
async fn a_flow_that_was_imported_runs() {
    assert_eq!(answers(&triage(), nothing()).await, ["SORRY FOR MY PARCEL IS BROKEN!"]);
    assert_eq!(answers(&triage(), json!({"message": "Fine"})).await, ["THANKS FOR FINE {{NAME}}"]);
}

#[tokio::test]
async fn a_loop_repeats_its_body() {
    let file = flow(
        &[
            ("input_1", "input", json!({"label": "Topics", "value": "rust, sqlite\nmcp"})),
            (
                "loop_2",
                "loop",
                json!({"label": "Each", "loopType": "array", "arrayPath": "{{input}}", "maxIterations": 2, "breakCondition": "x"}),
            ),
            (
                "model_3",
                "model",
                json!({"label": "Line", "modelId": "m", "prompt": "{{input_1.output}} about {{loop.output.value}}"}),
            ),
            ("output_4", "output", json!({"label": "All", "format": "json"})),
            ("output_5", "output", json!({"label": "Last", "format": "text"})),
        ],
        "input_1>loop_2 loop_2:each>model_3 loop_2:done>output_4 model_3>output_5 loop_2:done>output_5",
    );
    let result = imported(&file);
    assert_note(&result.notes, NoteKind::Changed, "loop_2", "", "results of its body");
    assert_note(&result.notes, NoteKind::Dropped, "loop_2", "data.breakCondition", "never evaluated");
    assert_note(&result.notes, NoteKind::Changed, "output_5", "", "last iteration");
    let found = answers(&file, json!({"topics": "a,b,c"})).await;
    let results = json!([{"model_3": "A,B,C ABOUT A"}, {"model_3": "A,B,C ABOUT B"}]);
    assert!(found.contains(&json!({"iterations": 2, "results": results})), "{found:?}");
    assert!(found.contains(&json!("A,B,C ABOUT B")), "{found:?}");
}

#[tokio::test]
async fn loops_of_all_kinds_run() {
    let looping = |data: Value, edges: &str| {
        let nodes = [
            ("input_1", "input", json!({"label": "in", "value": "v"})),
            ("loop_2", "loop", data),
            (
                "transform_3",
                "transform",
                json!({"label": "T", "operation": "template", "config": {"template": "<{{ input }}>"}}),
            ),
            ("output_4", "output", json!({"label": "O", "format": "json"})),
        ];
        flow(&nodes, edges)
    };
    let body = "input_1>loop_2 loop_2:each>transform_3 loop_2:done>output_4";
    let each = |values: &[&str]| {
        values
            .iter()
            .enumerate()
            .map(|(at, value)| json!(format!("<{{\"iteration\":{at},\"value\":{value}}}>")))
            .collect::<Vec<_>>()
    };
    for (data, values) in [
        (json!({"loopType": "count", "maxIterations": 2}), vec!["\"v\"", "\"v\""]),
        (json!({"loopType": "until", "maxIterations": 1}), vec!["\"v\""]),
        (json!({"loopType": "array", "arrayPath": "a, b\n,c", "maxIterations": 2}), vec!["\"a\"", "\"b\""]),
        (json!({"loopType": "array", "arrayPath": "[1, {\"x\": 2}]"}), vec!["1", "{\"x\":2}"]),
        (json!({"loopType": "array", "arrayPath": "{{input_1.output}}"}), vec!["\"v\""]),
    ] {
        let found = answers(&looping(data.clone(), body), nothing()).await;
        let results = each(&values);
        assert_eq!(found, [json!({"iterations": results.len(), "results": results})], "{data}");
    }
    // Without a body there are the items themselves; what follows by no handle comes after it.
    let found = answers(
        &looping(
            json!({"loopType": "array", "arrayPath": "a"}),
            "input_1>loop_2 loop_2>output_4 input_1>transform_3",
        ),
        nothing(),
    )
    .await;
    assert_eq!(found, [json!({"iterations": 1, "results": [{"iteration": 0, "value": "a"}]})]);
    // Nested, and read from outside of both.
    let nested = flow(
        &[
            ("outer_1", "loop", json!({"label": "A", "loopType": "array", "arrayPath": "a,b"})),
            ("inner_2", "loop", json!({"label": "B", "loopType": "array", "arrayPath": "c,d"})),
            (
                "transform_3",
                "transform",
                json!({"label": "T", "operation": "template", "config": {"template": "x"}}),
            ),
            ("merge_4", "merge", json!({"label": "M", "strategy": "array"})),
            ("output_5", "output", json!({"label": "O", "format": "json"})),
        ],
        "outer_1:each>inner_2 inner_2:each>transform_3 transform_3>merge_4 outer_1:done>merge_4 merge_4>output_5",
    );
    let found = answers(&nested, nothing()).await;
    assert_eq!(found[0][0], "x", "{found:?}");
    assert_eq!(found[0][1]["iterations"], 2);
}

#[tokio::test]
async fn conditions_and_operations_are_as_they_were() {
    for (operator, compared, value, holds) in [
        ("equals", "a", "a", true),
        ("not_equals", "a", "a", false),
        ("contains", "\"b", "a\"b", true),
        ("greater", "9", "10", true),
        ("less", "9", "10", false),
        ("regex", "^ü+$", "üü", true),
        ("like", "a", "a", false),
    ] {
        let data =
            json!({"label": "C", "condition": "{{input}}", "operator": operator, "compareValue": compared});
        let file = flow(
            &[
                ("input_1", "input", json!({"label": "V"})),
                ("conditional_2", "conditional", data),
                ("output_3", "output", json!({"format": "json"})),
            ],
            "input_1>conditional_2 conditional_2>output_3",
        );
        let found = answers(&file, json!({ "v": value })).await;
        assert_eq!(
            found,
            [json!({"condition": value, "result": holds, "branch": if holds { "true" } else { "false" }})],
            "{operator}"
        );
    }
    for (operation, config, value, expected) in [
        ("uppercase", json!({}), "aü", json!("AÜ")),
        ("trim", json!({}), " a ", json!("a")),
        ("replace", json!({"pattern": "a(b)", "replacement": "$1$&"}), "xabab", json!("xbabbab")),
        ("extract", json!({"field": "a.b"}), "{\"a.b\": [1]}", json!([1])),
        ("template", json!({"template": "{{input}}, {{ input }} {{x}} {%"}), "$&", json!("$&, $& {{x}} {%")),
        ("", json!({}), "a", json!("a")),
        ("rot13", json!({}), "a", json!("a")),
    ] {
        let data = json!({"label": "T", "operation": operation, "config": config});
        let file = flow(
            &[
                ("input_1", "input", json!({"label": "V"})),
                ("transform_2", "transform", data),
                ("output_3", "output", json!({"format": "json"})),
            ],
            "input_1>transform_2 transform_2>output_3",
        );
        let expected =
            if operation == "template" || expected.is_array() { expected } else { json!(expected) };
        assert_eq!(answers(&file, json!({ "v": value })).await, [expected], "{operation}");
    }
}

#[test]
fn an_operation_without_what_it_needs_makes_the_flow_inactive() {
    for (operation, config, field) in [
        ("replace", json!({"replacement": "x"}), "data.config.pattern"),
        ("extract", json!({}), "data.config.field"),
        ("template", json!({"template": ""}), "data.config.template"),
    ] {
        let data = json!({"label": "T", "operation": operation, "config": config});
        let result = imported(&flow(
            &[("input_1", "input", json!({"label": "V"})), ("transform_2", "transform", data)],
            "input_1>transform_2",
        ));
        assert!(!result.drafts[0].active, "{operation}");
        assert_note(&result.notes, NoteKind::Unsupported, "transform_2", field, "without which it failed");
    }
}

#[test]
fn labels_in_any_script_become_parameters_that_can_be_told_apart() {
    let inputs = ["Вопрос", "语言", "🚀", "\u{e000}", "\u{e001}"];
    let inputs: Vec<(String, Value)> =
        (1..).zip(inputs).map(|(n, label)| (format!("input_{n}"), json!({ "label": label }))).collect();
    let nodes: Vec<(&str, &str, Value)> =
        inputs.iter().map(|(id, data)| (id.as_str(), "input", data.clone())).collect();
    let result = imported(&flow(&nodes, ""));
    let parameters = node(&result.drafts[0], "start")["parameters"]["parameters"].clone();
    let names: Vec<&str> =
        parameters.as_array().unwrap().iter().map(|each| each["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["vopros", "yu_yan", "rocket", "message", "message_2"]);
}

#[tokio::test]
async fn knowledge_is_asked_for() {
    let data = json!({"label": "K", "knowledgeBaseId": "kb-1", "knowledgeBaseName": "Manual", "query": "about {{input}}", "topK": 2,
        "confidenceThreshold": 0.5, "includeMetadata": true, "useReranking": true, "hybridSearch": false});
    let file = flow(
        &[
            ("input_1", "input", json!({"label": "Q"})),
            ("knowledge_2", "knowledge", data),
            ("output_3", "output", json!({"format": "json"})),
        ],
        "input_1>knowledge_2 knowledge_2>output_3",
    );
    let chunk = json!({"content": "about x", "metadata": {"n": 1}, "relevanceScore": 0.75});
    assert_eq!(
        answers(&file, json!({"q": "x"})).await,
        [json!({"chunks": [chunk], "count": 1, "query": "about x", "knowledgeBase": "Manual"})]
    );
    let result = imported(&file);
    assert_note(&result.notes, NoteKind::Dropped, "knowledge_2", "data.useReranking", "never sent");
    assert_note(&result.notes, NoteKind::Changed, "knowledge_2", "data.confidenceThreshold", "leaves out");
    assert_note(&result.notes, NoteKind::Configure, "-", "", "OPEN_WEBUI_URL");
}

#[tokio::test]
async fn several_inputs_are_joined_or_the_first_is_taken() {
    let nodes = |prompt: &str| {
        [
            ("input_1", "input", json!({"label": "A", "value": "a"})),
            ("input_2", "input", json!({"label": "B", "value": "b"})),
            ("model_3", "model", json!({"label": "M", "modelId": "m", "prompt": prompt})),
            ("output_4", "output", json!({"label": "O"})),
        ]
    };
    let edges = "input_1>model_3 input_2>model_3 model_3>output_4";
    for (prompt, expected) in [
        ("<{{input}}>", "<A\n\nB>"),
        ("", "A\n\nB"),
        ("<{{ input }}>", "<A>"),
        ("{{input_2.output}}!", "B!"),
        ("{\"q\":{{input}}}", "{\"Q\":A\n\nB}"),
    ] {
        assert_eq!(answers(&flow(&nodes(prompt), edges), nothing()).await, [expected], "{prompt}");
    }
    let result = imported(&flow(&nodes("{{input.output}} {{nobody.output.x}}"), edges));
    assert_note(&result.notes, NoteKind::Assumed, "model_3", "data.prompt", "may be several");
    assert_note(&result.notes, NoteKind::Dropped, "model_3", "data.prompt", "\"nobody\" names no node");
    assert_note(&result.notes, NoteKind::Changed, "-", "", "a parameter of its own");
    assert_eq!(
        node(&result.drafts[0], "model_3")["parameters"]["prompt"],
        "{{ input_1 }} {{ \"{{\" }}nobody.output.x}}"
    );
}

#[tokio::test]
async fn what_cannot_run_fails_and_says_why() {
    for (kind, data, field, says) in [
        ("websearch", json!({"query": "x", "maxResults": 3}), "type", "web search"),
        ("teleport", json!({"a": 1}), "type", "no such kind"),
        ("model", json!({"modelId": "", "prompt": "x"}), "data.modelId", "no model"),
        ("model", json!({"modelId": "m", "prompt": ""}), "data.prompt", "no prompt"),
        ("knowledge", json!({"query": "x"}), "data.knowledgeBaseId", "no knowledge"),
        ("loop", json!({"loopType": "array", "arrayPath": "{{nobody}}"}), "data.arrayPath", "no list"),
    ] {
        let file = flow(&[("n_1", kind, data), ("output_2", "output", json!({}))], "n_1>output_2");
        let result = imported(&file);
        assert_note(&result.notes, NoteKind::Unsupported, "n_1", field, says);
        assert!(!result.drafts[0].active, "{kind}");
        let world = World::new();
        let mut draft = result.drafts[0].clone();
        draft.active = true;
        let flow = world.runner.tracker().create_flow(&world.me, draft).unwrap();
        let finished = world.try_run(&flow, nothing()).await.unwrap();
        assert!(failure(&finished).1.contains("could not be imported"), "{kind}: {:?}", finished.outcome);
    }
    let broken = flow(
        &[
            ("loop_1", "loop", json!({"loopType": "array", "arrayPath": "{{x}}"})),
            ("transform_2", "transform", json!({})),
            ("output_3", "output", json!({})),
        ],
        "loop_1:each>transform_2 loop_1:done>output_3",
    );
    assert!(!imported(&broken).drafts[0].active);
}

#[test]
fn what_is_left_out_is_told() {
    let mut file = flow(
        &[
            (
                "input_1",
                "input",
                json!({"label": "I", "mediaFileId": "f", "mediaFileName": "a.png", "colour": "red"}),
            ),
            ("output_2", "output", json!({"format": "file", "fileType": "image", "value": "old"})),
            ("merge_3", "merge", json!({"strategy": "zip"})),
        ],
        "input_1>output_2 input_1>output_2 input_1>gone",
    );
    file["user_id"] = json!("u");
    file["created_at"] = json!(1);
    file["id"] = json!("f");
    file["folder"] = json!("x");
    let result = imported(&file);
    assert_eq!(
        briefly(&result.notes),
        [
            "dropped - edges[1]",
            "dropped - edges[2]",
            "dropped - access_control",
            "dropped - user_id, created_at, id",
            "dropped - folder",
            "dropped input_1 data.mediaFileId, data.mediaFileName",
            "unsupported input_1 data.mediaFileId",
            "dropped input_1 data.colour",
            "assumed merge_3 ",
            "changed output_2 data.format",
            "dropped output_2 data.fileType",
        ]
    );
    assert!(
        refused(&flow(&[("a", "merge", json!({})), ("b", "merge", json!({}))], "a>b b>a"))
            .starts_with("edges: lead in a circle")
    );
}

#[tokio::test]
async fn a_flow_without_an_output_answers_with_what_comes_last() {
    let file = flow(
        &[
            ("input_1", "input", json!({"label": "I"})),
            ("model_2", "model", json!({"modelId": "m", "prompt": "{{input}}"})),
        ],
        "input_1>model_2",
    );
    assert_eq!(answers(&file, json!({"i": "x"})).await, ["X"]);
}
