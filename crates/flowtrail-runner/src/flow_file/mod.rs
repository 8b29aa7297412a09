//! Flow files: flows as JSON, one a file or an array of them. The body of `POST /api/flows` has the same
//! shape.

mod foreign;
mod read;
mod write;

use std::collections::BTreeMap;

use flowtrail_types::{FlowDraft, read_json_value};
use serde_json::Value;

use crate::problem::{Problem, Problems};
use crate::sandbox::Compiler;
use crate::validate::validate_with;

pub(crate) use foreign::import_with;
pub use foreign::{ImportNote, Imported, NoteKind, import_flow_file};
pub use write::write_flow_file;

/// Reads a flow file of Flowtrail's own format (see [`import_flow_file`] for those of others): one flow, or an array of them, as UTF-8 JSON nested at most 128 deep.
///
/// # Errors
///
/// Every problem of every flow; of an array, the message says which flow it is about. Nothing is taken from
/// a file that has any.
pub fn parse_flow_file(bytes: &[u8]) -> Result<Vec<FlowDraft>, Problems> {
    parse_value(parse_json(bytes)?, Compiler::here())
}

fn parse_value(value: Value, compiler: Compiler<'_>) -> Result<Vec<FlowDraft>, Problems> {
    let Value::Array(flows) = value else {
        return parse_flow_with(value, compiler).map(|flow| vec![flow]);
    };
    if flows.is_empty() {
        return Err(Problems::of_the_whole("the file is an array without any flow"));
    }
    let mut drafts = Vec::new();
    let mut problems = Problems::default();
    for (index, value) in flows.into_iter().enumerate() {
        let label = label(index, &value);
        match parse_flow_with(value, compiler) {
            Ok(draft) => drafts.push((label, draft)),
            Err(found) => problems.0.extend(
                found
                    .0
                    .into_iter()
                    .map(|problem| Problem { message: format!("{} ({label})", problem.message), ..problem }),
            ),
        }
    }
    refuse_shared_tool_names(&drafts, &mut problems);
    problems.or(drafts.into_iter().map(|(_, draft)| draft).collect())
}

/// Reads one flow from a JSON object: the same as in a file, and what `POST /api/flows` takes besides (`id`,
/// `kind`, `access`, `capture`). The tool name of a runnable flow is made from its name when it has none.
///
/// # Errors
///
/// Every problem, by node and field.
pub fn parse_flow(value: Value) -> Result<FlowDraft, Problems> {
    parse_flow_with(value, Compiler::here())
}

/// The same with code compiled elsewhere.
pub(crate) fn parse_flow_with(value: Value, compiler: Compiler<'_>) -> Result<FlowDraft, Problems> {
    let mut problems = Problems::default();
    let Some(draft) = read::flow(value, &mut problems) else { return Err(problems) };
    if let Err(found) = validate_with(&draft, compiler) {
        // A field that could not be read is not found missing once more.
        for problem in found.0 {
            if !problems.0.iter().any(|known| known.node == problem.node && known.field == problem.field) {
                problems.0.push(problem);
            }
        }
    }
    problems.or(draft)
}

fn parse_json(bytes: &[u8]) -> Result<Value, Problems> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Problems::of_the_whole(format!("the file is not UTF-8 text, from byte {}", error.valid_up_to()))
    })?;
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Err(Problems::of_the_whole("the file is empty"));
    }
    read_json_value(text.as_bytes()).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let error = error.to_string();
        if error.starts_with("recursion limit exceeded") {
            let message = format!("nested deeper than 128 levels, at line {line} column {column}");
            return Problems::of_the_whole(message);
        }
        Problems::of_the_whole(format!("not valid JSON: {error}"))
    })
}

fn label(index: usize, value: &Value) -> String {
    match value.get("name").and_then(Value::as_str) {
        Some(name) => format!("flow {}, {name:?}", index + 1),
        None => format!("flow {}", index + 1),
    }
}

fn refuse_shared_tool_names(drafts: &[(String, FlowDraft)], problems: &mut Problems) {
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (label, draft) in drafts {
        let Some(tool_name) = &draft.tool_name else { continue };
        if let Some(owner) = owners.insert(tool_name.as_str(), label) {
            problems.add("toolName", format!("{tool_name} is also that of {owner} ({label})"));
        }
    }
}
