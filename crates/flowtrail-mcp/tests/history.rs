//! History for agents: the tools that ask for it, and executions as resources, in both eras.

use flowtrail_mcp::{Caller, FlowServer};
use flowtrail_runner::{Runner, RunnerOptions};
use flowtrail_store::MemoryStore;
use flowtrail_tracker::{StartExecution, Tracker};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{ErrorInfo, ErrorKind, Principal, Source};
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, Implementation, ProtocolVersion,
    ReadResourceRequestParams, ReadResourceResponse, ResourceContents,
};
use rmcp::service::RunningService;
use rmcp::{ClientLifecycleMode, ClientServiceExt, RoleClient, ServiceExt};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

type Client = RunningService<RoleClient, ClientConfig>;

const ERAS: [ProtocolVersion; 2] = [ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28];

async fn connect(tracker: &Tracker, who: &Principal, version: ProtocolVersion) -> Client {
    let runner = Runner::new(tracker.clone(), RunnerOptions::default());
    let server = FlowServer::new(runner, Caller::Fixed(who.clone()), CancellationToken::new());
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    tokio::spawn(async move {
        if let Ok(running) = server.serve(theirs).await {
            let _ended = running.waiting().await;
        }
    });
    let config = ClientConfig::new(ClientCapabilities::default(), Implementation::new("test", "1"))
        .with_protocol_version(version.clone());
    let mode = if version.has_initialize() {
        ClientLifecycleMode::Initialize
    } else {
        ClientLifecycleMode::Discover { preferred_versions: vec![version] }
    };
    config.serve_with_lifecycle(ours, mode).await.unwrap()
}

/// A history of one success and one failure of the flow "Import".
fn history() -> (Tracker, Principal) {
    let tracker = Tracker::open(MemoryStore::new()).unwrap();
    let me = tracker.local_administrator().unwrap();
    let flow = tracker.external_flow(&me, "Import").unwrap();
    for (day, outcome) in [
        ("Monday", Outcome::Fulfilled),
        ("Tuesday", Outcome::Error(ErrorInfo::new(ErrorKind::Failed, "no rows"))),
    ] {
        let params = json!({"day": day});
        let start = StartExecution::of(&flow, Source::Api).params(&params);
        let execution = tracker.start(&me, start).unwrap().wait().unwrap();
        match outcome {
            Outcome::Fulfilled => execution.fulfil(Some(&json!({"rows": 3}))).wait().unwrap(),
            Outcome::Error(error) => execution.fail(error, None).wait().unwrap(),
            Outcome::Aborted(_) => unreachable!("none is aborted"),
        }
    }
    (tracker, me)
}

async fn ask(client: &Client, tool: &'static str, arguments: Value) -> CallToolResult {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await.unwrap()
}

async fn answered(client: &Client, tool: &'static str, arguments: Value) -> Value {
    let result = ask(client, tool, arguments).await;
    assert_ne!(result.is_error, Some(true), "{result:?}");
    let structured = result.structured_content.expect("structured content");
    let text = &result.content[0].as_text().unwrap().text;
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), structured, "the text says the same");
    structured
}

async fn failure(client: &Client, tool: &'static str, arguments: Value) -> String {
    let result = ask(client, tool, arguments).await;
    assert_eq!(result.is_error, Some(true), "{result:?}");
    result.content[0].as_text().unwrap().text.clone()
}

#[tokio::test]
async fn the_tools_are_listed_as_such_that_only_read() {
    let (tracker, me) = history();
    for era in ERAS {
        let client = connect(&tracker, &me, era).await;
        let tools = client.list_all_tools().await.unwrap();
        let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
        assert_eq!(
            names,
            ["flowtrail_list_executions", "flowtrail_get_execution", "flowtrail_get_stats"],
            "an external flow is no tool"
        );
        for tool in &tools {
            let annotations = tool.annotations.as_ref().unwrap();
            assert_eq!(annotations.read_only_hint, Some(true), "{}", tool.name);
            assert!(tool.description.as_ref().is_some_and(|text| text.len() > 40), "{}", tool.name);
        }
    }
}

#[tokio::test]
async fn what_was_run_is_found_and_read() {
    let (tracker, me) = history();
    for era in ERAS {
        let client = connect(&tracker, &me, era).await;
        let failed = answered(&client, "flowtrail_list_executions", json!({"status": "error"})).await;
        assert_eq!((&failed["total"], &failed["items"][0]["error"]), (&json!(1), &json!("no rows")));
        let first = answered(&client, "flowtrail_list_executions", json!({"limit": "1"})).await;
        let next = json!({"limit": 1, "after": first["after"]});
        let second = answered(&client, "flowtrail_list_executions", next).await;
        assert_ne!(first["items"][0]["id"], second["items"][0]["id"]);
        let id = &second["items"][0]["id"];
        let execution = answered(&client, "flowtrail_get_execution", json!({"executionId": id})).await;
        assert_eq!(execution["initialParams"], json!({"day": "Monday"}));
        let bare = json!({"executionId": id, "data": "none"});
        let bare = answered(&client, "flowtrail_get_execution", bare).await;
        assert_eq!(bare["initialParams"], Value::Null);
        let stats = answered(&client, "flowtrail_get_stats", json!({})).await;
        assert_eq!((&stats["total"], &stats["successRate"]), (&json!(2), &json!(0.5)));
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_question_is_told_to_the_model() {
    let (tracker, me) = history();
    let client = connect(&tracker, &me, ERAS[1].clone()).await;
    for (tool, arguments, expected) in [
        ("flowtrail_list_executions", json!({"status": "done"}), "status: unknown status \"done\""),
        ("flowtrail_list_executions", json!({"limit": 1000}), "limit: expected a whole number from 1 to 100"),
        ("flowtrail_list_executions", json!({"flow": "no_such"}), "flow: there is no flow \"no_such\""),
        ("flowtrail_list_executions", json!({"from": "yesterday"}), "from: "),
        ("flowtrail_list_executions", json!({"after": "x"}), "after: "),
        ("flowtrail_list_executions", json!({"page": 2}), "page: unknown argument, expected flow, status"),
        ("flowtrail_get_execution", json!({}), "executionId: is missing"),
        ("flowtrail_get_execution", json!({"executionId": "x"}), "executionId: expected a UUID"),
        ("flowtrail_get_execution", json!({"executionId": 7}), "executionId: expected a text"),
        (
            "flowtrail_get_execution",
            json!({"executionId": "01a21798-7466-72f7-a96e-2a855f1700de"}),
            "there is no such execution",
        ),
        ("flowtrail_get_stats", json!({"flow": ["x"]}), "flow: expected a text"),
    ] {
        let said = failure(&client, tool, arguments.clone()).await;
        assert!(said.starts_with(expected), "{tool} {arguments}: {said}");
    }
    let unknown = client.call_tool(CallToolRequestParams::new("flowtrail_no_such")).await.unwrap_err();
    assert!(unknown.to_string().contains("Unknown tool"), "{unknown}");
}

#[tokio::test]
async fn executions_are_resources() {
    let (tracker, me) = history();
    for era in ERAS {
        let client = connect(&tracker, &me, era).await;
        let templates = client.list_all_resource_templates().await.unwrap();
        assert_eq!(templates[0].uri_template, "flowtrail://executions/{id}");
        let resources = client.list_all_resources().await.unwrap();
        assert_eq!(resources.len(), 2);
        let wanted = ReadResourceRequestParams::new(resources[0].uri.as_str());
        let ReadResourceResponse::Complete(read) = client.read_resource(wanted).await.unwrap().into() else {
            panic!("it is read at once")
        };
        let ResourceContents::TextResourceContents { text, mime_type, .. } = &read.contents[0] else {
            panic!("a text: {read:?}")
        };
        assert_eq!(mime_type.as_deref(), Some("application/json"));
        let execution: Value = serde_json::from_str(text).unwrap();
        assert_eq!(format!("flowtrail://executions/{}", execution["id"].as_str().unwrap()), resources[0].uri);
        for missing in ["flowtrail://executions/x", "flowtrail://flows/x", "file:///etc/passwd"] {
            let refused = client.read_resource(ReadResourceRequestParams::new(missing)).await.unwrap_err();
            assert!(refused.to_string().contains(missing), "{refused}");
        }
    }
}

#[tokio::test]
async fn what_is_not_offered_is_refused() {
    let (tracker, me) = history();
    for era in ERAS {
        let client = connect(&tracker, &me, era).await;
        let refused = client.list_prompts(None).await.unwrap_err();
        assert!(refused.to_string().contains("Unknown method: prompts/list"), "{refused}");
    }
}
