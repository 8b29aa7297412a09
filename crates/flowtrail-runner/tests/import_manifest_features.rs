//! Manifest's flows, feature by feature of what its executor does: bodies of requests, scripts with types, names.

mod support;

use flowtrail_runner::{NoteKind, Returned};
use serde_json::{Value, json};
use support::importing::{assert_note, imported, made, node};
use support::{Answer, Server, World};

/// A flow of a trigger that asks for `title`, `prio` and `tags`, and one node after it.
fn flow(name: &str, kind: &str, parameters: &Value) -> Value {
    let asked = json!([{"name": "title", "type": "string", "optional": true}, {"name": "prio", "type": "integer", "optional": true}]);
    json!({"appId": "a", "name": name, "isActive": true, "nodes": [
        {"id": "t", "slug": "ask-ticket", "type": "UserIntent", "name": "Ask", "parameters": {"toolName": name, "toolDescription": "d", "parameters": asked}},
        {"id": "n", "slug": "node", "type": kind, "name": "Node", "parameters": parameters},
    ], "connections": [{"id": "c", "sourceNodeId": "t", "sourceHandle": "main", "targetNodeId": "n", "targetHandle": "input"}]})
}

#[tokio::test]
async fn a_request_sends_its_body() {
    let server = Server::start(|_| async { Answer::json("{}") }).await;
    let world = World::new();
    for (index, (method, body, expected)) in [
        (
            "POST",
            r#"{"title": "{{ ask-ticket.title }}", "prio": {{ ask-ticket.prio }}, "none": {{ ask-ticket.none }}}"#,
            r#"{"title": "Printer", "prio": 3, "none": null}"#,
        ),
        ("PUT", r#"{"all": {{ask-ticket}}}"#, r#"{"all": {"title":"Printer","prio":3}}"#),
        ("PATCH", "{{ ask-ticket.title }}", r#""Printer""#),
        ("DELETE", r#"["{{ask-ticket.none}}", "a {{ ask-ticket.prio }} b", {{ nobody.x }}, "{{ nobody.x }}"]"#, r#"["", "a 3 b", null, ""]"#),
        ("POST", r#"{"quote": "\"{{ ask-ticket.title }}\"", "brace": {"x": {{ ask-ticket.title }}}}"#, r#"{"quote": "\"Printer\"", "brace": {"x": "Printer"}}"#),
        ("POST", "plain text", "plain text"),
        ("post", "  ", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let parameters = json!({"method": method, "url": server.url("/tickets"), "headers": [], "body": body});
        let flows = made(&world, &flow(&format!("make_{index}"), "ApiCall", &parameters));
        assert!(flows[0].active, "{body}");
        let finished = world.try_run(&flows[0], json!({"title": "Printer", "prio": 3})).await.unwrap();
        assert_eq!(finished.outcome.status().as_str(), "fulfilled", "{body}: {:?}", finished.outcome);
        let received = server.received().pop().unwrap();
        assert_eq!(received.body, expected, "{body}");
        let is_json = received.headers.contains("content-type: application/json");
        assert_eq!(is_json, !expected.is_empty(), "{body}: {}", received.headers);
    }
}

#[test]
fn a_content_type_of_its_own_is_kept_and_a_body_that_cannot_be_sent_is_refused() {
    let call = |more: Value| {
        let mut parameters = json!({"method": "POST", "url": "https://x.example/"});
        parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        imported(&flow("call", "ApiCall", &parameters))
    };
    let own = call(json!({"headers": [{"key": "content-type", "value": "text/xml"}], "body": "<a/>"}));
    assert_eq!(node(&own.drafts[0], "node")["parameters"]["headers"], json!({"content-type": "text/xml"}));
    for (more, says) in
        [(json!({"method": "GET", "body": "{}"}), "GET or HEAD"), (json!({"body": {"a": 1}}), "no text")]
    {
        let refused = call(more);
        assert!(!refused.drafts[0].active);
        assert_note(&refused.notes, NoteKind::Unsupported, "n", "parameters.body", says);
    }
    let secret = call(json!({"body": r#"{"key": "{{ secrets.KEY }}", "again": {{ secrets.KEY }}}"#}));
    let expected = r#"{"key": "{{ secrets.KEY }}", "again": {{ secrets.KEY | tojson }}}"#;
    assert_eq!(node(&secret.drafts[0], "node")["parameters"]["body"], expected);
    assert_note(&secret.notes, NoteKind::Configure, "n", "parameters.body", "needs the secret KEY");
    let missing = call(json!({"body": "{{ nobody.x }}"}));
    assert_eq!(node(&missing.drafts[0], "node")["parameters"]["body"], "null");
    assert_note(&missing.notes, NoteKind::Dropped, "n", "parameters.body", "\"nobody\"");
}

#[tokio::test]
async fn scripts_with_types_give_what_they_gave() {
    let world = World::new();
    for (index, (code, expected)) in [
        ("interface Input { a: number }\ninterface Output {\n  b: number;\n}\nfunction transform(input: Input): Output {\n  return { b: 1 };\n}", json!({"b": 1})),
        ("type Row = { id: string; tags?: string[] };\n\n// What it does.\nconst transform = (input: any): Row => ({ id: 'x' });", json!({"id": "x"})),
        ("/** Docs. */\nfunction transform(input) {\n  return 'after a comment';\n}", json!("after a comment")),
        ("export default function transform(input: any): string { const n: number = 2; return `n: ${n as number}`; }", json!("n: 2")),
        ("export interface A { a: Array<{ b: string }> }\nexport function run(data: Record<string, A>): number { return [1, 2].map<number>((x: number) => x * 2)[1]!; }", json!(4)),
        ("const factor: number = 3;\nfunction scale(input: any) { return factor * 2; }", json!(6)),
        ("(input: any) => input ? 'yes' : 'no'", json!("yes")),
        ("return [3, 1].map<number>(x => x);", json!([3, 1])),
        ("function f({ title }: { title?: string }) { try { return typeof title } catch (e: unknown) { return 1 } }", json!("undefined")),
        (
            "interface Input {\n  'ask-ticket': { title: string; tags: { id: string }[] };\n}\n\nfunction transform(input: Input): { total: number } {\n  const total: number = [{ n: 1 }, { n: 2 }].reduce((sum: number, o: { n: number }) => sum + o.n, 0);\n  return { total };\n}",
            json!({"total": 3}),
        ),
        ("function pass<T extends object>(input: T): T | null { return null; }", json!(null)),
        ("const t = (input: { x: number }): { y: number } => { return { y: 1 }; };", json!({"y": 1})),
        ("let x!: number;\nx = 4;\nfor (const o of [1] as number[]) { x += o; }\nreturn x;", json!(5)),
        ("const x = [{ a: 'b' }] as unknown as { a: string }[];\nreturn x[0]!.a!.length;", json!(1)),
        ("'use strict';\ntype A = 'x' | 'y';\n// As a string: no cast.\nfunction transform(input: any) { return 'a: b as c'.replace(/: b as/g, '-'); }", json!("a- c")),
        ("type Handler = (input: any) => string;\nconst handle: Handler = (input) => `${[1].map((n: number): number => n + 1)}`;", json!("2")),
        ("const kinds: Record<string, string> = { a: 'b' };\nreturn kinds['a'] ? kinds.a : 'c';", json!("b")),
        ("function t(input: any) {\n  switch (1 as number) { case 1: return 'one'; default: return 'other'; }\n}", json!("one")),
        ("return { 'a: string': input ? 1 : 2, b: 'x as y' };", json!({"a: string": 1, "b": "x as y"})),
    ]
    .into_iter()
    .enumerate()
    {
        let flows = made(&world, &flow(&format!("script_{index}"), "JavaScriptCodeTransform", &json!({ "code": code })));
        assert!(flows[0].active, "{code}");
        let finished = world.try_run(&flows[0], json!({})).await.unwrap();
        assert_eq!(finished.returns, [Returned::Json(expected)], "{code}: {:?}", finished.outcome);
    }
}

#[test]
fn a_script_that_cannot_be_carried_over_makes_the_flow_inactive() {
    for (code, says) in [
        ("enum Color { Red }\nfunction f(input: any) { return Color.Red; }", "not understood"),
        ("abstract class A { private x: number = 1; }\nreturn 1;", "not understood"),
        ("namespace N { export const a = 1 }\nreturn N.a;", "not understood"),
        ("import { x } from 'y';\nfunction f(input) { return x; }", "not understood"),
        ("const f = async (input: any): Promise<number> => 1;", "asynchronous"),
        ("interface A { a: string }\nasync function f(input: A) { return 1; }", "asynchronous"),
        ("function a(x) { return 1 }\nfunction b(x) { return 2 }", "several functions"),
    ] {
        let result = imported(&flow("s", "JavaScriptCodeTransform", &json!({ "code": code })));
        assert!(!result.drafts[0].active, "{code}");
        assert_note(&result.notes, NoteKind::Unsupported, "n", "parameters.code", says);
    }
    let nothing = imported(&flow("s", "JavaScriptCodeTransform", &json!({"code": "input.x;"})));
    assert_note(&nothing.notes, NoteKind::Assumed, "n", "parameters.code", "returns nothing");
}

#[test]
fn names_in_any_script_become_tool_names_of_their_own() {
    let names = ["Погода в городе", "天气", "الطقس", "🙂", "🙂", "Größe", "\u{e000}", "\u{e001}"];
    let flows: Vec<Value> = names
        .iter()
        .map(|name| {
            let mut flow = flow(name, "Return", &json!({"text": "x"}));
            flow["nodes"][0]["parameters"]["toolName"] = json!(null);
            flow
        })
        .collect();
    let result = imported(&json!(flows));
    let tools: Vec<&str> =
        result.drafts.iter().map(|draft| draft.tool_name.as_ref().unwrap().as_str()).collect();
    assert_eq!(
        tools,
        ["pogoda_v_gorode", "tian_qi", "ltqs", "slight_smile", "slight_smile_2", "grosse", "flow", "flow_2"]
    );
}
