//! Executions, as a store answers for them.

use flowtrail_types::{
    Digest, Execution, ExecutionId, ExecutionQuery, ExecutionSummary, FlowId, InstanceId, NodeExecution,
    Payload, Place, Source, StatsQuery, StatsScope, Step, Tally,
};
use std::time::Duration;

use time::OffsetDateTime;

use crate::{
    Applied, Command, Damage, EndedPage, EndedQuery, ImportedOf, NewPrune, PruneStep, Refusal, StoreError,
};

/// Executions and their history.
pub trait ExecutionStore: Send + Sync {
    /// Writes a batch of commands, in their order, in one transaction. When this returns, what was written
    /// survives the death of the process, as far as the store survives it at all.
    ///
    /// A command that breaks a rule gets its own refusal and leaves nothing behind; the rest is written.
    ///
    /// # Errors
    ///
    /// When nothing of the batch was written.
    fn commit(&self, batch: &[Command]) -> Result<Vec<Result<Applied, Refusal>>, StoreError>;

    /// The same, but what was written is sure to survive only when a [`flush`](Self::flush) has returned that was called
    /// afterwards. Until then it can be read already. For stores that write one batch while the disk takes the last one.
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit).
    fn commit_unflushed(&self, batch: &[Command]) -> Result<Vec<Result<Applied, Refusal>>, StoreError> {
        self.commit(batch)
    }

    /// Waits until the disk has all that was written before.
    ///
    /// # Errors
    ///
    /// When it refuses. Nothing that was written since the last flush may be acknowledged then.
    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// An execution with all its data.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn lookup(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError>;

    /// An execution without its data.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn lookup_summary(&self, id: ExecutionId) -> Result<Option<ExecutionSummary>, StoreError>;

    /// The nodes of an execution that runs still, without their data, by number.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn list_nodes(&self, id: ExecutionId) -> Result<Vec<NodeExecution>, StoreError> {
        let mut nodes = self.lookup(id)?.map_or_else(Vec::new, |execution| execution.node_executions);
        for node in &mut nodes {
            (node.input_data, node.output_data) = (None, None);
        }
        Ok(nodes)
    }

    /// Number of stored nodes of an execution that runs still.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn count_nodes(&self, id: ExecutionId) -> Result<usize, StoreError> {
        Ok(self.list_nodes(id)?.len())
    }

    /// The nodes of an execution with numbers above one, by number, so many at most, and no more once their data has so many
    /// bytes. None when there is no such execution.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn page_nodes(
        &self,
        id: ExecutionId,
        after: i32,
        most: usize,
        most_bytes: usize,
    ) -> Result<Option<NodePage>, StoreError> {
        let Some(execution) = self.lookup(id)? else { return Ok(None) };
        let later = execution.node_executions.into_iter().filter(|node| node.seq > after);
        Ok(Some(NodePage::of(later, most, most_bytes)))
    }

    /// An execution with its data but without its nodes. None when there is no such execution.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn lookup_without_nodes(&self, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
        let without = |execution| Execution { node_executions: Vec::new(), ..execution };
        Ok(self.lookup(id)?.map(without))
    }

    /// What an execution's data takes when it is read. None when there is no such execution.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn data_size(&self, id: ExecutionId) -> Result<Option<DataSize>, StoreError> {
        let size = |execution: Execution| {
            let whole = [&execution.initial_params, &execution.outputs, &execution.meta];
            let whole: usize = whole.into_iter().flatten().map(Payload::size).sum();
            DataSize {
                bytes: whole + execution.node_executions.iter().map(size_of_node).sum::<usize>(),
                is_one_piece: true,
            }
        };
        Ok(self.lookup(id)?.map(size))
    }

    /// Has other processes told that something was deleted, so that who watches looks at everything again.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn tell_of_deletion(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Those of some executions that are there, without their data, in any order.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn lookup_summaries(&self, ids: &[ExecutionId]) -> Result<Vec<ExecutionSummary>, StoreError> {
        ids.iter().filter_map(|id| self.lookup_summary(*id).transpose()).collect()
    }

    /// One page, newest first by start, then by id. Reads no payload, and no more rows than a bound: a filter that
    /// has no index of its own may stop before the page is full, and then tells how far it got.
    ///
    /// A text that is the whole id of an execution that is found by the other filters gives that one alone, and one that
    /// is the id of a flow gives that flow's executions, however long the history is.
    ///
    /// Sorted by duration are the newest executions that the filter finds, as far as a bounded search goes, and the page is
    /// one of those.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn list(&self, query: &ExecutionQuery) -> Result<Found, StoreError>;

    /// The executions of a flow that have ended, those that ended last first, so many of them after so many others. Reads no
    /// payload. The cost grows with how many are passed over.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn list_by_end(&self, flow: FlowId, offset: u64, limit: u32)
    -> Result<Vec<ExecutionSummary>, StoreError>;

    /// How many executions a query finds, looking at no more than `bound`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn count(&self, query: &ExecutionQuery, bound: u32) -> Result<Counted, StoreError>;

    /// How many executions stand in each status, from counters that are kept in the transactions that write
    /// executions.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn status_counts(&self, scope: &StatsScope) -> Result<StatusCounts, StoreError>;

    /// What is counted of the executions that began in some hours, from the same counters. The cost is the number of
    /// days and hours at the edges that are asked for, not the number of executions.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn tally(&self, query: &StatsQuery) -> Result<Tally, StoreError>;

    /// The same for each hour or day in which there is something, oldest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn tally_by(&self, query: &StatsQuery, step: Step) -> Result<Vec<(OffsetDateTime, Tally)>, StoreError>;

    /// When the newest execution began that is there, of those that began in the hours of a query.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn last_started_at(&self, query: &StatsQuery) -> Result<Option<OffsetDateTime>, StoreError>;

    /// The same for each hour or day in which there is one, oldest first: when the hour or day began, and the execution.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn last_started_by(
        &self,
        query: &StatsQuery,
        step: Step,
    ) -> Result<Vec<(OffsetDateTime, OffsetDateTime)>, StoreError>;

    /// When the execution was recorded that was recorded last. What is recorded by the same process after it was asked
    /// has a later time.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn last_recorded_at(&self) -> Result<Option<OffsetDateTime>, StoreError>;

    /// Which executions other processes have written to since this was last asked, so that who watches can look at them.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn foreign_writes(&self) -> Result<ForeignWrites, StoreError>;

    /// Deletes executions, in one transaction, and tells which. Pending ones stay, and those that are not there are no
    /// error.
    ///
    /// # Errors
    ///
    /// When nothing was deleted.
    fn delete(&self, ids: &[ExecutionId]) -> Result<Vec<ExecutionId>, StoreError>;

    /// Takes the older part of the history of a flow, or of all, out of every answer and every statistic, at once,
    /// whatever its size, and tells how many executions that were. Their rows go by
    /// [`continue_prune`](Self::continue_prune). What is pending now stays, and so does what is recorded from now on,
    /// whenever it began. It waits until the rows are deleted of one that reaches further and goes on.
    ///
    /// # Errors
    ///
    /// When nothing was taken out; [`StoreError::Internal`] for a wish that [`NewPrune::check`] refuses.
    fn begin_prune(&self, prune: &NewPrune) -> Result<u64, StoreError>;

    /// Deletes the rows of at most so many executions that were taken out, in one transaction.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn continue_prune(&self, limit: u32) -> Result<PruneStep, StoreError>;

    /// Executions that ended, oldest first.
    ///
    /// # Errors
    ///
    /// When the database does not answer, or a row is corrupt.
    fn list_ended(&self, query: &EndedQuery) -> Result<EndedPage, StoreError>;

    /// How many executions of which flows were restored from exports since this time. Cheap when there are none.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn imported_since(&self, since: OffsetDateTime) -> Result<Vec<ImportedOf>, StoreError>;

    /// Packs the data of at most so many executions that ended before this time and whose data is not packed yet, in
    /// one transaction, and tells how many.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn pack(&self, ended_before: OffsetDateTime, limit: u32) -> Result<usize, StoreError>;

    /// The pending executions of a process, oldest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn list_pending(&self, instance: InstanceId, limit: u32) -> Result<Vec<PendingExecution>, StoreError>;

    /// The pending executions that no process runs and whose deadline has passed, at most `limit`. What a process runs it
    /// judges itself, by a clock that does not jump.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn list_overdue(&self, now: OffsetDateTime, limit: u32) -> Result<Vec<PendingExecution>, StoreError>;

    /// The pending executions that wait for a message under a key, oldest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn list_waiting(&self, key: &Digest, limit: u32) -> Result<Vec<ExecutionId>, StoreError>;

    /// The pending executions of a process that somebody asked to stop.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    fn list_cancel_requested(&self, instance: InstanceId) -> Result<Vec<ExecutionId>, StoreError>;
}

/// A pending execution, as far as its end may have to be inferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingExecution {
    /// Its id.
    pub id: ExecutionId,
    /// When it is taken for dead if nothing is heard until then.
    pub deadline_at: OffsetDateTime,
    /// For how long it may be silent, when its reporter asked for a lease.
    pub lease: Option<Duration>,
    /// Who reports it.
    pub source: Source,
}

/// How many executions are sorted, at most, for a list that is sorted by something that no index has in order.
pub const MOST_SORTED: u32 = 20_000;

/// What an execution's data takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataSize {
    /// In bytes of JSON.
    pub bytes: usize,
    /// True when all of it is read for any part of it.
    pub is_one_piece: bool,
}

/// Some nodes of an execution.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NodePage {
    /// They, by number.
    pub nodes: Vec<NodeExecution>,
    /// True when more come after them.
    pub has_more: bool,
}

impl NodePage {
    /// The first ones, so many at most, and no more once their data has so many bytes.
    pub fn of(nodes: impl IntoIterator<Item = NodeExecution>, most: usize, most_bytes: usize) -> Self {
        let mut page = Self::default();
        let mut bytes = 0;
        for node in nodes {
            if page.nodes.len() >= most || bytes >= most_bytes {
                page.has_more = true;
                break;
            }
            bytes += size_of_node(&node);
            page.nodes.push(node);
        }
        page
    }
}

fn size_of_node(node: &NodeExecution) -> usize {
    [&node.input_data, &node.output_data].into_iter().flatten().map(Payload::size).sum()
}

/// A page of executions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// They.
    pub items: Vec<ExecutionSummary>,
    /// How far was searched, when the search stopped before the page was full though more may come. Without items it may not
    /// even have reached the page that was asked for by its number.
    pub searched_to: Option<Place>,
    /// How many were sorted, where the list is sorted by something that no index has in order. Exact when they are all that
    /// there are; otherwise `searched_to` tells where the oldest of them stands.
    pub sorted: Option<Counted>,
    /// The rows of the page that are left out because they are damaged.
    pub damaged: Vec<Damage>,
}

/// What other processes have written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ForeignWrites {
    /// The executions that they wrote to.
    pub executions: Vec<ExecutionId>,
    /// Whether there may be more: then whoever watches has to look at everything again.
    pub missed: bool,
}

/// A number of executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// How many there are, or at least.
    pub count: u64,
    /// Whether there are no more.
    pub is_exact: bool,
}

/// How many executions stand in each status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusCounts {
    /// Not ended.
    pub pending: u64,
    /// Ended as they should.
    pub fulfilled: u64,
    /// Failed.
    pub error: u64,
    /// Stopped.
    pub aborted: u64,
    /// Calls among the failed ones that were rejected before they ran.
    pub rejected: u64,
}

impl StatusCounts {
    /// Those of a tally.
    #[must_use]
    pub fn of_tally(tally: &Tally) -> Self {
        let count = |value: i64| u64::try_from(value).unwrap_or(0);
        Self {
            pending: count(tally.pending),
            fulfilled: count(tally.fulfilled),
            error: count(tally.error),
            aborted: count(tally.aborted),
            rejected: count(tally.rejected),
        }
    }

    /// Fulfilled among fulfilled and failed, 0 to 1, without rejected ones; nothing without either.
    #[must_use]
    pub fn success_rate(&self) -> Option<f64> {
        let judged = (self.fulfilled + self.error).saturating_sub(self.rejected);
        #[expect(clippy::cast_precision_loss, reason = "a rate of less than 2^53 executions")]
        let rate = (judged > 0).then(|| self.fulfilled as f64 / judged as f64);
        rate
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.pending + self.fulfilled + self.error + self.aborted
    }

    /// Those with one status.
    #[must_use]
    pub fn of(&self, status: flowtrail_types::ExecutionStatus) -> u64 {
        use flowtrail_types::ExecutionStatus::{Aborted, Error, Fulfilled, Pending};
        match status {
            Pending => self.pending,
            Fulfilled => self.fulfilled,
            Error => self.error,
            Aborted => self.aborted,
        }
    }
}
