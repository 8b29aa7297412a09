//! What is asked, and what it is compared with.

use std::cell::Cell;

use flowtrail_testkit::{Rest, TestProcess};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::echo::Echo;
use crate::options::Options;
use crate::table::Row;
use crate::top::{Asked, rate};
use crate::{bodies, steady};

/// How many executions a batch has.
const BATCH: usize = 1_000;
/// How many batches are sent at once.
const BATCHES: usize = 4;
/// How many executions a second are recorded one by one while others read.
const MEANWHILE: f64 = 500.0;
/// The longest that 99 of 100 answers may take at half of the top rate, in milliseconds.
const P99: f64 = 10.0;

/// A server, and a flow to record into.
pub(crate) struct Bench<'a> {
    base: &'a str,
    key: &'a str,
    rest: Rest,
    runtime: Runtime,
    folder: TempDir,
    options: &'a Options,
    pub(crate) flow: String,
    /// How many executions a second are recorded one by one.
    single: Cell<f64>,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(server: &'a TestProcess, options: &'a Options) -> Result<Self, String> {
        let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
        let rest = server.rest();
        let made = runtime.block_on(async {
            rest.post("/api/flows", &json!({"name": "Measured", "kind": "external"})).await.expect(201)
        });
        let flow = made["id"].as_str().ok_or("a flow has an id")?.to_owned();
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        Ok(Self {
            base: server.base(),
            key: server.key(),
            rest,
            runtime,
            folder,
            options,
            flow,
            single: Cell::new(0.0),
        })
    }

    fn get(&self, path: &str) -> Value {
        self.runtime.block_on(async { self.rest.get(path).await.expect(200) })
    }

    fn asked<'b>(&'b self, method: &'b str, path: &str, body: &'b str) -> Asked<'b> {
        Asked { method, url: format!("{}{path}", self.base), key: self.key, body, headers: &[] }
    }

    /// The rate of an echo of the same body, or of one that answers these bytes.
    fn echo(&self, body: &str, answer: Option<&str>) -> Result<f64, String> {
        let file = self.folder.path().join("answer");
        std::fs::write(&file, answer.unwrap_or_default()).map_err(|error| error.to_string())?;
        let echo = Echo::start(Some(&file))?;
        let method = if answer.is_some() { "GET" } else { "POST" };
        let asked = Asked { method, url: format!("{}/echo", echo.base), key: self.key, body, headers: &[] };
        rate(&asked, self.options.connections, self.options.seconds, self.folder.path())
    }

    /// The latency at half of a rate, as a line, beside that of an echo at the same rate: what the machine itself takes.
    fn at_half(&self, name: &str, path: (&str, &str), body: &str, top: (f64, usize)) -> Result<(), String> {
        let request = bodies::request(path.0, path.1, self.key, body);
        let (top, connections) = top;
        let seconds = self.options.seconds;
        let steady = |base: &str, request: &[u8]| {
            steady::measure(base, request, connections, top / 2.0, seconds, self.folder.path())
        };
        let taken = steady(self.base, &request)?;
        // It answers as much as it was asked last to answer.
        let echo = Echo::start(Some(&self.folder.path().join("answer")))?;
        let echoed = steady(&echo.base, &bodies::request(path.0, "/echo", self.key, body))?;
        Row {
            workload: format!("{name}, at half of that"),
            measured: format!("p50 {:.2} ms p99 {:.2} ms", taken.p50, taken.p99),
            beside: format!(
                "{:.0}/s, steady; the echo: p50 {:.2} ms p99 {:.2} ms",
                top / 2.0,
                echoed.p50,
                echoed.p99
            ),
            target: "p99 below 10 ms",
            is_reached: Some(taken.p99 < P99),
            ..Row::default()
        }
        .print();
        Ok(())
    }

    /// A finished execution in each request.
    pub(crate) fn record(&self) -> Result<(), String> {
        let body = bodies::execution().to_string();
        let path = format!("/api/flows/{}/executions", self.flow);
        let echo = self.echo(&body, None)?;
        let found = rate(
            &self.asked("POST", &path, &body),
            self.options.connections,
            self.options.seconds,
            self.folder.path(),
        )?;
        self.single.set(found);
        let name = format!("POST of an execution of {} bytes and 5 nodes", body.len());
        Row {
            workload: format!("{name}, {} connections, durable", self.options.connections),
            measured: format!("{found:.0}/s"),
            beside: format!("echo of the body: {echo:.0}/s"),
            ratio: Some(found / echo),
            target: "0.25 of the echo",
            is_reached: Some(found / echo >= 0.25),
        }
        .print();
        self.at_half(&name, ("POST", &path), &body, (found, self.options.connections))
    }

    fn batch_body(&self) -> String {
        let mut execution = bodies::execution();
        execution["flowId"] = json!(self.flow);
        format!("{execution}\n").repeat(BATCH)
    }

    /// A thousand in each request.
    pub(crate) fn batch(&self) -> Result<(), String> {
        let body = self.batch_body();
        let path = "/api/executions/batch";
        let found =
            rate(&self.asked("POST", path, &body), BATCHES, self.options.seconds, self.folder.path())?;
        #[expect(clippy::cast_precision_loss, reason = "a thousand")]
        let executions = found * BATCH as f64;
        Row {
            workload: format!("batches of {BATCH} such executions, {BATCHES} connections"),
            measured: format!("{executions:.0} executions/s"),
            beside: format!("one by one: {:.0}/s", self.single.get()),
            ratio: Some(executions / self.single.get()),
            target: "1.5 of one by one",
            is_reached: Some(executions / self.single.get() >= 1.5),
        }
        .print();
        self.at_half("a batch", ("POST", path), &body, (found, BATCHES))
    }

    /// Records until the flow has as many executions as are asked for.
    pub(crate) fn fill(&self) -> Result<(), String> {
        let stats = format!("/api/flows/{}/executions/stats", self.flow);
        let body = self.batch_body();
        loop {
            let total = self.get(&stats)["total"].as_u64().unwrap_or(0);
            let total = usize::try_from(total).unwrap_or(usize::MAX);
            eprint!("\r{total} of {} executions", self.options.executions);
            if total >= self.options.executions {
                eprintln!();
                return Ok(());
            }
            rate(&self.asked("POST", "/api/executions/batch", &body), BATCHES, 5, self.folder.path())?;
        }
    }

    fn reading(&self, name: &str, path: &str, least: f64) -> Result<(), String> {
        let answer = self.get(path).to_string();
        let total = self.get(&format!("/api/flows/{}/executions/stats", self.flow))["total"].clone();
        let name = format!("{name} of a flow with {total}");
        let echo = self.echo("", Some(&answer))?;
        let asked = self.asked("GET", path, "");
        let found = rate(&asked, self.options.connections, self.options.seconds, self.folder.path())?;
        Row {
            workload: format!("{name}, {} connections", self.options.connections),
            measured: format!("{found:.0}/s"),
            beside: format!("echo that answers the {} bytes: {echo:.0}/s", answer.len()),
            ratio: Some(found / echo),
            target: &format!("{least} of the echo"),
            is_reached: Some(found / echo >= least),
        }
        .print();
        self.at_half(&name, ("GET", path), "", (found, self.options.connections))?;
        self.reading_while_recording(&name, &asked, found)
    }

    /// The same while something is written all the time: no answer is good for long.
    fn reading_while_recording(&self, name: &str, asked: &Asked<'_>, alone: f64) -> Result<(), String> {
        let Options { connections, seconds, .. } = *self.options;
        let (base, folder) = (self.base, self.folder.path());
        let path = format!("/api/flows/{}/executions", self.flow);
        let request = bodies::request("POST", &path, self.key, &bodies::execution().to_string());
        let (found, recorded) = std::thread::scope(|scope| {
            let recording =
                scope.spawn(|| steady::measure(base, &request, 8, MEANWHILE, seconds + 1, folder));
            (rate(asked, connections, seconds, folder), recording.join())
        });
        let (found, recorded) = (found?, recorded.map_err(|_| "the recording panicked")??);
        Row {
            workload: format!("{name}, {connections} connections, while {MEANWHILE:.0}/s are recorded"),
            measured: format!("{found:.0}/s, recorded with p99 {:.2} ms", recorded.p99),
            beside: format!("alone: {alone:.0}/s"),
            ratio: Some(found / alone),
            ..Row::default()
        }
        .print();
        Ok(())
    }

    /// The newest twenty.
    pub(crate) fn first_page(&self) -> Result<(), String> {
        self.reading("first page of 20", &format!("/api/flows/{}/executions?limit=20", self.flow), 0.20)
    }

    pub(crate) fn statistics(&self) -> Result<(), String> {
        self.reading("statistics", &format!("/api/flows/{}/executions/stats", self.flow), 0.35)
    }
}
