//! What a store must do when the older part of all flows is pruned together.

use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{
    ExecutionFilter, ExecutionId, ExecutionQuery, FlowId, Place, StatsQuery, StatsScope, Step, Visibility,
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::build::{T0, apply, commit, end, end_command, execution_id, flow_id, node, start};
use crate::{Applied, Command, EndedQuery, NewPrune, Store, StoreError};

/// How many flows there are.
const FLOWS: u64 = 3;
/// How many executions there are in an hour.
const HOURLY: u64 = 4;

/// When an execution begins: four in each hour, of one flow after the other.
fn began(number: u64) -> OffsetDateTime {
    hour(0) + Duration::minutes(i64::try_from(number * 60 / HOURLY).unwrap())
}

/// The hours from the first one on.
fn hour(number: i64) -> OffsetDateTime {
    Step::Hour.begin(T0) + Duration::hours(number)
}

fn flow_of(number: u64) -> FlowId {
    flow_id(u8::try_from(number % FLOWS).unwrap())
}

fn place(number: u64) -> Place {
    Place { started_at: began(number), id: execution_id(number) }
}

fn begun(number: u64, at: OffsetDateTime) -> crate::NewExecution {
    let mut begun = start(number);
    (begun.flow_id, begun.started_at, begun.recorded_at) = (flow_of(number), at, at);
    begun
}

fn record(number: u64, at: OffsetDateTime) -> Command {
    let mut over = end(Told::Reported, Outcome::Fulfilled);
    over.ended_at = at;
    Command::record(begun(number, at), vec![node(1)], over).unwrap().unwrap()
}

/// Executions 0 to 47, in twelve hours.
fn recorded(store: &dyn Store) {
    let commands: Vec<Command> = (0..12 * HOURLY).map(|number| record(number, began(number))).collect();
    commit(store, &commands);
}

fn list(store: &dyn Store, filter: ExecutionFilter) -> Vec<ExecutionId> {
    let visibility = Visibility::All;
    let query = ExecutionQuery { visibility, ..ExecutionQuery::newest(filter, 1_000) };
    let items = store.executions().list(&query).unwrap().items;
    let counted = store.executions().count(&query, 1_000).unwrap();
    assert_eq!((counted.count, counted.is_exact), (items.len() as u64, true));
    items.into_iter().map(|item| item.id).collect()
}

/// Every answer has these executions and no others.
#[track_caller]
fn assert_there(store: &dyn Store, expected: impl IntoIterator<Item = u64>) {
    let executions = store.executions();
    let mut expected: Vec<u64> = expected.into_iter().collect();
    expected.sort_unstable();
    let sorted = |mut ids: Vec<ExecutionId>| {
        ids.sort_unstable();
        ids
    };
    let ids = |numbers: &[u64]| numbers.iter().copied().map(execution_id).collect::<Vec<_>>();
    assert_eq!(sorted(list(store, ExecutionFilter::default())), ids(&expected));
    assert_counted(store, StatsScope::All, expected.len());
    for flow in 0..FLOWS {
        let its: Vec<u64> = expected.iter().copied().filter(|number| number % FLOWS == flow).collect();
        assert_eq!(sorted(list(store, ExecutionFilter::of_flow(flow_of(flow)))), ids(&its), "flow {flow}");
        assert_counted(store, StatsScope::Flows(vec![flow_of(flow)]), its.len());
    }
    assert_counted(store, StatsScope::Flows((0..FLOWS).map(flow_of).collect()), expected.len());
    for number in 0..12 * HOURLY {
        let is_there = executions.lookup_summary(execution_id(number)).unwrap().is_some();
        assert_eq!(is_there, expected.contains(&number), "execution {number}");
    }
    let ended = executions
        .list_ended(&EndedQuery {
            flow: None,
            before: None,
            after: None,
            spare_imported_since: None,
            limit: 1_000,
        })
        .unwrap();
    assert!(ended.items.iter().all(|ended| ids(&expected).contains(&ended.id())));
}

#[track_caller]
fn assert_counted(store: &dyn Store, scope: StatsScope, expected: usize) {
    let executions = store.executions();
    assert_eq!(executions.status_counts(&scope).unwrap().total(), expected as u64, "{scope:?}");
    let query = StatsQuery { scope, ..StatsQuery::of_all() };
    for step in [Step::Hour, Step::Day] {
        let parts = executions.tally_by(&query, step).unwrap();
        assert_eq!(parts.iter().map(|(_, tally)| tally.total()).sum::<i64>(), expected as i64);
        assert!(parts.iter().all(|(_, tally)| tally.total() > 0), "{parts:?}");
    }
}

/// Prunes all flows, and tells how many executions are gone.
#[track_caller]
fn prune_all(store: &dyn Store, hours: i64) -> u64 {
    store.executions().begin_prune(&NewPrune::of_all(hour(hours))).unwrap()
}

#[track_caller]
fn prune(store: &dyn Store, flow: u64, below: Option<Place>) -> u64 {
    store.executions().begin_prune(&NewPrune::of_flow(flow_of(flow), below)).unwrap()
}

/// Deletes all rows that are gone, while every answer stays as it is.
#[track_caller]
fn finish(store: &dyn Store, expected: impl IntoIterator<Item = u64> + Clone) {
    loop {
        let step = store.executions().continue_prune(3).unwrap();
        assert!(step.deleted <= 3);
        assert_there(store, expected.clone());
        if step.is_done {
            break;
        }
    }
    assert_eq!(store.executions().continue_prune(3).unwrap().deleted, 0);
}

/// All flows' executions of some hours are gone at once, whatever is pending or comes later.
pub fn all_flows_are_pruned_at_once(store: &dyn Store) {
    recorded(store);
    apply(store, Command::Start(Box::new(begun(100, hour(2))))).unwrap();
    assert_eq!(prune_all(store, 5), 5 * HOURLY);
    let kept = 5 * HOURLY..12 * HOURLY;
    assert_there(store, kept.clone().chain([100]));
    assert_eq!(prune_all(store, 5), 0, "they are gone already");

    // What was pending ends, and what comes late may have begun long ago.
    apply(store, end_command(100, Told::Reported, Outcome::Fulfilled)).unwrap();
    apply(store, record(101, hour(1))).unwrap();
    apply(store, Command::Start(Box::new(begun(102, hour(4))))).unwrap();
    finish(store, kept.chain([100, 101, 102]));
    assert_eq!(prune_all(store, 12), 7 * HOURLY + 2);
    finish(store, [102]);
}

/// It goes by whole hours, so that nothing has to be counted when it begins.
pub fn a_prune_of_all_ends_with_an_hour(store: &dyn Store) {
    recorded(store);
    let within_the_hour = Place { started_at: hour(3), id: execution_id(1) };
    let later = Place { started_at: began(13), id: ExecutionId::from_uuid(Uuid::nil()) };
    for below in [None, Some(within_the_hour), Some(later)] {
        let refused = store.executions().begin_prune(&NewPrune { flow: None, below });
        assert!(matches!(refused, Err(StoreError::Internal { .. })), "{below:?}");
    }
    assert_there(store, 0..12 * HOURLY);
}

/// What a prune of all covers is neither corrected nor deleted once more; what it does not cover is.
pub fn what_a_prune_of_all_covers_is_left_alone(store: &dyn Store) {
    recorded(store);
    let mut uncertain = begun(100, hour(1));
    uncertain.recorded_at = hour(11);
    apply(store, Command::Start(Box::new(uncertain))).unwrap();
    apply(store, end_command(100, Told::Inferred, Outcome::Aborted(None))).unwrap();
    assert_eq!(prune_all(store, 5), 5 * HOURLY + 1);
    let correction = apply(store, end_command(100, Told::Reported, Outcome::Fulfilled));
    assert_ne!(correction, Ok(Applied::Corrected));
    apply(store, record(101, hour(2))).unwrap();
    let ids = [3, 21, 22, 100, 101].map(execution_id);
    assert_eq!(store.executions().delete(&ids).unwrap(), [21, 22, 101].map(execution_id));
    store.executions().pack(hour(900), 1_000).unwrap();
    finish(store, (20..48).filter(|number| ![21, 22].contains(number)));
}

/// Prunes of flows that end below the hour are covered, those that go further are ended first.
pub fn a_prune_of_all_takes_over_from_prunes_of_flows(store: &dyn Store) {
    recorded(store);
    assert_eq!(prune(store, 0, Some(place(12))), 4, "0, 3, 6 and 9");
    assert_eq!(prune(store, 1, None), 16);
    let after_both = (0..48).filter(|number| number % 3 != 1 && (number % 3 != 0 || *number >= 12));
    assert_there(store, after_both);
    assert_eq!(prune_all(store, 5), 3 + 6, "of flow 0 from 12 on, and of flow 2");
    finish(store, (20..48).filter(|number| number % 3 != 1));
}

/// A prune of a flow that begins beside a prune of all decides for its flow from then on.
pub fn flows_are_pruned_beside_a_prune_of_all(store: &dyn Store) {
    recorded(store);
    assert_eq!(prune_all(store, 5), 20);
    store.executions().continue_prune(5).unwrap();
    apply(store, record(99, hour(1))).unwrap();
    apply(store, record(100, hour(1))).unwrap();
    assert_there(store, (20..48).chain([99, 100]));
    // One that ends lower than the prune of all, and one that goes further.
    assert_eq!(prune(store, 0, Some(place(12))), 1, "99 is of flow 0, and came later");
    assert_eq!(prune(store, 1, Some(place(40))), 6 + 1);
    let kept = |number: &u64| number % 3 != 1 || *number >= 40;
    assert_there(store, (20..48).filter(kept));
    apply(store, record(102, hour(2))).unwrap();
    apply(store, record(103, hour(2))).unwrap();
    let is_one = store.executions().delete(&[execution_id(102)]).unwrap().len() == 1;
    assert!(is_one);
    // Not as far: the one that goes on is ended first.
    assert_eq!(prune(store, 1, Some(place(30))), 1, "103 came later");
    assert_there(store, (20..48).filter(kept));
    apply(store, record(106, hour(2))).unwrap();
    finish(store, (20..48).filter(kept).chain([106]));
}

/// A prune of all that reaches further replaces one that goes on; one that does not waits for its end.
pub fn a_prune_of_all_follows_another(store: &dyn Store) {
    recorded(store);
    assert_eq!(prune_all(store, 3), 12);
    store.executions().continue_prune(5).unwrap();
    apply(store, record(100, hour(1))).unwrap();
    assert_eq!(prune_all(store, 6), 12 + 1);
    assert_there(store, 24..48);
    apply(store, record(101, hour(1))).unwrap();
    apply(store, record(102, hour(5))).unwrap();
    assert_eq!(prune(store, 0, Some(place(36))), 4 + 1);
    assert_eq!(prune_all(store, 3), 1, "101 came later");
    let kept = (24..48).filter(|number| number % 3 != 0 || *number >= 36);
    assert_there(store, kept.clone());
    assert_eq!(prune_all(store, 10), 16 - 4);
    finish(store, 40..48);
}
