//! Resident memory while recording at full speed.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use flowtrail_tracker::Tracker;

use super::load::{Control, Recording, pause, runtime};
use crate::database::{Database, Engine};
use crate::options::MemoryOptions;
use crate::system;
use crate::table::Row;

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(5);
/// What it may take, in MiB.
const MOST: f64 = 150.0;
/// How much more the end may take than the beginning, to count as flat.
const GROWTH: f64 = 1.1;

/// Watches a process that does nothing but record.
pub(crate) fn measure(engine: &Engine, during: Duration) {
    let database = engine.create();
    let url = match &database.url {
        flowtrail_store_diesel::DatabaseUrl::Postgres(address) => address.clone(),
        sqlite @ flowtrail_store_diesel::DatabaseUrl::Sqlite(_) => sqlite.to_string(),
    };
    let program = std::env::current_exe().expect("this program's path");
    let seconds = during.as_secs().to_string();
    let output = Command::new(program)
        .args(["memory", "--database", &url, "--seconds", &seconds])
        .stderr(Stdio::inherit())
        .output()
        .expect("it runs");
    assert!(output.status.success(), "recording for memory failed");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().filter_map(|number| number.parse::<f64>().ok());
    let recorded = numbers.next().unwrap_or(0.0);
    let samples: Vec<f64> = numbers.collect();
    // The first ones fill caches and the queue.
    let warm = &samples[(samples.len() / 10).max(1).min(samples.len())..];
    let third = (warm.len() / 3).max(1);
    #[expect(clippy::cast_precision_loss, reason = "few samples")]
    let mean = |samples: &[f64]| samples.iter().sum::<f64>() / samples.len().max(1) as f64;
    let (first, last) = (mean(&warm[..third]), mean(&warm[warm.len() - third..]));
    let most = samples.iter().copied().fold(0.0, f64::max);
    Row {
        workload: format!("{}: resident memory, recording {recorded:.0} in {seconds} s", engine.name()),
        measured: format!("at most {most:.1} MiB, last third {last:.1} MiB"),
        beside: format!("first third {first:.1} MiB"),
        ratio: Some(last / first),
        target: "flat (within 1.1), below 150 MiB",
        is_reached: Some(most < MOST && last / first <= GROWTH),
    }
    .print();
}

/// Records, and prints how many that were and the resident memory every five seconds.
pub(crate) fn record(options: &MemoryOptions) {
    let database = Database::named(options.database.clone());
    let recording = Arc::new(Recording::into(Tracker::open(database.open()).expect("a tracker")));
    let runtime = runtime();
    let control = Arc::new(Control::default());
    let load = runtime.spawn(Arc::clone(&recording).record_until(Arc::clone(&control), false));
    let begun = Instant::now();
    let mut samples = Vec::new();
    while begun.elapsed() < Duration::from_secs(options.seconds) {
        pause(&runtime, EVERY);
        samples.extend(system::resident_mib());
    }
    control.stop.store(true, Ordering::Relaxed);
    runtime.block_on(load).expect("the load ends");
    recording.tracker.close();
    println!("{}", control.recorded.load(Ordering::Relaxed));
    for sample in samples {
        println!("{sample:.1}");
    }
}
