//! Rows of statistics as they are written and read.

use diesel::prelude::*;
use flowtrail_store::StoreError;
use flowtrail_types::{Durations, Tally};
use time::OffsetDateTime;

use super::super::corrupt;
use super::Period;
use super::backend::Db;
use super::schema::{executions, flow_stats};
use crate::columns::{At, Id};

/// Which row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(super) flow: Id,
    pub(super) period: Period,
    pub(super) bucket: At,
}

/// What a row says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    pub(super) recorded: Tally,
    pub(super) removed: Tally,
    pub(super) last_recorded_at: Option<OffsetDateTime>,
}

impl Counts {
    pub(super) fn stored(mut self) -> Tally {
        self.recorded.merge(&self.removed, -1);
        self.recorded
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.recorded.merge(&other.recorded, 1);
        self.removed.merge(&other.removed, 1);
        self.last_recorded_at = self.last_recorded_at.max(other.last_recorded_at);
    }
}

#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = flow_stats, check_for_backend(Db), treat_none_as_default_value = false)]
pub(crate) struct StatsRow {
    pub(crate) flow_id: Id,
    pub(crate) period: String,
    pub(crate) bucket: At,
    pub(crate) slot: i32,
    pub(crate) pending: i64,
    pub(crate) fulfilled: i64,
    pub(crate) error: i64,
    pub(crate) aborted: i64,
    pub(crate) duration_us: i64,
    pub(crate) bytes: i64,
    pub(crate) durations: Vec<u8>,
    pub(crate) removed_fulfilled: i64,
    pub(crate) removed_error: i64,
    pub(crate) removed_aborted: i64,
    pub(crate) removed_duration_us: i64,
    pub(crate) removed_bytes: i64,
    pub(crate) removed_durations: Vec<u8>,
    pub(crate) last_recorded_at: Option<At>,
    pub(crate) rejected: i64,
    pub(crate) unrecorded: i64,
    pub(crate) removed_rejected: i64,
}

impl StatsRow {
    pub(super) fn new(key: &Key, slot: i32, counts: &Counts) -> Self {
        let Counts { recorded, removed, last_recorded_at } = counts;
        Self {
            flow_id: key.flow,
            period: key.period.as_str().to_owned(),
            bucket: key.bucket,
            slot,
            pending: recorded.pending,
            fulfilled: recorded.fulfilled,
            error: recorded.error,
            aborted: recorded.aborted,
            duration_us: recorded.duration_us,
            bytes: recorded.bytes,
            durations: recorded.durations.encode(),
            removed_fulfilled: removed.fulfilled,
            removed_error: removed.error,
            removed_aborted: removed.aborted,
            removed_duration_us: removed.duration_us,
            removed_bytes: removed.bytes,
            removed_durations: removed.durations.encode(),
            last_recorded_at: last_recorded_at.map(At),
            rejected: recorded.rejected,
            unrecorded: recorded.unrecorded,
            removed_rejected: removed.rejected,
        }
    }

    pub(super) fn counts(&self) -> Result<Counts, StoreError> {
        let recorded = Tally {
            pending: self.pending,
            fulfilled: self.fulfilled,
            error: self.error,
            aborted: self.aborted,
            rejected: self.rejected,
            unrecorded: self.unrecorded,
            duration_us: self.duration_us,
            bytes: self.bytes,
            durations: decode("flow_stats", "durations", self.flow_id, &self.durations)?,
        };
        let removed = Tally {
            pending: 0,
            fulfilled: self.removed_fulfilled,
            error: self.removed_error,
            aborted: self.removed_aborted,
            rejected: self.removed_rejected,
            unrecorded: 0,
            duration_us: self.removed_duration_us,
            bytes: self.removed_bytes,
            durations: decode("flow_stats", "removed_durations", self.flow_id, &self.removed_durations)?,
        };
        Ok(Counts { recorded, removed, last_recorded_at: self.last_recorded_at.map(|at| at.0) })
    }
}

/// What of an execution's row decides about statistics.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = executions, check_for_backend(Db))]
pub(crate) struct CountedRow {
    pub(crate) id: Id,
    pub(crate) flow_id: Id,
    pub(crate) started_at: At,
    status: String,
    duration_us: Option<i64>,
    bytes: i64,
    rejected: bool,
}

impl CountedRow {
    /// Counts the execution in a tally.
    pub(crate) fn count_in(&self, tally: &mut Tally) -> Result<(), StoreError> {
        let status = self.status.parse();
        let status =
            status.map_err(|error| corrupt("executions", "status", self.id.0, format!("{error}")))?;
        if self.rejected {
            tally.add_rejected(self.bytes, 1);
        } else {
            tally.add(status, self.duration_us, self.bytes, 1);
        }
        Ok(())
    }
}

/// A histogram of a row.
pub(crate) fn decode(
    table: &'static str,
    column: &'static str,
    id: Id,
    bytes: &[u8],
) -> Result<Durations, StoreError> {
    Durations::decode(bytes).map_err(|error| corrupt(table, column, id.0, error))
}

/// What of a tally stands for executions that ended: durations and bytes do already. What was never recorded is not taken away.
pub(crate) fn ended_part(mut tally: Tally) -> Tally {
    tally.pending = 0;
    tally.unrecorded = 0;
    tally
}
