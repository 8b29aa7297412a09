//! What a store must do with what is deleted, pruned and packed.

use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{
    ExecutionFilter, ExecutionId, ExecutionQuery, FlowId, Payload, Place, StatsQuery, StatsScope,
};
use serde_json::json;

use super::build::{
    append_command, apply, at, commit, end, end_command, execution_id, flow_id, node, read, start,
    start_command,
};
use crate::{Applied, Command, EndedQuery, NewPrune, Refusal, Store};

/// Executions 1 to `count` of the suite's first flow, all of them fulfilled, recorded at once.
fn recorded(store: &dyn Store, count: u64) {
    let commands: Vec<Command> = (1..=count).map(record).collect();
    commit(store, &commands);
}

fn record(number: u64) -> Command {
    let mut begun = start(number);
    begun.started_at = at(i64::try_from(number).unwrap());
    begun.recorded_at = begun.started_at;
    let mut over = end(Told::Reported, Outcome::Fulfilled);
    over.ended_at = begun.started_at;
    Command::record(begun, vec![node(1)], over).unwrap().unwrap()
}

fn listed(store: &dyn Store) -> Vec<ExecutionId> {
    let query = ExecutionQuery::newest(ExecutionFilter::of_flow(flow_id(1)), 1_000);
    store.executions().list(&query).unwrap().items.into_iter().map(|item| item.id).collect()
}

fn total(store: &dyn Store, flow: FlowId) -> u64 {
    store.executions().status_counts(&StatsScope::Flows(vec![flow])).unwrap().total()
}

fn place(number: u64) -> Place {
    Place { started_at: at(i64::try_from(number).unwrap()), id: execution_id(number) }
}

/// What is deleted is gone from every answer, with all that belongs to it; what is pending stays.
pub fn what_is_deleted_is_gone(store: &dyn Store) {
    recorded(store, 3);
    apply(store, start_command(4)).unwrap();
    apply(store, append_command(4, vec![node(1)])).unwrap();
    let ids = [execution_id(1), execution_id(4), execution_id(99)];
    assert_eq!(store.executions().delete(&ids).unwrap(), [execution_id(1)]);
    assert_eq!(store.executions().delete(&ids).unwrap(), []);
    assert_eq!(store.executions().delete(&[]).unwrap(), []);
    assert_eq!(store.executions().lookup(execution_id(1)).unwrap(), None);
    assert_eq!(listed(store), [execution_id(3), execution_id(2), execution_id(4)]);
    assert_eq!(total(store, flow_id(1)), 3);
    let again = end_command(1, Told::Reported, Outcome::Fulfilled);
    assert_eq!(apply(store, again), Err(Refusal::Unknown));
    assert_eq!(apply(store, record(1)), Ok(Applied::Written), "its id is free again");
    assert_eq!(read(store, 1).node_executions.len(), 1);
}

/// A prune is complete at once, whatever its size, and its rows go later.
pub fn what_is_pruned_is_gone_at_once(store: &dyn Store) {
    recorded(store, 20);
    apply(store, start_command(50)).unwrap();
    let executions = store.executions();
    assert_eq!(executions.begin_prune(&NewPrune::of_flow(flow_id(1), Some(place(18)))).unwrap(), 17);
    let kept = [20, 19, 18, 50].map(execution_id);
    assert_eq!(listed(store), kept);
    assert_eq!(total(store, flow_id(1)), 4);
    assert_eq!(executions.lookup(execution_id(3)).unwrap(), None);
    assert_eq!(executions.lookup_summary(execution_id(3)).unwrap(), None);
    assert_eq!(executions.begin_prune(&NewPrune::of_flow(flow_id(1), Some(place(18)))).unwrap(), 0);

    // What comes late stays, and what is pending may end.
    let mut late = start(51);
    late.started_at = at(2);
    apply(store, Command::Start(Box::new(late))).unwrap();
    apply(store, end_command(50, Told::Reported, Outcome::Fulfilled)).unwrap();
    let expected = [20, 19, 18, 51, 50].map(execution_id);
    assert_eq!(listed(store), expected);
    loop {
        let step = executions.continue_prune(5).unwrap();
        assert!(step.deleted <= 5);
        assert_eq!(listed(store), expected);
        assert_eq!(total(store, flow_id(1)), 5);
        if step.is_done {
            break;
        }
    }
    assert_eq!(executions.begin_prune(&NewPrune::of_flow(flow_id(1), None)).unwrap(), 4);
    assert_eq!(listed(store), [execution_id(51)]);
    while !executions.continue_prune(100).unwrap().is_done {}
    assert_eq!(executions.tally(&StatsQuery::of_all()).unwrap().total(), 1);
}

/// Retention reads from the oldest on, and can go on where it stopped.
pub fn ended_ones_are_listed_oldest_first(store: &dyn Store) {
    recorded(store, 10);
    apply(store, start_command(40)).unwrap();
    let mut elsewhere = start(41);
    elsewhere.flow_id = flow_id(2);
    let over = end(Told::Reported, Outcome::Aborted(None));
    apply(store, Command::record(elsewhere, Vec::new(), over).unwrap().unwrap()).unwrap();
    let mut query = EndedQuery {
        flow: Some(flow_id(1)),
        before: Some(at(9)),
        after: None,
        spare_imported_since: None,
        limit: 4,
    };
    let mut seen = Vec::new();
    for _ in 0..10 {
        let page = store.executions().list_ended(&query).unwrap();
        seen.extend(page.items.iter().map(crate::Ended::id));
        assert!(page.items.iter().all(|ended| ended.bytes > 0 && ended.flow == flow_id(1)));
        let Some(place) = page.searched_to else { break };
        query.after = Some(place);
    }
    assert_eq!(seen, (1..=8).map(execution_id).collect::<Vec<_>>());
    let all = EndedQuery { flow: None, before: None, after: None, spare_imported_since: None, limit: 100 };
    assert_eq!(store.executions().list_ended(&all).unwrap().items.len(), 11);
}

/// Packing changes nothing of what is read, nor of what may still come.
pub fn packing_changes_no_answer(store: &dyn Store) {
    commit(
        store,
        &[start_command(1), append_command(1, vec![node(1), node(2)]), start_command(2), start_command(3)],
    );
    apply(store, end_command(1, Told::Reported, Outcome::Fulfilled)).unwrap();
    let interrupted = flowtrail_types::ErrorInfo::new(flowtrail_types::ErrorKind::Interrupted, "it died");
    apply(store, append_command(2, vec![node(1)])).unwrap();
    apply(store, end_command(2, Told::Inferred, Outcome::Error(interrupted))).unwrap();
    let before = [1, 2, 3].map(|number| read(store, number));
    store.executions().pack(at(100), 100).unwrap();
    assert_eq!([1, 2, 3].map(|number| read(store, number)), before);
    assert_eq!(store.executions().pack(at(100), 100).unwrap(), 0, "there is nothing left to pack");

    // The same node again is one, another one is a conflict, also when it was packed.
    assert_eq!(apply(store, append_command(1, vec![node(2)])), Ok(Applied::Already));
    let mut other = node(2);
    other.digest = flowtrail_types::Digest::of(&[b"other"]);
    let conflict = Refusal::Conflict { what: "node execution 2".to_owned() };
    assert_eq!(apply(store, append_command(1, vec![other])), Err(conflict));
    assert_eq!(read(store, 1), before[0]);

    // An inferred end may be corrected, and late nodes may come.
    assert_eq!(apply(store, append_command(2, vec![node(1), node(2)])), Ok(Applied::Written));
    let mut corrected = end(Told::Reported, Outcome::Fulfilled);
    corrected.outputs = Some(Payload::from_value(&json!({"text": "it lived"})));
    let command = Command::End { execution: execution_id(2), end: Box::new(corrected) };
    assert_eq!(apply(store, command), Ok(Applied::Corrected));
    let whole = read(store, 2);
    assert_eq!(whole.node_executions.len(), 2);
    assert_eq!(whole.node_executions[0], before[1].node_executions[0]);
    assert_eq!(whole.outputs, Some(Payload::from_value(&json!({"text": "it lived"}))));
    assert_eq!(
        (whole.initial_params.clone(), whole.meta.clone()),
        (before[1].initial_params.clone(), before[1].meta.clone())
    );
    assert_eq!(whole.error_info, None);
    store.executions().pack(at(100), 100).unwrap();
    assert_eq!(read(store, 2), whole);
}

/// Many flows that are pruned together, some of which keep what came late, while others are not pruned at all.
pub fn many_prunes_are_worked_on_together(store: &dyn Store) {
    let flow = |number: u64| flow_id(u8::try_from(number % 20).unwrap());
    let commands: Vec<Command> = (1..=400)
        .map(|number| {
            let mut begun = start(number);
            begun.flow_id = flow(number);
            begun.started_at = at(i64::try_from(number).unwrap() * 60);
            let mut over = end(Told::Reported, Outcome::Fulfilled);
            over.ended_at = begun.started_at;
            Command::record(begun, vec![node(1)], over).unwrap().unwrap()
        })
        .collect();
    commit(store, &commands);
    let below = Some(Place { started_at: at(200 * 60), id: execution_id(200) });
    let executions = store.executions();
    // Flow 19 is left alone.
    let gone: u64 = (0..19)
        .map(|number| executions.begin_prune(&NewPrune::of_flow(flow_id(number), below)).unwrap())
        .sum();
    assert_eq!(gone, 190 - 1, "the place itself is one of flow 0");
    let mut late = start(900);
    late.flow_id = flow_id(3);
    late.started_at = at(60);
    apply(store, Command::Start(Box::new(late))).unwrap();
    let all = |store: &dyn Store| store.executions().tally(&StatsQuery::of_all()).unwrap();
    let before = all(store);
    assert_eq!(before.total(), 400 - 189 + 1);
    loop {
        let step = executions.continue_prune(17).unwrap();
        assert!(step.deleted <= 17);
        assert_eq!(all(store), before);
        let hours = executions.tally_by(&StatsQuery::of_all(), flowtrail_types::Step::Hour).unwrap();
        assert_eq!(hours.iter().map(|(_, tally)| tally.total()).sum::<i64>(), before.total());
        if step.is_done {
            break;
        }
    }
    for number in 0..20 {
        let expected = match number {
            0 | 3 => 11,
            19 => 20,
            _ => 10,
        };
        assert_eq!(total(store, flow_id(number)), expected, "flow {number}");
    }
    assert_eq!(executions.lookup(execution_id(40)).unwrap(), None);
    assert!(executions.lookup(execution_id(39)).unwrap().is_some());
    assert!(executions.lookup(execution_id(200)).unwrap().is_some());
}
