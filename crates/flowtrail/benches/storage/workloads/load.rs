//! Callers who record executions through the tracker, each one after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flowtrail_tracker::{FinishedExecution, FinishedNode, StartExecution, Tracker};
use flowtrail_types::{Flow, NodeStatus, Principal};
use tokio::runtime::Runtime;

use crate::history::{STEPS, Sample};
use crate::timing::Times;

/// How many callers there are.
pub(crate) const CALLERS: usize = 64;

/// How many different executions are recorded over and over.
const SAMPLES: u64 = 512;

/// A tracker with a flow to record into.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) tracker: Tracker,
    pub(crate) me: Principal,
    flow: Arc<Flow>,
    samples: Vec<Sample>,
}

/// When an acknowledgement came, and how long it took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Acknowledged {
    pub(crate) at: Instant,
    pub(crate) took: Duration,
}

/// When to stop, and what was done until then.
#[derive(Debug, Default)]
pub(crate) struct Control {
    pub(crate) stop: AtomicBool,
    pub(crate) recorded: AtomicU64,
}

impl Recording {
    pub(crate) fn into(tracker: Tracker) -> Self {
        let me = tracker.local_administrator().expect("an administrator");
        let flow = tracker.external_flow(&me, "Recorded by the benchmark").expect("a flow");
        Self { tracker, me, flow, samples: Sample::some(SAMPLES) }
    }

    /// Records the sample with this number, and waits until it is durable.
    pub(crate) async fn record(&self, number: usize) {
        let sample = &self.samples[number % self.samples.len()];
        let ended_at = self.tracker.clock().now();
        let started_at = ended_at - sample.duration;
        let nodes =
            (1..).zip(STEPS).zip(&sample.content.nodes).enumerate().map(|(index, ((seq, step), data))| {
                let status = sample.node_status(index);
                let error = sample.outcome.error().filter(|_| status == NodeStatus::Error);
                FinishedNode {
                    node_name: step.1,
                    status,
                    executed_at: Some(started_at),
                    duration: Some(sample.node_duration()),
                    input: (status != NodeStatus::Skipped).then(|| (&data.0).into()),
                    output: (status == NodeStatus::Completed).then(|| (&data.1).into()),
                    error: error.map(|error| (error.kind, error.message.as_str())),
                    ..FinishedNode::completed(seq, step.0, step.2)
                }
            });
        let start = StartExecution::of(&self.flow, sample.source)
            .params(&sample.content.params)
            .first_param(Some("orderId"))
            .started_at(started_at);
        let finished = FinishedExecution::new(sample.outcome.clone(), ended_at)
            .outputs(&sample.content.outputs)
            .nodes(nodes.collect());
        self.tracker
            .record(&self.me, &start, &finished)
            .expect("a good record")
            .await
            .expect("it is durable");
    }

    /// Records so many executions with so many callers, and tells how long each waited.
    pub(crate) async fn record_some(self: &Arc<Self>, executions: usize, callers: usize) -> Times {
        let callers = (0..callers).map(|caller| {
            let recording = Arc::clone(self);
            tokio::spawn(async move {
                let mut waited = Vec::with_capacity(executions / callers);
                for number in 0..executions / callers {
                    let begun = Instant::now();
                    recording.record(caller * 61 + number).await;
                    waited.push(begun.elapsed());
                }
                waited
            })
        });
        let mut times = Times::default();
        for caller in callers.collect::<Vec<_>>() {
            times.extend(caller.await.expect("the caller ends"));
        }
        times
    }

    /// Records with all callers until it is told to stop. Every wait is kept if that is wanted.
    pub(crate) async fn record_until(
        self: Arc<Self>,
        control: Arc<Control>,
        keeps: bool,
    ) -> Vec<Acknowledged> {
        let callers = (0..CALLERS).map(|caller| {
            let (recording, control) = (Arc::clone(&self), Arc::clone(&control));
            tokio::spawn(async move {
                let mut kept = Vec::new();
                for number in caller * 61.. {
                    if control.stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let begun = Instant::now();
                    recording.record(number).await;
                    control.recorded.fetch_add(1, Ordering::Relaxed);
                    if keeps {
                        let at = Instant::now();
                        kept.push(Acknowledged { at, took: at - begun });
                    }
                }
                kept
            })
        });
        let mut all = Vec::new();
        for caller in callers.collect::<Vec<_>>() {
            all.extend(caller.await.expect("the caller ends"));
        }
        all
    }
}

/// As many workers as this machine has cores.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Waits, on a runtime's timer.
pub(crate) fn pause(runtime: &Runtime, duration: Duration) {
    runtime.block_on(async { tokio::time::sleep(duration).await });
}
