//! Flows as tools see them.

use std::sync::Arc;

use flowtrail_types::Flow;
use rmcp::model::Tool;

/// A flow as a tool: its name, what it does, what it takes, and what it gives if it says so.
pub(crate) fn tool(flow: &Flow) -> Option<Tool> {
    let name = flow.tool_name.as_ref()?.as_str().to_owned();
    let description = if flow.description.is_empty() { flow.name.clone() } else { flow.description.clone() };
    let schema = flowtrail_runner::input_schema(&flow.definition);
    let tool = Tool::new(name, description, schema).with_title(flow.name.clone());
    Some(match flowtrail_runner::output_schema(&flow.definition) {
        Some(schema) => tool.with_raw_output_schema(Arc::new(schema.clone())),
        None => tool,
    })
}
