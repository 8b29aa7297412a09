//! The ceiling of recording: a loop in one thread that gives the database's own driver the rows that the store writes:
//! the same columns of the same tables with the same indexes, as many in a transaction as there are callers, by prepared
//! statements, and nothing else. The data is packed beforehand.

mod postgres;
mod sqlite;

use std::time::Duration;

use flowtrail_store::{Command, NewEnd, NewExecution};
use flowtrail_store_diesel::DatabaseUrl;
use flowtrail_types::{Clock, Durations, ExecutionId, IdSource, RandomIds, SystemClock};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::history::{History, NewSample, Sample, micros, user_id};

/// What every execution has, made beforehand.
#[derive(Debug)]
pub(crate) struct Rows {
    flow: Uuid,
    flow_name: String,
    user: Uuid,
    rows: Vec<Row>,
    histogram: Vec<u8>,
}

/// The columns of one execution that differ from those of the others, but for its id and times.
#[derive(Debug)]
struct Row {
    source: &'static str,
    status: &'static str,
    preview: Option<String>,
    error_summary: Option<String>,
    failed_node_id: Option<String>,
    duration: Duration,
    digest: [u8; 16],
    packed: Vec<u8>,
}

/// What an execution has of its own when it is written.
#[derive(Debug)]
struct Times {
    id: Uuid,
    started_at: OffsetDateTime,
    ended_at: OffsetDateTime,
}

impl Rows {
    /// The rows of the samples that are recorded through the tracker.
    pub(crate) fn new(count: u64) -> Self {
        let history = History::of(10_000);
        let flow = &history.flows[0];
        let started_at = SystemClock.now();
        let mut durations = Durations::default();
        let rows = Sample::some(count).into_iter().map(|sample| {
            durations.add(micros(sample.duration), 20);
            let id = ExecutionId::from_uuid(Uuid::nil());
            let Command::Record { start, end, packed } =
                sample.record(&NewSample { id, flow, user: user_id(0), started_at })
            else {
                unreachable!("it records")
            };
            Row::new(&sample, &start, &end, packed.as_bytes())
        });
        let rows = rows.collect();
        Self {
            flow: *flow.id.as_uuid(),
            flow_name: flow.name.clone(),
            user: *user_id(0).as_uuid(),
            rows,
            histogram: durations.encode(),
        }
    }

    /// Bytes of packed data of an execution, on average.
    pub(crate) fn packed_bytes(&self) -> usize {
        self.rows.iter().map(|row| row.packed.len()).sum::<usize>() / self.rows.len()
    }

    /// The rows of one batch, with their ids and times.
    fn batch(&self, ids: &RandomIds, first: usize, count: usize) -> Vec<(&Row, Times)> {
        (first..first + count)
            .map(|number| {
                let row = &self.rows[number % self.rows.len()];
                let ended_at = SystemClock.now();
                let started_at = ended_at - row.duration;
                (row, Times { id: ids.next(started_at), started_at, ended_at })
            })
            .collect()
    }
}

impl Row {
    fn new(sample: &Sample, start: &NewExecution, end: &NewEnd, packed: &[u8]) -> Self {
        let error = end.outcome.error();
        Self {
            source: start.source.as_str(),
            status: end.outcome.status().as_str(),
            preview: start.preview.clone(),
            error_summary: error.map(flowtrail_types::ErrorInfo::summary),
            failed_node_id: error.and_then(|error| error.node_id.clone()),
            duration: sample.duration,
            digest: *start.digest.as_bytes(),
            packed: packed.to_vec(),
        }
    }
}

/// The six rows of statistics that a batch of one flow changes, by period and when it began, for the flow and for all
/// flows.
fn statistics(rows: &Rows, at: OffsetDateTime) -> Vec<(Uuid, &'static str, OffsetDateTime)> {
    let hour = flowtrail_types::Step::Hour.begin(at);
    let buckets =
        [("all", OffsetDateTime::UNIX_EPOCH), ("day", flowtrail_types::Step::Day.begin(at)), ("hour", hour)];
    let of = |flow| buckets.map(|(period, bucket)| (flow, period, bucket));
    [of(Uuid::nil()), of(rows.flow)].concat()
}

/// Writes so many executions into a database that has the schema, and tells how long it took.
pub(crate) fn write(url: &DatabaseUrl, rows: &Rows, executions: usize, batch: usize) -> Duration {
    match url {
        DatabaseUrl::Sqlite(path) => sqlite::write(path, rows, executions, batch),
        DatabaseUrl::Postgres(address) => postgres::write(address, rows, executions, batch),
    }
}
