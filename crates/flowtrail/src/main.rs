//! The binary: reads the command line, does what it says, and tells how it went by its exit code.

use std::process::ExitCode;

use clap::Parser;
use flowtrail::Cli;
use flowtrail_runner::{WorkerProgram, run_script_worker};

/// The argument with which this program runs scripts for another process of itself.
const SCRIPT_WORKER: &str = "script-worker";

/// A call of a flow allocates some hundred times, on one thread, and frees on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Tells what is wrong with the arguments, which are repeated: without the password of a database that is among them.
#[expect(clippy::print_stderr, reason = "this is where reasons go")]
fn refuse(error: &clap::Error) -> ExitCode {
    let shown = error.render();
    let hidden = flowtrail::without_passwords(&shown.to_string());
    if !error.use_stderr() || hidden == shown.to_string() {
        error.exit();
    }
    eprint!("{hidden}");
    ExitCode::from(2)
}

/// Tells that this program cannot find itself.
#[expect(clippy::print_stderr, reason = "this is where reasons go")]
fn refuse_to_start(error: &std::io::Error) -> ExitCode {
    eprintln!("flowtrail: cannot open this program's own file, which also runs scripts: {error}");
    ExitCode::FAILURE
}

/// This program, to run scripts in processes of its own. Opened once: the file may be replaced while it runs.
fn script_worker() -> std::io::Result<WorkerProgram> {
    WorkerProgram::open(&std::env::current_exe()?, SCRIPT_WORKER)
}

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == SCRIPT_WORKER) {
        return run_script_worker();
    }
    // Bad arguments end here, with exit code 2.
    let cli = match Cli::try_parse_from(flowtrail::joined_flags(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let worker = match script_worker() {
        Ok(worker) => worker,
        Err(error) => return refuse_to_start(&error),
    };
    match flowtrail::run(cli, Some(worker)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            failure.exit_code()
        }
    }
}
