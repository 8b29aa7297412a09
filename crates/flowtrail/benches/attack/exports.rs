//! Exports that nobody reads.

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::target::{BESIDE, BUDGET, Target};
use super::{Outcome, Scale, mib};

/// 40 exports of large executions whose clients take nothing of them.
pub(crate) async fn unread(target: &Target, scale: Scale) -> Vec<Outcome> {
    let flow =
        target.rest.post("/api/flows", &json!({"name": "Large", "kind": "external"})).await.expect(201);
    let address = format!("/api/flows/{}/executions", flow["id"].as_str().expect("an id"));
    let large = "x".repeat(900_000);
    for _ in 0..120 {
        let nodes: Vec<_> =
            (1..=3).map(|seq| json!({"seq": seq, "nodeId": "a", "outputData": large})).collect();
        let report = json!({"status": "fulfilled", "outputs": large, "nodeExecutions": nodes});
        target.rest.post(&address, &report).await.expect(201);
    }
    let before = target.resident();
    let watch = target.watch();
    let mut clients = Vec::new();
    for _ in 0..40 {
        let mut client = TcpStream::connect(target.process.base().trim_start_matches("http://"))
            .await
            .expect("it listens");
        let asked = format!(
            "GET /api/executions/export HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
            target.process.key()
        );
        client.write_all(asked.as_bytes()).await.expect("it takes a request");
        clients.push(client);
    }
    tokio::time::sleep(scale.time).await;
    let (_, most) = watch.end().await;
    drop(clients);
    vec![Outcome::new(
        "40 unread exports, resident memory",
        format!("{} → {}", mib(before), mib(most)),
        mib(BUDGET + BESIDE),
        most <= BUDGET + BESIDE,
    )]
}
