//! What one process does for all that share a database, in small steps: retention, deleting the rows of what was pruned,
//! packing what has ended, giving back space.

mod spared;
mod thread;

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Duration;

use flowtrail_store::{Ended, EndedQuery, NewPrune, Store, StoreError};
use flowtrail_types::{
    AuditAction, AuditQuery, ExecutionId, ExecutionStatus, Flow, FlowId, Place, Retention, StatsQuery,
    StatsScope,
};
use time::OffsetDateTime;

use crate::service::AT_ONCE;
use crate::tracker::Inner;
use crate::{Tracker, TrackerError};

use spared::Spared;
use thread::Signal;
pub(crate) use thread::{UpkeepSignal, UpkeepThread};

/// What one round of upkeep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept {
    /// Executions that retention rules took away.
    pub pruned: u64,
    /// Executions that were deleted to stay below the ceiling of the disk.
    pub evicted: u64,
    /// Executions whose rows were deleted that had been taken away before.
    pub deleted: u64,
    /// Executions whose data was packed.
    pub packed: u64,
    /// Bytes that were given back to the file system.
    pub given_back: u64,
    /// Whether there are more rows to delete of what was taken away.
    pub is_pruning: bool,
}

impl Kept {
    /// Whether nothing was done but giving back space.
    fn is_at_rest(self) -> bool {
        !self.is_pruning && self.pruned + self.evicted + self.deleted + self.packed == 0
    }

    fn is_idle(self) -> bool {
        !self.is_pruning && self.evicted + self.deleted + self.packed + self.given_back == 0
    }
}

/// Where retention stopped looking for what has come of age, so that it need not look again at what it has kept.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// By flow, whether failed ones are looked for, and the age that is asked for.
    looked: HashMap<(Option<FlowId>, bool, Duration), Place>,
    /// When it was forgotten last. What was pending then, or came late, is found when all is looked at again.
    begun_at: Option<OffsetDateTime>,
}

/// From so many executions on that are too old, retention takes them out of every answer at once.
const MANY: u64 = 5_000;

/// How often retention looks at everything again.
const LOOK_AGAIN: time::Duration = time::Duration::hours(1);

/// How long an execution must have ended before its data is packed: a retry or a late node finds it unpacked.
const PACKED_AFTER: time::Duration = time::Duration::seconds(5);
/// How many executions' rows are deleted in one transaction when somebody waits for it.
const ROWS_AT_ONCE: u32 = 1_000;
/// How many executions are packed in one transaction.
const PACKED_AT_ONCE: u32 = 200;
/// How many bytes are given back in one transaction.
const GIVEN_BACK_AT_ONCE: u64 = 4 << 20;
/// Space that is left for what comes next rather than given back and asked for again.
const KEPT_FREE: u64 = 8 << 20;

impl Tracker {
    /// Does one whole round of upkeep now, whichever process it is the job of, and tells what was done. Blocks.
    ///
    /// # Errors
    ///
    /// When the store does not answer; what was done until then stays done.
    pub fn keep_up(&self) -> Result<Kept, TrackerError> {
        let mut kept = Kept::default();
        self.inner.apply_retention(&mut kept)?;
        loop {
            let before = kept;
            self.inner.stay_below_ceiling(&mut kept)?;
            let step = self.inner.store.executions().continue_prune(ROWS_AT_ONCE)?;
            kept.deleted += step.deleted;
            self.inner.pack(&mut kept)?;
            if step.is_done && kept == before {
                break;
            }
        }
        self.inner.give_back(&mut kept, 0)?;
        kept.given_back += self.inner.store.upkeep().settle()?;
        Ok(kept)
    }

    /// Deletes the rows of at most so many executions that were taken out of every answer before, and tells how many went
    /// and whether that were all. The upkeep does so by itself. Blocks.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub fn continue_prune(&self) -> Result<(u64, bool), TrackerError> {
        let step = self.inner.store.executions().continue_prune(ROWS_AT_ONCE)?;
        Ok((step.deleted, step.is_done))
    }
}

impl Inner {
    /// Says that there is something to do at once.
    pub(crate) fn upkeep_wanted(&self) {
        let (is_wanted, wake) = &*self.upkeep_signal;
        *is_wanted.lock().unwrap_or_else(PoisonError::into_inner) = Signal::Wanted;
        wake.notify_all();
    }

    /// Deletes what the rules no longer keep.
    fn apply_retention(&self, kept: &mut Kept) -> Result<(), TrackerError> {
        let now = self.clock.now();
        {
            let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
            if progress.begun_at.is_none_or(|begun_at| now - begun_at >= LOOK_AGAIN) {
                *progress = Progress { looked: HashMap::new(), begun_at: Some(now) };
            }
        }
        let spared = Spared::find(&*self.store, now)?;
        let flows = self.store.flows().list_all()?;
        let own: Vec<&Flow> = flows.iter().filter(|flow| flow.retention.is_some()).collect();
        for flow in &own {
            if let Some(rules) = &flow.retention {
                self.apply_rules(Some(flow.id), rules, &[], (now, &spared), kept)?;
            }
        }
        if !self.retention.keeps_all() {
            // A flow with rules of its own goes by those.
            let excepted: Vec<FlowId> = own.iter().map(|flow| flow.id).collect();
            self.apply_rules(None, &self.retention, &excepted, (now, &spared), kept)?;
        }
        self.thin_audit_log(now)
    }

    /// Deletes entries of the audit log that are older than they are kept.
    fn thin_audit_log(&self, now: OffsetDateTime) -> Result<(), TrackerError> {
        let Some(age) = self.audit_retention else { return Ok(()) };
        let before = now - age;
        // The last login stays: whoever has logged in is not shown how.
        let logins = AuditQuery { action: Some(AuditAction::LoggedIn), user: None, before: None, limit: 1 };
        let last_login = self.store.audit().list(&logins)?.first().map(|entry| entry.id);
        loop {
            let deleted = self.store.audit().delete_before(before, last_login, AT_ONCE)?;
            if deleted < AT_ONCE as usize {
                return Ok(());
            }
        }
    }

    /// Applies the rules of one flow, or those that hold for all others together.
    fn apply_rules(
        &self,
        flow: Option<FlowId>,
        rules: &Retention,
        excepted: &[FlowId],
        (now, spared): (OffsetDateTime, &Spared),
        kept: &mut Kept,
    ) -> Result<(), TrackerError> {
        if let Some(age) = rules.max_age {
            // Failed ones may be kept for another time.
            let with_errors = rules.max_error_age.is_none();
            let wanted = move |status| with_errors || status != ExecutionStatus::Error;
            // What is spared stands among what would go at once.
            if flow.is_none() && excepted.is_empty() && with_errors && spared.is_empty() {
                self.prune_if_many(age.0, now, kept)?;
            }
            self.delete_older((flow, false, age.0), (now, spared), &wanted, excepted, kept)?;
        }
        if let Some(age) = rules.max_error_age {
            let wanted = |status| status == ExecutionStatus::Error;
            self.delete_older((flow, true, age.0), (now, spared), &wanted, excepted, kept)?;
        }
        match (rules.max_count, flow) {
            (Some(most), Some(id)) if spared.count(flow, &[]) > 0 => {
                let of_flow = StatsScope::Flows(vec![id]);
                let over = |inner: &Self| {
                    let count = inner.count_of(&of_flow)?.saturating_sub(spared.count(flow, &[]));
                    Ok(count.saturating_sub(most))
                };
                self.delete_oldest_while((flow, &[]), spared, over, |_| 1, kept)?;
            }
            (Some(most), Some(id)) => {
                if self.count_of(&StatsScope::Flows(vec![id]))? > most {
                    // The newest that goes stands where so many newer ones stand before it.
                    if most == 0 {
                        kept.pruned += self.prune(id, None)?;
                    } else if let Some(place) = self.place_of(id, most - 1)? {
                        kept.pruned += self.prune(id, Some(place))?;
                    }
                }
            }
            (Some(most), None) => {
                let others = StatsScope::Flows(excepted.to_vec());
                let over = |inner: &Self| {
                    let count = inner.count_of(&StatsScope::All)?.saturating_sub(inner.count_of(&others)?);
                    Ok(count.saturating_sub(spared.count(None, excepted)).saturating_sub(most))
                };
                self.delete_oldest_while((None, excepted), spared, over, |_| 1, kept)?;
            }
            (None, _) => {}
        }
        if let Some(most) = rules.max_bytes {
            let scope = flow.map_or(StatsScope::All, |flow| StatsScope::Flows(vec![flow]));
            let others = StatsScope::Flows(excepted.to_vec());
            let over = move |inner: &Self| {
                let bytes = inner.bytes_of(&scope)? - inner.bytes_of(&others)? - spared.bytes(flow, excepted);
                Ok(u64::try_from(bytes).unwrap_or(0).saturating_sub(most))
            };
            self.delete_oldest_while((flow, excepted), spared, over, bytes_of, kept)?;
        }
        Ok(())
    }

    fn bytes_of(&self, scope: &StatsScope) -> Result<i64, StoreError> {
        let query = StatsQuery { scope: scope.clone(), ..StatsQuery::of_all() };
        Ok(self.store.executions().tally(&query)?.bytes)
    }

    fn count_of(&self, scope: &StatsScope) -> Result<u64, StoreError> {
        Ok(self.store.executions().status_counts(scope)?.total())
    }

    /// Takes what is older than an age out of every answer at once if that is much, instead of deleting it piece by piece.
    fn prune_if_many(&self, age: Duration, now: OffsetDateTime, kept: &mut Kept) -> Result<(), TrackerError> {
        let before = now - age;
        if self.count_ended_in_hours_before(before)? < MANY {
            return Ok(());
        }
        let executions = self.store.executions();
        // It might have to wait for the end of a prune that reaches further.
        let step = executions.continue_prune(AT_ONCE)?;
        kept.deleted += step.deleted;
        if step.is_done {
            kept.pruned += executions.begin_prune(&NewPrune::of_all(before))?;
        }
        Ok(())
    }

    /// Deletes what ended and is older than an age, from where the last round stopped.
    fn delete_older(
        &self,
        key: (Option<FlowId>, bool, Duration),
        (now, spared): (OffsetDateTime, &Spared),
        wanted: &dyn Fn(ExecutionStatus) -> bool,
        excepted: &[FlowId],
        kept: &mut Kept,
    ) -> Result<(), TrackerError> {
        let executions = self.store.executions();
        let (flow, _, age) = key;
        let mut query = EndedQuery {
            flow,
            before: Some(now - age),
            after: None,
            spare_imported_since: Some(spared.since),
            limit: AT_ONCE,
        };
        let looked = || self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        query.after = looked().looked.get(&key).copied();
        loop {
            let page = executions.list_ended(&query)?;
            let ids: Vec<ExecutionId> = page
                .items
                .iter()
                .filter(|ended| wanted(ended.status) && !excepted.contains(&ended.flow))
                .map(Ended::id)
                .collect();
            kept.pruned += executions.delete(&ids)?.len() as u64;
            let Some(place) = page.searched_to else { return Ok(()) };
            query.after = Some(place);
            looked().looked.insert(key, place);
        }
    }

    /// Deletes the oldest as long as `over` tells that there is too much, and no more of them than weigh as much as that.
    fn delete_oldest_while(
        &self,
        (flow, excepted): (Option<FlowId>, &[FlowId]),
        spared: &Spared,
        over: impl Fn(&Self) -> Result<u64, TrackerError>,
        weight: impl Fn(&Ended) -> u64,
        kept: &mut Kept,
    ) -> Result<(), TrackerError> {
        let executions = self.store.executions();
        let mut after = None;
        loop {
            let excess = over(self)?;
            if excess == 0 {
                return Ok(());
            }
            let spare_imported_since = Some(spared.since);
            let query = EndedQuery { flow, before: None, after, spare_imported_since, limit: AT_ONCE };
            let page = executions.list_ended(&query)?;
            let oldest = Oldest::worth(&page.items, excepted, excess, &weight);
            kept.pruned += executions.delete(&oldest.ids)?.len() as u64;
            match oldest.last.or(page.searched_to) {
                Some(place) => after = Some(place),
                None => return Ok(()),
            }
        }
    }

    fn stay_below_ceiling(&self, kept: &mut Kept) -> Result<(), StoreError> {
        if let Some(ceiling) = self.max_disk {
            kept.evicted += make_room(&*self.store, self.clock.now(), ceiling)?;
        }
        Ok(())
    }

    fn pack(&self, kept: &mut Kept) -> Result<(), StoreError> {
        let ended_before = self.clock.now() - PACKED_AFTER;
        let packed = self.store.executions().pack(ended_before, PACKED_AT_ONCE)?;
        kept.packed += packed as u64;
        Ok(())
    }

    fn give_back(&self, kept: &mut Kept, keep_free: u64) -> Result<(), StoreError> {
        let upkeep = self.store.upkeep();
        loop {
            let free = upkeep.bytes_to_give_back()?;
            if free <= keep_free {
                return Ok(());
            }
            let given = upkeep.give_back(GIVEN_BACK_AT_ONCE.min(free - keep_free))?;
            kept.given_back += given;
            if given == 0 {
                return Ok(());
            }
        }
    }
}

/// What the data of an execution takes.
fn bytes_of(ended: &Ended) -> u64 {
    u64::try_from(ended.bytes).unwrap_or(0)
}

/// The oldest executions that have to go.
#[derive(Debug, PartialEq, Eq)]
struct Oldest {
    ids: Vec<ExecutionId>,
    /// Where the last of them stands, when they are enough and others follow.
    last: Option<Place>,
}

impl Oldest {
    /// Takes as many of the oldest as together weigh as much as has to go. Those that weigh nothing and stand before them go
    /// too: what stays is always the newest.
    fn worth(items: &[Ended], excepted: &[FlowId], excess: u64, weight: impl Fn(&Ended) -> u64) -> Self {
        let mut oldest = Self { ids: Vec::new(), last: None };
        let mut sum = 0u64;
        for ended in items.iter().filter(|ended| !excepted.contains(&ended.flow)) {
            oldest.ids.push(ended.id());
            sum = sum.saturating_add(weight(ended));
            if sum >= excess {
                oldest.last = Some(ended.place);
                break;
            }
        }
        oldest
    }
}

/// About what an execution takes in a SQLite file beside its packed data: its rows and their share of the indexes.
const ROW_BYTES: u64 = 1_000;

/// Deletes the oldest executions while the database has more in use than leaves room for what comes next, and tells how
/// many that were. What was restored a moment ago goes last: the ceiling is held all the same.
pub(crate) fn make_room(store: &dyn Store, now: OffsetDateTime, ceiling: u64) -> Result<u64, StoreError> {
    // A quarter, at most 64 MiB, is the log's; a tenth of the rest is kept free.
    let limit = (ceiling - (ceiling / 4).min(64 << 20)) / 10 * 9;
    // Somewhat more goes than has to, so that not every batch has to make room for itself.
    let slack = (ceiling / 64).min(1 << 20);
    let executions = store.executions();
    let mut evicted = 0;
    let mut after = None;
    let mut spare_imported_since = None;
    let mut is_first = true;
    let mut rows_help = true;
    // Of those that are not packed yet nobody knows what they take: ever more of them are tried.
    let mut unpacked = 1;
    loop {
        let in_use = store.upkeep().bytes_in_use()?;
        if in_use <= limit {
            break;
        }
        // What was taken out of every answer goes first: nobody misses it. Where it no longer counts, it waits its turn.
        if rows_help && executions.continue_prune(AT_ONCE)?.deleted > 0 {
            rows_help = store.upkeep().bytes_in_use()? < in_use;
            continue;
        }
        if std::mem::take(&mut is_first) {
            let spared = Spared::find(store, now)?;
            spare_imported_since = (!spared.is_empty()).then_some(spared.since);
        }
        let query = EndedQuery { flow: None, before: None, after, spare_imported_since, limit: AT_ONCE };
        let page = executions.list_ended(&query)?;
        let packed = page.items.iter().take_while(|ended| ended.bytes > 0).count();
        let oldest = if packed > 0 {
            let excess = in_use - limit + slack;
            Oldest::worth(&page.items[..packed], &[], excess, |ended| bytes_of(ended) + ROW_BYTES)
        } else {
            let tried = unpacked;
            unpacked *= 2;
            Oldest::worth(&page.items, &[], tried, |_| 1)
        };
        evicted += executions.delete(&oldest.ids)?.len() as u64;
        let last = page.items.get(oldest.ids.len().saturating_sub(1)).map(|ended| ended.place);
        match last.filter(|_| !oldest.ids.is_empty()).or(page.searched_to) {
            Some(place) => after = Some(place),
            // There is nothing else left.
            None if spare_imported_since.take().is_some() => after = None,
            None => break,
        }
    }
    Ok(evicted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(number: u128, bytes: i64) -> Ended {
        let id = ExecutionId::from_uuid(uuid::Uuid::from_u128(number));
        let started_at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(number).unwrap());
        let flow = FlowId::from_uuid(uuid::Uuid::from_u128(number % 2));
        Ended { place: Place { started_at, id }, flow, status: ExecutionStatus::Fulfilled, bytes }
    }

    #[test]
    fn no_more_go_than_have_to() {
        let items = [ended(1, 100), ended(2, 0), ended(3, 100), ended(4, 100)];
        let worth = |excess| Oldest::worth(&items, &[], excess, bytes_of);
        for (excess, taken) in [(1, 1), (100, 1), (101, 3), (200, 3), (201, 4)] {
            let oldest = worth(excess);
            assert_eq!(oldest.ids.len(), taken, "{excess}");
            assert_eq!(oldest.last, Some(items[taken - 1].place), "{excess}");
        }
        assert_eq!(
            (worth(1_000).ids.len(), worth(1_000).last),
            (4, None),
            "there are not enough on this page"
        );
        let excepted = Oldest::worth(&items, &[FlowId::from_uuid(uuid::Uuid::from_u128(1))], 100, bytes_of);
        assert_eq!(excepted.ids, [items[1].id(), items[3].id()]);
    }
}
