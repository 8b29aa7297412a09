//! Restoring executions from an export, line by line: the other half of [`Export`](crate::Export).

mod line;

use flowtrail_tracker::{Ack, Applied, ImportCounts, Tracker, TrackerError};
use flowtrail_types::{AuditEntry, ExecutionId, Principal, read_json_value};
use serde_json::Value;

use crate::body::invalid_json;
use crate::export::Exported;
use crate::{ApiError, ErrorCode};

/// An import by an administrator.
#[derive(Debug, Clone)]
pub struct Import {
    tracker: Tracker,
    principal: Principal,
    /// In the audit log.
    entry: AuditEntry,
}

/// A line that was handed to the recorder.
pub(crate) struct HandedLine {
    pub(crate) ack: Ack<(ExecutionId, Applied)>,
    pub(crate) value: Value,
}

impl Import {
    /// Begins an import, and notes that in the audit log. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Forbidden`] unless the principal is an administrator, and when the store does not answer.
    pub fn begin(tracker: &Tracker, principal: &Principal) -> Result<Self, TrackerError> {
        let entry = tracker.begin_import(principal)?;
        Ok(Self { tracker: tracker.clone(), principal: principal.clone(), entry })
    }

    /// Hands a line to the recorder. Blocks.
    pub(crate) fn submit(&self, text: &[u8]) -> Result<HandedLine, (Option<ExecutionId>, ApiError)> {
        let value = read_json_value(text).map_err(|error| (None, invalid_json(&error)))?;
        let id = value["id"].as_str().and_then(|text| text.parse().ok());
        let submitted = line::read(&value)
            .and_then(|restored| self.tracker.import(&self.principal, &restored).map_err(ApiError::from));
        match submitted {
            Ok(ack) => Ok(HandedLine { ack, value }),
            Err(error) => Err((id, error)),
        }
    }

    /// Decides about a line whose execution is here already: the same, or another one. Blocks.
    pub(crate) fn settle(&self, value: &Value) -> Result<Applied, ApiError> {
        let Some(id) = value["id"].as_str().and_then(|text| text.parse().ok()) else {
            return Err(ApiError::new(ErrorCode::Conflict, "this execution was recorded before"));
        };
        let stored = match self.tracker.execution(&self.principal, id) {
            Ok(stored) => serde_json::to_value(Exported::new(&stored)).unwrap_or_default(),
            // It is being deleted, row by row.
            Err(TrackerError::NotFound(_)) => {
                return Err(ApiError::new(
                    ErrorCode::Busy,
                    "this execution is being deleted: import it again later",
                ));
            }
            Err(error) => return Err(error.into()),
        };
        let differences = line::differences(&stored, value);
        if differences.is_empty() {
            return Ok(Applied::Already);
        }
        let message =
            format!("this execution is here with other content: {} differs", differences.join(", "));
        Err(ApiError::new(ErrorCode::Conflict, message).with_differences(differences))
    }

    /// Restores some executions, and tells of each line what became of it, in their order. Blocks until they are written.
    #[must_use]
    pub fn lines(&self, lines: &[Vec<u8>]) -> Vec<Result<Applied, ApiError>> {
        let submitted: Vec<_> = lines.iter().map(|line| self.submit(line)).collect();
        let settled = submitted.into_iter().map(|submitted| {
            let HandedLine { ack, value } = submitted.map_err(|(_, error)| error)?;
            match ack.wait() {
                Ok((_, applied)) => Ok(applied),
                Err(TrackerError::Conflict { .. }) => self.settle(&value),
                Err(error) => Err(error.into()),
            }
        });
        settled.collect()
    }

    /// Counts what became of a line.
    pub fn count(counts: &mut ImportCounts, became: &Result<Applied, ApiError>) {
        let count = match became {
            Ok(Applied::Already) => &mut counts.exists,
            Ok(Applied::Written | Applied::Corrected) => &mut counts.created,
            Err(error) if error.code() == ErrorCode::Conflict => &mut counts.conflict,
            Err(_) => &mut counts.invalid,
        };
        *count += 1;
    }

    /// Notes in the audit log that it is over, or has broken off. Blocks.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub fn note(&self, counts: ImportCounts) -> Result<(), TrackerError> {
        self.tracker.note_import(&self.entry, counts)
    }
}
