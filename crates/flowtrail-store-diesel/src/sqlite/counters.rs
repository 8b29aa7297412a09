//! How rows of statistics are put: row by row, by a statement that stays prepared.

use std::marker::PhantomData;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Integer, Nullable, Text};

use super::backend::sql::{AtSql, IdSql};
use super::backend::{Conn, Db};
use super::shared::{StatsRow, WriteError};

statement! {
    /// Writes one row over whatever was there.
    PutRow<'a> {
        row: &'a StatsRow,
    }
    "INSERT INTO flow_stats (flow_id, period, bucket, slot, pending, fulfilled, error, aborted, duration_us, bytes, \
     durations, removed_fulfilled, removed_error, removed_aborted, removed_duration_us, removed_bytes, \
     removed_durations, last_recorded_at, rejected, unrecorded, removed_rejected) VALUES (" [row.flow_id: IdSql],
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
    ", " [row.rejected: BigInt],
    ", " [row.unrecorded: BigInt],
    ", " [row.removed_rejected: BigInt],
    ") ON CONFLICT (flow_id, period, bucket, slot) DO UPDATE SET \
     pending = excluded.pending, fulfilled = excluded.fulfilled, error = excluded.error, \
     aborted = excluded.aborted, duration_us = excluded.duration_us, bytes = excluded.bytes, \
     durations = excluded.durations, removed_fulfilled = excluded.removed_fulfilled, \
     removed_error = excluded.removed_error, removed_aborted = excluded.removed_aborted, \
     removed_duration_us = excluded.removed_duration_us, removed_bytes = excluded.removed_bytes, \
     removed_durations = excluded.removed_durations, last_recorded_at = excluded.last_recorded_at, \
     rejected = excluded.rejected, unrecorded = excluded.unrecorded, removed_rejected = excluded.removed_rejected"
}

/// Writes rows over whatever was there.
pub(super) fn put_statistics(conn: &mut Conn, rows: &[StatsRow]) -> Result<(), WriteError> {
    for row in rows {
        PutRow { row, _borrowed: PhantomData }.execute(conn)?;
    }
    Ok(())
}
