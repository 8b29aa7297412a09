//! Flow files of other systems, as drafts of Flowtrail's: Manifest's and those of Open WebUI's flows. What each has
//! and what becomes of it stands in `docs/importing.md`.
//!
//! A conversion gives a draft that is then checked like any other, and notes about everything that did not come
//! over as it was. A field that nobody takes is noted by itself, so that none can be forgotten.

mod fields;
mod format;
mod manifest;
mod note;
mod open_webui;
mod sketch;
mod words;

use flowtrail_types::FlowDraft;
use serde_json::{Map, Value};

use super::{label, parse_flow_with, parse_json, parse_value, refuse_shared_tool_names};
use crate::problem::{Problem, Problems};
use crate::sandbox::Compiler;
use crate::validate::{MAX_CONNECTIONS, MAX_NODES, validate_with};

use format::{Foreign, Found, System};
use note::Notes;
pub use note::{ImportNote, NoteKind};
use words::ToolNames;

/// What the notes about a refused flow begin with among its problems.
const NOTE: &str = "note: ";

/// What a file gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The flows, ready to be made.
    pub drafts: Vec<FlowDraft>,
    /// What did not come over as it was; empty for Flowtrail's own files.
    pub notes: Vec<ImportNote>,
}

/// Reads a flow file of Flowtrail's, of Manifest's or of Open WebUI's flows: one flow or an array, which may mix them.
/// Flowtrail's own are read as [`parse_flow_file`](super::parse_flow_file) reads them.
///
/// # Errors
///
/// Every problem of every flow; of a converted flow that is refused, its notes are told after its problems. Nothing is
/// taken from a file that has any.
pub fn import_flow_file(bytes: &[u8]) -> Result<Imported, Problems> {
    import_with(bytes, Compiler::here())
}

/// The same with code compiled elsewhere.
pub(crate) fn import_with(bytes: &[u8], compiler: Compiler<'_>) -> Result<Imported, Problems> {
    let value = parse_json(bytes)?;
    let is_list = value.is_array();
    let found = format::found(value);
    if found.iter().any(|found| matches!(found, Found::Other(_))) {
        return Import::new(compiler).run(found);
    }
    let own = |found| match found {
        Found::Own(value) => Some(value),
        Found::Other(_) => None,
    };
    let mut own = found.into_iter().filter_map(own);
    let value = if is_list { own.collect() } else { own.next().unwrap_or_default() };
    parse_value(value, compiler).map(|drafts| Imported { drafts, notes: Vec::new() })
}

/// A file being imported.
struct Import<'c> {
    compiler: Compiler<'c>,
    names: ToolNames,
    notes: Notes,
    problems: Problems,
}

/// A flow that was read and is not converted yet.
enum Read {
    Own(FlowDraft),
    Manifest(manifest::Source),
    OpenWebui(open_webui::Source),
}

impl<'c> Import<'c> {
    fn new(compiler: Compiler<'c>) -> Self {
        Self { compiler, names: ToolNames::default(), notes: Notes::default(), problems: Problems::default() }
    }

    fn run(mut self, found: Vec<Found>) -> Result<Imported, Problems> {
        let several = found.len() > 1;
        let mut read = Vec::new();
        for (index, found) in found.into_iter().enumerate() {
            let (label, result) = self.read(index, found);
            match result {
                Ok(flow) => read.push((label, flow)),
                Err(problems) => self.refuse(problems, several.then_some(&label)),
            }
        }
        if !self.problems.0.is_empty() {
            return Err(self.problems);
        }
        for (_, flow) in &read {
            if let Read::Own(FlowDraft { tool_name: Some(name), .. }) = flow {
                self.names.keep(name.as_str());
            }
        }
        let mut targets = manifest::Targets::default();
        for (_, flow) in &mut read {
            if let Read::Manifest(source) = flow {
                source.name_tools(&mut self.names, &mut targets, &mut self.notes);
            }
        }
        self.convert(read, &targets, several)
    }

    fn read(&mut self, index: usize, found: Found) -> (String, Result<Read, Problems>) {
        match found {
            Found::Own(value) => (label(index, &value), parse_flow_with(value, self.compiler).map(Read::Own)),
            Found::Other(Foreign { system, flow, around }) => {
                let name = flow.get("name").and_then(Value::as_str).map(str::to_owned);
                let label = match &name {
                    Some(name) => format!("flow {}, {name:?}", index + 1),
                    None => format!("flow {}", index + 1),
                };
                self.notes.of_file();
                self.around(around);
                self.notes.of_flow(name.as_deref().unwrap_or("Untitled"));
                let result = check_size(&flow).and_then(|()| match system {
                    System::Manifest => manifest::Source::read(flow, &mut self.notes).map(Read::Manifest),
                    System::OpenWebui => open_webui::Source::read(flow, &mut self.notes).map(Read::OpenWebui),
                });
                (label, result)
            }
        }
    }

    /// What stands around flows: an app, or the envelope of an export.
    fn around(&mut self, mut around: Map<String, Value>) {
        around.remove("exportedAt");
        if let Some(version) = around.remove("version")
            && version != "1.0"
        {
            self.notes.assumed("version", "is none that is known: the flow was read as one of version 1.0");
        }
        self.notes.left("", &around);
    }

    fn convert(
        mut self,
        read: Vec<(String, Read)>,
        targets: &manifest::Targets,
        several: bool,
    ) -> Result<Imported, Problems> {
        let mut drafts = Vec::new();
        let mut copies = manifest::Copies::default();
        for (label, flow) in read {
            let converted = match flow {
                Read::Own(draft) => {
                    drafts.push((label, draft));
                    continue;
                }
                Read::Manifest(source) => {
                    source.convert(targets, &mut copies, self.compiler, &mut self.notes)
                }
                Read::OpenWebui(source) => {
                    source.convert(&mut self.names, &mut self.notes).map(|draft| vec![draft])
                }
            };
            let checked = converted.and_then(|converted| {
                let mut problems = Problems::default();
                for draft in &converted {
                    if let Err(found) = validate_with(draft, self.compiler) {
                        problems.0.extend(found.0);
                    }
                }
                problems.or(converted)
            });
            match checked {
                Ok(converted) => drafts.extend(converted.into_iter().map(|draft| (label.clone(), draft))),
                Err(problems) => self.refuse(problems, several.then_some(&label)),
            }
        }
        let mut problems = self.problems;
        refuse_shared_tool_names(&drafts, &mut problems);
        let notes = self.notes.finish();
        if !problems.0.is_empty() {
            problems.0.extend(notes.into_iter().map(|note| Problem {
                node: note.node,
                field: note.field,
                message: format!("{NOTE}{}", note.message),
            }));
            return Err(problems);
        }
        Ok(Imported { drafts: drafts.into_iter().map(|(_, draft)| draft).collect(), notes })
    }

    fn refuse(&mut self, problems: Problems, label: Option<&String>) {
        let about = label.map_or_else(String::new, |label| format!(" ({label})"));
        let told = |problem: Problem| Problem { message: format!("{}{about}", problem.message), ..problem };
        self.problems.0.extend(problems.0.into_iter().map(told));
    }
}

/// Refuses what no flow may have, before any work is done that grows with it.
fn check_size(flow: &Map<String, Value>) -> Result<(), Problems> {
    let mut problems = Problems::default();
    for (field, most) in [("nodes", MAX_NODES), ("connections", MAX_CONNECTIONS), ("edges", MAX_CONNECTIONS)]
    {
        match flow.get(field) {
            Some(Value::Array(items)) if items.len() > most => {
                problems
                    .add(field, format!("a flow has at most {most} {field}, this one has {}", items.len()));
            }
            None | Some(Value::Null | Value::Array(_)) => {}
            Some(_) => problems.add(field, "must be an array"),
        }
    }
    problems.or(())
}
