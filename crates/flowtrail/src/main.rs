//! The binary: reads the command line, does what it says, and tells how it went by its exit code.

use std::process::ExitCode;

use clap::Parser;
use flowtrail::Cli;

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

fn main() -> ExitCode {
    // Bad arguments end here, with exit code 2.
    let cli = match Cli::try_parse_from(flowtrail::joined_flags(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    match flowtrail::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            failure.exit_code()
        }
    }
}
