//! Executions whose start is held back until they have ended, or take their time.

use std::sync::Arc;

use flowtrail_store::MemoryStore;
use flowtrail_tracker::{
    Changed, ExecutionHandle, NodeStart, Options, StartExecution, StatsRange, Tracker, TrackerError,
};
use flowtrail_types::{
    ErrorKind, Execution, ExecutionFilter, ExecutionId, ExecutionStatus, Flow, NodeStatus, PageRequest,
    Principal, SequentialIds, Source,
};
use serde_json::json;

struct Fixture {
    tracker: Tracker,
    me: Principal,
    flow: Arc<Flow>,
}

fn fixture() -> Fixture {
    let options = Options {
        ids: Arc::new(SequentialIds::default()),
        housekeeping: None,
        upkeep: false,
        ..Options::default()
    };
    let tracker = Tracker::with_options(MemoryStore::new(), options).unwrap();
    let me = tracker.local_administrator().unwrap();
    let flow = tracker.external_flow(&me, "Import").unwrap();
    Fixture { tracker, me, flow }
}

impl Fixture {
    fn hold(&self) -> ExecutionHandle {
        let params = json!({"day": "2026-01-06", "password": "hunter2"});
        let start = StartExecution::of(&self.flow, Source::Embedded).params(&params);
        self.tracker.hold(&self.me, start).unwrap()
    }

    fn all(&self) -> Vec<ExecutionId> {
        let all = ExecutionFilter::default();
        let page = self.tracker.executions(&self.me, &all, PageRequest::default()).unwrap();
        page.page.items.into_iter().map(|execution| execution.id).collect()
    }

    #[track_caller]
    fn read(&self, id: ExecutionId) -> Execution {
        self.tracker.execution(&self.me, id).unwrap()
    }
}

/// Two nodes, of which the second one still runs.
fn two_nodes(execution: &ExecutionHandle) -> flowtrail_tracker::NodeHandle {
    let node =
        execution.begin_node(NodeStart::new("fetch", "http", &json!({"url": "x", "token": "t0ps3cr3t"})));
    node.complete(&json!({"rows": 3}));
    execution.begin_node(NodeStart::new("say", "text", &json!({"rows": 3})))
}

fn nodes(execution: &Execution) -> Vec<(i32, &str, NodeStatus)> {
    let nodes = execution.node_executions.iter();
    nodes.map(|node| (node.seq, node.node_id.as_str(), node.status)).collect()
}

#[test]
fn it_is_not_there_before_it_has_ended_and_then_it_is_there_as_any_other() {
    let f = fixture();
    let execution = f.hold();
    let id = execution.id();
    let say = two_nodes(&execution);
    assert_eq!(f.all(), []);
    assert_eq!(f.tracker.running(), 1, "a process that ends waits for it");
    say.complete(&json!("three"));
    execution.fulfil(Some(&json!("three"))).wait().unwrap();
    assert_eq!((f.all(), f.tracker.running()), (vec![id], 0));

    let recorded = f.read(id);
    assert_eq!(recorded.summary.status, ExecutionStatus::Fulfilled);
    assert_eq!(nodes(&recorded), [(1, "fetch", NodeStatus::Completed), (2, "say", NodeStatus::Completed)]);
    assert_eq!(recorded.outputs.as_ref().unwrap().to_value(), json!("three"));
    let stored = serde_json::to_string(&recorded).unwrap();
    assert!(!stored.contains("hunter2") && !stored.contains("t0ps3cr3t"), "{stored}");
    let counts = f.tracker.statistics(&f.me, Some(f.flow.id), StatsRange::default()).unwrap();
    assert_eq!((counts.total, counts.fulfilled, counts.pending), (1, 1, 0));
}

#[test]
fn let_go_it_is_pending_and_goes_on_as_any_other() {
    let f = fixture();
    let mut changes = f.tracker.changes();
    let execution = f.hold();
    let id = execution.id();
    let say = two_nodes(&execution);
    assert!(changes.try_recv().is_err(), "nobody is told of what is not there");
    pollster::block_on(execution.let_go()).unwrap();
    assert_eq!(f.read(id).summary.status, ExecutionStatus::Pending);
    // Of the node that runs, and of the one that has ended, it is told now.
    let told: Vec<Changed> = std::iter::from_fn(|| changes.try_recv().ok()).collect();
    let is_node = |seq: i32, status: NodeStatus| {
        told.iter()
            .any(|told| matches!(told, Changed::Node(node) if node.seq == seq && node.status == status))
    };
    assert!(is_node(1, NodeStatus::Pending), "it had begun before: {told:?}");
    assert!(is_node(1, NodeStatus::Completed) && is_node(2, NodeStatus::Pending), "{told:?}");
    pollster::block_on(execution.let_go()).unwrap();
    say.fail(ErrorKind::Failed, "no voice");
    execution.abort(None).wait().unwrap();
    let recorded = f.read(id);
    assert_eq!(recorded.summary.status, ExecutionStatus::Aborted);
    assert_eq!(nodes(&recorded), [(1, "fetch", NodeStatus::Completed), (2, "say", NodeStatus::Error)]);
}

#[test]
fn dropped_it_is_there_as_aborted_with_what_still_ran() {
    let f = fixture();
    let execution = f.hold();
    let id = execution.id();
    let _say = two_nodes(&execution);
    drop(execution);
    f.tracker.close();
    let recorded = f.read(id);
    assert_eq!(recorded.summary.status, ExecutionStatus::Aborted);
    assert_eq!(recorded.error_info.as_ref().unwrap().kind, ErrorKind::Dropped);
    assert_eq!(nodes(&recorded), [(1, "fetch", NodeStatus::Completed), (2, "say", NodeStatus::Aborted)]);
}

#[test]
fn what_is_refused_at_its_end_or_when_let_go_has_never_been() {
    let f = fixture();
    let (ends, goes) = (f.hold(), f.hold());
    let say = two_nodes(&goes);
    f.tracker.close();
    assert!(matches!(ends.fulfil(None).wait(), Err(TrackerError::Closed)));
    assert!(matches!(pollster::block_on(goes.let_go()), Err(TrackerError::Closed)));
    say.complete(&json!("three"));
    drop(goes);
    assert_eq!((f.all(), f.tracker.running()), (vec![], 0));
}

#[test]
fn whoever_chose_an_id_may_tell_of_it_again_and_is_not_held_back() {
    let f = fixture();
    let id = f.hold().id();
    let start = StartExecution::of(&f.flow, Source::Embedded).id(id);
    let refused = f.tracker.hold(&f.me, start).unwrap_err();
    assert!(matches!(refused, TrackerError::Invalid { ref field, .. } if field == "id"), "{refused:?}");
}
