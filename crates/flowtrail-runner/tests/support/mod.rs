//! A runner over a store in memory, flows written in a line, and a server that does what it is told.

#![allow(dead_code, unused_imports, reason = "each test file uses a part of it")]

pub(crate) mod importing;
mod server;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use flowtrail_runner::{Call, Finished, Observer, RunError, Runner, RunnerOptions, parse_flow};
use flowtrail_store::MemoryStore;
use flowtrail_tracker::Tracker;
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{Execution, Flow, NodeExecution, NodeStatus, Principal, Source};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

pub(crate) use server::{Answer, End, Received, Server};

/// A runner, and who uses it.
pub(crate) struct World {
    pub(crate) runner: Runner,
    pub(crate) me: Principal,
    made: AtomicUsize,
}

impl World {
    /// A runner whose flows may call the local server, and whose scripts have little time.
    pub(crate) fn new() -> Self {
        Self::with(RunnerOptions { allow_private_addresses: true, ..Self::options() })
    }

    pub(crate) fn options() -> RunnerOptions {
        RunnerOptions { script_timeout: std::time::Duration::from_millis(500), ..RunnerOptions::default() }
    }

    pub(crate) fn with(options: RunnerOptions) -> Self {
        let tracker = Tracker::open(MemoryStore::new()).unwrap();
        let me = tracker.local_administrator().unwrap();
        Self { runner: Runner::new(tracker, options), me, made: AtomicUsize::new(0) }
    }

    /// Makes a flow from its file, with a tool name of its own if the file has none.
    #[track_caller]
    pub(crate) fn flow(&self, file: &Value) -> Arc<Flow> {
        let mut draft = parse_flow(file.clone()).unwrap_or_else(|problems| panic!("{problems}\nin {file:#}"));
        if file.get("toolName").is_none() && draft.tool_name.is_some() {
            let name = format!("test_{}", self.made.fetch_add(1, Ordering::Relaxed));
            draft.tool_name = Some(name.parse().unwrap());
        }
        self.runner.tracker().create_flow(&self.me, draft).unwrap()
    }

    pub(crate) fn call(&self, flow: &Arc<Flow>, arguments: Value) -> Call {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        Call::new(self.me.clone(), Arc::clone(flow), arguments, Source::Embedded)
    }

    /// Makes a flow and runs it.
    pub(crate) async fn run(&self, file: &Value, arguments: Value) -> Finished {
        let flow = self.flow(file);
        self.runner.run(self.call(&flow, arguments)).await.unwrap()
    }

    pub(crate) async fn try_run(&self, flow: &Arc<Flow>, arguments: Value) -> Result<Finished, RunError> {
        self.runner.run(self.call(flow, arguments)).await
    }

    /// What is recorded of it.
    pub(crate) fn recorded(&self, finished: &Finished) -> Execution {
        self.runner.tracker().execution(&self.me, finished.id).unwrap()
    }
}

/// A flow file: a trigger `ask` without parameters, these nodes, and connections written as `a>b` or
/// `a:way>b`, with spaces between.
pub(crate) fn file(nodes: &[(&str, &str, Value)], connections: &str) -> Value {
    file_asking(&json!([]), nodes, connections)
}

/// The same, with a trigger that declares parameters.
pub(crate) fn file_asking(parameters: &Value, nodes: &[(&str, &str, Value)], connections: &str) -> Value {
    let mut all = vec![json!({"id": "ask", "type": "UserIntent", "parameters": {"parameters": parameters}})];
    all.extend(
        nodes.iter().map(|(id, kind, parameters)| json!({"id": id, "type": kind, "parameters": parameters})),
    );
    let connections: Vec<Value> = connections.split_whitespace().map(connection).collect();
    json!({"name": "Test", "nodes": all, "connections": connections})
}

fn connection(text: &str) -> Value {
    let (source, target) = text.split_once('>').expect("a connection is written a>b");
    match source.split_once(':') {
        Some((source, way)) => json!({"sourceNodeId": source, "targetNodeId": target, "sourceHandle": way}),
        None => json!({"sourceNodeId": source, "targetNodeId": target}),
    }
}

/// The nodes that are recorded, with their statuses, sorted by id.
pub(crate) fn statuses(execution: &Execution) -> Vec<(String, &'static str)> {
    let nodes = execution.node_executions.iter();
    let mut statuses: Vec<_> = nodes.map(|node| (node.node_id.clone(), node.status.as_str())).collect();
    statuses.sort();
    statuses
}

/// The attempts that are recorded of a node: which, how they ended, and what went wrong.
pub(crate) fn attempts(execution: &Execution, id: &str) -> Vec<(i32, &'static str, String)> {
    let of_node = execution.node_executions.iter().filter(|node| node.node_id == id);
    let attempt =
        |node: &NodeExecution| (node.attempt, node.status.as_str(), node.error.clone().unwrap_or_default());
    of_node.map(attempt).collect()
}

/// Keeps what an observer is told, a line a node.
#[derive(Default)]
pub(crate) struct Log(Mutex<Vec<String>>);

impl Log {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Observer for Log {
    fn node_ended(&self, done: usize, total: usize, node: &str, status: NodeStatus) {
        self.0.lock().unwrap().push(format!("{done}/{total} {node} {}", status.as_str()));
    }
}

/// What is recorded of each node, as `id parent.iteration status`.
pub(crate) fn lines(execution: &Execution) -> Vec<String> {
    let place = |node: &NodeExecution| match (node.parent_seq, node.iteration) {
        (None, None) => String::new(),
        (parent, iteration) => format!(" {}.{}", shown(parent), shown(iteration)),
    };
    let line = |node: &NodeExecution| {
        format!("{} {}{} {}", node.seq, node.node_id, place(node), node.status.as_str())
    };
    execution.node_executions.iter().map(line).collect()
}

fn shown(number: Option<i32>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

/// A loop `l` that runs `body` once in each iteration.
pub(crate) fn looping(parameters: Value, body: &str) -> Value {
    file(&[("l", "Loop", parameters), ("b", "Transform", code(body))], "ask>l l:each>b")
}

/// The output that is recorded of a node.
#[track_caller]
pub(crate) fn output_of(execution: &Execution, id: &str) -> Value {
    let node = execution.node_executions.iter().find(|node| node.node_id == id);
    let node = node.unwrap_or_else(|| panic!("{id} is not recorded"));
    node.output_data.as_ref().map_or(Value::Null, flowtrail_types::Payload::to_value)
}

/// The message of an execution that failed at a node.
#[track_caller]
pub(crate) fn failure(finished: &Finished) -> (&'static str, String) {
    match &finished.outcome {
        Outcome::Error(error) => (error.kind.as_str(), error.message.clone()),
        other => panic!("it did not fail but ended as {other:?} with {}", finished.outputs),
    }
}

/// No arguments.
pub(crate) fn nothing() -> Value {
    Value::Object(Map::new())
}

/// What a node says.
pub(crate) fn text(text: &str) -> Value {
    json!({ "text": text })
}

/// A script.
pub(crate) fn code(code: &str) -> Value {
    json!({ "code": code })
}

/// A flow of two nodes that asks for an order's number.
pub(crate) fn order() -> Value {
    let parameters = json!([{"name": "orderId", "type": "string", "required": true}]);
    let nodes = [
        ("shape", "Transform", code("return { id: input.orderId.trim() }")),
        ("say", "Return", text("Order {{ shape.id }} is on its way.")),
    ];
    file_asking(&parameters, &nodes, "ask>shape shape>say")
}

/// A server that never answers, and what tells that it was asked.
pub(crate) async fn hanging() -> (Server, Arc<Notify>) {
    let asked = Arc::new(Notify::new());
    let tell = Arc::clone(&asked);
    let server = Server::start(move |_| {
        tell.notify_one();
        async { Answer::Never }
    })
    .await;
    (server, asked)
}
