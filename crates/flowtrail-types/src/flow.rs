//! Flows: what can be run here, or is run elsewhere and recorded here.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::OffsetDateTime;

use crate::{ExecutionStatus, FlowDefinition, FlowId, Principal, Retention, UserId};

words! {
    /// Where a flow runs.
    #[derive(Default)]
    FlowKind, "flow kind", "runnable, external or upstream",
    {
        /// Here: it has a definition and is an MCP tool.
        #[default]
        Runnable = "runnable",
        /// Elsewhere; its executions are only recorded here.
        External = "external",
        /// It is a tool of an MCP server that the proxy stands before.
        Upstream = "upstream",
    }
}

words! {
    /// How much of an execution's data is kept.
    #[derive(Default)]
    CapturePolicy, "capture policy", "full, metadata or none",
    {
        /// Everything, after redaction and caps.
        #[default]
        Full = "full",
        /// Names, times, statuses, sizes and error kinds; no values, no preview, no error text.
        Metadata = "metadata",
        /// The execution's status and times only.
        None = "none",
    }
}

/// Who may see and change a flow besides its owner and administrators.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Users who may call it, record into it and view its history.
    #[serde(default)]
    pub read: Vec<UserId>,
    /// Users who, beyond that, may change it and delete its executions.
    #[serde(default)]
    pub write: Vec<UserId>,
    /// Whether every user may call it. They see only their own executions, and no statistics.
    #[serde(default)]
    pub public: bool,
}

/// A flow's name as an MCP tool: 1 to 100 of `A-Z a-z 0-9 _ - .`, unique among the flows of a server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ToolName(String);

/// Why a text cannot be a tool name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToolName {
    /// It is empty, or longer than 100 characters.
    #[error("a tool name has 1 to 100 characters, this one has {0}")]
    Length(usize),
    /// It has a character that MCP clients do not accept.
    #[error("a tool name is made of A-Z a-z 0-9 _ - . and has no {0:?}")]
    Character(char),
    /// It begins like Flowtrail's own tools.
    #[error("the prefix \"flowtrail_\" is kept for Flowtrail's own tools")]
    Reserved,
}

impl ToolName {
    /// The most characters that a tool name may have.
    pub const MAX_LENGTH: usize = 100;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A tool name made from a flow's name: lower case, with `_` for whatever cannot stand in one.
    ///
    /// # Errors
    ///
    /// When nothing of the name can stand in a tool name.
    pub fn derived_from(name: &str) -> Result<Self, InvalidToolName> {
        let mut derived = String::new();
        for character in name.chars() {
            match character {
                'A'..='Z' => derived.push(character.to_ascii_lowercase()),
                'a'..='z' | '0'..='9' | '-' | '.' => derived.push(character),
                _ if derived.is_empty() || derived.ends_with('_') => {}
                _ => derived.push('_'),
            }
        }
        derived.truncate(Self::MAX_LENGTH);
        derived.trim_end_matches('_').parse()
    }
}

impl FromStr for ToolName {
    type Err = InvalidToolName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length = text.chars().count();
        if !(1..=Self::MAX_LENGTH).contains(&length) {
            return Err(InvalidToolName::Length(length));
        }
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if let Some(character) = text.chars().find(|c| !allowed(c)) {
            return Err(InvalidToolName::Character(character));
        }
        if text.starts_with("flowtrail_") {
            return Err(InvalidToolName::Reserved);
        }
        Ok(Self(text.to_owned()))
    }
}

impl Display for ToolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ToolName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// What a user says of a flow when they make or change it. The runner checks the definition, the tracker
/// the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowDraft {
    /// The id, when the user chose one.
    pub id: Option<FlowId>,
    /// Where it runs.
    pub kind: FlowKind,
    /// Its name: 1 to 300 characters.
    pub name: String,
    /// Its name as a tool; made from the name when absent. Only runnable and upstream flows have one.
    pub tool_name: Option<ToolName>,
    /// What it does, for people and for models.
    pub description: String,
    /// Whether it can be called.
    pub active: bool,
    /// Its graph; empty unless it is runnable.
    pub definition: FlowDefinition,
    /// How long an execution may take; the server's default when absent.
    pub timeout: Option<Duration>,
    /// Who may see and change it.
    pub access: Access,
    /// How much of an execution's data is kept.
    pub capture: CapturePolicy,
    /// Which executions are kept; those that the server's rules keep when absent.
    pub retention: Option<Retention>,
}

impl FlowDraft {
    /// A draft of an active flow with this name, everything else as it is by default.
    #[must_use]
    pub fn new(kind: FlowKind, name: impl Into<String>) -> Self {
        Self {
            id: None,
            kind,
            name: name.into(),
            tool_name: None,
            description: String::new(),
            active: true,
            definition: FlowDefinition::default(),
            timeout: None,
            access: Access::default(),
            capture: CapturePolicy::default(),
            retention: None,
        }
    }
}

/// A flow.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Flow {
    /// Its id.
    pub id: FlowId,
    /// Where it runs.
    pub kind: FlowKind,
    /// Its name for people.
    pub name: String,
    /// Its name as an MCP tool; external flows have none.
    pub tool_name: Option<ToolName>,
    /// What it does, for people and for models.
    pub description: String,
    /// Whether it can be called.
    pub active: bool,
    /// The number of its current definition, from 1.
    pub version: i32,
    /// Its current graph.
    #[serde(flatten)]
    pub definition: FlowDefinition,
    /// How long an execution may take; the server's default when absent. Written as `"30s"`.
    #[serde(serialize_with = "write_timeout")]
    pub timeout: Option<Duration>,
    /// Who may see and change it besides its owner.
    pub access: Access,
    /// How much of an execution's data is kept.
    pub capture: CapturePolicy,
    /// Which executions are kept; those that the server's rules keep when absent.
    pub retention: Option<Retention>,
    /// Who made it.
    pub owner_id: UserId,
    /// Who saved its current definition.
    #[serde(skip)]
    pub saved_by: SavedBy,
    /// When it was made.
    #[serde(with = "crate::timestamp")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "crate::timestamp")]
    pub updated_at: OffsetDateTime,
    /// When it was deleted. What is left guards the history and is not shown.
    #[serde(skip)]
    pub deleted_at: Option<OffsetDateTime>,
}

/// The user who saved a definition, as they were then. The definition may use the secrets that they may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedBy {
    /// The user.
    pub id: UserId,
    /// Their name; empty when it is not known any more.
    pub name: String,
    /// True for an administrator.
    pub is_admin: bool,
}

impl SavedBy {
    /// A user of whom nothing but the id is known.
    #[must_use]
    pub fn id_only(id: UserId) -> Self {
        Self { id, name: String::new(), is_admin: false }
    }
}

impl From<&Principal> for SavedBy {
    fn from(principal: &Principal) -> Self {
        Self { id: principal.id, name: principal.name.clone(), is_admin: principal.is_admin() }
    }
}

impl Flow {
    /// The timeout as it is written in files, for example `"30s"`.
    #[must_use]
    pub fn timeout_text(&self) -> Option<String> {
        self.timeout.map(timeout_text)
    }
}

/// A definition that a flow has now or had once.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowVersion {
    /// The flow.
    pub flow_id: FlowId,
    /// The number of the definition, from 1.
    pub version: i32,
    /// The graph.
    pub definition: FlowDefinition,
}

/// A flow as a list shows it: without its graph, with how it has been doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowSummary {
    /// Its id.
    pub id: FlowId,
    /// Where it runs.
    pub kind: FlowKind,
    /// Its name for people.
    pub name: String,
    /// Its name as an MCP tool.
    pub tool_name: Option<ToolName>,
    /// What it does.
    pub description: String,
    /// Whether it can be called.
    pub active: bool,
    /// The number of its current definition.
    pub version: i32,
    /// How long an execution may take.
    #[serde(serialize_with = "write_timeout")]
    pub timeout: Option<Duration>,
    /// Who may see and change it.
    pub access: Access,
    /// How much of an execution's data is kept.
    pub capture: CapturePolicy,
    /// Which executions are kept; those that the server's rules keep when absent.
    pub retention: Option<Retention>,
    /// Who made it.
    pub owner_id: UserId,
    /// When it was made.
    #[serde(with = "crate::timestamp")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "crate::timestamp")]
    pub updated_at: OffsetDateTime,
    /// How it has been doing.
    #[serde(flatten)]
    pub activity: FlowActivity,
}

impl FlowSummary {
    /// The summary of a flow that has been doing this.
    #[must_use]
    pub fn new(flow: Flow, activity: FlowActivity) -> Self {
        Self {
            id: flow.id,
            kind: flow.kind,
            name: flow.name,
            tool_name: flow.tool_name,
            description: flow.description,
            active: flow.active,
            version: flow.version,
            timeout: flow.timeout,
            access: flow.access,
            capture: flow.capture,
            retention: flow.retention,
            owner_id: flow.owner_id,
            created_at: flow.created_at,
            updated_at: flow.updated_at,
            activity,
        }
    }
}

/// How a flow has been doing.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowActivity {
    /// The statuses of its newest executions, newest first, at most 20.
    pub last_statuses: Vec<ExecutionStatus>,
    /// How many executions began within this hour and the 23 before it, those that were deleted since too.
    pub runs_last_day: u64,
    /// Fulfilled / (fulfilled + error) over all stored executions, 0 to 1; null without either.
    pub success_rate: Option<f64>,
    /// When its newest execution began.
    #[serde(with = "crate::timestamp::option")]
    pub last_execution_at: Option<OffsetDateTime>,
}

fn timeout_text(timeout: Duration) -> String {
    humantime::format_duration(timeout).to_string()
}

#[expect(clippy::ref_option, reason = "the signature that serde wants")]
fn write_timeout<S: Serializer>(timeout: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    timeout.map(timeout_text).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tool_names_are_what_mcp_clients_accept() {
        assert!("order_summary-2.b".parse::<ToolName>().is_ok());
        assert_eq!("".parse::<ToolName>(), Err(InvalidToolName::Length(0)));
        assert_eq!("x".repeat(101).parse::<ToolName>(), Err(InvalidToolName::Length(101)));
        assert_eq!("order summary".parse::<ToolName>(), Err(InvalidToolName::Character(' ')));
        assert_eq!("flowtrail_x".parse::<ToolName>(), Err(InvalidToolName::Reserved));
    }

    #[test]
    fn a_tool_name_is_made_from_a_name() {
        assert_eq!(ToolName::derived_from("Order summary (new)!").unwrap().as_str(), "order_summary_new");
        assert_eq!(ToolName::derived_from("Größe").unwrap().as_str(), "gr_e");
        assert!(ToolName::derived_from("日本").is_err());
    }
}
