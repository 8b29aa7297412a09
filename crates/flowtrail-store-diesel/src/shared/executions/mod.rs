//! Executions: written by [`commit`], listed by [`list`], [`walk`] and [`merge`], read by [`lookup`], packed by [`pack`].

mod by_duration;
mod by_end;
mod commit;
mod conditions;
mod housekeeping;
mod last;
mod list;
mod lookup;
mod merge;
mod named;
mod pack;
mod rows;
mod seek;
mod statements;
mod tagged;
mod walk;

pub(crate) use list::newest;
pub(crate) use pack::unpack_all;
pub(crate) use rows::{EndRow, NewExecutionRow, NewPayloadRow};

use flowtrail_store::{
    Applied, Command, Counted, DataSize, EndedPage, EndedQuery, ExecutionStore, ForeignWrites, Found,
    ImportedOf, NewPrune, NodePage, PendingExecution, PruneStep, Refusal, StatusCounts, StoreError,
};
use flowtrail_types::{
    Digest, Execution, ExecutionId, ExecutionQuery, ExecutionSummary, FlowId, InstanceId, NodeExecution,
    StatsQuery, StatsScope, Step, Tally,
};
use time::OffsetDateTime;

use super::backend::Conn;
use super::{DieselStore, prune, statistics};
use crate::columns::Id;

/// Reads an execution whole, and fails when anything of it makes no sense.
pub(super) fn check(conn: &mut Conn, id: Id) -> Result<(), StoreError> {
    lookup::check(conn, ExecutionId::from_uuid(id.0))
}

impl ExecutionStore for DieselStore {
    fn commit(&self, batch: &[Command]) -> Result<Vec<Result<Applied, Refusal>>, StoreError> {
        let outcomes = commit::commit(self, batch)?;
        self.flush()?;
        Ok(outcomes)
    }

    fn commit_unflushed(&self, batch: &[Command]) -> Result<Vec<Result<Applied, Refusal>>, StoreError> {
        commit::commit(self, batch)
    }

    fn flush(&self) -> Result<(), StoreError> {
        super::backend::flush(self)
    }

    fn lookup(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        self.read(|conn| lookup::lookup(conn, id, true))
    }

    fn lookup_without_nodes(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        self.read(|conn| lookup::lookup(conn, id, false))
    }

    fn lookup_summary(&self, id: ExecutionId) -> Result<Option<ExecutionSummary>, StoreError> {
        self.read(|conn| lookup::lookup_summary(conn, id))
    }

    fn lookup_summaries(&self, ids: &[ExecutionId]) -> Result<Vec<ExecutionSummary>, StoreError> {
        self.read(|conn| lookup::lookup_summaries(conn, ids))
    }

    fn list_by_end(
        &self,
        flow: FlowId,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<ExecutionSummary>, StoreError> {
        self.read(|conn| by_end::list(conn, flow, offset, limit))
    }

    fn list_nodes(&self, id: ExecutionId) -> Result<Vec<NodeExecution>, StoreError> {
        lookup::nodes_without_data(&mut *self.reader()?, id)
    }

    fn count_nodes(&self, id: ExecutionId) -> Result<usize, StoreError> {
        lookup::count_nodes(&mut *self.reader()?, id)
    }

    fn page_nodes(
        &self,
        id: ExecutionId,
        after: i32,
        most: usize,
        most_bytes: usize,
    ) -> Result<Option<NodePage>, StoreError> {
        self.read(|conn| lookup::page_nodes(conn, id, after, (most, most_bytes)))
    }

    fn data_size(&self, id: ExecutionId) -> Result<Option<DataSize>, StoreError> {
        self.read(|conn| lookup::data_size(conn, id))
    }

    fn tell_of_deletion(&self) -> Result<(), StoreError> {
        self.write(|conn, _| super::super::company::tell_of_deletion(self.own(), conn))
    }

    fn list(&self, query: &ExecutionQuery) -> Result<Found, StoreError> {
        self.read(|conn| list::list(conn, query))
    }

    fn count(&self, query: &ExecutionQuery, bound: u32) -> Result<Counted, StoreError> {
        self.read(|conn| list::count(conn, query, bound))
    }

    fn status_counts(&self, scope: &StatsScope) -> Result<StatusCounts, StoreError> {
        self.read(|conn| statistics::status_counts(conn, scope))
    }

    fn tally(&self, query: &StatsQuery) -> Result<Tally, StoreError> {
        self.read(|conn| statistics::tally(conn, query))
    }

    fn tally_by(&self, query: &StatsQuery, step: Step) -> Result<Vec<(OffsetDateTime, Tally)>, StoreError> {
        self.read(|conn| statistics::tally_by(conn, query, step))
    }

    fn last_started_at(&self, query: &StatsQuery) -> Result<Option<OffsetDateTime>, StoreError> {
        self.read(|conn| last::last_started_at(conn, query))
    }

    fn last_started_by(
        &self,
        query: &StatsQuery,
        step: Step,
    ) -> Result<Vec<(OffsetDateTime, OffsetDateTime)>, StoreError> {
        self.read(|conn| last::last_started_by(conn, query, step))
    }

    fn last_recorded_at(&self) -> Result<Option<OffsetDateTime>, StoreError> {
        statistics::last_recorded_at(&mut *self.reader()?)
    }

    fn foreign_writes(&self) -> Result<ForeignWrites, StoreError> {
        super::super::company::foreign_writes(self)
    }

    fn delete(&self, ids: &[ExecutionId]) -> Result<Vec<ExecutionId>, StoreError> {
        prune::delete(self, ids)
    }

    fn begin_prune(&self, wish: &NewPrune) -> Result<u64, StoreError> {
        prune::begin(self, wish)
    }

    fn continue_prune(&self, limit: u32) -> Result<PruneStep, StoreError> {
        prune::step(self, limit)
    }

    fn list_ended(&self, query: &EndedQuery) -> Result<EndedPage, StoreError> {
        self.read(|conn| list::list_ended(conn, query))
    }

    fn imported_since(&self, since: OffsetDateTime) -> Result<Vec<ImportedOf>, StoreError> {
        list::imported_since(&mut *self.reader()?, since)
    }

    fn pack(&self, ended_before: OffsetDateTime, limit: u32) -> Result<usize, StoreError> {
        pack::pack(self, ended_before, limit)
    }

    fn list_pending(&self, instance: InstanceId, limit: u32) -> Result<Vec<PendingExecution>, StoreError> {
        housekeeping::list_pending(&mut *self.reader()?, instance, limit)
    }

    fn list_overdue(&self, now: OffsetDateTime, limit: u32) -> Result<Vec<PendingExecution>, StoreError> {
        housekeeping::list_overdue(&mut *self.reader()?, now, limit)
    }

    fn list_waiting(&self, key: &Digest, limit: u32) -> Result<Vec<ExecutionId>, StoreError> {
        housekeeping::list_waiting(&mut *self.reader()?, key, limit)
    }

    fn list_cancel_requested(&self, instance: InstanceId) -> Result<Vec<ExecutionId>, StoreError> {
        housekeeping::list_cancel_requested(&mut *self.reader()?, instance)
    }
}
