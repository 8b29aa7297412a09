//! Records an execution of an external flow with two nodes, from tokio.

use flowtrail_store_diesel::SqliteStore;
use flowtrail_tracker::{NodeStart, StartExecution, Tracker};
use flowtrail_types::Source;
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}", folder.path().join("history.db").display());
    let tracker = Tracker::open(SqliteStore::open(&url.parse()?)?)?;
    let me = tracker.local_administrator()?;
    let flow = tracker.external_flow(&me, "Nightly import")?;

    let params = json!({"day": "2026-01-06"});
    let execution = tracker.start(&me, StartExecution::of(&flow, Source::Embedded).params(&params))?.await?;
    let id = execution.id();
    let fetch =
        execution.begin_node(NodeStart::new("fetch", "http", &json!({"url": "https://shop.example"})));
    fetch.complete(&json!({"rows": 12}));
    let store = execution.begin_node(NodeStart::new("store", "sql", &json!({"rows": 12})));
    store.complete(&json!({"stored": 12}));
    execution.fulfil(Some(&json!({"stored": 12}))).await?;

    let recorded = tracker.execution(&me, id)?;
    assert_eq!(recorded.node_executions.len(), 2);
    Ok(())
}
