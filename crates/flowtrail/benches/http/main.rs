//! What the API costs: recording one by one and in batches, first pages and statistics of a long history, and clients that
//! listen; each beside an echo of the same bytes on the same HTTP stack, in the same run on the same cores.
//!
//! Top rates are measured by `wrk`, which has its own process and connections. Latencies are those of a steady half of the top
//! rate, by a generator of its own process, too, that counts from when a request was due: a server that stalls cannot hide it.
//! Run by `cargo xtask bench http`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod bodies;
mod echo;
mod listeners;
mod options;
mod pairs;
mod steady;
#[path = "../storage/table.rs"]
mod table;
mod top;
mod workloads;

use std::path::Path;

use flowtrail_testkit::TestProcess;
use options::{Action, Options};

fn main() {
    let done = match options::read() {
        Action::Run(options) => run(&options),
        Action::Echo { answer } => echo::serve(answer.as_deref()),
        Action::Steady(load) => steady::run(&load),
    };
    if let Err(reason) = done {
        eprintln!("bench http: {reason}");
        std::process::exit(1);
    }
}

fn run(options: &Options) -> Result<(), String> {
    let binary = Path::new(env!("CARGO_BIN_EXE_flowtrail"));
    if let Some(before) = &options.before {
        table::begin();
        return pairs::measure(binary, before, options);
    }
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let server = TestProcess::start(binary, folder.path(), &[]);
    let bench = workloads::Bench::new(&server, options)?;
    table::begin();
    bench.record()?;
    bench.batch()?;
    bench.fill()?;
    bench.first_page()?;
    bench.statistics()?;
    listeners::measure(&server, &bench.flow)
}
