//! Processes that are killed while they record, and files that somebody else locks. What was acknowledged has to be there.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use flowtrail_store_diesel::testing::{PostgresServer, TestDatabase};
use flowtrail_testkit::{Rest, TestProcess};
use serde_json::json;

use super::{Chance, Outcome, Scale};

/// Number of reporters.
const REPORTERS: usize = 8;

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_flowtrail"))
}

/// The ids that were acknowledged.
type Acknowledged = Arc<Mutex<Vec<String>>>;

fn count(acknowledged: &Acknowledged) -> usize {
    acknowledged.lock().unwrap_or_else(PoisonError::into_inner).len()
}

/// Reports one execution after the other until the server is gone.
async fn report(rest: Rest, path: String, acknowledged: Acknowledged) {
    let report = json!({"status": "fulfilled", "outputs": {"text": "x".repeat(500)}});
    while let Some(answer) = rest.try_post(&path, &report).await {
        if answer.status == 201
            && let Some(id) = answer.body["id"].as_str()
        {
            acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(id.to_owned());
        }
    }
}

/// How many of the acknowledged are not there.
async fn lost(rest: &Rest, acknowledged: &Acknowledged) -> usize {
    let ids = acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut lost = 0;
    for id in ids {
        lost += usize::from(rest.get(&format!("/api/executions/{id}?nodes=none")).await.status != 200);
    }
    lost
}

async fn external_flow(rest: &Rest) -> String {
    let flow = rest.post("/api/flows", &json!({"name": "Elsewhere", "kind": "external"})).await.expect(201);
    format!("/api/flows/{}/executions", flow["id"].as_str().expect("an id"))
}

fn outcome(attack: &'static str, rounds: usize, acknowledged: &Acknowledged, lost: usize) -> Outcome {
    let recorded = count(acknowledged);
    let figure = format!("{rounds} kills, {recorded} acknowledged, {lost} lost");
    Outcome::new(attack, figure, "none lost", lost == 0 && recorded > 0)
}

/// `kill -9` of the server on SQLite.
pub(crate) async fn sqlite(scale: Scale) -> Vec<Outcome> {
    let folder = tempfile::tempdir().expect("a folder");
    let acknowledged = Acknowledged::default();
    let mut chance = Chance(18);
    let mut path = None;
    for _ in 0..scale.kills {
        let process = TestProcess::start(binary(), folder.path(), &[]);
        let rest = process.rest();
        let path = match &path {
            Some(path) => String::clone(path),
            None => path.insert(external_flow(&rest).await).clone(),
        };
        let reporters: Vec<_> = (0..REPORTERS)
            .map(|_| tokio::spawn(report(rest.clone(), path.clone(), Arc::clone(&acknowledged))))
            .collect();
        tokio::time::sleep(Duration::from_millis(100 + chance.below(500))).await;
        process.kill();
        for reporter in reporters {
            reporter.await.expect("it ends with the server");
        }
    }
    let process = TestProcess::start(binary(), folder.path(), &[]);
    let lost = lost(&process.rest(), &acknowledged).await;
    vec![outcome("`kill -9` of the server, SQLite", scale.kills, &acknowledged, lost)]
}

/// `kill -9` of one of two servers on PostgreSQL, of a process of PostgreSQL's, and of all of PostgreSQL.
pub(crate) async fn postgres(scale: Scale) -> Vec<Outcome> {
    let Ok(server) = PostgresServer::builder().durable(true).start() else {
        return vec![Outcome::new(
            "`kill -9`, PostgreSQL",
            "not measured: there is none here",
            "none lost",
            true,
        )];
    };
    let database = server.create_database().expect("a database");
    let acknowledged = Acknowledged::default();
    let mut chance = Chance(39);
    let folders = [0, 1].map(|_| tempfile::tempdir().expect("a folder"));
    let start = |which: usize| {
        TestProcess::start(binary(), folders[which].path(), &["--database-url", database.url()])
    };
    let mut processes = [Some(start(0)), Some(start(1))];
    let path = external_flow(&processes[0].as_ref().expect("it runs").rest()).await;
    for round in 0..scale.kills {
        let reporters: Vec<_> = processes
            .iter()
            .flatten()
            .flat_map(|process| (0..REPORTERS / 2).map(|_| process.rest()))
            .map(|rest| {
                let reporting = report(rest, path.clone(), Arc::clone(&acknowledged));
                tokio::spawn(tokio::time::timeout(Duration::from_secs(2), reporting))
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(200 + chance.below(500))).await;
        match round % 3 {
            0 => {
                let which = round / 3 % 2;
                processes[which].take().expect("it runs").kill();
                processes[which] = Some(start(which));
            }
            1 => kill_a_backend(&database),
            _ => {
                server.kill().expect("it is killed");
                server.start_again().expect("it starts again");
            }
        }
        for reporter in reporters {
            // Those of a server that lives are stopped.
            let _ = reporter.await.expect("it ends");
        }
        ready(&processes).await;
    }
    let rest = processes[0].as_ref().expect("it runs").rest();
    let lost = lost(&rest, &acknowledged).await;
    let attack = "`kill -9` of one of two servers, of a backend, of all of PostgreSQL, in turn";
    vec![outcome(attack, scale.kills, &acknowledged, lost)]
}

/// Waits until all can work again.
async fn ready(processes: &[Option<TestProcess>]) {
    let deadline = Instant::now() + Duration::from_secs(60);
    for process in processes.iter().flatten() {
        let rest = process.rest();
        while rest.get("/readyz").await.status != 200 {
            assert!(Instant::now() < deadline, "the server comes back");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Kills a process of PostgreSQL's that works for a server; PostgreSQL ends all the others then.
fn kill_a_backend(database: &TestDatabase) {
    let query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'flowtrail' ORDER BY query_start DESC LIMIT 1";
    let mut psql = Command::new("psql");
    psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--command", query, database.url()]);
    let told = psql.stderr(Stdio::null()).output().expect("psql starts");
    let pid = String::from_utf8_lossy(&told.stdout).trim().to_owned();
    if !pid.is_empty() {
        // It may have ended meanwhile.
        let _ = Command::new("kill").args(["-9", &pid]).stderr(Stdio::null()).status();
    }
}

/// Another program locks the file of the database for some seconds.
pub(crate) async fn locked() -> Vec<Outcome> {
    const HELD: Duration = Duration::from_secs(14);
    let folder = tempfile::tempdir().expect("a folder");
    let process = TestProcess::start(binary(), folder.path(), &[]);
    let rest = process.rest();
    let path = external_flow(&rest).await;
    let other = rusqlite::Connection::open(folder.path().join("flowtrail.db")).expect("it opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("it locks");
    let begun = Instant::now();
    let (mut slowest, mut wrong) = (Duration::ZERO, 0);
    let report = json!({"status": "fulfilled"});
    while begun.elapsed() < HELD {
        let asked = Instant::now();
        let answer = rest.post(&path, &report).await;
        slowest = slowest.max(asked.elapsed());
        wrong += usize::from(answer.status != 503);
        wrong += usize::from(rest.get("/api/executions").await.status != 200);
    }
    other.execute_batch("ROLLBACK").expect("it lets go");
    let recovered = async { while rest.post(&path, &report).await.status != 201 {} };
    let is_well = tokio::time::timeout(Duration::from_secs(15), recovered).await.is_ok();
    vec![Outcome::new(
        "another program locks the database, SQLite",
        format!(
            "slowest answer to a write {:.1} s, reading goes on, {wrong} answers wrong",
            slowest.as_secs_f64()
        ),
        "10.5 s, then it recovers",
        slowest <= Duration::from_millis(10_500) && wrong == 0 && is_well,
    )]
}
