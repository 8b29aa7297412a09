//! What the housekeeping asks about executions that are pending.

use std::time::Duration;

use diesel::prelude::*;
use flowtrail_store::{PendingExecution, StoreError};
use flowtrail_types::{Digest, ExecutionId, InstanceId};
use time::OffsetDateTime;

use super::super::backend::{self, Conn};
use super::super::corrupt;
use super::super::damage::only_sound;
use super::super::schema::{executions, waiting_calls};
use crate::columns::{At, Id};

pub(super) fn list_pending(
    conn: &mut Conn,
    instance: InstanceId,
    limit: u32,
) -> Result<Vec<PendingExecution>, StoreError> {
    pending(
        executions::table
            .filter(executions::deadline_at.is_not_null())
            .filter(executions::instance_id.eq(Id(*instance.as_uuid())))
            .order(executions::id)
            .limit(i64::from(limit))
            .select(PENDING)
            .load(conn),
    )
}

pub(super) fn list_overdue(
    conn: &mut Conn,
    now: OffsetDateTime,
    limit: u32,
) -> Result<Vec<PendingExecution>, StoreError> {
    pending(
        executions::table
            .filter(executions::deadline_at.is_not_null())
            .filter(executions::instance_id.is_null())
            .filter(executions::deadline_at.le(At(now)))
            .order((executions::deadline_at, executions::id))
            .limit(i64::from(limit))
            .select(PENDING)
            .load(conn),
    )
}

/// The columns of a [`PendingExecution`].
const PENDING: (executions::id, executions::deadline_at, executions::lease_us, executions::source) =
    (executions::id, executions::deadline_at, executions::lease_us, executions::source);

/// What they hold of one execution.
type PendingRow = (Id, Option<At>, Option<i64>, String);

fn pending(rows: QueryResult<Vec<PendingRow>>) -> Result<Vec<PendingExecution>, StoreError> {
    let rows = rows.map_err(backend::translate)?;
    let found = rows.into_iter().filter_map(|(id, deadline_at, lease_us, source)| {
        let source =
            source.parse().map_err(|error| corrupt("executions", "source", id.0, format!("{error}")));
        let lease = lease_us.and_then(|micros| u64::try_from(micros).ok()).map(Duration::from_micros);
        let id = ExecutionId::from_uuid(id.0);
        let deadline_at = deadline_at?.0;
        Some(source.map(|source| PendingExecution { id, deadline_at, lease, source }))
    });
    only_sound(found)
}

pub(super) fn list_waiting(
    conn: &mut Conn,
    key: &Digest,
    limit: u32,
) -> Result<Vec<ExecutionId>, StoreError> {
    ids(waiting_calls::table
        .inner_join(executions::table.on(executions::id.eq(waiting_calls::execution_id)))
        .filter(waiting_calls::key.eq(&key.as_bytes()[..]))
        .filter(executions::deadline_at.is_not_null())
        .order(waiting_calls::execution_id)
        .limit(i64::from(limit))
        .select(waiting_calls::execution_id)
        .load(conn))
}

pub(super) fn list_cancel_requested(
    conn: &mut Conn,
    instance: InstanceId,
) -> Result<Vec<ExecutionId>, StoreError> {
    ids(executions::table
        .filter(executions::deadline_at.is_not_null())
        .filter(executions::instance_id.eq(Id(*instance.as_uuid())))
        .filter(executions::cancel_requested)
        .order(executions::id)
        .select(executions::id)
        .load(conn))
}

fn ids(rows: QueryResult<Vec<Id>>) -> Result<Vec<ExecutionId>, StoreError> {
    let rows = rows.map_err(backend::translate)?;
    Ok(rows.into_iter().map(|id| ExecutionId::from_uuid(id.0)).collect())
}
