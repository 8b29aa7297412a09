//! Flows that call flows: what is a child of what, how they end together, and how many there may be.

mod support;

use flowtrail_runner::{Call, RunError, RunnerOptions};
use flowtrail_tracker::TrackerError;
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{ErrorKind, Principal, Source, UserId};
use serde_json::json;
use support::{World, code, failure, file, hanging, nothing, order, output_of, text};

#[tokio::test]
async fn a_flow_calls_another_as_its_child() {
    let world = World::new();
    let mut child = order();
    child["toolName"] = json!("order");
    world.flow(&child);
    let nodes = [
        ("call", "CallFlow", json!({"toolName": "order", "params": {"orderId": "{{ 3 + 4 }}x"}})),
        ("say", "Return", text("It says: {{ call.output }}")),
    ];
    let finished = world.run(&file(&nodes, "ask>call call>say"), nothing()).await;
    assert_eq!(finished.outputs, json!("It says: Order 7x is on its way."));
    let recorded = world.recorded(&finished);
    let child_id = output_of(&recorded, "call")["executionId"].as_str().unwrap().parse().unwrap();
    let child = world.runner.tracker().execution(&world.me, child_id).unwrap();
    assert_eq!(child.parent_execution_id, Some(finished.id));
    assert_eq!(child.summary.source, Source::Embedded);
}

#[tokio::test]
async fn what_goes_wrong_in_a_child_goes_wrong_in_the_parent() {
    let world = World::new();
    let mut bad = file(&[("bad", "Transform", code("throw new Error('no stock')"))], "ask>bad");
    bad["toolName"] = json!("bad");
    world.flow(&bad);
    let mut off = order();
    off["toolName"] = json!("off");
    off["active"] = json!(false);
    world.flow(&off);
    let mut strict = order();
    strict["toolName"] = json!("strict");
    world.flow(&strict);
    for (tool, kind, expected) in [
        ("bad", "failed", "flow \"bad\" failed: Error: no stock (line 1, column 11)"),
        ("off", "failed", "flow \"off\" could not be called: the flow is not active"),
        ("nobody", "failed", "there is no flow \"nobody\""),
        (
            "strict",
            "invalid_input",
            "flow \"strict\" could not be called: invalid arguments: orderId: is missing, expected string",
        ),
    ] {
        let flow = file(&[("call", "CallFlow", json!({"toolName": tool}))], "ask>call");
        assert_eq!(failure(&world.run(&flow, nothing()).await), (kind, expected.to_owned()));
    }
}

#[tokio::test]
async fn flows_that_call_themselves_end() {
    let world = World::new();
    let mut endless = file(&[("again", "CallFlow", json!({"toolName": "endless"}))], "ask>again");
    endless["toolName"] = json!("endless");
    let finished = world.run(&endless, nothing()).await;
    let (kind, message) = failure(&finished);
    assert_eq!(kind, "limit");
    assert!(message.ends_with("flows call each other more than 8 deep"), "{message}");
    assert_eq!(message.matches("failed").count(), 8, "{message}");
}

#[tokio::test]
async fn one_call_leads_to_a_bounded_number_of_calls() {
    let world = World::new();
    let calling = |name: &str, tool: &str, count: usize| {
        let ids: Vec<String> = (0..count).map(|n| format!("n{n}")).collect();
        let nodes: Vec<_> =
            ids.iter().map(|id| (id.as_str(), "CallFlow", json!({"toolName": tool}))).collect();
        let connections: Vec<String> = ids.iter().map(|id| format!("ask>{id}")).collect();
        let mut flow = file(&nodes, &connections.join(" "));
        flow["toolName"] = json!(name);
        world.flow(&flow)
    };
    calling("leaf", "", 0);
    calling("middle", "leaf", 99);
    let enough = calling("enough", "middle", 10);
    let bomb = calling("bomb", "middle", 11);
    // A second time, and from a clone: each call counts anew.
    let call = world.call(&enough, nothing());
    for call in [call.clone(), call] {
        let finished = world.runner.run(call).await.unwrap();
        assert_eq!(finished.outcome, Outcome::Fulfilled);
    }
    let finished = world.try_run(&bomb, nothing()).await.unwrap();
    let (kind, message) = failure(&finished);
    assert_eq!(kind, "limit");
    let expected = "could not be called: one call leads to at most 1000 calls of other flows";
    assert!(message.ends_with(expected), "{message}");
}

#[tokio::test]
async fn a_call_too_many_at_the_same_time_is_refused_but_not_those_of_flows() {
    let options =
        RunnerOptions { max_running: 1, user_share: 100, allow_private_addresses: true, ..World::options() };
    let world = World::with(options);
    let (server, asked) = hanging().await;
    let mut child =
        file(&[("hangs", "ApiCall", json!({"method": "GET", "url": server.url("/")}))], "ask>hangs");
    child["toolName"] = json!("child");
    world.flow(&child);
    let parent = world.flow(&file(&[("call", "CallFlow", json!({"toolName": "child"}))], "ask>call"));
    let quick = world.flow(&file(&[], ""));
    let call = world.call(&parent, nothing());
    let cancel = call.cancel.clone();
    let running = world.runner.start(call).await.unwrap();
    // The child runs beside its parent.
    asked.notified().await;
    let refused = world.try_run(&quick, nothing()).await;
    assert!(matches!(refused, Err(RunError::Tracker(TrackerError::Busy))), "{refused:?}");
    cancel.cancel();
    running.finish().await;
    assert_eq!(world.try_run(&quick, nothing()).await.unwrap().outcome, Outcome::Fulfilled);
}

#[tokio::test]
async fn a_user_runs_no_more_than_their_share() {
    let options =
        RunnerOptions { max_running: 2, user_share: 50, allow_private_addresses: true, ..World::options() };
    let world = World::with(options);
    let (server, asked) = hanging().await;
    let hangs = file(&[("hangs", "ApiCall", json!({"method": "GET", "url": server.url("/")}))], "ask>hangs");
    let hangs = world.flow(&hangs);
    let call = world.call(&hangs, nothing());
    let cancel = call.cancel.clone();
    let running = world.runner.start(call).await.unwrap();
    asked.notified().await;
    let quick = world.flow(&file(&[], ""));
    let refused = world.try_run(&quick, nothing()).await.unwrap_err();
    assert!(matches!(refused, RunError::ShareUsed(1)), "{refused:?}");
    assert_eq!(
        refused.to_string(),
        "your share of the running executions is used up, 1 of them: try again when one has ended"
    );
    // Nobody else is kept out.
    let other = Principal { id: UserId::from_uuid(uuid::Uuid::from_u128(7)), ..world.me.clone() };
    let call = Call::new(other, quick.clone(), serde_json::Map::new(), Source::Embedded);
    assert_eq!(world.runner.run(call).await.unwrap().outcome, Outcome::Fulfilled);
    cancel.cancel();
    running.finish().await;
    assert_eq!(world.try_run(&quick, nothing()).await.unwrap().outcome, Outcome::Fulfilled);
}

#[tokio::test]
async fn what_the_server_stops_when_it_ends_says_so() {
    let world = World::new();
    let (server, asked) = hanging().await;
    let nodes = [("hangs", "ApiCall", json!({"method": "GET", "url": server.url("/")}))];
    let flow = world.flow(&file(&nodes, "ask>hangs"));
    let running = world.runner.start(world.call(&flow, nothing())).await.unwrap();
    asked.notified().await;
    world.runner.tracker().shut_down_running();
    let finished = running.finish().await;
    let Outcome::Aborted(Some(reason)) = &finished.outcome else { panic!("{finished:?}") };
    assert_eq!((reason.kind, reason.message.as_str()), (ErrorKind::Shutdown, "the server is shutting down"));
    assert_eq!(world.recorded(&finished).error_info.unwrap().kind, ErrorKind::Shutdown);
}

#[tokio::test]
async fn cancelling_a_parent_cancels_its_child() {
    let world = World::new();
    let (server, asked) = hanging().await;
    let mut child =
        file(&[("hangs", "ApiCall", json!({"method": "GET", "url": server.url("/")}))], "ask>hangs");
    child["toolName"] = json!("child");
    let child = world.flow(&child);
    let parent = world.flow(&file(&[("call", "CallFlow", json!({"toolName": "child"}))], "ask>call"));
    let call = world.call(&parent, nothing());
    let cancel = call.cancel.clone();
    let running = world.runner.start(call).await.unwrap();
    asked.notified().await;
    assert_eq!(world.runner.tracker().running(), 2);
    cancel.cancel();
    assert!(matches!(running.finish().await.outcome, Outcome::Aborted(_)));
    // The child ends by itself, soon; a further call of it shows that nothing of it is in the way.
    while world.runner.tracker().running() > 0 {
        tokio::task::yield_now().await;
    }
    assert!(child.active);
}
