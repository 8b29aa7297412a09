//! Lists of executions as principals ask for them: by what they are filtered and sorted, and who finds what.

use std::time::Duration;

use flowtrail_store::MemoryStore;
use flowtrail_tracker::{FinishedExecution, Options, StartExecution, Tracker, TrackerError};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{
    Access, Clock, Cursor, DurationRange, ExecutionFilter, ExecutionId, Flow, FlowDraft, FlowKind,
    ManualClock, PageRequest, Principal, Role, SortDirection, SortKey, Source,
};
use serde_json::json;
use std::sync::Arc;

struct Fixture {
    tracker: Tracker,
    clock: Arc<ManualClock>,
    owner: Principal,
    stranger: Principal,
    /// Public: the stranger sees what is their own of it.
    flow: Arc<Flow>,
    /// The owner's own.
    private: Arc<Flow>,
}

fn fixture() -> Fixture {
    let clock = Arc::new(ManualClock::default());
    let options = Options { clock: clock.clone(), housekeeping: None, ..Options::default() };
    let tracker = Tracker::with_options(MemoryStore::new(), options).unwrap();
    let admin = tracker.local_administrator().unwrap();
    let user = |name: &str| Principal::from(tracker.create_user(&admin, name, Role::User).unwrap());
    let (owner, stranger) = (user("owner"), user("stranger"));
    let create = |name: &str, public| {
        let access = Access { public, ..Access::default() };
        let draft = FlowDraft { access, ..FlowDraft::new(FlowKind::External, name) };
        tracker.create_flow(&owner, draft).unwrap()
    };
    let (flow, private) = (create("Orders", true), create("Secrets", false));
    Fixture { clock, owner, stranger, flow, private, tracker }
}

impl Fixture {
    /// Records an execution that took so many milliseconds.
    #[track_caller]
    fn record(&self, who: &Principal, flow: &Flow, took_ms: u64) -> ExecutionId {
        self.clock.advance(Duration::from_secs(60));
        let now = self.clock.now();
        let (params, took) = (json!({"order": "A 100%"}), Duration::from_millis(took_ms));
        let start = StartExecution::of(flow, Source::Api).params(&params).started_at(now - took);
        let start = start.tag("shop", "north");
        let finished = FinishedExecution::new(Outcome::Fulfilled, now);
        self.tracker.record(who, &start, &finished).unwrap().wait().unwrap().0
    }

    #[track_caller]
    fn find(&self, who: &Principal, filter: &ExecutionFilter) -> Vec<ExecutionId> {
        let found = self.tracker.executions(who, filter, PageRequest::default()).unwrap().page;
        assert_eq!((found.total, found.total_is_exact), (found.items.len() as u64, true));
        found.items.iter().map(|item| item.id).collect()
    }
}

#[test]
fn every_filter_leaves_out_what_is_not_seen() {
    let it = fixture();
    let others = it.record(&it.owner, &it.flow, 40);
    let secret = it.record(&it.owner, &it.private, 40);
    let own = it.record(&it.stranger, &it.flow, 40);
    let any = ExecutionFilter::default;
    let text = |text: &str| ExecutionFilter { text: Some(text.parse().unwrap()), ..any() };
    for filter in [
        any(),
        ExecutionFilter { duration: DurationRange::of_millis(Some(40), Some(40)), ..any() },
        ExecutionFilter { tag: Some("shop:north".parse().unwrap()), ..any() },
        text("a 100%"),
    ] {
        assert_eq!(it.find(&it.owner, &filter), [own, secret, others], "{filter:?}");
        assert_eq!(it.find(&it.stranger, &filter), [own], "{filter:?}");
    }
    let beginning = others.to_string()[..8].to_owned();
    assert_eq!(it.find(&it.owner, &text(&beginning)), [others]);
    assert_eq!(it.find(&it.owner, &text(&secret.to_string())), [secret]);
    assert_eq!(it.find(&it.stranger, &text(&own.to_string())), [own]);
    assert_eq!(it.find(&it.stranger, &text(&it.flow.id.to_string())), [own]);
    let flow = it.private.id.to_string();
    for hidden in [secret.to_string(), others.to_string(), beginning, flow, "secrets".to_owned()] {
        assert_eq!(it.find(&it.stranger, &text(&hidden)), [], "{hidden}");
    }
}

#[test]
fn a_list_by_duration_is_followed_by_its_cursor_without_an_anchor() {
    let it = fixture();
    let mut expected: Vec<(u64, ExecutionId)> =
        (0..23).map(|number| (number * 7 % 10, it.record(&it.owner, &it.flow, number * 7 % 10))).collect();
    expected.sort_by_key(|item| std::cmp::Reverse(*item));
    let expected: Vec<ExecutionId> = expected.into_iter().map(|(_, id)| id).collect();
    let running = it.tracker.start(&it.owner, StartExecution::of(&it.flow, Source::Api)).unwrap();
    let running = running.wait().unwrap();
    let filter = ExecutionFilter::of_flow(it.flow.id);
    let fingerprint = filter.fingerprint(SortKey::Duration, SortDirection::default());
    let mut request = PageRequest { sort: SortKey::Duration, ..PageRequest::numbered(1, 5) };
    let mut seen = Vec::new();
    loop {
        let found = it.tracker.executions(&it.owner, &filter, request.clone()).unwrap();
        assert_eq!((found.page.total, found.page.total_is_exact, found.searched_to), (24, true, None));
        seen.extend(found.page.items.iter().map(|item| item.id));
        // What comes meanwhile, longest of all or in between, is not of this list.
        it.record(&it.owner, &it.flow, 50_000);
        it.record(&it.owner, &it.flow, 3);
        let Some(after) = found.page.after else { break };
        request.after = Some(Cursor::decode(&after, fingerprint).unwrap());
    }
    assert_eq!(seen, [&expected[..], &[running.id()]].concat(), "what has not ended comes last");

    let first = PageRequest { sort: SortKey::Duration, ..PageRequest::numbered(1, 1) };
    let newest = it.tracker.executions(&it.owner, &filter, first).unwrap().page;
    assert_eq!(newest.items[0].duration_ms, Some(50_000), "a new list has what has come");
    let text = newest.after.unwrap();
    let by_start = filter.fingerprint(SortKey::StartedAt, SortDirection::default());
    Cursor::decode(&text, by_start).expect_err("its cursor is of no other order");
}

#[test]
fn tags_are_held_to_the_same_bounds_when_they_are_recorded_and_asked_for() {
    let it = fixture();
    let start = |key: &str, value: &str| StartExecution::of(&it.flow, Source::Api).tag(key, value);
    for (key, value, field) in [
        ("", "x", "tags"),
        ("a:b", "x", "tags"),
        (&*"k".repeat(65), "x", "tags"),
        ("k", &*"v".repeat(257), "tags.k"),
    ] {
        let error = it.tracker.start(&it.owner, start(key, value)).expect_err("it is refused");
        assert!(matches!(&error, TrackerError::Invalid { field: is, .. } if is == field), "{error}");
    }
    let (key, value) = ("k".repeat(64), "ü".repeat(256));
    let running = it.tracker.start(&it.owner, start(&key, &value)).unwrap().wait().unwrap();
    let tag = Some(format!("{key}:{value}").parse().unwrap());
    assert_eq!(it.find(&it.owner, &ExecutionFilter { tag, ..ExecutionFilter::default() }), [running.id()]);
}
