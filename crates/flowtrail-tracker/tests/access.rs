//! Who may do what: every kind of principal against every kind of operation.

use std::sync::Arc;
use std::time::Duration;

use flowtrail_store::MemoryStore;
use flowtrail_tracker::{FlowChange, Options, StartExecution, Tracker, TrackerError};
use flowtrail_types::{
    Access, ExecutionFilter, ExecutionId, Flow, FlowDraft, FlowKind, FlowQuery, ManualClock, PageRequest,
    Principal, Role, Source, UserId,
};

struct Fixture {
    tracker: Tracker,
    clock: Arc<ManualClock>,
    admin: Principal,
    owner: Principal,
    writer: Principal,
    reader: Principal,
    stranger: Principal,
    flow: Arc<Flow>,
    /// Started by the owner.
    execution: ExecutionId,
    /// Keeps the execution running.
    _running: flowtrail_tracker::ExecutionHandle,
}

fn fixture(public: bool) -> Fixture {
    let clock = Arc::new(ManualClock::default());
    let options = Options { clock: clock.clone(), housekeeping: None, ..Options::default() };
    let tracker = Tracker::with_options(MemoryStore::new(), options).unwrap();
    let admin = tracker.local_administrator().unwrap();
    let user = |name: &str| Principal::from(tracker.create_user(&admin, name, Role::User).unwrap());
    let (owner, writer, reader, stranger) = (user("owner"), user("writer"), user("reader"), user("stranger"));
    let draft = FlowDraft {
        access: Access { read: vec![reader.id], write: vec![writer.id], public },
        ..FlowDraft::new(FlowKind::External, "Shared")
    };
    let flow = tracker.create_flow(&owner, draft).unwrap();
    let running = tracker.start(&owner, StartExecution::of(&flow, Source::Api)).unwrap().wait().unwrap();
    let execution = running.id();
    Fixture { tracker, clock, admin, owner, writer, reader, stranger, flow, execution, _running: running }
}

/// What a principal gets: `y` done, `-` it does not exist for them, `n` they may not.
fn outcome<T>(result: Result<T, TrackerError>) -> char {
    match result {
        Ok(_) => 'y',
        Err(TrackerError::NotFound(_)) => '-',
        Err(TrackerError::Forbidden(_)) => 'n',
        Err(other) => panic!("neither allowed nor refused: {other}"),
    }
}

impl Fixture {
    /// See the flow, call it, see the owner's execution, list the flow's executions, change it, cancel it.
    fn rights(&self, who: &Principal) -> String {
        let filter = ExecutionFilter::of_flow(self.flow.id);
        let change = FlowChange { description: Some("changed".to_owned()), ..FlowChange::default() };
        [
            outcome(self.tracker.flow(who, self.flow.id)),
            outcome(
                self.tracker
                    .start(who, StartExecution::of(&self.flow, Source::Api))
                    .map(|ack| ack.wait().unwrap()),
            ),
            outcome(self.tracker.execution(who, self.execution)),
            outcome(self.tracker.executions(who, &filter, PageRequest::default())),
            outcome(self.tracker.change_flow(who, self.flow.id, |_| Ok::<_, TrackerError>(change.clone()))),
            outcome(self.tracker.cancel(who, self.execution)),
        ]
        .into_iter()
        .collect()
    }

    fn listed(&self, who: &Principal) -> (u64, u64, u64) {
        let flows = self.tracker.flows(who, FlowQuery::default()).unwrap().total;
        let all = ExecutionFilter::default();
        let everywhere = self.tracker.executions(who, &all, PageRequest::default()).unwrap().page.total;
        let of_flow = ExecutionFilter::of_flow(self.flow.id);
        let here =
            self.tracker.executions(who, &of_flow, PageRequest::default()).map_or(0, |page| page.page.total);
        (flows, everywhere, here)
    }
}

#[test]
fn a_shared_flow_is_there_for_those_it_is_shared_with() {
    let f = fixture(false);
    for (who, expected) in [
        (&f.admin, "yyyyyy"),
        (&f.owner, "yyyyyy"),
        (&f.writer, "yyyyyy"),
        (&f.reader, "yyyynn"),
        (&f.stranger, "------"),
    ] {
        assert_eq!(f.rights(who), expected, "{}", who.name);
    }
}

#[test]
fn of_a_public_flow_others_see_only_their_own_executions() {
    let f = fixture(true);
    assert_eq!(f.rights(&f.reader), "yyyynn");
    assert_eq!(f.listed(&f.stranger), (1, 0, 0));
    let theirs =
        f.tracker.start(&f.stranger, StartExecution::of(&f.flow, Source::Api)).unwrap().wait().unwrap();
    assert_eq!(f.listed(&f.stranger), (1, 1, 1), "their own, and no counter tells of the others");
    assert_eq!(outcome(f.tracker.execution(&f.stranger, theirs.id())), 'y');
    assert_eq!(outcome(f.tracker.cancel(&f.stranger, theirs.id())), 'y');
    assert_eq!(outcome(f.tracker.execution(&f.stranger, f.execution)), '-');
    assert_eq!(outcome(f.tracker.cancel(&f.stranger, f.execution)), '-');
    let change = FlowChange { active: Some(false), ..FlowChange::default() };
    assert_eq!(
        outcome(f.tracker.change_flow(&f.stranger, f.flow.id, |_| Ok::<_, TrackerError>(change.clone()))),
        'n'
    );
}

#[test]
fn lists_hold_what_may_be_seen() {
    let f = fixture(false);
    for (who, expected) in
        [(&f.admin, (1, 1, 1)), (&f.owner, (1, 1, 1)), (&f.reader, (1, 1, 1)), (&f.stranger, (0, 0, 0))]
    {
        assert_eq!(f.listed(who), expected, "{}", who.name);
    }
}

#[test]
fn a_deleted_flow_goes_on_guarding_its_history() {
    let f = fixture(false);
    assert_eq!(outcome(f.tracker.delete_flow(&f.reader, f.flow.id)), 'n');
    assert_eq!(outcome(f.tracker.delete_flow(&f.stranger, f.flow.id)), '-');
    f.tracker.delete_flow(&f.writer, f.flow.id).unwrap();
    for (who, expected) in [(&f.admin, 'y'), (&f.owner, 'y'), (&f.reader, 'y'), (&f.stranger, '-')] {
        assert_eq!(outcome(f.tracker.execution(who, f.execution)), expected, "{}", who.name);
    }
    assert_eq!(f.listed(&f.reader), (0, 1, 1));
}

#[test]
fn keys_are_ones_own() {
    let f = fixture(false);
    let made = f.tracker.create_key(&f.reader, "laptop", None, None).unwrap();
    let by_key = Principal { key: Some(made.key.id), ..f.reader.clone() };
    assert_eq!(f.tracker.authenticate(&made.secret).unwrap(), by_key);
    assert_eq!(outcome(f.tracker.create_key(&f.reader, "theft", Some(f.owner.id), None)), 'n');
    let nobody = UserId::from_uuid(*f.flow.id.as_uuid());
    assert_eq!(outcome(f.tracker.create_key(&f.admin, "ghost", Some(nobody), None)), '-');
    assert_eq!(outcome(f.tracker.revoke_key(&f.stranger, made.key.id)), '-');
    assert_eq!(f.tracker.keys(&f.stranger).unwrap(), []);
    assert_eq!(f.tracker.keys(&f.admin).unwrap().len(), 1);
    f.tracker.revoke_key(&f.reader, made.key.id).unwrap();
    assert!(matches!(f.tracker.authenticate(&made.secret), Err(TrackerError::Unauthenticated(_))));

    let expiry = f.clock_now() + Duration::from_secs(60);
    let short = f.tracker.create_key(&f.reader, "visit", None, Some(expiry)).unwrap();
    f.tracker.authenticate(&short.secret).unwrap();
    f.clock.advance(Duration::from_secs(60));
    assert!(matches!(f.tracker.authenticate(&short.secret), Err(TrackerError::Unauthenticated(_))));
}

impl Fixture {
    fn clock_now(&self) -> time::OffsetDateTime {
        self.tracker.clock().now()
    }
}

#[test]
fn a_configured_key_takes_the_place_of_the_last_one() {
    let f = fixture(false);
    f.tracker.ensure_admin_key(Some("first-configured-key")).unwrap();
    f.tracker.ensure_admin_key(Some("first-configured-key")).unwrap();
    assert_eq!(f.tracker.authenticate("first-configured-key").unwrap().id, f.admin.id);
    f.tracker.ensure_admin_key(Some("second-configured-key")).unwrap();
    assert!(f.tracker.authenticate("first-configured-key").is_err());
    assert!(f.tracker.ensure_admin_key(Some("short")).is_err());
    assert!(f.tracker.ensure_admin_key(Some("has a space in it")).is_err());
}
