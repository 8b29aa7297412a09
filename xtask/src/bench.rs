//! `cargo xtask bench`: measures, in release, and prints what `docs/PERFORMANCE.md` keeps.

use crate::command::cargo;

/// The benchmarks, each with the crate that it is in.
const BENCHES: &[(&str, &str)] = &[("recording", "flowtrail"), ("process", "flowtrail")];

pub(crate) fn run(name: Option<&str>) -> Result<(), String> {
    let chosen: Vec<_> = BENCHES.iter().filter(|(bench, _)| name.is_none_or(|name| name == *bench)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = BENCHES.iter().map(|(bench, _)| *bench).collect();
        return Err(format!("no such benchmark, there are {}", names.join(", ")));
    }
    for (bench, package) in chosen {
        cargo(&["bench", "--package", package, "--bench", bench])?;
    }
    Ok(())
}
