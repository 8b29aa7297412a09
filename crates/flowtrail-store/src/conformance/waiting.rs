//! Executions that wait for another message, and what is not known of nodes.

use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{Digest, ErrorInfo, ErrorKind, ExecutionStatus, InstanceId, NodeStatus};
use serde_json::json;
use uuid::Uuid;

use super::build::{apply, at, end, end_command, execution_id, node, payload, read, start, start_command};
use crate::{Applied, Command, Handover, NewEnd, NewNode, Refusal, Store};

fn key(number: u8) -> Digest {
    Digest::from_bytes([number; 16])
}

fn pending(seq: i32) -> NewNode {
    NewNode { status: NodeStatus::Pending, duration_us: None, output: None, ..node(seq) }
}

fn hand_over(number: u64, instance_id: Option<InstanceId>, keys: &[u8], nodes: Vec<NewNode>) -> Command {
    let keys = keys.iter().map(|number| key(*number)).collect();
    let handover = Handover { instance_id, deadline_at: at(100), keys, nodes, at: at(5) };
    Command::HandOver { execution: execution_id(number), handover: Box::new(handover) }
}

/// An execution that is handed over belongs to nobody, is found by its keys, and has another deadline.
pub fn what_waits_is_found_by_its_keys(store: &dyn Store) {
    let instance = InstanceId::from_uuid(Uuid::from_u128(1));
    let mut begun = start(1);
    begun.instance_id = Some(instance);
    begun.deadline_at = at(10);
    apply(store, Command::Start(Box::new(begun))).unwrap();
    let executions = store.executions();
    let waiting = |number: u8| executions.list_waiting(&key(number), 10).unwrap();
    assert_eq!(waiting(1), []);
    assert_eq!(apply(store, hand_over(1, None, &[1, 2], Vec::new())), Ok(Applied::Written));
    assert_eq!((waiting(1), waiting(2)), (vec![execution_id(1)], vec![execution_id(1)]));
    assert_eq!(executions.list_pending(instance, 10).unwrap(), [], "nobody runs it");
    assert_eq!(executions.list_overdue(at(99), 10).unwrap(), []);
    assert_eq!(executions.list_overdue(at(100), 10).unwrap().len(), 1);
    // It is taken up again, and waits for something else later.
    assert_eq!(apply(store, hand_over(1, Some(instance), &[], Vec::new())), Ok(Applied::Written));
    assert_eq!((waiting(1), executions.list_pending(instance, 10).unwrap().len()), (vec![], 1));
    apply(store, hand_over(1, None, &[3], Vec::new())).unwrap();
    assert_eq!((waiting(1), waiting(3)), (vec![], vec![execution_id(1)]));
    // What has ended waits no longer.
    apply(store, end_command(1, Told::Reported, Outcome::Fulfilled)).unwrap();
    assert_eq!(waiting(3), []);
    let refused = apply(store, hand_over(1, None, &[3], Vec::new()));
    assert_eq!(refused, Err(Refusal::AlreadyEnded { status: ExecutionStatus::Fulfilled }));
    assert_eq!(apply(store, hand_over(2, None, &[3], Vec::new())), Err(Refusal::Unknown));
}

/// Several executions may wait under one key; all of it may stand in one batch.
pub fn several_wait_under_one_key(store: &dyn Store) {
    let batch = [
        start_command(1),
        start_command(2),
        hand_over(2, None, &[1], vec![pending(1)]),
        hand_over(1, None, &[1], Vec::new()),
    ];
    let outcomes = store.executions().commit(&batch).unwrap();
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(store.executions().list_waiting(&key(1), 10).unwrap(), [execution_id(1), execution_id(2)]);
    assert_eq!(store.executions().list_waiting(&key(1), 1).unwrap(), [execution_id(1)]);
    assert_eq!(read(store, 2).node_executions[0].status, NodeStatus::Pending);
}

/// A node that is pending is replaced when it ends; any other stays.
pub fn a_pending_node_is_replaced_once(store: &dyn Store) {
    apply(store, start_command(1)).unwrap();
    apply(store, hand_over(1, None, &[1], vec![pending(1)])).unwrap();
    let there = read(store, 1);
    assert_eq!(there.node_executions[0].status, NodeStatus::Pending);
    assert_eq!((there.node_executions[0].duration_us, there.node_executions.len()), (None, 1));
    apply(store, hand_over(1, None, &[1], vec![node(1)])).unwrap();
    let there = read(store, 1);
    assert_eq!(there.node_executions.len(), 1);
    assert_eq!(
        (there.node_executions[0].status, there.node_executions[0].duration_us),
        (NodeStatus::Completed, Some(1_500))
    );
    let other = NewNode { digest: key(9), ..node(1) };
    let conflict =
        Command::Append { execution: execution_id(1), nodes: vec![other], at: at(6), renewed_until: None };
    assert!(matches!(apply(store, conflict), Err(Refusal::Conflict { .. })));
    // One that is pending still is written as it ended with the execution.
    apply(store, hand_over(1, None, &[1], vec![pending(2)])).unwrap();
    let aborted = NewNode { status: NodeStatus::Aborted, ..pending(2) };
    let ended = NewEnd {
        running: vec![aborted],
        ..end(Told::Inferred, Outcome::Error(ErrorInfo::new(ErrorKind::Timeout, "late")))
    };
    apply(store, Command::End { execution: execution_id(1), end: Box::new(ended) }).unwrap();
    let statuses: Vec<NodeStatus> = read(store, 1).node_executions.iter().map(|node| node.status).collect();
    assert_eq!(statuses, [NodeStatus::Completed, NodeStatus::Aborted]);
}

/// What is not known of a node stays unknown, packed or not.
pub fn unknown_times_of_nodes_stay_unknown(store: &dyn Store) {
    let unknown = |seq| NewNode { executed_at: None, duration_us: None, ..node(seq) };
    apply(store, start_command(1)).unwrap();
    apply(
        store,
        Command::Append {
            execution: execution_id(1),
            nodes: vec![unknown(1)],
            at: at(1),
            renewed_until: None,
        },
    )
    .unwrap();
    apply(store, end_command(1, Told::Reported, Outcome::Fulfilled)).unwrap();
    let whole = Command::record(start(2), vec![unknown(1), node(2)], end(Told::Reported, Outcome::Fulfilled));
    apply(store, whole.unwrap().unwrap()).unwrap();
    let times = |number: u64| {
        let nodes = read(store, number).node_executions;
        nodes.iter().map(|node| (node.executed_at.is_some(), node.duration_us)).collect::<Vec<_>>()
    };
    assert_eq!(times(1), [(false, None)]);
    assert_eq!(times(2), [(false, None), (true, Some(1_500))]);
    store.executions().pack(at(1_000), 10).unwrap();
    assert_eq!(times(1), [(false, None)]);
}

/// An end for silence is void when something was heard in time.
pub fn an_end_for_silence_is_void_after_a_renewal(store: &dyn Store) {
    let mut begun = start(1);
    begun.deadline_at = at(10);
    apply(store, Command::Start(Box::new(begun))).unwrap();
    let silent = |due: i64| {
        let ended = NewEnd {
            due_at: Some(at(due)),
            ..end(Told::Inferred, Outcome::Error(ErrorInfo::new(ErrorKind::Timeout, "late")))
        };
        Command::End { execution: execution_id(1), end: Box::new(ended) }
    };
    let renewed = Command::Append {
        execution: execution_id(1),
        nodes: vec![node(1)],
        at: at(9),
        renewed_until: Some(at(20)),
    };
    // Both in one batch, in the order in which they came.
    let outcomes = store.executions().commit(&[renewed, silent(10)]).unwrap();
    assert_eq!(outcomes, [Ok(Applied::Written), Err(Refusal::Renewed)]);
    assert_eq!(read(store, 1).summary.status, ExecutionStatus::Pending);
    assert_eq!(apply(store, silent(19)), Err(Refusal::Renewed));
    assert_eq!(apply(store, silent(20)), Ok(Applied::Written));
}

/// What is said besides at the end takes the place of what was said at the start.
pub fn an_end_may_say_more_besides(store: &dyn Store) {
    apply(store, start_command(1)).unwrap();
    let more =
        || NewEnd { meta: payload(&json!({"server": "s"})), ..end(Told::Reported, Outcome::Fulfilled) };
    apply(store, Command::End { execution: execution_id(1), end: Box::new(more()) }).unwrap();
    assert_eq!(read(store, 1).meta, payload(&json!({"server": "s"})));
    let whole = Command::record(start(2), Vec::new(), more()).unwrap().unwrap();
    let outcomes = store.executions().commit(&[
        whole,
        start_command(3),
        Command::End { execution: execution_id(3), end: Box::new(more()) },
        start_command(4),
    ]);
    assert!(outcomes.unwrap().iter().all(Result::is_ok));
    apply(store, end_command(4, Told::Reported, Outcome::Fulfilled)).unwrap();
    for number in [2, 3] {
        assert_eq!(read(store, number).meta, payload(&json!({"server": "s"})), "{number}");
    }
    assert_eq!(read(store, 4).meta, payload(&json!({"client": "suite"})));
}
