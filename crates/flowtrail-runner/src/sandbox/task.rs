//! Questions to a worker, in a form that passes a pipe.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Script;
use super::engine::Task;

/// A question to a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) what: What,
    pub(super) script: Script,
    /// Its time limit in milliseconds.
    time_ms: u64,
    /// The ids of the nodes before.
    nodes: Vec<String>,
}

/// The operation on a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum What {
    /// Run it on the input that comes next.
    Run,
    /// Check its syntax.
    Check,
    /// Find out whether it returns anything.
    Returns,
}

/// The reason for the lack of a result.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Failed {
    pub(super) kind: String,
    pub(super) message: String,
}

impl Asked {
    pub(super) fn of(what: What, task: &Task) -> Self {
        Self {
            what,
            script: task.script.clone(),
            time_ms: u64::try_from(task.time.as_millis()).unwrap_or(u64::MAX),
            nodes: task.nodes.clone(),
        }
    }

    /// Its time limit in seconds, rounded down.
    #[cfg(unix)]
    pub(super) fn seconds(&self) -> u64 {
        self.time_ms / 1_000
    }

    /// The same as a task, with its input.
    pub(super) fn into_task(self, input: String) -> Task {
        Task { script: self.script, input, nodes: self.nodes, time: Duration::from_millis(self.time_ms) }
    }
}
