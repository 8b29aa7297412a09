//! Deleting the oldest half of a long history while recording goes on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use flowtrail_store::Store;
use flowtrail_tracker::{Keep, Tracker};
use flowtrail_types::{FlowId, StatsScope};

use super::load::{Acknowledged, CALLERS, Control, Recording, pause, runtime};
use crate::database::{Database, Engine};
use crate::history::{TENTH, flow_id};
use crate::options::Pace;
use crate::table::Row;
use crate::timing::{Times, rate};

/// For how long rows are awaited to be deleted.
const LONGEST: Duration = Duration::from_secs(240);
/// How many flows a history has.
const FLOWS: usize = 1_000;

/// When something began and ended.
type Span = (Instant, Instant);

/// What was taken out of the answers.
struct Pruned {
    count: u64,
    /// Until no answer had it any more.
    took: Duration,
}

pub(crate) fn measure(
    engine: &Engine,
    database: &Database,
    store: Box<dyn Store>,
    (executions, pace): (u64, Pace),
) {
    drop(store);
    let answers = database.open();
    let recording = Arc::new(Recording::into(Tracker::open(database.open()).expect("a tracker")));
    let runtime = runtime();
    let control = Arc::new(Control::default());
    let load = runtime.spawn(Arc::clone(&recording).record_until(Arc::clone(&control), true));
    // The first second opens connections and prepares statements.
    pause(&runtime, Duration::from_secs(1));
    let alone = span(|| pause(&runtime, pace.alone));

    let rows_before = database.number("SELECT count(*) FROM executions");
    let begun = (Instant::now(), control.recorded.load(Ordering::Relaxed));
    let of_one = prune(&recording, &*answers, &[flow_id(TENTH)]);
    let others: Vec<FlowId> = (0..FLOWS).filter(|flow| *flow != TENTH).map(flow_id).collect();
    let of_others = prune(&recording, &*answers, &others);
    let beside = span(|| {
        while database.number("SELECT count(*) FROM prunes") > 0 && begun.0.elapsed() < LONGEST {
            pause(&runtime, Duration::from_millis(200));
        }
    });
    let recorded = control.recorded.load(Ordering::Relaxed) - begun.1;
    let rows_after = database.number("SELECT count(*) FROM executions");
    let is_done = database.number("SELECT count(*) FROM prunes") == 0;
    control.stop.store(true, Ordering::Relaxed);
    let acknowledged = runtime.block_on(load).expect("the load ends");
    recording.tracker.close();

    told_gone(engine, executions, &of_one, &of_others);
    let gone = u64::try_from(rows_before - rows_after).unwrap_or(0) + recorded;
    let took = beside.1 - begun.0;
    let speed = rate(gone, took);
    Row {
        workload: format!("{}: rows deleted while {CALLERS} callers record", engine.name()),
        measured: format!("{gone} executions in {:.1} s, {speed:.0}/s", took.as_secs_f64()),
        beside: format!(
            "{:.0} table rows a second (2 an execution){}",
            2.0 * speed,
            if is_done { "" } else { ", NOT FINISHED" }
        ),
        ratio: None,
        target: "20,000 executions a second",
        is_reached: Some(is_done && speed >= 20_000.0),
    }
    .print();
    told_beside(engine, "the rows go", &acknowledged, alone, (begun.0, beside.1));
}

fn span(work: impl FnOnce()) -> Span {
    let begun = Instant::now();
    work();
    (begun, Instant::now())
}

/// Takes the older half of each flow out of the answers.
fn prune(recording: &Recording, answers: &dyn Store, flows: &[FlowId]) -> Pruned {
    let scope = StatsScope::Flows(flows.to_vec());
    let total = || answers.executions().status_counts(&scope).expect("it counts").total();
    let halves: Vec<(FlowId, u64)> = flows
        .iter()
        .map(|flow| {
            let counts = answers.executions().status_counts(&StatsScope::Flows(vec![*flow]));
            (*flow, counts.expect("it counts").total().div_ceil(2))
        })
        .collect();
    let before = total();
    let begun = Instant::now();
    let mut count = 0;
    for (flow, half) in halves {
        count += recording.tracker.prune(&recording.me, flow, Keep::Newest(half)).expect("it is pruned");
    }
    assert_eq!(total(), before - count, "what was pruned is in no answer any more");
    Pruned { count, took: begun.elapsed() }
}

fn told_gone(engine: &Engine, executions: u64, of_one: &Pruned, of_others: &Pruned) {
    let second = Duration::from_secs(1);
    for (what, pruned) in
        [("a flow with a tenth", of_one), ("each of the 999 other flows, one after the other", of_others)]
    {
        Row {
            workload: format!(
                "{}: the older half of {what}, of {executions}, gone from answers",
                engine.name()
            ),
            measured: format!("{} executions in {:.3} s", pruned.count, pruned.took.as_secs_f64()),
            beside: String::new(),
            ratio: None,
            target: "within 1 s",
            is_reached: Some(pruned.took <= second),
        }
        .print();
    }
}

fn told_beside(engine: &Engine, what: &str, acknowledged: &[Acknowledged], alone: Span, beside: Span) {
    let within = |(begun, ended): Span| {
        let mut times = Times::default();
        times.extend(acknowledged.iter().filter(|one| one.at >= begun && one.at < ended).map(|one| one.took));
        let speed = rate(times.count() as u64, ended - begun);
        (speed, times)
    };
    let ((speed_alone, mut alone), (speed, mut beside)) = (within(alone), within(beside));
    Row {
        workload: format!("{}: recording while {what}", engine.name()),
        measured: format!("{speed:.0}/s"),
        beside: format!("alone: {speed_alone:.0}/s"),
        ratio: Some(speed / speed_alone),
        target: "0.8 or more",
        is_reached: Some(speed / speed_alone >= 0.8),
    }
    .print();
    let (p99_alone, p99) = (alone.quantile(0.99), beside.quantile(0.99));
    Row {
        workload: format!("{}: until acknowledged while {what}", engine.name()),
        measured: format!("p50 {:.1} ms p99 {p99:.1} ms", beside.quantile(0.5)),
        beside: format!("alone: p50 {:.1} ms p99 {p99_alone:.1} ms", alone.quantile(0.5)),
        ratio: Some(p99 / p99_alone),
        target: "p99 below 3",
        is_reached: Some(p99 / p99_alone < 3.0),
    }
    .print();
}
