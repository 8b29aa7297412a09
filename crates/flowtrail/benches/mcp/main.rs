//! What MCP costs: a call through the proxy against the same server called directly, a call of the smallest flow against the
//! SDK's own echo on the same HTTP stack, a long list of tools, and the memory of a proxy that idles.
//! Run by `cargo xtask bench mcp`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod calls;
mod echo;
mod proxied;
#[path = "../storage/table.rs"]
mod table;
#[path = "../http/top.rs"]
mod top;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["echo", "stdio"] => echo::over_stdio(),
        ["echo", "http"] => echo::over_http(),
        [] => run(8),
        ["--seconds", seconds] => match seconds.parse() {
            Ok(seconds @ 1..=600) => run(seconds),
            _ => Err("--seconds: expected a number from 1 to 600".to_owned()),
        },
        _ => Err("usage: cargo xtask bench mcp [--seconds NUMBER]".to_owned()),
    };
    if let Err(reason) = done {
        eprintln!("bench mcp: {reason}");
        std::process::exit(1);
    }
}

fn run(seconds: u32) -> Result<(), String> {
    table::begin();
    proxied::measure()?;
    calls::measure(seconds)
}

/// This program in one of its other parts.
fn part(words: &[&str]) -> Result<std::process::Command, String> {
    let binary = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = std::process::Command::new(binary);
    command.args(words);
    Ok(command)
}
