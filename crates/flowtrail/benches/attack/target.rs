//! The server that is attacked, and how it is watched.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flowtrail_testkit::{Rest, TestProcess, http_client};
use serde_json::json;
use tokio::task::JoinHandle;

/// The memory budget of the server that is attacked.
pub(crate) const BUDGET: u64 = 256 << 20;

/// Memory of the process beside its budget.
pub(crate) const BESIDE: u64 = 150 << 20;

/// A server as a process.
pub(crate) struct Target {
    pub(crate) process: TestProcess,
    pub(crate) rest: Rest,
    _folder: tempfile::TempDir,
}

impl Target {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let binary = Path::new(env!("CARGO_BIN_EXE_flowtrail"));
        let process = TestProcess::start(binary, folder.path(), &["--memory", "256MiB"]);
        let rest = process.rest();
        Self { process, rest, _folder: folder }
    }

    /// A user, and their client.
    pub(crate) async fn user(&self, name: &str) -> Rest {
        let user = self.rest.post("/api/users", &json!({"name": name})).await.expect(201);
        let key = json!({"name": name, "userId": user["id"]});
        let key = self.rest.post("/api/keys", &key).await.expect(201);
        self.rest.with_key(key["key"].as_str())
    }

    /// The bytes that the server's process holds now.
    pub(crate) fn resident(&self) -> u64 {
        resident(self.process.id())
    }

    /// Watches from now on.
    pub(crate) fn watch(&self) -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let most = Arc::new(AtomicU64::new(0));
        let (base, id) = (self.process.base().to_owned(), self.process.id());
        let (stopped, highest) = (Arc::clone(&stop), Arc::clone(&most));
        let looking = tokio::spawn(async move {
            let client = http_client();
            let mut latencies = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let answer = client.get(format!("{base}/healthz")).send().await;
                assert!(answer.is_ok_and(|answer| answer.status() == 200), "the server lives");
                latencies.push(begun.elapsed());
                highest.fetch_max(resident(id), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            latencies
        });
        Watch { stop, most, looking }
    }
}

/// A server that is watched.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    most: Arc<AtomicU64>,
    looking: JoinHandle<Vec<Duration>>,
}

impl Watch {
    /// The 99th percentile of `/healthz`, and the most memory that was seen.
    pub(crate) async fn end(self) -> (Duration, u64) {
        self.stop.store(true, Ordering::Relaxed);
        let latencies = self.looking.await.expect("it was watched");
        (p99(latencies), self.most.load(Ordering::Relaxed))
    }
}

/// The 99th percentile.
pub(crate) fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let place = (times.len() * 99).div_ceil(100).saturating_sub(1);
    times.get(place).copied().unwrap_or_default()
}

fn resident(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}
