//! What recording adds to a flow of five nodes that take 10 ms each.

use std::time::{Duration, Instant};

use flowtrail_tracker::{NodeStart, StartExecution, Tracker};
use flowtrail_types::Source;

use super::load::runtime;
use crate::database::Engine;
use crate::history::Sample;
use crate::table::Row;
use crate::timing::median;

const RUNS: u64 = 60;

pub(crate) fn measure(engine: &Engine) {
    let database = engine.create();
    let tracker = Tracker::open(database.open()).expect("a tracker");
    let (alone, recorded) = runtime().block_on(run(&tracker));
    tracker.close();
    let ratio = recorded / alone;
    Row {
        workload: format!("{}: a flow of 5 nodes of 10 ms, recorded node by node", engine.name()),
        measured: format!("{recorded:.2} ms"),
        beside: format!("not recorded: {alone:.2} ms"),
        ratio: Some(ratio),
        target: "below 1.05",
        is_reached: Some(ratio < 1.05),
    }
    .print();
}

/// Milliseconds without recording and with it, in turns.
async fn run(tracker: &Tracker) -> (f64, f64) {
    let me = tracker.local_administrator().expect("an administrator");
    let flow = tracker.external_flow(&me, "Recorded by the benchmark").expect("a flow");
    let work = || tokio::time::sleep(Duration::from_millis(10));
    let (mut alone, mut recorded) = (Vec::new(), Vec::new());
    for sample in Sample::some(RUNS) {
        let content = &sample.content;
        let begun = Instant::now();
        for _ in &content.nodes {
            work().await;
        }
        alone.push(begun.elapsed().as_secs_f64() * 1e3);

        let begun = Instant::now();
        let start = StartExecution::of(&flow, Source::Embedded).params(&content.params);
        let execution = tracker.start(&me, start).expect("a start").await.expect("it is durable");
        for (input, output) in &content.nodes {
            let node = execution.begin_node(NodeStart::new("shape", "Transform", input));
            work().await;
            node.complete(output);
        }
        execution.fulfil(Some(&content.outputs)).await.expect("it is durable");
        recorded.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    (median(&mut alone), median(&mut recorded))
}
