//! What endpoints other than OpenAI's make of a `Model`'s answer: its end, its errors, its bytes.

mod support;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::{Value, json};
use std::io::Write;
use support::{Answer, End, Server, World, failure, file, nothing, output_of};

const STREAM: &str = "content-type: text/event-stream";

/// Runs a `Model` against an endpoint that gives this answer: how it ended, and its output.
async fn answered(answer: Answer) -> (Result<(), (&'static str, String)>, Value) {
    let answer = std::sync::Mutex::new(Some(answer));
    let server = Server::start(move |_| {
        let answer = answer.lock().unwrap().take();
        async { answer.expect("it is asked once") }
    })
    .await;
    let world = World::new();
    let parameters = json!({"baseUrl": server.url("/v1"), "model": "small", "prompt": "Hello"});
    let finished = world.run(&file(&[("llm", "Model", parameters)], "ask>llm"), nothing()).await;
    let output = output_of(&world.recorded(&finished), "llm");
    let url = format!("POST {} ", server.url("/v1/chat/completions"));
    let ended = match finished.outputs.get("llm") {
        Some(_) => Ok(()),
        None => {
            let (kind, message) = failure(&finished);
            Err((kind, message.replace(&url, "")))
        }
    };
    (ended, output)
}

/// The text of an answer that is whole.
#[track_caller]
fn text((ended, output): (Result<(), (&'static str, String)>, Value)) -> String {
    assert_eq!(ended, Ok(()), "{output}");
    output["text"].as_str().unwrap().to_owned()
}

fn stream(text: &str) -> Answer {
    Answer::Pieces(STREAM, vec![text.to_owned()], End::Done)
}

fn data(event: &Value) -> String {
    format!("data: {event}\n\n")
}

fn piece(text: &str, finish: &Value) -> Value {
    json!({"model": "m", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})
}

fn bytes(body: Vec<u8>, headers: &str) -> Answer {
    Answer::Full("200 OK", headers.to_owned(), body)
}

#[tokio::test]
async fn no_form_of_no_finish_reason_ends_a_stream() {
    for word in
        [json!(null), json!(""), json!("null"), json!(" None "), json!("undefined"), json!(false), json!({})]
    {
        let cut = data(&piece("Once ", &word)) + &data(&piece("upon ", &word));
        let (ended, output) = answered(stream(&cut)).await;
        let (kind, message) = ended.unwrap_err();
        assert!(kind == "network" && message.contains("without a finish_reason"), "{word}: {kind} {message}");
        assert_eq!(
            (&output["text"], &output["finishReason"]),
            (&json!("Once upon "), &json!(null)),
            "{word}"
        );
        let (ended, output) = answered(stream(&(cut.clone() + "data: [DONE]\n\n"))).await;
        assert_eq!(ended, Ok(()), "{word}");
        assert_eq!(
            (&output["text"], &output["finishReason"]),
            (&json!("Once upon "), &json!(null)),
            "{word}"
        );
        let (ended, output) = answered(stream(&(cut + &data(&piece("a time", &json!("stop")))))).await;
        assert_eq!((ended, &output["finishReason"]), (Ok(()), &json!("stop")), "{word}");
    }
    let absent = data(&json!({"choices": [{"delta": {"content": "x"}}]}));
    assert_eq!(answered(stream(&absent)).await.0.unwrap_err().0, "network");
    for empty in ["data: [DONE]\n\n", "", ": ping\n\n"] {
        let (kind, message) = answered(stream(empty)).await.0.unwrap_err();
        assert!(kind == "network" && message.contains("ended its answer without"), "{empty:?}: {message}");
    }
}

#[tokio::test]
async fn halves_of_characters_are_put_together() {
    let chunk = |text: &str, finish: &str| {
        format!(
            r#"data: {{"choices":[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":{finish}}}]}}"#
        ) + "\n\n"
    };
    let end = || chunk("", r#""stop""#);
    for (events, expected) in [
        (chunk(r"Hi \ud83d", "null") + &chunk(r"\ude42 there", r#""stop""#), "Hi \u{1f642} there"),
        (chunk(r"\ud83d", "null") + &chunk("", "null") + &chunk(r"\ude42", "null") + &end(), "\u{1f642}"),
        (chunk(r"lone \ud83d", "null") + &chunk(" half", r#""stop""#), "lone \u{fffd} half"),
        (chunk(r"\ude42 second", "null") + &end(), "\u{fffd} second"),
        (chunk(r"at the end \ud83d", r#""stop""#), "at the end \u{fffd}"),
    ] {
        assert_eq!(text(answered(stream(&events)).await), expected, "{events}");
    }
    let whole = r#"{"choices": [{"message": {"content": "half \ud83d"}, "finish_reason": "stop"}]}"#;
    assert_eq!(text(answered(Answer::json(whole)).await), "half \u{fffd}");
    let calls = chunk("", "null").replace(
        r#""content":"""#,
        r#""tool_calls":[{"index":0,"id":"a","function":{"name":"say","arguments":"{\"t\":\"\ud83d"}}]"#,
    ) + &chunk("", "null")
        .replace(r#""content":"""#, r#""tool_calls":[{"index":0,"function":{"arguments":"\ude42\"}"}}]"#)
        + &chunk("", r#""tool_calls""#);
    let (_, output) = answered(stream(&calls)).await;
    assert_eq!(output["toolCalls"][0]["function"]["arguments"], json!("{\"t\":\"\u{1f642}\"}"));
}

#[tokio::test]
async fn bytes_of_characters_and_marks_may_come_apart() {
    let events = data(&piece("日本 🙂", &json!("stop")));
    let singly = |text: String| text.into_bytes().into_iter().map(|byte| vec![byte]).collect();
    assert_eq!(text(answered(Answer::Bytes(STREAM, singly(events.clone()), End::Done)).await), "日本 🙂");
    let marked = format!("\u{feff}{events}");
    assert_eq!(text(answered(Answer::Bytes(STREAM, singly(marked.clone()), End::Done)).await), "日本 🙂");
    let plain = "content-type: text/plain";
    assert_eq!(text(answered(bytes(marked.into_bytes(), plain)).await), "日本 🙂");
    let commented = format!(": hello\nevent: chunk\n{events}");
    assert_eq!(text(answered(bytes(commented.into_bytes(), plain)).await), "日本 🙂");
    let whole = json!({"choices": [{"message": {"content": "whole 日"}}]}).to_string();
    let json = "content-type: application/json";
    assert_eq!(text(answered(bytes(format!("\u{feff}{whole}").into_bytes(), json)).await), "whole 日");
    let utf_16: Vec<u8> = whole.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(text(answered(bytes(utf_16, json)).await), "whole 日");
    assert_eq!(
        text(answered(stream(&format!("{whole}\n"))).await),
        "whole 日",
        "JSON under a stream's content type"
    );
}

#[tokio::test]
async fn compressed_answers_are_read() {
    let gzip = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let whole = json!({"choices": [{"message": {"content": "whole"}}]}).to_string();
    let json = "content-type: application/json\r\ncontent-encoding: gzip";
    assert_eq!(text(answered(bytes(gzip(&whole), json)).await), "whole");
    let pieces = gzip(&data(&piece("streamed", &json!("stop")))).chunks(7).map(<[u8]>::to_vec).collect();
    let headers = "content-type: text/event-stream\r\ncontent-encoding: gzip";
    assert_eq!(text(answered(Answer::Bytes(headers, pieces, End::Done)).await), "streamed");
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(whole.as_bytes()).unwrap();
    for (headers, packed) in [
        ("content-type: application/json\r\ncontent-encoding: deflate", zlib.finish().unwrap()),
        (
            "content-type: application/json\r\ncontent-encoding: zstd",
            zstd::encode_all(whole.as_bytes(), 1).unwrap(),
        ),
    ] {
        assert_eq!(text(answered(bytes(packed, headers)).await), "whole", "{headers}");
    }
    let (kind, message) = answered(bytes(whole.clone().into_bytes(), json)).await.0.unwrap_err();
    assert!(kind == "failed" && message.contains("the body is not valid gzip"), "{message}");
    let (kind, message) = answered(bytes(gzip(&whole)[..20].to_vec(), json)).await.0.unwrap_err();
    assert!(kind == "network" && message.contains("the gzip data of the body is incomplete"), "{message}");
    let unknown = "content-type: application/json\r\ncontent-encoding: compress";
    let (kind, message) = answered(bytes(whole.into_bytes(), unknown)).await.0.unwrap_err();
    assert!(kind == "failed" && message.contains("is not supported"), "{message}");
}

#[tokio::test]
async fn errors_say_what_the_endpoint_says() {
    let begun = data(&piece("Once", &json!(null)));
    for (event, expected) in [
        ("event: error\ndata: {\"message\": \"overloaded\", \"type\": \"server_error\"}\n\n", "overloaded"),
        ("event: error\ndata: out of memory\n\n", "out of memory"),
        ("event: error\ndata: \"quota\"\n\n", "quota"),
        ("event: error\ndata: {\"error\": {\"message\": \"later\"}}\n\n", "later"),
        ("event: error\ndata: {\"code\": 7}\n\n", "{\"code\":7}"),
        ("data: {\"error\": {\"message\": \"bad key\", \"type\": \"auth\", \"code\": 401}}\n\n", "bad key"),
        ("data: {\"error\": \"no such model\"}\n\n", "no such model"),
        ("data: {\"error\": true, \"message\": \"it broke\"}\n\n", "it broke"),
        ("data: {\"error\": \"Bad Request\", \"message\": \"too long\"}\n\n", "too long"),
        ("data: {\"type\": \"error\", \"error\": {\"type\": \"x\", \"message\": \"busy\"}}\n\n", "busy"),
        (
            "data: {\"object\": \"error\", \"message\": \"too many tokens\", \"code\": 400}\n\n",
            "too many tokens",
        ),
        ("data: {\"message\": \"worker died\", \"type\": \"internal_error\"}\n\n", "worker died"),
        ("data: {\"errors\": [{\"detail\": \"one\"}, {\"detail\": \"two\"}]}\n\n", "one; two"),
        (
            "data: {\"choices\": [{\"delta\": {}, \"error\": {\"message\": \"provider failed\"}, \"finish_reason\": \"error\"}]}\n\n",
            "provider failed",
        ),
    ] {
        let (ended, output) = answered(stream(&format!("{begun}{event}"))).await;
        assert_eq!(ended, Err(("failed", format!("answered with an error: {expected}"))), "{event}");
        assert_eq!(output["text"], json!("Once"), "{event}");
    }
    for (event, expected) in [
        ("event: error\n\n", "answered with an error, without a message"),
        (
            "data: {\"choices\": [{\"delta\": {}, \"finish_reason\": \"error\"}]}\n\n",
            "ended its answer with finish_reason \"error\", without a message",
        ),
    ] {
        let (ended, _) = answered(stream(&format!("{begun}{event}"))).await;
        assert_eq!(ended, Err(("failed", expected.to_owned())), "{event}");
    }
    for (answer, expected) in [
        (r#"{"error": {"message": "overloaded", "code": 529}}"#, "answered with an error: overloaded"),
        (r#"{"error": "no credit"}"#, "answered with an error: no credit"),
        (r#"[{"error": {"code": 400, "message": "bad"}}]"#, "answered with an error: bad"),
        (r#"{"success": false, "message": "no"}"#, "answered with an error: no"),
        (
            r#"{"detail": [{"loc": ["body"], "msg": "field required"}]}"#,
            "answered without any choices: field required",
        ),
    ] {
        assert_eq!(answered(Answer::json(answer)).await.0, Err(("failed", expected.to_owned())), "{answer}");
    }
    let no_error = json!({"error": null, "errors": [], "choices": [{"message": {"content": "fine"}}]});
    assert_eq!(text(answered(Answer::json(&no_error.to_string())).await), "fine");
}
