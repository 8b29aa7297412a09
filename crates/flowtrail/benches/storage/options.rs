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

impl RunOptions {
    pub(crate) fn measures(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    /// For how long memory is watched.
    pub(crate) fn soak_minutes(&self) -> Duration {
        Duration::from_secs(60 * self.minutes.unwrap_or(if self.soak { 10 } else { 1 }))
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
