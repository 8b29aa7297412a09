//! A filled database, and everything that can be asked of it.

use flowtrail_store::{Command, EndedQuery, NewEnd, NewExecution, NewNode, NewPrune, Store};
use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{
    Access, CaptureMarks, CapturePolicy, Counting, Cursor, Digest, ErrorInfo, ErrorKind, ExecutionFilter,
    ExecutionId, ExecutionQuery, ExecutionStatus, Flow, FlowDefinition, FlowId, FlowKind, FlowQuery,
    InstanceId, NodeStatus, Payload, Place, Role, Source, StatsQuery, StatsScope, Step, User, UserId,
    Visibility,
};
use serde_json::json;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

pub const T0: OffsetDateTime = datetime!(2026-01-06 12:00 UTC);
const ME: UserId = UserId::from_uuid(Uuid::from_u128(7));
const INSTANCE: InstanceId = InstanceId::from_uuid(Uuid::from_u128(9));

pub fn flow_id(number: u128) -> FlowId {
    FlowId::from_uuid(Uuid::from_u128(0xF10 + number))
}

pub fn execution_id(number: u64) -> ExecutionId {
    let id = uuid::Builder::from_unix_timestamp_millis(1_767_700_800_000 + number, &[5; 10]).into_uuid();
    ExecutionId::from_uuid(id)
}

pub fn flow(number: u128) -> Flow {
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
        created_at: T0,
        updated_at: T0,
        deleted_at: None,
    }
}

pub fn start(number: u64) -> NewExecution {
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
    }
}

pub fn node(seq: i32) -> NewNode {
    NewNode {
        seq,
        node_id: "shape".to_owned(),
        node_name: "Shape".to_owned(),
        node_type: "Transform".to_owned(),
        status: NodeStatus::Completed,
        executed_at: T0,
        duration_us: 1_000,
        input: Some(Payload::null()),
        output: Some(Payload::null()),
        error: None,
        error_kind: None,
        parent_seq: None,
        iteration: None,
        attempt: 1,
        capture: CaptureMarks::new(),
        digest: Digest::of(&[&seq.to_le_bytes()]),
    }
}

pub fn end(start: &NewExecution, outcome: Outcome) -> NewEnd {
    NewEnd {
        told: Told::Reported,
        ended_at: start.started_at + Duration::milliseconds(40),
        recorded_at: start.recorded_at,
        digest: Digest::of(&[outcome.status().as_str().as_bytes()]),
        outcome,
        outputs: None,
        running: Vec::new(),
        capture: CaptureMarks::new(),
    }
}

pub fn record(number: u64) -> Command {
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
pub fn fill(store: &dyn Store, count: u64) {
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

/// Every kind of question and change, with every filter alone and with others.
pub fn everything(store: &dyn Store, count: u64) {
    lists(store, count);
    let executions = store.executions();
    executions.lookup(execution_id(5)).unwrap();
    executions.lookup(execution_id(count + 5)).unwrap();
    executions.lookup_summary(execution_id(5)).unwrap();
    executions.list_pending(INSTANCE, 10).unwrap();
    executions.list_overdue(INSTANCE, T0, 10).unwrap();
    executions.list_cancel_requested(INSTANCE).unwrap();
    executions.last_recorded_at().unwrap();
    statistics(store);
    changes(store, count);
    resources(store);
}

fn lists(store: &dyn Store, count: u64) {
    let place = Cursor { started_at: T0 + Duration::hours(9), id: execution_id(count / 2), filter: 0 };
    let flows = [None, Some(flow_id(0)), Some(flow_id(7))];
    let statuses = [
        None,
        Some(ExecutionStatus::Pending),
        Some(ExecutionStatus::Fulfilled),
        Some(ExecutionStatus::Error),
        Some(ExecutionStatus::Aborted),
    ];
    let limited = Visibility::Limited {
        flows: vec![flow_id(1), flow_id(2)],
        user: ME,
        own_in: vec![flow_id(3), flow_id(13)],
    };
    for flow in flows {
        for status in statuses {
            for bits in 0..64u32 {
                let has = |bit: u32| bits & (1 << bit) != 0;
                let filter = ExecutionFilter {
                    flow,
                    status,
                    source: has(0).then_some(Source::Mcp),
                    user: has(1).then_some(ME),
                    from: has(2).then_some(T0 + Duration::hours(1)),
                    to: has(2).then_some(T0 + Duration::hours(50)),
                };
                let query = ExecutionQuery {
                    filter,
                    visibility: if has(5) { limited.clone() } else { Visibility::All },
                    as_of: has(3).then_some(T0 + Duration::days(90)),
                    after: has(4).then_some(place),
                    offset: if has(4) { 0 } else { u64::from(bits % 3) * 1_100 },
                    limit: 20,
                };
                store.executions().list(&query).unwrap();
                store.executions().count(&query, 1_000).unwrap();
            }
        }
    }
}

fn statistics(store: &dyn Store) {
    let executions = store.executions();
    for scope in [
        StatsScope::All,
        StatsScope::Flows(vec![flow_id(0)]),
        StatsScope::Flows(vec![flow_id(1), flow_id(2), flow_id(3)]),
    ] {
        executions.status_counts(&scope).unwrap();
        executions.last_started_at(&scope).unwrap();
        for (from, to) in [(None, None), (Some(T0 + Duration::hours(5)), Some(T0 + Duration::hours(80)))] {
            let query = StatsQuery { scope: scope.clone(), from, to, counting: Counting::Stored };
            executions.tally(&query).unwrap();
            executions.tally_by(&query, Step::Hour).unwrap();
            executions.tally_by(&query, Step::Day).unwrap();
        }
    }
}

fn changes(store: &dyn Store, count: u64) {
    let executions = store.executions();
    let commit = |command: Command| {
        executions.commit(&[command]).unwrap();
    };
    let pending = execution_id(count + 1);
    commit(Command::Append { execution: pending, nodes: vec![node(1), node(2)], at: T0 });
    commit(Command::RequestCancel { execution: pending, at: T0 });
    let inferred = NewEnd { told: Told::Inferred, ..end(&start(count + 1), Outcome::Aborted(None)) };
    commit(Command::End { execution: pending, end: Box::new(inferred) });
    executions.pack(T0 + Duration::days(999), 10).unwrap();
    commit(Command::Append { execution: pending, nodes: vec![node(3)], at: T0 });
    let corrected = end(&start(count + 1), Outcome::Fulfilled);
    commit(Command::End { execution: pending, end: Box::new(corrected) });
    executions.delete(&[execution_id(1), execution_id(2)]).unwrap();
    for flow in [None, Some(flow_id(7))] {
        let after = Some(Place { started_at: T0 + Duration::hours(2), id: execution_id(9) });
        executions
            .list_ended(&EndedQuery { flow, before: Some(T0 + Duration::days(9)), after, limit: 10 })
            .unwrap();
        executions.list_ended(&EndedQuery { flow, before: None, after: None, limit: 10 }).unwrap();
    }
    let below = Some(Place { started_at: T0 + Duration::hours(30), id: execution_id(9) });
    executions.begin_prune(&NewPrune { flow: flow_id(0), below }).unwrap();
    // What is asked while rows are being deleted.
    lists(store, count);
    statistics(store);
    executions.lookup(execution_id(6)).unwrap();
    let mut late = start(count + 100);
    late.flow_id = flow_id(0);
    late.started_at = T0 + Duration::hours(1);
    commit(Command::Start(Box::new(late)));
    executions.continue_prune(10).unwrap();
    executions.begin_prune(&NewPrune { flow: flow_id(0), below: None }).unwrap();
    executions.continue_prune(10).unwrap();
}

fn resources(store: &dyn Store) {
    let flows = store.flows();
    flows.lookup(flow_id(1)).unwrap();
    flows.lookup_tool("x").unwrap();
    flows.lookup_named(FlowKind::External, "Flow 1", ME).unwrap();
    flows.lookup_version(flow_id(1), 1).unwrap();
    flows
        .list(&FlowQuery { visible_to: Some(ME), text: Some("low".to_owned()), ..FlowQuery::default() }, T0)
        .unwrap();
    flows.list_visible(ME).unwrap();
    flows.list_all().unwrap();
    flows.revision().unwrap();
    let instances = store.instances();
    instances.register(INSTANCE, T0).unwrap();
    instances.list_dead().unwrap();
    instances.release(INSTANCE).unwrap();
    instances.forget(INSTANCE).unwrap();
    store.upkeep().bytes_on_disk().unwrap();
    store.upkeep().bytes_in_use().unwrap();
}
