//! Flows of other servers' tools, which the proxy stands before.

use std::sync::Arc;

use flowtrail_types::{Access, Digest, Flow, FlowDraft, FlowKind, Principal, ToolName};

use super::principals::ADMINISTRATOR;
use crate::access;
use crate::{FlowChange, Tracker, TrackerError};

/// A tool of another MCP server.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamTool<'a> {
    /// The server's name here.
    pub upstream: &'a str,
    /// The tool's name there.
    pub tool: &'a str,
    /// What the server says that it does; nothing when that is not known.
    pub description: Option<&'a str>,
    /// Whether everybody may call it who has a key, and see their own calls.
    pub public: bool,
}

/// The most characters of a flow's name.
const MAX_NAME: usize = 300;
/// The most characters of a description that are kept.
const MAX_DESCRIPTION: usize = 10_000;

impl UpstreamTool<'_> {
    /// `UPSTREAM.TOOL`, as people read it.
    fn name(&self) -> String {
        let whole = format!("{}.{}", self.upstream, self.tool);
        whole.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_NAME).collect()
    }

    /// The same as a tool name. Where that has no room for all of it, a digest tells it from others. `again` is
    /// for when something else has the name.
    fn tool_name(&self, again: bool) -> Result<ToolName, TrackerError> {
        let whole = format!("{}.{}", self.upstream, self.tool);
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let is_plain = whole.len() <= ToolName::MAX_LENGTH && whole.chars().all(allowed) && !again;
        let text = if is_plain && !whole.starts_with("flowtrail_") {
            whole
        } else {
            const DIGEST: usize = 8;
            let digest = Digest::of(&[self.upstream.as_bytes(), self.tool.as_bytes()]);
            let digest: String =
                digest.as_bytes().iter().take(DIGEST / 2).map(|byte| format!("{byte:02x}")).collect();
            let readable = whole.trim_start_matches("flowtrail_").chars();
            let readable = readable.map(|c| if allowed(c) { c } else { '_' });
            let readable: String = readable.take(ToolName::MAX_LENGTH - DIGEST - 1).collect();
            format!("{readable}-{digest}")
        };
        text.parse().map_err(|error| TrackerError::invalid("toolName", format!("{error}")))
    }

    fn description(&self) -> Option<String> {
        self.description.map(|text| text.chars().take(MAX_DESCRIPTION).collect())
    }
}

impl Tracker {
    /// The flow of a tool of another server, made for `owner` if there is none, and told anew what it does if that has
    /// changed. Blocks when there is something to write.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub fn upstream_flow(
        &self,
        owner: &Principal,
        tool: UpstreamTool<'_>,
    ) -> Result<Arc<Flow>, TrackerError> {
        let described = tool.description.map(|text| self.inner.redactor.redact_name(text));
        let clean = self.inner.redactor.redact_name(tool.tool);
        let tool = UpstreamTool { tool: &clean, description: described.as_deref(), ..tool };
        for again in [false, true] {
            let name = tool.tool_name(again)?;
            let flow = match self.flow_by_tool_name(owner, name.as_str()) {
                Ok(flow) if is_for(owner, &flow) => flow,
                // Somebody else has made one of that name.
                Ok(_) => continue,
                Err(TrackerError::NotFound(_)) => match self.make_upstream_flow(owner, &tool, name) {
                    Err(TrackerError::Taken { .. }) => continue,
                    made => return made,
                },
                Err(error) => return Err(error),
            };
            return match tool.description() {
                Some(description) if description != flow.description => {
                    let change = |_: &Flow| {
                        let description = Some(description.clone());
                        Ok::<_, TrackerError>(FlowChange { description, ..FlowChange::default() })
                    };
                    self.change_flow(owner, flow.id, change)
                }
                _ => Ok(flow),
            };
        }
        Err(TrackerError::Taken { field: "toolName", value: tool.name() })
    }

    /// Whether a tool of another server has a flow of `owner`'s already. Reads no database.
    #[must_use]
    pub fn has_upstream_flow(&self, owner: &Principal, tool: UpstreamTool<'_>) -> bool {
        let clean = self.inner.redactor.redact_name(tool.tool);
        let tool = UpstreamTool { tool: &clean, ..tool };
        [false, true].into_iter().any(|again| {
            let flow = tool.tool_name(again).and_then(|name| self.flow_by_tool_name(owner, name.as_str()));
            flow.is_ok_and(|flow| is_for(owner, &flow))
        })
    }

    fn make_upstream_flow(
        &self,
        owner: &Principal,
        tool: &UpstreamTool<'_>,
        name: ToolName,
    ) -> Result<Arc<Flow>, TrackerError> {
        let draft = FlowDraft {
            tool_name: Some(name.clone()),
            description: tool.description().unwrap_or_default(),
            access: Access { public: tool.public, ..Access::default() },
            ..FlowDraft::new(FlowKind::Upstream, tool.name())
        };
        match self.create_flow(owner, draft) {
            // Another process may have made it just now.
            Err(TrackerError::Taken { field, value }) => {
                self.inner.renew_catalog();
                match self.flow_by_tool_name(owner, name.as_str()) {
                    Ok(flow) if is_for(owner, &flow) => Ok(flow),
                    _ => Err(TrackerError::Taken { field, value }),
                }
            }
            made => made,
        }
    }

    /// Fails when the principal may not call a tool of another server: they may do nothing but read, or its flow is
    /// not shared with them. A tool that has no flow yet is everybody's. Reads no database.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Forbidden`] then.
    pub fn may_call_upstream(
        &self,
        principal: &Principal,
        tool: UpstreamTool<'_>,
    ) -> Result<(), TrackerError> {
        access::require_more_than_reading(principal, "call tools")?;
        let clean = self.inner.redactor.redact_name(tool.tool);
        let tool = UpstreamTool { tool: &clean, ..tool };
        let flows = self.inner.catalog.current();
        for again in [false, true] {
            let name = tool.tool_name(again)?;
            let is_of_proxy =
                |flow: &&Arc<Flow>| flow.kind == FlowKind::Upstream && flow.owner_id == ADMINISTRATOR;
            let Some(flow) = flows.tool(name.as_str()).filter(is_of_proxy) else { continue };
            if !access::may_use(principal, flow) {
                return Err(TrackerError::Forbidden("call this tool"));
            }
            return Ok(());
        }
        Ok(())
    }
}

/// Whether a flow is a place for calls that pass: one that somebody else has made of that name is theirs to read.
fn is_for(owner: &Principal, flow: &Flow) -> bool {
    flow.kind == FlowKind::Upstream && flow.owner_id == owner.id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(upstream: &str, tool: &str) -> String {
        let tool = UpstreamTool { upstream, tool, description: None, public: false };
        tool.tool_name(false).unwrap().to_string()
    }

    #[test]
    fn a_tool_keeps_its_name_where_it_can() {
        assert_eq!(named("files", "read_file"), "files.read_file");
        assert_eq!(named("files", "read.file-2"), "files.read.file-2");
    }

    #[test]
    fn names_that_cannot_stand_as_they_are_stay_apart() {
        let odd = [named("files", "read file"), named("files", "read/file"), named("files", "rëad_file")];
        assert!(odd[0].starts_with("files.read_file-"), "{}", odd[0]);
        assert_ne!(odd[0], odd[1]);
        let long = [named("files", &"a".repeat(200)), named("files", &"a".repeat(201))];
        assert!(long.iter().all(|name| name.len() == ToolName::MAX_LENGTH), "{long:?}");
        assert_ne!(long[0], long[1]);
        assert!(named("flowtrail_x", "y").starts_with("x.y-"), "the prefix is Flowtrail's own");
        assert!(!named("", "").is_empty());
    }
}
