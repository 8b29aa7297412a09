//! Pages of what has ended, in the order in which it did.

use diesel::prelude::*;
use flowtrail_store::StoreError;
use flowtrail_types::{ExecutionId, ExecutionSummary, FlowId, StatsScope};

use super::super::backend::{self, Conn, Db};
use super::super::prune::{self, covering, shown};
use super::super::schema::{executions, prunes};
use super::by_duration::items;
use crate::columns::Id;

pub(super) fn list(
    conn: &mut Conn,
    flow: FlowId,
    offset: u64,
    limit: u32,
) -> Result<Vec<ExecutionSummary>, StoreError> {
    let active = prune::active(conn, &StatsScope::Flows(vec![flow]))?;
    let ended = executions::table
        .filter(executions::flow_id.eq(Id(*flow.as_uuid())))
        .filter(executions::ended_at.is_not_null())
        .into_boxed::<Db>();
    let ids: Vec<Id> = shown!(active, ended)
        .order((executions::ended_at.desc(), executions::id.desc()))
        .offset(i64::try_from(offset).unwrap_or(i64::MAX))
        .limit(i64::from(limit))
        .select(executions::id)
        .load(conn)
        .map_err(backend::translate)?;
    let ids: Vec<ExecutionId> = ids.into_iter().map(|id| ExecutionId::from_uuid(id.0)).collect();
    items(conn, &ids).map(|(items, _)| items)
}
