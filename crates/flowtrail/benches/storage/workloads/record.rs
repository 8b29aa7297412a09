//! Recording whole executions through the tracker, durably, beside the bare driver.

use std::sync::Arc;
use std::time::Instant;

use flowtrail_store::Store;
use flowtrail_tracker::Tracker;

use super::load::{CALLERS, Recording, runtime};
use crate::ceiling::{self, Rows};
use crate::database::{Database, Engine};
use crate::options::Pace;
use crate::system;
use crate::table::Row;
use crate::timing::{Times, median, rate};

/// What one round of the tracker took.
struct Round {
    rate: f64,
    waited: Times,
    cpu: f64,
    server_cpu: Option<f64>,
    bytes: f64,
    resident: f64,
}

pub(crate) fn measure(engine: &Engine, pace: Pace) {
    let rows = Rows::new(512);
    for (callers, executions, target) in [(1, 1_000, None), (CALLERS, 19_200, Some(0.7))] {
        let (mut bare, mut rounds) = (Vec::new(), Vec::new());
        for _ in 0..pace.rounds {
            let database = engine.create();
            bare.push(rate(executions as u64, ceiling::write(&database.url, &rows, executions, callers)));
            drop(database);
            rounds.push(round(engine, executions, callers));
        }
        let ratio = of(&rounds, |round| round.rate) / median(&mut bare);
        Row {
            workload: format!("{}: record, {callers} callers, durable", engine.name()),
            measured: format!("{:.0}/s", of(&rounds, |round| round.rate)),
            beside: format!("bare driver in batches of {callers}: {:.0}/s", median(&mut bare)),
            ratio: Some(ratio),
            target: if target.is_some() { "0.7 of the bare driver" } else { "" },
            is_reached: target.map(|target| ratio >= target),
        }
        .print();
        detail(engine, &mut rounds, callers, &rows);
    }
}

fn of(rounds: &[Round], what: impl Fn(&Round) -> f64) -> f64 {
    median(&mut rounds.iter().map(what).collect::<Vec<_>>())
}

fn detail(engine: &Engine, rounds: &mut [Round], callers: usize, rows: &Rows) {
    let quantile = |rounds: &mut [Round], share| {
        median(&mut rounds.iter_mut().map(|round| round.waited.quantile(share)).collect::<Vec<_>>())
    };
    let (p50, p99) = (quantile(rounds, 0.5), quantile(rounds, 0.99));
    let plain = |what: &str, measured: String, beside: String| Row {
        workload: format!("{}: record, {callers} callers, {what}", engine.name()),
        measured,
        beside,
        ..Row::default()
    };
    plain("until acknowledged", format!("p50 {p50:.2} ms p99 {p99:.2} ms"), String::new()).print();
    if callers == 1 {
        return;
    }
    let server = rounds.iter().all(|round| round.server_cpu.is_some()).then(|| {
        let seconds = of(rounds, |round| round.server_cpu.unwrap_or(0.0));
        format!("and {seconds:.1} s in the server's processes")
    });
    let cpu = of(rounds, |round| round.cpu);
    plain("CPU for 100,000", format!("{cpu:.1} s"), server.unwrap_or_default()).print();
    let bytes = of(rounds, |round| round.bytes);
    let packed = format!("packed data: {} bytes", rows.packed_bytes());
    plain("bytes on disk of each", format!("{bytes:.0}"), packed).print();
    let resident = of(rounds, |round| round.resident);
    plain("resident memory of the benchmark", format!("{resident:.1} MiB"), String::new()).print();
}

fn round(engine: &Engine, executions: usize, callers: usize) -> Round {
    let runtime = runtime();
    let database = engine.create();
    let empty = settled_bytes(&database);
    let recording = Arc::new(Recording::into(Tracker::open(database.open()).expect("a tracker")));
    let cpu = || (system::cpu_seconds().unwrap_or(0.0), engine.cpu_seconds());
    let (cpu_before, server_before) = cpu();
    let begun = Instant::now();
    let waited = runtime.block_on(recording.record_some(executions, callers));
    let took = begun.elapsed();
    let (cpu_after, server_after) = cpu();
    let resident = system::resident_mib().unwrap_or(0.0);
    recording.tracker.close();
    drop(recording);
    let recorded = waited.count() as u64;
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
    let (recorded_float, bytes) = (recorded as f64, settled_bytes(&database).saturating_sub(empty) as f64);
    let for_a_hundred_thousand = |seconds: f64| seconds / recorded_float * 1e5;
    Round {
        rate: rate(recorded, took),
        waited,
        cpu: for_a_hundred_thousand(cpu_after - cpu_before),
        server_cpu: server_before
            .zip(server_after)
            .map(|(before, after)| for_a_hundred_thousand(after - before)),
        bytes: bytes / recorded_float,
        resident,
    }
}

fn settled_bytes(database: &Database) -> u64 {
    let store: Box<dyn Store> = database.open();
    database.settled_bytes(&*store)
}
