//! Assertions on executions. When one fails, it shows the execution.

use serde_json::Value;

/// An execution, as the API shows it, of which something is asserted.
#[derive(Debug, Clone, Copy)]
pub struct ExecutionAssert<'a>(&'a Value);

/// Begins assertions on an execution as the API shows it.
#[must_use]
pub fn assert_execution(execution: &Value) -> ExecutionAssert<'_> {
    ExecutionAssert(execution)
}

impl ExecutionAssert<'_> {
    /// It stands in this status.
    ///
    /// # Panics
    ///
    /// When it does not.
    #[track_caller]
    pub fn has_status(self, status: &str) -> Self {
        self.holds(self.0["status"] == status, &format!("its status is {status:?}"))
    }

    /// These are its nodes, by id and status, in any order.
    ///
    /// # Panics
    ///
    /// When they are not.
    #[track_caller]
    pub fn has_nodes(self, nodes: &[(&str, &str)]) -> Self {
        let text = |node: &Value, field: &str| node[field].as_str().unwrap_or_default().to_owned();
        let mut found: Vec<(String, String)> = self.0["nodeExecutions"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|node| (text(node, "nodeId"), text(node, "status")))
            .collect();
        let mut expected: Vec<(String, String)> =
            nodes.iter().map(|(id, status)| ((*id).to_owned(), (*status).to_owned())).collect();
        found.sort();
        expected.sort();
        self.holds(found == expected, &format!("its nodes are {nodes:?}"))
    }

    /// A value in it, by JSON pointer.
    ///
    /// # Panics
    ///
    /// When it is another one.
    #[track_caller]
    pub fn has(self, pointer: &str, expected: &Value) -> Self {
        self.holds(self.0.pointer(pointer) == Some(expected), &format!("{pointer} is {expected}"))
    }

    /// Its error is of this kind, and blamed on this node if one is named.
    ///
    /// # Panics
    ///
    /// When it is not.
    #[track_caller]
    pub fn failed(self, kind: &str, node: Option<&str>) -> Self {
        let error = &self.0["errorInfo"];
        let holds = error["kind"] == kind && error["nodeId"].as_str() == node;
        self.holds(holds, &format!("its error is {kind:?} at {node:?}"))
    }

    #[track_caller]
    fn holds(self, holds: bool, what: &str) -> Self {
        assert!(holds, "expected that {what}, but the execution is\n{:#}", self.0);
        self
    }
}
