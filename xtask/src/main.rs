//! What the project does to itself.
//!
//! * `cargo xtask tidy` checks the rules that no compiler knows: crate edges, lints, file lengths, documentation.
//! * `cargo xtask test` is the test command: tidy, format, lints, all tests, with a PostgreSQL server for them.
//! * `cargo xtask ci` is the same and what takes longer or needs more tools: licences, the documentation's links.
//! * `cargo xtask client` is the part of it that checks and tests the TypeScript client.
//! * `cargo xtask ui` is the part of it that tries the web UI in a browser; `cargo xtask ui screenshots` makes pictures of its pages.
//! * `cargo xtask mcp` is the part of it that tries other people's MCP servers and clients, and the protocol's conformance suite.
//! * `cargo xtask openapi` writes the API's description into the documentation, and the client's types.
//! * `cargo xtask tls` tries TLS to PostgreSQL; it needs OpenSSL's headers.
//! * `cargo xtask vendor` brings the browser libraries that are served.
//! * `cargo xtask bench` measures, in release.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod attack;
mod bench;
mod checks;
mod client;
mod command;
mod debian;
mod mcp;
mod node;
mod openapi;
mod postgres;
// The tests' own server, compiled here too: `xtask` uses no crate of the workspace.
#[allow(dead_code, unreachable_pub, unused_imports, reason = "public in the crate that it is made for")]
#[path = "../../crates/flowtrail-store-diesel/src/testing/mod.rs"]
mod testing;
mod tidy;
mod tls;
mod tools;
mod ui;
mod vendor;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask tidy | test | ci | client | ui [screenshots] | mcp | openapi | tls | vendor | attack [--short] | bench [NAME [ARGUMENT…]]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["tidy"] => tidy::run(),
        ["test"] => checks::test(),
        ["ci"] => checks::ci(),
        ["client"] => client::test(),
        ["ui"] => ui::test(),
        ["ui", "screenshots"] => ui::screenshots(),
        ["mcp"] => mcp::test(),
        ["openapi"] => openapi::run(),
        ["tls"] => tls::run(),
        ["vendor"] => vendor::run(),
        ["attack"] => attack::long(),
        ["attack", "--short"] => attack::short(),
        ["bench"] => bench::run(None),
        ["bench", ref words @ ..] => bench::run(Some(&words.join(" "))),
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
