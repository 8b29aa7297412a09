//! Who did what to keys, users and access, and who deleted what.

use flowtrail_store::StoreError;
use flowtrail_types::{AuditAction, AuditEntry, AuditQuery, Principal};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::tracker::Inner;
use crate::{Tracker, TrackerError};

/// One page of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditPage {
    /// The entries.
    pub items: Vec<AuditEntry>,
    /// The last of them, before which the next page begins; null on the last one.
    pub after: Option<Uuid>,
}

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
    /// Does something that the store writes, and notes it in the same transaction.
    pub(super) fn noted<T>(
        &self,
        principal: &Principal,
        act: Act,
        work: impl FnMut() -> Result<T, StoreError>,
    ) -> Result<T, TrackerError> {
        self.noted_as(&self.entry(principal, act), work)
    }

    /// The same with an entry that is written again, with more detail, when all is done.
    pub(super) fn noted_as<T>(
        &self,
        entry: &AuditEntry,
        mut work: impl FnMut() -> Result<T, StoreError>,
    ) -> Result<T, TrackerError> {
        let mut done = None;
        self.store.audit().add_with(entry, &mut || {
            done = Some(work()?);
            Ok(())
        })?;
        done.ok_or_else(|| {
            let reason = "the store did nothing".to_owned();
            TrackerError::from(StoreError::Internal { reason, source: None })
        })
    }

    /// Notes what somebody has done in steps: the entry that was written with the first of them has all of it now.
    pub(super) fn note_all(&self, mut entry: AuditEntry, detail: Value) -> Result<(), TrackerError> {
        entry.detail = Some(detail);
        Ok(self.store.audit().add(&entry)?)
    }

    /// The entry for what somebody does now.
    pub(super) fn entry(&self, principal: &Principal, act: Act) -> AuditEntry {
        let now = self.clock.now();
        AuditEntry {
            id: self.ids.next(now),
            at: now,
            user_id: principal.id,
            user_name: principal.name.clone(),
            action: act.action,
            subject_id: act.subject_id,
            subject: act.subject,
            detail: act.detail,
        }
    }
}

impl Tracker {
    /// What was done, newest first, and whether there is more. For administrators. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Forbidden`] for others.
    pub fn audit(&self, principal: &Principal, query: &AuditQuery) -> Result<AuditPage, TrackerError> {
        if !principal.is_admin() {
            return Err(TrackerError::Forbidden("see the audit log"));
        }
        // One more than is shown tells whether there are more.
        let wanted = AuditQuery { limit: query.limit + 1, ..query.clone() };
        let mut items = self.inner.store.audit().list(&wanted)?;
        let has_more = items.len() > query.limit as usize;
        items.truncate(query.limit as usize);
        let after = items.last().filter(|_| has_more).map(|last| last.id);
        Ok(AuditPage { items, after })
    }
}
