//! Executions that are restored from an export: retention leaves them alone for an hour, whichever rule would take them.

use std::sync::Arc;
use std::time::Duration;

use flowtrail_store::MemoryStore;
use flowtrail_tracker::{
    Applied, FinishedExecution, Options, Restored, StartExecution, Tracker, TrackerError,
};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{
    Age, CaptureMarks, Digest, ExecutionFilter, ExecutionId, ExecutionStatus, Flow, FlowId, ManualClock,
    PageRequest, Principal, Retention, Role, Source, UserId,
};
use serde_json::json;
use time::macros::datetime;
use time::{Duration as Span, OffsetDateTime};
use uuid::Uuid;

const NOW: OffsetDateTime = datetime!(2026-01-06 12:00 UTC);
const MINUTE: Duration = Duration::from_secs(60);

struct Subject {
    tracker: Tracker,
    clock: Arc<ManualClock>,
    me: Principal,
    flow: Arc<Flow>,
}

fn subject(retention: Retention) -> Subject {
    let clock = Arc::new(ManualClock::new(NOW));
    let options =
        Options { clock: clock.clone(), housekeeping: None, upkeep: false, retention, ..Options::default() };
    let tracker = Tracker::with_options(MemoryStore::new(), options).unwrap();
    let me = tracker.local_administrator().unwrap();
    let flow = tracker.external_flow(&me, "Orders").unwrap();
    Subject { tracker, clock, me, flow }
}

/// An execution of a year ago.
fn restored(number: u8, flow: Option<FlowId>) -> Restored<'static> {
    let started_at = NOW - Span::days(365) + Span::seconds(i64::from(number));
    let millis = u64::try_from(started_at.unix_timestamp() * 1_000).unwrap();
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &[number; 10]).into_uuid();
    Restored {
        id: ExecutionId::from_uuid(id),
        flow_id: flow,
        flow_name: "Orders",
        flow_tool_name: None,
        flow_version: None,
        user_id: Some(UserId::from_uuid(Uuid::from_u128(7))),
        user_name: Some("Ada of elsewhere"),
        status: ExecutionStatus::Fulfilled,
        inferred: false,
        source: Source::Mcp,
        started_at,
        ended_at: started_at + Span::microseconds(1_234),
        preview: None,
        params: None,
        outputs: None,
        error: None,
        nodes: Vec::new(),
        meta: None,
        tags: Vec::new(),
        parent: None,
        replay_of: None,
        cancel_requested: false,
        capture: CaptureMarks::new(),
        created_at: started_at,
        updated_at: started_at,
        digest: Digest::of(&[&[number]]),
    }
}

impl Subject {
    fn import(&self, number: u8) -> Applied {
        let restored = restored(number, Some(self.flow.id));
        self.tracker.import(&self.me, &restored).unwrap().wait().unwrap().1
    }

    fn record(&self) {
        let params = json!({"text": "some words that take a little room"});
        let start = StartExecution::of(&self.flow, Source::Embedded).params(&params);
        let finished = FinishedExecution::new(Outcome::Fulfilled, self.tracker.clock().now());
        self.tracker.record(&self.me, &start, &finished).unwrap().wait().unwrap();
    }

    /// How many are left after retention: those of a year ago, and those of today.
    fn left(&self) -> (usize, usize) {
        self.tracker.keep_up().unwrap();
        let page = PageRequest::default();
        let found = self.tracker.executions(&self.me, &ExecutionFilter::default(), page).unwrap();
        let is_old = |at: OffsetDateTime| at < NOW - Span::days(1);
        let old = found.page.items.iter().filter(|execution| is_old(execution.started_at)).count();
        (old, found.page.items.len() - old)
    }
}

#[test]
fn rules_take_what_was_restored_an_hour_later_and_nothing_in_its_place() {
    let month = Age(Duration::from_secs(30 * 86_400));
    for rules in [
        Retention { max_age: Some(month), ..Retention::default() },
        Retention { max_count: Some(2), ..Retention::default() },
        Retention { max_bytes: Some(1 << 20), max_count: Some(2), ..Retention::default() },
    ] {
        let subject = subject(rules);
        subject.record();
        subject.record();
        for number in 0..5 {
            assert_eq!(subject.import(number), Applied::Written);
        }
        assert_eq!(subject.left(), (5, 2), "{rules:?}");
        subject.clock.advance(59 * MINUTE);
        assert_eq!(subject.left(), (5, 2), "{rules:?}");
        subject.clock.advance(2 * MINUTE);
        assert_eq!(subject.left(), (0, 2), "{rules:?}");
    }
}

#[test]
fn what_is_restored_is_there_once_and_as_it_was() {
    let subject = subject(Retention::default());
    assert_eq!(subject.import(1), Applied::Written);
    assert_eq!(subject.import(1), Applied::Already);
    let id = restored(1, None).id;
    let execution = subject.tracker.execution(&subject.me, id).unwrap();
    let summary = &execution.summary;
    assert_eq!((summary.source, summary.user_name.as_deref()), (Source::Mcp, Some("Ada of elsewhere")));
    assert_eq!(summary.duration_us(), Some(1_234));
    assert_eq!(execution.created_at, restored(1, None).started_at);
}

#[test]
fn executions_of_a_flow_that_is_not_here_belong_to_one_that_was_deleted() {
    let subject = subject(Retention::default());
    for number in 1..=2 {
        subject.tracker.import(&subject.me, &restored(number, None)).unwrap().wait().unwrap();
    }
    let flow = |number| {
        let execution = subject.tracker.execution(&subject.me, restored(number, None).id).unwrap();
        assert_eq!(execution.summary.flow_id, None);
        execution.summary.guarding_flow_id
    };
    assert_eq!(flow(1), flow(2));
}

#[test]
fn nobody_but_administrators_restores() {
    let subject = subject(Retention::default());
    let someone = Principal { role: Role::User, ..subject.me.clone() };
    let refused = subject.tracker.import(&someone, &restored(1, None));
    assert!(matches!(refused, Err(TrackerError::Forbidden(_))));
}
