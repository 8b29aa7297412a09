//! What is sent: an execution of 3 KB with five nodes.

use serde_json::{Value, json};

/// A finished execution as it is reported: 3,000 bytes, give or take a few.
pub(crate) fn execution() -> Value {
    let nodes = ["ask", "fetch", "shape", "judge", "say"].iter().zip(1..).map(|(name, seq)| {
        json!({
            "seq": seq,
            "nodeId": name,
            "nodeName": name,
            "nodeType": "Transform",
            "executionTimeMs": 1.5 * f64::from(seq),
            "inputData": {"order": {"id": 4711 + seq, "lines": [1, 2, 3]}, "note": prose(seq, 140)},
            "outputData": {"total": 12.5 * f64::from(seq), "currency": "EUR", "text": prose(seq + 7, 150)},
        })
    });
    json!({
        "status": "fulfilled",
        "duration": 22.5,
        "initialParams": {"orderId": "A-4711", "question": prose(3, 180)},
        "outputs": {"answer": prose(5, 180), "isSure": true},
        "tags": {"shop": "north"},
        "nodeExecutions": nodes.collect::<Vec<_>>(),
    })
}

/// Words that compress about as prose does.
fn prose(from: u32, length: usize) -> String {
    const WORDS: &[&str] = &[
        "order", "customer", "asked", "whether", "the", "parcel", "had", "left", "Hamburg", "before",
        "Tuesday", "and", "was", "told", "that", "it", "would", "arrive", "within", "three", "working",
        "days", "unless", "customs", "wanted", "papers",
    ];
    let mut text = String::new();
    let mut at = from as usize * 11;
    while text.len() < length {
        at = (at * 31 + 17) % 9_973;
        text += WORDS[at % WORDS.len()];
        text.push(' ');
    }
    text
}

/// A request as it goes over the wire.
pub(crate) fn request(method: &str, path: &str, key: &str, body: &str) -> Vec<u8> {
    let kind = if path.ends_with("/batch") { "application/x-ndjson" } else { "application/json" };
    let about = match body.len() {
        0 => String::new(),
        length => format!("content-type: {kind}\r\ncontent-length: {length}\r\n"),
    };
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n{about}\r\n");
    [head.as_bytes(), body.as_bytes()].concat()
}
