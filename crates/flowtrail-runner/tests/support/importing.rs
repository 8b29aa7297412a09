//! Importing, and running what came of it.

use flowtrail_runner::{ImportNote, Imported, NoteKind, import_flow_file};
use flowtrail_types::{Flow, FlowDraft};
use serde_json::{Value, json};
use std::sync::Arc;

use super::World;

/// What a file gives, which is valid.
#[track_caller]
pub(crate) fn imported(file: &Value) -> Imported {
    import_flow_file(file.to_string().as_bytes()).unwrap_or_else(|problems| panic!("{problems}\nin {file:#}"))
}

/// The problems for which a file is refused.
#[track_caller]
pub(crate) fn refused(file: &Value) -> String {
    match import_flow_file(file.to_string().as_bytes()) {
        Ok(imported) => panic!("{file:#}\nwas imported as {imported:#?}"),
        Err(problems) => problems.to_string(),
    }
}

/// Makes the flows of a file.
#[track_caller]
pub(crate) fn made(world: &World, file: &Value) -> Vec<Arc<Flow>> {
    world.runner.tracker().create_flows(&world.me, imported(file).drafts).unwrap()
}

/// A draft's node as its file has it.
#[track_caller]
pub(crate) fn node(draft: &FlowDraft, id: &str) -> Value {
    let nodes = &draft.definition.nodes;
    let node = nodes.iter().find(|node| node.id == id);
    let ids = || nodes.iter().map(|node| node.id.as_str()).collect::<Vec<_>>();
    json!(node.unwrap_or_else(|| panic!("there is no node {id}, only {:?}", ids())))
}

/// The connections as `a>b` and `a:way>b`, in order.
pub(crate) fn ways(draft: &FlowDraft) -> Vec<String> {
    let way = |connection: &flowtrail_types::Connection| {
        let handle =
            connection.source_handle.as_ref().map_or_else(String::new, |handle| format!(":{handle}"));
        format!("{}{handle}>{}", connection.source_node_id, connection.target_node_id)
    };
    draft.definition.connections.iter().map(way).collect()
}

/// The notes as `kind node field`.
pub(crate) fn briefly(notes: &[ImportNote]) -> Vec<String> {
    let brief = |note: &ImportNote| {
        let kind = json!(note.kind);
        format!("{} {} {}", kind.as_str().unwrap(), note.node.as_deref().unwrap_or("-"), note.field)
    };
    notes.iter().map(brief).collect()
}

/// There is a note of this kind about this node and field, that says this.
#[track_caller]
pub(crate) fn assert_note(notes: &[ImportNote], kind: NoteKind, node: &str, field: &str, says: &str) {
    let is_it = |note: &&ImportNote| {
        note.kind == kind
            && note.node.as_deref().unwrap_or("-") == node
            && note.field == field
            && note.message.contains(says)
    };
    assert!(notes.iter().any(|note| is_it(&note)), "no {kind:?} {node} {field} {says:?} in {notes:#?}");
}
