//! A filled database.

use flowtrail_store::{Command, NewEnd, NewExecution, NewNode, Store};
use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{
    Access, CaptureMarks, CapturePolicy, Digest, ErrorInfo, ErrorKind, ExecutionId, Flow, FlowDefinition,
    FlowId, FlowKind, InstanceId, NodeStatus, Payload, Role, SavedBy, Source, User, UserId,
};
use serde_json::json;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// When the first execution begins.
pub(crate) const T0: OffsetDateTime = datetime!(2026-01-06 12:00 UTC);
/// Who started most executions.
pub(crate) const ME: UserId = UserId::from_uuid(Uuid::from_u128(7));
/// The process that runs them.
pub(crate) const INSTANCE: InstanceId = InstanceId::from_uuid(Uuid::from_u128(9));

/// A flow's id.
pub(crate) fn flow_id(number: u128) -> FlowId {
    FlowId::from_uuid(Uuid::from_u128(0xF10 + number))
}

/// An execution's id.
pub(crate) fn execution_id(number: u64) -> ExecutionId {
    let id = uuid::Builder::from_unix_timestamp_millis(1_767_700_800_000 + number, &[5; 10]).into_uuid();
    ExecutionId::from_uuid(id)
}

/// A flow.
pub(crate) fn flow(number: u128) -> Flow {
    Flow {
        id: flow_id(number),
        kind: FlowKind::External,
        name: format!("Flow {number}"),
        tool_name: None,
        description: String::new(),
        active: true,
        version: 1,
        definition: FlowDefinition::default(),
        timeout: None,
        access: Access { public: number % 10 == 3, ..Access::default() },
        capture: CapturePolicy::Full,
        retention: None,
        owner_id: ME,
        saved_by: SavedBy::id_only(ME),
        created_at: T0,
        updated_at: T0,
        deleted_at: None,
    }
}

/// How an execution begins.
pub(crate) fn start(number: u64) -> NewExecution {
    let started_at = T0 + Duration::seconds(i64::try_from(number).unwrap() * 17);
    NewExecution {
        id: execution_id(number),
        id_is_fresh: false,
        // One flow has half of all.
        flow_id: flow_id(if number.is_multiple_of(2) { 0 } else { u128::from(number % 40) }),
        flow_name: "Flow".to_owned(),
        flow_tool_name: None,
        flow_version: None,
        user_id: Some(if number.is_multiple_of(100) { UserId::from_uuid(Uuid::from_u128(8)) } else { ME }),
        source: if number.is_multiple_of(500) { Source::Mcp } else { Source::Embedded },
        instance_id: Some(INSTANCE),
        started_at,
        deadline_at: started_at + Duration::minutes(5),
        lease: None,
        recorded_at: started_at,
        preview: None,
        parent_id: None,
        replay_of: None,
        capture_policy: CapturePolicy::Full,
        params: Some(Payload::from_value(&json!({"number": number}))),
        meta: None,
        tags: [("shop".to_owned(), "north".to_owned())].into(),
        capture: CaptureMarks::new(),
        digest: Digest::of(&[&number.to_le_bytes()]),
        import: None,
        is_rejected: false,
        old_digest: None,
    }
}

/// A node of it.
pub(crate) fn node(seq: i32) -> NewNode {
    NewNode {
        seq,
        node_id: "shape".to_owned(),
        node_name: "Shape".to_owned(),
        node_type: "Transform".to_owned(),
        status: NodeStatus::Completed,
        executed_at: Some(T0),
        duration_us: Some(1_000),
        input: Some(Payload::null()),
        output: Some(Payload::null()),
        error: None,
        error_kind: None,
        parent_seq: None,
        iteration: None,
        attempt: 1,
        capture: CaptureMarks::new(),
        digest: Digest::of(&[&seq.to_le_bytes()]),
        old_digest: None,
    }
}

/// How it ends.
pub(crate) fn end(start: &NewExecution, outcome: Outcome) -> NewEnd {
    NewEnd {
        told: Told::Reported,
        ended_at: start.started_at + Duration::milliseconds(40),
        recorded_at: start.recorded_at,
        digest: Digest::of(&[outcome.status().as_str().as_bytes()]),
        old_digest: None,
        outcome,
        outputs: None,
        meta: None,
        running: Vec::new(),
        capture: CaptureMarks::new(),
        due_at: None,
    }
}

/// All of an execution at once.
pub(crate) fn record(number: u64) -> Command {
    let start = start(number);
    let outcome = match number % 50 {
        0 => Outcome::Error(ErrorInfo::new(ErrorKind::Failed, "it failed")),
        1 => Outcome::Aborted(None),
        _ => Outcome::Fulfilled,
    };
    let end = end(&start, outcome);
    Command::record(start, vec![node(1)], end).unwrap().unwrap()
}

/// Writes executions of 40 flows, a few of them pending.
pub(crate) fn fill(store: &dyn Store, count: u64) {
    store.users().add(&User { id: ME, name: "ana".to_owned(), role: Role::Admin, created_at: T0 }).unwrap();
    store.flows().add(&(0..40).map(flow).collect::<Vec<_>>()).unwrap();
    for batch in (0..count).collect::<Vec<_>>().chunks(512) {
        let commands: Vec<Command> = batch.iter().map(|number| record(*number)).collect();
        store.executions().commit(&commands).unwrap();
    }
    let pending: Vec<Command> =
        (count..count + 20).map(|number| Command::Start(Box::new(start(number)))).collect();
    store.executions().commit(&pending).unwrap();
}
