//! The bodies of an `ApiCall`'s answers: compressed, in other charsets, with marks and halves of characters.

mod support;

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use flowtrail_runner::RunnerOptions;
use flowtrail_types::{json_object, read_json_value};
use serde_json::{Value, json};
use support::{Answer, Server, World, failure, file, file_asking, nothing};

/// Runs an `ApiCall` that gets this answer: its output, or why it failed.
async fn called_in(world: &World, headers: &str, body: Vec<u8>) -> Result<Value, (&'static str, String)> {
    let headers = headers.to_owned();
    let server = Server::start(move |_| {
        let answer = Answer::Full("200 OK", headers.clone(), body.clone());
        async { answer }
    })
    .await;
    let parameters = json!({"method": "GET", "url": server.url("/")});
    let finished = world.run(&file(&[("call", "ApiCall", parameters)], "ask>call"), nothing()).await;
    finished.outputs.get("call").cloned().ok_or_else(|| failure(&finished))
}

async fn called(headers: &str, body: Vec<u8>) -> Value {
    called_in(&World::new(), headers, body)
        .await
        .unwrap_or_else(|(_, message)| panic!("{headers}: {message}"))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn compressed_bodies_are_decoded() {
    let body = br#"{"items": [1]}"#;
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(body).unwrap();
    let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
    raw.write_all(body).unwrap();
    for (coding, packed) in [
        ("gzip", gzip(body)),
        ("x-gzip", gzip(body)),
        ("gzip, gzip", gzip(&gzip(body))),
        ("deflate", zlib.finish().unwrap()),
        ("deflate", raw.finish().unwrap()),
        ("zstd", zstd::encode_all(&body[..], 1).unwrap()),
        // One meta-block that is not compressed, and the end (RFC 7932, section 9.2).
        ("br", [&[0xd0, 0x00, 0x10][..], body, &[0x03]].concat()),
        ("identity", body.to_vec()),
    ] {
        let headers = format!("content-type: application/json\r\ncontent-encoding: {coding}");
        assert_eq!(called(&headers, packed).await["body"], json!({"items": [1]}), "{coding}");
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_decoded_fail_with_a_reason() {
    let world = World::with(RunnerOptions {
        max_response_bytes: 2000,
        allow_private_addresses: true,
        ..World::options()
    });
    let cut = gzip(b"a text")[..12].to_vec();
    for (coding, body, kind, expected) in [
        ("compress", b"x".to_vec(), "failed", "the Content-Encoding \"compress\" is not supported"),
        ("gzip", b"plain text".to_vec(), "failed", "the body is not valid gzip"),
        ("zstd", b"plain text".to_vec(), "failed", "the body is not valid zstd"),
        ("deflate", b"plain text".to_vec(), "failed", "the body is not valid deflate"),
        ("br", vec![0xff; 40], "failed", "the body is not valid br"),
        ("gzip", cut, "network", "the gzip data of the body is incomplete"),
        ("gzip", gzip(&[b'x'; 3000]), "limit", "answered with more than 2000 bytes"),
        ("gzip, gzip", gzip(&gzip(&[0; 1_000_000])), "limit", "answered with more than 2000 bytes"),
    ] {
        let headers = format!("content-encoding: {coding}");
        let (found, message) = called_in(&world, &headers, body).await.unwrap_err();
        assert!(found == kind && message.contains(expected), "{coding}: {found}: {message}");
    }
}

#[tokio::test]
async fn text_is_read_in_its_charset() {
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    for (kind, body, expected) in [
        ("text/plain; charset=iso-8859-1", b"caf\xe9".to_vec(), json!("café")),
        ("text/plain; charset=\"Shift_JIS\"", b"\x93\xfa\x96\x7b".to_vec(), json!("日本")),
        ("application/json; charset=gbk", b"{\"a\": \"\xc4\xe3\"}".to_vec(), json!({"a": "你"})),
        ("application/json; charset=utf-16be", utf_16("{\"a\": \"é\"}"), json!({"a": "é"})),
        ("application/json", b"\xef\xbb\xbf{\"a\": 1}".to_vec(), json!({"a": 1})),
        ("application/json", [b"\xfe\xff".to_vec(), utf_16("[1]")].concat(), json!([1])),
        ("text/csv", b"\xef\xbb\xbfid;name".to_vec(), json!("id;name")),
    ] {
        assert_eq!(called(&format!("content-type: {kind}"), body).await["body"], expected, "{kind}");
    }
}

#[tokio::test]
async fn json_with_half_a_character_is_still_json() {
    for (body, expected) in [
        (r#"{"a": "\ud83d"}"#, json!({"a": "\u{fffd}"})),
        (r#"{"0": "\ud83d", "1": "\ude42"}"#, json!({"0": "\u{fffd}", "1": "\u{fffd}"})),
        (r#"["\ude42\ud83d\ude42", "\\ud83d"]"#, json!(["\u{fffd}\u{1f642}", "\\ud83d"])),
    ] {
        let output = called("content-type: application/json", body.as_bytes().to_vec()).await;
        assert_eq!(output["body"], expected, "{body}");
    }
}

#[tokio::test]
async fn numbers_are_sent_and_received_with_all_their_digits() {
    let numbers = r#"{"n":1.10,"m":1e2,"big":18446744073709551617,"x":1e400}"#;
    let server = Server::start(move |_| async move { Answer::json(numbers) }).await;
    let world = World::new();
    let parameters = json!({"method": "POST", "url": server.url("/"), "body": {"value": "{{ ask.value }}"},
        "query": {"n": "{{ ask.value.n }}"}});
    let asking = json!([{"name": "value", "type": "object"}]);
    let flow = file_asking(&asking, &[("call", "ApiCall", parameters)], "ask>call");
    let finished =
        world.run(&flow, json_object([("value", read_json_value(numbers.as_bytes()).unwrap())])).await;
    assert_eq!(finished.outputs["call"]["body"].to_string(), numbers);
    let received = server.received().pop().unwrap();
    assert_eq!(received.body, format!(r#"{{"value":{numbers}}}"#));
    assert!(received.line.contains("?n=1.10"), "{}", received.line);
}

#[tokio::test]
async fn halves_of_characters_in_an_answer_are_marked() {
    let world = World::new();
    for (status, is_marked) in [("200 OK", true), ("500 Internal Server Error", true)] {
        let server = Server::start(move |_| async move {
            Answer::Full(status, "content-type: application/json".to_owned(), br#"{"a":"\ud83d"}"#.to_vec())
        })
        .await;
        let parameters = json!({"method": "GET", "url": server.url("/")});
        let finished = world.run(&file(&[("call", "ApiCall", parameters)], "ask>call"), nothing()).await;
        let recorded = world.recorded(&finished);
        let node = recorded.node_executions.iter().find(|node| node.node_id == "call").unwrap();
        assert_eq!(node.capture["outputData"].replaced, is_marked, "{status}");
    }
}
