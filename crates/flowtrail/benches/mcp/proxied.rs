//! A call through the proxy against the same server called directly, and what the proxy takes while nothing passes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::part;
use crate::table::Row;

/// How many calls are made in a round, of which direct ones and others take turns.
const CALLS: usize = 2_000;
const ROUNDS: usize = 5;
/// The most that the proxy may add, in milliseconds: at the median, and to the slowest of a hundred.
const MEDIAN: f64 = 0.5;
const P99: f64 = 2.0;
/// The most memory of a proxy that idles, in MiB.
const MEMORY: f64 = 20.0;

/// A client that waits for each answer.
struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next: u64,
}

impl Peer {
    fn start(mut command: Command) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .env("RUST_LOG", "warn")
            .spawn()
            .map_err(|error| error.to_string())?;
        let input = child.stdin.take().ok_or("no input")?;
        let output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut peer = Self { child, input, output, next: 0 };
        let client = json!({"name": "bench", "version": "1"});
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
        peer.ask("initialize", &params)?;
        peer.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        Ok(peer)
    }

    fn send(&mut self, message: &Value) -> Result<(), String> {
        let written = self.input.write_all(format!("{message}\n").as_bytes());
        written.and_then(|()| self.input.flush()).map_err(|error| error.to_string())
    }

    fn ask(&mut self, method: &str, params: &Value) -> Result<Value, String> {
        self.next += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params}))?;
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_str(&line).map_err(|error| format!("{line}: {error}"))?;
        if answer["id"] == self.next && answer["result"].is_object() {
            Ok(answer)
        } else {
            Err(format!("{method} was answered {answer}"))
        }
    }

    /// How long each of so many calls took.
    fn calls(&mut self, took: &mut Vec<Duration>) -> Result<(), String> {
        let message = "x".repeat(200);
        let params = json!({"name": "echo", "arguments": {"message": message}});
        for _ in 0..CALLS {
            let begun = Instant::now();
            let answer = self.ask("tools/call", &params)?;
            took.push(begun.elapsed());
            if answer["result"]["content"][0]["text"] != message {
                return Err(format!("the echo answered {answer}"));
            }
        }
        Ok(())
    }

    /// The memory that it holds, in MiB.
    fn memory(&self) -> Result<f64, String> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.map_err(|error| error.to_string())?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().map_err(|_| "no number".to_owned())?;
        Ok(kib / 1024.0)
    }

    fn end(mut self) -> Result<(), String> {
        drop(self.input);
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("it ended with {status}")) }
    }
}

pub(crate) fn measure() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut direct = Peer::start(part(&["echo", "stdio"])?)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowtrail"));
    let echo = std::env::current_exe().map_err(|error| error.to_string())?;
    command.args(["proxy", "--name", "echo", "--data-dir"]).arg(folder.path()).arg("--").arg(echo);
    command.args(["echo", "stdio"]);
    let mut proxied = Peer::start(command)?;
    // Opening the database is beside the traffic, too: once a call is recorded that is over.
    proxied.ask("tools/call", &json!({"name": "echo", "arguments": {"message": "first"}}))?;
    let mut looks = 0;
    while recorded(folder.path())? < 1 {
        looks += 1;
        if looks > 1_000 {
            return Err("the first call was not recorded".to_owned());
        }
    }
    let idle = proxied.memory()?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        direct.calls(&mut without)?;
        proxied.calls(&mut with)?;
    }
    let busy = proxied.memory()?;
    direct.end()?;
    proxied.end()?;
    let count = recorded(folder.path())?;
    if count != (ROUNDS * CALLS + 1) as u64 {
        return Err(format!("of {} calls were recorded {count}", ROUNDS * CALLS + 1));
    }
    for (name, at, most) in [("median", 0.5, MEDIAN), ("p99", 0.99, P99)] {
        let (direct, proxied) = (quantile(&mut without, at), quantile(&mut with, at));
        Row {
            workload: format!("a call through the stdio proxy, {name} of {}", ROUNDS * CALLS),
            measured: format!("{proxied:.3} ms, {:.3} ms more", proxied - direct),
            beside: format!("{direct:.3} ms directly"),
            ratio: Some(proxied / direct),
            target: &format!("less than {most} ms more"),
            is_reached: Some(proxied - direct < most),
        }
        .print();
    }
    Row {
        workload: "memory of the proxy, idle".to_owned(),
        measured: format!("{idle:.1} MiB; {busy:.1} MiB after {} calls", ROUNDS * CALLS),
        target: &format!("below {MEMORY} MiB"),
        is_reached: Some(idle < MEMORY),
        ..Row::default()
    }
    .print();
    Ok(())
}

/// How many calls were recorded.
fn recorded(data_dir: &std::path::Path) -> Result<u64, String> {
    let listed = Command::new(env!("CARGO_BIN_EXE_flowtrail"))
        .args(["stats", "--json", "--data-dir"])
        .arg(data_dir)
        .env("RUST_LOG", "error")
        .output()
        .map_err(|error| error.to_string())?;
    let stats: Value = serde_json::from_slice(&listed.stdout).map_err(|error| error.to_string())?;
    stats["fulfilled"].as_u64().ok_or_else(|| format!("no statistics: {stats}"))
}

fn quantile(times: &mut [Duration], at: f64) -> f64 {
    times.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a short list"
    )]
    let place = ((times.len() - 1) as f64 * at) as usize;
    times[place].as_secs_f64() * 1e3
}
