//! `flowtrail flow`: flow files.

use std::io::Read;
use std::path::{Path, PathBuf};

use flowtrail_runner::{ImportNote, import_flow_file};
use flowtrail_tracker::Tracker;
use flowtrail_types::{FlowDraft, FlowQuery, FlowSummary, PageRequest, Principal};

use super::{find, open};
use crate::cli::FlowCommand;
use crate::failure::Doing;
use crate::terminal::{self, Table, say};
use crate::wiring::Access;
use crate::{Config, Failure};

pub(super) fn run(config: &Config, command: FlowCommand) -> Result<(), Failure> {
    // Files are read before the database is touched.
    let (drafts, notes) = match &command {
        FlowCommand::Import { files } => read_all(files)?,
        FlowCommand::Export { .. } | FlowCommand::List { .. } | FlowCommand::Delete { .. } => {
            Default::default()
        }
    };
    let access = match command {
        FlowCommand::Export { .. } | FlowCommand::List { .. } => Access::Read,
        FlowCommand::Import { .. } | FlowCommand::Delete { .. } => Access::Write,
    };
    let (tracker, me) = open(config, access)?;
    match command {
        FlowCommand::Import { .. } => import(&tracker, &me, drafts, &notes),
        FlowCommand::Export { flow } => {
            let flow = find::flow(&tracker, &me, &flow)?;
            terminal::json(&flowtrail_runner::write_flow_file(&flow))
        }
        FlowCommand::List { json } => list(&tracker, &me, json),
        FlowCommand::Delete { flow } => {
            let flow = find::flow(&tracker, &me, &flow)?;
            tracker.delete_flow(&me, flow.id)?;
            say(format_args!("deleted {}; its executions are kept", flow.name));
            Ok(())
        }
    }
}

fn read_all(files: &[PathBuf]) -> Result<(Vec<FlowDraft>, Vec<ImportNote>), Failure> {
    let (mut drafts, mut notes) = (Vec::new(), Vec::new());
    let mut reasons = Vec::new();
    for path in files {
        let bytes = read(path).doing(format_args!("cannot read {}", path.display()))?;
        match import_flow_file(&bytes) {
            Ok(read) => {
                drafts.extend(read.drafts);
                notes.extend(read.notes);
            }
            Err(problems) => reasons.push(format!("{}:\n{problems}", path.display())),
        }
    }
    if reasons.is_empty() {
        Ok((drafts, notes))
    } else {
        Err(Failure::new(format_args!("nothing was imported\n{}", reasons.join("\n"))))
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        Ok(bytes)
    } else {
        std::fs::read(path)
    }
}

fn import(
    tracker: &Tracker,
    me: &Principal,
    drafts: Vec<FlowDraft>,
    notes: &[ImportNote],
) -> Result<(), Failure> {
    let flows = tracker.create_flows(me, drafts).doing("nothing was imported")?;
    for flow in flows {
        let tool = flow.tool_name.as_ref().map_or("", |name| name.as_str());
        say(format_args!("imported {} ({tool}) as {}", flow.name, flow.id));
    }
    for note in notes {
        terminal::hint(format_args!("note: {}", note.to_string().replace(['\n', '\t'], " ")));
    }
    Ok(())
}

fn list(tracker: &Tracker, me: &Principal, json: bool) -> Result<(), Failure> {
    let mut flows: Vec<FlowSummary> = Vec::new();
    for number in 1.. {
        let page = PageRequest::numbered(number, PageRequest::MAX_LIMIT);
        let page = tracker.flows(me, FlowQuery { page, ..FlowQuery::default() })?;
        flows.extend(page.items);
        if u64::from(number) >= page.total_pages {
            break;
        }
    }
    if json {
        return terminal::json(&flows);
    }
    if flows.is_empty() {
        say("no flows yet: `flowtrail flow import FILE` adds some");
        return Ok(());
    }
    let mut table = Table::new(&["TOOL", "NAME", "KIND", "ACTIVE", "VERSION", "RUNS/DAY", "ID"]);
    for flow in flows {
        table.row([
            flow.tool_name.map_or_else(String::new, |name| name.to_string()),
            flow.name,
            flow.kind.as_str().to_owned(),
            if flow.active { "yes" } else { "no" }.to_owned(),
            flow.version.to_string(),
            flow.activity.runs_last_day.to_string(),
            flow.id.to_string(),
        ]);
    }
    table.print();
    Ok(())
}
