//! Statistics as they are written: each row belongs to the one process that holds its slot, which therefore knows what
//! stands there without reading it.

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;
use flowtrail_store::fold::{Change, Changes};
use flowtrail_types::{FlowId, Step, Tally};
use time::OffsetDateTime;

use super::super::store::WriteError;
use super::backend::{self, Conn};
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
            for id in [Id(*flow.as_uuid()), ALL_FLOWS] {
                spread(&mut deltas, id, *hour, &delta);
            }
        }
        for ((flow, hour), tally) in removed.iter().filter(|(_, tally)| **tally != Tally::default()) {
            for id in [Id(*flow.as_uuid()), ALL_FLOWS] {
                spread(&mut deltas, id, *hour, &removal(tally));
            }
        }
        self.put(conn, slots, deltas)
    }

    /// Counts what was taken away under one id alone: of a flow, or of all of them together.
    pub(crate) fn remove(
        &mut self,
        conn: &mut Conn,
        slots: &impl Slots,
        id: Id,
        removed: &BTreeMap<OffsetDateTime, Tally>,
    ) -> Result<(), WriteError> {
        let mut deltas: BTreeMap<Key, Counts> = BTreeMap::new();
        for (hour, tally) in removed.iter().filter(|(_, tally)| **tally != Tally::default()) {
            spread(&mut deltas, id, *hour, &removal(tally));
        }
        self.put(conn, slots, deltas)
    }

    fn put(
        &mut self,
        conn: &mut Conn,
        slots: &impl Slots,
        deltas: BTreeMap<Key, Counts>,
    ) -> Result<(), WriteError> {
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
        backend::put_statistics(conn, &rows)
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

fn removal(tally: &Tally) -> Counts {
    Counts { removed: tally.clone(), ..Counts::default() }
}

/// One change counts in its hour, its day and all time.
fn spread(deltas: &mut BTreeMap<Key, Counts>, id: Id, hour: OffsetDateTime, delta: &Counts) {
    for (period, bucket) in [
        (Period::All, OffsetDateTime::UNIX_EPOCH),
        (Period::Day, Step::Day.begin(hour)),
        (Period::Hour, hour),
    ] {
        deltas.entry(Key { flow: id, period, bucket: At(bucket) }).or_default().merge(delta);
    }
}
