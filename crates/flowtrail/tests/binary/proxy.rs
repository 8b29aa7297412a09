//! `flowtrail proxy` before odd servers, as a client starts it: what passes, and what is recorded of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flowtrail_testkit::{Said, ScriptedServer};
use serde_json::{Value, json};

use super::answers::{CODINGS, events, gzip, packed};
use super::{binary, call, message, run};

/// A proxy, and the pipes to it.
struct Relay {
    child: Child,
    input: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    errors: JoinHandle<String>,
}

impl Relay {
    fn start(data_dir: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(binary())
            .arg("proxy")
            .arg("--data-dir")
            .arg(data_dir)
            .args(arguments)
            .env("RUST_LOG", "warn")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok());
        });
        let mut stderr = child.stderr.take().expect("a pipe");
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).expect("it writes text");
            text
        });
        Self { input: child.stdin.take(), child, lines, errors }
    }

    /// A proxy before a server at an address.
    fn to_url(data_dir: &Path, url: &str) -> Self {
        Self::start(data_dir, &["--name", "far", "--url", url])
    }

    /// A proxy before a command: another proxy, which has the server's own words from an address.
    fn to_command(data_dir: &Path, url: &str) -> Self {
        let inner = data_dir.join("inner");
        let (binary, inner) =
            (binary().to_str().expect("a path"), inner.to_str().expect("a path").to_owned());
        let command = [binary, "proxy", "--data-dir", &inner, "--name", "inner", "--url", url];
        Self::start(data_dir, &[&["--name", "far", "--"][..], &command[..]].concat())
    }

    fn say(&mut self, message: &Value) {
        let input = self.input.as_mut().expect("it is open");
        writeln!(input, "{message}").expect("it reads");
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(Duration::from_secs(30)).expect("it answers")
    }

    fn ask(&mut self, message: &Value) -> Value {
        self.say(message);
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no message: {line}"))
    }

    /// Closes its input, and gives the lines that it has written since.
    fn end(mut self) -> Vec<String> {
        drop(self.input.take());
        let status = self.child.wait().expect("it ends");
        let errors = self.errors.join().expect("it was read");
        assert!(!errors.contains("panicked"), "{errors}");
        assert!(status.success(), "{status} {errors}");
        self.lines.into_iter().collect()
    }
}

/// The executions that were recorded, in full, newest first, as soon as they are as expected.
fn recorded(data_dir: &Path, is_expected: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let mut found = Vec::new();
    for _ in 0..100 {
        let exported = run(data_dir, &["executions", "export"]);
        let text = String::from_utf8(exported.stdout).expect("text");
        found = text.lines().map(|line| serde_json::from_str(line).expect("an execution")).collect();
        if is_expected(&found) {
            return found;
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    panic!("not as expected: {found:#?}");
}

fn have_ended(count: usize) -> impl Fn(&[Value]) -> bool {
    move |found| found.len() == count && found.iter().all(|one| one["status"] != "pending")
}

fn whole(id: &str, text: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":"{text}"}}]}}}}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_no_messages_stay_away_from_standard_output() {
    let far = ScriptedServer::start(|message| {
        let id = message["id"].as_i64()?;
        let answer = whole(&id.to_string(), "done");
        Some(events(&match id {
            1 => format!(
                "event: ping\ndata: ping\n\nevent: keepalive\ndata: {{}}\n\nevent: message\ndata: {answer}\n\n"
            ),
            2 => format!(": hello\n\ndata: ping\n\ndata: {answer}\n\ndata: late\n\n"),
            3 => format!(
                "data: []\n\ndata: [1]\n\ndata: {{}}\n\ndata: 7\n\nevent: endpoint\ndata: {answer}\n\ndata: {answer}\n\n"
            ),
            4 => {
                format!("id: 1\nretry: 5\n\nevent: error\ndata: {{\"code\": 1}}\n\nid: 2\ndata: {answer}\n\n")
            }
            _ => format!("data:\n\ndata: \n\nevent: message\nevent: ping\ndata: 1\n\ndata: {answer}\n\n"),
        }))
    });
    let folder = tempfile::tempdir().unwrap();
    let mut relay = Relay::to_url(folder.path(), far.url());
    for id in 1..=5 {
        let answer = relay.ask(&call(json!(id), json!({})));
        assert_eq!((&answer["id"], &answer["result"]["content"][0]["text"]), (&json!(id), &json!("done")));
    }
    assert_eq!(relay.end(), [""; 0], "nothing but answers");
    for execution in recorded(folder.path(), have_ended(5)) {
        assert_eq!((&execution["status"], &execution["inferred"]), (&json!("fulfilled"), &json!(false)));
        assert_eq!(execution["outputs"]["content"][0]["text"], "done");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_on_the_same_host_are_followed_with_the_message() {
    let far = ScriptedServer::start(|message| {
        let id = message["id"].as_i64()?;
        let host = message["headers"]["host"].as_str().unwrap_or_default();
        let location = if id == 3 { format!("http://{host}/mcp/") } else { "/mcp/".to_owned() };
        let status = if id == 1 { 307 } else { 308 };
        (message["path"] == "/mcp").then(|| Said::Raw(status, vec![("location", location)], Vec::new()))
    });
    for url in [far.url().to_owned(), format!("{}/", far.url())] {
        let folder = tempfile::tempdir().unwrap();
        let mut relay = Relay::to_url(folder.path(), &url);
        for id in 1..=3 {
            let answer = relay.ask(&call(json!(id), json!({})));
            assert_eq!(answer["result"]["content"][0]["text"], "done", "{answer}");
        }
        relay.end();
        for execution in recorded(folder.path(), have_ended(3)) {
            assert_eq!(execution["status"], "fulfilled");
        }
    }
    let arrived = far.heard("tools/call");
    let in_place = arrived.iter().filter(|message| message["path"] == "/mcp/");
    assert_eq!(in_place.filter(|message| message["params"]["arguments"]["n"] == 1).count(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_elsewhere_are_told_and_not_followed() {
    let elsewhere = ScriptedServer::start(|_| None);
    let to = elsewhere.url().to_owned();
    let far = ScriptedServer::start(move |message| {
        let port = to.rsplit(':').next()?;
        let (status, location) = match message["id"].as_i64()? {
            1 => (307, to.clone()),
            2 => (308, format!("{to}?key=1")),
            3 => (307, format!("http://localhost:{port}")),
            4 => (301, "/mcp/".to_owned()),
            5 => (302, "/mcp/".to_owned()),
            _ => (307, "/mcp".to_owned()),
        };
        Some(Said::Raw(status, vec![("location", location)], Vec::new()))
    });
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--name", "far", "--header", "Authorization: Bearer sesame-open", "--url", far.url()];
    let mut relay = Relay::start(folder.path(), &arguments);
    for id in 1..=6 {
        let answer = relay.ask(&call(json!(id), json!({})));
        let told = answer["error"]["message"].as_str().unwrap_or_else(|| panic!("{answer}"));
        assert!(id == 6 || told.contains("redirect to http://"), "{id}: {told}");
        assert!(!told.contains("key=1"), "{told}");
    }
    relay.end();
    assert!(elsewhere.heard("tools/call").is_empty(), "nothing was sent there");
    for execution in recorded(folder.path(), have_ended(6)) {
        assert_eq!(execution["status"], "error", "{execution:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn packed_answers_are_unpacked() {
    let far = ScriptedServer::start(|message| {
        let id = usize::try_from(message["id"].as_i64()?).ok()?;
        let answer = whole(&id.to_string(), "done");
        let (coding, pack) = CODINGS[id % CODINGS.len()];
        let (kind, body) = match id < CODINGS.len() {
            true => ("application/json", answer),
            false => ("text/event-stream", format!("event: ping\ndata: 1\n\ndata: {answer}\n\n")),
        };
        Some(packed(kind, coding, pack(body.as_bytes())))
    });
    let folder = tempfile::tempdir().unwrap();
    let mut relay = Relay::to_url(folder.path(), far.url());
    let count = CODINGS.len() * 2;
    for id in 0..count {
        let answer = relay.ask(&call(json!(id), json!({})));
        assert_eq!(
            answer["result"]["content"][0]["text"],
            "done",
            "{:?} {answer}",
            CODINGS[id % CODINGS.len()].0
        );
    }
    assert_eq!(relay.end(), [""; 0]);
    for execution in recorded(folder.path(), have_ended(count)) {
        assert_eq!(execution["outputs"]["content"][0]["text"], "done", "{execution:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_unpacked_is_an_error() {
    let far = ScriptedServer::start(|message| {
        let id = message["id"].as_i64()?;
        let answer = whole(&id.to_string(), "done").into_bytes();
        let mut cut = gzip(&answer);
        cut.truncate(cut.len() / 2);
        Some(match id {
            1 => packed("application/json", "gzip", answer),
            2 => packed("application/json", "gzip", cut),
            3 => packed("application/json", "compress", answer),
            4 => packed("text/event-stream", "deflate", b"data: nonsense\n\n".to_vec()),
            5 => packed("application/json", "br", vec![0xff; 40]),
            _ => return None,
        })
    });
    let folder = tempfile::tempdir().unwrap();
    let mut relay = Relay::to_url(folder.path(), far.url());
    for id in 1..=5 {
        let answer = relay.ask(&call(json!(id), json!({})));
        assert_eq!(answer["id"], id);
        let told = answer["error"]["message"].as_str().unwrap_or_else(|| panic!("{answer}"));
        assert!(told.contains("cannot be decoded"), "{id}: {told}");
    }
    let answer = relay.ask(&call(json!(6), json!({})));
    assert_eq!(answer["result"]["content"][0]["text"], "done", "the next request works");
    relay.end();
    let all = recorded(folder.path(), have_ended(6));
    assert_eq!(all.iter().filter(|execution| execution["status"] == "error").count(), 5, "{all:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_whose_ids_are_written_in_another_way_end_their_calls() {
    const IDS: [(i64, &str); 4] = [(5, "5"), (6, "6.0"), (7, "\"7\""), (8, "8e0")];
    for is_event in [false, true] {
        let far = ScriptedServer::start(move |message| {
            let id = message["id"].as_i64()?;
            let (_, written) = IDS.iter().find(|(known, _)| *known == id)?;
            let answer = whole(written, "done");
            Some(match is_event {
                true => events(&format!("data: {answer}\n\n")),
                false => {
                    Said::Raw(200, vec![("content-type", "application/json".to_owned())], answer.into_bytes())
                }
            })
        });
        for start in [Relay::to_url, Relay::to_command] {
            let folder = tempfile::tempdir().unwrap();
            let mut relay = start(folder.path(), far.url());
            for (id, written) in IDS {
                relay.say(&call(json!(id), json!({})));
                let line = relay.line();
                assert!(line.contains(&format!(r#""id":{written},"#)), "it passes as it was written: {line}");
            }
            // While it runs, and when it has ended.
            recorded(folder.path(), have_ended(4));
            relay.end();
            for execution in recorded(folder.path(), have_ended(4)) {
                assert_eq!(execution["status"], "fulfilled", "{execution:#}");
                assert_eq!((&execution["inferred"], &execution["errorInfo"]), (&json!(false), &Value::Null));
            }
        }
    }
}

/// A server that asks before one thing, and takes its time for another, which fails.
fn inventory() -> ScriptedServer {
    let about = json!({"io.modelcontextprotocol/serverInfo": {"name": "inventory", "version": "3"}});
    ScriptedServer::start(move |message| {
        let params = &message["params"];
        let task = |status: &str| {
            json!({"taskId": "t1", "status": status, "createdAt": "2026-11-01T00:00:00Z",
                "lastUpdatedAt": "2026-11-01T00:00:00Z", "ttlMs": 600_000, "pollIntervalMs": 50})
        };
        let mut result = match message["method"].as_str()? {
            "tools/call" if params["arguments"]["n"] == 2 => {
                json!({"resultType": "task", "task": task("working")})
            }
            "tools/call" if params.get("inputResponses").is_none() => json!({
                "resultType": "input_required", "requestState": "state-1",
                "inputRequests": {"sure": {"method": "elicitation/create", "params": {"message": "Sure?"}}},
            }),
            "tools/call" => json!({
                "resultType": "complete", "isError": true,
                "content": [{"type": "text", "text": "the person declined"}],
            }),
            "tasks/get" => {
                let mut over = task("failed");
                over["resultType"] = json!("complete");
                over["error"] = json!({"code": -32000, "message": "no space left"});
                over
            }
            _ => return None,
        };
        result["_meta"] = about.clone();
        Some(Said::Result(result))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_several_messages_is_one_execution() {
    const PAUSE: Duration = Duration::from_millis(500);
    let far = inventory();
    for start in [Relay::to_url, Relay::to_command] {
        for is_another_proxy in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let mut relay = start(folder.path(), far.url());
            let asked = relay.ask(&call(json!(1), json!({})));
            assert_eq!(asked["result"]["resultType"], "input_required");
            relay.ask(&call(json!(2), json!({"arguments": {"n": 2}})));
            let are_pending =
                |found: &[Value]| found.len() == 2 && found.iter().all(|one| one["status"] == "pending");
            recorded(folder.path(), are_pending);
            if is_another_proxy {
                relay.end();
                recorded(folder.path(), are_pending);
                relay = start(folder.path(), far.url());
            }
            let begun = Instant::now();
            while begun.elapsed() < PAUSE {
                std::thread::park_timeout(PAUSE);
            }
            let retry = json!({"requestState": "state-1", "inputResponses": {"sure": {"action": "decline"}}});
            relay.ask(&call(json!(3), retry));
            relay.ask(&message("tasks/get", json!(4), json!({"taskId": "t1"})));
            relay.end();
            let all = recorded(folder.path(), have_ended(2));
            let [slow, purge] = &all[..] else { panic!() };
            for (execution, message) in [(slow, "no space left"), (purge, "the person declined")] {
                assert_eq!((&execution["status"], &execution["inferred"]), (&json!("error"), &json!(false)));
                let told = execution["errorInfo"]["message"].as_str().unwrap();
                assert!(told.contains(message), "{told}");
                assert_eq!(execution["meta"]["server"], json!({"name": "inventory", "version": "3"}));
                assert!(execution["duration"].as_u64().unwrap() >= 500, "from the first message to the last");
                assert!(!execution.to_string().contains("state-1"), "the state is not kept");
            }
            assert_eq!(slow["nodeExecutions"], json!([]));
            let nodes = purge["nodeExecutions"].as_array().unwrap();
            assert_eq!(
                (nodes.len(), &nodes[0]["nodeType"], &nodes[0]["status"]),
                (1, &json!("Input"), &json!("completed"))
            );
            assert_eq!(nodes[0]["inputData"]["sure"]["params"]["message"], "Sure?");
            assert_eq!(nodes[0]["outputData"], json!({"sure": {"action": "decline"}}));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_pass_and_are_recorded_as_they_were_sent() {
    const NUMBERS: &str = r#"{"n":1.10,"m":1e2,"big":18446744073709551617,"x":-1E400}"#;
    let far = ScriptedServer::start(|message| {
        let id = message["id"].as_i64()?;
        let answer = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[],"structuredContent":{NUMBERS}}}}}"#
        );
        Some(Said::Raw(200, vec![("content-type", "application/json".to_owned())], answer.into_bytes()))
    });
    for start in [Relay::to_url, Relay::to_command] {
        let folder = tempfile::tempdir().unwrap();
        let mut relay = start(folder.path(), far.url());
        let sent =
            call(json!(1), json!({"arguments": "ARGUMENTS"})).to_string().replace("\"ARGUMENTS\"", NUMBERS);
        writeln!(relay.input.as_mut().unwrap(), "{sent}").unwrap();
        let line = relay.line();
        assert!(line.contains(NUMBERS), "{line}");
        relay.end();
        recorded(folder.path(), have_ended(1));
        let exported = String::from_utf8(run(folder.path(), &["executions", "export"]).stdout).unwrap();
        assert_eq!(exported.matches(NUMBERS).count(), 2, "{exported}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_servers_are_stood_before_by_their_name() {
    let far = ScriptedServer::start(|_| None);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("flowtrail.toml");
    let (binary, inner) = (binary().to_str().unwrap(), folder.path().join("inner"));
    let arguments = json!(["proxy", "--data-dir", inner, "--name", "inner", "--url", far.url()]);
    let written = format!(
        "[upstreams.far]\nurl = {:?}\n[upstreams.near]\ncommand = {binary:?}\nargs = {arguments}\n",
        far.url()
    );
    std::fs::write(&config, written).unwrap();
    for (count, name) in (1..).zip(["far", "near"]) {
        let mut relay = Relay::start(folder.path(), &["--config", config.to_str().unwrap(), "--name", name]);
        let answer = relay.ask(&call(json!(1), json!({})));
        assert_eq!(answer["result"]["content"][0]["text"], "done", "{name} {answer}");
        relay.end();
        let newest = recorded(folder.path(), have_ended(count)).remove(0);
        assert_eq!(newest["flowName"], format!("{name}.call"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_speak_tls_is_an_error_and_no_panic() {
    let far = ScriptedServer::start(|_| None);
    let folder = tempfile::tempdir().unwrap();
    let mut relay = Relay::to_url(folder.path(), &far.url().replace("http://", "https://"));
    let answer = relay.ask(&call(json!(1), json!({})));
    assert!(answer["error"]["message"].is_string(), "{answer}");
    relay.end();
    assert_eq!(recorded(folder.path(), have_ended(1))[0]["status"], "error");
}
