//! Attacks on a server, with what they do to it: `cargo xtask attack`. Each has a bound that it must not break; the figures
//! stand in `docs/RELIABILITY.md`.
//!
//! The seeds of what is random are fixed. `--short` does as much as fits into the test command.

mod bodies;
mod exports;
mod garbage;
mod kills;
mod scripts;
mod sessions;
mod target;

use std::time::Duration;

use target::Target;

/// The extent of an attack.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// Duration of an attack.
    time: Duration,
    /// Number of hostile scripts.
    scripts: usize,
    /// Number of sessions.
    sessions: usize,
    /// Number of kills.
    kills: usize,
    /// Number of requests that are almost right.
    garbage: usize,
    /// Time for the server to give memory back.
    rest: Duration,
    /// Longest time of what has to be quick. The test command may run beside other work, which says nothing of the server.
    quick: Duration,
}

/// The outcome of an attack.
struct Outcome {
    attack: &'static str,
    figure: String,
    /// The bound, and the result of comparing with it.
    bound: String,
    holds: bool,
}

impl Outcome {
    fn new(attack: &'static str, figure: impl Into<String>, bound: impl Into<String>, holds: bool) -> Self {
        Self { attack, figure: figure.into(), bound: bound.into(), holds }
    }
}

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Bytes as MiB.
fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[expect(clippy::print_stdout, reason = "a table is what this makes")]
fn main() -> std::process::ExitCode {
    let is_short = std::env::args().any(|argument| argument == "--short");
    let scale = if is_short {
        let time = Duration::from_secs(4);
        Scale {
            time,
            scripts: 24,
            sessions: 300,
            kills: 3,
            garbage: 1_500,
            rest: Duration::from_secs(10),
            quick: Duration::from_secs(6),
        }
    } else {
        let time = Duration::from_secs(20);
        Scale {
            time,
            scripts: 200,
            sessions: 20_000,
            kills: 30,
            garbage: 100_000,
            rest: Duration::from_secs(60),
            quick: Duration::from_secs(1),
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    println!("| attack | figure | bound | holds |\n| --- | --- | --- | --- |");
    let mut holds = true;
    let mut tell = |outcomes: Vec<Outcome>| {
        for outcome in outcomes {
            let Outcome { attack, figure, bound, holds: held } = outcome;
            println!("| {attack} | {figure} | {bound} | {} |", if held { "yes" } else { "**no**" });
            holds &= held;
        }
    };
    runtime.block_on(async {
        tell(bodies::without_a_key(&Target::start().await, scale).await);
        tell(bodies::with_a_key(&Target::start().await, scale).await);
        tell(exports::unread(&Target::start().await, scale).await);
        tell(sessions::many(&Target::start().await, scale).await);
        tell(scripts::hostile(&Target::start().await, scale).await);
        tell(garbage::almost_right(&Target::start().await, scale).await);
        tell(kills::sqlite(scale).await);
        tell(kills::postgres(scale).await);
        if !is_short {
            tell(kills::locked().await);
        }
    });
    if holds { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}
