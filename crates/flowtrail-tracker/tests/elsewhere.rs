//! Executions that run elsewhere: leases, late reports, and what is kept of them.

use std::sync::Arc;
use std::time::Duration;

use flowtrail_store::MemoryStore;
use flowtrail_tracker::{
    Applied, FinishedExecution, FinishedNode, FlowChange, Options, ReportedEnd, Sent, StartExecution,
    Tracker, TrackerError,
};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{
    CaptureMark, CapturePolicy, ErrorKind, Execution, ExecutionId, ExecutionStatus, Flow, ManualClock,
    Principal, SequentialIds, Source, read_json_value,
};
use serde_json::{Value, json};

struct Fixture {
    clock: Arc<ManualClock>,
    tracker: Tracker,
    me: Principal,
    flow: Arc<Flow>,
}

fn fixture() -> Fixture {
    let clock = Arc::new(ManualClock::default());
    let options = Options {
        clock: clock.clone(),
        ids: Arc::new(SequentialIds::default()),
        housekeeping: None,
        ..Options::default()
    };
    let tracker = Tracker::with_options(MemoryStore::new(), options).unwrap();
    let me = tracker.local_administrator().unwrap();
    let flow = tracker.external_flow(&me, "Import").unwrap();
    Fixture { clock, tracker, me, flow }
}

impl Fixture {
    fn start(&self, lease: Option<Duration>) -> ExecutionId {
        let mut start = StartExecution::of(&self.flow, Source::Api);
        if let Some(lease) = lease {
            start = start.lease(lease);
        }
        let (id, applied) = self.tracker.start_elsewhere(&self.me, &start).unwrap().wait().unwrap();
        assert_eq!(applied, Applied::Written);
        id
    }

    fn append(&self, id: ExecutionId, seq: i32) -> Result<Applied, TrackerError> {
        let node = FinishedNode::completed(seq, "fetch", "http");
        self.tracker.append(&self.me, id, &[node])?.wait()
    }

    fn end(&self, id: ExecutionId, outputs: Option<&Value>) -> Result<Applied, TrackerError> {
        let end =
            ReportedEnd { outcome: Outcome::Fulfilled, ended_at: None, outputs: outputs.map(Sent::from) };
        self.tracker.end(&self.me, id, &end)?.wait()
    }

    #[track_caller]
    fn read(&self, id: ExecutionId) -> Execution {
        self.tracker.execution(&self.me, id).unwrap()
    }
}

#[test]
fn a_lease_is_renewed_by_every_append_and_runs_out_in_silence() {
    let f = fixture();
    let id = f.start(Some(Duration::from_secs(30)));
    for seq in 1..=10 {
        f.clock.advance(Duration::from_secs(29));
        assert_eq!(f.append(id, seq).unwrap(), Applied::Written);
        assert_eq!(f.tracker.housekeep().unwrap().interrupted, 0, "it was heard of");
    }
    f.clock.advance(Duration::from_secs(60));
    let done = f.tracker.housekeep().unwrap();
    assert_eq!((done.interrupted, done.timed_out), (1, 0));
    let ended = f.read(id);
    assert_eq!((ended.summary.status, ended.summary.inferred), (ExecutionStatus::Error, true));
    let error = ended.error_info.unwrap();
    assert_eq!(error.kind, ErrorKind::Interrupted);
    assert!(error.message.contains("within its lease of 30s"), "{}", error.message);

    // The reporter was only cut off: what it says counts, once.
    assert_eq!(f.append(id, 11).unwrap(), Applied::Written);
    let outputs = json!({"rows": 11});
    assert_eq!(f.end(id, Some(&outputs)).unwrap(), Applied::Corrected);
    let corrected = f.read(id);
    assert_eq!((corrected.summary.status, corrected.summary.inferred), (ExecutionStatus::Fulfilled, false));
    assert_eq!(corrected.node_executions.len(), 11);
    assert_eq!(f.end(id, Some(&outputs)).unwrap(), Applied::Already);
    assert!(matches!(f.end(id, None), Err(TrackerError::AlreadyEnded { .. })));
}

#[test]
fn without_a_lease_it_has_the_flow_s_timeout_for_all_of_it() {
    let f = fixture();
    let id = f.start(None);
    f.clock.advance(Duration::from_secs(290));
    f.append(id, 1).unwrap();
    f.clock.advance(Duration::from_secs(30));
    assert_eq!(f.tracker.housekeep().unwrap().timed_out, 1);
    assert_eq!(f.read(id).error_info.unwrap().kind, ErrorKind::Timeout);
}

#[test]
fn what_a_policy_keeps_out_is_kept_out_of_later_steps_too() {
    let f = fixture();
    let change = FlowChange { capture: Some(CapturePolicy::Metadata), ..FlowChange::default() };
    let flow = f.tracker.change_flow(&f.me, f.flow.id, |_| Ok::<_, TrackerError>(change.clone())).unwrap();
    let start = StartExecution::of(&flow, Source::Api);
    let (id, _) = f.tracker.start_elsewhere(&f.me, &start).unwrap().wait().unwrap();
    // The flow keeps everything again; this execution began under the other rule.
    let change = FlowChange { capture: Some(CapturePolicy::Full), ..FlowChange::default() };
    f.tracker.change_flow(&f.me, f.flow.id, |_| Ok::<_, TrackerError>(change.clone())).unwrap();
    let data = json!({"iban": "private"});
    let node = FinishedNode {
        input: Some(Sent::from(&data)),
        error: Some((ErrorKind::Failed, "private")),
        ..FinishedNode::completed(1, "fetch", "http")
    };
    f.tracker.append(&f.me, id, &[node]).unwrap().wait().unwrap();
    f.end(id, Some(&data)).unwrap();
    let kept = f.read(id);
    let text = serde_json::to_string(&kept).unwrap();
    assert!(!text.contains("private"), "{text}");
    assert_eq!(kept.node_executions.len(), 1);
}

/// What an earlier version made of [`NUMBERS`].
const ROUNDED: &str = r#"{"n": 1.1, "m": 100.0, "big": 1.8446744073709552e+19, "z": -0.0}"#;
const NUMBERS: &str = r#"{"n": 1.10, "m": 1e2, "big": 18446744073709551617, "z": -0}"#;

#[test]
fn what_was_recorded_with_rounded_numbers_is_not_recorded_anew() {
    let f = fixture();
    let [old, new, other] =
        [ROUNDED, NUMBERS, r#"{"n": 1.11}"#].map(|json| read_json_value(json.as_bytes()).unwrap());
    let new_id = || ExecutionId::from_uuid(f.tracker.ids().next(f.tracker.clock().now()));
    let id = new_id();
    let begin = |value: &Value| {
        let start = StartExecution::of(&f.flow, Source::Api).id(id).params(value).meta(value);
        f.tracker.start_elsewhere(&f.me, &start).unwrap().wait().map(|(_, applied)| applied)
    };
    let append = |value: &Value| {
        let value = Some(Sent::from(value));
        let node =
            FinishedNode { input: value, output: value, ..FinishedNode::completed(1, "fetch", "http") };
        f.tracker.append(&f.me, id, &[node]).unwrap().wait()
    };
    let end = |value: &Value| f.end(id, Some(value));
    for step in [&begin as &dyn Fn(&Value) -> Result<Applied, TrackerError>, &append, &end] {
        assert_eq!(step(&old).unwrap(), Applied::Written);
        assert_eq!(step(&new).unwrap(), Applied::Already);
        step(&other).unwrap_err();
    }

    let id = new_id();
    let record = |params: &Value, output: &Value, outputs: &Value| {
        let start = StartExecution::of(&f.flow, Source::Api).id(id).params(params);
        let node =
            FinishedNode { output: Some(output.into()), ..FinishedNode::completed(1, "fetch", "http") };
        let finished = FinishedExecution::new(Outcome::Fulfilled, f.tracker.clock().now());
        let finished = finished.nodes(vec![node]).outputs(outputs);
        f.tracker.record(&f.me, &start, &finished).unwrap().wait().map(|(_, applied)| applied)
    };
    assert_eq!(record(&old, &old, &old).unwrap(), Applied::Written);
    assert_eq!(record(&new, &new, &new).unwrap(), Applied::Already);
    record(&new, &other, &new).unwrap_err();
    assert_eq!(f.read(id).initial_params.unwrap().as_str(), old.to_string(), "what is there stays");
}

#[test]
fn a_replaced_surrogate_is_marked_and_hinders_no_replay() {
    let f = fixture();
    let value = json!({"text": "\u{fffd}"});
    let sent = Sent { value: &value, replaced: true };
    let start = StartExecution::of(&f.flow, Source::Api).params(sent);
    let node = FinishedNode { output: Some(sent), ..FinishedNode::completed(1, "fetch", "http") };
    let finished = FinishedExecution::new(Outcome::Fulfilled, f.tracker.clock().now());
    let finished = finished.nodes(vec![node]).outputs(&value);
    let (id, _) = f.tracker.record(&f.me, &start, &finished).unwrap().wait().unwrap();
    let read = f.read(id);
    let mark = CaptureMark { size: 14, captured: true, replaced: true, ..CaptureMark::default() };
    assert_eq!(read.capture.get("initialParams"), Some(&mark));
    assert_eq!(read.capture.get("outputs"), None, "a sign that was sent is none of ours");
    assert_eq!(read.node_executions[0].capture.get("outputData"), Some(&mark));
    assert_eq!(
        serde_json::to_value(mark).unwrap(),
        json!({"size": 14, "truncated": false, "redacted": false, "captured": true, "replaced": true})
    );
    assert_eq!(Value::Object(f.tracker.to_replay(&f.me, id).unwrap().1), value);
}

#[test]
fn what_was_concluded_makes_no_other_record() {
    let f = fixture();
    let id = ExecutionId::from_uuid(f.tracker.ids().next(f.tracker.clock().now()));
    let record = |duration: Option<u64>| {
        let mut finished = FinishedExecution::new(Outcome::Fulfilled, f.tracker.clock().now());
        finished.end.ended_at = None;
        finished.duration = duration.map(Duration::from_secs);
        let finished = finished.nodes(vec![FinishedNode::completed(1, "fetch", "http")]);
        let start = StartExecution::of(&f.flow, Source::Api).id(id);
        f.tracker.record(&f.me, &start, &finished).unwrap().wait().map(|(_, applied)| applied)
    };
    assert_eq!(record(Some(3)).unwrap(), Applied::Written);
    f.clock.advance(Duration::from_secs(3_600));
    assert_eq!(record(Some(3)).unwrap(), Applied::Already, "the same an hour later");
    assert!(matches!(record(Some(4)), Err(TrackerError::Conflict { .. })));
}

#[test]
fn of_start_end_and_duration_what_is_not_told_follows() {
    let f = fixture();
    let now = f.tracker.clock().now();
    let second = time::Duration::SECOND;
    let told = |start: Option<i32>, end: Option<i32>, duration: Option<u64>| {
        let mut started = StartExecution::of(&f.flow, Source::Api);
        if let Some(seconds) = start {
            started = started.started_at(now + second * seconds);
        }
        let mut finished = FinishedExecution::new(Outcome::Fulfilled, now);
        finished.end.ended_at = end.map(|seconds| now + second * seconds);
        finished.duration = duration.map(Duration::from_secs);
        let (id, _) = f.tracker.record(&f.me, &started, &finished).unwrap().wait().unwrap();
        let summary = f.read(id).summary;
        let ended_at = summary.ended_at.unwrap();
        ((summary.started_at - now).whole_seconds(), (ended_at - now).whole_seconds())
    };
    assert_eq!(told(Some(-9), Some(-4), None), (-9, -4));
    assert_eq!(told(Some(-9), None, Some(3)), (-9, -6));
    assert_eq!(told(None, Some(-4), Some(3)), (-7, -4));
    assert_eq!(told(None, None, Some(3)), (-3, 0));
    assert_eq!(told(Some(-9), None, None), (-9, 0));
    assert_eq!(told(None, None, None), (0, 0));
    assert_eq!(told(Some(-4), Some(-9), None), (-4, -4), "an end before the start counts as at the start");
}
