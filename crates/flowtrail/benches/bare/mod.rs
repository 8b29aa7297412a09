//! The ceiling: the same rows in the same tables with the same indexes, the same batch and durability, prepared
//! statements, one thread, nothing else.

use std::path::Path;
use std::time::{Duration, Instant};

use flowtrail_types::{IdSource, RandomIds};
use rusqlite::{Connection, params};
use time::OffsetDateTime;

use super::Sample;

/// The values that every execution has.
pub(super) struct Rows {
    params: String,
    outputs: String,
    nodes: Vec<(String, String)>,
}

impl Rows {
    pub(super) fn of(sample: &Sample) -> Self {
        Self {
            params: sample.params.to_string(),
            outputs: sample.outputs.to_string(),
            nodes: sample.data.iter().map(|(i, o)| (i.to_string(), o.to_string())).collect(),
        }
    }
}

/// Inserts so many executions and tells how long it took.
pub(super) fn insert(path: &Path, rows: &Rows, executions: usize, batch: usize) -> Duration {
    let mut conn = Connection::open(path).expect("the database opens");
    conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;").expect("pragmas");
    conn.set_prepared_statement_cache_capacity(16);
    let ids = RandomIds::default();
    let flow = [1u8; 16];
    let user = [2u8; 16];
    let digest = [3u8; 16];
    let begun = Instant::now();
    let mut left = executions;
    while left > 0 {
        let count = left.min(batch);
        left -= count;
        let tx = conn.transaction().expect("a transaction");
        {
            let mut execution = tx
                .prepare_cached(
                    "INSERT INTO executions (id, flow_id, flow_name, user_id, source, status, inferred, started_at, \
                     ended_at, duration_us, cancel_requested, preview, capture_policy, digest, end_digest, \
                     created_at, updated_at) \
                     VALUES (?, ?, 'Bench', ?, 'embedded', 'fulfilled', 0, ?, ?, 8000, 0, 'order-42', 'full', ?, ?, \
                     ?, ?)",
                )
                .expect("a statement");
            let mut payload = tx
                .prepare_cached(
                    "INSERT INTO execution_payloads (execution_id, params, outputs) VALUES (?, ?, ?)",
                )
                .expect("a statement");
            let mut node = tx
                .prepare_cached(
                    "INSERT INTO node_executions (execution_id, seq, node_id, node_name, node_type, status, \
                     executed_at, duration_us, input, output, attempt, digest) \
                     VALUES (?, ?, 'shape', 'Shape', 'Transform', 'completed', ?, 1500, ?, ?, 1, ?)",
                )
                .expect("a statement");
            for _ in 0..count {
                let now = now();
                let id = *ids.next(now).as_bytes();
                let at = flowtrail_types::timestamp::unix_micros(now);
                execution
                    .execute(params![id, flow, user, at, at + 8_000, digest, digest, at, at])
                    .expect("a row");
                payload.execute(params![id, rows.params.as_bytes(), rows.outputs.as_bytes()]).expect("a row");
                for (seq, (input, output)) in (1..).zip(&rows.nodes) {
                    node.execute(params![id, seq, at, input.as_bytes(), output.as_bytes(), digest])
                        .expect("a row");
                }
            }
            tx.prepare_cached(
                "INSERT INTO flow_stats VALUES (?, 'all', 0, 0, 0, ?, 0, 0, ?, ?) \
                 ON CONFLICT DO UPDATE SET fulfilled = fulfilled + excluded.fulfilled, \
                 duration_us = duration_us + excluded.duration_us, last_started_at = excluded.last_started_at",
            )
            .expect("a statement")
            .execute(params![flow, i64::try_from(count).expect("a small count"), 8_000, 1])
            .expect("a row");
        }
        tx.commit().expect("a commit");
    }
    begun.elapsed()
}

#[expect(clippy::disallowed_methods, reason = "the bare loop stands for a program without an injected clock")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
