//! What the project does to itself.
//!
//! * `cargo xtask tidy` checks the rules that no compiler knows: crate edges, lints, file lengths, documentation.
//! * `cargo xtask test` is the test command: tidy, format, lints, all tests.
//! * `cargo xtask ci` is the same and what takes longer or needs more tools: licences, the documentation's links.
//! * `cargo xtask bench` measures, in release.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod bench;
mod checks;
mod command;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask tidy | test | ci | bench [NAME]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["tidy"] => tidy::run(),
        ["test"] => checks::test(),
        ["ci"] => checks::ci(),
        ["bench"] => bench::run(None),
        ["bench", name] => bench::run(Some(name)),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}
