//! How rows of statistics are put: all of a batch by one statement, which stays prepared whatever their number is.

use std::marker::PhantomData;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Integer, Nullable, Text, Timestamptz, Uuid};

use super::backend::{Conn, Db};
use super::shared::{StatsRow, WriteError};
use crate::columns::{At, Id};

/// The columns of some rows.
#[derive(Default)]
struct Columns<'a> {
    flow_id: Vec<Id>,
    period: Vec<&'a str>,
    bucket: Vec<At>,
    slot: Vec<i32>,
    pending: Vec<i64>,
    fulfilled: Vec<i64>,
    error: Vec<i64>,
    aborted: Vec<i64>,
    duration_us: Vec<i64>,
    bytes: Vec<i64>,
    durations: Vec<&'a [u8]>,
    removed_fulfilled: Vec<i64>,
    removed_error: Vec<i64>,
    removed_aborted: Vec<i64>,
    removed_duration_us: Vec<i64>,
    removed_bytes: Vec<i64>,
    removed_durations: Vec<&'a [u8]>,
    last_recorded_at: Vec<Option<At>>,
    rejected: Vec<i64>,
    unrecorded: Vec<i64>,
    removed_rejected: Vec<i64>,
}

statement! {
    /// Writes rows over whatever was there.
    PutRows<'a> {
        rows: &'a Columns<'a>,
    }
    "INSERT INTO flow_stats (flow_id, period, bucket, slot, pending, fulfilled, error, aborted, duration_us, \
     bytes, durations, removed_fulfilled, removed_error, removed_aborted, removed_duration_us, removed_bytes, \
     removed_durations, last_recorded_at, rejected, unrecorded, removed_rejected) SELECT * FROM unnest(" [rows.flow_id: Array<Uuid>],
    "::uuid[], " [rows.period: Array<Text>],
    "::text[], " [rows.bucket: Array<Timestamptz>],
    "::timestamptz[], " [rows.slot: Array<Integer>],
    "::int4[], " [rows.pending: Array<BigInt>],
    "::int8[], " [rows.fulfilled: Array<BigInt>],
    "::int8[], " [rows.error: Array<BigInt>],
    "::int8[], " [rows.aborted: Array<BigInt>],
    "::int8[], " [rows.duration_us: Array<BigInt>],
    "::int8[], " [rows.bytes: Array<BigInt>],
    "::int8[], " [rows.durations: Array<Binary>],
    "::bytea[], " [rows.removed_fulfilled: Array<BigInt>],
    "::int8[], " [rows.removed_error: Array<BigInt>],
    "::int8[], " [rows.removed_aborted: Array<BigInt>],
    "::int8[], " [rows.removed_duration_us: Array<BigInt>],
    "::int8[], " [rows.removed_bytes: Array<BigInt>],
    "::int8[], " [rows.removed_durations: Array<Binary>],
    "::bytea[], " [rows.last_recorded_at: Array<Nullable<Timestamptz>>],
    "::timestamptz[], " [rows.rejected: Array<BigInt>],
    "::int8[], " [rows.unrecorded: Array<BigInt>],
    "::int8[], " [rows.removed_rejected: Array<BigInt>],
    "::int8[]) ON CONFLICT (flow_id, period, bucket, slot) DO UPDATE SET pending = excluded.pending, \
     fulfilled = excluded.fulfilled, error = excluded.error, aborted = excluded.aborted, duration_us = \
     excluded.duration_us, bytes = excluded.bytes, durations = excluded.durations, removed_fulfilled = \
     excluded.removed_fulfilled, removed_error = excluded.removed_error, removed_aborted = \
     excluded.removed_aborted, removed_duration_us = excluded.removed_duration_us, removed_bytes = \
     excluded.removed_bytes, removed_durations = excluded.removed_durations, last_recorded_at = \
     excluded.last_recorded_at, rejected = excluded.rejected, unrecorded = excluded.unrecorded, \
     removed_rejected = excluded.removed_rejected"
}

/// Writes rows over whatever was there.
pub(super) fn put_statistics(conn: &mut Conn, rows: &[StatsRow]) -> Result<(), WriteError> {
    // A recount has many.
    for rows in rows.chunks(1_000) {
        let mut columns = Columns::default();
        for row in rows {
            columns.flow_id.push(row.flow_id);
            columns.period.push(&row.period);
            columns.bucket.push(row.bucket);
            columns.slot.push(row.slot);
            columns.pending.push(row.pending);
            columns.fulfilled.push(row.fulfilled);
            columns.error.push(row.error);
            columns.aborted.push(row.aborted);
            columns.duration_us.push(row.duration_us);
            columns.bytes.push(row.bytes);
            columns.durations.push(&row.durations);
            columns.removed_fulfilled.push(row.removed_fulfilled);
            columns.removed_error.push(row.removed_error);
            columns.removed_aborted.push(row.removed_aborted);
            columns.removed_duration_us.push(row.removed_duration_us);
            columns.removed_bytes.push(row.removed_bytes);
            columns.removed_durations.push(&row.removed_durations);
            columns.last_recorded_at.push(row.last_recorded_at);
            columns.rejected.push(row.rejected);
            columns.unrecorded.push(row.unrecorded);
            columns.removed_rejected.push(row.removed_rejected);
        }
        PutRows { rows: &columns, _borrowed: PhantomData }.execute(conn)?;
    }
    Ok(())
}
