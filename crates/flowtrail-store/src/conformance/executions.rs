//! What a store must do with executions.

use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{
    CaptureMark, Digest, ErrorInfo, ErrorKind, ExecutionId, ExecutionStatus, InstanceId, NodeStatus, Payload,
    StatsScope,
};
use serde_json::json;
use time::Duration;
use uuid::Uuid;

use super::build::{
    T0, append_command, apply, at, commit, end, end_command, execution_id, flow, flow_id, node, owner, read,
    start, start_command,
};
use crate::{
    Applied, Command, NewEnd, NewExecution, NewNode, PendingExecution, Refusal, StatusCounts, Store,
};

fn failure() -> Outcome {
    Outcome::Error(ErrorInfo::new(ErrorKind::Failed, "no such order\nat line 2").at_node("fetch", "Fetch"))
}

fn interrupted() -> Outcome {
    Outcome::Error(ErrorInfo::new(ErrorKind::Interrupted, "the process died"))
}

/// A start is there as soon as its commit returns, with all that was said of it.
pub fn a_start_is_read_back_as_pending(store: &dyn Store) {
    store.users().add(&owner()).unwrap();
    store.flows().add(&[flow(1, "order_summary")]).unwrap();
    assert_eq!(apply(store, start_command(1)), Ok(Applied::Written));
    let execution = read(store, 1);
    let summary = &execution.summary;
    assert_eq!(summary.status, ExecutionStatus::Pending);
    assert_eq!((summary.ended_at, summary.duration_ms, summary.inferred), (None, None, false));
    assert_eq!(summary.started_at, T0, "to the microsecond");
    assert_eq!(summary.flow_id, Some(flow_id(1)));
    assert_eq!(summary.flow_name, "Order summary");
    assert_eq!(summary.flow_tool_name.as_deref(), Some("order_summary"));
    assert_eq!(summary.flow_version, Some(3));
    assert_eq!(summary.user_name.as_deref(), Some("ana"));
    assert_eq!(summary.initial_params_preview.as_deref(), Some("42"));
    assert_eq!(execution.initial_params, Some(Payload::from_value(&json!({"orderId": "42"}))));
    assert_eq!(execution.meta, Some(Payload::from_value(&json!({"client": "suite"}))));
    assert_eq!(execution.tags.get("shop").map(String::as_str), Some("north"));
    assert_eq!(execution.outputs, None);
    assert!(execution.node_executions.is_empty());
    assert!(!execution.cancel_requested);
    assert_eq!(store.executions().lookup(execution_id(2)).unwrap(), None);
    let alone = store.executions().lookup_summary(execution_id(1)).unwrap();
    assert_eq!(alone.as_ref(), Some(summary));
}

/// An execution that is recorded at once is read back whole.
pub fn a_whole_record_is_read_back(store: &dyn Store) {
    let mut whole = end(Told::Reported, failure());
    let mark = CaptureMark {
        size: 9_000,
        truncated: true,
        captured: true,
        replaced: true,
        ..CaptureMark::default()
    };
    whole.capture.insert("outputs".to_owned(), mark);
    let mut failed = node(2);
    failed.status = NodeStatus::Error;
    failed.error = Some("no such order".to_owned());
    failed.error_kind = Some(ErrorKind::Failed);
    failed.output = None;
    failed.parent_seq = Some(1);
    failed.iteration = Some(0);
    failed.attempt = 2;
    failed.capture.insert("inputData".to_owned(), mark);
    let mut begun = start(1);
    begun.parent_id = Some(execution_id(7));
    begun.replay_of = Some(execution_id(8));
    let command = Command::record(begun, vec![node(1), failed], whole).unwrap().unwrap();
    assert_eq!(apply(store, command.clone()), Ok(Applied::Written));

    let execution = read(store, 1);
    assert_eq!(execution.summary.status, ExecutionStatus::Error);
    assert_eq!(execution.summary.ended_at, Some(at(2)));
    assert_eq!(execution.summary.duration_ms, Some(2_000));
    assert_eq!(execution.summary.error.as_deref(), Some("no such order"));
    let error = execution.error_info.clone().expect("an error has its info");
    assert_eq!(error.message, "no such order\nat line 2");
    assert_eq!(error.kind, ErrorKind::Failed);
    assert_eq!(error.node_id.as_deref(), Some("fetch"));
    assert_eq!(error.node_name.as_deref(), Some("Fetch"));
    assert_eq!(execution.capture.get("outputs"), Some(&mark));
    assert_eq!(execution.parent_execution_id, Some(execution_id(7)));
    assert_eq!(execution.replay_of, Some(execution_id(8)));
    let [first, second] = &execution.node_executions[..] else { panic!("two nodes: {execution:?}") };
    assert_eq!((first.seq, first.status, first.duration_us), (1, NodeStatus::Completed, Some(1_500)));
    assert_eq!(first.output_data, node(1).output);
    assert_eq!(first.executed_at, node(1).executed_at);
    assert_eq!(
        (second.error.as_deref(), second.error_kind),
        (Some("no such order"), Some(ErrorKind::Failed))
    );
    assert_eq!((second.parent_seq, second.iteration, second.attempt), (Some(1), Some(0), 2));
    assert_eq!(second.capture.get("inputData"), Some(&mark));

    assert_eq!(apply(store, command), Ok(Applied::Already), "the same record again");
}

/// A report whose digest an earlier version made of rounded numbers is the same report: a start, a node, an end, a record.
pub fn what_an_earlier_version_recorded_is_no_conflict(store: &dyn Store) {
    let old = |number: u8| Digest::of(&[b"old", &[number]]);
    let begun = |digest: Digest, old_digest| NewExecution { digest, old_digest, ..start(1) };
    let ended =
        |digest: Digest, old_digest| NewEnd { digest, old_digest, ..end(Told::Reported, Outcome::Fulfilled) };
    let step = |digest: Digest, old_digest| NewNode { digest, old_digest, ..node(1) };
    let all = |digest: Digest, old_digest| {
        [
            Command::Start(Box::new(begun(digest, old_digest))),
            append_command(1, vec![step(digest, old_digest)]),
            Command::End { execution: execution_id(1), end: Box::new(ended(digest, old_digest)) },
        ]
    };
    assert_eq!(commit(store, &all(old(1), None)), [const { Ok(Applied::Written) }; 3]);
    assert_eq!(commit(store, &all(old(2), Some(old(1)))), [const { Ok(Applied::Already) }; 3]);
    assert!(commit(store, &all(old(2), Some(old(3)))).iter().all(Result::is_err), "that is another report");

    let record = |digest: Digest, old_digest| {
        let begun = NewExecution { id: execution_id(2), ..begun(digest, old_digest) };
        Command::record(begun, vec![], ended(digest, None)).unwrap().unwrap()
    };
    assert_eq!(apply(store, record(old(1), None)), Ok(Applied::Written));
    assert_eq!(apply(store, record(old(2), Some(old(1)))), Ok(Applied::Already));
}

/// An execution that starts and ends within one batch is there, ended.
pub fn start_and_end_in_one_batch_are_one_row(store: &dyn Store) {
    let outcomes = commit(
        store,
        &[
            start_command(1),
            append_command(1, vec![node(1)]),
            append_command(1, vec![node(2)]),
            end_command(1, Told::Reported, Outcome::Fulfilled),
        ],
    );
    assert_eq!(outcomes, [const { Ok(Applied::Written) }; 4]);
    let execution = read(store, 1);
    assert_eq!(execution.summary.status, ExecutionStatus::Fulfilled);
    assert_eq!(execution.node_executions.len(), 2);
    assert_eq!(execution.outputs, Some(Payload::from_value(&json!({"text": "on its way"}))));
    assert_eq!(execution.updated_at, at(3));
}

/// Of two ends, in one batch or in two, the first stands.
pub fn an_end_is_applied_once(store: &dyn Store) {
    let both = [
        start_command(1),
        end_command(1, Told::Reported, Outcome::Fulfilled),
        end_command(1, Told::Reported, failure()),
    ];
    let refused = Err(Refusal::AlreadyEnded { status: ExecutionStatus::Fulfilled });
    assert_eq!(commit(store, &both)[2], refused);
    assert_eq!(apply(store, end_command(1, Told::Reported, failure())), refused);
    assert_eq!(apply(store, end_command(1, Told::Inferred, interrupted())), refused);
    assert_eq!(read(store, 1).summary.status, ExecutionStatus::Fulfilled);
    assert_eq!(read(store, 1).error_info, None);
}

/// A retry of an end is no error and changes nothing.
pub fn the_same_end_again_is_already_there(store: &dyn Store) {
    commit(store, &[start_command(1), end_command(1, Told::Reported, failure())]);
    let before = read(store, 1);
    assert_eq!(apply(store, end_command(1, Told::Reported, failure())), Ok(Applied::Already));
    assert_eq!(read(store, 1), before);
}

/// An inferred end gives way to the reporter's, once.
pub fn an_inferred_end_is_corrected_once(store: &dyn Store) {
    apply(store, start_command(1)).unwrap();
    assert_eq!(apply(store, end_command(1, Told::Inferred, interrupted())), Ok(Applied::Written));
    assert!(read(store, 1).summary.inferred);
    assert_eq!(apply(store, end_command(1, Told::Reported, Outcome::Fulfilled)), Ok(Applied::Corrected));
    let corrected = read(store, 1);
    assert_eq!(corrected.summary.status, ExecutionStatus::Fulfilled);
    assert!(!corrected.summary.inferred);
    assert_eq!((corrected.error_info, corrected.summary.error), (None, None));
    assert!(apply(store, end_command(1, Told::Reported, failure())).is_err());
}

/// Whatever the clocks did, an execution does not end before it begins.
pub fn an_end_is_never_before_its_start(store: &dyn Store) {
    apply(store, start_command(1)).unwrap();
    let mut early = end(Told::Reported, Outcome::Fulfilled);
    early.ended_at = T0 - Duration::hours(1);
    apply(store, Command::End { execution: execution_id(1), end: Box::new(early) }).unwrap();
    let summary = read(store, 1).summary;
    assert_eq!((summary.ended_at, summary.duration_ms), (Some(T0), Some(0)));
}

/// One bad command costs only itself.
pub fn an_unknown_execution_is_refused_and_the_rest_is_written(store: &dyn Store) {
    let outcomes = commit(
        store,
        &[
            start_command(1),
            end_command(9, Told::Reported, Outcome::Fulfilled),
            append_command(9, vec![node(1)]),
            Command::RequestCancel { execution: execution_id(9), at: T0 },
            start_command(2),
        ],
    );
    let unknown = || Err(Refusal::Unknown);
    assert_eq!(outcomes, [Ok(Applied::Written), unknown(), unknown(), unknown(), Ok(Applied::Written)]);
    read(store, 1);
    read(store, 2);
}

/// A retry of a start is no error and changes nothing.
pub fn the_same_start_again_is_already_there(store: &dyn Store) {
    let outcomes = commit(store, &[start_command(1), start_command(1)]);
    assert_eq!(outcomes, [Ok(Applied::Written), Ok(Applied::Already)]);
    commit(store, &[end_command(1, Told::Reported, Outcome::Fulfilled)]);
    assert_eq!(apply(store, start_command(1)), Ok(Applied::Already));
    assert_eq!(read(store, 1).summary.status, ExecutionStatus::Fulfilled);
}

/// An id belongs to the content, and to the flow, that it was first recorded with.
pub fn another_start_of_the_same_id_is_a_conflict(store: &dyn Store) {
    apply(store, start_command(1)).unwrap();
    let conflict = Err(Refusal::Conflict { what: "this execution".to_owned() });
    let mut other = start(1);
    other.digest = Digest::of(&[b"other"]);
    assert_eq!(apply(store, Command::Start(Box::new(other))), conflict);
    let mut elsewhere = start(1);
    elsewhere.flow_id = flow_id(2);
    assert_eq!(apply(store, Command::Start(Box::new(elsewhere))), conflict);
    assert_eq!(read(store, 1).summary.guarding_flow_id, flow_id(1));
}

/// A store that trusts fresh ids must not be fooled by one that is not.
pub fn a_fresh_id_that_was_taken_is_found_out(store: &dyn Store) {
    apply(store, start_command(1)).unwrap();
    let mut other = start(1);
    other.id_is_fresh = true;
    other.digest = Digest::of(&[b"other"]);
    let outcomes = commit(store, &[start_command(2), Command::Start(Box::new(other))]);
    assert_eq!(outcomes[0], Ok(Applied::Written));
    assert_eq!(outcomes[1], Err(Refusal::Conflict { what: "this execution".to_owned() }));
    assert_eq!(read(store, 1).initial_params, start(1).params);
}

/// A node execution is one, however often it is reported, and its number is its own.
pub fn nodes_are_told_apart_by_number(store: &dyn Store) {
    apply(store, start_command(1)).unwrap();
    assert_eq!(apply(store, append_command(1, vec![node(2), node(1)])), Ok(Applied::Written));
    assert_eq!(apply(store, append_command(1, vec![node(1)])), Ok(Applied::Already));
    assert_eq!(apply(store, append_command(1, vec![node(1), node(3)])), Ok(Applied::Written));
    let mut other = node(3);
    other.digest = Digest::of(&[b"other"]);
    let conflict = Err(Refusal::Conflict { what: "node execution 3".to_owned() });
    assert_eq!(apply(store, append_command(1, vec![node(4), other.clone()])), conflict);
    assert_eq!(apply(store, append_command(1, vec![node(5), node(3), other])), conflict);
    let numbers: Vec<i32> = read(store, 1).node_executions.iter().map(|node| node.seq).collect();
    assert_eq!(numbers, [1, 2, 3], "in order, and nothing of the refused ones");
}

/// After a reported end the record is closed; after an inferred one the reporter may go on.
pub fn nodes_may_come_late_only_to_an_inferred_end(store: &dyn Store) {
    commit(store, &[start_command(1), append_command(1, vec![node(1)])]);
    apply(store, end_command(1, Told::Inferred, interrupted())).unwrap();
    assert_eq!(apply(store, append_command(1, vec![node(2)])), Ok(Applied::Written));
    apply(store, end_command(1, Told::Reported, Outcome::Fulfilled)).unwrap();
    let refused = Err(Refusal::AlreadyEnded { status: ExecutionStatus::Fulfilled });
    assert_eq!(apply(store, append_command(1, vec![node(3)])), refused);
    assert_eq!(apply(store, append_command(1, vec![node(2)])), Ok(Applied::Already));
    assert_eq!(read(store, 1).node_executions.len(), 2);
}

/// Nodes that run when an execution ends are written with it, those that are known are left alone.
pub fn ending_writes_running_nodes_as_they_are_given(store: &dyn Store) {
    commit(store, &[start_command(1), append_command(1, vec![node(1)])]);
    let mut stopped = end(Told::Reported, Outcome::Aborted(None));
    let running = |seq| crate::NewNode { status: NodeStatus::Aborted, output: None, ..node(seq) };
    stopped.running = vec![running(1), running(2)];
    apply(store, Command::End { execution: execution_id(1), end: Box::new(stopped) }).unwrap();
    let statuses: Vec<NodeStatus> = read(store, 1).node_executions.iter().map(|node| node.status).collect();
    assert_eq!(statuses, [NodeStatus::Completed, NodeStatus::Aborted]);
}

/// Cancelling sets a flag on what is pending, and on nothing else.
pub fn a_cancel_is_asked_for_once_and_only_while_pending(store: &dyn Store) {
    let cancel = || Command::RequestCancel { execution: execution_id(1), at: at(1) };
    apply(store, start_command(1)).unwrap();
    assert_eq!(apply(store, cancel()), Ok(Applied::Written));
    assert_eq!(apply(store, cancel()), Ok(Applied::Already));
    assert!(read(store, 1).cancel_requested);
    apply(store, end_command(1, Told::Reported, Outcome::Aborted(None))).unwrap();
    assert_eq!(apply(store, cancel()), Err(Refusal::AlreadyEnded { status: ExecutionStatus::Aborted }));
}

/// The housekeeping's questions: whose is pending, what is overdue, what is to be stopped.
pub fn pending_overdue_and_cancelled_are_listed(store: &dyn Store) {
    let instance = InstanceId::from_uuid(Uuid::from_u128(1));
    for number in 1..=4 {
        let mut begun = start(number);
        begun.instance_id = (number <= 3).then_some(instance);
        begun.deadline_at = at(i64::try_from(number).unwrap() * 10);
        apply(store, Command::Start(Box::new(begun))).unwrap();
    }
    apply(store, end_command(1, Told::Reported, Outcome::Fulfilled)).unwrap();
    for number in [3, 4] {
        apply(store, Command::RequestCancel { execution: execution_id(number), at: T0 }).unwrap();
    }
    let executions = store.executions();
    let pending = |limit| ids(executions.list_pending(instance, limit).unwrap());
    assert_eq!(pending(10), [execution_id(2), execution_id(3)]);
    assert_eq!(pending(1), [execution_id(2)]);
    assert_eq!(executions.list_overdue(at(39), 10).unwrap(), [], "a process judges its own");
    let overdue = executions.list_overdue(at(60), 10).unwrap();
    assert_eq!(overdue[0].deadline_at, at(40));
    assert_eq!(ids(overdue), [execution_id(4)], "nobody's");
    assert_eq!(executions.list_cancel_requested(instance).unwrap(), [execution_id(3)]);
}

fn ids(executions: Vec<PendingExecution>) -> Vec<ExecutionId> {
    executions.into_iter().map(|execution| execution.id).collect()
}

/// An append moves the deadline of what has a lease and is pending, and of nothing else.
pub fn appends_renew_leases(store: &dyn Store) {
    let mut begun = start(1);
    begun.deadline_at = at(10);
    begun.lease = Some(std::time::Duration::from_secs(10));
    apply(store, Command::Start(Box::new(begun))).unwrap();
    let kept = store.executions().lookup_summary(execution_id(1)).unwrap().unwrap();
    assert_eq!(kept.lease, Some(std::time::Duration::from_secs(10)));
    let overdue = |now: i64| ids(store.executions().list_overdue(at(now), 10).unwrap());
    assert_eq!(overdue(10), [execution_id(1)]);
    let renew = |until: i64| Command::Append {
        execution: execution_id(1),
        nodes: vec![node(1)],
        at: at(1),
        renewed_until: Some(at(until)),
    };
    assert_eq!(apply(store, renew(20)), Ok(Applied::Written));
    assert_eq!(overdue(19), []);
    // The same nodes again: whoever sends them lives.
    assert_eq!(apply(store, renew(30)), Ok(Applied::Already));
    assert_eq!(overdue(29), []);
    assert_eq!(overdue(30), [execution_id(1)]);
    apply(store, end_command(1, Told::Inferred, Outcome::Aborted(None))).unwrap();
    assert_eq!(apply(store, renew(40)), Ok(Applied::Already));
    assert_eq!(overdue(99), []);
    assert_eq!(
        apply(
            store,
            Command::Append {
                execution: execution_id(2),
                nodes: vec![node(1)],
                at: at(1),
                renewed_until: Some(at(9))
            }
        ),
        Err(Refusal::Unknown)
    );
}

/// The counters equal a recount after every kind of change.
pub fn counters_follow_every_change(store: &dyn Store) {
    let counts = |flow: Option<flowtrail_types::FlowId>| {
        let scope = flow.map_or(StatsScope::All, |flow| StatsScope::Flows(vec![flow]));
        store.executions().status_counts(&scope).unwrap()
    };
    commit(store, &[start_command(1), start_command(2), start_command(3), start_command(1)]);
    let mut elsewhere = start(4);
    elsewhere.flow_id = flow_id(2);
    apply(store, Command::Start(Box::new(elsewhere))).unwrap();
    assert_eq!(counts(Some(flow_id(1))), StatusCounts { pending: 3, ..StatusCounts::default() });
    commit(
        store,
        &[
            end_command(1, Told::Reported, Outcome::Fulfilled),
            end_command(2, Told::Inferred, interrupted()),
            end_command(3, Told::Reported, Outcome::Aborted(None)),
        ],
    );
    assert_eq!(
        counts(Some(flow_id(1))),
        StatusCounts { pending: 0, fulfilled: 1, error: 1, aborted: 1, rejected: 0 }
    );
    apply(store, end_command(2, Told::Reported, Outcome::Fulfilled)).unwrap();
    assert_eq!(
        counts(Some(flow_id(1))),
        StatusCounts { pending: 0, fulfilled: 2, error: 0, aborted: 1, rejected: 0 }
    );
    assert_eq!(counts(None), StatusCounts { pending: 1, fulfilled: 2, error: 0, aborted: 1, rejected: 0 });
    assert_eq!(counts(Some(flow_id(9))), StatusCounts::default());
}

/// Batches from several threads at once neither fail nor get lost.
pub fn concurrent_commits_are_all_there(store: &dyn Store) {
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            scope.spawn(move || {
                for number in 0..25 {
                    let number = thread * 100 + number;
                    apply(store, start_command(number)).unwrap();
                    apply(store, end_command(number, Told::Reported, Outcome::Fulfilled)).unwrap();
                }
            });
        }
    });
    assert_eq!(store.executions().status_counts(&StatsScope::All).unwrap().fulfilled, 100);
}

/// Texts that databases are known to choke on.
pub fn odd_texts_survive(store: &dyn Store) {
    let mut odd = start(1);
    odd.flow_name = "Грузовик 🚚 'quoted\" \\ \u{202e}".to_owned();
    odd.preview = Some(String::new());
    odd.params = Some(Payload::from_value(&json!({"nul": "a\u{0}b", "": "日本", "deep": [[[[]]]]})));
    odd.tags.insert("кey'".to_owned(), "ü\"".to_owned());
    let expected = odd.clone();
    apply(store, Command::Start(Box::new(odd))).unwrap();
    let execution = read(store, 1);
    assert_eq!(execution.summary.flow_name, expected.flow_name);
    assert_eq!(execution.summary.initial_params_preview.as_deref(), Some(""));
    assert_eq!(execution.initial_params, expected.params);
    assert_eq!(execution.tags, expected.tags);
    let failed = Outcome::Error(ErrorInfo::new(ErrorKind::Failed, "a\u{0}b"));
    apply(store, end_command(1, Told::Reported, failed)).unwrap();
    assert_eq!(read(store, 1).summary.error.as_deref(), Some("a\u{0}b"));
}
