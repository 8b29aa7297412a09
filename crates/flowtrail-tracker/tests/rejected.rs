//! Calls that are rejected before they run.

use std::sync::Arc;
use std::time::Duration;

use flowtrail_store::MemoryStore;
use flowtrail_tracker::{
    ExecutionAct, Options, Redactor, RejectedCall, RejectedTool, Sent, StatsRange, Tracker, TrackerError,
};
use flowtrail_types::{
    Access, CapturePolicy, ErrorKind, Execution, ExecutionFilter, ExecutionStatus, Flow, FlowDraft, FlowKind,
    ManualClock, PageRequest, Principal, Role, Source, Statistics,
};
use serde_json::{Value, json};

struct Fixture {
    tracker: Tracker,
    clock: Arc<ManualClock>,
    admin: Principal,
    user: Principal,
    flow: Arc<Flow>,
}

fn fixture(record_rejected: bool) -> Fixture {
    let clock = Arc::new(ManualClock::default());
    let options = Options {
        clock: clock.clone(),
        housekeeping: None,
        upkeep: false,
        record_rejected,
        redactor: Redactor::new([("SHOP", "hunter2hunter2")]).unwrap(),
        ..Options::default()
    };
    let tracker = Tracker::with_options(MemoryStore::new(), options).unwrap();
    let admin = tracker.local_administrator().unwrap();
    let user = Principal::from(tracker.create_user(&admin, "ana", Role::User).unwrap());
    let access = Access { public: true, ..Access::default() };
    let draft = FlowDraft { access, ..FlowDraft::new(FlowKind::External, "Shared") };
    let flow = tracker.create_flow(&admin, draft).unwrap();
    Fixture { tracker, clock, admin, user, flow }
}

/// A call of a flow with an argument of the wrong type.
fn wrong(flow: &Flow) -> RejectedTool<'_> {
    let problems = vec![(Some("orderId"), "expected string, got 7".to_owned())];
    RejectedTool::Flow { flow, first_param: Some("orderId"), problems }
}

impl Fixture {
    fn wrong(&self) -> RejectedTool<'_> {
        wrong(&self.flow)
    }

    /// Whether anything was recorded or counted.
    fn reject(&self, who: &Principal, tool: RejectedTool<'_>, meta: &Value) -> bool {
        let params = json!({"orderId": 7});
        let call = RejectedCall {
            tool,
            source: Source::Mcp,
            params: Sent::from(&params),
            meta: Some(meta),
            replay_of: None,
        };
        let acknowledged = self.tracker.reject(who, &call).unwrap();
        acknowledged.map(|written| written.wait().unwrap()).is_some()
    }

    fn reject_flow(&self, who: &Principal) -> bool {
        self.reject(who, self.wrong(), &json!({"client": {"name": "it"}}))
    }

    fn listed(&self, who: &Principal) -> Vec<Execution> {
        let request = PageRequest { limit: 100, ..PageRequest::default() };
        let page = self.tracker.executions(who, &ExecutionFilter::default(), request).unwrap();
        page.page.items.iter().map(|item| self.tracker.execution(who, item.id).unwrap()).collect()
    }

    fn figures(&self) -> Statistics {
        self.tracker.statistics(&self.admin, None, StatsRange::default()).unwrap()
    }
}

#[test]
fn nothing_is_recorded_unless_it_is_asked_for() {
    let f = fixture(false);
    assert!(!f.tracker.records_rejected());
    assert!(!f.reject_flow(&f.user) && !f.reject(&f.user, RejectedTool::Unknown("x"), &Value::Null));
    assert_eq!((f.listed(&f.admin).len(), f.figures().rejected), (0, 0));
}

#[test]
fn a_rejected_call_is_a_failed_execution_of_its_flow() {
    let f = fixture(true);
    assert!(f.reject_flow(&f.user));
    let found = f.listed(&f.user).remove(0);
    assert_eq!(found.summary.flow_id, Some(f.flow.id));
    assert_eq!((found.summary.status, found.summary.duration_ms), (ExecutionStatus::Error, Some(0)));
    assert_eq!(found.summary.user_id, Some(f.user.id));
    let error = found.error_info.as_ref().unwrap();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ErrorKind::InvalidInput, "orderId: expected string, got 7")
    );
    assert_eq!(found.meta.unwrap().to_value(), json!({"rejected": true, "client": {"name": "it"}}));
    assert_eq!(found.initial_params.unwrap().to_value(), json!({"orderId": 7}));
    assert!(found.node_executions.is_empty() && found.capture.is_empty());
    let figures = f.figures();
    assert_eq!((figures.total, figures.error, figures.rejected, figures.success_rate), (0, 0, 1, None));
}

#[test]
fn flows_that_keep_no_data_keep_that_it_was_rejected() {
    for policy in [CapturePolicy::Metadata, CapturePolicy::None] {
        let f = fixture(true);
        let draft = FlowDraft { capture: policy, ..FlowDraft::new(FlowKind::External, "Secretive") };
        let flow = f.tracker.create_flow(&f.user, draft).unwrap();
        assert!(f.reject(&f.user, wrong(&flow), &json!({"client": {"name": "it"}})));
        let found = f.listed(&f.user).remove(0);
        assert_eq!(found.meta.unwrap().to_value(), json!({"rejected": true}), "{policy:?}");
        assert_eq!(found.error_info.unwrap().message, "invalid_input");
        assert!(found.initial_params.is_none() && found.summary.initial_params_preview.is_none());
    }
}

#[test]
fn of_each_user_ten_a_second_are_recorded_and_the_others_counted() {
    let f = fixture(true);
    for _ in 0..25 {
        assert!(f.reject_flow(&f.user));
    }
    assert!(f.reject_flow(&f.admin), "another user has places of their own");
    assert_eq!((f.listed(&f.admin).len(), f.figures().rejected, f.figures().total), (11, 26, 0));
    f.clock.advance(Duration::from_millis(999));
    f.reject_flow(&f.user);
    assert_eq!((f.listed(&f.admin).len(), f.figures().rejected), (11, 27));
    f.clock.advance(Duration::from_millis(1));
    f.reject_flow(&f.user);
    assert_eq!((f.listed(&f.admin).len(), f.figures().rejected), (12, 28));
}

#[test]
fn a_tool_that_does_not_exist_is_named_without_a_secret() {
    let f = fixture(true);
    let long = format!("{}hunter2hunter2", "🚀".repeat(95));
    for (tool, kept) in [
        ("no_such_tool", "no_such_tool".to_owned()),
        ("", String::new()),
        (&"x".repeat(5_000), "x".repeat(100)),
        (&"🚀".repeat(150), "🚀".repeat(100)),
        ("a\u{0}b\n", "a\u{0}b\n".to_owned()),
        (&long, format!("{}[reda", "🚀".repeat(95))),
    ] {
        f.clock.advance(Duration::from_secs(2));
        assert!(f.reject(
            &f.user,
            RejectedTool::Unknown(tool),
            &json!({"protocol": "2026-07-28", "tool": "mine"})
        ));
        let found = f.listed(&f.user).remove(0);
        assert_eq!((found.summary.flow_id, found.summary.flow_name.as_str()), (None, "(unknown tool)"));
        let meta = json!({"rejected": true, "tool": kept, "protocol": "2026-07-28"});
        assert_eq!(found.meta.unwrap().to_value(), meta);
        assert_eq!(found.error_info.unwrap().message, format!("Unknown tool: {kept}"));
    }
    assert_eq!((f.figures().total, f.figures().rejected), (0, 6));
}

#[test]
fn unknown_tools_are_shown_to_who_called_them_and_to_administrators() {
    let f = fixture(true);
    let other = Principal::from(f.tracker.create_user(&f.admin, "ben", Role::User).unwrap());
    assert!(f.reject(&f.user, RejectedTool::Unknown("x"), &Value::Null));
    let id = f.listed(&f.admin)[0].summary.id;
    assert_eq!((f.listed(&f.user).len(), f.listed(&other).len()), (1, 0));
    assert!(matches!(f.tracker.execution(&other, id), Err(TrackerError::NotFound(_))));
    let listed = f.tracker.flows(&f.admin, flowtrail_types::FlowQuery::default()).unwrap();
    assert_eq!(listed.total, 1, "its flow is shown nowhere");
    // It cannot be run again: there is nothing to run.
    assert!(matches!(f.tracker.to_replay(&f.admin, id), Err(TrackerError::NotFound(_))));
    let found = f.tracker.execution(&f.user, id).unwrap();
    assert!(!f.tracker.allowed_with_execution(&f.user, &found).unwrap().contains(&ExecutionAct::Replay));
}

#[test]
fn who_may_only_read_records_nothing() {
    let f = fixture(true);
    let reader = Principal { only: Some([f.flow.id].into_iter().collect()), ..f.user.clone() };
    assert!(reader.is_reader());
    assert!(!f.reject_flow(&reader) && !f.reject(&reader, RejectedTool::Unknown("x"), &Value::Null));
    let hidden = f.tracker.create_flow(&f.admin, FlowDraft::new(FlowKind::External, "Hidden")).unwrap();
    assert!(!f.reject(&f.user, wrong(&hidden), &Value::Null));
    assert_eq!(f.figures().rejected, 0);
}

#[test]
fn what_is_said_of_a_secret_argument_is_as_secret() {
    let f = fixture(true);
    let problems = vec![
        (Some("password"), "expected string, got the number 12345678".to_owned()),
        (Some("count"), "expected integer, got the string \"hunter2hunter2\"".to_owned()),
        (None, "nothing fits".to_owned()),
    ];
    let tool = RejectedTool::Flow { flow: &f.flow, first_param: None, problems };
    assert!(f.reject(&f.user, tool, &Value::Null));
    let message = f.listed(&f.user).remove(0).error_info.unwrap().message;
    assert!(!message.contains("12345678") && !message.contains("hunter2"), "{message}");
    assert!(message.contains("password: ") && message.contains("count: expected integer"), "{message}");
    assert!(message.ends_with("\nnothing fits"), "{message}");
}
