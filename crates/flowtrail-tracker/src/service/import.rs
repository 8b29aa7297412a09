//! Executions that are restored from an export, as they were recorded: by administrators, so that a history can move.

use std::collections::BTreeMap;

use flowtrail_store::{Applied, Command, Import, NewEnd, NewExecution, NewNode};
use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{
    Access, AuditAction, AuditEntry, CaptureMark, CaptureMarks, CapturePolicy, Digest, ErrorInfo, ErrorKind,
    ExecutionId, ExecutionStatus, Flow, FlowDefinition, FlowId, FlowKind, Principal, SavedBy, Source, UserId,
};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Builder;

use super::audit::Act;
use super::record::check_time;
use super::rejected::{UNKNOWN_TOOL, unknown_tool_flow};
use super::reported_node::{FinishedNode, check, new_nodes};
use crate::capture::{Capture, Captured};
use crate::recorder::Patience;
use crate::tracker::check_tags;
use crate::{Ack, Sent, Tracker, TrackerError, access};

/// An execution as an export has it.
#[derive(Debug, Clone)]
pub struct Restored<'a> {
    /// Its id.
    pub id: ExecutionId,
    /// Its flow; nothing when it had been deleted, and the export does not say which it was.
    pub flow_id: Option<FlowId>,
    /// The flow's name as it was.
    pub flow_name: &'a str,
    /// The flow's tool name as it was.
    pub flow_tool_name: Option<&'a str>,
    /// Which definition ran.
    pub flow_version: Option<i32>,
    /// Who started it.
    pub user_id: Option<UserId>,
    /// Their name.
    pub user_name: Option<&'a str>,
    /// How it ended.
    pub status: ExecutionStatus,
    /// Whether its end was concluded and not reported.
    pub inferred: bool,
    /// Who reported it.
    pub source: Source,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it ended.
    pub ended_at: OffsetDateTime,
    /// What lists show of its parameters.
    pub preview: Option<&'a str>,
    /// What it was given.
    pub params: Option<&'a Value>,
    /// What it produced.
    pub outputs: Option<&'a Value>,
    /// Why it failed or was stopped.
    pub error: Option<ErrorInfo>,
    /// Its nodes.
    pub nodes: Vec<RestoredNode<'a>>,
    /// What the reporter said besides.
    pub meta: Option<&'a Value>,
    /// Keys and values to filter by.
    pub tags: Vec<(&'a str, &'a str)>,
    /// The execution that called it.
    pub parent: Option<ExecutionId>,
    /// The execution that it repeats.
    pub replay_of: Option<ExecutionId>,
    /// Whether somebody had asked it to stop.
    pub cancel_requested: bool,
    /// The marks of those payloads that are not whole.
    pub capture: CaptureMarks,
    /// When it was recorded.
    pub created_at: OffsetDateTime,
    /// When its record last changed.
    pub updated_at: OffsetDateTime,
    /// The hash of all that the export says of it, by which the same line is known again.
    pub digest: Digest,
}

/// A node execution as an export has it.
#[derive(Debug, Clone)]
pub struct RestoredNode<'a> {
    /// What was reported of it, without its error.
    pub node: FinishedNode<'a>,
    /// Why it failed.
    pub error: Option<&'a str>,
    /// The same in one word, which may be all that was kept.
    pub error_kind: Option<ErrorKind>,
    /// The marks of those payloads that are not whole.
    pub capture: CaptureMarks,
}

/// What became of the lines of an import.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct ImportCounts {
    /// Executions that are new here.
    pub created: u64,
    /// Executions that were here as they are told.
    pub exists: u64,
    /// Lines that could not be read.
    pub invalid: u64,
    /// Executions that are here with other content.
    pub conflict: u64,
}

impl Tracker {
    /// Fails unless the principal may import executions.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Forbidden`] unless they are an administrator.
    fn may_import(&self, principal: &Principal) -> Result<(), TrackerError> {
        const TO: &str = "import executions";
        access::require_more_than_reading(principal, TO)?;
        if principal.is_admin() { Ok(()) } else { Err(TrackerError::Forbidden(TO)) }
    }

    /// Restores an execution. The same again, by its id and its digest, is one. A user and a flow that are not known here are
    /// remembered, the flow as a deleted one. Blocks.
    ///
    /// # Errors
    ///
    /// At once: [`TrackerError::Forbidden`], [`TrackerError::Invalid`] when a value is out of bounds. By the acknowledgement:
    /// [`TrackerError::Conflict`] when the id was recorded before, or why it was not written.
    pub fn import(
        &self,
        principal: &Principal,
        restored: &Restored<'_>,
    ) -> Result<Ack<(ExecutionId, Applied)>, TrackerError> {
        self.may_import(principal)?;
        self.check_restored(restored)?;
        let flow = self.flow_of(principal, restored)?;
        if let (Some(id), Some(name)) = (restored.user_id, restored.user_name) {
            self.remember_user(id, name)?;
        }
        let (new, nodes, end) = self.restored_parts(restored, flow)?;
        let id = new.id;
        let command = Command::record(new, nodes, end)??;
        let receiver = self.inner.recorder.submit(command, Patience::Refusable);
        Ok(Ack::new(receiver, move |reply| reply.map(|applied| (id, applied))))
    }

    /// Notes in the audit log that an import begins, before anything is restored. Blocks.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Forbidden`] for who may not, and when the store does not answer.
    pub fn begin_import(&self, principal: &Principal) -> Result<AuditEntry, TrackerError> {
        self.may_import(principal)?;
        let entry = self.inner.entry(principal, Act::of(AuditAction::ExecutionsImported));
        let detail = serde_json::to_value(ImportCounts::default()).unwrap_or_default();
        self.inner.note_all(entry.clone(), detail)?;
        Ok(entry)
    }

    /// Notes in its entry of the audit log what has become of an import that is over, or has broken off. Blocks.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub fn note_import(&self, entry: &AuditEntry, counts: ImportCounts) -> Result<(), TrackerError> {
        let detail = serde_json::to_value(counts).unwrap_or_default();
        self.inner.note_all(entry.clone(), detail)
    }

    fn check_restored(&self, restored: &Restored<'_>) -> Result<(), TrackerError> {
        let now = self.inner.clock.now();
        ExecutionId::chosen(*restored.id.as_uuid(), now)
            .map_err(|error| TrackerError::invalid("id", error.to_string()))?;
        for (field, at) in [
            ("startedAt", restored.started_at),
            ("endedAt", restored.ended_at),
            ("createdAt", restored.created_at),
            ("updatedAt", restored.updated_at),
        ] {
            check_time(field, Some(at), now)?;
        }
        if restored.ended_at < restored.started_at {
            return Err(TrackerError::invalid("endedAt", "expected a time that is not before startedAt"));
        }
        if restored.status == ExecutionStatus::Pending {
            let message = "expected fulfilled, error or aborted: it was still pending when it was exported";
            return Err(TrackerError::invalid("status", message));
        }
        let length = restored.flow_name.chars().count();
        if !(1..=300).contains(&length) {
            let message = format!("expected 1 to 300 characters, got {length}");
            return Err(TrackerError::invalid("flowName", message));
        }
        let nodes: Vec<FinishedNode<'_>> = restored.nodes.iter().map(|node| node.node).collect();
        check(&nodes, now)
    }

    /// The flow under which it is restored: one that is here, deleted or not, or else one that is remembered as deleted.
    fn flow_of(&self, principal: &Principal, restored: &Restored<'_>) -> Result<FlowId, TrackerError> {
        let id = restored.flow_id.unwrap_or_else(|| unknown_flow(restored));
        if self.any_flow(id)?.is_some() {
            return Ok(id);
        }
        if id == UNKNOWN_TOOL {
            self.remember_flow(unknown_tool_flow(self.inner.clock.now()))?;
            return Ok(id);
        }
        let kind = if restored.source == Source::Proxy { FlowKind::Upstream } else { FlowKind::External };
        self.remember_flow(Flow {
            kind,
            tool_name: restored.flow_tool_name.and_then(|name| name.parse().ok()),
            version: restored.flow_version.unwrap_or(1),
            ..deleted_flow(
                id,
                &self.inner.redactor.redact_name(restored.flow_name),
                principal.id,
                self.inner.clock.now(),
            )
        })?;
        Ok(id)
    }

    /// Keeps a flow, deleted as it is, for what was recorded of it.
    pub(super) fn remember_flow(&self, flow: Flow) -> Result<(), TrackerError> {
        let id = flow.id;
        match self.inner.store.flows().add(&[flow]) {
            Ok(()) => self.inner.renew_catalog(),
            // Somebody else was faster.
            Err(_) if self.any_flow(id)?.is_some() => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn remember_user(&self, id: UserId, name: &str) -> Result<(), TrackerError> {
        let users = self.inner.store.users();
        if users.lookup(id)?.is_none() {
            users.remember(id, name, self.inner.clock.now())?;
        }
        Ok(())
    }

    fn restored_parts(
        &self,
        restored: &Restored<'_>,
        flow: FlowId,
    ) -> Result<(NewExecution, Vec<NewNode>, NewEnd), TrackerError> {
        let inner = &self.inner;
        let now = inner.clock.now();
        // What was not kept is not there; what is there passes the rules of this server, too.
        let capture = inner.capture(CapturePolicy::Full);
        let mut marks = Marks { told: &restored.capture, kept: CaptureMarks::new() };
        let params = marks.payload(&capture, "initialParams", restored.params);
        let meta = marks.payload(&capture, "meta", restored.meta);
        let start_capture = std::mem::take(&mut marks.kept);
        let outputs = marks.payload(&capture, "outputs", restored.outputs);
        let end_capture = marks.kept;
        let clean = |error: &ErrorInfo| {
            let message = capture.text(&error.message).unwrap_or_default();
            capture.error(message, error)
        };
        let error = restored.error.as_ref().map(clean);
        let outcome = match restored.status {
            ExecutionStatus::Fulfilled | ExecutionStatus::Pending => Outcome::Fulfilled,
            ExecutionStatus::Error => Outcome::Error(
                error.ok_or_else(|| TrackerError::invalid("errorInfo", "expected an object, got nothing"))?,
            ),
            ExecutionStatus::Aborted => Outcome::Aborted(error),
        };
        let tags: BTreeMap<String, String> =
            restored.tags.iter().map(|(key, value)| capture.tag(key, value)).collect();
        check_tags(&tags)?;
        let is_kept = |marks: &CaptureMarks| marks.values().all(|mark| mark.captured);
        let is_full = is_kept(&restored.capture) && restored.nodes.iter().all(|node| is_kept(&node.capture));
        let new = NewExecution {
            id: restored.id,
            id_is_fresh: false,
            flow_id: flow,
            flow_name: capture.name(restored.flow_name),
            flow_tool_name: restored.flow_tool_name.map(|name| capture.name(name)),
            flow_version: restored.flow_version,
            user_id: restored.user_id,
            source: restored.source,
            instance_id: None,
            started_at: restored.started_at,
            deadline_at: now,
            lease: None,
            recorded_at: restored.created_at,
            preview: restored.preview.and_then(|preview| capture.text(preview)),
            parent_id: restored.parent,
            replay_of: restored.replay_of,
            // What may still come of it, should its end be corrected.
            capture_policy: if is_full { CapturePolicy::Full } else { CapturePolicy::Metadata },
            params: params.and_then(|captured| captured.stored),
            meta: meta.and_then(|captured| captured.stored),
            tags,
            capture: start_capture,
            digest: restored.digest,
            old_digest: None,
            import: Some(Import { at: now, cancel_requested: restored.cancel_requested }),
            is_rejected: is_rejected(restored),
        };
        let end = NewEnd {
            told: if restored.inferred { Told::Inferred } else { Told::Reported },
            ended_at: restored.ended_at,
            recorded_at: restored.updated_at,
            outcome,
            outputs: outputs.and_then(|captured| captured.stored),
            meta: None,
            running: Vec::new(),
            capture: end_capture,
            digest: restored.digest,
            old_digest: None,
            due_at: None,
        };
        Ok((new, restored.nodes.iter().map(|node| restored_node(&capture, node)).collect(), end))
    }
}

fn restored_node(capture: &Capture<'_>, restored: &RestoredNode<'_>) -> NewNode {
    let mut marks = Marks { told: &restored.capture, kept: CaptureMarks::new() };
    let input = marks.payload(capture, "inputData", restored.node.input);
    let output = marks.payload(capture, "outputData", restored.node.output);
    let bare = FinishedNode { input: None, output: None, error: None, ..restored.node };
    let mut nodes = new_nodes(capture, &[bare]);
    let node = nodes.remove(0);
    NewNode {
        input: input.and_then(|captured| captured.stored),
        output: output.and_then(|captured| captured.stored),
        error: restored.error.and_then(|error| capture.text(error)),
        error_kind: restored.error_kind,
        capture: marks.kept,
        ..node
    }
}

/// Marks as they were told, and as they are kept.
struct Marks<'a> {
    told: &'a CaptureMarks,
    kept: CaptureMarks,
}

impl Marks<'_> {
    /// A payload as this server keeps it. What was done to it before stays marked.
    fn payload<'v>(
        &mut self,
        capture: &Capture<'_>,
        field: &str,
        value: Option<impl Into<Sent<'v>>>,
    ) -> Option<Captured> {
        let captured = value.map(|value| capture.payload(value));
        let here = captured.as_ref().and_then(|captured| captured.mark);
        let mark = match (self.told.get(field), here) {
            (None, here) => here,
            (Some(told), None) => Some(*told),
            (Some(told), Some(here)) => Some(CaptureMark {
                truncated: told.truncated || here.truncated,
                redacted: told.redacted || here.redacted,
                ..*told
            }),
        };
        if let Some(mark) = mark {
            self.kept.insert(field.to_owned(), mark);
        }
        captured
    }
}

/// A flow that was never here, as one that is deleted.
pub(super) fn deleted_flow(id: FlowId, name: &str, owner: UserId, now: OffsetDateTime) -> Flow {
    Flow {
        id,
        kind: FlowKind::External,
        name: name.to_owned(),
        tool_name: None,
        description: String::new(),
        active: false,
        version: 1,
        definition: FlowDefinition::default(),
        timeout: None,
        access: Access::default(),
        capture: CapturePolicy::Full,
        retention: None,
        owner_id: owner,
        saved_by: SavedBy::id_only(owner),
        created_at: now,
        updated_at: now,
        deleted_at: Some(now),
    }
}

/// Whether it was recorded as a call that was rejected.
fn is_rejected(restored: &Restored<'_>) -> bool {
    (restored.status, restored.inferred) == (ExecutionStatus::Error, false)
        && restored.meta.is_some_and(|meta| meta["rejected"] == true)
        && restored.error.as_ref().is_some_and(|error| error.kind == ErrorKind::InvalidInput)
        && restored.nodes.is_empty()
}

/// The id of a deleted flow of which an export tells only the name: the same for all of its executions.
fn unknown_flow(restored: &Restored<'_>) -> FlowId {
    let tool = restored.flow_tool_name.unwrap_or_default();
    let digest = Digest::of(&[b"flowtrail/deleted-flow", restored.flow_name.as_bytes(), tool.as_bytes()]);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    FlowId::from_uuid(Builder::from_custom_bytes(bytes).into_uuid())
}
