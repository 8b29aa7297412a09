//! What is deleted because somebody says so.

use flowtrail_store::{EndedQuery, NewPrune, StoreError};
use flowtrail_types::{
    AuditAction, AuditEntry, ExecutionFilter, ExecutionId, ExecutionQuery, FlowId, Place, Principal,
    StatsQuery, StatsScope, Step, timestamp,
};
use serde_json::json;
use time::OffsetDateTime;

use super::audit::Act;
use crate::access::{self, Rights};
use crate::changes::Changed;
use crate::{Tracker, TrackerError};

/// Up to so many executions are deleted in one transaction, instead of being taken out first and deleted later.
pub(crate) const AT_ONCE: u32 = 500;

/// Which of a flow's executions a prune keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The newest so many, and what is pending.
    Newest(u64),
    /// What began at this time or later, and what is pending.
    Since(OffsetDateTime),
}

impl Keep {
    /// What the audit log keeps of a prune.
    fn detail(self, gone: u64) -> serde_json::Value {
        match self {
            Self::Newest(keep) => json!({"deleted": gone, "keep": keep}),
            Self::Since(at) => json!({"deleted": gone, "before": timestamp::format(at)}),
        }
    }
}

/// Whether something is deleted, or only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Really {
    /// It is deleted.
    Delete,
    /// It stays, and is counted.
    OnlyCount,
}

impl Tracker {
    /// Deletes an execution. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`], [`TrackerError::Forbidden`] by the principal's rights; [`TrackerError::Pending`] while
    /// it runs.
    pub fn delete_execution(&self, principal: &Principal, id: ExecutionId) -> Result<(), TrackerError> {
        let (execution, held) = self.seen(principal, id)?;
        if held < Rights::Write {
            return Err(TrackerError::Forbidden("delete executions of this flow"));
        }
        if !execution.status.is_final() {
            return Err(TrackerError::Pending);
        }
        let detail = json!({"flowId": execution.guarding_flow_id});
        let act = Act::to(AuditAction::ExecutionDeleted, *id.as_uuid(), &execution.flow_name);
        // Of two who delete it at once, one does.
        let delete = || self.inner.store.executions().delete(&[id]);
        if self.inner.noted(principal, act.with(detail), delete)?.is_empty() {
            return Err(TrackerError::NotFound("execution"));
        }
        let (flow, user) = (execution.guarding_flow_id, execution.user_id);
        self.inner.deleted(Changed::Deleted { execution: id, flow, user });
        Ok(())
    }

    /// Deletes what a filter finds of a flow's history and has ended, or only counts it, and tells how many executions that
    /// are. They are gone from every answer and statistic when this returns. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`], [`TrackerError::Forbidden`] by the principal's rights. What was deleted before an error
    /// of the store stays so.
    pub fn delete_executions(
        &self,
        principal: &Principal,
        flow: FlowId,
        filter: &ExecutionFilter,
        really: Really,
    ) -> Result<u64, TrackerError> {
        let name = self.require_write(principal, flow)?;
        let filter = ExecutionFilter { flow: Some(flow), ..filter.clone() };
        if filter == ExecutionFilter::of_flow(flow) {
            // All of it goes at once, whatever its size.
            return match really {
                Really::Delete => self.prune(principal, flow, Keep::Newest(0)),
                Really::OnlyCount => self.count_prunable(principal, flow, Keep::Newest(0)),
            };
        }
        let mut gone = 0;
        let mut entry =
            self.inner.entry(principal, Act::to(AuditAction::ExecutionsDeleted, *flow.as_uuid(), &name));
        let walked = self.delete_walking(principal, &filter, really, &mut entry, &mut gone);
        // What was deleted before an error is gone all the same.
        if really == Really::Delete && (gone > 0 || walked.is_ok()) {
            self.inner.thinned(flow, gone);
            self.inner.note_all(entry, json!({"deleted": gone}))?;
        }
        walked.map(|()| gone)
    }

    fn delete_walking(
        &self,
        principal: &Principal,
        filter: &ExecutionFilter,
        really: Really,
        entry: &mut AuditEntry,
        gone: &mut u64,
    ) -> Result<(), TrackerError> {
        let mut walk = self.walk(principal, filter)?;
        loop {
            let some = walk.next(AT_ONCE)?;
            if some.is_empty() {
                return Ok(());
            }
            let ids: Vec<ExecutionId> =
                some.iter().filter(|one| one.status.is_final()).map(|one| one.id).collect();
            *gone += match really {
                Really::Delete => {
                    // So many, should this be the last step before the process dies.
                    entry.detail = Some(json!({"deleted": *gone + ids.len() as u64}));
                    let delete = || self.inner.store.executions().delete(&ids);
                    self.inner.noted_as(entry, delete)?.len() as u64
                }
                Really::OnlyCount => ids.len() as u64,
            };
        }
    }

    /// Deletes the older part of a flow's history, and tells how many executions that are. They are gone from every answer
    /// and statistic when this returns; their space is given back in the background. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`], [`TrackerError::Forbidden`] by the principal's rights.
    pub fn prune(&self, principal: &Principal, flow: FlowId, keep: Keep) -> Result<u64, TrackerError> {
        let name = self.require_write(principal, flow)?;
        let Some(below) = self.prune_bound(flow, keep)? else { return Ok(0) };
        let act = Act::to(AuditAction::ExecutionsPruned, *flow.as_uuid(), &name);
        let entry = self.inner.entry(principal, act.with(keep.detail(0)));
        let gone = self.inner.noted_as(&entry, || self.inner.prune(flow, below))?;
        self.inner.counters.pruned(gone);
        self.inner.thinned(flow, gone);
        self.inner.note_all(entry, keep.detail(gone))?;
        Ok(gone)
    }

    /// How many executions [`prune`](Self::prune) would delete. Blocks.
    ///
    /// # Errors
    ///
    /// As [`prune`](Self::prune).
    pub fn count_prunable(
        &self,
        principal: &Principal,
        flow: FlowId,
        keep: Keep,
    ) -> Result<u64, TrackerError> {
        self.require_write(principal, flow)?;
        let Some(below) = self.prune_bound(flow, keep)? else { return Ok(0) };
        let executions = self.inner.store.executions();
        if let Keep::Newest(keep) = keep {
            // All but the newest, and but those of the others that are pending.
            let counts = executions.status_counts(&StatsScope::Flows(vec![flow]))?;
            let pending = self.inner.count_pending_below(flow, below)?;
            return Ok(counts.total().saturating_sub(keep).saturating_sub(pending));
        }
        let mut query = EndedQuery {
            flow: Some(flow),
            before: below.map(|below| below.started_at),
            after: None,
            spare_imported_since: None,
            limit: 10_000,
        };
        let mut count = 0;
        loop {
            let page = executions.list_ended(&query)?;
            count += page.items.len() as u64;
            match page.searched_to {
                Some(place) => query.after = Some(place),
                None => return Ok(count),
            }
        }
    }

    /// Deletes of all flows what began before a time and has ended, and tells how many executions that were. They are gone
    /// from every answer and statistic when this returns; their space is given back in the background. For administrators.
    /// Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Forbidden`] for others, [`TrackerError::Invalid`] when a number is to be kept of each.
    pub fn prune_all(&self, principal: &Principal, keep: Keep) -> Result<u64, TrackerError> {
        let before = bound_of_all(principal, keep)?;
        let executions = self.inner.store.executions();
        let act = Act::of(AuditAction::ExecutionsPruned).with(keep.detail(0));
        let entry = self.inner.entry(principal, act);
        let mut gone = self.inner.noted_as(&entry, || executions.begin_prune(&NewPrune::of_all(before)))?;
        self.inner.each_in_last_hour(before, |ids| {
            gone += executions.delete(ids)?.len() as u64;
            Ok(())
        })?;
        self.inner.counters.pruned(gone);
        self.inner.upkeep_wanted();
        if gone > 0 {
            self.inner.deleted(Changed::Missed);
        }
        self.inner.note_all(entry, keep.detail(gone))?;
        Ok(gone)
    }

    /// How many executions [`prune_all`](Self::prune_all) would delete. Blocks.
    ///
    /// # Errors
    ///
    /// As [`prune_all`](Self::prune_all).
    pub fn count_prunable_of_all(&self, principal: &Principal, keep: Keep) -> Result<u64, TrackerError> {
        let before = bound_of_all(principal, keep)?;
        let mut count = self.inner.count_ended_in_hours_before(before)?;
        self.inner.each_in_last_hour(before, |ids| {
            count += ids.len() as u64;
            Ok(())
        })?;
        Ok(count)
    }

    /// Fails unless the principal may delete a flow's executions. Its name, otherwise.
    fn require_write(&self, principal: &Principal, flow: FlowId) -> Result<String, TrackerError> {
        let flow = self.any_flow(flow)?.ok_or(TrackerError::NotFound("flow"))?;
        access::require(principal, &flow, Rights::Write, "delete executions of this flow")?;
        Ok(flow.name.clone())
    }

    /// Below which place everything goes (`Some(None)`: all of it), or None when nothing does.
    #[expect(clippy::option_option, reason = "nothing, everything, or what stands below a place")]
    fn prune_bound(&self, flow: FlowId, keep: Keep) -> Result<Option<Option<Place>>, TrackerError> {
        match keep {
            Keep::Newest(0) => Ok(Some(None)),
            Keep::Newest(keep) => {
                let place = self.inner.place_of(flow, keep - 1)?;
                Ok(place.map(Some))
            }
            Keep::Since(at) => {
                let id = ExecutionId::from_uuid(uuid::Uuid::nil());
                Ok(Some(Some(Place { started_at: at, id })))
            }
        }
    }
}

/// Before which time everything goes, of all flows.
fn bound_of_all(principal: &Principal, keep: Keep) -> Result<OffsetDateTime, TrackerError> {
    if !principal.is_admin() {
        return Err(TrackerError::Forbidden("delete executions of all flows"));
    }
    match keep {
        Keep::Since(before) => Ok(before),
        Keep::Newest(_) => Err(TrackerError::invalid("flow", "name the flow of which so many are kept")),
    }
}

impl crate::tracker::Inner {
    /// Tells those who watch of what was deleted, in this process and others.
    pub(crate) fn deleted(&self, changed: Changed) {
        self.tell(changed);
        // It is done, whether others hear of it or not.
        if let Err(error) = self.store.executions().tell_of_deletion() {
            log::warn!("other processes are not told of what was deleted: {error}");
        }
    }

    /// Tells those who watch that so many executions of a flow were deleted.
    fn thinned(&self, flow: FlowId, gone: u64) {
        if gone > 0 {
            self.deleted(Changed::Thinned(flow));
        }
    }

    /// How many executions of all flows have ended that began before the hour in which a time lies. Counters tell it.
    pub(crate) fn count_ended_in_hours_before(&self, at: OffsetDateTime) -> Result<u64, TrackerError> {
        let query = StatsQuery { to: Some(Step::Hour.begin(at)), ..StatsQuery::of_all() };
        let tally = self.store.executions().tally(&query)?;
        Ok(u64::try_from(tally.total() - tally.pending).unwrap_or(0))
    }

    /// Does something with what has ended of all flows and began before a time, in the hour in which that lies.
    fn each_in_last_hour(
        &self,
        before: OffsetDateTime,
        mut with: impl FnMut(&[ExecutionId]) -> Result<(), TrackerError>,
    ) -> Result<(), TrackerError> {
        let after = NewPrune::of_all(before).below;
        let mut query = EndedQuery {
            flow: None,
            before: Some(before),
            after,
            spare_imported_since: None,
            limit: AT_ONCE,
        };
        loop {
            let page = self.store.executions().list_ended(&query)?;
            let ids: Vec<ExecutionId> = page.items.iter().map(flowtrail_store::Ended::id).collect();
            with(&ids)?;
            match page.searched_to {
                Some(place) => query.after = Some(place),
                None => return Ok(()),
            }
        }
    }

    /// The place of the execution of a flow that so many newer ones stand before.
    pub(crate) fn place_of(&self, flow: FlowId, newer: u64) -> Result<Option<Place>, TrackerError> {
        let query =
            ExecutionQuery { offset: newer, ..ExecutionQuery::newest(ExecutionFilter::of_flow(flow), 1) };
        let found = self.store.executions().list(&query)?;
        Ok(found.items.first().map(|item| Place { started_at: item.started_at, id: item.id }))
    }

    fn count_pending_below(&self, flow: FlowId, below: Option<Place>) -> Result<u64, TrackerError> {
        let filter = ExecutionFilter {
            status: Some(flowtrail_types::ExecutionStatus::Pending),
            to: below.map(|below| below.started_at),
            ..ExecutionFilter::of_flow(flow)
        };
        let query = ExecutionQuery::newest(filter, 1);
        Ok(self.store.executions().count(&query, 1_000_000)?.count)
    }

    /// Takes all that ended below a place out of a flow's history: the little at once, the much step by step.
    pub(crate) fn prune(&self, flow: FlowId, below: Option<Place>) -> Result<u64, StoreError> {
        let executions = self.store.executions();
        let query = EndedQuery {
            flow: Some(flow),
            before: below.map(|below| below.started_at + time::Duration::MICROSECOND),
            after: None,
            spare_imported_since: None,
            limit: AT_ONCE,
        };
        let page = executions.list_ended(&query)?;
        if page.searched_to.is_none() {
            let ids: Vec<ExecutionId> = page
                .items
                .iter()
                .filter(|ended| below.is_none_or(|below| ended.place < below))
                .map(flowtrail_store::Ended::id)
                .collect();
            return Ok(executions.delete(&ids)?.len() as u64);
        }
        let gone = executions.begin_prune(&NewPrune::of_flow(flow, below))?;
        self.upkeep_wanted();
        Ok(gone)
    }
}
