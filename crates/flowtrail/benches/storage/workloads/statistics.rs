//! Statistics and details of a long history.

use flowtrail_store::Store;
use flowtrail_tracker::{StatsRange, Tracker};
use flowtrail_types::{StatsQuery, Step};

use super::lists::told;
use super::places::random_ids;
use crate::database::{Database, Engine};
use crate::history::{TENTH, THOUSAND, flow_id};
use crate::options::Pace;
use crate::table::Row;
use crate::timing::{Times, each, in_turns};

pub(crate) fn measure(engine: &Engine, database: &Database, store: &dyn Store, pace: Pace) {
    let executions = store.executions();
    let count = |flow| executions.tally(&StatsQuery::of_flow(flow_id(flow))).expect("it counts").total();
    let (many, few) = (count(TENTH), count(THOUSAND));
    let is_sqlite = matches!(engine, Engine::Sqlite);
    let compare = |what: &str, (mut large, mut small): (Times, Times)| {
        let ratio = large.quantile(0.5) / small.quantile(0.5);
        Row {
            workload: format!("{}: {what} of a flow with {many}", engine.name()),
            measured: large.told(),
            beside: format!("of a flow with {few}: {}", small.told()),
            ratio: Some(ratio),
            target: "within 1.2; p99 below 1 ms on SQLite",
            is_reached: Some(ratio <= 1.2 && (!is_sqlite || large.quantile(0.99) < 1.0)),
        }
        .print();
    };
    let tally = |flow: usize| {
        executions.tally(&StatsQuery::of_flow(flow_id(flow))).expect("it counts");
    };
    compare("statistics", in_turns(pace.reads, || tally(TENTH), || tally(THOUSAND)));
    {
        let tracker = Tracker::open(database.open()).expect("a tracker");
        let me = tracker.local_administrator().expect("an administrator");
        let answer = |flow: usize| {
            tracker.statistics(&me, Some(flow_id(flow)), StatsRange::default()).expect("it counts");
        };
        compare(
            "statistics through the tracker",
            in_turns(pace.reads, || answer(TENTH), || answer(THOUSAND)),
        );
        tracker.close();
    }
    let plain = |what: &str, times: &mut Times| {
        Row {
            workload: format!("{}: {what}", engine.name()),
            measured: times.told(),
            beside: format!("{} reads", times.count()),
            ..Row::default()
        }
        .print();
    };
    for (what, query) in
        [("all", StatsQuery::of_all()), ("a flow with a tenth", StatsQuery::of_flow(flow_id(TENTH)))]
    {
        let mut times = each(pace.reads, || {
            executions.tally_by(&query, Step::Day).expect("it counts");
        });
        plain(&format!("time series of {what}, by day, 90 days"), &mut times);
    }
    let ids = random_ids(store, pace.reads);
    let mut next = ids.iter().cycle();
    let mut times = each(pace.reads, || {
        let id = next.next().expect("there are some");
        executions.lookup(*id).expect("it answers").expect("it is there");
    });
    let workload = format!("{}: detail of random executions", engine.name());
    let beside = format!("{} reads", times.count());
    told(engine, Row { workload, beside, ..Row::default() }, &mut times, Some(1.0));
}
