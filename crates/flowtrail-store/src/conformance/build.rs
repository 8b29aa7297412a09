//! Commands and rows for the suite, as short as they can be.

use std::collections::BTreeMap;

use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{
    Access, CaptureMarks, CapturePolicy, Digest, Execution, ExecutionId, Flow, FlowDefinition, FlowId,
    FlowKind, Node, NodeStatus, Payload, Role, SavedBy, Source, User, UserId,
};
use serde_json::json;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{Applied, Command, NewEnd, NewExecution, NewNode, Refusal, Store};

/// When the suite's executions begin.
pub(super) const T0: OffsetDateTime = datetime!(2026-01-06 12:00:00.000123 UTC);

/// The owner of the suite's flows.
pub(super) const OWNER: UserId = UserId::from_uuid(Uuid::from_u128(0xA));

pub(super) fn flow_id(number: u8) -> FlowId {
    FlowId::from_uuid(Uuid::from_u128(0xF00 + u128::from(number)))
}

pub(super) fn execution_id(number: u64) -> ExecutionId {
    let millis = 1_767_700_800_000 + number;
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &[7; 10]).into_uuid();
    ExecutionId::from_uuid(id)
}

pub(super) fn at(seconds: i64) -> OffsetDateTime {
    T0 + Duration::seconds(seconds)
}

pub(super) fn payload(value: &serde_json::Value) -> Option<Payload> {
    Some(Payload::from_value(value))
}

pub(super) fn start(number: u64) -> NewExecution {
    NewExecution {
        id: execution_id(number),
        id_is_fresh: false,
        flow_id: flow_id(1),
        flow_name: "Order summary".to_owned(),
        flow_tool_name: Some("order_summary".to_owned()),
        flow_version: Some(3),
        user_id: Some(OWNER),
        source: Source::Mcp,
        instance_id: None,
        started_at: T0,
        deadline_at: T0 + Duration::minutes(5),
        lease: None,
        recorded_at: T0,
        preview: Some("42".to_owned()),
        parent_id: None,
        replay_of: None,
        capture_policy: CapturePolicy::Full,
        params: payload(&json!({"orderId": "42"})),
        meta: payload(&json!({"client": "suite"})),
        tags: BTreeMap::from([("shop".to_owned(), "north".to_owned())]),
        capture: CaptureMarks::new(),
        digest: Digest::of(&[&number.to_le_bytes()]),
        import: None,
        is_rejected: false,
        old_digest: None,
    }
}

pub(super) fn node(seq: i32) -> NewNode {
    NewNode {
        seq,
        node_id: format!("node{seq}"),
        node_name: format!("Node {seq}"),
        node_type: "Transform".to_owned(),
        status: NodeStatus::Completed,
        executed_at: Some(T0 + Duration::milliseconds(i64::from(seq))),
        duration_us: Some(1_500),
        input: payload(&json!({"in": seq})),
        output: payload(&json!({"out": [seq, null, "ü"]})),
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

pub(super) fn end(told: Told, outcome: Outcome) -> NewEnd {
    let digest = Digest::of(&[format!("{outcome:?}").as_bytes()]);
    NewEnd {
        told,
        ended_at: at(2),
        recorded_at: at(3),
        outcome,
        outputs: payload(&json!({"text": "on its way"})),
        meta: None,
        running: Vec::new(),
        capture: CaptureMarks::new(),
        digest,
        old_digest: None,
        due_at: None,
    }
}

pub(super) fn start_command(number: u64) -> Command {
    Command::Start(Box::new(start(number)))
}

pub(super) fn end_command(number: u64, told: Told, outcome: Outcome) -> Command {
    Command::End { execution: execution_id(number), end: Box::new(end(told, outcome)) }
}

pub(super) fn append_command(number: u64, nodes: Vec<NewNode>) -> Command {
    Command::Append { execution: execution_id(number), nodes, at: at(1), renewed_until: None }
}

/// Commits one batch and gives its outcomes.
#[track_caller]
pub(super) fn commit(store: &dyn Store, batch: &[Command]) -> Vec<Result<Applied, Refusal>> {
    let outcomes = store.executions().commit(batch).expect("the batch is written");
    assert_eq!(outcomes.len(), batch.len(), "one outcome for each command");
    outcomes
}

/// Commits one command.
#[track_caller]
pub(super) fn apply(store: &dyn Store, command: Command) -> Result<Applied, Refusal> {
    commit(store, &[command]).remove(0)
}

#[track_caller]
pub(super) fn read(store: &dyn Store, number: u64) -> Execution {
    store
        .executions()
        .lookup(execution_id(number))
        .expect("the store answers")
        .expect("the execution is there")
}

pub(super) fn owner() -> User {
    User { id: OWNER, name: "ana".to_owned(), role: Role::Admin, created_at: T0 }
}

pub(super) fn flow(number: u8, tool_name: &str) -> Flow {
    Flow {
        id: flow_id(number),
        kind: FlowKind::Runnable,
        name: format!("Flow {number}"),
        tool_name: Some(tool_name.parse().expect("a good tool name")),
        description: "Does it.".to_owned(),
        active: true,
        version: 1,
        definition: FlowDefinition {
            nodes: vec![Node {
                id: "ask".to_owned(),
                name: "Ask".to_owned(),
                kind: "UserIntent".to_owned(),
                parameters: serde_json::Map::new(),
                timeout: None,
                position: None,
            }],
            connections: Vec::new(),
        },
        timeout: Some(std::time::Duration::from_secs(30)),
        access: Access::default(),
        capture: CapturePolicy::Full,
        retention: None,
        owner_id: OWNER,
        saved_by: SavedBy::id_only(OWNER),
        created_at: T0,
        updated_at: T0,
        deleted_at: None,
    }
}
