//! Flows as tools see them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use flowtrail_types::{Flow, FlowId};
use rmcp::model::Tool;

/// A flow as a tool: its name, what it does, what it takes, and what it gives if it says so.
fn tool(flow: &Flow) -> Option<Tool> {
    let name = flow.tool_name.as_ref()?.as_str().to_owned();
    let description = if flow.description.is_empty() { flow.name.clone() } else { flow.description.clone() };
    let schema = flowtrail_runner::input_schema(&flow.definition);
    let tool = Tool::new(name, description, schema).with_title(flow.name.clone());
    Some(match flowtrail_runner::output_schema(&flow.definition) {
        Some(schema) => tool.with_raw_output_schema(Arc::new(schema.clone())),
        None => tool,
    })
}

/// Tools that were made of flows, as long as no flow has changed.
#[derive(Debug, Default)]
pub(crate) struct Made(Mutex<(i64, HashMap<FlowId, Option<Tool>>)>);

impl Made {
    /// The tools of these flows, which are those of a revision.
    pub(crate) fn of(&self, flows: &[Arc<Flow>], revision: i64) -> Vec<Tool> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if made.0 != revision {
            *made = (revision, HashMap::new());
        }
        flows.iter().filter_map(|flow| made.1.entry(flow.id).or_insert_with(|| tool(flow)).clone()).collect()
    }
}
