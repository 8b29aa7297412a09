//! Everything that can be asked of a filled store.

use flowtrail_store::{Command, EndedQuery, KeyHash, NewEnd, NewExecution, NewPrune, Store};
use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{
    ApiKey, AuditQuery, Counting, Cursor, Digest, DurationRange, ExecutionFilter, ExecutionQuery,
    ExecutionStatus, FlowKind, FlowQuery, KeyId, Place, Role, SortKey, Source, StatsQuery, StatsScope, Step,
    Token, TokenKind, User, Visibility,
};
use time::Duration;

use crate::support::{INSTANCE, ME, T0, end, execution_id, flow_id, node, start};

/// Every kind of question and change, with every filter alone and with others.
pub(crate) fn everything(store: &dyn Store, count: u64) {
    lists(store, count);
    let executions = store.executions();
    executions.lookup(execution_id(5)).unwrap();
    executions.lookup(execution_id(count + 5)).unwrap();
    executions.lookup_summary(execution_id(5)).unwrap();
    executions.list_pending(INSTANCE, 10).unwrap();
    executions.list_overdue(T0, 10).unwrap();
    executions.list_waiting(&Digest::of(&[b"key"]), 10).unwrap();
    executions.list_cancel_requested(INSTANCE).unwrap();
    executions.last_recorded_at().unwrap();
    statistics(store);
    changes(store, count);
    resources(store);
}

fn lists(store: &dyn Store, count: u64) {
    let place = Place { started_at: T0 + Duration::hours(9), id: execution_id(count / 2) };
    let place = Cursor::below(place, 0);
    let flows = [None, Some(flow_id(0))];
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
                    ..ExecutionFilter::default()
                };
                let query = ExecutionQuery {
                    filter,
                    visibility: if has(5) { limited.clone() } else { Visibility::All },
                    sort: SortKey::StartedAt,
                    // Everything was recorded then, or only a part of it.
                    as_of: has(3).then_some(T0 + Duration::hours(if has(0) { 90 * 24 } else { 20 })),
                    after: has(4).then_some(place),
                    offset: if has(4) { 0 } else { u64::from(bits % 3) * 1_100 },
                    limit: 20,
                };
                store.executions().list(&query).unwrap();
                store.executions().count(&query, 1_000).unwrap();
                if [0, 12, 35].contains(&bits) && matches!(status, None | Some(ExecutionStatus::Error)) {
                    searches(store, &query);
                }
            }
        }
    }
}

/// The same question with the filters that no index of executions has, and in the other order.
fn searches(store: &dyn Store, query: &ExecutionQuery) {
    let any = || query.filter.clone();
    let tag = Some("shop:north".parse().unwrap());
    let duration = DurationRange::of_millis(Some(10), Some(40));
    let text = |text: &str| Some(text.parse().unwrap());
    let searched = [
        ExecutionFilter { tag: tag.clone(), ..any() },
        ExecutionFilter { duration, ..any() },
        ExecutionFilter { text: text("low"), ..any() },
        ExecutionFilter { text: text("019b9335-4"), ..any() },
        ExecutionFilter { text: text(&execution_id(7).to_string()), ..any() },
        ExecutionFilter { text: text(&flow_id(3).to_string()), ..any() },
        ExecutionFilter { tag: tag.clone(), duration, text: text("low"), ..any() },
    ];
    for filter in searched {
        let query = ExecutionQuery { filter, ..query.clone() };
        store.executions().list(&query).unwrap();
        store.executions().count(&query, 1_000).unwrap();
    }
    for filter in [any(), ExecutionFilter { tag, ..any() }, ExecutionFilter { text: text("low"), ..any() }] {
        let query = ExecutionQuery { filter, sort: SortKey::Duration, after: None, ..query.clone() };
        store.executions().list(&query).unwrap();
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
        let query = StatsQuery { scope: scope.clone(), ..StatsQuery::of_all() };
        executions.last_started_at(&query).unwrap();
        for step in [Step::Hour, Step::Day] {
            executions.last_started_by(&query, step).unwrap();
        }
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
    let renewed_until = Some(T0 + Duration::hours(1));
    commit(Command::Append { execution: pending, nodes: vec![node(1), node(2)], at: T0, renewed_until });
    commit(Command::RequestCancel { execution: pending, at: T0 });
    let inferred = NewEnd { told: Told::Inferred, ..end(&start(count + 1), Outcome::Aborted(None)) };
    commit(Command::End { execution: pending, end: Box::new(inferred) });
    executions.pack(T0 + Duration::days(999), 10).unwrap();
    commit(Command::Append { execution: pending, nodes: vec![node(3)], at: T0, renewed_until: None });
    let corrected = end(&start(count + 1), Outcome::Fulfilled);
    commit(Command::End { execution: pending, end: Box::new(corrected) });
    executions.delete(&[execution_id(1), execution_id(2)]).unwrap();
    for flow in [None, Some(flow_id(7))] {
        let after = Some(Place { started_at: T0 + Duration::hours(2), id: execution_id(9) });
        executions
            .list_ended(&EndedQuery {
                flow,
                before: Some(T0 + Duration::days(9)),
                after,
                spare_imported_since: None,
                limit: 10,
            })
            .unwrap();
        executions
            .list_ended(&EndedQuery {
                flow,
                before: None,
                after: None,
                spare_imported_since: None,
                limit: 10,
            })
            .unwrap();
    }
    let below = Some(Place { started_at: T0 + Duration::hours(30), id: execution_id(9) });
    executions.begin_prune(&NewPrune::of_flow(flow_id(0), below)).unwrap();
    // What is asked while rows are being deleted.
    lists(store, count);
    statistics(store);
    executions.lookup(execution_id(6)).unwrap();
    executions.lookup_summaries(&[execution_id(6), execution_id(7)]).unwrap();
    executions.list_by_end(flow_id(1), 60, 60).unwrap();
    executions.list_nodes(execution_id(6)).unwrap();
    executions.tell_of_deletion().unwrap();
    let mut late = start(count + 100);
    late.flow_id = flow_id(0);
    late.started_at = T0 + Duration::hours(1);
    commit(Command::Start(Box::new(late)));
    executions.continue_prune(10).unwrap();
    executions.begin_prune(&NewPrune::of_flow(flow_id(0), None)).unwrap();
    executions.continue_prune(10).unwrap();
    beside_prune_of_all(store, count);
}

/// What is asked while rows of all flows are being deleted, and then those of one besides.
fn beside_prune_of_all(store: &dyn Store, count: u64) {
    let executions = store.executions();
    executions.begin_prune(&NewPrune::of_all(T0 + Duration::hours(15))).unwrap();
    lists(store, count);
    statistics(store);
    executions.lookup(execution_id(6)).unwrap();
    executions.list_by_end(flow_id(7), 0, 60).unwrap();
    for flow in [None, Some(flow_id(7))] {
        executions
            .list_ended(&EndedQuery {
                flow,
                before: None,
                after: None,
                spare_imported_since: None,
                limit: 10,
            })
            .unwrap();
    }
    let late = start(count + 200);
    let late = NewExecution { started_at: T0 + Duration::HOUR, ..late };
    executions
        .commit(&[Command::record(late.clone(), vec![], end(&late, Outcome::Fulfilled)).unwrap().unwrap()])
        .unwrap();
    executions.delete(&[late.id]).unwrap();
    executions.continue_prune(10).unwrap();
    for hours in [3, 1] {
        let below = Place { started_at: T0 + Duration::hours(hours), id: execution_id(9) };
        executions.begin_prune(&NewPrune::of_flow(flow_id(7), Some(below))).unwrap();
    }
    lists(store, count);
    statistics(store);
    executions.begin_prune(&NewPrune::of_all(T0 + Duration::hours(16))).unwrap();
    executions.begin_prune(&NewPrune::of_all(T0 + Duration::hours(2))).unwrap();
    while !executions.continue_prune(1_000).unwrap().is_done {}
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
    flows.list(&FlowQuery { among: Some(vec![flow_id(1), flow_id(2)]), ..FlowQuery::default() }, T0).unwrap();
    principals(store);
    let instances = store.instances();
    instances.register(INSTANCE, T0).unwrap();
    instances.list_dead().unwrap();
    instances.release(INSTANCE).unwrap();
    instances.forget(INSTANCE).unwrap();
    store.upkeep().bytes_on_disk().unwrap();
    store.upkeep().bytes_in_use().unwrap();
}

fn principals(store: &dyn Store) {
    let user = User { id: ME, name: "me".to_owned(), role: Role::User, created_at: T0 };
    store.users().add(&user).unwrap();
    store.users().lookup(ME).unwrap();
    store.users().lookup_named("me").unwrap();
    store.users().list().unwrap();
    let key = ApiKey {
        id: KeyId::from_uuid(uuid::Uuid::from_u128(1)),
        name: "k".to_owned(),
        user_id: ME,
        prefix: "ft_".to_owned(),
        created_at: T0,
        last_used_at: None,
        expires_at: None,
    };
    let hash = KeyHash([1; 32]);
    store.keys().add(&key, &hash).unwrap();
    store.keys().lookup(&hash).unwrap();
    store.keys().list(Some(ME)).unwrap();
    store.keys().list(None).unwrap();
    store.keys().touch(key.id, T0).unwrap();
    let token = Token {
        kind: TokenKind::Session,
        user_id: ME,
        key_id: Some(key.id),
        flows: None,
        created_at: T0,
        expires_at: T0,
    };
    store.tokens().add(&token, &hash).unwrap();
    store.tokens().lookup(&hash).unwrap();
    store.tokens().delete_expired(T0).unwrap();
    store.tokens().delete(&hash).unwrap();
    store.keys().revoke(key.id).unwrap();
    for before in [None, Some(uuid::Uuid::from_u128(9))] {
        let query = AuditQuery { action: None, user: None, before, limit: 10 };
        store.audit().list(&query).unwrap();
    }
}
