//! What recording costs: whole executions through the tracker, durably, beside a bare loop that inserts the same
//! rows into the same tables of the same database in batches of the same size.
//!
//! Rounds of both are interleaved and the medians compared, since the machine is shared: the ratio says more than
//! the rates. Run by `cargo xtask bench recording`.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

mod bare;

use std::sync::Arc;
use std::time::{Duration, Instant};

use flowtrail_store_diesel::{DatabaseUrl, SqliteStore};
use flowtrail_tracker::{FinishedExecution, FinishedNode, NodeStart, StartExecution, Tracker};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{Flow, NodeStatus, Principal, Source};
use serde_json::{Value, json};

const ROUNDS: usize = 5;
const NODES: i32 = 5;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    println!("an execution: {NODES} nodes, {} bytes of JSON; SQLite, WAL, synchronous=FULL", sample().size());
    for (callers, executions) in [(1usize, 400usize), (64, 9_600)] {
        let mut bare_rates = Vec::new();
        let mut tracker_rates = Vec::new();
        for _ in 0..ROUNDS {
            bare_rates.push(bare_round(executions, callers));
            tracker_rates.push(runtime.block_on(tracker_round(executions, callers)));
        }
        let (bare, recorded) = (median(&mut bare_rates), median(&mut tracker_rates));
        println!(
            "{callers:>2} callers: tracker {recorded:>6.0}/s, bare loop in batches of {callers:>2} {bare:>6.0}/s, \
             ratio {:.2}",
            recorded / bare
        );
    }
    runtime.block_on(overhead());
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// What an execution is made of.
#[derive(Debug, Clone)]
struct Sample {
    params: Value,
    data: Vec<(Value, Value)>,
    outputs: Value,
}

impl Sample {
    fn size(&self) -> usize {
        let data: usize = self.data.iter().map(|(i, o)| i.to_string().len() + o.to_string().len()).sum();
        self.params.to_string().len() + data + self.outputs.to_string().len()
    }
}

/// About 3 KB, as the design's measurements have it.
fn sample() -> Sample {
    let line = |number: i32| json!({"sku": format!("A-{number:05}"), "name": "notebook, ruled", "price": 3.5, "quantity": number, "note": "deliver to the back door between nine and noon, please ring twice"});
    let order = |number: i32| json!({"orderId": format!("order-{number}"), "lines": [line(number), line(number + 1)]});
    Sample {
        params: json!({"orderId": "order-42", "customer": "Ana", "express": true}),
        data: (0..NODES).map(|number| (order(number), order(number + 7))).collect(),
        outputs: json!({"text": "Order 42 is on its way and will arrive tomorrow."}),
    }
}

struct Bench {
    tracker: Tracker,
    me: Principal,
    flow: Arc<Flow>,
    _folder: tempfile::TempDir,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().expect("a folder");
    let url = DatabaseUrl::Sqlite(folder.path().join("flowtrail.db"));
    let tracker = Tracker::open(SqliteStore::open(&url).expect("a store")).expect("a tracker");
    let me = tracker.local_administrator().expect("an administrator");
    let flow = tracker.external_flow(&me, "Bench").expect("a flow");
    Bench { tracker, me, flow, _folder: folder }
}

async fn tracker_round(executions: usize, callers: usize) -> f64 {
    let bench = Arc::new(bench());
    let sample = Arc::new(sample());
    let begun = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (bench, sample) = (Arc::clone(&bench), Arc::clone(&sample));
            tokio::spawn(async move {
                for _ in 0..executions / callers {
                    record(&bench, &sample).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("the caller ends");
    }
    let took = begun.elapsed();
    bench.tracker.close();
    rate(executions / callers * callers, took)
}

async fn record(bench: &Bench, sample: &Sample) {
    let now = bench.tracker.clock().now();
    let nodes = sample
        .data
        .iter()
        .zip(1..)
        .map(|((input, output), seq)| FinishedNode {
            seq,
            node_id: "shape",
            node_name: "Shape",
            node_type: "Transform",
            status: NodeStatus::Completed,
            executed_at: now,
            duration: Duration::from_micros(1_500),
            input: Some(input),
            output: Some(output),
            error: None,
        })
        .collect();
    let start = StartExecution::of(&bench.flow, Source::Embedded).params(&sample.params).started_at(now);
    let finished = FinishedExecution {
        nodes,
        outcome: Outcome::Fulfilled,
        ended_at: now + Duration::from_millis(8),
        outputs: Some(&sample.outputs),
    };
    bench.tracker.record(&bench.me, &start, &finished).expect("a good record").await.expect("it is durable");
}

fn bare_round(executions: usize, batch: usize) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("flowtrail.db");
    // The same tables and indexes.
    drop(SqliteStore::open(&DatabaseUrl::Sqlite(path.clone())).expect("a store"));
    let rows = bare::Rows::of(&sample());
    rate(executions, bare::insert(&path, &rows, executions, batch))
}

/// What recording adds to a flow of five nodes that take 10 ms each.
async fn overhead() {
    const RUNS: usize = 60;
    let bench = bench();
    let sample = sample();
    let work = || tokio::time::sleep(Duration::from_millis(10));
    let (mut alone, mut recorded) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let begun = Instant::now();
        for _ in 0..NODES {
            work().await;
        }
        alone.push(begun.elapsed().as_secs_f64() * 1e3);

        let begun = Instant::now();
        let start = StartExecution::of(&bench.flow, Source::Embedded).params(&sample.params);
        let execution = bench.tracker.start(&bench.me, start).expect("a start").await.expect("it is durable");
        for (input, output) in &sample.data {
            let node = execution.begin_node(NodeStart::new("shape", "Transform", input));
            work().await;
            node.complete(output);
        }
        execution.fulfil(Some(&sample.outputs)).await.expect("it is durable");
        recorded.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let (alone, recorded) = (median(&mut alone), median(&mut recorded));
    println!(
        "a flow of {NODES} nodes of 10 ms: {alone:.2} ms alone, {recorded:.2} ms recorded, {:+.1}%",
        (recorded / alone - 1.0) * 100.0
    );
}
