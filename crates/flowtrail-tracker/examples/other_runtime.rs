//! Records an execution of an external flow with two nodes, from an executor that is not tokio.

use flowtrail_store::MemoryStore;
use flowtrail_tracker::{NodeStart, StartExecution, Tracker, TrackerError};
use flowtrail_types::Source;
use serde_json::json;

fn main() -> Result<(), TrackerError> {
    pollster::block_on(async {
        let tracker = Tracker::open(MemoryStore::new())?;
        let me = tracker.local_administrator()?;
        let flow = tracker.external_flow(&me, "Nightly import")?;

        let execution = tracker.start(&me, StartExecution::of(&flow, Source::Embedded))?.await?;
        let id = execution.id();
        for node in ["fetch", "store"] {
            execution.begin_node(NodeStart::new(node, "step", &json!({}))).complete(&json!({"rows": 12}));
        }
        execution.fulfil(None).await?;

        assert_eq!(tracker.execution(&me, id)?.node_executions.len(), 2);
        Ok(())
    })
}
