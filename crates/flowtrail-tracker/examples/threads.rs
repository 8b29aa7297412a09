//! Records an execution of an external flow with two nodes, from plain threads.

use flowtrail_store_diesel::SqliteStore;
use flowtrail_tracker::{NodeStart, StartExecution, Tracker};
use flowtrail_types::Source;
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}", folder.path().join("history.db").display());
    let tracker = Tracker::open(SqliteStore::open(&url.parse()?)?)?;
    let me = tracker.local_administrator()?;
    let flow = tracker.external_flow(&me, "Nightly import")?;

    let params = json!({"day": "2026-01-06"});
    let execution =
        tracker.start(&me, StartExecution::of(&flow, Source::Embedded).params(&params))?.wait()?;
    let id = execution.id();
    std::thread::scope(|scope| {
        for (node, rows) in [("fetch", 12), ("store", 12)] {
            let execution = &execution;
            scope.spawn(move || {
                let started = execution.begin_node(NodeStart::new(node, "step", &json!({"from": "shop"})));
                started.complete(&json!({ "rows": rows }));
            });
        }
    });
    execution.fulfil(Some(&json!({"stored": 12}))).wait()?;

    let recorded = tracker.execution(&me, id)?;
    assert_eq!(recorded.node_executions.len(), 2);
    Ok(())
}
