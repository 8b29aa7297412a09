//! What a store must do with lists of executions.

use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{
    Cursor, ExecutionFilter, ExecutionId, ExecutionQuery, ExecutionStatus, Source, UserId, Visibility,
};
use time::Duration;
use uuid::Uuid;

use super::build::{OWNER, apply, at, end_command, execution_id, flow_id, start};
use crate::{Command, Store};

/// Executions 1 to 10; two begin at each moment, so that the id must break ties.
fn ten(store: &dyn Store) {
    for number in 1..=10u64 {
        let mut begun = start(number);
        begun.started_at = at(i64::try_from(number / 2).unwrap());
        begun.recorded_at = begun.started_at;
        apply(store, Command::Start(Box::new(begun))).unwrap();
    }
}

fn everything(offset: u64, limit: u32) -> ExecutionQuery {
    ExecutionQuery {
        filter: ExecutionFilter::default(),
        visibility: Visibility::All,
        as_of: None,
        after: None,
        offset,
        limit,
    }
}

#[track_caller]
fn ids(store: &dyn Store, query: &ExecutionQuery) -> Vec<ExecutionId> {
    store.executions().list(query).unwrap().into_iter().map(|summary| summary.id).collect()
}

fn numbers(numbers: impl IntoIterator<Item = u64>) -> Vec<ExecutionId> {
    numbers.into_iter().map(execution_id).collect()
}

/// Page after page gives each execution once, newest first.
pub fn pages_have_every_execution_once(store: &dyn Store) {
    ten(store);
    let mut seen = Vec::new();
    for page in 0..4 {
        seen.extend(ids(store, &everything(page * 3, 3)));
    }
    assert_eq!(seen, numbers((1..=10).rev()));
    assert_eq!(ids(store, &everything(12, 3)), []);
    assert_eq!(ids(store, &everything(u64::MAX, 100)), []);
}

/// A cursor stays where it is while new executions come in before it.
pub fn a_cursor_neither_skips_nor_repeats_while_new_ones_arrive(store: &dyn Store) {
    ten(store);
    let mut seen = Vec::new();
    let mut after = None;
    for round in 0..10u64 {
        let query = ExecutionQuery { after, ..everything(0, 3) };
        let items = store.executions().list(&query).unwrap();
        let Some(last) = items.last() else { break };
        after = Some(Cursor { started_at: last.started_at, id: last.id, filter: 0 });
        seen.extend(items.iter().map(|summary| summary.id));
        let mut newer = start(100 + round);
        newer.started_at = at(1_000);
        apply(store, Command::Start(Box::new(newer))).unwrap();
    }
    assert_eq!(seen, numbers((1..=10).rev()));
}

/// Each filter alone, and together.
pub fn filters_choose(store: &dyn Store) {
    let stranger = UserId::from_uuid(Uuid::from_u128(0xB));
    for number in 1..=6u64 {
        let mut begun = start(number);
        begun.started_at = at(i64::try_from(number).unwrap());
        begun.flow_id = flow_id(if number <= 4 { 1 } else { 2 });
        begun.source = if number % 2 == 0 { Source::Api } else { Source::Mcp };
        begun.user_id = Some(if number == 3 { stranger } else { OWNER });
        apply(store, Command::Start(Box::new(begun))).unwrap();
    }
    apply(store, end_command(2, Told::Reported, Outcome::Fulfilled)).unwrap();
    let find = |filter: ExecutionFilter| ids(store, &ExecutionQuery { filter, ..everything(0, 20) });
    let any = ExecutionFilter::default;
    assert_eq!(find(ExecutionFilter::of_flow(flow_id(2))), numbers([6, 5]));
    assert_eq!(find(ExecutionFilter { status: Some(ExecutionStatus::Fulfilled), ..any() }), numbers([2]));
    assert_eq!(find(ExecutionFilter { source: Some(Source::Mcp), ..any() }), numbers([5, 3, 1]));
    assert_eq!(find(ExecutionFilter { user: Some(stranger), ..any() }), numbers([3]));
    assert_eq!(find(ExecutionFilter { from: Some(at(5)), ..any() }), numbers([6, 5]));
    assert_eq!(find(ExecutionFilter { to: Some(at(2)), ..any() }), numbers([1]));
    let together = ExecutionFilter {
        flow: Some(flow_id(1)),
        status: Some(ExecutionStatus::Pending),
        source: Some(Source::Mcp),
        user: Some(OWNER),
        from: Some(at(1)),
        to: Some(at(6)),
    };
    assert_eq!(find(together), numbers([1]));
}

/// Who may see some flows sees those, and their own executions of the public ones.
pub fn visibility_hides(store: &dyn Store) {
    let stranger = UserId::from_uuid(Uuid::from_u128(0xB));
    for (number, flow, user) in [(1, 1, OWNER), (2, 2, OWNER), (3, 2, stranger), (4, 3, stranger)] {
        let mut begun = start(number);
        begun.flow_id = flow_id(flow);
        begun.user_id = Some(user);
        apply(store, Command::Start(Box::new(begun))).unwrap();
    }
    let see = |flows: &[u8], own_in: &[u8]| {
        let visibility = Visibility::Limited {
            flows: flows.iter().copied().map(flow_id).collect(),
            user: stranger,
            own_in: own_in.iter().copied().map(flow_id).collect(),
        };
        let query = ExecutionQuery { visibility, ..everything(0, 20) };
        assert_eq!(store.executions().count(&query, 100).unwrap(), ids(store, &query).len() as u64);
        ids(store, &query)
    };
    assert_eq!(see(&[], &[]), []);
    assert_eq!(see(&[1], &[]), numbers([1]));
    assert_eq!(see(&[], &[2]), numbers([3]));
    assert_eq!(see(&[1], &[2]), numbers([3, 1]));
}

/// Pages within one anchor do not shift when something is recorded later.
pub fn an_anchor_leaves_out_what_came_later(store: &dyn Store) {
    ten(store);
    let mut late = start(50);
    late.started_at = at(-5);
    late.recorded_at = at(60);
    apply(store, Command::Start(Box::new(late))).unwrap();
    let anchored = |offset| ExecutionQuery { as_of: Some(at(30)), ..everything(offset, 6) };
    assert_eq!(ids(store, &anchored(0)), numbers((5..=10).rev()));
    assert_eq!(ids(store, &anchored(6)), numbers((1..=4).rev()));
    assert_eq!(ids(store, &everything(0, 20)).len(), 11);
}

/// Counting is exact up to its bound and goes no further.
pub fn counting_stops_at_its_bound(store: &dyn Store) {
    ten(store);
    let filter = ExecutionFilter { from: Some(at(1) + Duration::MICROSECOND), ..ExecutionFilter::default() };
    let query = ExecutionQuery { filter, ..everything(0, 20) };
    assert_eq!(store.executions().count(&query, 100).unwrap(), 7);
    assert_eq!(store.executions().count(&query, 5).unwrap(), 5);
}
