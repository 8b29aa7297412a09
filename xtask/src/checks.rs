//! `cargo xtask test` and `cargo xtask ci`.

use crate::command::{cargo, has, program, skipped};
use crate::postgres::Postgres;
use crate::{attack, client, mcp, tidy, tools, ui};

/// The test command. Needs no more than a Rust toolchain and a C compiler; what more it finds, it uses. PostgreSQL and
/// Node and Chromium it installs, where it can.
pub(crate) fn test() -> Result<(), String> {
    tidy::run()?;
    if has("fmt") {
        cargo(&["fmt", "--all", "--check"])?;
    } else {
        skipped("the format", "`rustup component add rustfmt` brings the formatter");
    }
    if has("clippy") {
        cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    } else {
        skipped("the lints", "`rustup component add clippy` brings them");
    }
    let postgres = Postgres::bring()?;
    let variables = [postgres.variables(), tools::bring()].concat();
    let tested = tests(&variables);
    postgres.say_what_is_skipped();
    tested?;
    attack::short()?;
    client::test()?;
    mcp::test()?;
    ui::test()
}

fn tests(variables: &[(&str, String)]) -> Result<(), String> {
    if has("nextest") {
        let run = ["nextest", "run", "--workspace", "--no-fail-fast"];
        program("cargo", &run, variables)?;
        program("cargo", &["test", "--workspace", "--doc"], variables)
    } else {
        program("cargo", &["test", "--workspace", "--no-fail-fast"], variables)
    }
}

/// The test command, and what takes longer or needs more tools.
pub(crate) fn ci() -> Result<(), String> {
    test()?;
    cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"])?;
    if has("deny") {
        cargo(&["deny", "check", "licenses", "bans", "sources"])
    } else {
        skipped("the licences of dependencies", "`cargo install cargo-deny` brings the check");
        Ok(())
    }
}
