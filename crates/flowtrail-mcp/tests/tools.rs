//! The handler over a pair of pipes, in both eras, on the store in memory.

use flowtrail_mcp::{Caller, FlowServer};
use flowtrail_runner::{Runner, RunnerOptions};
use flowtrail_store::MemoryStore;
use flowtrail_tracker::{FlowChange, Tracker, TrackerError};
use flowtrail_types::{ExecutionId, ExecutionStatus, Principal};
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, Implementation, ProtocolVersion,
    Tool,
};
use rmcp::service::RunningService;
use rmcp::{ClientLifecycleMode, ClientServiceExt, RoleClient, ServiceExt};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

struct World {
    tracker: Tracker,
    me: Principal,
    server: FlowServer,
}

type Client = RunningService<RoleClient, ClientConfig>;

fn world() -> World {
    let tracker = Tracker::open(MemoryStore::new()).unwrap();
    let me = tracker.local_administrator().unwrap();
    let runner = Runner::new(tracker.clone(), RunnerOptions::default());
    let server = FlowServer::new(runner, Caller::Fixed(me.clone()), CancellationToken::new());
    World { tracker, me, server }
}

impl World {
    fn add(&self, name: &str, answer: Value) {
        let mut say = json!({"id": "say", "type": "Return"});
        say["parameters"] = answer;
        let file = json!({
            "name": name,
            "nodes": [
                {"id": "ask", "type": "UserIntent",
                 "parameters": {"parameters": [{"name": "n", "type": "integer", "description": "A number", "default": 2}]}},
                say,
            ],
            "connections": [{"sourceNodeId": "ask", "targetNodeId": "say"}],
        });
        self.tracker.create_flow(&self.me, flowtrail_runner::parse_flow(file).unwrap()).unwrap();
    }

    async fn connect(&self, version: ProtocolVersion) -> Client {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let server = self.server.clone();
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
}

const ERAS: [ProtocolVersion; 2] = [ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28];

/// The tools but Flowtrail's own.
async fn flows_of(client: &Client) -> Vec<Tool> {
    let tools = client.list_all_tools().await.unwrap();
    tools.into_iter().filter(|tool| !tool.name.starts_with("flowtrail_")).collect()
}

async fn call(client: &Client, tool: &'static str, arguments: Value) -> CallToolResult {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await.unwrap()
}

#[tokio::test]
async fn a_flow_is_a_tool_with_a_schema() {
    let world = world();
    world.add("Double", json!({"text": "{{ ask.n }}"}));
    for era in ERAS {
        let client = world.connect(era).await;
        let tools = flows_of(&client).await;
        let [tool] = &tools[..] else { panic!("one tool: {tools:?}") };
        assert_eq!((tool.name.as_ref(), tool.title.as_deref()), ("double", Some("Double")));
        let schema = Value::Object((*tool.input_schema).clone());
        assert_eq!(schema["properties"]["n"]["type"], "integer");
        assert_eq!(schema["properties"]["n"]["default"], 2);
        assert_eq!(schema["additionalProperties"], false);
    }
}

#[tokio::test]
async fn json_is_structured_content_and_every_answer_names_its_record() {
    let world = world();
    world.add("Object", json!({"json": {"n": "{{ ask.n }}"}}));
    world.add("Number", json!({"json": "{{ ask.n }}"}));
    for era in ERAS {
        let client = world.connect(era).await;
        let object = call(&client, "object", json!({})).await;
        assert_eq!(object.structured_content, Some(json!({"n": 2})));
        let number = call(&client, "number", json!({"n": 5})).await;
        assert_eq!(number.structured_content, Some(json!({"result": 5})));
        let id: ExecutionId =
            number.meta.unwrap()["flowtrail/executionId"].as_str().unwrap().parse().unwrap();
        let execution = world.tracker.execution(&world.me, id).unwrap();
        assert_eq!(execution.summary.status, ExecutionStatus::Fulfilled);
        assert_eq!(execution.meta.unwrap().to_value()["client"]["name"], "test");
    }
}

#[tokio::test]
async fn wrong_arguments_are_for_the_model_and_unknown_tools_for_the_client() {
    let world = world();
    world.add("Double", json!({"text": "{{ ask.n }}"}));
    for era in ERAS {
        let client = world.connect(era).await;
        let wrong = call(&client, "double", json!({"n": "two", "m": 1})).await;
        assert_eq!(wrong.is_error, Some(true));
        let text = &wrong.content[0].as_text().unwrap().text;
        assert!(text.contains("n: ") && text.contains("m: "), "every problem is told: {text}");
        let unknown = client.call_tool(CallToolRequestParams::new("treble")).await.unwrap_err();
        assert!(unknown.to_string().contains("Unknown tool: treble"), "{unknown}");
    }
}

#[tokio::test]
async fn a_flow_that_is_switched_off_is_no_tool() {
    let world = world();
    world.add("Double", json!({"text": "{{ ask.n }}"}));
    let flow = world.tracker.flow_by_tool_name(&world.me, "double").unwrap();
    let off = |_: &flowtrail_types::Flow| {
        Ok::<_, TrackerError>(FlowChange { active: Some(false), ..FlowChange::default() })
    };
    world.tracker.change_flow(&world.me, flow.id, off).unwrap();
    for era in ERAS {
        let client = world.connect(era).await;
        assert!(flows_of(&client).await.is_empty());
        let refused = client.call_tool(CallToolRequestParams::new("double")).await.unwrap_err();
        assert!(refused.to_string().contains("switched off"), "{refused}");
    }
}

#[tokio::test]
async fn a_flow_that_declares_what_it_gives_is_held_to_it() {
    let world = world();
    let schema =
        json!({"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}, "required": ["n"]});
    world.add("Declared", json!({"json": {"n": "{{ ask.n }}"}, "schema": schema}));
    for era in ERAS {
        let client = world.connect(era).await;
        let [tool] = &flows_of(&client).await[..] else { panic!("one tool") };
        assert_eq!(
            tool.output_schema.as_ref().map(|told| Value::Object((**told).clone())),
            Some(schema.clone())
        );
        let kept = call(&client, "declared", json!({"n": 5})).await;
        assert_eq!(kept.structured_content, Some(json!({"n": 5})));
        let broken = call(&client, "declared", json!({"n": 50})).await;
        assert_eq!(broken.is_error, Some(true));
        let text = &broken.content[0].as_text().unwrap().text;
        assert!(text.contains("not what its schema says at /n"), "{text}");
    }
}
