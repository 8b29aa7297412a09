//! What a store must do with flows, users, keys and processes.

use std::sync::Arc;

use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{
    ApiKey, AuditAction, AuditEntry, AuditQuery, ErrorInfo, ErrorKind, ExecutionStatus, Flow, FlowId,
    FlowKind, FlowQuery, FlowSummary, InstanceId, KeyId, Page, PageRequest, SavedBy, Token, TokenKind,
    UserId,
};
use time::Duration;
use uuid::Uuid;

use super::build::{
    OWNER, T0, apply, at, end, end_command, flow, flow_id, owner, read, start, start_command,
};
use crate::{Command, KeyHash, NewExecution, Store, StoreError};

/// A flow is read back as it was added, and each of its definitions stays.
pub fn flows_are_kept_with_their_versions(store: &dyn Store) {
    let flows = store.flows();
    let first = flow(1, "order_summary");
    flows.add(std::slice::from_ref(&first)).unwrap();
    assert_eq!(flows.lookup(first.id).unwrap(), Some(first.clone()));
    assert_eq!(flows.lookup(flow_id(9)).unwrap(), None);
    assert_eq!(flows.lookup_tool("order_summary").unwrap(), Some(first.clone()));
    assert_eq!(flows.lookup_tool("Order_summary").unwrap(), None);
    let named = flows.lookup_named(FlowKind::Runnable, "Flow 1", OWNER).unwrap();
    assert_eq!(named, Some(first.clone()));
    assert_eq!(flows.lookup_named(FlowKind::External, "Flow 1", OWNER).unwrap(), None);

    let mut second = first.clone();
    second.version = 2;
    second.definition.nodes[0].name = "Ask again".to_owned();
    second.updated_at = at(1);
    second.active = false;
    second.timeout = None;
    flows.update(&second, first.updated_at).unwrap();
    assert_eq!(flows.lookup(first.id).unwrap(), Some(second.clone()));
    let version = |number| flows.lookup_version(first.id, number).unwrap().map(|kept| kept.definition);
    assert_eq!(version(1), Some(first.definition));
    assert_eq!(version(2), Some(second.definition.clone()));
    assert_eq!(version(3), None);

    // The same definition, saved by somebody else.
    let administrator = SavedBy { id: OWNER, name: "ana".to_owned(), is_admin: true };
    let third = Flow { saved_by: administrator, updated_at: at(2), ..second.clone() };
    flows.update(&third, second.updated_at).unwrap();
    assert_eq!(flows.lookup(first.id).unwrap(), Some(third));
    assert_eq!(flows.list_all().unwrap().len(), 1);
}

/// Two living flows never have one tool name; a deleted one's is free.
pub fn tool_names_are_unique_among_the_living(store: &dyn Store) {
    let flows = store.flows();
    let taken = |result: Result<(), StoreError>, expected: &str| match result {
        Err(StoreError::Taken { field }) => assert_eq!(field, expected),
        other => panic!("expected {expected} to be taken, got {other:?}"),
    };
    flows.add(&[flow(1, "a"), flow(2, "b")]).unwrap();
    taken(flows.add(&[flow(3, "a")]), "toolName");
    taken(flows.add(&[flow(1, "c")]), "id");
    let mut renamed = flow(2, "a");
    renamed.updated_at = at(1);
    taken(flows.update(&renamed, T0), "toolName");
    assert!(flows.delete(flow_id(1), at(1)).unwrap());
    flows.add(&[flow(3, "a")]).unwrap();
    for number in [4, 5] {
        let mut external = flow(number, "x");
        external.kind = FlowKind::External;
        external.tool_name = None;
        flows.add(&[external]).unwrap();
    }
}

/// Of several flows, all are added or none.
pub fn adding_flows_is_all_or_nothing(store: &dyn Store) {
    assert!(store.flows().add(&[flow(1, "a"), flow(2, "b"), flow(3, "a")]).is_err());
    assert_eq!(store.flows().list_all().unwrap(), []);
}

/// Who changes a flow has seen what they change.
pub fn a_flow_changed_meanwhile_is_not_overwritten(store: &dyn Store) {
    let flows = store.flows();
    flows.add(&[flow(1, "a")]).unwrap();
    let mut changed = flow(1, "a");
    changed.updated_at = at(1);
    flows.update(&changed, T0).unwrap();
    changed.updated_at = at(2);
    assert!(matches!(flows.update(&changed, T0), Err(StoreError::Changed)));
    flows.delete(flow_id(1), at(3)).unwrap();
    assert!(matches!(flows.update(&changed, at(1)), Err(StoreError::Changed)));
    assert!(matches!(flows.update(&flow(9, "z"), T0), Err(StoreError::Changed)));
}

/// Deleting a flow leaves its executions, under the names that it had, without its id.
pub fn a_deleted_flow_keeps_its_history(store: &dyn Store) {
    store.flows().add(&[flow(1, "order_summary")]).unwrap();
    apply(store, start_command(1)).unwrap();
    assert!(store.flows().delete(flow_id(1), at(1)).unwrap());
    assert!(!store.flows().delete(flow_id(1), at(2)).unwrap(), "it is deleted once");
    let summary = read(store, 1).summary;
    assert_eq!((summary.flow_id, summary.guarding_flow_id), (None, flow_id(1)));
    assert_eq!(summary.flow_name, "Order summary");
    let tombstone = store.flows().lookup(flow_id(1)).unwrap().expect("the tombstone guards the history");
    assert_eq!(tombstone.deleted_at, Some(at(1)));
    assert_eq!(store.flows().lookup_tool("order_summary").unwrap(), None);
    assert_eq!(store.flows().list_all().unwrap(), []);
}

fn list(store: &dyn Store, query: &FlowQuery) -> Page<FlowSummary> {
    store.flows().list(query, at(60)).unwrap()
}

/// A list of flows tells how they have been doing.
pub fn flows_are_listed_with_their_activity(store: &dyn Store) {
    let größe = Flow { name: "Größe".to_owned(), ..flow(3, "c") };
    store.flows().add(&[flow(2, "tool_b"), flow(1, "a"), größe]).unwrap();
    for number in 1..=24 {
        let mut begun = start(number);
        begun.started_at =
            if number == 1 { at(60) - Duration::DAY } else { at(i64::try_from(number).unwrap()) };
        apply(store, Command::Start(Box::new(begun))).unwrap();
    }
    apply(store, end_command(24, Told::Reported, Outcome::Fulfilled)).unwrap();
    // A rejected call is an execution, but no run that could have gone well.
    let rejected = NewExecution { is_rejected: true, ..start(25) };
    let failed = Outcome::Error(ErrorInfo::new(ErrorKind::InvalidInput, "orderId: is missing"));
    apply(store, Command::record(rejected, Vec::new(), end(Told::Reported, failed)).unwrap().unwrap())
        .unwrap();
    let page = list(store, &FlowQuery::default());
    let names: Vec<&str> = page.items.iter().map(|flow| flow.name.as_str()).collect();
    assert_eq!(names, ["Flow 1", "Flow 2", "Größe"]);
    assert_eq!((page.total, page.total_is_exact), (3, true));
    let activity = &page.items[0].activity;
    assert_eq!(activity.last_statuses.len(), 20);
    assert_eq!(activity.last_statuses[..2], [ExecutionStatus::Fulfilled, ExecutionStatus::Pending]);
    assert_eq!(activity.runs_last_day, 23);
    assert_eq!(activity.success_rate, Some(1.0));
    assert_eq!(activity.last_execution_at, Some(at(24)));
    assert_eq!(page.items[1].activity.success_rate, None);
    let second = FlowQuery { page: PageRequest::numbered(2, 2), ..FlowQuery::default() };
    assert_eq!(list(store, &second).items.len(), 1);
    let text = |text: &str| FlowQuery { text: Some(text.to_owned()), ..FlowQuery::default() };
    assert_eq!(list(store, &text("flow 2")).total, 1);
    assert_eq!(list(store, &text("GRÖ")).total, 1, "whatever its case, in any script");
    assert_eq!(list(store, &text("TOOL_B")).total, 1, "the tool name counts too");
    assert_eq!(list(store, &text("%")).total, 0, "no wildcard of any database");
    assert_eq!(list(store, &text("w_2")).total, 0, "no wildcard of any database");
}

/// A user sees their own flows, those shared with them, and the public ones.
pub fn flows_are_listed_to_whom_they_are_shared(store: &dyn Store) {
    let ben = UserId::from_uuid(Uuid::from_u128(0xB));
    let mut flows = vec![flow(1, "a"), flow(2, "b"), flow(3, "c"), flow(4, "d"), flow(5, "e")];
    flows[1].access.read.push(ben);
    flows[2].access.write.push(ben);
    flows[3].access.public = true;
    flows[4].owner_id = ben;
    store.flows().add(&flows).unwrap();
    let seen = list(store, &FlowQuery { visible_to: Some(ben), ..FlowQuery::default() });
    let names: Vec<&str> = seen.items.iter().map(|flow| flow.name.as_str()).collect();
    assert_eq!(names, ["Flow 2", "Flow 3", "Flow 4", "Flow 5"]);
    assert_eq!(seen.total, 4);
    store.flows().delete(flow_id(2), at(1)).unwrap();
    let visible = store.flows().list_visible(ben).unwrap();
    assert_eq!(visible.full, [flow_id(2), flow_id(3), flow_id(5)], "a deleted flow goes on guarding");
    assert_eq!(visible.own_only, [flow_id(4)]);
}

/// Whoever keeps flows in memory is told by one number that they changed.
pub fn every_change_of_a_flow_moves_the_revision(store: &dyn Store) {
    let flows = store.flows();
    let mut last = flows.revision().unwrap();
    let mut moved = |what: &str| {
        let now = flows.revision().unwrap();
        assert!(now > last, "{what} moves the revision");
        last = now;
    };
    flows.add(&[flow(1, "a")]).unwrap();
    moved("adding");
    let mut changed = flow(1, "a");
    changed.updated_at = at(1);
    flows.update(&changed, T0).unwrap();
    moved("changing");
    flows.delete(flow_id(1), at(2)).unwrap();
    moved("deleting");
    apply(store, start_command(1)).unwrap();
    assert_eq!(flows.revision().unwrap(), last, "an execution is no change of a flow");
}

/// A key is recognised by its hash until it is revoked.
pub fn users_and_keys_are_kept(store: &dyn Store) {
    store.users().add(&owner()).unwrap();
    store.users().add(&owner()).unwrap();
    assert_eq!(store.users().list().unwrap(), [owner()]);
    assert_eq!(store.users().lookup(OWNER).unwrap(), Some(owner()));
    assert_eq!(store.users().lookup_named("ana").unwrap(), Some(owner()));
    assert_eq!(store.users().lookup_named("ben").unwrap(), None);
    let mut key = ApiKey {
        id: KeyId::from_uuid(Uuid::from_u128(1)),
        name: "laptop".to_owned(),
        user_id: OWNER,
        prefix: "ft_abcd".to_owned(),
        created_at: T0,
        last_used_at: None,
        expires_at: Some(at(60)),
    };
    let keys = store.keys();
    keys.add(&key, &KeyHash([1; 32])).unwrap();
    let recognised = keys.lookup(&KeyHash([1; 32])).unwrap().expect("the key is known");
    assert_eq!((recognised.key, recognised.user), (key.clone(), owner()));
    assert_eq!(keys.lookup(&KeyHash([2; 32])).unwrap(), None);
    keys.touch(key.id, at(5)).unwrap();
    key.last_used_at = Some(at(5));
    assert_eq!(keys.list(Some(OWNER)).unwrap(), [key.clone()]);
    assert_eq!(keys.list(Some(UserId::from_uuid(Uuid::nil()))).unwrap(), []);
    keys.add(&key, &KeyHash([3; 32])).unwrap();
    assert_eq!(keys.lookup(&KeyHash([1; 32])).unwrap(), None, "the new hash takes the place of the old");
    assert!(keys.revoke(key.id).unwrap());
    assert!(!keys.revoke(key.id).unwrap());
    assert_eq!(keys.lookup(&KeyHash([3; 32])).unwrap(), None);
    let stranger = ApiKey { user_id: UserId::from_uuid(Uuid::nil()), ..key };
    assert!(keys.add(&stranger, &KeyHash([4; 32])).is_err(), "a key is somebody's");
}

/// A token is found by its hash until it expires or is deleted; with a key go the tokens that were made by it, and with a
/// user everything that stands for them.
pub fn what_stands_for_a_user_goes_with_them_and_with_its_key(store: &dyn Store) {
    store.users().add(&owner()).unwrap();
    let key = ApiKey {
        id: KeyId::from_uuid(Uuid::from_u128(1)),
        name: "laptop".to_owned(),
        user_id: OWNER,
        prefix: "ft_abcd".to_owned(),
        created_at: T0,
        last_used_at: None,
        expires_at: None,
    };
    store.keys().add(&key, &KeyHash([1; 32])).unwrap();
    let session = Token {
        kind: TokenKind::Session,
        user_id: OWNER,
        key_id: Some(key.id),
        flows: None,
        created_at: T0,
        expires_at: at(60),
    };
    let flows: Arc<[FlowId]> = [flow_id(1), flow_id(2)].into();
    let page = Token { kind: TokenKind::Embed, key_id: None, flows: Some(flows), ..session };
    let tokens = store.tokens();
    assert!(tokens.add(&session, &KeyHash([2; 32])).unwrap());
    assert!(tokens.add(&page, &KeyHash([3; 32])).unwrap());
    assert!(tokens.add(&Token { expires_at: at(1), ..page.clone() }, &KeyHash([4; 32])).unwrap());
    let found = |hash| tokens.lookup(&KeyHash([hash; 32])).unwrap();
    assert_eq!(found(2), Some((session, owner())));
    assert_eq!(found(3), Some((page.clone(), owner())));
    assert_eq!(found(1), None, "a key is no token");
    assert_eq!(tokens.delete_expired(at(1)).unwrap(), 0);
    assert_eq!(tokens.delete_expired(at(2)).unwrap(), 1);
    assert_eq!(found(4), None);
    assert!(store.keys().revoke(key.id).unwrap());
    assert_eq!(found(2), None, "it was made by means of the key");
    let late = Token { key_id: Some(key.id), ..page.clone() };
    assert!(!tokens.add(&late, &KeyHash([5; 32])).unwrap(), "the key is there no longer");
    assert_eq!(found(5), None);
    assert!(found(3).is_some());
    assert!(tokens.delete(&KeyHash([3; 32])).unwrap());
    assert!(!tokens.delete(&KeyHash([3; 32])).unwrap(), "one alone deletes it");

    store.keys().add(&key, &KeyHash([1; 32])).unwrap();
    assert!(tokens.add(&page, &KeyHash([3; 32])).unwrap());
    let stranger = Token { user_id: UserId::from_uuid(Uuid::nil()), ..page.clone() };
    assert!(!tokens.add(&stranger, &KeyHash([5; 32])).unwrap(), "a token stands for somebody");
    assert!(store.users().delete(OWNER, at(9)).unwrap());
    assert!(!store.users().delete(OWNER, at(9)).unwrap());
    assert!(!store.users().delete(stranger.user_id, at(9)).unwrap());
    assert_eq!(found(3), None);
    assert_eq!(store.keys().lookup(&KeyHash([1; 32])).unwrap(), None);
    assert_eq!(store.keys().list(None).unwrap(), []);
    assert!(!tokens.add(&page, &KeyHash([5; 32])).unwrap(), "its user is there no longer");
    // A key that is made while its user goes opens nothing.
    store.keys().add(&key, &KeyHash([1; 32])).unwrap();
    assert_eq!(store.keys().lookup(&KeyHash([1; 32])).unwrap(), None);
    assert_eq!(store.users().lookup(OWNER).unwrap(), None);
    assert_eq!(store.users().lookup_named("ana").unwrap(), None);
    assert_eq!(store.users().list().unwrap(), []);
    // Their name goes on standing beside what they did.
    apply(store, start_command(1)).unwrap();
    assert_eq!(read(store, 1).summary.user_name.as_deref(), Some("ana"));
}

/// The audit log is read from its newest entry on, whole or by action and user.
pub fn what_was_done_is_listed_newest_first(store: &dyn Store) {
    let entry = |number: u32, user, action| AuditEntry {
        id: Uuid::from_u128(u128::from(number)),
        at: at(i64::from(number)),
        user_id: UserId::from_uuid(Uuid::from_u128(user)),
        user_name: "an\0a".to_owned(),
        action,
        subject_id: (number == 2).then(|| Uuid::from_u128(7)),
        subject: (number == 2).then(|| "Ord\0ers".to_owned()),
        detail: (number == 2).then(|| serde_json::json!({"deleted": 3, "text": "\0"})),
    };
    let entries = [
        entry(1, 1, AuditAction::KeyCreated),
        entry(2, 2, AuditAction::ExecutionsPruned),
        entry(3, 1, AuditAction::ExecutionsPruned),
    ];
    let audit = store.audit();
    for entry in &entries {
        audit.add(entry).unwrap();
    }
    let list = |query| {
        let found: Vec<AuditEntry> = audit.list(&query).unwrap();
        found.into_iter().map(|entry| entry.id.as_u128()).collect::<Vec<_>>()
    };
    let all = AuditQuery { action: None, user: None, before: None, limit: 10 };
    assert_eq!(audit.list(&all).unwrap(), [&entries[2], &entries[1], &entries[0]].map(Clone::clone));
    assert_eq!(list(AuditQuery { limit: 2, ..all }), [3, 2]);
    assert_eq!(list(AuditQuery { before: Some(Uuid::from_u128(3)), ..all }), [2, 1]);
    assert_eq!(list(AuditQuery { action: Some(AuditAction::ExecutionsPruned), ..all }), [3, 2]);
    assert_eq!(list(AuditQuery { user: Some(entries[0].user_id), ..all }), [3, 1]);
}

/// What is done and its entry in the audit log are both written, or neither is.
pub fn what_is_done_and_its_entry_are_one(store: &dyn Store) {
    let entry = |number: i64| AuditEntry {
        id: uuid::Builder::from_unix_timestamp_millis(
            u64::try_from(at(number).unix_timestamp()).unwrap() * 1_000,
            &[7; 10],
        )
        .into_uuid(),
        at: at(number),
        user_id: OWNER,
        user_name: "ana".to_owned(),
        action: AuditAction::AccessChanged,
        subject_id: None,
        subject: None,
        detail: None,
    };
    let (audit, flows) = (store.audit(), store.flows());
    let all = AuditQuery { action: None, user: None, before: None, limit: 10 };
    let ids = || audit.list(&all).unwrap().into_iter().map(|entry| entry.id).collect::<Vec<_>>();
    let first = flow(1, "order_summary");
    flows.add(std::slice::from_ref(&first)).unwrap();
    let changed = Flow { active: false, updated_at: at(1), ..first.clone() };
    audit.add_with(&entry(1), &mut || flows.update(&changed, first.updated_at)).unwrap();
    // The same again meets another flow than it has seen.
    let refused = audit.add_with(&entry(2), &mut || flows.update(&changed, first.updated_at));
    assert!(matches!(refused, Err(StoreError::Changed)), "{refused:?}");
    assert_eq!(ids(), [entry(1).id]);
    // What nobody asked to note is not noted, whatever was asked before.
    let again = Flow { active: true, updated_at: at(2), ..changed.clone() };
    flows.update(&again, changed.updated_at).unwrap();
    assert_eq!(ids(), [entry(1).id]);

    let detail = Some(serde_json::json!({"deleted": 3}));
    let more = AuditEntry { detail, ..entry(1) };
    audit.add(&more).unwrap();
    assert_eq!(audit.list(&all).unwrap(), [more], "an entry can be told more");
    audit.add(&entry(3)).unwrap();
    assert_eq!(audit.delete_before(at(3), Some(entry(1).id), 10).unwrap(), 0);
    assert_eq!(audit.delete_before(at(3), None, 10).unwrap(), 1);
    assert_eq!(audit.delete_before(at(3), None, 10).unwrap(), 0);
    assert_eq!(ids(), [entry(3).id]);
}

/// A process that was released, or died, is dead until it is forgotten.
pub fn instances_live_and_die(store: &dyn Store) {
    let instances = store.instances();
    let [one, two] = [1, 2].map(|number| InstanceId::from_uuid(Uuid::from_u128(number)));
    instances.register(one, T0).unwrap();
    instances.register(two, T0).unwrap();
    assert_eq!(instances.list_dead().unwrap(), []);
    instances.release(one).unwrap();
    assert_eq!(instances.list_dead().unwrap(), [one]);
    instances.forget(one).unwrap();
    assert_eq!(instances.list_dead().unwrap(), []);
}
