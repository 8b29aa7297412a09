//! What storage costs: recording beside a bare driver, lists, statistics and details of a large history, deleting half
//! of it while recording goes on, memory, disk. Each figure is a line of a table, beside what it has to reach.
//!
//! `cargo xtask bench storage` measures all of it on both databases. The machine is shared: what is compared is measured
//! in interleaved rounds of one run, and the ratio says more than the rates.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod database;
mod fill;
mod history;
mod options;
mod random;
mod system;
mod table;
mod timing;
mod workloads;

use options::{Action, RunOptions};

use crate::database::Database;

fn main() {
    match options::read() {
        Action::Run(options) => run(&options),
        Action::Fill(options) => {
            table::begin();
            let database = Database::named(options.database);
            let store = fill::fill(&database, options.executions);
            workloads::sizes::measure(&database, &*store);
        }
        Action::Memory(_) => {}
    }
}

fn run(_options: &RunOptions) {}
