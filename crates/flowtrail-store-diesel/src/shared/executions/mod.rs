//! Executions: written by [`commit`], read by [`read`].

mod commit;
mod read;
mod rows;

pub(super) use read::status_counts;

use flowtrail_store::{Applied, Command, ExecutionStore, Refusal, StatusCounts, StoreError};
use flowtrail_types::{Execution, ExecutionId, ExecutionQuery, ExecutionSummary, FlowId, InstanceId};
use time::OffsetDateTime;

use super::DieselStore;

impl ExecutionStore for DieselStore {
    fn commit(&self, batch: &[Command]) -> Result<Vec<Result<Applied, Refusal>>, StoreError> {
        commit::commit(self, batch)
    }

    fn lookup(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        read::lookup(&mut *self.reader()?, id)
    }

    fn lookup_summary(&self, id: ExecutionId) -> Result<Option<ExecutionSummary>, StoreError> {
        read::lookup_summary(&mut *self.reader()?, id)
    }

    fn list(&self, query: &ExecutionQuery) -> Result<Vec<ExecutionSummary>, StoreError> {
        read::list(&mut *self.reader()?, query)
    }

    fn count(&self, query: &ExecutionQuery, bound: u64) -> Result<u64, StoreError> {
        read::count(&mut *self.reader()?, query, bound)
    }

    fn status_counts(&self, flow: Option<FlowId>) -> Result<StatusCounts, StoreError> {
        read::status_counts(&mut *self.reader()?, flow)
    }

    fn list_pending(&self, instance: InstanceId, limit: u32) -> Result<Vec<ExecutionId>, StoreError> {
        read::list_pending(&mut *self.reader()?, instance, limit)
    }

    fn list_overdue(&self, now: OffsetDateTime, limit: u32) -> Result<Vec<ExecutionId>, StoreError> {
        read::list_overdue(&mut *self.reader()?, now, limit)
    }

    fn list_cancel_requested(&self, instance: InstanceId) -> Result<Vec<ExecutionId>, StoreError> {
        read::list_cancel_requested(&mut *self.reader()?, instance)
    }
}
