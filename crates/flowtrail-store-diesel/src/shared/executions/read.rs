//! What is asked about executions.

use std::collections::BTreeMap;

use diesel::prelude::*;
use flowtrail_store::{StatusCounts, StoreError};
use flowtrail_types::{
    Execution, ExecutionFilter, ExecutionId, ExecutionQuery, ExecutionStatus, ExecutionSummary, FlowId,
    InstanceId, NodeExecution, Source, Visibility,
};
use time::OffsetDateTime;

use super::super::backend::{self, Conn, Db};
use super::super::schema::{
    execution_payloads, execution_tags, executions, flow_stats, flows, node_executions, users,
};
use super::commit::ALL_FLOWS;
use super::rows::{DetailRow, NodeRow, PayloadRow, SummaryRow, into_execution};
use crate::columns::{At, Id};

pub(super) fn lookup(conn: &mut Conn, id: ExecutionId) -> Result<Option<Execution>, StoreError> {
    // One snapshot for all of its tables, so that an end that comes in meanwhile is seen whole or not at all.
    let found = conn
        .transaction(|conn| -> QueryResult<_> {
            let key = Id(*id.as_uuid());
            let Some(summary) = summary_row(conn, id)? else { return Ok(None) };
            let detail = executions::table.find(key).select(DetailRow::as_select()).first(conn)?;
            let wide = execution_payloads::table.find(key).select(PayloadRow::as_select()).first(conn)?;
            let nodes: Vec<NodeRow> = node_executions::table
                .filter(node_executions::execution_id.eq(key))
                .order(node_executions::seq)
                .select(NodeRow::as_select())
                .load(conn)?;
            let tags: Vec<(String, String)> = execution_tags::table
                .filter(execution_tags::execution_id.eq(key))
                .select((execution_tags::key, execution_tags::value))
                .load(conn)?;
            Ok(Some((summary, detail, wide, nodes, tags)))
        })
        .map_err(backend::translate)?;
    let Some((summary, detail, wide, nodes, tags)) = found else { return Ok(None) };
    let nodes: Vec<NodeExecution> =
        nodes.into_iter().map(|node| node.into_node(id)).collect::<Result<_, _>>()?;
    let tags: BTreeMap<String, String> = tags.into_iter().collect();
    into_execution(into_summary(summary)?, detail, wide, nodes, tags).map(Some)
}

pub(super) fn lookup_summary(
    conn: &mut Conn,
    id: ExecutionId,
) -> Result<Option<ExecutionSummary>, StoreError> {
    summary_row(conn, id).map_err(backend::translate)?.map(into_summary).transpose()
}

/// A row, the id of its flow unless it was deleted, and the user's name.
type Joined = (SummaryRow, Option<Id>, Option<String>);

fn into_summary((row, flow, user_name): Joined) -> Result<ExecutionSummary, StoreError> {
    row.into_summary(flow.is_some(), user_name)
}

/// The narrow rows with what two small tables know of them, by their primary keys.
#[diesel::dsl::auto_type]
fn joined() -> _ {
    executions::table
        .left_join(flows::table.on(flows::id.eq(executions::flow_id).and(flows::deleted_at.is_null())))
        .left_join(users::table.on(users::id.nullable().eq(executions::user_id)))
}

fn summary_row(conn: &mut Conn, id: ExecutionId) -> QueryResult<Option<Joined>> {
    joined()
        .filter(executions::id.eq(Id(*id.as_uuid())))
        .select((SummaryRow::as_select(), flows::id.nullable(), users::name.nullable()))
        .first(conn)
        .optional()
}

/// Adds the conditions of a query to a statement over the narrow table, joined or not.
macro_rules! narrowed {
    ($statement:expr, $query:expr) => {{
        let mut statement = $statement;
        let ExecutionQuery { filter, visibility, as_of, after, .. } = $query;
        let ExecutionFilter { flow, status, source, user, from, to } = filter;
        if let Some(flow) = flow {
            statement = statement.filter(executions::flow_id.eq(Id(*flow.as_uuid())));
        }
        if let Some(status) = status {
            statement = statement.filter(executions::status.eq(status.as_str()));
            if *status == ExecutionStatus::Pending {
                // What is pending stands in an index of its own.
                statement = statement.filter(executions::deadline_at.is_not_null());
            }
        }
        if let Some(source) = source {
            statement = statement.filter(executions::source.eq(Source::as_str(*source)));
        }
        if let Some(user) = user {
            statement = statement.filter(executions::user_id.eq(Id(*user.as_uuid())));
        }
        if let Some(from) = from {
            statement = statement.filter(executions::started_at.ge(At(*from)));
        }
        if let Some(to) = to {
            statement = statement.filter(executions::started_at.lt(At(*to)));
        }
        if let Some(as_of) = as_of {
            statement = statement.filter(executions::created_at.le(At(*as_of)));
        }
        if let Some(cursor) = after {
            // The first condition bounds the walk of the index, the second breaks ties.
            let (at, id) = (At(cursor.started_at), Id(*cursor.id.as_uuid()));
            statement = statement
                .filter(executions::started_at.le(at))
                .filter(executions::started_at.lt(at).or(executions::id.lt(id)));
        }
        if let Visibility::Limited { flows, user, own_in } = visibility {
            let ids = |ids: &[FlowId]| ids.iter().map(|id| Id(*id.as_uuid())).collect::<Vec<_>>();
            statement = statement.filter(
                executions::flow_id.eq_any(ids(flows)).or(executions::flow_id
                    .eq_any(ids(own_in))
                    .and(executions::user_id.is_not_null())
                    .and(executions::user_id.assume_not_null().eq(Id(*user.as_uuid())))),
            );
        }
        statement
    }};
}

pub(super) fn list(conn: &mut Conn, query: &ExecutionQuery) -> Result<Vec<ExecutionSummary>, StoreError> {
    let selected = joined()
        .select((SummaryRow::as_select(), flows::id.nullable(), users::name.nullable()))
        .into_boxed::<Db>();
    let rows: Vec<Joined> = narrowed!(selected, query)
        .order((executions::started_at.desc(), executions::id.desc()))
        .limit(i64::from(query.limit))
        .offset(i64::try_from(query.offset).unwrap_or(i64::MAX))
        .load(conn)
        .map_err(backend::translate)?;
    rows.into_iter().map(into_summary).collect()
}

pub(super) fn count(conn: &mut Conn, query: &ExecutionQuery, bound: u64) -> Result<u64, StoreError> {
    // Ids are read up to the bound and counted here.
    let selected = executions::table.select(executions::id).into_boxed::<Db>();
    let bounded = narrowed!(selected, query).limit(i64::try_from(bound).unwrap_or(i64::MAX));
    let ids: Vec<Id> = bounded.load(conn).map_err(backend::translate)?;
    Ok(ids.len() as u64)
}

pub(in super::super) fn status_counts(
    conn: &mut Conn,
    flow: Option<FlowId>,
) -> Result<StatusCounts, StoreError> {
    let flow = flow.map_or(ALL_FLOWS, |flow| Id(*flow.as_uuid()));
    let rows: Vec<(i64, i64, i64, i64)> = flow_stats::table
        .filter(flow_stats::flow_id.eq(flow).and(flow_stats::period.eq("all")))
        .select((flow_stats::pending, flow_stats::fulfilled, flow_stats::error, flow_stats::aborted))
        .load(conn)
        .map_err(backend::translate)?;
    let count = |value: i64| u64::try_from(value).unwrap_or(0);
    let total = |of: fn(&(i64, i64, i64, i64)) -> i64| count(rows.iter().map(of).sum());
    Ok(StatusCounts {
        pending: total(|row| row.0),
        fulfilled: total(|row| row.1),
        error: total(|row| row.2),
        aborted: total(|row| row.3),
    })
}

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
    now: OffsetDateTime,
    limit: u32,
) -> Result<Vec<ExecutionId>, StoreError> {
    ids(executions::table
        .filter(executions::deadline_at.is_not_null())
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
