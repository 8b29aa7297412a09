//! What an execution takes on disk, beside its JSON.

use flowtrail_store::Store;
use flowtrail_types::{Execution, StatsScope};

use super::places;
use crate::database::Database;
use crate::table::Row;

/// How many executions are read to know how large they are on average.
const READ: usize = 1_000;

pub(crate) fn measure(database: &Database, store: &dyn Store) {
    let count = store.executions().status_counts(&StatsScope::All).expect("it counts").total();
    let on_disk = mean(database.settled_bytes(store), count);
    let (mut payloads, mut whole) = (0, 0);
    let ids = places::random_ids(store, READ);
    for id in &ids {
        let execution = store.executions().lookup(*id).expect("it answers").expect("it is there");
        payloads += payload_bytes(&execution) as u64;
        whole += serde_json::to_vec(&execution).expect("it is written").len() as u64;
    }
    let (payloads, whole) = (mean(payloads, ids.len() as u64), mean(whole, ids.len() as u64));
    for (what, json) in [("its payload JSON", payloads), ("all of it as the API writes it", whole)] {
        Row {
            workload: format!("{}: bytes on disk of an execution, of {count}", super::kind(&database.url)),
            measured: format!("{on_disk:.0}"),
            beside: format!("{what}: {json:.0}"),
            ratio: Some(on_disk / json),
            ..Row::default()
        }
        .print();
    }
}

fn payload_bytes(execution: &Execution) -> usize {
    let nodes = execution.node_executions.iter().flat_map(|node| [&node.input_data, &node.output_data]);
    let all = nodes.chain([&execution.initial_params, &execution.outputs]);
    all.flatten().map(flowtrail_types::Payload::size).sum()
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a benchmark")]
fn mean(sum: u64, count: u64) -> f64 {
    sum as f64 / count.max(1) as f64
}
