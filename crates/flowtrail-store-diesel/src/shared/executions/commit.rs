//! A batch of commands, in one transaction: read what they depend on, fold, write each row once.

use std::collections::{BTreeMap, HashMap, HashSet};

use diesel::prelude::*;
use flowtrail_store::fold::{self, Changes, Knowledge, Known, KnownNode, Writes};
use flowtrail_store::{Applied, Command, ExecutionData, Refusal, StoreError};
use flowtrail_types::{Digest, ExecutionId, FlowId, NodeStatus, Place, StatsScope, Step, Tally};

use super::super::super::company;
use super::super::backend::{self, Conn, Purpose};
use super::super::prune::{self, ActivePrune, Tallies};
use super::super::schema::{execution_tags, executions, node_executions, waiting_calls};
use super::super::statistics::{StatsWriter, ended_part};
use super::super::store::WriteError;
use super::super::{DieselStore, corrupt};
use super::pack;
use super::rows::{EndRow, NewExecutionRow, NewNodeRow, NewPayloadRow, NewTagRow, digest_of};
use crate::columns::{At, Id};

type Outcomes = Vec<Result<Applied, Refusal>>;

/// Ends of what runs and wishes to stop it find room on a full disk, where new records do not.
fn purpose_of(batch: &[Command]) -> Purpose {
    let ends = |command: &Command| matches!(command, Command::End { .. } | Command::RequestCancel { .. });
    if batch.iter().all(ends) { Purpose::Other } else { Purpose::Records }
}

/// A batch is written at the second try at the latest: the first trusts fresh ids, the second trusts nothing.
pub(super) fn commit(store: &DieselStore, batch: &[Command]) -> Result<Outcomes, StoreError> {
    let purpose = purpose_of(batch);
    let first = store.write_unflushed(purpose, |conn, stats| write_batch(store, conn, stats, batch, true));
    let outcomes = match first {
        // An id that was trusted to be fresh is taken; nothing has been written.
        Err(StoreError::Taken { .. }) => {
            store.write_unflushed(purpose, |conn, stats| write_batch(store, conn, stats, batch, false))
        }
        other => other,
    }?;
    backend::wrote(store, batch.len());
    Ok(outcomes)
}

fn write_batch(
    store: &DieselStore,
    conn: &mut Conn,
    stats: &mut StatsWriter,
    batch: &[Command],
    trust_fresh_ids: bool,
) -> Result<Outcomes, WriteError> {
    backend::join_writers(conn)?;
    let (mark, has_prunes) = backend::next_mark(conn)?;
    let prunes = if has_prunes { prune::active(conn, &StatsScope::All)? } else { Vec::new() };
    let (knowledge, packed) = read_knowledge(conn, batch, trust_fresh_ids, &prunes)?;
    let over: HashSet<ExecutionId> =
        knowledge.executions.iter().filter(|(_, known)| known.status.is_final()).map(|(id, _)| *id).collect();
    let (mut writes, outcomes) = fold::fold(batch, knowledge);
    unpack_touched(conn, &mut writes, &packed)?;
    insert_executions(conn, &writes, mark)?;
    insert_nodes(conn, &writes)?;
    hand_over(conn, &writes)?;
    mark_late_nodes(conn, &writes, &over, mark)?;
    let ends: Vec<EndRow<'_>> =
        writes.ends.iter().map(|(id, ending)| EndRow::new(*id, ending, mark)).collect();
    backend::update_ends(conn, &ends)?;
    update_renewals(conn, &writes)?;
    update_cancels(conn, &writes)?;
    stats.add(conn, store.slots(), &writes.changes, &BTreeMap::new())?;
    if !prunes.is_empty() {
        let slot = stats.slot(conn, store.slots())?;
        prune::note_late(conn, &prunes, slot, &ended_tallies(&writes.changes))?;
    }
    company::tell(store.own(), conn, mark, &touched(&writes))?;
    Ok(outcomes)
}

/// The executions that a batch writes to, each once.
fn touched(writes: &Writes<'_>) -> Vec<ExecutionId> {
    let mut ids: Vec<ExecutionId> = writes.inserts.iter().map(|insert| insert.start.id).collect();
    ids.extend(writes.nodes.iter().map(|(id, _)| *id));
    ids.extend(writes.ends.iter().map(|(id, _)| *id));
    ids.extend(writes.replaced.iter().map(|(id, _)| *id));
    ids.extend(writes.handovers.iter().map(|(id, _)| *id));
    ids.extend(writes.cancels.iter().map(|(id, _)| *id));
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn ended_tallies(changes: &Changes) -> Tallies {
    let ended = changes.iter().map(|(key, change)| (*key, ended_part(change.tally.clone())));
    ended.filter(|(_, tally)| *tally != Tally::default()).collect()
}

type KnownRow = (
    Id,
    Id,
    String,
    bool,
    At,
    Option<At>,
    Vec<u8>,
    Option<Vec<u8>>,
    bool,
    Option<Id>,
    Option<At>,
    bool,
    i64,
    i64,
);

/// The executions among those that a batch depends on whose data is packed, with their flows, and what it takes.
type PackedOnes = HashMap<ExecutionId, (FlowId, i64)>;

fn read_knowledge(
    conn: &mut Conn,
    batch: &[Command],
    trust_fresh_ids: bool,
    prunes: &[ActivePrune],
) -> Result<(Knowledge, PackedOnes), WriteError> {
    let mut knowledge = Knowledge::default();
    let mut packed_ones = PackedOnes::new();
    let wanted: Vec<Id> =
        fold::executions_to_read(batch, trust_fresh_ids).iter().map(|id| Id(*id.as_uuid())).collect();
    for ids in wanted.chunks(backend::MAX_BINDS) {
        // In the order of the ids, and kept from others until the end of the transaction.
        let rows: Vec<KnownRow> = backend::locked!(
            executions::table
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
                    executions::instance_id,
                    executions::deadline_at,
                    executions::packed,
                    executions::bytes,
                    executions::written,
                ))
                .order(executions::id)
        )
        .load(conn)?;
        for row in rows {
            let (
                id,
                flow_id,
                status,
                inferred,
                started_at,
                ended_at,
                digest,
                end_digest,
                cancel,
                instance,
                deadline_at,
                packed,
                bytes,
                written,
            ) = row;
            let status: flowtrail_types::ExecutionStatus =
                status.parse().map_err(|error| corrupt("executions", "status", id.0, format!("{error}")))?;
            let execution = ExecutionId::from_uuid(id.0);
            let place = Place { started_at: started_at.0, id: execution };
            let is_gone = prunes.iter().any(|prune| prune.covers(flow_id, place, status.is_final(), written));
            let known = Known {
                flow_id: FlowId::from_uuid(flow_id.0),
                status,
                // What was taken away is not corrected any more.
                inferred: inferred && !is_gone,
                started_at: started_at.0,
                ended_at: ended_at.map(|at| at.0),
                digest: digest_of("executions", id, &digest)?,
                end_digest: end_digest.map(|bytes| digest_of("executions", id, &bytes)).transpose()?,
                cancel_requested: cancel,
                is_unowned: instance.is_none(),
                deadline_at: deadline_at.map_or(started_at.0, |at| at.0),
            };
            if packed {
                packed_ones.insert(execution, (known.flow_id, bytes));
            }
            knowledge.executions.insert(execution, known);
        }
    }
    let nodes = fold::nodes_to_read(batch, &knowledge.executions);
    for of_one in nodes.chunk_by(|a, b| a.0 == b.0) {
        // Sorted by number: whatever the batch names lies between the first and the last.
        let (Some((id, first)), Some((_, last))) = (of_one.first(), of_one.last()) else { continue };
        if packed_ones.contains_key(id) {
            let data = pack::read(conn, *id)?;
            knowledge.nodes.extend(data.nodes.iter().map(|node| ((*id, node.seq), KnownNode::of(node))));
        } else {
            read_node_digests(conn, &mut knowledge, *id, *first, *last)?;
        }
    }
    Ok((knowledge, packed_ones))
}

fn read_node_digests(
    conn: &mut Conn,
    knowledge: &mut Knowledge,
    execution: ExecutionId,
    first: i32,
    last: i32,
) -> Result<(), WriteError> {
    let id = Id(*execution.as_uuid());
    let rows: Vec<(i32, Vec<u8>, String)> = node_executions::table
        .filter(node_executions::execution_id.eq(id))
        .filter(node_executions::seq.ge(first).and(node_executions::seq.le(last)))
        .select((node_executions::seq, node_executions::digest, node_executions::status))
        .load(conn)?;
    for (seq, digest, status) in rows {
        let digest: Digest = digest_of("node_executions", id, &digest)?;
        let is_pending = status == NodeStatus::Pending.as_str();
        knowledge.nodes.insert((execution, seq), KnownNode { digest, is_pending });
    }
    Ok(())
}

/// Puts the data of packed executions that change once more back where it came from. It is packed again later.
fn unpack_touched(conn: &mut Conn, writes: &mut Writes<'_>, packed: &PackedOnes) -> Result<(), WriteError> {
    if packed.is_empty() {
        return Ok(());
    }
    let mut touched: HashSet<ExecutionId> = writes.ends.iter().map(|(id, _)| *id).collect();
    touched.extend(writes.nodes.iter().chain(&writes.replaced).map(|(id, _)| *id));
    for id in touched {
        let Some((flow, bytes)) = packed.get(&id) else { continue };
        let data: ExecutionData = pack::read(conn, id)?;
        let started_at = pack::write_apart(conn, id, &data)?;
        let less = Tally { bytes: -bytes, ..Tally::default() };
        let change = writes.changes.entry((*flow, Step::Hour.begin(started_at))).or_default();
        change.tally.merge(&less, 1);
    }
    Ok(())
}

/// Inserts rows into a table, each by itself or some together.
macro_rules! insert {
    ($conn:expr, $table:expr, $rows:expr, $columns:literal) => {
        if backend::SHARES_STATEMENTS {
            // Longer statements are no faster, and cost memory to prepare.
            for rows in $rows.chunks((backend::MAX_BINDS / $columns).min(64)) {
                diesel::insert_into($table).values(rows).execute($conn)?;
            }
        } else {
            for row in &$rows {
                diesel::insert_into($table).values(row).execute($conn)?;
            }
        }
    };
}

fn insert_executions(conn: &mut Conn, writes: &Writes<'_>, mark: i64) -> Result<(), WriteError> {
    let rows: Vec<NewExecutionRow<'_>> =
        writes.inserts.iter().map(|insert| NewExecutionRow::new(insert, mark)).collect();
    let payloads: Vec<NewPayloadRow<'_>> = writes.inserts.iter().map(NewPayloadRow::new).collect();
    backend::insert_executions(conn, &rows, &payloads)?;
    let tags: Vec<NewTagRow<'_>> = writes.inserts.iter().flat_map(NewTagRow::all).collect();
    insert!(conn, execution_tags::table, tags, 4);
    Ok(())
}

fn insert_nodes(conn: &mut Conn, writes: &Writes<'_>) -> Result<(), WriteError> {
    for (execution, node) in &writes.replaced {
        diesel::delete(node_executions::table.find((Id(*execution.as_uuid()), node.seq))).execute(conn)?;
    }
    let nodes = writes.nodes.iter().chain(&writes.replaced);
    let rows: Vec<NewNodeRow<'_>> =
        nodes.map(|(execution, node)| NewNodeRow::new(*execution, node)).collect();
    insert!(conn, node_executions::table, rows, 17);
    Ok(())
}

/// Nodes that come after the end are rare. That they came must be seen by whoever is packing the execution.
fn mark_late_nodes(
    conn: &mut Conn,
    writes: &Writes<'_>,
    over: &HashSet<ExecutionId>,
    mark: i64,
) -> Result<(), WriteError> {
    let mut late: Vec<Id> =
        writes.nodes.iter().filter(|(id, _)| over.contains(id)).map(|(id, _)| Id(*id.as_uuid())).collect();
    late.dedup();
    for ids in late.chunks(backend::MAX_BINDS / 2) {
        diesel::update(executions::table.filter(executions::id.eq_any(ids)))
            .set(executions::written.eq(mark))
            .execute(conn)?;
    }
    Ok(())
}

/// Executions that wait for another message, and those that do no longer. They are few.
fn hand_over(conn: &mut Conn, writes: &Writes<'_>) -> Result<(), WriteError> {
    for (execution, handover) in &writes.handovers {
        let id = Id(*execution.as_uuid());
        diesel::update(executions::table.find(id))
            .filter(executions::deadline_at.is_not_null())
            .set((
                executions::instance_id.eq(handover.instance_id.map(|id| Id(*id.as_uuid()))),
                executions::deadline_at.eq(Some(At(handover.deadline_at))),
                executions::updated_at.eq(At(handover.at)),
            ))
            .execute(conn)?;
        forget_waiting(conn, &[*execution])?;
        for key in &handover.keys {
            diesel::insert_into(waiting_calls::table)
                .values((waiting_calls::key.eq(&key.as_bytes()[..]), waiting_calls::execution_id.eq(id)))
                .execute(conn)?;
        }
    }
    forget_waiting(conn, &writes.waited)
}

fn forget_waiting(conn: &mut Conn, executions: &[ExecutionId]) -> Result<(), WriteError> {
    let ids: Vec<Id> = executions.iter().map(|id| Id(*id.as_uuid())).collect();
    for ids in ids.chunks(backend::MAX_BINDS) {
        diesel::delete(waiting_calls::table.filter(waiting_calls::execution_id.eq_any(ids))).execute(conn)?;
    }
    Ok(())
}

fn update_renewals(conn: &mut Conn, writes: &Writes<'_>) -> Result<(), WriteError> {
    for (execution, until) in &writes.renewals {
        // One that ends within this batch has no deadline any more.
        diesel::update(executions::table.find(Id(*execution.as_uuid())))
            .filter(executions::deadline_at.is_not_null())
            .set(executions::deadline_at.eq(Some(At(*until))))
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
