//! An execution's life through the tracker, on a manual clock.

use std::sync::Arc;
use std::time::Duration;

use flowtrail_store::MemoryStore;
use flowtrail_tracker::{NodeStart, Options, RecorderLimits, StartExecution, Tracker, TrackerError};
use flowtrail_types::{
    ErrorInfo, ErrorKind, Execution, ExecutionFilter, ExecutionStatus, Flow, ManualClock, NodeStatus,
    PageRequest, Principal, SequentialIds, Source,
};
use serde_json::{Value, json};

struct Fixture {
    clock: Arc<ManualClock>,
    tracker: Tracker,
    me: Principal,
    flow: Arc<Flow>,
}

fn fixture() -> Fixture {
    fixture_with(RecorderLimits::default())
}

fn fixture_with(limits: RecorderLimits) -> Fixture {
    let clock = Arc::new(ManualClock::default());
    let options = Options {
        clock: clock.clone(),
        ids: Arc::new(SequentialIds::default()),
        housekeeping: None,
        limits,
        ..Options::default()
    };
    let tracker = Tracker::with_options(MemoryStore::new(), options).unwrap();
    let me = tracker.local_administrator().unwrap();
    let flow = tracker.external_flow(&me, "Import").unwrap();
    Fixture { clock, tracker, me, flow }
}

impl Fixture {
    fn start(&self) -> flowtrail_tracker::ExecutionHandle {
        let params = json!({"day": "2026-01-06"});
        let start = StartExecution::of(&self.flow, Source::Embedded).params(&params);
        self.tracker.start(&self.me, start).unwrap().wait().unwrap()
    }

    #[track_caller]
    fn read(&self, id: flowtrail_types::ExecutionId) -> Execution {
        self.tracker.execution(&self.me, id).unwrap()
    }
}

#[test]
fn what_was_acknowledged_can_be_read_back() {
    let f = fixture();
    let execution = f.start();
    let id = execution.id();
    assert_eq!(f.read(id).summary.status, ExecutionStatus::Pending, "pending before the first node");

    let fetch = execution.begin_node(NodeStart::new("fetch", "http", &json!({"url": "x"})));
    fetch.complete(&json!({"rows": 12}));
    let store = execution.begin_node(NodeStart::new("store", "sql", &json!({"rows": 12})));
    store.fail(ErrorKind::Network, "connection refused");
    execution.record_skipped("mail", "Mail", "smtp");
    let error = ErrorInfo::new(ErrorKind::Network, "connection refused").at_node("store", "Store");
    execution.fail(error, Some(&json!({"rows": 12}))).wait().unwrap();

    let read = f.read(id);
    assert_eq!(read.summary.status, ExecutionStatus::Error);
    assert_eq!(read.summary.initial_params_preview.as_deref(), Some("2026-01-06"));
    let nodes: Vec<(&str, NodeStatus)> =
        read.node_executions.iter().map(|node| (node.node_id.as_str(), node.status)).collect();
    assert_eq!(
        nodes,
        [("fetch", NodeStatus::Completed), ("store", NodeStatus::Error), ("mail", NodeStatus::Skipped)]
    );
    assert_eq!(read.node_executions[0].output_data.as_ref().unwrap().to_value(), json!({"rows": 12}));
    assert_eq!(read.node_executions[1].error_kind, Some(ErrorKind::Network));
    assert_eq!(read.error_info.unwrap().node_id.as_deref(), Some("store"));
}

#[test]
fn a_dropped_handle_ends_as_aborted_and_says_so() {
    let f = fixture();
    let execution = f.start();
    let id = execution.id();
    let node = execution.begin_node(NodeStart::new("fetch", "http", &Value::Null));
    drop(execution);
    drop(node);
    f.tracker.close();
    let read = f.read(id);
    assert_eq!(read.summary.status, ExecutionStatus::Aborted);
    assert!(!read.summary.inferred);
    assert_eq!(read.error_info.unwrap().kind, ErrorKind::Dropped);
    assert_eq!(read.node_executions[0].status, NodeStatus::Aborted, "what was running is written as aborted");
}

#[test]
fn what_is_not_heard_of_in_time_ends_as_inferred() {
    let f = fixture();
    let execution = f.start();
    let id = execution.id();
    f.clock.advance(Duration::from_secs(299));
    assert_eq!(f.tracker.housekeep().unwrap().timed_out, 0, "it may still end");
    f.clock.advance(Duration::from_secs(1));
    assert_eq!(f.tracker.housekeep().unwrap().timed_out, 1);
    assert!(execution.cancelled().is_cancelled(), "it is told to stop, too");
    let read = f.read(id);
    assert_eq!((read.summary.status, read.summary.inferred), (ExecutionStatus::Error, true));
    assert_eq!(read.error_info.unwrap().kind, ErrorKind::Timeout);

    execution.fulfil(None).wait().unwrap();
    let corrected = f.read(id);
    assert_eq!((corrected.summary.status, corrected.summary.inferred), (ExecutionStatus::Fulfilled, false));
}

#[test]
fn a_cancel_reaches_the_execution_and_is_refused_once_it_has_ended() {
    let f = fixture();
    let execution = f.start();
    let id = execution.id();
    f.tracker.cancel(&f.me, id).unwrap().wait().unwrap();
    assert!(execution.cancelled().is_cancelled());
    assert!(f.read(id).cancel_requested);
    execution.abort(Some(ErrorInfo::new(ErrorKind::Cancelled, "as asked"))).wait().unwrap();
    let refused = f.tracker.cancel(&f.me, id).unwrap().wait().unwrap_err();
    assert!(matches!(refused, TrackerError::AlreadyEnded { status: ExecutionStatus::Aborted }), "{refused}");
}

#[test]
fn every_kind_of_executor_can_wait() {
    let f = fixture();
    let start = || f.tracker.start(&f.me, StartExecution::of(&f.flow, Source::Embedded)).unwrap();
    start().wait().unwrap().fulfil(None).wait().unwrap();
    pollster::block_on(async { start().await.unwrap().fulfil(None).await.unwrap() });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { start().await.unwrap().fulfil(None).await.unwrap() });
    let counted = f.tracker.executions(&f.me, &ExecutionFilter::default(), PageRequest::default()).unwrap();
    assert_eq!(counted.page.total, 3);
}

#[test]
fn many_callers_share_commits_and_each_gets_its_own_answer() {
    let f = fixture();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..50 {
                    f.start().fulfil(None).wait().unwrap();
                }
            });
        }
    });
    let page = f.tracker.executions(&f.me, &ExecutionFilter::default(), PageRequest::default()).unwrap();
    assert_eq!((page.page.total, page.has_pending_executions), (800, false));
}

#[test]
fn after_closing_nothing_is_accepted() {
    let f = fixture();
    f.tracker.close();
    let refused = f.tracker.start(&f.me, StartExecution::of(&f.flow, Source::Embedded)).unwrap().wait();
    assert!(matches!(refused, Err(TrackerError::Closed)));
}

#[test]
fn an_execution_that_nobody_waits_for_ends_as_aborted() {
    let f = fixture();
    drop(f.tracker.start(&f.me, StartExecution::of(&f.flow, Source::Embedded)).unwrap());
    f.tracker.close();
    let page = f.tracker.executions(&f.me, &ExecutionFilter::default(), PageRequest::default()).unwrap();
    assert_eq!(page.page.items[0].status, ExecutionStatus::Aborted);
    assert_eq!(f.tracker.running(), 0);
}

#[test]
fn a_wish_to_cancel_reaches_an_execution_that_nobody_holds_yet() {
    let f = fixture();
    let starting = f.tracker.start(&f.me, StartExecution::of(&f.flow, Source::Embedded)).unwrap();
    let id = loop {
        let page = f.tracker.executions(&f.me, &ExecutionFilter::default(), PageRequest::default()).unwrap();
        if let Some(execution) = page.page.items.first() {
            break execution.id;
        }
    };
    f.tracker.cancel(&f.me, id).unwrap().wait().unwrap();
    assert!(starting.wait().unwrap().cancelled().is_cancelled());
}

#[test]
fn nodes_that_end_while_the_execution_ends_are_there_once_and_true() {
    for _ in 0..50 {
        let f = fixture();
        let execution = f.start();
        let id = execution.id();
        let node = execution.begin_node(NodeStart::new("fetch", "http", &Value::Null));
        std::thread::scope(|scope| {
            scope.spawn(|| node.complete(&json!(1)));
            scope.spawn(|| execution.fulfil(None).wait().unwrap());
        });
        f.tracker.close();
        assert_eq!(f.read(id).node_executions.len(), 1);
    }
}

#[test]
fn when_the_process_ends_what_begins_is_told_so_at_once() {
    let f = fixture();
    let before = f.start();
    f.tracker.shut_down_running();
    let after = f.start();
    for execution in [before, after] {
        assert!(execution.cancelled().is_cancelled());
        assert_eq!(execution.stop_reason(), ErrorKind::Shutdown);
        execution.abort(None).wait().unwrap();
    }
}

#[test]
fn who_keeps_pace_has_little_waiting_and_loses_nothing() {
    // So few may wait that most nodes are refused at first.
    let f = fixture_with(RecorderLimits { max_waiting: 16, ..RecorderLimits::default() });
    let execution = f.start();
    let id = execution.id();
    for number in 0..2_000 {
        let node = execution.begin_node(NodeStart::new("add", "step", &json!(number)));
        node.complete(&json!(number));
        pollster::block_on(execution.keep_pace());
        if number == 1_000 {
            assert!(f.read(id).node_executions.len() > 500, "they are written while it runs");
        }
    }
    execution.fulfil(None).wait().unwrap();
    let outputs = f.read(id).node_executions.into_iter().map(|node| node.output_data.unwrap().to_value());
    assert!(outputs.eq((0..2_000).map(|number| json!(number))));
}

#[test]
fn keeping_pace_does_not_wait_for_what_is_never_written() {
    let f = fixture();
    let execution = f.start();
    f.tracker.close();
    for _ in 0..300 {
        execution.begin_node(NodeStart::new("add", "step", &Value::Null)).complete(&Value::Null);
    }
    pollster::block_on(execution.keep_pace());
    assert_eq!(
        execution.fulfil(None).wait().map_err(|error| error.to_string()),
        Err("the server is shutting down".to_owned())
    );
}

#[test]
fn a_node_may_be_stopped_while_its_execution_goes_on() {
    let f = fixture();
    let execution = f.start();
    let id = execution.id();
    execution.begin_node(NodeStart::new("first", "step", &Value::Null)).abort();
    execution.begin_node(NodeStart::new("second", "step", &Value::Null)).complete(&json!(2));
    execution.fulfil(None).wait().unwrap();
    let statuses: Vec<NodeStatus> = f.read(id).node_executions.iter().map(|node| node.status).collect();
    assert_eq!(statuses, [NodeStatus::Aborted, NodeStatus::Completed]);
}
