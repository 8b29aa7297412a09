//! Retention: what the rules keep and what they take away, by a clock that is told the time.

use std::sync::Arc;
use std::time::Duration;

use flowtrail_store::MemoryStore;
use flowtrail_tracker::{
    FinishedExecution, Keep, Options, StartExecution, StatsRange, Tracker, TrackerError,
};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{
    Age, Counting, ErrorInfo, ErrorKind, ExecutionFilter, Flow, FlowId, ManualClock, PageRequest, Principal,
    Retention, Source,
};
use serde_json::json;
use time::macros::datetime;

const DAY: Duration = Duration::from_secs(86_400);

struct Subject {
    tracker: Tracker,
    clock: Arc<ManualClock>,
    me: Principal,
}

fn subject(retention: Retention) -> Subject {
    let clock = Arc::new(ManualClock::new(datetime!(2026-01-06 12:00 UTC)));
    let options =
        Options { clock: clock.clone(), housekeeping: None, upkeep: false, retention, ..Options::default() };
    let tracker = Tracker::with_options(MemoryStore::new(), options).unwrap();
    let me = tracker.local_administrator().unwrap();
    Subject { tracker, clock, me }
}

impl Subject {
    fn flow(&self, name: &str) -> Arc<Flow> {
        self.tracker.external_flow(&self.me, name).unwrap()
    }

    fn record(&self, flow: &Flow, outcome: Outcome) {
        let params = json!({"text": "some words that take a little room"});
        let start = StartExecution::of(flow, Source::Embedded).params(&params);
        let ended_at = self.tracker.clock().now();
        let finished = FinishedExecution::new(outcome, ended_at);
        self.tracker.record(&self.me, &start, &finished).unwrap().wait().unwrap();
    }

    fn count(&self, flow: FlowId) -> u64 {
        let page = PageRequest::default();
        self.tracker.executions(&self.me, &ExecutionFilter::of_flow(flow), page).unwrap().page.total
    }
}

fn failed() -> Outcome {
    Outcome::Error(ErrorInfo::new(ErrorKind::Failed, "no"))
}

#[test]
fn without_rules_everything_is_kept_for_ever() {
    let subject = subject(Retention::default());
    let flow = subject.flow("Orders");
    subject.record(&flow, Outcome::Fulfilled);
    subject.clock.advance(DAY * 3_650);
    let kept = subject.tracker.keep_up().unwrap();
    assert_eq!((kept.pruned, subject.count(flow.id)), (0, 1));
}

#[test]
fn failed_executions_have_an_age_of_their_own() {
    let rules = Retention {
        max_age: Some(Age(DAY * 30)),
        max_error_age: Some(Age(DAY * 90)),
        ..Retention::default()
    };
    let subject = subject(rules);
    let flow = subject.flow("Orders");
    for _ in 0..3 {
        subject.record(&flow, Outcome::Fulfilled);
        subject.record(&flow, failed());
        subject.clock.advance(DAY * 20);
    }
    // 60, 40 and 20 days old.
    assert_eq!(subject.tracker.keep_up().unwrap().pruned, 2);
    assert_eq!(subject.count(flow.id), 4);
    subject.clock.advance(DAY * 20);
    assert_eq!(subject.tracker.keep_up().unwrap().pruned, 1, "the last fulfilled one is 40 days old");
    subject.clock.advance(DAY * 20);
    assert_eq!(subject.tracker.keep_up().unwrap().pruned, 1, "the first failed one is 100 days old");
    subject.clock.advance(DAY * 90);
    assert_eq!(subject.tracker.keep_up().unwrap().pruned, 2);
    assert_eq!(subject.count(flow.id), 0);

    let range = StatsRange { counting: Counting::Recorded, ..StatsRange::default() };
    let recorded = subject.tracker.statistics(&subject.me, Some(flow.id), range).unwrap();
    assert_eq!((recorded.total, recorded.error), (6, 3), "what happened stays known");
    let stored = subject.tracker.statistics(&subject.me, Some(flow.id), StatsRange::default()).unwrap();
    assert_eq!((stored.total, stored.last_execution_at), (0, None));
}

#[test]
fn the_newest_so_many_are_kept_and_pending_ones_besides() {
    let subject = subject(Retention { max_count: Some(5), ..Retention::default() });
    let (flow, own) = (subject.flow("Orders"), subject.flow("Own rules"));
    let rules = Retention { max_count: Some(2), ..Retention::default() };
    subject
        .tracker
        .change_flow(&subject.me, own.id, |_| {
            let retention = Some(Some(rules));
            Ok::<_, TrackerError>(flowtrail_tracker::FlowChange { retention, ..Default::default() })
        })
        .unwrap();
    let own = subject.tracker.flow(&subject.me, own.id).unwrap();
    let start = StartExecution::of(&flow, Source::Embedded);
    let running = subject.tracker.start(&subject.me, start).unwrap().wait().unwrap();
    for _ in 0..8 {
        subject.clock.advance(Duration::from_secs(1));
        subject.record(&flow, Outcome::Fulfilled);
        subject.record(&own, Outcome::Fulfilled);
    }
    subject.tracker.keep_up().unwrap();
    assert_eq!(subject.count(own.id), 2, "by its own rule");
    let left = subject.count(flow.id);
    assert_eq!(left, 5, "four that ended and the one that runs, whatever flows with rules of their own keep");
    assert!(subject.tracker.execution(&subject.me, running.id()).is_ok(), "what is pending stays");
    running.fulfil(None).wait().unwrap();
}

#[test]
fn no_more_goes_by_bytes_than_has_to() {
    for (max_bytes, kept) in [(1, 0), (1 << 20, 6)] {
        let subject = subject(Retention { max_bytes: Some(max_bytes), ..Retention::default() });
        let flow = subject.flow("Orders");
        for _ in 0..6 {
            subject.record(&flow, Outcome::Fulfilled);
        }
        assert_eq!(subject.tracker.keep_up().unwrap().pruned, 6 - kept);
        assert_eq!(subject.count(flow.id), kept);
    }
}

#[test]
fn pruning_tells_before_what_it_would_do_and_asks_for_the_right() {
    let subject = subject(Retention::default());
    let flow = subject.flow("Orders");
    for _ in 0..7 {
        subject.clock.advance(Duration::from_secs(60));
        subject.record(&flow, Outcome::Fulfilled);
    }
    let (tracker, me) = (&subject.tracker, &subject.me);
    for (keep, expected) in [(Keep::Newest(5), 2), (Keep::Newest(9), 0), (Keep::Newest(0), 5)] {
        assert_eq!(tracker.count_prunable(me, flow.id, keep).unwrap(), expected, "{keep:?}");
        assert_eq!(tracker.prune(me, flow.id, keep).unwrap(), expected, "{keep:?}");
    }
    assert_eq!(subject.count(flow.id), 0);
    let stranger = Principal { role: flowtrail_types::Role::User, ..subject.me.clone() };
    let stranger = Principal { id: flowtrail_types::UserId::from_uuid(uuid::Uuid::from_u128(5)), ..stranger };
    assert!(matches!(
        tracker.prune(&stranger, flow.id, Keep::Newest(0)),
        Err(TrackerError::NotFound("flow"))
    ));

    let start = StartExecution::of(&flow, Source::Embedded);
    let running = tracker.start(me, start).unwrap().wait().unwrap();
    let id = running.id();
    assert!(matches!(tracker.delete_execution(me, id), Err(TrackerError::Pending)));
    running.fulfil(None).wait().unwrap();
    assert!(matches!(tracker.delete_execution(&stranger, id), Err(TrackerError::NotFound("execution"))));
    tracker.delete_execution(me, id).unwrap();
    assert!(matches!(tracker.execution(me, id), Err(TrackerError::NotFound("execution"))));
}

#[test]
fn all_flows_are_pruned_to_the_minute_by_administrators() {
    let subject = subject(Retention::default());
    let flows = [subject.flow("Orders"), subject.flow("Returns")];
    let (tracker, me) = (&subject.tracker, &subject.me);
    for number in 0..12 {
        subject.record(&flows[number % 2], Outcome::Fulfilled);
        subject.clock.advance(Duration::from_secs(20 * 60));
    }
    let start = StartExecution::of(&flows[0], Source::Embedded);
    let running = tracker.start(me, start).unwrap().wait().unwrap();
    let since =
        |minutes: u64| Keep::Since(datetime!(2026-01-06 12:00 UTC) + Duration::from_secs(minutes * 60));
    for (minutes, expected) in [(0, 0), (150, 8), (150, 0), (170, 1), (180, 0), (999, 3)] {
        let keep = since(minutes);
        assert_eq!(tracker.count_prunable_of_all(me, keep).unwrap(), expected, "{keep:?}");
        assert_eq!(tracker.prune_all(me, keep).unwrap(), expected, "{keep:?}");
    }
    assert_eq!(flows.map(|flow| subject.count(flow.id)), [1, 0], "what is pending stays");
    running.fulfil(None).wait().unwrap();

    let newest = Keep::Newest(5);
    assert!(matches!(tracker.prune_all(me, newest), Err(TrackerError::Invalid { .. })));
    let stranger = Principal { role: flowtrail_types::Role::User, ..me.clone() };
    assert!(matches!(tracker.prune_all(&stranger, since(999)), Err(TrackerError::Forbidden(_))));
    assert!(matches!(tracker.count_prunable_of_all(&stranger, newest), Err(TrackerError::Forbidden(_))));
}

#[test]
fn much_that_is_too_old_goes_together_and_nothing_else_with_it() {
    let subject = subject(Retention { max_age: Some(Age(DAY)), ..Retention::default() });
    let flow = subject.flow("Orders");
    (0..5_000).for_each(|_| subject.record(&flow, Outcome::Fulfilled));
    subject.clock.advance(Duration::from_secs(3_600 + 600));
    subject.record(&flow, failed());
    subject.clock.advance(Duration::from_secs(600));
    subject.record(&flow, Outcome::Fulfilled);
    subject.clock.advance(DAY - Duration::from_secs(300));
    assert_eq!(subject.tracker.keep_up().unwrap().pruned, 5_001, "the last hour's to the minute");
    assert_eq!(subject.count(flow.id), 1);
}

#[test]
fn what_was_pending_or_came_late_is_found_later() {
    let subject = subject(Retention { max_age: Some(Age(DAY)), ..Retention::default() });
    let flow = subject.flow("Orders");
    let start = StartExecution::of(&flow, Source::Embedded);
    let running = subject.tracker.start(&subject.me, start).unwrap().wait().unwrap();
    subject.clock.advance(Duration::from_secs(1));
    (0..600).for_each(|_| subject.record(&flow, Outcome::Fulfilled));
    subject.clock.advance(DAY * 2);
    assert_eq!(subject.tracker.keep_up().unwrap().pruned, 600);
    running.fulfil(None).wait().unwrap();
    subject.tracker.keep_up().unwrap();
    subject.clock.advance(Duration::from_secs(3_600));
    subject.tracker.keep_up().unwrap();
    assert_eq!(subject.count(flow.id), 0);
}
