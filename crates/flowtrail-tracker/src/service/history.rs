//! What has happened: lists, details, and the wish that something stop.

use std::sync::Arc;

use flowtrail_store::{Command, Damage, DataSize, Found, NodePage, VisibleFlows};
use flowtrail_types::{
    Cursor, Execution, ExecutionFilter, ExecutionId, ExecutionQuery, ExecutionStatus, ExecutionSummary,
    FlowId, Page, PageRequest, Place, Position, Principal, Rank, SortDirection, SortKey, StatsScope,
    Visibility,
};
use serde::Serialize;
use time::OffsetDateTime;

use super::AT_ONCE;
use crate::access::{self, Rights};
use crate::recorder::Patience;
use crate::{Ack, Tracker, TrackerError};

/// How far executions are counted when no counter knows their number.
const COUNT_BOUND: u32 = 10_000;

/// One page of executions.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionPage {
    /// The page.
    #[serde(flatten)]
    pub page: Page<ExecutionSummary>,
    /// How far was searched, when a filter without an index of its own stopped the search before the page was full; the
    /// page's cursor goes on from there. In a list that is sorted by duration, when not all executions were sorted: the
    /// start of the oldest one that was. Older ones are found by an earlier `to`.
    #[serde(with = "flowtrail_types::timestamp::option", skip_serializing_if = "Option::is_none")]
    pub searched_to: Option<OffsetDateTime>,
    /// Whether any execution that the filter's flow, or the principal's flows, have is still pending.
    pub has_pending_executions: bool,
    /// The rows of the page that are left out because they are damaged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damaged: Vec<Damage>,
}

/// Refuses a page by number that a search did not get to: a cursor made of how far it got would not lead there. And one by
/// a cursor whose list can no longer be sorted again as it was.
fn refuse_unreached(query: &ExecutionQuery, found: &Found, page: u32) -> Result<(), TrackerError> {
    let is_sorted = query.sort != SortKey::StartedAt;
    let is_further = query.offset > 0 || (is_sorted && query.after.is_some());
    if !is_further || !found.items.is_empty() || found.searched_to.is_none() {
        return Ok(());
    }
    if query.after.is_some() {
        let message = "too much has changed since the first page was read: begin anew without it";
        return Err(TrackerError::invalid("after", message));
    }
    if is_sorted {
        let message = format!(
            "page {page} lies beyond the executions that are sorted for one list: narrow it by flow or time"
        );
        return Err(TrackerError::invalid("page", message));
    }
    let message = format!(
        "page {page} lies beyond the executions that one search looks at: narrow the list by flow or time, or follow \
         `after` from page to page"
    );
    Err(TrackerError::invalid("page", message))
}

impl Tracker {
    /// One page of the executions that the principal may see, newest first or as the request says. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`] when the filter names a flow that they may not see;
    /// [`TrackerError::Invalid`] when the page, by its number, lies deeper than one search goes, or a list that is sorted by
    /// duration can no longer be sorted as it was when its cursor was made.
    pub fn executions(
        &self,
        principal: &Principal,
        filter: &ExecutionFilter,
        request: PageRequest,
    ) -> Result<ExecutionPage, TrackerError> {
        let visibility = self.visibility(principal, filter.flow)?;
        let executions = self.inner.store.executions();
        // The anchor is a time that something was recorded at, not that of this process's clock: another process's may be
        // an hour ahead, and what it recorded is shown all the same. A cursor of a list whose executions depend on the
        // anchor brings its own.
        let as_of = match request.after.and_then(|cursor| cursor.as_of()).or(request.as_of) {
            Some(as_of) => as_of,
            None => executions.last_recorded_at()?.unwrap_or_else(|| self.inner.clock.now()),
        };
        let mut query = ExecutionQuery {
            filter: filter.clone(),
            visibility,
            sort: request.sort,
            as_of: Some(as_of),
            after: request.after,
            offset: if request.after.is_some() { 0 } else { request.offset() },
            // One more than is shown tells whether there are more.
            limit: request.limit + 1,
        };
        let found = executions.list(&query)?;
        refuse_unreached(&query, &found, request.page)?;
        let Found { mut items, searched_to, sorted, damaged } = found;
        let has_more = items.len() > request.limit as usize;
        items.truncate(request.limit as usize);
        let fingerprint = filter.fingerprint(request.sort, SortDirection::default());
        let last = items.last().filter(|_| has_more);
        let after = match request.sort {
            SortKey::StartedAt => {
                let last = last.map(|last| Place { started_at: last.started_at, id: last.id });
                last.or(searched_to).map(Position::Start)
            }
            SortKey::Duration => last.map(|last| {
                let rank = Rank { duration_us: last.duration_us(), id: last.id };
                Position::Duration { rank, as_of }
            }),
        };
        let after = after.map(|position| Cursor { position, filter: fingerprint }.encode());

        query.after = None;
        // Counters tell of everybody's executions, so they are asked only for flows that are seen whole.
        let scope = match &query.visibility {
            Visibility::All => {
                Some(filter.flow.map_or(StatsScope::All, |flow| StatsScope::Flows(vec![flow])))
            }
            Visibility::Limited { flows, own_in, .. } if own_in.is_empty() => {
                Some(StatsScope::Flows(flows.clone()))
            }
            Visibility::Limited { .. } => None,
        };
        let counters = scope.map(|scope| executions.status_counts(&scope)).transpose()?;
        // They know what is there now; what was there at an earlier anchor is counted.
        let (total, total_is_exact) = match (&counters, sorted) {
            // Pages are of those that were sorted.
            (_, Some(sorted)) => (sorted.count, sorted.is_exact),
            (Some(counts), None) if filter.is_counted() && request.as_of.is_none() => {
                (filter.status.map_or_else(|| counts.total(), |status| counts.of(status)), true)
            }
            _ => {
                let counted = executions.count(&query, COUNT_BOUND)?;
                // A page may be found further down than executions are counted.
                (counted.count.max(query.offset + items.len() as u64), counted.is_exact)
            }
        };
        let has_pending_executions = match &counters {
            Some(counts) => counts.pending > 0,
            None => {
                query.as_of = None;
                query.filter = ExecutionFilter {
                    flow: filter.flow,
                    status: Some(ExecutionStatus::Pending),
                    ..ExecutionFilter::default()
                };
                executions.count(&query, 1_000)?.count > 0
            }
        };
        let mut page = Page::exact(items, total, &request);
        page.total_is_exact = total_is_exact;
        page.as_of = Some(as_of);
        page.after = after;
        let is_shown = !has_more || request.sort != SortKey::StartedAt;
        let searched_to = searched_to.filter(|_| is_shown).map(|place| place.started_at);
        Ok(ExecutionPage { page, searched_to, has_pending_executions, damaged })
    }

    /// The executions of a flow that have ended and that the principal may see, those that ended last first. Who may see
    /// only their own gets them by their start. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`] when they may not see the flow.
    pub fn ended_executions(
        &self,
        principal: &Principal,
        flow: FlowId,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<ExecutionSummary>, TrackerError> {
        if self.visibility(principal, Some(flow))? == Visibility::All {
            return Ok(self.inner.store.executions().list_by_end(flow, offset, limit)?);
        }
        // No index has the ends of one user's executions: theirs are read from the newest on.
        let mut walk = self.walk(principal, &ExecutionFilter::of_flow(flow))?;
        let (mut passed, mut found) = (0, Vec::new());
        while found.len() < limit as usize {
            let some = walk.next(AT_ONCE)?;
            if some.is_empty() {
                break;
            }
            for execution in some.into_iter().filter(|execution| execution.status.is_final()) {
                passed += 1;
                if passed > offset && found.len() < limit as usize {
                    found.push(execution);
                }
            }
        }
        Ok(found)
    }

    /// What of a flow's history, or of all, the principal may see.
    pub(super) fn visibility(
        &self,
        principal: &Principal,
        flow: Option<FlowId>,
    ) -> Result<Visibility, TrackerError> {
        if let Some(id) = flow {
            let held = self.rights_in(principal, id)?;
            return match held {
                Rights::None => Err(TrackerError::NotFound("flow")),
                Rights::Public => {
                    Ok(Visibility::Limited { flows: Vec::new(), user: principal.id, own_in: vec![id] })
                }
                Rights::Read | Rights::Write => Ok(Visibility::All),
            };
        }
        Ok(match self.visible_flows(principal)? {
            None => Visibility::All,
            Some(VisibleFlows { full, own_only }) => {
                Visibility::Limited { flows: full, user: principal.id, own_in: own_only }
            }
        })
    }

    /// The flows whose history the principal may see; absent when it is all.
    pub(super) fn visible_flows(&self, principal: &Principal) -> Result<Option<VisibleFlows>, TrackerError> {
        let flows = self.inner.store.flows();
        let Some(only) = &principal.only else {
            let is_admin = principal.is_admin();
            return Ok((!is_admin).then(|| flows.list_visible(principal.id)).transpose()?);
        };
        // Few: each is asked for by itself, since its maker may have lost it.
        let mut visible = VisibleFlows::default();
        for id in only.iter() {
            match self.rights_in(principal, *id)? {
                Rights::None => {}
                Rights::Public => visible.own_only.push(*id),
                Rights::Read | Rights::Write => visible.full.push(*id),
            }
        }
        Ok(Some(visible))
    }

    /// What the principal may do with a flow, deleted or not.
    pub(crate) fn rights_in(&self, principal: &Principal, id: FlowId) -> Result<Rights, TrackerError> {
        let flow = self.any_flow(id)?;
        Ok(flow.map_or(Rights::None, |flow| access::rights(principal, &flow)))
    }

    /// An execution with all its data. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`] when there is none that the principal may see.
    pub fn execution(&self, principal: &Principal, id: ExecutionId) -> Result<Execution, TrackerError> {
        self.shown(principal, self.inner.store.executions().lookup(id)?)
    }

    /// An execution with its data but without its nodes, which are not read. Blocks.
    ///
    /// # Errors
    ///
    /// As [`execution`](Self::execution).
    pub fn execution_without_nodes(
        &self,
        principal: &Principal,
        id: ExecutionId,
    ) -> Result<Execution, TrackerError> {
        self.shown(principal, self.inner.store.executions().lookup_without_nodes(id)?)
    }

    /// An execution that was found, if the principal may see it.
    fn shown(&self, principal: &Principal, found: Option<Execution>) -> Result<Execution, TrackerError> {
        let missing = TrackerError::NotFound("execution");
        let execution = found.ok_or_else(|| missing.clone())?;
        let held = self.rights_of(principal, &execution.summary)?;
        if access::may_see(principal, held, &execution.summary) { Ok(execution) } else { Err(missing) }
    }

    /// The nodes of an execution with numbers above one, with their data, by number, so many at most, and no more once their
    /// data has so many bytes. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`] when there is no execution that the principal may see.
    pub fn node_page(
        &self,
        principal: &Principal,
        id: ExecutionId,
        after: i32,
        (most, most_bytes): (usize, usize),
    ) -> Result<NodePage, TrackerError> {
        self.seen(principal, id)?;
        let nodes = self.inner.store.executions().page_nodes(id, after, most, most_bytes)?;
        nodes.ok_or(TrackerError::NotFound("execution"))
    }

    /// What an execution's data takes when it is read. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`] when there is no execution that the principal may see.
    pub fn data_size(&self, principal: &Principal, id: ExecutionId) -> Result<DataSize, TrackerError> {
        self.seen(principal, id)?;
        let size = self.inner.store.executions().data_size(id)?;
        size.ok_or(TrackerError::NotFound("execution"))
    }

    /// An execution without its data. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`] when there is none that the principal may see.
    pub fn execution_summary(
        &self,
        principal: &Principal,
        id: ExecutionId,
    ) -> Result<ExecutionSummary, TrackerError> {
        self.seen(principal, id).map(|(execution, _)| execution)
    }

    /// An execution that the principal may see, and what they may do with its flow.
    pub(super) fn seen(
        &self,
        principal: &Principal,
        id: ExecutionId,
    ) -> Result<(ExecutionSummary, Rights), TrackerError> {
        let missing = TrackerError::NotFound("execution");
        let execution = self.inner.store.executions().lookup_summary(id)?.ok_or_else(|| missing.clone())?;
        let held = self.rights_of(principal, &execution)?;
        if access::may_see(principal, held, &execution) { Ok((execution, held)) } else { Err(missing) }
    }

    pub(super) fn rights_of(
        &self,
        principal: &Principal,
        execution: &ExecutionSummary,
    ) -> Result<Rights, TrackerError> {
        // An administrator may see also what no flow guards.
        if principal.is_admin() {
            return Ok(Rights::Write);
        }
        self.rights_in(principal, execution.guarding_flow_id)
    }

    /// Asks a running execution to stop, wherever it runs. When the acknowledgement is there, the wish is durable;
    /// the process that runs the execution acts on it. Blocks until the execution is found.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`], [`TrackerError::Forbidden`] by the principal's rights; by the acknowledgement
    /// [`TrackerError::AlreadyEnded`] when there is nothing to stop.
    pub fn cancel(&self, principal: &Principal, id: ExecutionId) -> Result<Ack<()>, TrackerError> {
        let (execution, held) = self.seen(principal, id)?;
        if !access::may_steer(principal, held, &execution) {
            return Err(TrackerError::Forbidden("cancel this execution"));
        }
        let command = Command::RequestCancel { execution: id, at: self.inner.clock.now() };
        let receiver = self.inner.recorder.submit(command, Patience::Refusable);
        let inner = Arc::clone(&self.inner);
        Ok(Ack::new(receiver, move |reply| {
            reply?;
            inner.running.cancel(id);
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_a_search_did_not_get_to_is_refused() {
        let query =
            |offset| ExecutionQuery { offset, ..ExecutionQuery::newest(ExecutionFilter::default(), 21) };
        let place =
            Place { started_at: OffsetDateTime::UNIX_EPOCH, id: ExecutionId::from_uuid(uuid::Uuid::nil()) };
        let stopped = Found { searched_to: Some(place), ..Found::default() };
        let error = refuse_unreached(&query(60_000), &stopped, 3_001).unwrap_err();
        assert!(matches!(&error, TrackerError::Invalid { field, .. } if field == "page"), "{error}");
        assert!(error.to_string().contains("page 3001 lies beyond"), "{error}");
        refuse_unreached(&query(0), &stopped, 1).expect("the first page goes on by its cursor");
        refuse_unreached(&query(60_000), &Found::default(), 3_001).expect("the list ends before the page");

        let sorted = |offset| ExecutionQuery { sort: SortKey::Duration, ..query(offset) };
        let error = refuse_unreached(&sorted(60_000), &stopped, 3_001).unwrap_err();
        assert!(error.to_string().contains("page 3001 lies beyond"), "{error}");
        refuse_unreached(&sorted(0), &stopped, 1).expect("the first page tells how far was looked");
        let after = Some(Cursor::below(place, 0));
        let error = refuse_unreached(&ExecutionQuery { after, ..sorted(0) }, &stopped, 1).unwrap_err();
        assert!(matches!(&error, TrackerError::Invalid { field, .. } if field == "after"), "{error}");
        refuse_unreached(&ExecutionQuery { after, ..query(0) }, &stopped, 1).expect("a search goes on");
    }
}
