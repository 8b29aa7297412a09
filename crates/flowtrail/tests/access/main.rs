//! Every address against every kind of caller. A route that is not in the table fails the test.

mod allowed;
mod kind;
mod mcp;
mod table;
mod world;

use kind::{KNOWN, WITHOUT_RIGHTS};
use table::table;
use world::World;

#[tokio::test]
async fn every_route_answers_every_kind_of_caller_as_the_table_says() {
    let world = World::new().await;
    let table = table();
    let mut wrong = Vec::new();
    for (number, row) in table.iter().enumerate() {
        let Some(statuses) = row.statuses else { continue };
        for kind in WITHOUT_RIGHTS {
            let address = world.address(row, kind, number * 100 + kind as usize).await;
            let (status, body) = world.send(row, kind, &address).await;
            let told = if row.path.starts_with("/api/v1") { "\"detail\"" } else { "\"unauthenticated\"" };
            if status != 401 || !body.contains(told) {
                wrong.push(format!(
                    "{} {} by {kind:?}: {status} instead of 401: {body}",
                    row.method, row.path
                ));
            }
        }
        for (kind, expected) in KNOWN.into_iter().zip(statuses) {
            let address = world.address(row, kind, number * 100 + kind as usize).await;
            let (status, body) = world.send(row, kind, &address).await;
            if status != expected {
                let shown: String = body.chars().take(200).collect();
                wrong.push(format!(
                    "{} {} by {kind:?}: {status} instead of {expected}: {shown}",
                    row.method, row.path
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_body_of_an_unauthorized_request_is_not_read() {
    let world = World::new().await;
    let mut wrong = Vec::new();
    let table = table();
    let rows = table.iter().filter(|row| row.method != "GET" && row.statuses.is_some());
    for (number, row) in rows.enumerate() {
        for kind in WITHOUT_RIGHTS {
            let address = world.address(row, kind, number * 100 + kind as usize).await;
            // Whoever reads this finds that it cannot be unpacked, or that it is no JSON.
            for coding in ["gzip", "identity"] {
                let request = world.request(row, kind, &address).header("content-encoding", coding);
                let answer = request.body("neither gzip nor JSON").send().await.unwrap();
                if answer.status() != 401 {
                    wrong.push(format!(
                        "{} {} by {kind:?}, {coding}: {}",
                        row.method,
                        row.path,
                        answer.status()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_route_is_in_the_table() {
    let normal = |path: &str| path.replace("{pending_id}", "{execution_id}");
    let table: Vec<(String, String)> =
        table().iter().map(|row| (row.method.to_owned(), normal(row.path))).collect();
    let routes: Vec<(String, String)> =
        flowtrail_http::routes().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
    for route in &routes {
        assert!(table.contains(route), "{route:?} is not in the table");
    }
    for row in &table {
        assert!(routes.contains(row), "{row:?} is no route");
    }
}
