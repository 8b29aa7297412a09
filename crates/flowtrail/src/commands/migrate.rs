//! `flowtrail migrate`: the database's schema.

use std::io::{BufRead, IsTerminal, Write};

use flowtrail_store_diesel::Schema;

use crate::cli::MigrateCommand;
use crate::failure::Doing;
use crate::terminal::say;
use crate::{Config, Failure};

pub(super) fn run(config: &Config, command: &MigrateCommand) -> Result<(), Failure> {
    let open = || Schema::open_existing(&config.database);
    match command {
        MigrateCommand::Up => {
            let mut schema = Schema::open(&config.database)?;
            let applied = schema.up()?;
            for name in &applied {
                say(format_args!("applied {name}"));
            }
            if applied.is_empty() {
                say("the schema is up to date");
            }
        }
        MigrateCommand::Down { steps, yes } => {
            let mut schema = open()?;
            if !yes && !confirmed(*steps)? {
                return Err(Failure::new("nothing was changed"));
            }
            let reverted = schema.down(*steps)?;
            for name in &reverted {
                say(format_args!("took back {name}"));
            }
            if reverted.is_empty() {
                say("there is nothing to take back");
            }
        }
        MigrateCommand::Status => {
            for migration in open()?.status()? {
                say(format_args!("{} {}", if migration.applied { "✓" } else { "–" }, migration.name));
            }
        }
    }
    Ok(())
}

/// Asks the person at the terminal. Without one there is nobody to ask.
fn confirmed(steps: u32) -> Result<bool, Failure> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::new("taking migrations back deletes data: say --yes if this is meant"));
    }
    let mut stderr = std::io::stderr();
    write!(stderr, "Take back {steps} migration(s)? The data in their tables is deleted. [y/N] ")
        .and_then(|()| stderr.flush())
        .doing("cannot ask")?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).doing("cannot read the answer")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
