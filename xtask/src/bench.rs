//! `cargo xtask bench`: measures, in release, and prints what `docs/PERFORMANCE.md` keeps.

use crate::command::cargo;
use crate::ui;

/// A program that measures.
struct Bench {
    name: &'static str,
    package: &'static str,
    /// The target of cargo.
    target: &'static str,
    /// What it is told before the arguments that the caller gives.
    arguments: &'static [&'static str],
    /// Whether it measures by itself, without being told what.
    is_whole: bool,
}

const BENCHES: &[Bench] = &[
    Bench { name: "storage", package: "flowtrail", target: "storage", arguments: &["run"], is_whole: true },
    Bench { name: "fill", package: "flowtrail", target: "storage", arguments: &["fill"], is_whole: false },
    Bench { name: "http", package: "flowtrail", target: "http", arguments: &[], is_whole: true },
    Bench { name: "mcp", package: "flowtrail", target: "mcp", arguments: &[], is_whole: true },
    Bench { name: "process", package: "flowtrail", target: "process", arguments: &[], is_whole: true },
];

/// Runs the benchmark that a line names, with the arguments that the line gives after the name, or all that need none.
pub(crate) fn run(line: Option<&str>) -> Result<(), String> {
    let mut words = line.unwrap_or_default().split_whitespace();
    let name = words.next();
    let given: Vec<&str> = words.collect();
    if name == Some("ui") {
        return ui::bench(&given);
    }
    let is_chosen = |bench: &&Bench| name.map_or(bench.is_whole, |name| name == bench.name);
    let chosen: Vec<&Bench> = BENCHES.iter().filter(is_chosen).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = BENCHES.iter().map(|bench| bench.name).chain(["ui"]).collect();
        return Err(format!("no such benchmark, there are {}", names.join(", ")));
    }
    for bench in chosen {
        let mut arguments = vec!["bench", "--package", bench.package, "--bench", bench.target];
        if !(bench.arguments.is_empty() && given.is_empty()) {
            arguments.push("--");
            arguments.extend(bench.arguments);
            arguments.extend(&given);
        }
        cargo(&arguments)?;
    }
    Ok(())
}
