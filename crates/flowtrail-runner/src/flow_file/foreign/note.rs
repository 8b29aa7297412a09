//! What could not be carried over, or not as it was.

use std::fmt::{self, Display};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::excerpt::excerpt;

/// The most notes of one import. What is more is counted in a last one.
const MAX_NOTES: usize = 2_000;

/// The most characters of a name that comes from the file.
const MAX_QUOTED: usize = 120;

/// Something that the import of another system's flow left out, changed or assumed, or that is still to be done.
/// It never has a value of the file in it, which may be a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportNote {
    /// The name of the flow that was imported; absent when it concerns the whole file.
    pub flow: Option<String>,
    /// The id that the node has in the file; absent when it is no node's.
    pub node: Option<String>,
    /// The field in the file, as a path from the node or from the flow. Empty when it concerns the whole.
    pub field: String,
    /// What became of it.
    pub kind: NoteKind,
    /// The same for a person.
    pub message: String,
}

/// What became of something that was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NoteKind {
    /// It has no counterpart and is gone.
    Dropped,
    /// It was carried over and behaves differently.
    Changed,
    /// The file does not say; this was assumed.
    Assumed,
    /// It works once something is set: a secret, a base URL.
    Configure,
    /// It was replaced by a node that fails, and the flow is not active.
    Unsupported,
}

impl Display for ImportNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.node.as_ref().map(|node| format!("node {node}"));
        let field = Some(&self.field).filter(|field| !field.is_empty());
        let place: Vec<&str> =
            [self.flow.as_ref(), node.as_ref(), field].into_iter().flatten().map(String::as_str).collect();
        match place.as_slice() {
            [] => f.write_str(&self.message),
            place => write!(f, "{}: {}", place.join(", "), self.message),
        }
    }
}

/// The notes of an import as they are made, and what the next ones are about.
#[derive(Debug, Default)]
pub(super) struct Notes {
    list: Vec<ImportNote>,
    more: usize,
    flow: Option<String>,
    node: Option<String>,
}

impl Notes {
    /// What comes is about the file.
    pub(super) fn of_file(&mut self) {
        (self.flow, self.node) = (None, None);
    }

    /// What comes is about this flow.
    pub(super) fn of_flow(&mut self, name: &str) {
        (self.flow, self.node) = (Some(excerpt(name, MAX_QUOTED)), None);
    }

    /// What comes is about this node of the flow, by its id in the file, or about the flow itself.
    pub(super) fn of_node(&mut self, id: Option<&str>) {
        self.node = id.map(|id| excerpt(id, MAX_QUOTED));
    }

    /// Notes something, once.
    pub(super) fn add(&mut self, kind: NoteKind, field: &str, message: impl Into<String>) {
        if self.list.len() >= MAX_NOTES {
            self.more += 1;
            return;
        }
        let (flow, node) = (self.flow.clone(), self.node.clone());
        let field = excerpt(field, 2 * MAX_QUOTED);
        let note = ImportNote { flow, node, field, kind, message: message.into() };
        let mut recent =
            self.list.iter().rev().take_while(|known| known.flow == note.flow && known.node == note.node);
        if !recent.any(|known| *known == note) {
            self.list.push(note);
        }
    }

    /// Something is gone.
    pub(super) fn dropped(&mut self, field: &str, message: impl Into<String>) {
        self.add(NoteKind::Dropped, field, message);
    }

    /// Something behaves differently.
    pub(super) fn changed(&mut self, field: &str, message: impl Into<String>) {
        self.add(NoteKind::Changed, field, message);
    }

    /// Something was assumed.
    pub(super) fn assumed(&mut self, field: &str, message: impl Into<String>) {
        self.add(NoteKind::Assumed, field, message);
    }

    /// Something is to be set.
    pub(super) fn configure(&mut self, field: &str, message: impl Into<String>) {
        self.add(NoteKind::Configure, field, message);
    }

    /// All fields that nobody took are gone.
    pub(super) fn left(&mut self, path: &str, fields: &Map<String, Value>) {
        for (field, _) in fields.iter().filter(|(_, value)| !value.is_null()) {
            let field = excerpt(field, MAX_QUOTED);
            let field = if path.is_empty() { field } else { format!("{path}.{field}") };
            self.dropped(&field, "has no counterpart and was left out");
        }
    }

    /// All of them.
    pub(super) fn finish(mut self) -> Vec<ImportNote> {
        if self.more > 0 {
            self.list.push(ImportNote {
                flow: None,
                node: None,
                field: String::new(),
                kind: NoteKind::Dropped,
                message: format!("there are {} more notes than are told here", self.more),
            });
        }
        self.list
    }
}

/// A name from the file as a message tells it.
pub(super) fn quoted(name: &str) -> String {
    format!("{:?}", excerpt(name, MAX_QUOTED))
}
