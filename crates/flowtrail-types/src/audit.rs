//! Who did what to keys, users and access, and who deleted what.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::UserId;

words! {
    /// What was done.
    AuditAction, "action", "an action that the audit log knows, such as key.created",
    {
        /// Somebody logged in to the web UI.
        LoggedIn = "session.created",
        /// Somebody logged out.
        LoggedOut = "session.deleted",
        /// A key was made.
        KeyCreated = "key.created",
        /// A key was revoked.
        KeyRevoked = "key.revoked",
        /// A token for a page of another origin was made.
        EmbedTokenCreated = "embedToken.created",
        /// A user was made.
        UserCreated = "user.created",
        /// A user was deleted.
        UserDeleted = "user.deleted",
        /// A flow was shared otherwise than before.
        AccessChanged = "flow.accessChanged",
        /// A flow was deleted.
        FlowDeleted = "flow.deleted",
        /// One execution was deleted.
        ExecutionDeleted = "execution.deleted",
        /// Executions were deleted by a filter.
        ExecutionsDeleted = "executions.deleted",
        /// The older part of a history was deleted.
        ExecutionsPruned = "executions.pruned",
        /// Executions were restored from an export.
        ExecutionsImported = "executions.imported",
    }
}

/// One thing that somebody did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Its id, a UUIDv7: entries sort by it.
    pub id: Uuid,
    /// When it was done.
    #[serde(with = "crate::timestamp")]
    pub at: OffsetDateTime,
    /// Who did it.
    pub user_id: UserId,
    /// Their name then.
    pub user_name: String,
    /// What they did.
    pub action: AuditAction,
    /// To what: the id of a key, user, flow or execution.
    pub subject_id: Option<Uuid>,
    /// Its name then.
    pub subject: Option<String>,
    /// What else there is to know, such as how many executions it were.
    pub detail: Option<Value>,
}

/// Which entries are wanted, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// Of this kind only.
    pub action: Option<AuditAction>,
    /// What this user did only.
    pub user: Option<UserId>,
    /// Older than this entry only.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: u32,
}
