//! Statistics as they are written: each row belongs to the one process that holds its slot, which therefore knows what
//! stands there without reading it.

use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Integer, Nullable, Text};
use diesel::upsert::excluded;
use flowtrail_store::fold::{Change, Changes};
use flowtrail_types::{FlowId, Step, Tally};
use time::OffsetDateTime;

use super::super::store::WriteError;
use super::backend::sql::{AtSql, IdSql};
use super::backend::{self, Conn, Db};
use super::rows::{Counts, Key, StatsRow};
use super::schema::flow_stats;
use super::{ALL_FLOWS, Period};
use crate::columns::{At, Id};

/// Where a process gets its slot from, and keeps it.
pub(crate) trait Slots {
    /// A slot that nobody else holds, and this process does from now on.
    fn take(&self, conn: &mut Conn) -> Result<i32, WriteError>;
}

/// How many rows are remembered. A row takes about as many bytes as it has on disk.
const REMEMBERED: usize = 20_000;

/// What is written of the statistics, and what this process knows of its own rows.
#[derive(Debug, Default)]
pub(crate) struct StatsWriter {
    slot: Option<i32>,
    known: HashMap<Key, Counts>,
    /// Rows of the transaction that is going on, known once it has been committed.
    staged: HashMap<Key, Counts>,
}

impl StatsWriter {
    /// A transaction begins. What an earlier one staged and did not live to settle was not committed.
    pub(crate) fn begin(&mut self) {
        if !self.staged.is_empty() {
            self.settle(false);
        }
    }

    /// The transaction was committed, or was not.
    pub(crate) fn settle(&mut self, is_committed: bool) {
        if is_committed {
            if self.known.len() > REMEMBERED {
                self.known.clear();
            }
            self.known.extend(self.staged.drain());
        } else {
            // What was staged over what is known is not there; nor is it certain what is.
            self.staged.clear();
            self.known.clear();
        }
    }

    /// The connection was lost, and with it the slot.
    pub(crate) fn forget_slot(&mut self) {
        *self = Self::default();
    }

    /// The slot of this process.
    pub(crate) fn slot(&mut self, conn: &mut Conn, slots: &impl Slots) -> Result<i32, WriteError> {
        match self.slot {
            Some(slot) => Ok(slot),
            None => {
                let slot = slots.take(conn)?;
                self.slot = Some(slot);
                Ok(slot)
            }
        }
    }

    /// Adds what happened, and what was taken away.
    pub(crate) fn add(
        &mut self,
        conn: &mut Conn,
        slots: &impl Slots,
        recorded: &Changes,
        removed: &BTreeMap<(FlowId, OffsetDateTime), Tally>,
    ) -> Result<(), WriteError> {
        let mut deltas: BTreeMap<Key, Counts> = BTreeMap::new();
        for ((flow, hour), change) in recorded.iter().filter(|(_, change)| **change != Change::default()) {
            let delta = Counts {
                recorded: change.tally.clone(),
                removed: Tally::default(),
                last_recorded_at: change.last_recorded_at,
            };
            spread(&mut deltas, *flow, *hour, &delta);
        }
        for ((flow, hour), tally) in removed.iter().filter(|(_, tally)| **tally != Tally::default()) {
            spread(&mut deltas, *flow, *hour, &Counts { removed: tally.clone(), ..Counts::default() });
        }
        if deltas.is_empty() {
            return Ok(());
        }
        let slot = self.slot(conn, slots)?;
        self.read_unknown(conn, slot, &deltas)?;
        let mut rows = Vec::with_capacity(deltas.len());
        // In the order of the keys: two that write the same rows, however that came about, do not wait in a circle.
        for (key, delta) in deltas {
            // A row may be written twice within one transaction.
            let known = self.staged.get(&key).or_else(|| self.known.get(&key));
            let mut counts = known.cloned().unwrap_or_default();
            counts.merge(&delta);
            rows.push(StatsRow::new(&key, slot, &counts));
            self.staged.insert(key, counts);
        }
        upsert(conn, &rows)
    }

    /// Reads rows of this slot that are not remembered: an earlier process may have left them.
    fn read_unknown(
        &mut self,
        conn: &mut Conn,
        slot: i32,
        deltas: &BTreeMap<Key, Counts>,
    ) -> Result<(), WriteError> {
        for period in [Period::All, Period::Day, Period::Hour] {
            let unknown: Vec<&Key> = deltas
                .keys()
                .filter(|key| key.period == period)
                .filter(|key| !self.known.contains_key(key) && !self.staged.contains_key(key))
                .collect();
            for keys in unknown.chunks(256) {
                let mut flows: Vec<Id> = keys.iter().map(|key| key.flow).collect();
                let mut buckets: Vec<At> = keys.iter().map(|key| key.bucket).collect();
                flows.sort_unstable();
                flows.dedup();
                buckets.sort_unstable();
                buckets.dedup();
                let rows: Vec<StatsRow> = flow_stats::table
                    .filter(flow_stats::flow_id.eq_any(flows).and(flow_stats::period.eq(period.as_str())))
                    .filter(flow_stats::bucket.eq_any(buckets).and(flow_stats::slot.eq(slot)))
                    .select(StatsRow::as_select())
                    .load(conn)?;
                for row in rows {
                    let key = Key { flow: row.flow_id, period, bucket: row.bucket };
                    let counts = row.counts()?;
                    self.known.insert(key, counts);
                }
            }
        }
        Ok(())
    }
}

/// One change counts in its hour, its day and all time, of its flow and of all flows.
fn spread(deltas: &mut BTreeMap<Key, Counts>, flow: FlowId, hour: OffsetDateTime, delta: &Counts) {
    let buckets = [
        (Period::All, OffsetDateTime::UNIX_EPOCH),
        (Period::Day, Step::Day.begin(hour)),
        (Period::Hour, hour),
    ];
    for flow in [Id(*flow.as_uuid()), ALL_FLOWS] {
        for (period, bucket) in buckets {
            deltas.entry(Key { flow, period, bucket: At(bucket) }).or_default().merge(delta);
        }
    }
}

statement! {
    /// Writes one row over whatever was there.
    PutRow<'a> {
        row: &'a StatsRow,
    }
    "INSERT INTO flow_stats (flow_id, period, bucket, slot, pending, fulfilled, error, aborted, duration_us, bytes, \
     durations, removed_fulfilled, removed_error, removed_aborted, removed_duration_us, removed_bytes, \
     removed_durations, last_recorded_at) VALUES (" [row.flow_id: IdSql],
    ", " [row.period: Text],
    ", " [row.bucket: AtSql],
    ", " [row.slot: Integer],
    ", " [row.pending: BigInt],
    ", " [row.fulfilled: BigInt],
    ", " [row.error: BigInt],
    ", " [row.aborted: BigInt],
    ", " [row.duration_us: BigInt],
    ", " [row.bytes: BigInt],
    ", " [row.durations: Binary],
    ", " [row.removed_fulfilled: BigInt],
    ", " [row.removed_error: BigInt],
    ", " [row.removed_aborted: BigInt],
    ", " [row.removed_duration_us: BigInt],
    ", " [row.removed_bytes: BigInt],
    ", " [row.removed_durations: Binary],
    ", " [row.last_recorded_at: Nullable<AtSql>],
    ") ON CONFLICT (flow_id, period, bucket, slot) DO UPDATE SET \
     pending = excluded.pending, fulfilled = excluded.fulfilled, error = excluded.error, \
     aborted = excluded.aborted, duration_us = excluded.duration_us, bytes = excluded.bytes, \
     durations = excluded.durations, removed_fulfilled = excluded.removed_fulfilled, \
     removed_error = excluded.removed_error, removed_aborted = excluded.removed_aborted, \
     removed_duration_us = excluded.removed_duration_us, removed_bytes = excluded.removed_bytes, \
     removed_durations = excluded.removed_durations, last_recorded_at = excluded.last_recorded_at"
}

pub(super) fn upsert(conn: &mut Conn, rows: &[StatsRow]) -> Result<(), WriteError> {
    if !backend::SHARES_STATEMENTS {
        for row in rows {
            PutRow { row, _borrowed: PhantomData }.execute(conn)?;
        }
        return Ok(());
    }
    for rows in rows.chunks(256) {
        diesel::insert_into(flow_stats::table)
            .values(rows)
            .on_conflict((flow_stats::flow_id, flow_stats::period, flow_stats::bucket, flow_stats::slot))
            .do_update()
            .set((
                flow_stats::pending.eq(excluded(flow_stats::pending)),
                flow_stats::fulfilled.eq(excluded(flow_stats::fulfilled)),
                flow_stats::error.eq(excluded(flow_stats::error)),
                flow_stats::aborted.eq(excluded(flow_stats::aborted)),
                flow_stats::duration_us.eq(excluded(flow_stats::duration_us)),
                flow_stats::bytes.eq(excluded(flow_stats::bytes)),
                flow_stats::durations.eq(excluded(flow_stats::durations)),
                flow_stats::removed_fulfilled.eq(excluded(flow_stats::removed_fulfilled)),
                flow_stats::removed_error.eq(excluded(flow_stats::removed_error)),
                flow_stats::removed_aborted.eq(excluded(flow_stats::removed_aborted)),
                flow_stats::removed_duration_us.eq(excluded(flow_stats::removed_duration_us)),
                flow_stats::removed_bytes.eq(excluded(flow_stats::removed_bytes)),
                flow_stats::removed_durations.eq(excluded(flow_stats::removed_durations)),
                flow_stats::last_recorded_at.eq(excluded(flow_stats::last_recorded_at)),
            ))
            .execute(conn)?;
    }
    Ok(())
}
