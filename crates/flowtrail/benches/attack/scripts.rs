//! Scripts that do not end by themselves.

use std::time::{Duration, Instant};

use flowtrail_testkit::{Rest, flow};
use serde_json::{Value, json};

use super::target::{Target, p99};
use super::{Outcome, Scale};

/// Loops that the engine does not interrupt, a regular expression, an endless loop, and one that takes all memory.
const HOSTILE: [&str; 6] = [
    "return Array.prototype.reverse.call({length: 2 ** 53 - 1})",
    "return Array.prototype.indexOf.call({length: 2 ** 53 - 1}, 1)",
    "return Array.prototype.copyWithin.call({length: 2 ** 53 - 1}, 1, 0)",
    "return /^(a+)+$/.test('a'.repeat(60) + 'b')",
    "while (true);",
    "const all = []; while (true) all.push(new Array(10000).fill(1))",
];

async fn create(rest: &Rest, name: &str, code: &str) -> String {
    let made = flow(name).field("toolName", json!(name)).transform("t", code).build();
    let made = rest.post("/api/flows", &made).await.expect(201);
    format!("/api/flows/{}/run", made["id"].as_str().expect("an id"))
}

/// One user sends hostile scripts, another one calls an honest flow.
pub(crate) async fn hostile(target: &Target, scale: Scale) -> Vec<Outcome> {
    let mallory = target.user("Mallory").await;
    let honest = create(&target.rest, "honest", "return nodes.ask").await;
    let mut flows = Vec::new();
    for (number, code) in HOSTILE.iter().enumerate() {
        flows.push(create(&mallory, &format!("hostile-{number}"), code).await);
    }
    let calls: Vec<_> = (0..scale.scripts)
        .map(|number| {
            let (mallory, path) = (mallory.clone(), flows[number % flows.len()].clone());
            tokio::spawn(async move { mallory.try_post(&path, &json!({})).await })
        })
        .collect();
    // They have begun when the first places are taken.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let until = Instant::now() + scale.time;
    let (mut times, mut failed) = (Vec::new(), 0);
    while Instant::now() < until {
        let begun = Instant::now();
        let ended: Value = target.rest.post(&honest, &json!({})).await.expect(200);
        times.push(begun.elapsed());
        failed += usize::from(ended["status"] != "fulfilled");
    }
    let slowest = p99(times.clone());
    let is_over = calls.iter().all(tokio::task::JoinHandle::is_finished);
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    let outcomes = vec![
        Outcome::new(
            "an honest flow beside hostile scripts, p99",
            format!("{:.0} ms of {} calls, {failed} failed", slowest.as_secs_f64() * 1_000.0, times.len()),
            format!("{} s, none failed, while they run", scale.quick.as_secs()),
            slowest < scale.quick && failed == 0 && !is_over,
        ),
        leftovers(target).await,
    ];
    outcomes
}

/// Count of the processes that hostile scripts leave behind.
async fn leftovers(target: &Target) -> Outcome {
    let server = target.process.id();
    let busy = || children(server).into_iter().filter(|id| is_running(*id)).count();
    let until = Instant::now() + Duration::from_secs(600);
    // Those that wait still have their turn; each ends within its limit.
    let rest = &target.rest;
    let mut pending = usize::MAX;
    while pending > 0 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let page = rest.get("/api/executions?status=pending&limit=1").await.expect(200);
        pending = page["items"].as_array().map_or(0, Vec::len);
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    let (left, running) = (children(server).len(), busy());
    Outcome::new(
        "processes 6 s after the last hostile script",
        format!("{running} that run, {left} in all, {pending} executions pending"),
        "0 that run, 1 that waits for scripts",
        running == 0 && left <= 1 && pending == 0,
    )
}

fn stat(id: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

fn is_running(id: u32) -> bool {
    stat(id).is_some_and(|fields| fields.first().is_some_and(|state| state == "R"))
}

fn children(of: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").into_iter().flatten();
    let ids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id| stat(*id).and_then(|fields| fields.get(1)?.parse().ok()) == Some(of)).collect()
}
