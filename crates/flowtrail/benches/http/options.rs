//! What the benchmark is told.

use std::path::PathBuf;

const USAGE: &str = "usage: cargo xtask bench http [--executions N] [--seconds S] [--connections N] [--before BINARY [--pairs N]]";

/// What is to be done.
pub(crate) enum Action {
    /// Measure.
    Run(Options),
    /// Be the echo: of what is sent, or of what a file has.
    Echo { answer: Option<PathBuf> },
    /// Be the generator of a steady load.
    Steady(Load),
}

/// How it is measured.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// How many executions the flow has whose pages are read.
    pub(crate) executions: usize,
    /// For how long each rate is measured.
    pub(crate) seconds: u32,
    /// How many clients ask at once.
    pub(crate) connections: usize,
    /// The version before, when that alone is what is compared with.
    pub(crate) before: Option<Before>,
}

/// The version before.
#[derive(Debug, Clone)]
pub(crate) struct Before {
    /// Its binary, built in release.
    pub(crate) binary: PathBuf,
    /// How many pairs are measured.
    pub(crate) pairs: u32,
}

/// A steady load.
#[derive(Debug)]
pub(crate) struct Load {
    /// Where to, as `host:port`.
    pub(crate) address: String,
    /// A file with the request as it is sent.
    pub(crate) request: PathBuf,
    pub(crate) connections: usize,
    /// Requests a second.
    pub(crate) rate: f64,
    pub(crate) seconds: u32,
}

/// Reads the command line.
pub(crate) fn read() -> Action {
    // Cargo says that this is a benchmark.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    parse(&words).unwrap_or_else(|reason| {
        eprintln!("{reason}\n{USAGE}");
        std::process::exit(2);
    })
}

fn parse(words: &[String]) -> Result<Action, String> {
    match words.first().map(String::as_str) {
        Some("echo") => Ok(Action::Echo { answer: words.get(1).map(PathBuf::from) }),
        Some("steady") => match words {
            [_, address, request, connections, rate, seconds] => Ok(Action::Steady(Load {
                address: address.clone(),
                request: PathBuf::from(request),
                connections: number(connections)?,
                rate: number(rate)?,
                seconds: number(seconds)?,
            })),
            _ => Err("steady: expected an address, a request, connections, a rate and seconds".to_owned()),
        },
        _ => {
            let mut options = Options { executions: 1_000_000, seconds: 10, connections: 64, before: None };
            let mut pairs = 7;
            for pair in words.chunks(2) {
                match pair {
                    [name, value] if name == "--executions" => options.executions = number(value)?,
                    [name, value] if name == "--seconds" => options.seconds = number(value)?,
                    [name, value] if name == "--connections" => options.connections = number(value)?,
                    [name, value] if name == "--pairs" => pairs = number(value)?,
                    [name, value] if name == "--before" => {
                        options.before = Some(Before { binary: PathBuf::from(value), pairs });
                    }
                    other => return Err(format!("unknown: {}", other.join(" "))),
                }
            }
            if let Some(before) = &mut options.before {
                before.pairs = pairs;
            }
            Ok(Action::Run(options))
        }
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("expected a number, got {text:?}"))
}
