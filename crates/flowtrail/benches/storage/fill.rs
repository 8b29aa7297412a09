//! Fills a database with a history.

use std::io::IsTerminal;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use flowtrail_store::{Applied, Command, Store};
use flowtrail_types::StatsScope;
use indicatif::{ProgressBar, ProgressStyle};

use crate::database::Database;
use crate::history::History;
use crate::table::Row;
use crate::timing::rate;

/// How many executions are written in one transaction.
const BATCH: u64 = 4_096;
/// How many threads make them.
const MAKERS: u64 = 2;
/// How many batches each of those is ahead.
const AHEAD: usize = 2;

/// Fills a database unless it has so many executions already.
pub(crate) fn fill_unless_full(database: &Database, executions: u64) -> Box<dyn Store> {
    let store = database.open();
    let there = store.executions().status_counts(&StatsScope::All).expect("it counts").total();
    match there {
        0 => {
            drop(store);
            fill(database, executions)
        }
        there if there == executions => store,
        there => panic!("{} has {there} executions, not {executions}: name another file", database.url),
    }
}

/// Fills an empty database, and tells how long that took.
pub(crate) fn fill(database: &Database, executions: u64) -> Box<dyn Store> {
    let store = database.open();
    let history = History::of(executions);
    store.flows().add(&history.flows).expect("flows are added");
    for user in &history.users {
        store.users().add(user).expect("a user is added");
    }
    let begun = Instant::now();
    let json = write(&*store, &history, executions);
    let took = begun.elapsed();
    Row {
        workload: format!("fill, {executions} executions, {}", database.url),
        measured: format!("{:.0} s, {:.0}/s", took.as_secs_f64(), rate(executions, took)),
        beside: format!("{:.0} bytes of payload JSON each", rate(json, Duration::from_secs(executions))),
        ..Row::default()
    }
    .print();
    store
}

/// Writes a history, and tells how many bytes of payload JSON it has.
fn write(store: &dyn Store, history: &History, executions: u64) -> u64 {
    let progress = Progress::new(executions);
    let batches = executions.div_ceil(BATCH);
    let mut json = 0;
    std::thread::scope(|scope| {
        let makers: Vec<Receiver<(u64, Vec<Command>)>> = (0..MAKERS)
            .map(|maker| {
                let (send, made) = sync_channel(AHEAD);
                scope.spawn(move || {
                    for batch in (maker..batches).step_by(usize::try_from(MAKERS).unwrap_or(1)) {
                        if send.send(make(history, batch, executions)).is_err() {
                            return;
                        }
                    }
                });
                made
            })
            .collect();
        for batch in 0..batches {
            let maker = usize::try_from(batch % MAKERS).unwrap_or(0);
            let (bytes, commands) = makers[maker].recv().expect("it makes them all");
            let outcomes = store.executions().commit_unflushed(&commands).expect("they are written");
            assert!(outcomes.iter().all(|outcome| *outcome == Ok(Applied::Written)), "{outcomes:?}");
            json += bytes;
            progress.add(commands.len() as u64);
        }
    });
    store.executions().flush().expect("the disk has them");
    progress.end();
    json
}

fn make(history: &History, batch: u64, executions: u64) -> (u64, Vec<Command>) {
    let mut bytes = 0;
    let numbers = batch * BATCH..executions.min((batch + 1) * BATCH);
    let commands = numbers.map(|number| {
        let (size, command) = history.nth(number);
        bytes += size as u64;
        command
    });
    let commands = commands.collect();
    (bytes, commands)
}

/// A bar on a terminal, otherwise a line now and then.
struct Progress {
    bar: ProgressBar,
    lines: bool,
}

impl Progress {
    fn new(executions: u64) -> Self {
        let bar = ProgressBar::new(executions);
        let style = ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} {per_sec} {eta}");
        bar.set_style(style.expect("a good template"));
        Self { bar, lines: !std::io::stderr().is_terminal() }
    }

    fn add(&self, count: u64) {
        let before = self.bar.position();
        self.bar.inc(count);
        let length = self.bar.length().unwrap_or(1).max(20);
        let part = |position: u64| position / (length / 20);
        if self.lines && part(before) != part(self.bar.position()) {
            eprintln!("filled {} of {length} after {:.0?}", self.bar.position(), self.bar.elapsed());
        }
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
