//! Flows, built in a line or two.

use serde_json::{Map, Value, json};

/// A flow that is being built. It begins with the trigger `ask`; each node that is added hangs on the one before.
#[derive(Debug, Clone)]
pub struct FlowBuilder {
    fields: Map<String, Value>,
    parameters: Vec<Value>,
    nodes: Vec<Value>,
    connections: Vec<Value>,
    last: String,
}

/// A flow with this name. Its tool name is made from it.
#[must_use]
pub fn flow(name: &str) -> FlowBuilder {
    FlowBuilder {
        fields: Map::from_iter([("name".to_owned(), json!(name))]),
        parameters: Vec::new(),
        nodes: Vec::new(),
        connections: Vec::new(),
        last: "ask".to_owned(),
    }
}

impl FlowBuilder {
    /// Sets a field of the flow, such as `timeout`.
    #[must_use]
    pub fn field(mut self, name: &str, value: Value) -> Self {
        self.fields.insert(name.to_owned(), value);
        self
    }

    /// A required parameter of the type `string`.
    #[must_use]
    pub fn text(self, name: &str) -> Self {
        self.parameter(json!({"name": name, "type": "string", "required": true}))
    }

    /// A parameter, as flow files have it.
    #[must_use]
    pub fn parameter(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// A node after the last one.
    #[must_use]
    pub fn node(mut self, id: &str, kind: &str, parameters: Value) -> Self {
        self.connections.push(json!({"sourceNodeId": self.last, "targetNodeId": id}));
        self.loose(id, kind, parameters)
    }

    /// A node that hangs on nothing yet.
    #[must_use]
    pub fn loose(mut self, id: &str, kind: &str, parameters: Value) -> Self {
        self.nodes.push(json!({"id": id, "name": id, "type": kind, "parameters": parameters}));
        self.last = id.to_owned();
        self
    }

    /// A `Transform` after the last node.
    #[must_use]
    pub fn transform(self, id: &str, code: &str) -> Self {
        self.node(id, "Transform", json!({"code": code}))
    }

    /// The `Return` node `say` after the last one, with a text.
    #[must_use]
    pub fn returns(self, text: &str) -> Self {
        self.node("say", "Return", json!({"text": text}))
    }

    /// A connection; `handle` is the way out of its source.
    #[must_use]
    pub fn connect(mut self, source: &str, target: &str, handle: Option<&str>) -> Self {
        let mut connection = json!({"sourceNodeId": source, "targetNodeId": target});
        if let Some(handle) = handle {
            connection["sourceHandle"] = json!(handle);
        }
        self.connections.push(connection);
        self
    }

    /// The flow as a flow file has it.
    #[must_use]
    pub fn build(&self) -> Value {
        let mut flow = self.fields.clone();
        let trigger = json!({
            "id": "ask",
            "name": "ask",
            "type": "UserIntent",
            "parameters": {"parameters": self.parameters},
        });
        let nodes: Vec<Value> = std::iter::once(trigger).chain(self.nodes.iter().cloned()).collect();
        flow.insert("nodes".to_owned(), Value::Array(nodes));
        flow.insert("connections".to_owned(), Value::Array(self.connections.clone()));
        Value::Object(flow)
    }
}
