//! The binary: reads the command line, does what it says, and tells how it went by its exit code.

use std::process::ExitCode;

use clap::Parser;
use flowtrail::Cli;

/// A call of a flow allocates some hundred times, on one thread, and frees on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Bad arguments end here, with exit code 2.
    let cli = Cli::parse_from(flowtrail::joined_flags(std::env::args_os()));
    match flowtrail::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            ExitCode::FAILURE
        }
    }
}
