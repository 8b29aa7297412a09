//! Pages of a long history.

use flowtrail_store::Store;
use flowtrail_tracker::Tracker;
use flowtrail_types::{ExecutionFilter, ExecutionQuery, ExecutionStatus, PageRequest, Source, StatsScope};

use super::places::{cursor_at, oldest, page};
use crate::database::{Database, Engine};
use crate::fill::fill;
use crate::history::{TENTH, flow_id, user_id};
use crate::options::RunOptions;
use crate::table::Row;
use crate::timing::{Times, each, in_turns};

const ITEMS: u32 = 20;

pub(crate) fn measure(engine: &Engine, database: &Database, store: &dyn Store, options: &RunOptions) {
    let (executions, reads) = (options.executions, options.pace().reads);
    let tenth = ExecutionFilter::of_flow(flow_id(TENTH));
    let as_of = store.executions().last_recorded_at().expect("it answers");
    let deep = |number: u64, filter: &ExecutionFilter| ExecutionQuery {
        as_of,
        offset: (number - 1) * u64::from(ITEMS),
        ..page(filter.clone(), ITEMS)
    };
    let begin = oldest(store);
    let end = as_of.unwrap_or(begin);
    let middle =
        ExecutionQuery { after: Some(cursor_at(begin + (end - begin) / 2)), ..page(tenth.clone(), ITEMS) };
    let by = |filter: ExecutionFilter| page(filter, ITEMS);
    let all = ExecutionFilter::default();
    let queries = [
        ("first page of a flow with a tenth", by(tenth.clone())),
        ("first page of all", by(all.clone())),
        ("page 500 of all", deep(500, &all)),
        ("page 500 of a flow with a tenth", deep(500, &tenth)),
        ("page 5,000 of all", deep(5_000, &all)),
        ("page 5,000 of a flow with a tenth", deep(5_000, &tenth)),
        ("a page by cursor, in the middle of a flow with a tenth", middle),
        ("by status, error", by(ExecutionFilter { status: Some(ExecutionStatus::Error), ..all.clone() })),
        ("by user", by(ExecutionFilter { user: Some(user_id(7)), ..all.clone() })),
        ("by source", by(ExecutionFilter { source: Some(Source::Proxy), ..all.clone() })),
        ("by user, of a flow with a tenth", by(ExecutionFilter { user: Some(user_id(7)), ..tenth.clone() })),
    ];
    let total = store.executions().status_counts(&StatsScope::All).expect("it counts").total();
    let of_tenth = store
        .executions()
        .status_counts(&StatsScope::Flows(vec![flow_id(TENTH)]))
        .expect("it counts")
        .total();
    let list = |query: &ExecutionQuery| store.executions().list(query).expect("it answers");
    for (what, query) in &queries {
        let there = if query.filter.flow.is_some() { of_tenth } else { total };
        if query.offset + u64::from(ITEMS) > there {
            continue;
        }
        assert!(!list(query).items.is_empty(), "{what} finds nothing");
        let workload = format!("{}: list of {executions}, {what}", engine.name());
        if query.offset == 0 {
            let mut times = each(reads, || drop(list(query)));
            let beside = format!("{} reads", times.count());
            let is_first = what.starts_with("first page");
            told(engine, Row { workload, beside, ..Row::default() }, &mut times, is_first.then_some(1.0));
        } else {
            let first = by(query.filter.clone());
            let (mut deep, mut shallow) = in_turns(reads, || drop(list(query)), || drop(list(&first)));
            let ratio = deep.quantile(0.5) / shallow.quantile(0.5);
            Row {
                workload,
                measured: deep.told(),
                beside: format!("page 1: {}", shallow.told()),
                ratio: Some(ratio),
                target: "within 3; p99 below 10 ms",
                is_reached: Some(ratio <= 3.0 && deep.quantile(0.99) < 10.0),
            }
            .print();
        }
    }
    through_tracker(engine, database, (executions, reads));
    beside_smaller(engine, store, (executions, reads));
}

/// Prints a row of times, on SQLite beside the milliseconds that 99 of 100 must stay below.
pub(super) fn told(engine: &Engine, row: Row<'_>, times: &mut Times, most: Option<f64>) {
    let most = most.filter(|_| matches!(engine, Engine::Sqlite));
    let target = if most.is_some() { "p99 below 1 ms" } else { "" };
    let is_reached = most.map(|most| times.quantile(0.99) < most);
    Row { measured: times.told(), target, is_reached, ..row }.print();
}

/// With totals and rights.
fn through_tracker(engine: &Engine, database: &Database, (executions, reads): (u64, usize)) {
    let tracker = Tracker::open(database.open()).expect("a tracker");
    let me = tracker.local_administrator().expect("an administrator");
    for (what, filter) in [
        ("a flow with a tenth", ExecutionFilter::of_flow(flow_id(TENTH))),
        ("all", ExecutionFilter::default()),
    ] {
        let mut times = each(reads, || {
            tracker.executions(&me, &filter, PageRequest::default()).expect("it answers");
        });
        Row {
            workload: format!("{}: list of {executions}, first page of {what}, with totals", engine.name()),
            measured: times.told(),
            beside: format!("{} reads through the tracker", times.count()),
            ..Row::default()
        }
        .print();
    }
    tracker.close();
}

/// The same first page, of a database that is a hundred times smaller.
fn beside_smaller(engine: &Engine, store: &dyn Store, (executions, reads): (u64, usize)) {
    // Of the smallest one the first page is full still.
    let fewer = (executions / 100).max(1_000);
    let database = engine.create();
    let smaller = fill(&database, fewer);
    for (what, filter) in [
        ("a flow with a tenth", ExecutionFilter::of_flow(flow_id(TENTH))),
        ("all", ExecutionFilter::default()),
    ] {
        let query = page(filter, ITEMS);
        let list = |store: &dyn Store| {
            store.executions().list(&query).expect("it answers");
        };
        let (mut ours, mut theirs) = in_turns(reads, || list(store), || list(&*smaller));
        let ratio = ours.quantile(0.5) / theirs.quantile(0.5);
        Row {
            workload: format!("{}: first page of {what}, of {executions}", engine.name()),
            measured: ours.told(),
            beside: format!("of {fewer}: {}", theirs.told()),
            ratio: Some(ratio),
            target: "within 1.5",
            is_reached: Some(ratio <= 1.5),
        }
        .print();
    }
}
