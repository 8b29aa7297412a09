//! Deleting the oldest half of a long history while recording goes on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use flowtrail_store::Store;
use flowtrail_store_diesel::DatabaseUrl;
use flowtrail_tracker::{Keep, Tracker};
use flowtrail_types::timestamp::unix_micros;
use flowtrail_types::{ExecutionFilter, ExecutionQuery, FlowId, StatsScope};

use time::OffsetDateTime;

use super::load::{Acknowledged, CALLERS, Control, Recording, pause, runtime};
use super::places::page;
use crate::database::{Database, Engine};
use crate::history::{TENTH, flow_id};
use crate::options::Pace;
use crate::table::Row;
use crate::timing::{Times, rate};

/// For how long rows are awaited to be deleted.
const LONGEST: Duration = Duration::from_secs(240);
/// When something began and ended.
type Span = (Instant, Instant);

/// What was taken out of the answers, and whose rows were deleted then.
struct Pruned {
    what: &'static str,
    count: u64,
    /// Until no answer had it any more.
    took: Duration,
    /// From the first wish until the last row was gone, or nobody waited any longer.
    span: Span,
    /// Until nothing was left to do.
    settled: Duration,
    is_done: bool,
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

    let parts = [("all flows", None), ("a flow with a tenth", Some(flow_id(TENTH)))].map(|(what, flow)| {
        let begun = Instant::now();
        let (count, took, middle) = prune(&recording, &*answers, flow);
        let prunes = || database.number("SELECT count(*) FROM prunes");
        // Rows of all flows go in their order: the newest of them goes last. Counters are settled after that.
        let rows = || if flow.is_none() { oldest_before(database, middle) } else { prunes() };
        let until = |left: &dyn Fn() -> i64| {
            while left() > 0 && begun.elapsed() < LONGEST {
                pause(&runtime, Duration::from_millis(50));
            }
            Instant::now()
        };
        let span = (begun, until(&rows));
        let settled = until(&prunes) - begun;
        let is_done = prunes() == 0;
        // What one leaves to do is not the other's to wait for.
        pause(&runtime, Duration::from_secs(2));
        Pruned { what, count, took, span, settled, is_done }
    });
    control.stop.store(true, Ordering::Relaxed);
    let acknowledged = runtime.block_on(load).expect("the load ends");
    recording.tracker.close();

    for pruned in &parts {
        told_gone(engine, executions, pruned);
        told_beside(engine, pruned.what, &acknowledged, alone, pruned.span);
    }
}

fn span(work: impl FnOnce()) -> Span {
    let begun = Instant::now();
    work();
    (begun, Instant::now())
}

/// Takes the older half out of the answers, of one flow or of all, and tells how many executions that were and how long it
/// took.
fn prune(
    recording: &Recording,
    answers: &dyn Store,
    flow: Option<FlowId>,
) -> (u64, Duration, OffsetDateTime) {
    let Recording { tracker, me, .. } = recording;
    let scope = flow.map_or(StatsScope::All, |flow| StatsScope::Flows(vec![flow]));
    let counted = || answers.executions().status_counts(&scope).expect("it counts").total();
    let before = counted();
    let half = before.div_ceil(2);
    let middle =
        ExecutionQuery { offset: half, ..page(ExecutionFilter { flow, ..ExecutionFilter::default() }, 1) };
    let middle = answers.executions().list(&middle).expect("it answers").items[0].started_at;
    let begun = Instant::now();
    let count = match flow {
        Some(flow) => tracker.prune(me, flow, Keep::Newest(half)),
        None => tracker.prune_all(me, Keep::Since(middle)),
    }
    .expect("it is pruned");
    let took = begun.elapsed();
    // More may have been recorded meanwhile, but not so much.
    assert!(counted() < before - count / 2, "what was pruned is in no answer any more");
    (count, took, middle)
}

/// Whether anything is left that began before a time, as a number.
fn oldest_before(database: &Database, at: OffsetDateTime) -> i64 {
    let at = match &database.url {
        DatabaseUrl::Sqlite(_) => unix_micros(at).to_string(),
        DatabaseUrl::Postgres(_) => format!("to_timestamp({})", at.unix_timestamp()),
    };
    database.number(&format!(
        "SELECT count(*) FROM (SELECT 1 FROM executions WHERE started_at < {at} AND deadline_at IS NULL LIMIT 1) AS x"
    ))
}

fn told_gone(engine: &Engine, executions: u64, pruned: &Pruned) {
    let Pruned { what, count, took, span, settled, is_done } = pruned;
    Row {
        workload: format!("{}: the older half of {what}, of {executions}, gone from answers", engine.name()),
        measured: format!("{count} executions in {:.3} s", took.as_secs_f64()),
        beside: String::new(),
        ratio: None,
        target: "within 1 s",
        is_reached: Some(*took <= Duration::from_secs(1)),
    }
    .print();
    let until = span.1 - span.0;
    let speed = rate(*count, until);
    let measured = if *is_done {
        format!("{count} executions in {:.1} s, {speed:.0}/s", until.as_secs_f64())
    } else {
        format!("{count} executions, NOT FINISHED after {:.0} s", until.as_secs_f64())
    };
    Row {
        workload: format!(
            "{}: rows of the older half of {what} deleted, {CALLERS} callers recording",
            engine.name()
        ),
        measured,
        beside: if *is_done {
            format!("{:.0} table rows/s; counters settled after {:.1} s", 2.0 * speed, settled.as_secs_f64())
        } else {
            String::new()
        },
        ratio: None,
        target: "20,000 table rows/s",
        is_reached: Some(*is_done && 2.0 * speed >= 20_000.0),
    }
    .print();
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
        workload: format!("{}: recording while the older half of {what} goes", engine.name()),
        measured: format!("{speed:.0}/s"),
        beside: format!("alone: {speed_alone:.0}/s"),
        ratio: Some(speed / speed_alone),
        target: "0.8 or more",
        is_reached: Some(speed / speed_alone >= 0.8),
    }
    .print();
    let (p99_alone, p99) = (alone.quantile(0.99), beside.quantile(0.99));
    Row {
        workload: format!("{}: until acknowledged while the older half of {what} goes", engine.name()),
        measured: format!("p50 {:.1} ms p99 {p99:.1} ms", beside.quantile(0.5)),
        beside: format!("alone: p50 {:.1} ms p99 {p99_alone:.1} ms", alone.quantile(0.5)),
        ratio: Some(p99 / p99_alone),
        target: "p99 below 3",
        is_reached: Some(p99 / p99_alone < 3.0),
    }
    .print();
}
