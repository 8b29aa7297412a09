//! The outputs of the nodes before, of which a script asks for some.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{MEMORY, ScriptError, check_doubles};
use crate::template::Shared;

/// Outputs by node, and why one could not be given.
#[derive(Default)]
pub(super) struct Outputs {
    nodes: Arc<BTreeMap<String, Shared>>,
    refused: Mutex<Option<ScriptError>>,
}

impl Outputs {
    pub(super) fn new(nodes: Arc<BTreeMap<String, Shared>>) -> Self {
        Self { nodes, refused: Mutex::default() }
    }

    /// The nodes' ids.
    pub(super) fn ids(&self) -> Vec<String> {
        self.nodes.keys().cloned().collect()
    }

    /// A node's output as JSON.
    ///
    /// # Errors
    ///
    /// When it holds a number that no script can hold, or is larger than a script's memory. [`refused`](Self::refused) tells of it from then on.
    pub(super) fn json(&self, id: &str) -> Result<String, Refused> {
        let Some(output) = self.nodes.get(id) else { return Ok("null".to_owned()) };
        let json = match check_doubles(&format!("nodes.{id}"), output.json()) {
            Ok(_) => Some(output.json().to_string()).filter(|json| json.len() <= MEMORY),
            Err(error) => return Err(self.refuse(error)),
        };
        json.ok_or_else(|| self.refuse(ScriptError::out_of_memory()))
    }

    fn refuse(&self, error: ScriptError) -> Refused {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        Refused
    }

    /// The reason why an output could not be given, if one could not: the script failed by it, however it went on.
    pub(super) fn refused(&self) -> Option<ScriptError> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// An output cannot be given.
#[derive(Debug)]
pub(super) struct Refused;
