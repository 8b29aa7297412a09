//! Bodies that unpack to much more than they are.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use flowtrail_testkit::http_client;
use serde_json::json;

use super::target::{BESIDE, BUDGET, Target};
use super::{Outcome, Scale, mib};

/// So many connections attack at a time.
const CONNECTIONS: usize = 64;

fn packed(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).and_then(|()| encoder.finish()).expect("memory takes it")
}

/// Sends a body from many connections for some time, and returns how many answers there were of each status.
async fn send(url: String, key: Option<String>, body: Vec<u8>, time: Duration) -> Vec<(u16, usize)> {
    let until = Instant::now() + time;
    let counts: Arc<[AtomicUsize]> = (0..600).map(|_| AtomicUsize::new(0)).collect();
    let senders = (0..CONNECTIONS).map(|_| {
        let (url, key, body, counts) = (url.clone(), key.clone(), body.clone(), Arc::clone(&counts));
        tokio::spawn(async move {
            let client = http_client();
            while Instant::now() < until {
                let mut request = client.post(&url).header("content-encoding", "gzip");
                request = request.header("content-type", "application/json");
                if let Some(key) = &key {
                    request = request.bearer_auth(key);
                }
                // A connection that the server ends is no answer.
                if let Ok(answer) = request.body(body.clone()).send().await {
                    counts[usize::from(answer.status().as_u16()).min(599)].fetch_add(1, Ordering::Relaxed);
                }
            }
        })
    });
    futures_util::future::join_all(senders.collect::<Vec<_>>()).await;
    let counted = counts.iter().zip(0..).map(|(count, status)| (status, count.load(Ordering::Relaxed)));
    counted.filter(|(_, count)| *count > 0).collect()
}

/// 64 KB that are 64 MiB, to every address that takes a body, from somebody without a key.
pub(crate) async fn without_a_key(target: &Target, scale: Scale) -> Vec<Outcome> {
    let body = packed(&vec![b' '; 64 << 20]);
    let before = target.resident();
    let watch = target.watch();
    let url = format!("{}/api/session", target.process.base());
    let answers = send(url, None, body, scale.time).await;
    let (healthz, most) = watch.end().await;
    let refused = answers.iter().all(|(status, _)| (400..500).contains(status));
    vec![
        Outcome::new("packed bodies without a key", format!("answers {answers:?}"), "all 4xx", refused),
        Outcome::new(
            "`/healthz` meanwhile, p99",
            format!("{:.1} ms", healthz.as_secs_f64() * 1_000.0),
            format!("50 ms on a quiet machine, {} s here", scale.quick.as_secs()),
            healthz < scale.quick,
        ),
        Outcome::new(
            "resident memory meanwhile",
            format!("{} → {}", mib(before), mib(most)),
            mib(before + (64 << 20)),
            most < before + (64 << 20),
        ),
    ]
}

/// 16 MiB of small values in a few KB, as a report of somebody with a key.
pub(crate) async fn with_a_key(target: &Target, scale: Scale) -> Vec<Outcome> {
    let flow =
        target.rest.post("/api/flows", &json!({"name": "Elsewhere", "kind": "external"})).await.expect(201);
    let zeros = "0,".repeat(7 << 20);
    let body = packed(format!("{{\"status\":\"fulfilled\",\"outputs\":[{zeros}0]}}").as_bytes());
    let before = target.resident();
    let watch = target.watch();
    let flow = flow["id"].as_str().expect("an id");
    let url = format!("{}/api/flows/{flow}/executions", target.process.base());
    let answers = send(url, Some(target.process.key().to_owned()), body, scale.time).await;
    let (_, most) = watch.end().await;
    tokio::time::sleep(scale.rest).await;
    let after = target.resident();
    // Memory that the allocator keeps for a moment is no leak: what counts is that it does not stay.
    let given_back = (before * 3 / 2).max(before + (64 << 20));
    let known = answers.iter().all(|(status, _)| matches!(status, 201 | 413 | 429 | 503));
    vec![
        Outcome::new(
            "packed reports with a key",
            format!("answers {answers:?}"),
            "201, 413, 429 or 503",
            known,
        ),
        Outcome::new("resident memory meanwhile", mib(most), mib(BUDGET + BESIDE), most <= BUDGET + BESIDE),
        Outcome::new(
            "resident memory afterwards",
            format!("{} → {}", mib(before), mib(after)),
            mib(given_back),
            after <= given_back,
        ),
    ]
}
