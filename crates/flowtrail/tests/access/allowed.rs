//! What one is told to be allowed is what is done, and the rest is refused.

use flowtrail_testkit::Rest;
use serde_json::{Value, json};

use crate::kind::Kind;
use crate::world::World;

const PEOPLE: [Kind; 6] =
    [Kind::Administrator, Kind::Owner, Kind::Writer, Kind::Reader, Kind::Public, Kind::Page];

/// Whether an act is among those that are told of.
fn is_told(of: &Value, act: &str) -> bool {
    of["allowed"].as_array().unwrap().contains(&json!(act))
}

/// What is seen at an address with what one may do with it; nothing where one sees nothing.
async fn told(rest: &Rest, path: &str) -> Option<Value> {
    let answer = rest.get(&format!("{path}?allowed=true&data=none")).await;
    (answer.status != 404).then(|| answer.expect(200))
}

#[tokio::test]
async fn what_may_be_done_with_a_flow_is_told_as_it_is() {
    let world = World::new().await;
    let mut seen = 0;
    for kind in PEOPLE {
        let rest = world.server.rest().with_key(world.key(kind));
        for flow in [&world.flow, &world.public_flow] {
            let path = format!("/api/flows/{flow}");
            let answer = rest.get(&format!("{path}?allowed=true")).await;
            if answer.status == 404 {
                continue;
            }
            let of = answer.expect(200);
            seen += 1;
            assert!(rest.get(&path).await.expect(200).get("allowed").is_none(), "nobody asked");
            let changed = rest.patch(&path, &json!({"description": "changed"})).await;
            assert_eq!(is_told(&of, "change"), changed.status == 200, "{kind:?} changes: {of}");
            let figures = rest.get(&format!("/api/flows/{flow}/executions/stats")).await;
            assert_eq!(is_told(&of, "seeAll"), figures.status == 200, "{kind:?} sees all: {of}");
            let run = rest.post(&format!("{path}/run"), &json!({"params": {"name": "x"}})).await;
            assert_eq!(is_told(&of, "call"), run.status == 200, "{kind:?} calls: {of}");
        }
    }
    assert_eq!(seen, 11, "all but the public see both");
}

#[tokio::test]
async fn what_may_be_done_with_an_execution_is_told_as_it_is() {
    let world = World::new().await;
    let owner = world.owner();
    let mut done = 0;
    for kind in PEOPLE {
        let rest = world.server.rest().with_key(world.key(kind));
        for flow in [&world.flow, &world.public_flow] {
            let run = owner.post(&format!("/api/flows/{flow}/run"), &json!({"params": {"name": "x"}})).await;
            let id = run.expect(200)["id"].as_str().unwrap().to_owned();
            let Some(of) = told(&rest, &format!("/api/executions/{id}")).await else { continue };
            assert!(!is_told(&of, "cancel"), "it has ended");
            let again = rest.post(&format!("/api/executions/{id}/replay"), &Value::Null).await;
            assert_eq!(is_told(&of, "replay"), again.status == 202, "{kind:?} replays: {of}");
            let gone = rest.delete(&format!("/api/flows/{flow}/executions/{id}")).await;
            assert_eq!(is_told(&of, "delete"), gone.status == 204, "{kind:?} deletes: {of}");

            let begun = owner.post(&format!("/api/flows/{flow}/executions"), &json!({})).await.expect(201);
            let id = begun["id"].as_str().unwrap();
            let of = told(&rest, &format!("/api/executions/{id}")).await.unwrap();
            assert!(!is_told(&of, "replay") && !is_told(&of, "delete"), "it runs: {of}");
            let stopped = rest.post(&format!("/api/executions/{id}/cancel"), &Value::Null).await;
            assert_eq!(is_told(&of, "cancel"), stopped.status == 202, "{kind:?} cancels: {of}");
            done += 1;
        }
    }
    assert_eq!(done, 10, "all but the public see what the owner did");
    world.server.rest().get("/api/executions/x?allowed=perhaps").await.expect_error(404, "not_found");
    let path = format!("/api/executions/{}?allowed=perhaps", world.execution);
    world.owner().get(&path).await.expect_error(400, "invalid");
}
