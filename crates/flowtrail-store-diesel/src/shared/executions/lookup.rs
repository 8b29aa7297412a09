//! One execution.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable};
use flowtrail_store::{DataSize, NodePage, Packed, StoreError};
use flowtrail_types::{Execution, ExecutionId, ExecutionSummary, FlowId, NodeExecution, Place, StatsScope};

use super::super::backend::{self, Conn};
use super::super::corrupt;
use super::super::damage::only_sound;
use super::super::prune::{self, ActivePrune};
use super::super::schema::{execution_payloads, execution_tags, executions, flows, node_executions, users};
use super::rows::{DetailRow, NodeRow, PayloadRow, SummaryRow, into_execution};
use crate::columns::Id;
use crate::one_of::one_of;

/// A row, the id of its flow unless it was deleted, and the user's name.
pub(super) type Joined = (SummaryRow, Option<Id>, Option<String>);

pub(super) fn into_summary((row, flow, user_name): Joined) -> Result<ExecutionSummary, StoreError> {
    row.into_summary(flow.is_some(), user_name)
}

/// The narrow rows with what two small tables know of them, by their primary keys.
#[diesel::dsl::auto_type]
pub(super) fn joined() -> _ {
    executions::table
        .left_join(flows::table.on(flows::id.eq(executions::flow_id).and(flows::deleted_at.is_null())))
        .left_join(users::table.on(users::id.nullable().eq(executions::user_id)))
}

/// An execution with all its data. What is asked for within one snapshot is seen whole or not at all.
pub(super) fn lookup(
    conn: &mut Conn,
    id: ExecutionId,
    with_nodes: bool,
) -> Result<Option<Execution>, StoreError> {
    let Some(summary) = summary_row(conn, id).map_err(backend::translate)? else { return Ok(None) };
    if is_gone(conn, &summary.0)? {
        return Ok(None);
    }
    read_whole(conn, id, summary, with_nodes).map(Some)
}

/// Reads an execution with all its data, also one that a prune has taken out of every answer.
pub(super) fn check(conn: &mut Conn, id: ExecutionId) -> Result<(), StoreError> {
    let Some(summary) = summary_row(conn, id).map_err(backend::translate)? else { return Ok(()) };
    read_whole(conn, id, summary, true).map(drop)
}

fn read_whole(
    conn: &mut Conn,
    id: ExecutionId,
    summary: Joined,
    with_nodes: bool,
) -> Result<Execution, StoreError> {
    let has_rows = with_nodes && !summary.0.packed;
    let (detail, wide, nodes, tags) = parts(conn, id, has_rows)?;
    let mut data = wide.into_data(id)?;
    if !with_nodes {
        data.nodes.clear();
    }
    for node in nodes {
        data.nodes.push(node.into_node(id)?);
    }
    let text = backend::from_text;
    let tags: BTreeMap<String, String> =
        tags.into_iter().map(|(key, value)| (text(key), text(value))).collect();
    into_execution(into_summary(summary)?, detail, data, tags)
}

/// What an execution has in other columns and tables.
type Parts = (DetailRow, PayloadRow, Vec<NodeRow>, Vec<(String, String)>);

/// The rows of an execution. Where one is missing, or stands in a part of the file that is damaged, it is told as damaged.
fn parts(conn: &mut Conn, id: ExecutionId, has_nodes: bool) -> Result<Parts, StoreError> {
    let key = Id(*id.as_uuid());
    let of = |table: &'static str, column: &'static str| {
        move |error: diesel::result::Error| match error {
            diesel::result::Error::NotFound => corrupt(table, column, id, "there is no such row"),
            other => match backend::translate(other) {
                StoreError::Damaged { reason, .. } => corrupt(table, column, id, reason),
                other => other,
            },
        }
    };
    let detail = executions::table.find(key).select(DetailRow::as_select()).first(conn);
    let detail = detail.map_err(of("executions", "id"))?;
    let wide = execution_payloads::table.find(key).select(PayloadRow::as_select()).first(conn);
    let wide = wide.map_err(of("execution_payloads", "execution_id"))?;
    let nodes: Vec<NodeRow> = if !has_nodes {
        Vec::new()
    } else {
        node_executions::table
            .filter(node_executions::execution_id.eq(key))
            .order(node_executions::seq)
            .select(NodeRow::as_select())
            .load(conn)
            .map_err(of("node_executions", "execution_id"))?
    };
    let tags: Vec<(String, String)> = execution_tags::table
        .filter(execution_tags::execution_id.eq(key))
        .select((execution_tags::key, execution_tags::value))
        .load(conn)
        .map_err(of("execution_tags", "execution_id"))?;
    Ok((detail, wide, nodes, tags))
}

pub(super) fn lookup_summary(
    conn: &mut Conn,
    id: ExecutionId,
) -> Result<Option<ExecutionSummary>, StoreError> {
    let Some(found) = summary_row(conn, id).map_err(backend::translate)? else { return Ok(None) };
    if is_gone(conn, &found.0)? { Ok(None) } else { into_summary(found).map(Some) }
}

pub(super) fn lookup_summaries(
    conn: &mut Conn,
    ids: &[ExecutionId],
) -> Result<Vec<ExecutionSummary>, StoreError> {
    let rows = rows_of(conn, ids).map_err(backend::translate)?;
    let prunes = prune::active(conn, &StatsScope::All)?;
    let is_there = |(row, ..): &Joined| !prunes.iter().any(|prune| is_covered(prune, row));
    only_sound(rows.into_iter().filter(is_there).map(into_summary))
}

pub(super) fn nodes_without_data(conn: &mut Conn, id: ExecutionId) -> Result<Vec<NodeExecution>, StoreError> {
    use node_executions as n;
    let none = || diesel::dsl::sql::<Nullable<Binary>>("NULL");
    let rows: Vec<NodeRow> = n::table
        .filter(n::execution_id.eq(Id(*id.as_uuid())))
        .order(n::seq)
        .select((
            n::seq,
            n::node_id,
            n::node_name,
            n::node_type,
            n::status,
            n::executed_at,
            n::duration_us,
            none(),
            none(),
            n::error,
            n::error_kind,
            n::parent_seq,
            n::iteration,
            n::attempt,
            n::capture,
            n::digest,
        ))
        .load(conn)
        .map_err(backend::translate)?;
    rows.into_iter().map(|row| Ok(row.into_node(id)?.into_execution())).collect()
}

pub(super) fn count_nodes(conn: &mut Conn, id: ExecutionId) -> Result<usize, StoreError> {
    let of_it = node_executions::table.filter(node_executions::execution_id.eq(Id(*id.as_uuid())));
    let count: i64 = of_it.count().get_result(conn).map_err(backend::translate)?;
    Ok(usize::try_from(count).unwrap_or(0))
}

pub(super) fn page_nodes(
    conn: &mut Conn,
    id: ExecutionId,
    after: i32,
    (most, most_bytes): (usize, usize),
) -> Result<Option<NodePage>, StoreError> {
    let Some((row, ..)) = summary_row(conn, id).map_err(backend::translate)? else { return Ok(None) };
    if row.packed {
        // All of them are in one piece.
        let Some(execution) = lookup(conn, id, true)? else { return Ok(None) };
        let later = execution.node_executions.into_iter().filter(|node| node.seq > after);
        return Ok(Some(NodePage::of(later, most, most_bytes)));
    }
    if is_gone(conn, &row)? {
        return Ok(None);
    }
    // The lengths stand apart from the data: only what the page has is read.
    let of_it = node_executions::table
        .filter(node_executions::execution_id.eq(Id(*id.as_uuid())))
        .filter(node_executions::seq.gt(after))
        .order(node_executions::seq);
    let lengths: Vec<(i32, i64)> = of_it
        .limit(i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1))
        .select((
            node_executions::seq,
            diesel::dsl::sql::<BigInt>(
                "CAST(coalesce(octet_length(input), 0) + coalesce(octet_length(output), 0) AS BIGINT)",
            ),
        ))
        .load(conn)
        .map_err(backend::translate)?;
    let (mut bytes, mut count) = (0, 0);
    for (_, length) in &lengths {
        if count == most || bytes >= most_bytes {
            break;
        }
        bytes += usize::try_from(*length).unwrap_or(0);
        count += 1;
    }
    let Some((last, _)) = count.checked_sub(1).and_then(|last| lengths.get(last)) else {
        return Ok(Some(NodePage::default()));
    };
    let rows: Vec<NodeRow> = of_it
        .filter(node_executions::seq.le(last))
        .select(NodeRow::as_select())
        .load(conn)
        .map_err(backend::translate)?;
    let nodes = rows.into_iter().map(|row| Ok(row.into_node(id)?.into_execution()));
    let nodes = nodes.collect::<Result<_, StoreError>>()?;
    Ok(Some(NodePage { nodes, has_more: lengths.len() > count }))
}

pub(super) fn data_size(conn: &mut Conn, id: ExecutionId) -> Result<Option<DataSize>, StoreError> {
    let key = Id(*id.as_uuid());
    let row: Option<(bool, i64)> = executions::table
        .find(key)
        .select((executions::packed, executions::bytes))
        .first(conn)
        .optional()
        .map_err(backend::translate)?;
    let Some((is_packed, bytes)) = row else { return Ok(None) };
    let bytes = usize::try_from(bytes).unwrap_or(0);
    if !is_packed {
        // The lengths stand apart from the data, which is not read.
        let of_nodes: i64 = node_executions::table
            .filter(node_executions::execution_id.eq(key))
            .select(diesel::dsl::sql::<BigInt>(
                "CAST(coalesce(sum(coalesce(octet_length(input), 0) + coalesce(octet_length(output), 0)), 0) AS BIGINT)",
            ))
            .first(conn)
            .map_err(backend::translate)?;
        let bytes = bytes.max(usize::try_from(of_nodes).unwrap_or(0));
        return Ok(Some(DataSize { bytes, is_one_piece: false }));
    }
    // The beginning tells how much there is.
    let beginning: Option<Option<Vec<u8>>> = execution_payloads::table
        .find(key)
        .select(diesel::dsl::sql::<Nullable<Binary>>("substr(packed, 1, 32)"))
        .first(conn)
        .optional()
        .map_err(backend::translate)?;
    let unpacked = beginning.flatten().and_then(|beginning| Packed::from_bytes(&beginning).unpacked_size());
    Ok(Some(DataSize { bytes: unpacked.unwrap_or(bytes), is_one_piece: true }))
}

/// The rows at these places, newest first.
pub(super) fn rows_at(conn: &mut Conn, places: &[Place]) -> QueryResult<Vec<Joined>> {
    let ids: Vec<ExecutionId> = places.iter().map(|place| place.id).collect();
    let mut rows = rows_of(conn, &ids)?;
    rows.sort_by_key(|(row, ..)| std::cmp::Reverse((row.started_at, row.id)));
    Ok(rows)
}

/// The rows of these executions, in any order.
pub(super) fn rows_of(conn: &mut Conn, ids: &[ExecutionId]) -> QueryResult<Vec<Joined>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Id> = ids.iter().map(|id| Id(*id.as_uuid())).collect();
    joined()
        .filter(one_of(executions::id, ids))
        .select((SummaryRow::as_select(), flows::id.nullable(), users::name.nullable()))
        .load(conn)
}

fn summary_row(conn: &mut Conn, id: ExecutionId) -> QueryResult<Option<Joined>> {
    joined()
        .filter(executions::id.eq(Id(*id.as_uuid())))
        .select((SummaryRow::as_select(), flows::id.nullable(), users::name.nullable()))
        .first(conn)
        .optional()
}

/// Whether a prune has taken a row out of every answer.
fn is_gone(conn: &mut Conn, row: &SummaryRow) -> Result<bool, StoreError> {
    let prunes = prune::active(conn, &StatsScope::Flows(vec![FlowId::from_uuid(row.flow_id.0)]))?;
    Ok(prunes.iter().any(|prune| is_covered(prune, row)))
}

fn is_covered(prune: &ActivePrune, row: &SummaryRow) -> bool {
    prune.covers(row.flow_id, row.place(), row.ended_at.is_some(), row.written)
}
