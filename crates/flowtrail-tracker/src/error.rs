//! Why the tracker did not do what it was asked.

use std::sync::Arc;

use flowtrail_store::{Refusal, StoreError};
use flowtrail_types::{ExecutionId, ExecutionStatus};

/// Why the tracker did not do what it was asked. Knows no transport: each maps it to its own words.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TrackerError {
    /// There is no such thing, or the principal may not know of it.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The principal may see it, but not do this to it.
    #[error("you may not {0}")]
    Forbidden(&'static str),
    /// The key is missing, unknown, revoked or has expired.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// A value is not what it must be.
    #[error("{field}: {message}")]
    Invalid {
        /// Which one.
        field: String,
        /// What is wrong with it, and what was expected.
        message: String,
    },
    /// A value that must be unique is taken.
    #[error("{field}: {value:?} is taken by another flow")]
    Taken {
        /// Which one.
        field: &'static str,
        /// The value.
        value: String,
    },
    /// Somebody else changed it in the meantime.
    #[error("it was changed by somebody else in the meantime: read it again")]
    Changed,
    /// It was recorded before with other content.
    #[error("{what} was recorded before with other content")]
    Conflict {
        /// What.
        what: String,
    },
    /// The execution has another end, which stays.
    #[error("the execution has already ended as {}", status.as_str())]
    AlreadyEnded {
        /// How it ended.
        status: ExecutionStatus,
    },
    /// The execution is run by a process of Flowtrail, which alone tells of it.
    #[error("Flowtrail itself runs this execution, and alone tells of it: it can be cancelled while it runs")]
    RunsHere,
    /// What the execution was given was not kept as it was.
    #[error("this execution cannot be run again: its parameters {0}")]
    Incomplete(&'static str),
    /// The execution is still running.
    #[error("the execution is still running: cancel it, or wait for its end")]
    Pending,
    /// A flow's definition holds the value of a configured secret. Nothing was written.
    #[error("{}{field}: holds the value of a configured secret: take it out; where a secret may stand, write {{{{ secrets.NAME }}}}",
        node.as_ref().map(|node| format!("node {node}, ")).unwrap_or_default())]
    HoldsSecret {
        /// The id of the node, when it is a node's.
        node: Option<String>,
        /// The field, as a path from the node or from the flow.
        field: String,
    },
    /// The database has not answered in time. Whether it was written is not known: to repeat it under the same id is safe.
    #[error(
        "the database does not answer, and whether this was recorded is not known: repeating it with the same id is safe"
    )]
    Unknown {
        /// The execution that it is about, if it is about one.
        execution: Option<ExecutionId>,
    },
    /// There is more to write than the database takes. Nothing was written; try again later.
    #[error("too much is waiting to be written, try again in a moment")]
    Busy,
    /// The tracker was closed. Nothing was written.
    #[error("the server is shutting down")]
    Closed,
    /// The store failed.
    #[error("{0}")]
    Store(Arc<StoreError>),
}

/// Trouble with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskTrouble {
    /// It is full.
    Full,
    /// It does not do what it is asked, or what it has is damaged.
    Failed,
}

impl TrackerError {
    /// The trouble with the database's disk, when that is the reason.
    #[must_use]
    pub fn disk_trouble(&self) -> Option<DiskTrouble> {
        match self {
            Self::Store(error) if matches!(**error, StoreError::Full { .. }) => Some(DiskTrouble::Full),
            Self::Store(error) if error.is_of_disk() => Some(DiskTrouble::Failed),
            _ => None,
        }
    }

    /// A value of this field is not what it must be.
    #[must_use]
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), message: message.into() }
    }
}

impl From<StoreError> for TrackerError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy(_) => Self::Busy,
            StoreError::Taken { field } => Self::Taken { field, value: String::new() },
            StoreError::Changed => Self::Changed,
            other => Self::Store(Arc::new(other)),
        }
    }
}

impl From<Refusal> for TrackerError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown => Self::NotFound("execution"),
            Refusal::Conflict { what } => Self::Conflict { what },
            Refusal::AlreadyEnded { status } => Self::AlreadyEnded { status },
            Refusal::Renewed => Self::Changed,
        }
    }
}
