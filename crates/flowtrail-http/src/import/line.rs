//! A line of an export, read back.

use flowtrail_tracker::{FinishedNode, Restored, RestoredNode, Sent};
use flowtrail_types::{CaptureMarks, Digest, ErrorInfo, ErrorKind, ExecutionStatus, NodeStatus, timestamp};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::ApiError;
use crate::fields::Fields;

/// The fields of a line.
const FIELDS: &[&str] = &[
    "id",
    "flowId",
    "deletedFlowId",
    "flowName",
    "flowToolName",
    "flowVersion",
    "userId",
    "userName",
    "status",
    "inferred",
    "source",
    "startedAt",
    "endedAt",
    "duration",
    "precise",
    "initialParamsPreview",
    "error",
    "initialParams",
    "outputs",
    "nodeExecutions",
    "errorInfo",
    "meta",
    "tags",
    "parentExecutionId",
    "replayOf",
    "cancelRequested",
    "capture",
    "createdAt",
    "updatedAt",
];

const NODE_FIELDS: &[&str] = &[
    "seq",
    "nodeId",
    "nodeName",
    "nodeType",
    "status",
    "executedAt",
    "executionTimeMs",
    "inputData",
    "outputData",
    "error",
    "errorKind",
    "parentSeq",
    "iteration",
    "attempt",
    "capture",
];

/// Fields that are not compared: a user may have another name here, and a flow may live that was deleted, or the other way round.
const NOT_COMPARED: &[&str] = &["userName", "flowId", "deletedFlowId", "precise"];

/// Reads a line.
pub(super) fn read(value: &Value) -> Result<Restored<'_>, ApiError> {
    let fields = Fields::of_body(value)?;
    fields.only(FIELDS, &[])?;
    let missing = |name: &str, what: &str| fields.invalid(name, format!("expected {what}, got nothing"));
    let status: ExecutionStatus =
        fields.parsed("status")?.ok_or_else(|| missing("status", "fulfilled, error or aborted"))?;
    if status == ExecutionStatus::Pending {
        let message = "expected fulfilled, error or aborted: it was still pending when it was exported";
        return Err(fields.invalid("status", message));
    }
    let (started_at, ended_at) = times(&fields)?;
    let written = serde_json::to_vec(value).unwrap_or_default();
    let error = fields.object("errorInfo")?.map(|error| read_error(&error)).transpose()?;
    let time = |name: &str| fields.time(name)?.ok_or_else(|| missing(name, "a time"));
    let nodes = fields.objects("nodeExecutions")?;
    Ok(Restored {
        id: fields.parsed("id")?.ok_or_else(|| missing("id", "an id"))?,
        flow_id: match fields.parsed("flowId")? {
            Some(id) => Some(id),
            None => fields.parsed("deletedFlowId")?,
        },
        flow_name: fields.required_text("flowName")?,
        flow_tool_name: fields.text("flowToolName")?,
        flow_version: fields.number("flowVersion", 1, i32::MAX)?,
        user_id: fields.parsed("userId")?,
        user_name: fields.text("userName")?,
        status,
        inferred: fields.flag("inferred")?.unwrap_or(false),
        source: fields
            .parsed("source")?
            .ok_or_else(|| missing("source", "mcp, api, embedded, proxy or replay"))?,
        started_at,
        ended_at,
        preview: fields.text("initialParamsPreview")?,
        params: given(value, "initialParams"),
        outputs: given(value, "outputs"),
        error,
        nodes: nodes.iter().map(read_node).collect::<Result<_, _>>()?,
        meta: given(value, "meta"),
        tags: match fields.object("tags")? {
            Some(tags) => tags.texts()?,
            None => Vec::new(),
        },
        parent: fields.parsed("parentExecutionId")?,
        replay_of: fields.parsed("replayOf")?,
        cancel_requested: fields.flag("cancelRequested")?.unwrap_or(false),
        capture: marks(&fields)?,
        created_at: time("createdAt")?,
        updated_at: time("updatedAt")?,
        digest: Digest::of(&[b"flowtrail/import", &written]),
    })
}

/// When it began and ended, to the microsecond. Exports of before have milliseconds: then both are such that what is shown of
/// them stays as it was.
fn times(fields: &Fields<'_>) -> Result<(OffsetDateTime, OffsetDateTime), ApiError> {
    let expected = |name: &str| fields.invalid(name, "expected a time, got nothing");
    let started_at = fields.time("startedAt")?.ok_or_else(|| expected("startedAt"))?;
    let ended_at = fields.time("endedAt")?.ok_or_else(|| expected("endedAt"))?;
    let told = fields.millis("duration")?.and_then(|duration| i128::try_from(duration.as_millis()).ok());
    if let Some(precise) = fields.object("precise")? {
        precise.only(&["startedAtUs", "endedAtUs", "durationUs"], &[])?;
        let at = |name: &str, shown: OffsetDateTime| {
            let micros = precise.micros(name)?;
            let at = timestamp::from_unix_micros(micros);
            // Both tell of one moment.
            at.filter(|at| timestamp::format(*at) == timestamp::format(shown)).ok_or_else(|| {
                precise.invalid(name, format!("expected microseconds of {}", timestamp::format(shown)))
            })
        };
        let exact = (at("startedAtUs", started_at)?, at("endedAtUs", ended_at)?);
        let took = (exact.1 - exact.0).whole_microseconds();
        if i128::from(precise.micros("durationUs")?) != took {
            return Err(
                precise.invalid("durationUs", format!("expected {took}, from startedAtUs to endedAtUs"))
            );
        }
        if told.is_some_and(|told| told != took / 1_000) {
            return Err(fields.invalid("duration", format!("expected {}, from precise", took / 1_000)));
        }
        return Ok(exact);
    }
    let took = (ended_at - started_at).whole_milliseconds();
    match told {
        // It was cut to milliseconds, and so were both times.
        Some(told) if told + 1 == took => Ok((started_at + Duration::MICROSECOND, ended_at)),
        Some(told) if told != took => {
            Err(fields.invalid("duration", format!("expected {took}, from startedAt to endedAt")))
        }
        _ => Ok((started_at, ended_at)),
    }
}

/// A payload as it stands in a line, where null is what was not recorded.
fn given<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.get(name).filter(|value| !value.is_null())
}

fn marks(fields: &Fields<'_>) -> Result<CaptureMarks, ApiError> {
    let Some(marks) = fields.value("capture") else { return Ok(CaptureMarks::new()) };
    serde_json::from_value(marks.clone())
        .map_err(|error| fields.invalid("capture", format!("expected marks as exports have them: {error}")))
}

/// An error as it was kept, whatever it says.
fn read_error(fields: &Fields<'_>) -> Result<ErrorInfo, ApiError> {
    fields.only(&["message", "kind", "nodeId", "nodeName"], &[])?;
    Ok(ErrorInfo {
        message: fields.required_text("message")?.to_owned(),
        kind: fields.parsed("kind")?.unwrap_or(ErrorKind::Failed),
        node_id: fields.text("nodeId")?.map(str::to_owned),
        node_name: fields.text("nodeName")?.map(str::to_owned),
    })
}

fn read_node<'a>(fields: &Fields<'a>) -> Result<RestoredNode<'a>, ApiError> {
    fields.only(NODE_FIELDS, &[])?;
    let missing = |name: &str, what: &str| fields.invalid(name, format!("expected {what}, got nothing"));
    let seq = fields.number("seq", 1, i32::MAX)?.ok_or_else(|| missing("seq", "a whole number from 1"))?;
    let status: NodeStatus = fields.parsed("status")?.unwrap_or(NodeStatus::Completed);
    let node_id = fields.required_text("nodeId")?;
    let node = FinishedNode {
        node_name: fields.text("nodeName")?.unwrap_or(node_id),
        status,
        executed_at: fields.time("executedAt")?,
        duration: fields.millis("executionTimeMs")?,
        input: fields.value("inputData").map(Sent::from),
        output: fields.value("outputData").map(Sent::from),
        error: None,
        parent_seq: fields.number("parentSeq", 1, i32::MAX)?,
        iteration: fields.number("iteration", 0, i32::MAX)?,
        attempt: fields.number("attempt", 1, i32::MAX)?.unwrap_or(1),
        ..FinishedNode::completed(seq, node_id, fields.text("nodeType")?.unwrap_or("node"))
    };
    let capture = marks(fields)?;
    Ok(RestoredNode { node, error: fields.text("error")?, error_kind: fields.parsed("errorKind")?, capture })
}

/// The names of the fields of a line in which the execution that is here differs from it.
pub(super) fn differences(stored: &Value, line: &Value) -> Vec<String> {
    let Some(line) = line.as_object() else { return Vec::new() };
    let mut names: Vec<String> = line
        .iter()
        .filter(|(name, told)| !NOT_COMPARED.contains(&name.as_str()) && stored[name.as_str()] != **told)
        .map(|(name, _)| name.clone())
        .collect();
    if let Some(precise) = line.get("precise")
        && stored["precise"] != *precise
    {
        names.push("precise".to_owned());
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(more: Value) -> Value {
        let mut line = json!({
            "id": "01900000-0000-7000-8000-000000000001",
            "flowId": null,
            "flowName": "Import",
            "status": "fulfilled",
            "source": "proxy",
            "startedAt": "2026-01-06T12:00:00.000Z",
            "endedAt": "2026-01-06T12:00:00.005Z",
            "duration": 5,
            "createdAt": "2026-01-06T12:00:00.006Z",
            "updatedAt": "2026-01-06T12:00:00.006Z",
        });
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line
    }

    #[test]
    fn times_without_microseconds_are_shown_as_they_were() {
        for (duration, micros) in [(5, 5_000), (4, 4_999)] {
            let line = line(json!({"duration": duration}));
            let restored = read(&line).unwrap();
            let took = (restored.ended_at - restored.started_at).whole_microseconds();
            assert_eq!(took, micros);
            assert_eq!(timestamp::format(restored.started_at), "2026-01-06T12:00:00.000Z");
        }
        let error = read(&line(json!({"duration": 7}))).unwrap_err().to_string();
        assert!(error.starts_with("duration: expected 5"), "{error}");
    }

    #[test]
    fn microseconds_must_belong_to_the_times_that_are_shown() {
        let at = 1_767_700_800_000_000_i64;
        let precise = |from: i64, to: i64, took: i64| {
            let precise = json!({"startedAtUs": at + from, "endedAtUs": at + to, "durationUs": took});
            read(&line(json!({"precise": precise, "duration": took / 1_000})))
                .map(|line| line.ended_at - line.started_at)
        };
        assert_eq!(precise(7, 5_999, 5_992).unwrap(), Duration::microseconds(5_992));
        for (from, to, took, field) in [
            (1_000, 5_000, 4_000, "precise.startedAtUs"),
            (0, 6_000, 6_000, "precise.endedAtUs"),
            (0, 5_000, 4_999, "precise.durationUs"),
        ] {
            let error = precise(from, to, took).unwrap_err().to_string();
            assert!(error.starts_with(field), "{error}");
        }
    }

    #[test]
    fn what_is_no_line_of_an_export_names_the_field() {
        for (more, field) in [
            (json!({"status": "pending"}), "status"),
            (json!({"source": "otlp"}), "source"),
            (json!({"flowName": null}), "flowName"),
            (json!({"createdAt": null}), "createdAt"),
            (json!({"capture": {"outputs": 7}}), "capture"),
            (json!({"inferred": "yes"}), "inferred"),
            (json!({"more": 1}), "more"),
            (json!({"nodeExecutions": [{"seq": 1}]}), "nodeExecutions[0].nodeId"),
        ] {
            let error = read(&line(more)).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{field}: ")), "{error}");
        }
    }

    #[test]
    fn the_same_line_in_another_server_s_words_is_the_same() {
        let stored = line(json!({"flowId": "f", "userName": "Ana", "precise": {"startedAtUs": 1}}));
        assert!(differences(&stored, &line(json!({"userName": "Bo"}))).is_empty());
        let other = line(json!({"duration": 6, "precise": {"startedAtUs": 2}}));
        assert_eq!(differences(&stored, &other), ["duration", "precise"]);
    }
}
