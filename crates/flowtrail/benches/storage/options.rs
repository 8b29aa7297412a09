//! What is asked for on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use flowtrail_store_diesel::DatabaseUrl;

/// What is to be done.
#[derive(Debug, Parser)]
#[command(name = "storage")]
pub(crate) enum Action {
    /// Measure.
    Run(RunOptions),
    /// Fill a database, and tell what it takes.
    Fill(FillOptions),
    /// Record for a while, and tell the resident memory: a process of its own, so that nothing else is in it.
    #[command(hide = true)]
    Memory(MemoryOptions),
}

#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// How many executions the history has: 10,000 or more.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(10_000..))]
    pub(crate) executions: u64,
    /// On which databases.
    #[arg(long, value_enum, default_value_t = Databases::Both)]
    pub(crate) database: Databases,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// A SQLite database that is filled if it is not there, and kept; deleting is measured on another one.
    #[arg(long)]
    pub(crate) keep: Option<PathBuf>,
    /// Record for ten minutes to see whether memory stays flat, instead of for one.
    #[arg(long)]
    soak: bool,
    /// For how many minutes.
    #[arg(long)]
    minutes: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct FillOptions {
    /// How many executions.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub(crate) executions: u64,
    /// The database: `sqlite://PATH` or `postgres://…`.
    #[arg(long)]
    pub(crate) database: DatabaseUrl,
}

#[derive(Debug, Args)]
pub(crate) struct MemoryOptions {
    #[arg(long)]
    pub(crate) database: DatabaseUrl,
    #[arg(long)]
    pub(crate) seconds: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Databases {
    Sqlite,
    Postgres,
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Recording, beside the bare driver.
    Record,
    /// Lists, statistics and details of a long history.
    Lists,
    /// Deleting half of it.
    Prune,
    /// Resident memory.
    Memory,
}

/// How much time is given to what is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Rounds of recording.
    pub(crate) rounds: usize,
    /// Reads of each list.
    pub(crate) reads: usize,
    /// Recording with nothing beside it.
    pub(crate) alone: Duration,
    /// Recording while memory is watched.
    pub(crate) memory: Duration,
}

impl Pace {
    const QUICK: Self =
        Self { rounds: 1, reads: 300, alone: Duration::from_secs(2), memory: Duration::from_secs(10) };
    const WHOLE: Self =
        Self { rounds: 5, reads: 2_000, alone: Duration::from_secs(8), memory: Duration::from_secs(60) };
}

impl RunOptions {
    pub(crate) fn measures(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    /// For how long memory is watched.
    pub(crate) fn soak(&self) -> Duration {
        match self.minutes {
            Some(minutes) => Duration::from_secs(60 * minutes),
            None if self.soak => Duration::from_secs(600),
            None => self.pace().memory,
        }
    }

    /// A short history is for seeing whether everything works, which must not take long.
    pub(crate) fn pace(&self) -> Pace {
        if self.executions < 100_000 { Pace::QUICK } else { Pace::WHOLE }
    }
}

/// The command line, without what cargo adds to it.
pub(crate) fn read() -> Action {
    let mut arguments: Vec<String> = std::env::args().filter(|argument| argument != "--bench").collect();
    if arguments.len() == 1 {
        arguments.push("run".to_owned());
    }
    Action::parse_from(arguments)
}
