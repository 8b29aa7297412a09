//! Who did what to keys, users and access, and who deleted what.

use flowtrail_types::{AuditAction, AuditEntry, AuditQuery, Principal};
use serde_json::Value;
use uuid::Uuid;

use crate::tracker::Inner;
use crate::{Tracker, TrackerError};

/// Something that was done, for the audit log.
#[derive(Debug, Clone)]
pub(super) struct Act {
    action: AuditAction,
    subject_id: Option<Uuid>,
    subject: Option<String>,
    detail: Option<Value>,
}

impl Act {
    /// Something that was done to nothing in particular.
    pub(super) fn of(action: AuditAction) -> Self {
        Self { action, subject_id: None, subject: None, detail: None }
    }

    /// Something that was done to what has this id and this name.
    pub(super) fn to(action: AuditAction, id: Uuid, name: &str) -> Self {
        Self { subject_id: Some(id), subject: Some(name.to_owned()), ..Self::of(action) }
    }

    /// What else there is to know of it.
    pub(super) fn with(self, detail: Value) -> Self {
        Self { detail: Some(detail), ..self }
    }
}

impl Inner {
    /// Notes what somebody has done.
    pub(super) fn note(&self, principal: &Principal, act: Act) -> Result<(), TrackerError> {
        let now = self.clock.now();
        let entry = AuditEntry {
            id: self.ids.next(now),
            at: now,
            user_id: principal.id,
            user_name: principal.name.clone(),
            action: act.action,
            subject_id: act.subject_id,
            subject: act.subject,
            detail: act.detail,
        };
        Ok(self.store.audit().add(&entry)?)
    }
}

impl Tracker {
    /// What was done, newest first. For administrators. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Forbidden`] for others.
    pub fn audit(&self, principal: &Principal, query: &AuditQuery) -> Result<Vec<AuditEntry>, TrackerError> {
        if !principal.is_admin() {
            return Err(TrackerError::Forbidden("see the audit log"));
        }
        Ok(self.inner.store.audit().list(query)?)
    }
}
