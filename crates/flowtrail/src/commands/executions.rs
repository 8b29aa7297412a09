//! `flowtrail executions`: history at the terminal.

use flowtrail_tracker::Tracker;
use flowtrail_types::{
    DurationRange, Execution, ExecutionFilter, ExecutionStatus, NodeExecution, NodeStatus, PageRequest,
    Payload, Principal, timestamp,
};

use super::{export, find, import, open, prune, tail};
use crate::cli::{ExecutionsCommand, Filter};
use crate::terminal::{self, Table, say};
use crate::wiring::Access;
use crate::{Config, Failure};

pub(super) fn run(config: &Config, command: ExecutionsCommand) -> Result<(), Failure> {
    let access = match command {
        ExecutionsCommand::Tail { .. } => Access::Watch,
        ExecutionsCommand::Prune { dry_run: false, .. } | ExecutionsCommand::Import { .. } => Access::Write,
        ExecutionsCommand::List { .. }
        | ExecutionsCommand::Show { .. }
        | ExecutionsCommand::Export { .. }
        | ExecutionsCommand::Prune { dry_run: true, .. } => Access::Read,
    };
    let (tracker, me) = open(config, access)?;
    match command {
        ExecutionsCommand::Tail { flow, last, json } => {
            let flow = flow.map(|named| find::flow_id(&tracker, &me, &named)).transpose()?;
            tail::run(&tracker, &me, flow, last, json)
        }
        ExecutionsCommand::List { filter, sort, page, limit, json } => {
            let filter = decide(&tracker, &me, filter)?;
            list(&tracker, &me, &filter, PageRequest { sort, ..PageRequest::numbered(page, limit) }, json)
        }
        ExecutionsCommand::Export { filter, format, output } => {
            let filter = decide(&tracker, &me, filter)?;
            export::run(&tracker, &me, &filter, format, output.as_deref())
        }
        ExecutionsCommand::Import { file, json } => import::run(&tracker, &me, &file, config.max_body, json),
        ExecutionsCommand::Prune { flow, keep, older_than, dry_run, json } => {
            prune::run(&tracker, &me, &prune::Wish { flow, keep, older_than, dry_run, json })
        }
        ExecutionsCommand::Show { id, json } => {
            let execution = tracker.execution(&me, id)?;
            if json { terminal::json(&execution) } else { show(&execution) }
        }
    }
}

/// The filter with what people name found.
fn decide(tracker: &Tracker, me: &Principal, filter: Filter) -> Result<ExecutionFilter, Failure> {
    let flow = filter.flow.map(|named| find::flow_id(tracker, me, &named)).transpose()?;
    let user = filter.user.map(|named| find::user_id(tracker, me, &named)).transpose()?;
    Ok(ExecutionFilter {
        flow,
        status: filter.status,
        source: filter.source,
        user,
        from: filter.from,
        to: filter.to,
        duration: DurationRange::of_millis(filter.min_duration, filter.max_duration),
        tag: filter.tag,
        text: filter.query,
    })
}

fn list(
    tracker: &Tracker,
    me: &Principal,
    filter: &ExecutionFilter,
    page: PageRequest,
    json: bool,
) -> Result<(), Failure> {
    let found = tracker.executions(me, filter, page)?;
    if json {
        return terminal::json(&found);
    }
    let page = found.page;
    if page.items.is_empty() {
        say("no executions");
        return Ok(());
    }
    let mut table =
        Table::new(&["", "STARTED", "DURATION", "FLOW", "SOURCE", "FIRST PARAMETER OR ERROR", "ID"]);
    for execution in page.items {
        table.row([
            mark(execution.status, execution.inferred),
            timestamp::format(execution.started_at),
            execution.duration_ms.map_or_else(|| "…".to_owned(), |ms| format!("{ms} ms")),
            execution.flow_name,
            execution.source.as_str().to_owned(),
            execution.error.or(execution.initial_params_preview).unwrap_or_default(),
            execution.id.to_string(),
        ]);
    }
    table.print();
    let at_least = if page.total_is_exact { "" } else { "at least " };
    let executions = if page.total == 1 { "execution" } else { "executions" };
    say(format_args!("page {} of {}, {at_least}{} {executions}", page.page, page.total_pages, page.total));
    Ok(())
}

pub(super) fn mark(status: ExecutionStatus, inferred: bool) -> String {
    let mark = match status {
        ExecutionStatus::Pending => "◔",
        ExecutionStatus::Fulfilled => "✓",
        ExecutionStatus::Error => "✗",
        ExecutionStatus::Aborted => "⊘",
    };
    let inferred = if inferred { " (inferred)" } else { "" };
    format!("{mark} {}{inferred}", status.as_str())
}

fn show(execution: &Execution) -> Result<(), Failure> {
    let summary = &execution.summary;
    let version = summary.flow_version.map_or_else(String::new, |version| format!(" · v{version}"));
    say(format_args!("{}  {}{version}", mark(summary.status, summary.inferred), summary.flow_name));
    say(format_args!("id        {}", summary.id));
    say(format_args!("started   {}", timestamp::format(summary.started_at)));
    if let (Some(ended), Some(ms)) = (summary.ended_at, summary.duration_ms) {
        say(format_args!("ended     {} ({ms} ms)", timestamp::format(ended)));
    }
    let who = summary.user_name.as_deref().unwrap_or("nobody");
    say(format_args!("source    {} · {who}", summary.source.as_str()));
    if let Some(error) = &execution.error_info {
        let node = error.node_name.as_ref().map_or_else(String::new, |name| format!(" at {name}"));
        say(format_args!("error     {}{node} ({})", error.message, error.kind.as_str()));
    }
    if let Some(parent) = execution.parent_execution_id {
        say(format_args!("called by {parent}"));
    }
    payload("params", execution.initial_params.as_ref());
    for node in &execution.node_executions {
        show_node(node);
    }
    payload("outputs", execution.outputs.as_ref());
    if !execution.capture.is_empty() {
        say(format_args!("not whole: {}", execution.capture.keys().cloned().collect::<Vec<_>>().join(", ")));
    }
    Ok(())
}

fn show_node(node: &NodeExecution) {
    let mark = match node.status {
        NodeStatus::Pending => "◔",
        NodeStatus::Completed => "✓",
        NodeStatus::Error => "✗",
        NodeStatus::Aborted => "⊘",
        NodeStatus::Skipped => "–",
    };
    let took = match node.duration_us {
        Some(took) => format!("{:.1} ms", timestamp::as_millis(took)),
        None => "–".to_owned(),
    };
    say("");
    say(format_args!("{:>3} {mark} {} ({})  {took}", node.seq, node.node_name, node.node_type));
    if let Some(error) = &node.error {
        say(format_args!("      error  {error}"));
    }
    payload("    input", node.input_data.as_ref().filter(|input| input.as_str() != "null"));
    payload("    output", node.output_data.as_ref());
}

fn payload(name: &str, payload: Option<&Payload>) {
    const SHOWN: usize = 2_000;
    let Some(payload) = payload else { return };
    let text = payload.as_str();
    let cut = text.floor_char_boundary(SHOWN);
    let rest = if cut < text.len() {
        format!(" … ({} bytes, --json shows all)", text.len())
    } else {
        String::new()
    };
    say(format_args!("{name:<9} {}{rest}", &text[..cut]));
}
