//! What a store must do with lists of executions.

use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{
    Cursor, ErrorInfo, ErrorKind, ExecutionFilter, ExecutionId, ExecutionQuery, ExecutionStatus, Place,
    Source, UserId, Visibility,
};
use time::Duration;
use uuid::Uuid;

use super::build::{OWNER, apply, at, end, end_command, execution_id, flow_id, start};
use crate::{Command, Counted, NewEnd, NewPrune, Store};

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
    ExecutionQuery { offset, ..ExecutionQuery::newest(ExecutionFilter::default(), limit) }
}

#[track_caller]
fn ids(store: &dyn Store, query: &ExecutionQuery) -> Vec<ExecutionId> {
    store.executions().list(query).unwrap().items.into_iter().map(|summary| summary.id).collect()
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
        let items = store.executions().list(&query).unwrap().items;
        let Some(last) = items.last() else { break };
        after = Some(Cursor::below(Place { started_at: last.started_at, id: last.id }, 0));
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
        tag: Some("shop:north".parse().unwrap()),
        text: Some("ORDER sum".parse().unwrap()),
        ..any()
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
        assert_eq!(store.executions().count(&query, 100).unwrap().count, ids(store, &query).len() as u64);
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
    let count = |bound| store.executions().count(&query, bound).unwrap();
    assert_eq!(count(100), Counted { count: 7, is_exact: true });
    assert!(!count(5).is_exact && count(5).count <= 5, "{:?}", count(5));
}

/// Deep pages hold what walking there would find, by flow and by status, also within an anchor to which something was
/// added since.
pub fn deep_pages_are_found_by_counting(store: &dyn Store) {
    const COUNT: u64 = 2_600;
    let mut expected: Vec<(ExecutionStatus, ExecutionId)> = Vec::new();
    let commands: Vec<Command> = (0..COUNT)
        .map(|number| {
            let mut begun = start(number);
            // Two days, several in an hour, some in the same moment.
            begun.started_at = at(i64::try_from(number / 3).unwrap() * 200);
            begun.recorded_at = begun.started_at;
            let outcome = match number % 50 {
                0 => Outcome::Aborted(None),
                1 => Outcome::Error(ErrorInfo::new(ErrorKind::Failed, "it failed")),
                _ => Outcome::Fulfilled,
            };
            expected.push((outcome.status(), begun.id));
            let mut over = end(Told::Reported, outcome);
            over.ended_at = begun.started_at;
            Command::record(begun, Vec::new(), over).unwrap().unwrap()
        })
        .collect();
    for batch in commands.chunks(500) {
        store.executions().commit(batch).unwrap().into_iter().for_each(|outcome| {
            outcome.unwrap();
        });
    }
    expected.reverse();
    let anchor = store.executions().last_recorded_at().unwrap();
    let pages = |as_of| {
        for status in [None, Some(ExecutionStatus::Fulfilled), Some(ExecutionStatus::Error)] {
            let wanted: Vec<ExecutionId> = expected
                .iter()
                .filter(|(is, _)| status.is_none_or(|status| status == *is))
                .map(|(_, id)| *id)
                .collect();
            for flow in [None, Some(flow_id(1))] {
                for offset in [0usize, 30, 999, 1_000, 1_001, 1_777, 2_590, 2_599, 2_600, 9_000] {
                    let filter = ExecutionFilter { flow, status, ..ExecutionFilter::default() };
                    let query = ExecutionQuery { filter, as_of, ..everything(offset as u64, 20) };
                    let found = ids(store, &query);
                    let page: Vec<ExecutionId> = wanted.iter().skip(offset).take(20).copied().collect();
                    assert_eq!(found, page, "{status:?} {flow:?} from {offset}");
                }
            }
        }
    };
    pages(None);
    // Later records: one that began in the middle, and some that are newest.
    for (number, seconds) in [(90_001, 40_000), (90_002, 40_001), (90_003, 1_000_000)] {
        let mut late = start(number);
        late.started_at = at(seconds);
        late.recorded_at = anchor.unwrap() + Duration::SECOND;
        apply(store, Command::Start(Box::new(late))).unwrap();
    }
    pages(anchor);
}

/// What several flows have is merged into one list, in its order, page by page and by cursor.
pub fn lists_of_several_flows_are_merged(store: &dyn Store) {
    let stranger = UserId::from_uuid(Uuid::from_u128(0xB));
    let mut expected = Vec::new();
    for number in 1..=120u64 {
        let mut begun = start(number);
        let flow = u8::try_from(number * 7 % 5).unwrap();
        begun.flow_id = flow_id(flow);
        begun.started_at = at(i64::try_from(number / 2).unwrap());
        begun.user_id = Some(if number % 3 == 0 { stranger } else { OWNER });
        let is_visible = flow <= 1 || (flow == 2 && number % 3 == 0);
        if is_visible {
            expected.push(begun.id);
        }
        apply(store, Command::Start(Box::new(begun))).unwrap();
    }
    expected.reverse();
    let visibility = Visibility::Limited {
        flows: vec![flow_id(0), flow_id(1), flow_id(77)],
        user: stranger,
        own_in: vec![flow_id(2), flow_id(78)],
    };
    let everything =
        |offset, limit| ExecutionQuery { visibility: visibility.clone(), ..everything(offset, limit) };
    assert_eq!(ids(store, &everything(0, 1_000)), expected);
    let by_page: Vec<ExecutionId> = (0..20).flat_map(|page| ids(store, &everything(page * 7, 7))).collect();
    assert_eq!(by_page, expected);
    let mut by_cursor = Vec::new();
    let mut after = None;
    loop {
        let items = store.executions().list(&ExecutionQuery { after, ..everything(0, 9) }).unwrap().items;
        let Some(last) = items.last() else { break };
        after = Some(Cursor::below(Place { started_at: last.started_at, id: last.id }, 0));
        by_cursor.extend(items.iter().map(|item| item.id));
    }
    assert_eq!(by_cursor, expected);
    let count = store.executions().count(&everything(0, 1), 10_000).unwrap();
    assert_eq!(count, Counted { count: expected.len() as u64, is_exact: true });
}

/// What has ended is listed by when it did, the last first, whenever it had begun; what is pending is not, and neither is
/// what was pruned.
pub fn what_has_ended_is_listed_in_the_order_of_its_end(store: &dyn Store) {
    ten(store);
    let flow = start(1).flow_id;
    for (number, second) in [(3, 50), (9, 40), (1, 60), (2, 50)] {
        let ending = NewEnd { ended_at: at(second), ..end(Told::Reported, Outcome::Fulfilled) };
        apply(store, Command::End { execution: execution_id(number), end: Box::new(ending) }).unwrap();
    }
    let listed = |offset, limit| {
        let found = store.executions().list_by_end(flow, offset, limit).unwrap();
        found.into_iter().map(|summary| summary.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(0, 10), [1, 3, 2, 9].map(execution_id));
    assert_eq!(listed(1, 2), [3, 2].map(execution_id));
    assert_eq!(listed(4, 10), []);
    assert_eq!(listed(u64::MAX, 10), []);
    assert_eq!(store.executions().list_by_end(flow_id(99), 0, 10).unwrap(), []);
    store.executions().begin_prune(&NewPrune::of_flow(flow, None)).unwrap();
    assert_eq!(listed(0, 10), [], "rows that are still there are in no answer");
}
