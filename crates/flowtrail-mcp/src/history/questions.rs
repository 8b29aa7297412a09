//! The tools that ask for history.

use flowtrail_tracker::{StatsRange, Tracker};
use flowtrail_types::{
    Cursor, DurationRange, Execution, ExecutionFilter, ExecutionId, FlowId, PageRequest, Principal,
    SortDirection,
};
use rmcp::model::Tool;
use serde_json::{Value, json};

use super::arguments::Arguments;
use super::{in_words, json as written, tool};

/// A question, and how it is answered.
pub(crate) struct Question {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    input: fn() -> Value,
    pub(super) ask: fn(&Tracker, &Principal, &mut Arguments) -> Result<Value, String>,
}

static QUESTIONS: [Question; 3] = [
    Question {
        name: "flowtrail_list_executions",
        title: "List executions",
        description: "Lists what was run, newest first: flows of this server, and tools of other servers that are called \
            through it. Each item has id, flowName, status (pending, fulfilled, error, aborted), startedAt, duration in \
            milliseconds, the first parameter's value, and one line of the error if it failed. Pass `after` of an answer \
            to get the next page.",
        input: list_schema,
        ask: list,
    },
    Question {
        name: "flowtrail_get_execution",
        title: "Get an execution",
        description: "Shows one execution: what it was given (initialParams), what each node was given and gave \
            (nodeExecutions), what came out (outputs), and which node failed and why (errorInfo). Use data=own to leave \
            out what the nodes were given and gave, data=none for no data at all.",
        input: get_schema,
        ask: get,
    },
    Question {
        name: "flowtrail_get_stats",
        title: "Get statistics",
        description: "Counts executions by status, with the success rate (0 to 1), and the average, median, 95th and 99th \
            percentile of their durations in milliseconds: of one flow, or of all that you may see. Calls that were rejected \
            before they ran are counted by themselves.",
        input: stats_schema,
        ask: stats,
    },
];

/// All questions, as tools.
pub(crate) fn tools() -> impl Iterator<Item = Tool> {
    QUESTIONS
        .iter()
        .map(|question| tool(question.name, question.title, question.description, (question.input)()))
}

/// The question of this name.
pub(crate) fn question(name: &str) -> Option<&'static Question> {
    QUESTIONS.iter().find(|question| question.name == name)
}

const FLOW: &str = "The flow: its tool name or its id";
const FROM: &str = "From this time on, like 2026-01-06T12:00:00Z";
const TO: &str = "Before this time";

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn object(properties: &Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn list_schema() -> Value {
    let properties = json!({
        "flow": text(FLOW),
        "status": {"type": "string", "enum": ["pending", "fulfilled", "error", "aborted"]},
        "source": {"type": "string", "enum": ["mcp", "api", "embedded", "proxy", "replay"],
            "description": "Who reported it"},
        "from": text(FROM),
        "to": text(TO),
        "tag": text("With this tag, as key:value"),
        "q": text("With this text in a name, the preview, the error or an id"),
        "limit": {"type": "integer", "minimum": 1, "maximum": PageRequest::MAX_LIMIT, "default": 20},
        "after": text("The cursor of the page before"),
    });
    object(&properties, &[])
}

fn list(tracker: &Tracker, principal: &Principal, arguments: &mut Arguments) -> Result<Value, String> {
    arguments.only(&["flow", "status", "source", "from", "to", "tag", "q", "limit", "after"])?;
    let filter = ExecutionFilter {
        flow: flow(tracker, principal, arguments)?,
        status: arguments.parsed("status")?,
        source: arguments.parsed("source")?,
        user: None,
        from: arguments.time("from")?,
        to: arguments.time("to")?,
        duration: DurationRange::default(),
        tag: arguments.parsed("tag")?,
        text: arguments.parsed("q")?,
    };
    let limit = arguments.number("limit", 1, PageRequest::MAX_LIMIT)?.unwrap_or(20);
    let mut page = PageRequest::numbered(1, limit);
    if let Some(after) = arguments.text("after")? {
        let fingerprint = filter.fingerprint(page.sort, SortDirection::default());
        page.after = Some(Cursor::decode(after, fingerprint).map_err(|error| format!("after: {error}"))?);
    }
    written(&tracker.executions(principal, &filter, page).map_err(|error| in_words(&error))?)
}

fn get_schema() -> Value {
    let properties = json!({
        "executionId": text("The execution's id, as the answer to a call names it in _meta[\"flowtrail/executionId\"]"),
        "data": {"type": "string", "enum": ["all", "own", "none"], "default": "all"},
    });
    object(&properties, &["executionId"])
}

fn get(tracker: &Tracker, principal: &Principal, arguments: &mut Arguments) -> Result<Value, String> {
    arguments.only(&["executionId", "data"])?;
    let id = arguments.text("executionId")?.ok_or("executionId: is missing")?;
    let id: ExecutionId = id.parse().map_err(|_| format!("executionId: expected a UUID, got {id:?}"))?;
    let mut execution = tracker.execution(principal, id).map_err(|error| in_words(&error))?;
    match arguments.text("data")? {
        None | Some("all") => {}
        Some("own") => leave_out_nodes_data(&mut execution),
        Some("none") => {
            (execution.initial_params, execution.outputs, execution.meta) = (None, None, None);
            leave_out_nodes_data(&mut execution);
        }
        Some(other) => return Err(format!("data: expected all, own or none, got {other:?}")),
    }
    written(&execution)
}

fn leave_out_nodes_data(execution: &mut Execution) {
    for node in &mut execution.node_executions {
        (node.input_data, node.output_data) = (None, None);
    }
}

fn stats_schema() -> Value {
    object(&json!({"flow": text(FLOW), "from": text(FROM), "to": text(TO)}), &[])
}

fn stats(tracker: &Tracker, principal: &Principal, arguments: &mut Arguments) -> Result<Value, String> {
    arguments.only(&["flow", "from", "to"])?;
    let flow = flow(tracker, principal, arguments)?;
    let range =
        StatsRange { from: arguments.time("from")?, to: arguments.time("to")?, ..StatsRange::default() };
    written(&tracker.statistics(principal, flow, range).map_err(|error| in_words(&error))?)
}

/// The flow that is asked about, by its tool name or its id.
fn flow(tracker: &Tracker, principal: &Principal, arguments: &Arguments) -> Result<Option<FlowId>, String> {
    let Some(wanted) = arguments.text("flow")? else { return Ok(None) };
    if let Ok(id) = wanted.parse::<FlowId>() {
        return Ok(Some(id));
    }
    let flow = tracker.flow_by_tool_name(principal, wanted);
    flow.map(|flow| Some(flow.id))
        .map_err(|_| format!("flow: there is no flow {wanted:?}, or you may not see it"))
}
