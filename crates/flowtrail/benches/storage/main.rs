//! What storage costs: recording beside a bare driver, lists, statistics and details of a large history, deleting half
//! of it while recording goes on, memory, disk. Each figure is a line of a table, beside what it has to reach.
//!
//! `cargo xtask bench storage` measures all of it on both databases. The machine is shared: what is compared is measured
//! in interleaved rounds of one run, and the ratio says more than the rates.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod ceiling;
mod database;
mod fill;
mod history;
mod options;
mod random;
mod system;
mod table;
mod timing;
mod workloads;

use options::{Action, Part, RunOptions};

use crate::database::{Database, Engine};

fn main() {
    match options::read() {
        Action::Run(options) => run(&options),
        Action::Fill(options) => {
            table::begin();
            let database = Database::named(options.database);
            let store = fill::fill(&database, options.executions);
            workloads::sizes::measure(&database, &*store);
        }
        Action::Memory(options) => workloads::memory::record(&options),
    }
}

fn run(options: &RunOptions) {
    table::begin();
    for engine in Engine::all(options.database) {
        if options.measures(Part::Record) {
            workloads::record::measure(&engine, options.pace());
            workloads::overhead::measure(&engine);
        }
        if options.measures(Part::Lists) || options.measures(Part::Prune) {
            history_of(&engine, options);
        }
        if options.measures(Part::Memory) {
            workloads::memory::measure(&engine, options.soak());
        }
    }
}

/// What is measured on a database with a long history.
fn history_of(engine: &Engine, options: &RunOptions) {
    let kept = options.keep.as_deref().filter(|_| matches!(engine, Engine::Sqlite));
    let database = kept.map_or_else(|| engine.create(), Database::kept);
    let store = fill::fill_unless_full(&database, options.executions);
    if options.measures(Part::Lists) {
        workloads::sizes::measure(&database, &*store);
        workloads::lists::measure(engine, &database, &*store, options);
        workloads::statistics::measure(engine, &database, &*store, options.pace());
    }
    if !options.measures(Part::Prune) {
        return;
    }
    if kept.is_none() {
        workloads::prune::measure(engine, &database, store, (options.executions, options.pace()));
    } else {
        // What is kept stays whole.
        let executions = options.executions.min(1_000_000);
        let database = engine.create();
        let store = fill::fill(&database, executions);
        workloads::prune::measure(engine, &database, store, (executions, options.pace()));
    }
}
