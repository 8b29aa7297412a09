//! What the housekeeping asks about executions that are pending.

use diesel::prelude::*;
use flowtrail_store::StoreError;
use flowtrail_types::{ExecutionId, InstanceId};
use time::OffsetDateTime;

use super::super::backend::{self, Conn};
use super::super::schema::executions;
use crate::columns::{At, Id};

pub(super) fn list_pending(
    conn: &mut Conn,
    instance: InstanceId,
    limit: u32,
) -> Result<Vec<ExecutionId>, StoreError> {
    ids(executions::table
        .filter(executions::deadline_at.is_not_null())
        .filter(executions::instance_id.eq(Id(*instance.as_uuid())))
        .order(executions::id)
        .limit(i64::from(limit))
        .select(executions::id)
        .load(conn))
}

pub(super) fn list_overdue(
    conn: &mut Conn,
    instance: InstanceId,
    now: OffsetDateTime,
    limit: u32,
) -> Result<Vec<ExecutionId>, StoreError> {
    ids(executions::table
        .filter(executions::deadline_at.is_not_null())
        .filter(executions::instance_id.is_null().or(executions::instance_id.eq(Id(*instance.as_uuid()))))
        .filter(executions::deadline_at.le(At(now)))
        .order((executions::deadline_at, executions::id))
        .limit(i64::from(limit))
        .select(executions::id)
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
