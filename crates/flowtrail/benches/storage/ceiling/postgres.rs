//! The bare loop on PostgreSQL, by the `postgres` crate: one statement for each table and batch.

use std::time::{Duration, Instant};

use flowtrail_types::{Clock, RandomIds, SystemClock};
use postgres::{Client, NoTls, Statement, Transaction};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Row, Rows, Times, statistics};
use crate::history::micros;

const EXECUTIONS: &str = "INSERT INTO executions (id, flow_id, flow_name, flow_tool_name, flow_version, user_id, source, \
     status, inferred, started_at, ended_at, duration_us, deadline_at, instance_id, cancel_requested, preview, \
     error_summary, failed_node_id, parent_id, replay_of, capture_policy, digest, end_digest, created_at, updated_at, \
     bytes, packed, written) \
     SELECT x.id, $1, $2, NULL, NULL, $3, x.source, x.status, false, x.started_at, x.ended_at, x.duration_us, NULL, NULL, \
     false, x.preview, x.error_summary, x.failed_node_id, NULL, NULL, 'full', x.digest, x.digest, x.ended_at, x.ended_at, \
     x.bytes, true, $4 \
     FROM unnest($5::uuid[], $6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[], $10::bigint[], $11::text[], \
     $12::text[], $13::text[], $14::bytea[], $15::bigint[]) \
     AS x (id, source, status, started_at, ended_at, duration_us, preview, error_summary, failed_node_id, digest, bytes)";

const PAYLOADS: &str = "INSERT INTO execution_payloads (execution_id, packed) \
     SELECT * FROM unnest($1::uuid[], $2::bytea[])";

const STATISTICS: &str = "INSERT INTO flow_stats (flow_id, period, bucket, slot, pending, fulfilled, error, aborted, \
     duration_us, bytes, durations, removed_fulfilled, removed_error, removed_aborted, removed_duration_us, \
     removed_bytes, removed_durations, last_recorded_at) \
     SELECT x.flow_id, x.period, x.bucket, 0, 0, $4, 0, 0, $5, $6, $7, 0, 0, 0, 0, 0, ''::bytea, $8 \
     FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS x (flow_id, period, bucket) \
     ON CONFLICT (flow_id, period, bucket, slot) DO UPDATE SET pending = excluded.pending, \
     fulfilled = excluded.fulfilled, error = excluded.error, aborted = excluded.aborted, \
     duration_us = excluded.duration_us, bytes = excluded.bytes, durations = excluded.durations, \
     removed_fulfilled = excluded.removed_fulfilled, removed_error = excluded.removed_error, \
     removed_aborted = excluded.removed_aborted, removed_duration_us = excluded.removed_duration_us, \
     removed_bytes = excluded.removed_bytes, removed_durations = excluded.removed_durations, \
     last_recorded_at = excluded.last_recorded_at";

struct Statements {
    mark: Statement,
    executions: Statement,
    payloads: Statement,
    statistics: Statement,
}

pub(super) fn write(address: &str, rows: &Rows, executions: usize, batch: usize) -> Duration {
    let mut client = Client::connect(address, NoTls).expect("a connection");
    client.batch_execute("SET TIME ZONE 'UTC'; SET synchronous_commit = on").expect("settings");
    let mut prepare = |text: &str| client.prepare(text).expect("a statement");
    let statements = Statements {
        mark: prepare("SELECT nextval('write_mark')"),
        executions: prepare(EXECUTIONS),
        payloads: prepare(PAYLOADS),
        statistics: prepare(STATISTICS),
    };
    let ids = RandomIds::default();
    let begun = Instant::now();
    let mut done = 0;
    while done < executions {
        let count = batch.min(executions - done);
        let mut tx = client.transaction().expect("a transaction");
        let mark: i64 = tx.query_one(&statements.mark, &[]).expect("a mark").get(0);
        write_rows(&mut tx, &statements, rows, &rows.batch(&ids, done, count), mark);
        done += count;
        write_statistics(&mut tx, &statements, rows, done);
        tx.commit().expect("a commit");
    }
    begun.elapsed()
}

fn write_rows(
    tx: &mut Transaction<'_>,
    statements: &Statements,
    rows: &Rows,
    batch: &[(&Row, Times)],
    mark: i64,
) {
    let ids: Vec<Uuid> = batch.iter().map(|(_, times)| times.id).collect();
    let sources: Vec<&str> = batch.iter().map(|(row, _)| row.source).collect();
    let statuses: Vec<&str> = batch.iter().map(|(row, _)| row.status).collect();
    let started: Vec<OffsetDateTime> = batch.iter().map(|(_, times)| times.started_at).collect();
    let ended: Vec<OffsetDateTime> = batch.iter().map(|(_, times)| times.ended_at).collect();
    let durations: Vec<i64> = batch.iter().map(|(row, _)| micros(row.duration)).collect();
    let previews: Vec<Option<&str>> = batch.iter().map(|(row, _)| row.preview.as_deref()).collect();
    let summaries: Vec<Option<&str>> = batch.iter().map(|(row, _)| row.error_summary.as_deref()).collect();
    let failed: Vec<Option<&str>> = batch.iter().map(|(row, _)| row.failed_node_id.as_deref()).collect();
    let digests: Vec<&[u8]> = batch.iter().map(|(row, _)| &row.digest[..]).collect();
    let packed: Vec<&[u8]> = batch.iter().map(|(row, _)| &row.packed[..]).collect();
    let bytes: Vec<i64> = packed.iter().map(|packed| i64::try_from(packed.len()).unwrap_or(0)).collect();
    tx.execute(
        &statements.executions,
        &[
            &rows.flow,
            &rows.flow_name,
            &rows.user,
            &mark,
            &ids,
            &sources,
            &statuses,
            &started,
            &ended,
            &durations,
            &previews,
            &summaries,
            &failed,
            &digests,
            &bytes,
        ],
    )
    .expect("rows");
    tx.execute(&statements.payloads, &[&ids, &packed]).expect("rows");
}

fn write_statistics(tx: &mut Transaction<'_>, statements: &Statements, rows: &Rows, done: usize) {
    let now = SystemClock.now();
    let of = statistics(rows, now);
    let flows: Vec<Uuid> = of.iter().map(|(flow, ..)| *flow).collect();
    let periods: Vec<&str> = of.iter().map(|(_, period, _)| *period).collect();
    let buckets: Vec<OffsetDateTime> = of.iter().map(|(_, _, bucket)| *bucket).collect();
    let done = i64::try_from(done).unwrap_or(0);
    let (duration_us, bytes) = (done * 400_000, done * 1_000);
    tx.execute(
        &statements.statistics,
        &[&flows, &periods, &buckets, &done, &duration_us, &bytes, &rows.histogram, &now],
    )
    .expect("rows");
}
