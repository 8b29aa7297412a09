//! A batch of commands, in one transaction: read what they depend on, fold, write each row once.

use std::marker::PhantomData;

use diesel::prelude::*;
use flowtrail_store::fold::{self, CountsDelta, Knowledge, Known, Writes};
use flowtrail_store::{Applied, Command, Refusal, StoreError};
use flowtrail_types::lifecycle::Told;
use flowtrail_types::{Digest, ErrorInfo, ExecutionId, FlowId};

use super::super::backend::sql::{AtSql, IdSql};
use super::super::backend::{self, Conn, Db};
use super::super::schema::{execution_payloads, execution_tags, executions, node_executions};
use super::super::store::WriteError;
use super::super::{DieselStore, corrupt};
use super::rows::{
    NewExecutionRow, NewNodeRow, NewPayloadRow, NewTagRow, digest_of, write_json, write_marks,
};
use crate::columns::{At, Id};
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};

type Outcomes = Vec<Result<Applied, Refusal>>;

/// A batch is written at the second try at the latest: the first trusts fresh ids, the second trusts nothing.
pub(super) fn commit(store: &DieselStore, batch: &[Command]) -> Result<Outcomes, StoreError> {
    let first = store.write(|conn| write_batch(conn, batch, true));
    match first {
        // An id that was trusted to be fresh is taken; nothing has been written.
        Err(StoreError::Taken { .. }) => store.write(|conn| write_batch(conn, batch, false)),
        other => other,
    }
}

fn write_batch(conn: &mut Conn, batch: &[Command], trust_fresh_ids: bool) -> Result<Outcomes, WriteError> {
    let knowledge = read_knowledge(conn, batch, trust_fresh_ids)?;
    let (writes, outcomes) = fold::fold(batch, knowledge);
    insert_executions(conn, &writes)?;
    insert_nodes(conn, &writes)?;
    update_ends(conn, &writes)?;
    update_cancels(conn, &writes)?;
    add_counts(conn, &writes)?;
    Ok(outcomes)
}

type KnownRow = (Id, Id, String, bool, At, Option<At>, Vec<u8>, Option<Vec<u8>>, bool);

fn read_knowledge(
    conn: &mut Conn,
    batch: &[Command],
    trust_fresh_ids: bool,
) -> Result<Knowledge, WriteError> {
    let mut knowledge = Knowledge::default();
    let wanted: Vec<Id> =
        fold::executions_to_read(batch, trust_fresh_ids).iter().map(|id| Id(*id.as_uuid())).collect();
    for ids in wanted.chunks(backend::MAX_BINDS) {
        let rows: Vec<KnownRow> = executions::table
            .filter(executions::id.eq_any(ids))
            .select((
                executions::id,
                executions::flow_id,
                executions::status,
                executions::inferred,
                executions::started_at,
                executions::ended_at,
                executions::digest,
                executions::end_digest,
                executions::cancel_requested,
            ))
            .load(conn)?;
        for (id, flow_id, status, inferred, started_at, ended_at, digest, end_digest, cancel_requested) in
            rows
        {
            let status =
                status.parse().map_err(|error| corrupt("executions", "status", id.0, format!("{error}")))?;
            let known = Known {
                flow_id: FlowId::from_uuid(flow_id.0),
                status,
                inferred,
                started_at: started_at.0,
                ended_at: ended_at.map(|at| at.0),
                digest: digest_of("executions", id, &digest)?,
                end_digest: end_digest.map(|bytes| digest_of("executions", id, &bytes)).transpose()?,
                cancel_requested,
            };
            knowledge.executions.insert(ExecutionId::from_uuid(id.0), known);
        }
    }
    let nodes = fold::nodes_to_read(batch, &knowledge.executions);
    for of_one in nodes.chunk_by(|a, b| a.0 == b.0) {
        // Sorted by number: whatever the batch names lies between the first and the last.
        let [(id, first), .., (_, last)] = of_one else {
            if let [(id, only)] = of_one {
                read_node_digests(conn, &mut knowledge, *id, *only, *only)?;
            }
            continue;
        };
        read_node_digests(conn, &mut knowledge, *id, *first, *last)?;
    }
    Ok(knowledge)
}

fn read_node_digests(
    conn: &mut Conn,
    knowledge: &mut Knowledge,
    execution: ExecutionId,
    first: i32,
    last: i32,
) -> Result<(), WriteError> {
    let id = Id(*execution.as_uuid());
    let rows: Vec<(i32, Vec<u8>)> = node_executions::table
        .filter(node_executions::execution_id.eq(id))
        .filter(node_executions::seq.ge(first).and(node_executions::seq.le(last)))
        .select((node_executions::seq, node_executions::digest))
        .load(conn)?;
    for (seq, digest) in rows {
        let digest: Digest = digest_of("node_executions", id, &digest)?;
        knowledge.nodes.insert((execution, seq), digest);
    }
    Ok(())
}

/// Rows of one table that fit into one statement.
const fn rows_at_once(columns: usize) -> usize {
    // Longer statements are no faster, and cost memory to prepare.
    let by_binds = backend::MAX_BINDS / columns;
    if by_binds < 64 { by_binds } else { 64 }
}

fn insert_executions(conn: &mut Conn, writes: &Writes<'_>) -> Result<(), WriteError> {
    for inserts in writes.inserts.chunks(rows_at_once(25)) {
        let rows: Vec<NewExecutionRow<'_>> = inserts.iter().map(NewExecutionRow::new).collect();
        let inserted = diesel::insert_into(executions::table)
            .values(&rows)
            .on_conflict(executions::id)
            .do_nothing()
            .execute(conn)?;
        if inserted < rows.len() {
            return Err(StoreError::Taken { field: "id" }.into());
        }
        let rows: Vec<NewPayloadRow<'_>> = inserts.iter().map(NewPayloadRow::new).collect();
        diesel::insert_into(execution_payloads::table).values(&rows).execute(conn)?;
    }
    let tags: Vec<NewTagRow<'_>> = writes.inserts.iter().flat_map(NewTagRow::all).collect();
    for rows in tags.chunks(rows_at_once(3)) {
        diesel::insert_into(execution_tags::table).values(rows).execute(conn)?;
    }
    Ok(())
}

fn insert_nodes(conn: &mut Conn, writes: &Writes<'_>) -> Result<(), WriteError> {
    for nodes in writes.nodes.chunks(rows_at_once(17)) {
        let rows: Vec<NewNodeRow<'_>> =
            nodes.iter().map(|(execution, node)| NewNodeRow::new(*execution, node)).collect();
        diesel::insert_into(node_executions::table).values(&rows).execute(conn)?;
    }
    Ok(())
}

statement! {
    /// Ends an execution.
    EndExecution<'a> {
        id: Id,
        status: &'a str,
        inferred: bool,
        ended_at: At,
        duration_us: i64,
        error_summary: Option<String>,
        failed_node_id: Option<&'a str>,
        end_digest: &'a [u8],
        updated_at: At,
    }
    "UPDATE executions SET deadline_at = NULL, status = " [status: Text],
    ", inferred = " [inferred: Bool],
    ", ended_at = " [ended_at: AtSql],
    ", duration_us = " [duration_us: BigInt],
    ", error_summary = " [error_summary: Nullable<Text>],
    ", failed_node_id = " [failed_node_id: Nullable<Text>],
    ", end_digest = " [end_digest: Binary],
    ", updated_at = " [updated_at: AtSql],
    " WHERE id = " [id: IdSql]
}

statement! {
    /// The wide half of an end.
    EndPayload<'a> {
        id: Id,
        outputs: Option<&'a [u8]>,
        error: Option<Vec<u8>>,
        end_capture: Option<Vec<u8>>,
    }
    "UPDATE execution_payloads SET outputs = " [outputs: Nullable<Binary>],
    ", error = " [error: Nullable<Binary>],
    ", end_capture = " [end_capture: Nullable<Binary>],
    " WHERE execution_id = " [id: IdSql]
}

fn update_ends(conn: &mut Conn, writes: &Writes<'_>) -> Result<(), WriteError> {
    for (execution, ending) in &writes.ends {
        let id = Id(*execution.as_uuid());
        let end = ending.end;
        let error = end.outcome.error();
        EndExecution {
            id,
            status: end.outcome.status().as_str(),
            inferred: end.told == Told::Inferred,
            ended_at: At(ending.ended_at),
            duration_us: ending.duration_us,
            error_summary: error.map(ErrorInfo::summary),
            failed_node_id: error.and_then(|error| error.node_id.as_deref()),
            end_digest: end.digest.as_bytes(),
            updated_at: At(end.recorded_at),
            _borrowed: PhantomData,
        }
        .execute(conn)?;
        EndPayload {
            id,
            outputs: end.outputs.as_ref().map(|outputs| outputs.as_str().as_bytes()),
            error: error.and_then(write_json),
            end_capture: write_marks(&end.capture),
            _borrowed: PhantomData,
        }
        .execute(conn)?;
    }
    Ok(())
}

fn update_cancels(conn: &mut Conn, writes: &Writes<'_>) -> Result<(), WriteError> {
    for (execution, at) in &writes.cancels {
        diesel::update(executions::table.find(Id(*execution.as_uuid())))
            .set((executions::cancel_requested.eq(true), executions::updated_at.eq(At(*at))))
            .execute(conn)?;
    }
    Ok(())
}

statement! {
    /// Adds to a flow's counters.
    AddCounts<'a> {
        flow_id: Id,
        slot: i32,
        pending: i64,
        fulfilled: i64,
        error: i64,
        aborted: i64,
        duration_us: i64,
        last_started_at: Option<At>,
    }
    "INSERT INTO flow_stats (flow_id, period, bucket, slot, pending, fulfilled, error, aborted, duration_us, \
     last_started_at) VALUES (" [flow_id: IdSql],
    ", 'all', 0, " [slot: diesel::sql_types::Integer],
    ", " [pending: BigInt],
    ", " [fulfilled: BigInt],
    ", " [error: BigInt],
    ", " [aborted: BigInt],
    ", " [duration_us: BigInt],
    ", " [last_started_at: Nullable<AtSql>],
    ") ON CONFLICT (flow_id, period, bucket, slot) DO UPDATE SET \
     pending = flow_stats.pending + excluded.pending, \
     fulfilled = flow_stats.fulfilled + excluded.fulfilled, \
     error = flow_stats.error + excluded.error, \
     aborted = flow_stats.aborted + excluded.aborted, \
     duration_us = flow_stats.duration_us + excluded.duration_us, \
     last_started_at = CASE WHEN flow_stats.last_started_at IS NULL \
         OR excluded.last_started_at > flow_stats.last_started_at \
         THEN excluded.last_started_at ELSE flow_stats.last_started_at END"
}

/// The counters of all flows together stand under the nil id.
pub(super) const ALL_FLOWS: Id = Id(uuid::Uuid::nil());

/// SQLite has one writer at a time, so that one slot serves all processes.
const SLOT: i32 = 0;

fn add_counts(conn: &mut Conn, writes: &Writes<'_>) -> Result<(), WriteError> {
    let mut all = CountsDelta::default();
    // The nil id sorts first; it is written last, when its sum is known.
    for (flow, counts) in &writes.counts {
        all.merge(counts);
        add(conn, Id(*flow.as_uuid()), counts)?;
    }
    add(conn, ALL_FLOWS, &all)
}

fn add(conn: &mut Conn, flow_id: Id, counts: &CountsDelta) -> Result<(), WriteError> {
    if *counts == CountsDelta::default() {
        return Ok(());
    }
    AddCounts {
        flow_id,
        slot: SLOT,
        pending: counts.pending,
        fulfilled: counts.fulfilled,
        error: counts.error,
        aborted: counts.aborted,
        duration_us: counts.duration_us,
        last_started_at: counts.last_started_at.map(At),
        _borrowed: PhantomData,
    }
    .execute(conn)?;
    Ok(())
}
