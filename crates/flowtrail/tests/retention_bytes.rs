//! Rules by bytes: no more goes than has to, the newest stay, and what is free is given back.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flowtrail_store_diesel::{DatabaseUrl, open_store, testing};
use flowtrail_testkit::TestProcess;
use flowtrail_tracker::{
    FinishedExecution, FlowChange, Keep, Options, StartExecution, Tracker, TrackerError,
};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{
    Clock, ExecutionFilter, ExecutionId, Flow, FlowId, PageRequest, Principal, Retention, Source, SystemClock,
};
use serde_json::{Value, json};

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_flowtrail"))
}

/// Text that hardly compresses, always another.
struct Noise(u64);

impl Noise {
    fn text(&mut self, length: usize) -> String {
        let digit = |random: u64| char::from(b'0' + u8::try_from(random % 64).expect("below 64"));
        (0..length)
            .map(|_| {
                self.0 ^= self.0 << 13;
                self.0 ^= self.0 >> 7;
                self.0 ^= self.0 << 17;
                digit(self.0 >> 20)
            })
            .collect()
    }
}

struct Subject {
    tracker: Tracker,
    me: Principal,
    noise: Noise,
}

impl Subject {
    fn new(url: &DatabaseUrl, retention: Retention, max_disk: Option<u64>) -> Self {
        let options =
            Options { retention, max_disk, housekeeping: None, upkeep: false, ..Options::default() };
        let tracker = Tracker::with_options(open_store(url, true).unwrap(), options).unwrap();
        let me = tracker.local_administrator().unwrap();
        Self { tracker, me, noise: Noise(0x9e37_79b9_7f4a_7c15) }
    }

    fn flow(&self, name: &str, max_bytes: Option<u64>) -> Arc<Flow> {
        let flow = self.tracker.external_flow(&self.me, name).unwrap();
        let retention =
            max_bytes.map(|max_bytes| Retention { max_bytes: Some(max_bytes), ..Retention::default() });
        let change = FlowChange { retention: Some(retention), ..FlowChange::default() };
        self.tracker.change_flow(&self.me, flow.id, |_| Ok::<_, TrackerError>(change.clone())).unwrap()
    }

    /// Records executions of some kilobytes each, so far apart; the oldest first.
    fn fill(&mut self, flow: &Flow, count: u32, apart: Duration) -> Vec<ExecutionId> {
        let now = self.tracker.clock().now();
        (0..count)
            .map(|number| {
                let began = now - apart * (count - number);
                let params = json!({"text": self.noise.text(2_000)});
                let start = StartExecution::of(flow, Source::Embedded).params(&params).started_at(began);
                let finished = FinishedExecution::new(Outcome::Fulfilled, began + Duration::from_millis(1));
                self.tracker.record(&self.me, &start, &finished).unwrap().wait().unwrap().0
            })
            .collect()
    }

    /// The executions of a flow that are there, the oldest first.
    fn kept(&self, flow: FlowId) -> Vec<ExecutionId> {
        let page = |number| {
            let request = PageRequest::numbered(number, 100);
            self.tracker.executions(&self.me, &ExecutionFilter::of_flow(flow), request).unwrap().page
        };
        let pages = (1..=page(1).total_pages).map(|number| u32::try_from(number).unwrap());
        let mut kept: Vec<ExecutionId> =
            pages.flat_map(|number| page(number).items).map(|item| item.id).collect();
        kept.reverse();
        kept
    }
}

const MINUTE: Duration = Duration::from_secs(60);

fn rules_of_flows(url: &DatabaseUrl) {
    let mut subject = Subject::new(url, Retention::default(), None);
    // 2,000 characters of six bits are 1,500 bytes, and what belongs to them.
    for (name, count, apart, limit, fit) in [
        ("20 within 20 minutes", 20, MINUTE, 20_000, 11..=13),
        ("50 within 50 hours", 50, 60 * MINUTE, 20_000, 11..=13),
        ("300 within 5 hours", 300, MINUTE, 200_000, 110..=133),
        ("All of it fits", 20, MINUTE, 200_000, 20..=20),
        ("None of it fits", 20, MINUTE, 1, 0..=0),
    ] {
        let flow = subject.flow(name, Some(limit));
        let recorded = subject.fill(&flow, count, apart);
        let running = subject
            .tracker
            .start(&subject.me, StartExecution::of(&flow, Source::Embedded))
            .unwrap()
            .wait()
            .unwrap();
        subject.tracker.keep_up().unwrap();
        let mut kept = subject.kept(flow.id);
        assert_eq!(kept.pop(), Some(running.id()), "{name}: what is pending stays");
        assert!(fit.contains(&kept.len()), "{name}: {} are kept", kept.len());
        assert_eq!(kept[..], recorded[recorded.len() - kept.len()..], "{name}: the newest are kept");
        assert_eq!(subject.tracker.keep_up().unwrap().pruned, 0, "{name}: nothing more has to go");
        running.fulfil(None).wait().unwrap();
    }
}

fn the_rule_of_the_server(url: &DatabaseUrl) {
    let server = Retention { max_bytes: Some(20_000), ..Retention::default() };
    let mut subject = Subject::new(url, server, None);
    let [one, other] = ["One", "Other"].map(|name| subject.flow(name, None));
    let own = subject.flow("Own rules", Some(200_000));
    let of_own = subject.fill(&own, 30, MINUTE);
    let of_one = subject.fill(&one, 20, 60 * MINUTE);
    let of_other = subject.fill(&other, 10, MINUTE);
    subject.tracker.keep_up().unwrap();
    assert_eq!(subject.kept(own.id), of_own, "a flow with rules of its own is not touched");
    // Together they take no more than the rule says, whose ever the newest are.
    let (one, other) = (subject.kept(one.id), subject.kept(other.id));
    assert_eq!(other, of_other, "the newest of all");
    assert!((1..=3).contains(&one.len()), "{} are kept", one.len());
    assert_eq!(one[..], of_one[of_one.len() - one.len()..]);
}

#[test]
fn rules_of_flows_keep_the_newest_that_fit() {
    let folder = tempfile::tempdir().unwrap();
    rules_of_flows(&DatabaseUrl::Sqlite(folder.path().join("flowtrail.db")));
}

#[test]
fn rules_of_flows_keep_the_newest_that_fit_in_postgres() {
    let Some(database) = testing::test_database() else { return };
    rules_of_flows(&database.url().parse().unwrap());
}

#[test]
fn the_rule_of_the_server_keeps_the_newest_that_fit() {
    let folder = tempfile::tempdir().unwrap();
    the_rule_of_the_server(&DatabaseUrl::Sqlite(folder.path().join("flowtrail.db")));
}

#[test]
fn the_rule_of_the_server_keeps_the_newest_that_fit_in_postgres() {
    let Some(database) = testing::test_database() else { return };
    the_rule_of_the_server(&database.url().parse().unwrap());
}

#[test]
fn a_ceiling_leaves_as_many_as_fit() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("flowtrail.db"));
    let mut subject = Subject::new(&url, Retention::default(), Some(64 << 20));
    let flow = subject.flow("Large", None);
    let mut fewest = u64::MAX;
    // Of 500,000 characters 375,000 bytes are stored: more than 100 of them fit beside the log.
    for number in 0..180 {
        let params = json!({"text": subject.noise.text(500_000)});
        let start = StartExecution::of(&flow, Source::Embedded).params(&params);
        let finished = FinishedExecution::new(Outcome::Fulfilled, subject.tracker.clock().now());
        subject.tracker.record(&subject.me, &start, &finished).unwrap().wait().unwrap();
        if number > 140 {
            let request = PageRequest { limit: 1, ..PageRequest::default() };
            let page = subject.tracker.executions(&subject.me, &ExecutionFilter::of_flow(flow.id), request);
            fewest = fewest.min(page.unwrap().page.total);
        }
    }
    assert!((90..=140).contains(&fewest), "{fewest} were kept");
}

#[test]
fn what_is_free_is_given_back_when_nobody_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flowtrail.db");
    let options = Options::default();
    let tracker =
        Tracker::with_options(open_store(&DatabaseUrl::Sqlite(path.clone()), true).unwrap(), options);
    let tracker = tracker.unwrap();
    let me = tracker.local_administrator().unwrap();
    let mut subject = Subject { tracker, me, noise: Noise(7) };
    let flow = subject.flow("Load", None);
    subject.fill(&flow, 8_000, Duration::from_secs(1));
    let size =
        |suffix: &str| std::fs::metadata(format!("{}{suffix}", path.display())).map_or(0, |file| file.len());
    let before = size("");
    assert!(before > 8 << 20, "{before}");
    subject.tracker.prune(&subject.me, flow.id, Keep::Newest(10)).unwrap();
    let begun = std::time::Instant::now();
    while size("") > 1 << 20 || size("-wal") > 0 {
        let waited = begun.elapsed();
        assert!(waited < Duration::from_secs(60), "{} bytes and a log of {}", size(""), size("-wal"));
        std::thread::park_timeout(Duration::from_millis(100));
    }
    assert_eq!(subject.kept(flow.id).len(), 10);
}

/// Fills a flow by a batch while its rule is not looked at, and starts the server again, which looks at once.
async fn as_process(database: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let mut noise = Noise(11);
    let first = TestProcess::start(binary(), folder.path(), database);
    let rest = first.rest();
    let mut flows = Vec::new();
    for (name, retention) in [("Own", json!({"maxBytes": 20_000})), ("Of the server", Value::Null)] {
        let external = json!({"kind": "external", "name": name, "retention": retention});
        let made = rest.post("/api/flows", &external).await.expect(201);
        flows.push(made["id"].as_str().unwrap().to_owned());
    }
    let now = SystemClock.now();
    for flow in &flows {
        let lines: String = (0..50)
            .map(|number| {
                let began = flowtrail_types::timestamp::format(now - MINUTE * (number + 1));
                let line = json!({"flowId": flow, "status": "fulfilled", "startedAt": began, "duration": 1,
                    "initialParams": {"text": noise.text(2_000)}});
                format!("{line}\n")
            })
            .collect();
        rest.post_bytes("/api/executions/batch", lines.into_bytes()).await.expect(200);
    }
    drop(first);
    let arguments = [database, &["--retention-bytes", "40000"]].concat();
    let second = TestProcess::start(binary(), folder.path(), &arguments);
    for (flow, fit) in flows.iter().zip([11..=13, 23..=27]) {
        let path = format!("/api/flows/{flow}/executions");
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        let mut total = json!(50);
        for _ in 0..600 {
            looks.tick().await;
            total = second.rest().get(&path).await.expect(200)["total"].clone();
            if total != 50 {
                break;
            }
        }
        let kept = usize::try_from(total.as_u64().unwrap()).unwrap();
        assert!(fit.contains(&kept), "{kept} are kept");
    }
}

#[tokio::test]
async fn rules_by_bytes_hold_in_a_process() {
    as_process(&[]).await;
}

#[tokio::test]
async fn rules_by_bytes_hold_in_a_process_on_postgres() {
    let Some(database) = testing::test_database() else { return };
    as_process(&["--database-url", database.url()]).await;
}
