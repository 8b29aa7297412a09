//! Executions as resources: `flowtrail://executions/{id}`.

use flowtrail_tracker::{Tracker, TrackerError};
use flowtrail_types::{
    Cursor, ExecutionFilter, ExecutionId, ExecutionSummary, PageRequest, Principal, SortDirection,
};
use rmcp::ErrorData;
use rmcp::model::{ListResourcesResult, ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::json;

use crate::call::failed;

const ADDRESS: &str = "flowtrail://executions/";
const KIND: &str = "application/json";
/// How many executions a page of resources has.
const PAGE: u32 = 50;

/// The form of their addresses.
pub(crate) fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new(format!("{ADDRESS}{{id}}"), "execution")
            .with_title("Execution")
            .with_description("What one run was given, what each node did, and how it ended")
            .with_mime_type(KIND),
    ]
}

/// A page of those that the principal may see, newest first. Blocks.
pub(crate) fn listed(
    tracker: &Tracker,
    principal: &Principal,
    cursor: Option<&str>,
) -> Result<ListResourcesResult, ErrorData> {
    let filter = ExecutionFilter::default();
    let mut page = PageRequest::numbered(1, PAGE);
    if let Some(cursor) = cursor {
        let fingerprint = filter.fingerprint(page.sort, SortDirection::default());
        let invalid = |error| ErrorData::invalid_params(format!("cursor: {error}"), None);
        page.after = Some(Cursor::decode(cursor, fingerprint).map_err(invalid)?);
    }
    let found = tracker.executions(principal, &filter, page).map_err(|error| failed(&error))?.page;
    let mut result = ListResourcesResult::with_all_items(found.items.iter().map(resource).collect());
    result.next_cursor = found.after;
    Ok(result)
}

fn resource(execution: &ExecutionSummary) -> Resource {
    let when = flowtrail_types::timestamp::format(execution.started_at);
    let name = format!("{} {when}", execution.flow_name);
    Resource::new(format!("{ADDRESS}{}", execution.id), name)
        .with_title(format!("{}: {}", execution.flow_name, execution.status.as_str()))
        .with_mime_type(KIND)
}

/// One of them. Blocks.
pub(crate) fn read(
    tracker: &Tracker,
    principal: &Principal,
    uri: &str,
) -> Result<ReadResourceResult, ErrorData> {
    let missing =
        || ErrorData::resource_not_found(format!("there is no resource {uri}"), Some(json!({"uri": uri})));
    let id = uri.strip_prefix(ADDRESS).and_then(|id| id.parse::<ExecutionId>().ok()).ok_or_else(missing)?;
    let execution = tracker.execution(principal, id).map_err(|error| match error {
        TrackerError::NotFound(_) => missing(),
        other => failed(&other),
    })?;
    let text = serde_json::to_string(&execution)
        .map_err(|_| ErrorData::internal_error("the execution cannot be written", None))?;
    Ok(ReadResourceResult::new(vec![ResourceContents::text(text, uri).with_mime_type(KIND)]))
}
