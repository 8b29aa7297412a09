//! Flows that are over in a moment and leave no trace outside: written once, when they have ended.

mod support;

use std::sync::Arc;

use flowtrail_runner::RunError;
use flowtrail_tracker::{Changed, TrackerError};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{ErrorKind, ExecutionFilter, ExecutionStatus, PageRequest};
use futures_util::FutureExt;
use serde_json::{Value, json};
use support::{Answer, Server, World, code, file, nothing, order, statuses};

/// A flow that answers at once.
fn brief() -> Value {
    file(&[("say", "Return", json!({"text": "here"}))], "ask>say")
}

fn commands(world: &World) -> u64 {
    let measures = world.runner.tracker().measures();
    measures.started.iter().map(|(_, count)| count).sum()
}

#[tokio::test]
async fn one_is_told_of_once_when_it_has_ended() {
    let world = World::new();
    let mut changes = world.runner.tracker().changes();
    let finished = world.run(&brief(), nothing()).await;
    assert_eq!(finished.outcome, Outcome::Fulfilled);
    let recorded = world.recorded(&finished);
    assert_eq!(recorded.summary.status, ExecutionStatus::Fulfilled);
    assert_eq!(statuses(&recorded), [("ask".to_owned(), "completed"), ("say".to_owned(), "completed")]);
    let told: Vec<Changed> = std::iter::from_fn(|| changes.try_recv().ok()).collect();
    assert_eq!(told, [Changed::Executions(Arc::from([finished.id]))]);
    assert_eq!(commands(&world), 1);
}

#[tokio::test]
async fn one_that_takes_its_time_is_pending_meanwhile() {
    let world = World::new();
    // Within the time that scripts have here, and much longer than a moment.
    let slow = "const until = Date.now() + 200; while (Date.now() < until) {} return 1;";
    let flow = world.flow(&file(&[("turn", "Transform", code(slow))], "ask>turn"));
    let mut changes = world.runner.tracker().changes();
    let running = tokio::spawn({
        let (runner, call) = (world.runner.clone(), world.call(&flow, nothing()));
        async move { runner.run(call).await.unwrap() }
    });
    let id = loop {
        if let Changed::Executions(ids) = changes.recv().await.unwrap() {
            break ids[0];
        }
    };
    let pending = world.runner.tracker().execution(&world.me, id).unwrap();
    assert_eq!(pending.summary.status, ExecutionStatus::Pending);
    let finished = running.await.unwrap();
    assert_eq!((finished.id, &finished.outcome), (id, &Outcome::Fulfilled));
    assert_eq!(
        statuses(&world.recorded(&finished)),
        [("ask".to_owned(), "completed"), ("turn".to_owned(), "completed")]
    );
}

#[tokio::test]
async fn one_that_asks_others_is_pending_before_it_does() {
    let world = Arc::new(World::new());
    let asking = Arc::clone(&world);
    let server = Server::start(move |_| {
        let world = Arc::clone(&asking);
        async move {
            let tracker = world.runner.tracker();
            let all = tracker.executions(&world.me, &ExecutionFilter::default(), PageRequest::default());
            let statuses: Vec<&str> = all.unwrap().page.items.iter().map(|one| one.status.as_str()).collect();
            Answer::text(&statuses.join(" "))
        }
    })
    .await;
    let nodes = [
        ("call", "ApiCall", json!({"method": "GET", "url": server.url("/")})),
        ("say", "Return", json!({"text": "{{ call.body }}"})),
    ];
    let finished = world.run(&file(&nodes, "ask>call call>say"), nothing()).await;
    assert_eq!(finished.outputs, json!("pending"));
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_end_it() {
    let world = World::new();
    let slow = "const until = Date.now() + 100; while (Date.now() < until) {} return 1;";
    for flow in [brief(), file(&[("turn", "Transform", code(slow))], "ask>turn")] {
        let flow = world.flow(&flow);
        let mut changes = world.runner.tracker().changes();
        // Looked at once, and given up.
        drop(world.runner.run(world.call(&flow, nothing())).now_or_never());
        let id = loop {
            if let Changed::Executions(ids) = changes.recv().await.unwrap() {
                let execution = world.runner.tracker().execution(&world.me, ids[0]).unwrap();
                if execution.summary.status.is_final() {
                    break ids[0];
                }
            }
        };
        let recorded = world.runner.tracker().execution(&world.me, id).unwrap();
        assert_eq!(recorded.summary.status, ExecutionStatus::Fulfilled, "{:?}", recorded.summary.error);
    }
}

#[tokio::test]
async fn one_that_fails_or_is_cancelled_says_so() {
    let world = World::new();
    let failing = file(&[("turn", "Transform", code("throw new Error('no')"))], "ask>turn");
    let finished = world.run(&failing, nothing()).await;
    let recorded = world.recorded(&finished);
    assert_eq!(recorded.summary.status, ExecutionStatus::Error);
    assert_eq!(recorded.error_info.as_ref().unwrap().node_id.as_deref(), Some("turn"));

    let call = world.call(&world.flow(&brief()), nothing());
    call.cancel.cancel();
    let finished = world.runner.run(call).await.unwrap();
    let recorded = world.recorded(&finished);
    assert_eq!(recorded.summary.status, ExecutionStatus::Aborted);
    assert_eq!(recorded.error_info.as_ref().unwrap().kind, ErrorKind::Cancelled);
}

#[tokio::test]
async fn one_that_cannot_be_recorded_is_refused() {
    let world = World::new();
    let flow = world.flow(&order());
    world.runner.tracker().close();
    let refused = world.try_run(&flow, json!({"orderId": "7"})).await;
    assert!(matches!(refused, Err(RunError::Tracker(TrackerError::Closed))), "{refused:?}");
    assert_eq!(world.runner.tracker().running(), 0);
}
