//! Scripts of flows run in processes that can be stopped, whatever they do, and that can do nothing else.

#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use flowtrail_testkit::{Rest, TestProcess, flow};
use futures_util::future::join_all;
use serde_json::{Value, json};

fn start(folder: &Path) -> TestProcess {
    TestProcess::start(Path::new(env!("CARGO_BIN_EXE_flowtrail")), folder, &[])
}

/// The processes that a process has started.
fn children(of: u32) -> Vec<u32> {
    let stat = |id: u32| std::fs::read_to_string(format!("/proc/{id}/stat")).ok();
    let parent = |id: u32| -> Option<u32> {
        // Behind the name, which may hold anything: the state, then the parent.
        stat(id)?.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    let all = std::fs::read_dir("/proc").unwrap();
    let ids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id| parent(*id) == Some(of)).collect()
}

/// Waits for something to hold, for so long at most.
async fn within(time: Duration, what: impl Fn() -> bool) -> bool {
    let until = Instant::now() + time;
    while Instant::now() < until {
        if what() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    what()
}

async fn create(rest: &Rest, code: &str) -> Value {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let name = format!("script-{}", MADE.fetch_add(1, Ordering::Relaxed));
    let made = flow(&name).field("toolName", json!(name)).transform("t", code).build();
    rest.post("/api/flows", &made).await.expect(201)
}

async fn run(rest: &Rest, flow: &Value) -> Value {
    let path = format!("/api/flows/{}/run", flow["id"].as_str().unwrap());
    rest.post(&path, &json!({})).await.expect(200)
}

/// Loops inside of the engine, which it does not interrupt, and other ways not to end.
const HOSTILE: [&str; 7] = [
    "return Array.prototype.reverse.call({length: 2 ** 53 - 1})",
    "return Array.prototype.indexOf.call({length: 2 ** 53 - 1}, 1)",
    "return Array.prototype.includes.call({length: 2 ** 53 - 1}, 1)",
    "return Array.prototype.lastIndexOf.call({length: 2 ** 53 - 1}, 1)",
    "return Array.prototype.copyWithin.call({length: 2 ** 53 - 1}, 1, 0)",
    "return /^(a+)+$/.test('a'.repeat(60) + 'b')",
    "while (true);",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_cannot_be_interrupted_is_stopped_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let rest = server.rest();
    let good = create(&rest, "return 1 + 1").await;
    assert_eq!(run(&rest, &good).await["status"], "fulfilled");
    let hostile = join_all(HOSTILE.map(|code| create(&rest, code))).await;
    let ended = join_all(hostile.iter().map(|flow| run(&rest, flow))).await;
    for (code, ended) in HOSTILE.into_iter().zip(ended) {
        assert_eq!(ended["errorInfo"]["kind"], "timeout", "{code}: {ended}");
    }
    // The last one is kept for the next script.
    assert!(within(Duration::from_secs(6), || children(server.id()).len() <= 1).await);
    assert_eq!(run(&rest, &good).await["status"], "fulfilled");
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_takes_long_to_compile_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let fields: String = (0..37_000).map(|number| format!("#a{number};")).collect();
    let slow = flow("Slow").transform("t", &format!("class A {{{fields}}}")).build();
    let refused = server.rest().post("/api/flows", &slow).await.expect(400);
    assert_eq!(refused["problems"][0]["field"], "parameters.code", "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("takes longer than 5s to compile"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_s_scripts_do_not_keep_others_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let admin = server.rest();
    let user = admin.post("/api/users", &json!({"name": "Mallory"})).await.expect(201);
    let key = json!({"name": "theirs", "userId": user["id"]});
    let key = admin.post("/api/keys", &key).await.expect(201);
    let mallory = admin.with_key(key["key"].as_str());
    let hostile = create(&mallory, "while (true);").await;
    let good = create(&admin, "return 1 + 1").await;
    let calls = (0..40).map(|_| {
        let (mallory, hostile) = (mallory.clone(), hostile.clone());
        tokio::spawn(async move { run(&mallory, &hostile).await })
    });
    let calls: Vec<_> = calls.collect();
    let running = || children(server.id()).len() >= 2;
    assert!(within(Duration::from_secs(10), running).await, "the hostile scripts run");
    for _ in 0..20 {
        assert_eq!(run(&admin, &good).await["status"], "fulfilled");
    }
    let ended = calls.iter().filter(|call| call.is_finished()).count();
    assert!(ended < calls.len() / 2, "the honest ones waited until {ended} hostile ones had ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_has_nothing_but_its_pipes_and_ends_with_its_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let rest = server.rest();
    let good = create(&rest, "return 1 + 1").await;
    run(&rest, &good).await;
    let worker = *children(server.id()).first().expect("a worker");
    let proc = PathBuf::from(format!("/proc/{worker}"));
    let mut files: Vec<PathBuf> = std::fs::read_dir(proc.join("fd"))
        .unwrap()
        .map(|entry| std::fs::read_link(entry.unwrap().path()).unwrap())
        .collect();
    files.sort();
    files.dedup();
    let is_pipe = |file: &PathBuf| file.to_str().is_some_and(|file| file.starts_with("pipe:"));
    assert!(files.len() == 2 && files.iter().all(is_pipe), "{files:?}");
    let environment = std::fs::read_to_string(proc.join("environ")).unwrap();
    let others: Vec<&str> =
        environment.split('\0').filter(|it| !it.is_empty() && !it.starts_with("TZ=")).collect();
    assert_eq!(others, <[&str; 0]>::default());
    let status = std::fs::read_to_string(proc.join("status")).unwrap();
    assert!(status.contains("Seccomp:\t2") && status.contains("NoNewPrivs:\t1"), "{status}");
    let limits = std::fs::read_to_string(proc.join("limits")).unwrap();
    let none = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().take(2).all(|limit| limit == "0")
    };
    for name in ["Max open files", "Max processes", "Max file size", "Max core file size"] {
        assert!(none(name), "{limits}");
    }
    server.kill();
    assert!(within(Duration::from_secs(5), || !proc.join("fd").exists()).await, "it outlives its server");
}
