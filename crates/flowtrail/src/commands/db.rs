//! `flowtrail db`: what the database takes.

use bytesize::ByteSize;
use flowtrail_store::Store;
use flowtrail_store_diesel::open_store;
use serde_json::json;

use crate::cli::DbCommand;
use crate::terminal::{self, Table, say};
use crate::{Config, Failure};

pub(super) fn run(config: &Config, command: &DbCommand) -> Result<(), Failure> {
    let DbCommand::Size { json } = command;
    let size = open_store(&config.database, false)?.upkeep().size()?;
    if *json {
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
