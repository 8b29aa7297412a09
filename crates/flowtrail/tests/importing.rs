//! Flows of other systems, imported over HTTP and at the terminal: they run, and what did not come over is told.

use std::path::Path;
use std::process::Command;

use flowtrail_testkit::{Era, TestServer, flow};
use serde_json::{Value, json};

/// A flow of Open WebUI's that greets, and has a setting that Flowtrail does not know.
fn greeting() -> Value {
    json!({"version": "1.0", "flow": {"name": "Greeting", "meta": {"tags": ["hello"]}, "nodes": [
        {"id": "input_1", "type": "input", "data": {"label": "Name", "colour": "red"}},
        {"id": "transform_2", "type": "transform", "data": {"operation": "template", "config": {"template": "Hello {{input}}"}}},
        {"id": "output_3", "type": "output", "data": {"format": "text"}}],
        "edges": [{"source": "input_1", "target": "transform_2"}, {"source": "transform_2", "target": "output_3"}]}})
}

#[tokio::test]
async fn a_flow_of_another_system_is_a_tool_after_its_import() {
    let server = TestServer::start().await;
    let answer = server.rest().post("/api/flows/import", &greeting()).await.expect(201);
    assert_eq!(answer["items"][0]["toolName"], "greeting");
    assert_eq!(
        answer["notes"],
        json!([
            {"flow": "Greeting", "node": null, "field": "meta.tags", "kind": "dropped", "message": "has no counterpart and was left out"},
            {"flow": "Greeting", "node": "input_1", "field": "data.colour", "kind": "dropped", "message": "has no counterpart and was left out"},
        ])
    );
    let client = server.mcp(Era::BOTH[0]).await;
    assert_eq!(client.call("greeting", json!({"name": "Ana"})).await.text(), "Hello Ana");

    let own = server.rest().post("/api/flows/import", &flow("Own").returns("x").build()).await.expect(201);
    assert!(own.get("notes").is_none(), "nothing is told of Flowtrail's own files: {own}");

    let circle = json!({"name": "C", "nodes": [{"id": "a", "type": "merge"}, {"id": "b", "type": "merge"}],
        "edges": [{"source": "a", "target": "b"}, {"source": "b", "target": "a"}]});
    let refused = server.rest().post("/api/flows/import", &circle).await;
    assert_eq!(refused.body["problems"][0]["field"], "edges");
    refused.expect_error(400, "invalid_flow");
}

#[test]
fn the_terminal_tells_a_note_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("greeting.json");
    std::fs::write(&file, greeting().to_string()).unwrap();
    let ran = Command::new(Path::new(env!("CARGO_BIN_EXE_flowtrail")))
        .args(["flow", "import", file.to_str().unwrap()])
        .env("FLOWTRAIL_DATA_DIR", folder.path())
        .env("RUST_LOG", "off")
        .output()
        .unwrap();
    let (out, told) = (String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr).unwrap());
    assert!(ran.status.success() && out.starts_with("imported Greeting (greeting) as "), "{out}{told}");
    let notes: Vec<&str> = told.lines().filter(|line| line.starts_with("note: ")).collect();
    assert_eq!(
        notes,
        [
            "note: Greeting, meta.tags: has no counterpart and was left out",
            "note: Greeting, node input_1, data.colour: has no counterpart and was left out",
        ]
    );
}
