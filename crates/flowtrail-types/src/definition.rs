//! The graph behind a runnable flow, as its file has it. What it means is the runner's to decide.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A graph of nodes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowDefinition {
    /// The nodes, in the order of the file.
    #[serde(default)]
    pub nodes: Vec<Node>,
    /// The connections between them.
    #[serde(default)]
    pub connections: Vec<Connection>,
}

/// One node of a flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Node {
    /// Its id within the flow: an identifier, by which templates name its output.
    pub id: String,
    /// Its name for people; the id when there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its kind, for example `Transform`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What its kind wants to know.
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// How long it may take, for example `"5s"`; the kind's default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Where an editor draws it. Kept as it came, never looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Value>,
}

impl Node {
    /// The name that people see.
    #[must_use]
    pub fn label(&self) -> &str {
        if self.name.is_empty() { &self.id } else { &self.name }
    }
}

/// A connection from one node to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Connection {
    /// The node that it leaves.
    pub source_node_id: String,
    /// The node that it enters.
    pub target_node_id: String,
    /// The way out of the source: `true` or `false` of a `Conditional`, `each` or `done` of a `Loop`,
    /// `error` of any node that may fail; its normal way when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_handle: Option<String>,
}
