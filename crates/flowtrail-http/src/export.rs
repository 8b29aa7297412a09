//! The history as a file: NDJSON or CSV, part by part.

use std::str::FromStr;

use flowtrail_tracker::{Tracker, TrackerError, Walk};
use flowtrail_types::{Execution, ExecutionFilter, ExecutionSummary, FlowId, Principal, timestamp};
use serde::Serialize;

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExportFormat {
    /// A full execution on each line, in the shape in which it can be recorded again.
    #[default]
    Ndjson,
    /// What a list shows of an execution in each row (RFC 4180).
    Csv,
}

/// A text that is no form of an export.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected ndjson or csv, got {0:?}")]
pub struct UnknownFormat(String);

impl FromStr for ExportFormat {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text {
            "ndjson" => Ok(Self::Ndjson),
            "csv" => Ok(Self::Csv),
            other => Err(UnknownFormat(other.chars().take(40).collect())),
        }
    }
}

/// A filtered list on its way into a file. However long it is, no more than a part is in memory.
#[derive(Debug)]
pub struct Export {
    tracker: Tracker,
    principal: Principal,
    walk: Walk,
    /// Those that were found and are not written yet.
    found: std::vec::IntoIter<ExecutionSummary>,
    format: ExportFormat,
}

/// An execution as a line of an export: as it is read, and to the microsecond, so that it can be restored as it was.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exported<'a> {
    #[serde(flatten)]
    execution: &'a Execution,
    precise: Precise,
    /// Of a flow that was deleted, which it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_flow_id: Option<FlowId>,
}

/// Its times in microseconds, since the Unix epoch and from one to the other.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Precise {
    started_at_us: i64,
    ended_at_us: Option<i64>,
    duration_us: Option<i64>,
}

impl<'a> Exported<'a> {
    pub(crate) fn new(execution: &'a Execution) -> Self {
        let summary = &execution.summary;
        let precise = Precise {
            started_at_us: timestamp::unix_micros(summary.started_at),
            ended_at_us: summary.ended_at.map(timestamp::unix_micros),
            duration_us: summary.duration_us(),
        };
        let deleted_flow_id = summary.flow_id.is_none().then_some(summary.guarding_flow_id);
        Self { execution, precise, deleted_flow_id }
    }
}

/// Number of executions that are looked up at a time, without their data.
const AT_ONCE: u32 = 100;

/// A part has about so many bytes: it ends with the execution that brings it there.
pub(crate) const PART: usize = 1 << 20;

const CSV_HEAD: &str = "id,flowId,flowName,flowToolName,flowVersion,userId,userName,status,inferred,source,startedAt,\
                        endedAt,duration,initialParamsPreview,error\r\n";

impl Export {
    /// Begins an export of what a filter finds and the principal may see. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::NotFound`] when the filter names a flow that they may not see.
    pub fn begin(
        tracker: &Tracker,
        principal: &Principal,
        filter: &ExecutionFilter,
        format: ExportFormat,
    ) -> Result<Self, TrackerError> {
        let walk = tracker.walk(principal, filter)?;
        Ok(Self {
            tracker: tracker.clone(),
            principal: principal.clone(),
            walk,
            found: Vec::new().into_iter(),
            format,
        })
    }

    /// What stands before the first part.
    #[must_use]
    pub fn head(&self) -> &'static str {
        match self.format {
            ExportFormat::Ndjson => "",
            ExportFormat::Csv => CSV_HEAD,
        }
    }

    /// The next part, and how many executions it has; nothing when the export is over. Blocks.
    ///
    /// # Errors
    ///
    /// When the store does not answer. The export is not whole then.
    pub fn next_part(&mut self) -> Result<Option<(Vec<u8>, usize)>, TrackerError> {
        let mut written = Vec::new();
        let mut count = 0;
        while written.len() < PART {
            let Some(summary) = self.found.next() else {
                // What was found is not held back while more is looked for, which may take long.
                if count > 0 {
                    break;
                }
                self.found = self.walk.next(AT_ONCE)?.into_iter();
                if self.found.len() == 0 {
                    break;
                }
                continue;
            };
            match self.format {
                ExportFormat::Csv => write_row(&mut written, &summary),
                ExportFormat::Ndjson => match self.tracker.execution(&self.principal, summary.id) {
                    Ok(execution) => {
                        // Written to memory, with keys that are texts: there is nothing to fail.
                        let _ = serde_json::to_writer(&mut written, &Exported::new(&execution));
                        written.push(b'\n');
                    }
                    // It was deleted meanwhile.
                    Err(TrackerError::NotFound(_)) => continue,
                    Err(TrackerError::Store(error)) if error.is_of_one_record() => {
                        log::error!("execution {} is left out of an export: {error}", summary.id);
                        continue;
                    }
                    Err(error) => return Err(error),
                },
            }
            count += 1;
        }
        Ok((count > 0).then_some((written, count)))
    }
}

fn write_row(written: &mut Vec<u8>, execution: &ExecutionSummary) {
    let text = |text: &Option<String>| text.as_deref().map(harmless).unwrap_or_default();
    let shown = |value: Option<String>| value.unwrap_or_default();
    let row = [
        execution.id.to_string(),
        shown(execution.flow_id.map(|id| id.to_string())),
        harmless(&execution.flow_name),
        text(&execution.flow_tool_name),
        shown(execution.flow_version.map(|version| version.to_string())),
        shown(execution.user_id.map(|id| id.to_string())),
        text(&execution.user_name),
        execution.status.as_str().to_owned(),
        execution.inferred.to_string(),
        execution.source.as_str().to_owned(),
        timestamp::format(execution.started_at),
        shown(execution.ended_at.map(timestamp::format)),
        shown(execution.duration_ms.map(|millis| millis.to_string())),
        text(&execution.initial_params_preview),
        text(&execution.error),
    ];
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(written);
    // Written to memory, always so many fields: there is nothing to fail.
    let _ = writer.write_record(&row);
}

/// A text that no spreadsheet takes for a formula: one that begins like a formula gets an apostrophe before it.
fn harmless(text: &str) -> String {
    // Programs also leave out what stands before it without being seen, and take wide forms of the signs.
    let is_unseen =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}');
    let begins_unseen = text.chars().next().is_some_and(|first| matches!(first, '\t' | '\r' | '\n'));
    let first = text.trim_start_matches(is_unseen).chars().next();
    let is_sign = matches!(first, Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠'));
    if begins_unseen || is_sign { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_a_spreadsheet_would_run_is_made_harmless() {
        assert_eq!(harmless("=HYPERLINK(\"http://x\")"), "'=HYPERLINK(\"http://x\")");
        for begin in
            ["-", "+", "@", "=", "\t", "\r", "\n", "＝", "＋", "－", "＠", " =", "\u{feff}=", "\u{200b}\n@"]
        {
            assert_eq!(harmless(&format!("{begin}1")), format!("'{begin}1"));
        }
        assert_eq!(harmless(" a"), " a");
        assert_eq!(harmless("a=b"), "a=b");
        assert_eq!(harmless(""), "");
    }
}
