//! The database seen from outside: two processes on one PostgreSQL, a copy while it is in use, a ceiling of the disk, and
//! the commands that tell of it.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flowtrail_store::Store;
use flowtrail_store_diesel::{DatabaseUrl, open_store, testing};
use flowtrail_testkit::{TestProcess, flow};
use flowtrail_tracker::{Changed, FinishedExecution, Options, StartExecution, Tracker};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{ExecutionId, ExecutionStatus, Flow, Principal, Source, StatsScope};
use serde_json::{Value, json};

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_flowtrail"))
}

#[tokio::test]
async fn of_two_processes_on_one_postgres_one_is_killed_and_every_record_is_there_once_with_a_true_end() {
    let Some(database) = testing::test_database() else { return };
    let url = database.url().to_owned();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let arguments = ["--database-url", url.as_str(), "--allow-private-addresses=true"];
    let doomed = TestProcess::start(binary(), folders[0].path(), &arguments);
    let survivor = TestProcess::start(binary(), folders[1].path(), &arguments);

    // A flow that is made in one process is there in the other.
    let quick = flow("Quick")
        .text("name")
        .transform("shape", "return {name: input.name};")
        .returns("{{ shape.name }}");
    let made = doomed.rest().post("/api/flows", &quick.build()).await.expect(201);
    let path = format!("/api/flows/{}/run", made["id"].as_str().unwrap());
    let slow_server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silence = format!("http://{}/", slow_server.local_addr().unwrap());
    let wait = flow("Wait").text("url").node(
        "fetch",
        "ApiCall",
        json!({"method": "GET", "url": "{{ ask.url }}", "timeout": "5m"}),
    );
    let wait = survivor.rest().post("/api/flows", &wait.returns("done").build()).await.expect(201);
    let wait_path = format!("/api/flows/{}/run?wait=false", wait["id"].as_str().unwrap());

    // Some that run on in each of them when one dies.
    let mut left = Vec::new();
    let mut running = Vec::new();
    for (process, ids) in [(&doomed, &mut left), (&survivor, &mut running)] {
        for _ in 0..3 {
            let begun =
                process.rest().post(&wait_path, &json!({"params": {"url": silence}})).await.expect(202);
            ids.push(begun["id"].as_str().unwrap().to_owned());
        }
    }

    // A load on both, which notes what was acknowledged.
    let acknowledged: Arc<Mutex<Vec<String>>> = Arc::default();
    let is_over = Arc::new(AtomicBool::new(false));
    let mut callers = Vec::new();
    for (process, number) in [(&doomed, 0), (&survivor, 1), (&doomed, 2), (&survivor, 3)] {
        let (rest, path) = (process.rest(), path.clone());
        let (acknowledged, is_over) = (Arc::clone(&acknowledged), Arc::clone(&is_over));
        callers.push(tokio::spawn(async move {
            let mut calls = 0u64;
            while !is_over.load(Ordering::Relaxed) {
                let body = json!({"params": {"name": format!("{number}-{calls}")}});
                calls += 1;
                // Of what the dead one did not answer nothing is claimed.
                let Some(answer) = rest.try_post(&path, &body).await else { return };
                let id = answer.expect(200)["id"].as_str().unwrap().to_owned();
                acknowledged.lock().unwrap().push(id);
            }
        }));
    }
    let enough = |count| {
        let acknowledged = Arc::clone(&acknowledged);
        async move {
            let begun = Instant::now();
            while acknowledged.lock().unwrap().len() < count {
                assert!(begun.elapsed() < Duration::from_secs(60), "the load goes on");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    };
    enough(100).await;
    doomed.kill();
    let so_far = acknowledged.lock().unwrap().len();
    enough(so_far + 50).await;
    is_over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }

    // The dead one's pending executions are ended by the other one, its own run on.
    let rest = survivor.rest();
    let begun = Instant::now();
    for id in &left {
        loop {
            let execution = rest.get(&format!("/api/executions/{id}")).await.expect(200);
            if execution["status"] != "pending" {
                assert_eq!(execution["status"], "error", "{execution:#}");
                assert_eq!(execution["inferred"], true);
                assert_eq!(execution["errorInfo"]["kind"], "interrupted");
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "the dead one is found out");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    for id in &running {
        let execution = rest.get(&format!("/api/executions/{id}")).await.expect(200);
        assert_eq!(execution["status"], "pending", "a live process loses none: {execution:#}");
    }
    let ids = acknowledged.lock().unwrap().clone();
    let unique: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len());
    let store = open_store(&url.parse().unwrap(), false).unwrap();
    for id in &ids {
        let id: ExecutionId = id.parse().unwrap();
        let execution = store.executions().lookup(id).unwrap().expect("what was acknowledged is there");
        assert_eq!(execution.summary.status, ExecutionStatus::Fulfilled);
        assert!(!execution.summary.inferred);
        assert_eq!(execution.node_executions.len(), 3);
    }
    let counts = store.executions().status_counts(&StatsScope::All).unwrap();
    assert!(counts.fulfilled >= ids.len() as u64);
    assert_eq!(counts.pending, 3);
}

struct Embedded {
    tracker: Tracker,
    me: Principal,
    flow: Arc<Flow>,
}

fn embedded(url: &DatabaseUrl, options: Options) -> Embedded {
    let tracker = Tracker::with_options(open_store(url, true).unwrap(), options).unwrap();
    let me = tracker.local_administrator().unwrap();
    let flow = tracker.external_flow(&me, "Load").unwrap();
    Embedded { tracker, me, flow }
}

impl Embedded {
    fn record(&self, params: &Value) -> ExecutionId {
        let start = StartExecution::of(&self.flow, Source::Embedded).params(params);
        let finished = FinishedExecution::new(Outcome::Fulfilled, self.tracker.clock().now());
        self.tracker.record(&self.me, &start, &finished).unwrap().wait().unwrap().0
    }
}

#[test]
fn a_copy_made_under_load_holds_all_that_was_acknowledged_before() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("flowtrail.db"));
    let load = embedded(&url, Options::default());
    let acknowledged: Mutex<Vec<ExecutionId>> = Mutex::default();
    let is_over = AtomicBool::new(false);
    let copy = folder.path().join("copy.db");
    let before = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let id = load.record(&json!({"text": "under load"}));
                    acknowledged.lock().unwrap().push(id);
                }
            });
        }
        while acknowledged.lock().unwrap().len() < 300 {
            std::thread::yield_now();
        }
        let before = acknowledged.lock().unwrap().clone();
        let output = flowtrail(&url, &["backup", copy.to_str().unwrap()]);
        is_over.store(true, Ordering::Relaxed);
        assert!(output.status.success(), "{output:?}");
        before
    });
    let store = open_store(&DatabaseUrl::Sqlite(copy.clone()), false).unwrap();
    store.check().unwrap();
    for id in &before {
        assert!(
            store.executions().lookup(*id).unwrap().is_some(),
            "{id} was acknowledged before the copy began"
        );
    }
    let counts = store.executions().status_counts(&StatsScope::All).unwrap();
    assert!(counts.fulfilled >= before.len() as u64, "{counts:?}");

    let again = flowtrail(&url, &["backup", copy.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is there already"), "{again:?}");
    let names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(names.iter().all(|name| !name.contains("partial")), "{names:?}");
}

fn flowtrail(url: &DatabaseUrl, arguments: &[&str]) -> Output {
    let DatabaseUrl::Sqlite(path) = url else { panic!("a file") };
    Command::new(binary())
        .args(arguments)
        .env("DATABASE_URL", format!("sqlite://{}", path.display()))
        .env("FLOWTRAIL_DATA_DIR", path.parent().unwrap())
        .env("FLOWTRAIL_ADMIN_KEY", "ft_storage_tests_administrator")
        .output()
        .unwrap()
}

/// All bytes that a database takes: its file, its log, its shared memory.
fn bytes_of(path: &Path) -> u64 {
    ["", "-wal", "-shm"]
        .iter()
        .map(|suffix| {
            let file = format!("{}{suffix}", path.display());
            std::fs::metadata(file).map_or(0, |file| file.len())
        })
        .sum()
}

#[test]
fn a_ceiling_of_the_disk_holds_at_all_times() {
    const CEILING: u64 = 64 << 20;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flowtrail.db");
    let options = Options { max_disk: Some(CEILING), ..Options::default() };
    let load = embedded(&DatabaseUrl::Sqlite(path.clone()), options);
    // Text that does not compress: each record takes a part of it that begins elsewhere.
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let noise: String = (0..1_000_000)
        .map(|_| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            char::from(b'0' + u8::try_from(random % 64).unwrap())
        })
        .collect();
    let noise = &noise;
    let (written, largest) = (AtomicU64::new(0), AtomicU64::new(0));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                largest.fetch_max(bytes_of(&path), Ordering::Relaxed);
                std::thread::park_timeout(Duration::from_millis(1));
            }
        });
        let callers: Vec<_> = (0..4usize)
            .map(|caller| {
                let (load, written) = (&load, &written);
                scope.spawn(move || {
                    let mut from = caller * 7;
                    // Five times the ceiling; sixty-four characters at random are six bits each.
                    while written.fetch_add(300_000, Ordering::Relaxed) < 5 * CEILING {
                        from = (from + 37_003) % 600_000;
                        load.record(&json!({"noise": &noise[from..from + 400_000]}));
                    }
                })
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        is_over.store(true, Ordering::Relaxed);
    });
    let largest = largest.load(Ordering::Relaxed);
    assert!(largest <= CEILING, "it took {largest} bytes");
    assert!(largest > CEILING / 4, "the ceiling was never near: {largest}");
    let found = load
        .tracker
        .executions(
            &load.me,
            &flowtrail_types::ExecutionFilter::default(),
            flowtrail_types::PageRequest::default(),
        )
        .unwrap();
    assert!(found.page.total > 50, "the newest are there: {}", found.page.total);
    assert_eq!(found.page.items.len(), 20);
}

#[test]
fn the_commands_tell_what_is_there_and_what_goes() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("flowtrail.db"));
    let load = embedded(&url, Options::default());
    (0..1_200).for_each(|number| {
        load.record(&json!({"number": number}));
    });
    let id = load.flow.id.to_string();
    drop(load);
    let output = |arguments: &[&str]| {
        let output = flowtrail(&url, arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let prune = |arguments: &[&str]| -> Value {
        let all: Vec<&str> = [&["executions", "prune", "--json"], arguments].concat();
        serde_json::from_str(&output(&all)).unwrap()
    };
    assert_eq!(prune(&["--older-than", "1d"]), json!({"deleted": 0, "dryRun": false}));
    assert_eq!(
        prune(&["--flow", &id, "--keep", "50", "--dry-run"]),
        json!({"deleted": 1150, "dryRun": true})
    );
    assert_eq!(prune(&["--flow", &id, "--keep", "50"]), json!({"deleted": 1150, "dryRun": false}));
    let stats: Value = serde_json::from_str(&output(&["stats", &id, "--json"])).unwrap();
    assert_eq!(
        (&stats["total"], &stats["fulfilled"], &stats["successRate"]),
        (&json!(50), &json!(50), &json!(1.0))
    );
    let recorded: Value = serde_json::from_str(&output(&["stats", &id, "--recorded", "--json"])).unwrap();
    assert_eq!(recorded["total"], 1_200);
    assert_eq!(prune(&["--older-than", "0s", "--dry-run"]), json!({"deleted": 50, "dryRun": true}));
    assert_eq!(prune(&["--older-than", "0s"]), json!({"deleted": 50, "dryRun": false}));
    let told = output(&["executions", "prune", "--older-than", "0s"]);
    assert!(told.contains("0 executions are gone from every answer"), "{told}");

    let size: Value = serde_json::from_str(&output(&["db", "size", "--json"])).unwrap();
    let tables = size["tables"].as_array().unwrap();
    assert!(tables.iter().any(|table| table["name"] == "execution_payloads"), "{size:#}");
    assert!(size["reclaimable"].as_u64().unwrap() > 0, "{size:#}");
    assert!(output(&["db", "size"]).contains("can be given back"));
    assert!(output(&["stats", "--by", "day"]).contains("P95"));

    let wrong = flowtrail(&url, &["executions", "prune"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("--older-than"), "{wrong:?}");
}

#[test]
fn what_one_process_writes_another_one_s_watchers_hear_of() {
    let folder = tempfile::tempdir().unwrap();
    let file = DatabaseUrl::Sqlite(folder.path().join("flowtrail.db"));
    let database = testing::test_database();
    let server = database.as_ref().map(|database| database.url().parse::<DatabaseUrl>().unwrap());
    for url in [Some(file), server].into_iter().flatten() {
        let (one, other) = (embedded(&url, Options::default()), embedded(&url, Options::default()));
        let (mut here, mut there) = (one.tracker.changes(), other.tracker.changes());
        let begun = Instant::now();
        // The first look only begins to listen, and says so.
        let mut heard = false;
        while !heard {
            let id = one.record(&json!({}));
            assert!(begun.elapsed() < Duration::from_secs(30), "nothing was heard on {url}");
            let wait = Instant::now();
            while !heard && wait.elapsed() < Duration::from_secs(1) {
                match there.try_recv() {
                    Ok(Changed::Executions(ids)) => heard = ids.contains(&id),
                    Ok(_) | Err(_) => std::thread::park_timeout(Duration::from_millis(5)),
                }
            }
            // One's own is there as soon as it is acknowledged.
            let own: Vec<Changed> = std::iter::from_fn(|| here.try_recv().ok()).collect();
            let is_there = |change: &Changed| matches!(change, Changed::Executions(ids) if ids[..] == [id]);
            assert!(own.iter().any(is_there), "{own:?}");
        }
    }
}

#[test]
fn a_database_that_somebody_else_locks_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flowtrail.db");
    let load = embedded(&DatabaseUrl::Sqlite(path.clone()), Options::default());
    load.record(&json!({}));
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let written = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| load.record(&json!({"text": "patient"})));
        std::thread::park_timeout(Duration::from_millis(700));
        assert!(!waiting.is_finished(), "it waits");
        other.execute_batch("COMMIT").unwrap();
        waiting.join().unwrap()
    });
    assert!(load.tracker.execution(&load.me, written).is_ok());
}
