//! The bare loop on SQLite, by rusqlite.

use std::path::Path;
use std::time::{Duration, Instant};

use flowtrail_types::timestamp::unix_micros;
use flowtrail_types::{Clock, RandomIds, SystemClock};
use rusqlite::{Connection, Transaction, params};

use super::{Row, Rows, Times, statistics};
use crate::history::micros;

const EXECUTION: &str = "INSERT INTO executions (id, flow_id, flow_name, flow_tool_name, flow_version, user_id, source, \
     status, inferred, started_at, ended_at, duration_us, deadline_at, instance_id, cancel_requested, preview, \
     error_summary, failed_node_id, parent_id, replay_of, capture_policy, digest, end_digest, created_at, updated_at, \
     bytes, packed, written) \
     VALUES (?1, ?2, ?3, NULL, NULL, ?4, ?5, ?6, 0, ?7, ?8, ?9, NULL, NULL, 0, ?10, ?11, ?12, NULL, NULL, 'full', ?13, \
     ?13, ?8, ?8, ?14, 1, ?15)";

const PAYLOAD: &str = "INSERT INTO execution_payloads (execution_id, params, meta, outputs, error, start_capture, \
     end_capture, packed) VALUES (?1, NULL, NULL, NULL, NULL, NULL, NULL, ?2)";

const STATISTICS: &str = "INSERT INTO flow_stats (flow_id, period, bucket, slot, pending, fulfilled, error, aborted, \
     duration_us, bytes, durations, removed_fulfilled, removed_error, removed_aborted, removed_duration_us, \
     removed_bytes, removed_durations, last_recorded_at) \
     VALUES (?1, ?2, ?3, 0, 0, ?4, 0, 0, ?5, ?6, ?7, 0, 0, 0, 0, 0, x'', ?8) \
     ON CONFLICT (flow_id, period, bucket, slot) DO UPDATE SET pending = excluded.pending, \
     fulfilled = excluded.fulfilled, error = excluded.error, aborted = excluded.aborted, \
     duration_us = excluded.duration_us, bytes = excluded.bytes, durations = excluded.durations, \
     removed_fulfilled = excluded.removed_fulfilled, removed_error = excluded.removed_error, \
     removed_aborted = excluded.removed_aborted, removed_duration_us = excluded.removed_duration_us, \
     removed_bytes = excluded.removed_bytes, removed_durations = excluded.removed_durations, \
     last_recorded_at = excluded.last_recorded_at";

pub(super) fn write(path: &Path, rows: &Rows, executions: usize, batch: usize) -> Duration {
    let mut conn = Connection::open(path).expect("the database opens");
    // As the store has it.
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
         PRAGMA journal_size_limit = 67108864;",
    )
    .expect("pragmas");
    conn.set_prepared_statement_cache_capacity(16);
    let ids = RandomIds::default();
    let begun = Instant::now();
    let mut done = 0;
    while done < executions {
        let count = batch.min(executions - done);
        let tx = conn.transaction().expect("a transaction");
        let mark: i64 = tx
            .prepare_cached("UPDATE write_mark SET mark = mark + 1 RETURNING mark")
            .and_then(|mut mark| mark.query_row([], |row| row.get(0)))
            .expect("a mark");
        for (row, times) in rows.batch(&ids, done, count) {
            execution(&tx, rows, row, &times, mark);
        }
        done += count;
        write_statistics(&tx, rows, done);
        tx.commit().expect("a commit");
    }
    begun.elapsed()
}

fn execution(tx: &Transaction<'_>, rows: &Rows, row: &Row, times: &Times, mark: i64) {
    let (started_at, ended_at) = (unix_micros(times.started_at), unix_micros(times.ended_at));
    tx.prepare_cached(EXECUTION)
        .expect("a statement")
        .execute(params![
            times.id.as_bytes(),
            rows.flow.as_bytes(),
            rows.flow_name,
            rows.user.as_bytes(),
            row.source,
            row.status,
            started_at,
            ended_at,
            micros(row.duration),
            row.preview,
            row.error_summary,
            row.failed_node_id,
            row.digest,
            i64::try_from(row.packed.len()).unwrap_or(0),
            mark
        ])
        .expect("a row");
    tx.prepare_cached(PAYLOAD)
        .expect("a statement")
        .execute(params![times.id.as_bytes(), row.packed])
        .expect("a row");
}

fn write_statistics(tx: &Transaction<'_>, rows: &Rows, done: usize) {
    let now = SystemClock.now();
    let done = i64::try_from(done).unwrap_or(0);
    let mut statement = tx.prepare_cached(STATISTICS).expect("a statement");
    for (flow, period, bucket) in statistics(rows, now) {
        statement
            .execute(params![
                flow.as_bytes(),
                period,
                unix_micros(bucket),
                done,
                done * 400_000,
                done * 1_000,
                rows.histogram,
                unix_micros(now)
            ])
            .expect("a row");
    }
}
