//! What other servers and models answer is recorded as they wrote it, by whatever way it came.

use std::path::Path;

use flowtrail_testkit::{Said, ScriptedServer, TestServer, flow};
use serde_json::{Value, json};

/// Numbers that serde_json or a double would change.
const NUMBERS: &str = r#"{"n":1.10,"m":1e2,"big":18446744073709551617,"x":-1E400}"#;
/// Half of a character, and what becomes of it.
const HALF: &str = r#"{"text":"cut \ud83d"}"#;
const REPLACED: &str = "{\"text\":\"cut \u{fffd}\"}";

/// How a server answers a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Events,
    Task,
    OldTask,
    Failed,
}

fn raw(kind: &str, body: String) -> Said {
    Said::Raw(200, vec![("content-type", kind.to_owned())], body.into_bytes())
}

/// A server whose tool has this structured content.
fn server(form: Form, structured: &'static str) -> ScriptedServer {
    ScriptedServer::start(move |message| {
        let id = &message["id"];
        let failed = form == Form::Failed;
        let fields = format!(
            r#""content":[{{"type":"text","text":"see"}}],"structuredContent":{structured},"isError":{failed}"#
        );
        let result = format!(r#"{{"resultType":"complete",{fields}}}"#);
        let answer = |result: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
        let json = |result: &str| Some(raw("application/json", answer(result)));
        match (message["method"].as_str()?, form) {
            ("tools/call", Form::Json | Form::Failed) => json(&result),
            ("tools/call", Form::Events) => {
                let events =
                    format!("event: ping\ndata: 1\n\n: alive\n\nid: 1\ndata: {}\n\n", answer(&result));
                Some(raw("text/event-stream", events))
            }
            ("tools/call", Form::Task) => json(
                r#"{"resultType":"task","taskId":"t","status":"working","createdAt":"2026-01-06T12:00:00Z","lastUpdatedAt":"2026-01-06T12:00:00Z","ttlMs":null,"pollIntervalMs":50}"#,
            ),
            ("tools/call", Form::OldTask) => json(
                r#"{"task":{"taskId":"t","status":"working","createdAt":"2026-01-06T12:00:00Z","lastUpdatedAt":"2026-01-06T12:00:00Z","ttl":null,"pollInterval":50}}"#,
            ),
            ("tasks/get", Form::Task) => json(&format!(
                r#"{{"resultType":"complete","taskId":"t","status":"completed","createdAt":"2026-01-06T12:00:00Z","lastUpdatedAt":"2026-01-06T12:00:01Z","ttlMs":null,"result":{result}}}"#
            )),
            ("tasks/get", Form::OldTask) => json(
                r#"{"taskId":"t","status":"completed","createdAt":"2026-01-06T12:00:00Z","lastUpdatedAt":"2026-01-06T12:00:01Z","ttl":null}"#,
            ),
            ("tasks/result", Form::OldTask) => json(&format!("{{{fields}}}")),
            _ => None,
        }
    })
}

/// Runs a flow whose node `call` calls a tool of an upstream with these settings, and gives that node's execution.
async fn called(settings: &str, tool: &str, arguments: &Value) -> Value {
    let upstream = toml::from_str(settings).expect("settings of an upstream");
    let server = TestServer::builder()
        .allow_private_addresses()
        .settings(|settings| drop(settings.upstreams.insert("far".to_owned(), upstream)))
        .start()
        .await;
    let parameters = json!({"upstream": "far", "tool": tool, "arguments": arguments});
    let made = server.create(&flow("Calls").node("call", "McpTool", parameters).returns("x")).await;
    let run = format!("/api/flows/{}/run", made["id"].as_str().unwrap());
    let execution = server.rest().post(&run, &json!({"params": {}})).await.expect(200);
    node(&execution, "call")
}

#[track_caller]
fn node(execution: &Value, id: &str) -> Value {
    let nodes = execution["nodeExecutions"].as_array().unwrap();
    let found = nodes.iter().find(|node| node["nodeId"] == id);
    found.unwrap_or_else(|| panic!("no {id} in {execution:#}")).clone()
}

#[tokio::test]
async fn results_of_tools_are_kept_as_they_were_sent() {
    for form in [Form::Json, Form::Events, Form::Task, Form::OldTask, Form::Failed] {
        for (sent, kept) in [(NUMBERS, NUMBERS), (HALF, REPLACED)] {
            let far = server(form, sent);
            let node = called(&format!("url = {:?}", far.url()), "call", &json!({})).await;
            assert_eq!(node["status"] == "error", form == Form::Failed, "{form:?} {node:#}");
            assert_eq!(node["outputData"]["structured"].to_string(), kept, "{form:?} {node:#}");
            assert_eq!(node["outputData"]["text"], "see");
            let replaced = &node["capture"]["outputData"]["replaced"];
            assert_eq!(*replaced == true, sent == HALF, "{form:?} {node:#}");
        }
    }
}

/// Settings of an upstream of 2025-11-25 in a shell, which answers each line by its id, with a byte order mark before the first. The commands print the members of the result of a call.
fn shell_server(folder: &Path, result: &str) -> String {
    let lines = r#"mark=$(printf '\357\273\277')
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  case "$line" in
    *'"initialize"'*) printf '%s{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"sh","version":"1"}}}\n' "$mark" "$id" ;;
    *'"tools/call"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{' "$id"; RESULT; printf '}}\n' ;;
    *'"server/discover"'*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"no"}}\n' "$id" ;;
  esac
done
"#;
    let script = folder.join("server.sh");
    std::fs::write(&script, lines.replace("RESULT", result)).unwrap();
    format!("command = \"sh\"\nargs = [{:?}]", script.to_str().unwrap())
}

#[tokio::test]
async fn servers_over_standard_output_are_read_as_they_write() {
    let folder = tempfile::tempdir().unwrap();
    let result = r#"printf '"content":[{"type":"text","text":"cut \\ud83d"}],"structuredContent":NUMBERS'"#;
    let settings = shell_server(folder.path(), &result.replace("NUMBERS", NUMBERS));
    let node = called(&settings, "call", &json!({})).await;
    assert_eq!(node["outputData"]["structured"].to_string(), NUMBERS, "{node:#}");
    assert_eq!(node["outputData"]["text"], "cut \u{fffd}");
    assert_eq!(node["capture"]["outputData"]["replaced"], true);

    // Flowtrail's own, which is sent them as well.
    let behind = tempfile::tempdir().unwrap();
    let file = behind.path().join("echo.json");
    let value = json!({"name": "value", "type": "object", "required": true});
    let echo = flow("Echo").parameter(value).returns("{{ ask.value }}").build();
    std::fs::write(&file, echo.to_string()).unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_flowtrail"));
    let mut import = std::process::Command::new(binary);
    import.arg("--data-dir").arg(behind.path()).args(["flow", "import"]).arg(&file);
    assert!(import.output().unwrap().status.success());
    let (command, folder) = (binary.to_str().unwrap(), behind.path().to_str().unwrap());
    let settings = format!("command = {command:?}\nargs = [\"mcp\", \"--data-dir\", {folder:?}]");
    let value = flowtrail_types::read_json_value(NUMBERS.as_bytes()).unwrap();
    let node = called(&settings, "echo", &flowtrail_types::json_object([("value", value)])).await;
    let text = node["outputData"]["text"].as_str().unwrap();
    assert!(text.contains("1.10") && text.contains("18446744073709551617"), "{node:#}");
}

#[tokio::test]
async fn answers_of_models_are_marked_where_half_a_character_was_replaced() {
    for (is_stream, text, replaced) in [
        (false, r"cut \ud83d", true),
        (true, r"cut \ud83d", true),
        (true, r"whole \ud83d\ude42", false),
        (false, "plain", false),
    ] {
        let far = ScriptedServer::start(move |message| {
            message.get("messages")?;
            let usage = r#""usage":{"prompt_tokens":1e1,"completion_tokens":2,"cost":1.10}"#;
            Some(if is_stream {
                let delta = format!(
                    r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":"stop"}}],{usage}}}"#
                );
                raw("text/event-stream", format!("data: {delta}\n\ndata: [DONE]\n\n"))
            } else {
                let message = format!(
                    r#"{{"choices":[{{"message":{{"content":"{text}"}},"finish_reason":"stop"}}],{usage}}}"#
                );
                raw("application/json", message)
            })
        });
        let server = TestServer::builder().allow_private_addresses().start().await;
        let model = json!({"baseUrl": far.url(), "model": "m", "prompt": "what?", "stream": is_stream});
        let made = server.create(&flow("Asks").node("model", "Model", model).returns("x")).await;
        let run = format!("/api/flows/{}/run", made["id"].as_str().unwrap());
        let execution = server.rest().post(&run, &json!({"params": {}})).await.expect(200);
        let node = node(&execution, "model");
        assert_eq!(node["status"], "completed", "{node:#}");
        assert_eq!(node["capture"]["outputData"]["replaced"] == true, replaced, "{text} {node:#}");
        let usage = node["outputData"]["rawUsage"].to_string();
        assert_eq!(usage, r#"{"prompt_tokens":1e1,"completion_tokens":2,"cost":1.10}"#);
    }
}

#[tokio::test]
async fn blocks_of_a_kind_that_nobody_knows_are_kept() {
    const BLOCK: &str = r#"{"type":"text","text":"a","annotations":{"priority":0.50},"later":{"n":1}}"#;
    let far = ScriptedServer::start(|message| {
        let id = &message["id"];
        let answer =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"_meta":null,"content":[{BLOCK}]}}}}"#);
        (message["method"] == "tools/call").then(|| raw("application/json", answer))
    });
    let node = called(&format!("url = {:?}", far.url()), "call", &json!({})).await;
    assert_eq!(node["outputData"]["content"][0].to_string(), BLOCK, "{node:#}");
}

#[tokio::test]
async fn a_long_line_with_an_odd_number_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let result = r#"printf '"content":[{"type":"text","text":"'; head -c 10485760 /dev/zero | tr '\0' x; printf '"}],"structuredContent":{"n":1e2}'"#;
    let settings = shell_server(folder.path(), result);
    let node = called(&settings, "call", &json!({})).await;
    assert_eq!(node["status"], "completed", "{}", node["error"]);
    let size = node["capture"]["outputData"]["size"].as_u64().unwrap();
    assert!(size > 20 << 20, "{size}: the text stands in a block, and by itself");
}

#[tokio::test]
async fn refusals_keep_their_status_and_calls_their_answers() {
    for (status, kind, body, retries, says) in [
        (
            429,
            "application/json",
            r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"slow"},"id":null}"#,
            1,
            "429",
        ),
        (503, "text/plain", "out for lunch", 1, "out for lunch"),
        (
            400,
            "application/json",
            r#"{"jsonrpc":"2.0","error":{"code":-32602,"message":"no such tool"},"id":null}"#,
            0,
            "no such tool",
        ),
        (404, "text/html", "<p>nobody here", 0, "nobody here"),
    ] {
        let far = ScriptedServer::start(move |message| {
            let headers = vec![("content-type", kind.to_owned())];
            (message["method"] == "tools/call").then(|| Said::Raw(status, headers, body.as_bytes().to_vec()))
        });
        let upstream = toml::from_str(&format!("url = {:?}", far.url())).unwrap();
        let server = TestServer::builder()
            .settings(|settings| drop(settings.upstreams.insert("far".to_owned(), upstream)))
            .start()
            .await;
        let retry = json!({"maxAttempts": 2, "delay": "10ms"});
        let parameters = json!({"upstream": "far", "tool": "call", "timeout": "10s", "retry": retry});
        let made = server.create(&flow("Calls").node("call", "McpTool", parameters).returns("x")).await;
        let run = format!("/api/flows/{}/run", made["id"].as_str().unwrap());
        let execution = server.rest().post(&run, &json!({"params": {}})).await.expect(200);
        let told = execution["errorInfo"]["message"].as_str().unwrap();
        assert!(told.contains(says) && !told.contains("took longer"), "{status}: {told}");
        assert_eq!(far.heard("tools/call").len(), 1 + retries, "{status}: {told}");
    }
}
