//! `flowtrail db`: what the database takes, what is broken in it, and what can be saved of it.

use std::path::Path;
use std::time::Duration;

use bytesize::ByteSize;
use flowtrail_store::Store;
use flowtrail_store_diesel::{DatabaseUrl, Finding, check_database, open_store, salvage_database};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::cli::DbCommand;
use crate::failure::Doing;
use crate::terminal::{self, Table, say};
use crate::{Config, Failure};

pub(super) fn run(config: &Config, command: &DbCommand) -> Result<(), Failure> {
    match command {
        DbCommand::Size { json } => size(config, *json),
        DbCommand::Check { json } => check(config, *json),
        DbCommand::Salvage { file } => salvage(config, file),
    }
}

fn size(config: &Config, as_json: bool) -> Result<(), Failure> {
    let size = open_store(&config.database, false)?.upkeep().size()?;
    if as_json {
        let tables: Vec<_> = size
            .tables
            .iter()
            .map(|table| json!({"name": table.name, "bytes": table.bytes, "free": table.free}))
            .collect();
        let all = json!({
            "bytes": size.bytes, "reclaimable": size.reclaimable, "how": size.how, "tables": tables,
        });
        return terminal::json(&all);
    }
    let mut table = Table::new(&["TABLE", "WITH INDEXES", "FREE WITHIN"]);
    for part in &size.tables {
        table.row([part.name.clone(), ByteSize(part.bytes).to_string(), ByteSize(part.free).to_string()]);
    }
    table.print();
    say("");
    say(format_args!(
        "{} on disk, {} can be given back: {}",
        ByteSize(size.bytes),
        ByteSize(size.reclaimable),
        size.how
    ));
    Ok(())
}

/// A line that shows that something goes on.
fn spinner() -> Result<ProgressBar, Failure> {
    let style =
        ProgressStyle::with_template("{spinner} {human_pos} {msg}  {per_sec}").doing("cannot draw")?;
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(100));
    Ok(bar)
}

/// Most findings that are shown to people. Of a file of noise there is no end of them.
const SHOWN: usize = 100;

fn check(config: &Config, as_json: bool) -> Result<(), Failure> {
    let bar = spinner()?.with_message("executions read");
    let mut findings = Vec::new();
    let checked = check_database(&config.database, &mut |finding| findings.push(finding), &|count| {
        bar.set_position(count);
    });
    bar.finish_and_clear();
    let count = match checked {
        Ok(count) => count,
        // Nothing more can be read, and some of why is known.
        Err(error) if error.is_of_one_record() => {
            findings.push(Finding::File(error.to_string()));
            0
        }
        Err(error) => return Err(error.into()),
    };
    if as_json {
        let shown: Vec<_> = findings.iter().map(as_value).collect();
        terminal::json(&json!({"executions": count, "findings": shown}))?;
    } else {
        findings.iter().take(SHOWN).for_each(|finding| say(in_words(finding)));
        if findings.len() > SHOWN {
            say(format_args!("and {} more: --json shows all of them", findings.len() - SHOWN));
        }
    }
    if findings.is_empty() {
        if !as_json {
            say(format_args!("{count} executions were read, and everything is sound"));
        }
        return Ok(());
    }
    let advice = match config.database {
        DatabaseUrl::Sqlite(_) => "; `flowtrail db salvage FILE` writes what can be read to a new database",
        DatabaseUrl::Postgres(_) => "",
    };
    Err(Failure::new(format_args!(
        "{count} executions were read, and {} of what stands there is broken: lists and exports leave damaged rows out{advice}",
        findings.len()
    )))
}

fn as_value(finding: &Finding) -> serde_json::Value {
    match finding {
        Finding::File(said) => json!({"file": said}),
        Finding::Row { damage, reason } => {
            json!({"table": damage.table, "column": damage.column, "id": damage.id, "reason": reason})
        }
    }
}

fn in_words(finding: &Finding) -> String {
    match finding {
        Finding::File(said) => format!("the file: {said}"),
        Finding::Row { damage, reason } => {
            format!("{}, {}, row {}: {reason}", damage.table, damage.column, damage.id)
        }
    }
}

fn salvage(config: &Config, file: &Path) -> Result<(), Failure> {
    let bar = spinner()?;
    let salvaged = salvage_database(&config.database, file, &|table, rows| {
        bar.set_position(rows);
        bar.set_message(format!("rows of {table}"));
    });
    bar.finish_and_clear();
    let salvaged = salvaged?;
    let mut table = Table::new(&["TABLE", "ROWS WRITTEN", "NOT READABLE"]);
    for part in &salvaged.tables {
        let gaps = match part.gaps {
            0 => String::new(),
            1 => "1 stretch".to_owned(),
            gaps => format!("{gaps} stretches"),
        };
        table.row([part.name.clone(), part.rows.to_string(), gaps]);
    }
    table.print();
    say("");
    if salvaged.without_data > 0 {
        say(format_args!(
            "{} executions have lost their parameters, output and nodes",
            salvaged.without_data
        ));
    }
    if salvaged.without_row > 0 {
        say(format_args!("{} executions are lost of which only the data was readable", salvaged.without_row));
    }
    say(format_args!(
        "{} is a database of its own: look at it with `flowtrail --database-url sqlite://{} db check`",
        file.display(),
        file.display()
    ));
    Ok(())
}
