//! Standard input and output on this side, streamable HTTP on the other.
//!
//! Messages stay as they are; what differs is how they travel. Of the era of sessions the bridge keeps what HTTP adds: the
//! session's id, the stream on which the server speaks by itself, taking up streams that broke. In the era of
//! 2026-07-28 it repeats in headers what a message says, and hangs up on what is cancelled.

mod session;

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::Failed;
use super::ids::{id_of, may_be};
use super::journal::Tap;
use super::message::{Kept, Seen, beginning};
use super::passing::stream_ended;
use super::sse::SseReader;
use super::web::{Answer, Promoted, SESSION, Target, WebClient, WebError, standard_headers};
use session::State;

/// The largest message that is passed on.
const LARGEST: usize = 256 << 20;
/// How long a server may take to accept what it need not answer.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(30);
/// How long what runs may go on once the client is gone, and how long ending a session may take.
const GRACE: Duration = Duration::from_secs(2);
/// How often a stream that broke is taken up again without anything having come.
const TRIES: u32 = 5;
/// How long to wait before that when the server does not say.
const PAUSE: Duration = Duration::from_secs(1);

/// Relays between this process's standard input and output and a server, until the input ends or `stop` is done.
///
/// # Errors
///
/// When no client for HTTP can be made.
pub async fn relay_url(target: Target, tap: Tap, stop: impl Future<Output = ()>) -> Result<(), WebError> {
    let (lines, mut said) = mpsc::channel::<Bytes>(64);
    let (out, mut to_client) = mpsc::channel::<Bytes>(64);
    std::thread::spawn(move || read_lines(&lines));
    let writer = std::thread::spawn(move || {
        let mut stdout = std::io::stdout();
        while let Some(line) = to_client.blocking_recv() {
            if stdout.write_all(&line).and_then(|()| stdout.flush()).is_err() {
                return;
            }
        }
    });
    let bridge = Bridge(Arc::new(Inner {
        http: WebClient::new()?,
        target,
        tap,
        out,
        state: Mutex::default(),
        promoted: Promoted::default(),
        running: Mutex::default(),
        answered: Notify::new(),
        renewing: tokio::sync::Mutex::default(),
        over: CancellationToken::new(),
        tasks: TaskTracker::new(),
    }));
    tokio::pin!(stop);
    let is_stopped = loop {
        tokio::select! {
            () = &mut stop => break true,
            line = said.recv() => match line {
                // A server that does not accept what it is told holds up nobody who wants to stop.
                Some(line) => tokio::select! {
                    () = &mut stop => break true,
                    () = bridge.client_said(line) => {}
                },
                None => break false,
            }
        }
    };
    if !is_stopped {
        // Whoever has said all that they have to say may still be listening.
        let _ = tokio::time::timeout(GRACE, bridge.all_answered()).await;
    }
    bridge.end().await;
    drop(bridge);
    let written = tokio::task::spawn_blocking(move || writer.join().is_ok());
    let _ = tokio::time::timeout(GRACE, written).await;
    Ok(())
}

/// Reads lines until there are none.
fn read_lines(lines: &mpsc::Sender<Bytes>) {
    let mut input = std::io::stdin().lock();
    loop {
        let mut line = Vec::new();
        match std::io::Read::take(&mut input, LARGEST as u64).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) if line.trim_ascii().is_empty() => {}
            Ok(_) if lines.blocking_send(line.into()).is_ok() => {}
            Ok(_) => return,
            Err(error) => return log::warn!("standard input cannot be read: {error}"),
        }
    }
}

#[derive(Clone)]
struct Bridge(Arc<Inner>);

struct Inner {
    target: Target,
    http: WebClient,
    tap: Tap,
    out: mpsc::Sender<Bytes>,
    state: Mutex<State>,
    promoted: Promoted,
    /// The requests that are not answered, by id.
    running: Mutex<HashMap<String, Running>>,
    /// Tells that one of them is not there any more.
    answered: Notify,
    /// Held while another session is begun: one is enough for all who find the old one forgotten.
    renewing: tokio::sync::Mutex<()>,
    over: CancellationToken,
    tasks: TaskTracker,
}

/// A request that is not answered.
struct Running {
    hang_up: CancellationToken,
    is_stateless: bool,
}

/// What came of sending something.
enum Sent {
    /// All that was to come has come.
    Done,
    /// The server has forgotten the session, which was this one.
    Forgotten(HeaderValue),
}

impl Bridge {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Done when no request waits for its answer.
    async fn all_answered(&self) {
        loop {
            let answered = self.0.answered.notified();
            if self.running().is_empty() {
                return;
            }
            answered.await;
        }
    }

    /// A request is not waited for any more. None when it was not.
    fn let_go(&self, id: &str) -> Option<Running> {
        let request = self.running().remove(id);
        // There is one who may wait for it.
        self.0.answered.notify_one();
        request
    }

    /// Passes on what the client says. What must not be overtaken is waited for.
    async fn client_said(&self, line: Bytes) {
        self.0.tap.client_said(line.clone());
        let message: Value = serde_json::from_slice(&line).unwrap_or_default();
        // What is not read as a whole is passed on all the same.
        let kept = Kept::of(line.clone());
        let seen = Seen::one_in(&kept).unwrap_or_default();
        let method = seen.method.map(std::borrow::Cow::into_owned).unwrap_or_default();
        let id = seen.id;
        let headers = standard_headers(&message, &self.0.promoted);
        match id.filter(|_| !method.is_empty()) {
            Some(id) => {
                let is_stateless = !headers.is_empty();
                let hang_up = self.0.over.child_token();
                self.running().insert(id.clone(), Running { hang_up: hang_up.clone(), is_stateless });
                let is_first = method == "initialize";
                if is_first {
                    *self.state() = State { initialize: Some(line.clone()), ..State::default() };
                }
                let bridge = self.clone();
                let request = async move { bridge.ask(id, &method, line, headers, hang_up).await };
                if is_first {
                    request.await;
                } else {
                    self.0.tasks.spawn(request);
                }
            }
            None if method == "notifications/cancelled" && self.hung_up(&message) => {}
            None => {
                let told = self.send(None, "", line, headers);
                if tokio::time::timeout(ACCEPTED_WITHIN, told).await.is_err() {
                    log::warn!("the server has not accepted a message in time");
                }
                if method == "notifications/initialized" {
                    let bridge = self.clone();
                    self.0.tasks.spawn(async move { bridge.listen().await });
                }
            }
        }
    }

    /// Whether what was cancelled is cancelled by hanging up.
    fn hung_up(&self, message: &Value) -> bool {
        let id = message["params"].get("requestId").and_then(|id| id_of(&id.to_string()));
        // Nobody waits for an answer to it any more, nor for the reason why there is none.
        let Some(request) = id.and_then(|id| self.let_go(&id)) else { return false };
        if request.is_stateless {
            request.hang_up.cancel();
        }
        request.is_stateless
    }

    /// Sends a request and passes on what comes back, until its answer was among it.
    async fn ask(
        &self,
        id: String,
        method: &str,
        line: Bytes,
        headers: HeaderMap,
        hang_up: CancellationToken,
    ) {
        let asked = async {
            match self.send(Some(&id), method, line.clone(), headers.clone()).await {
                Ok(Sent::Forgotten(session)) => {
                    self.begin_again(&session).await?;
                    match self.send(Some(&id), method, line, headers).await? {
                        Sent::Done => Ok(()),
                        Sent::Forgotten(_) => Err(WebError::new("the server has forgotten its session")),
                    }
                }
                other => other.map(drop),
            }
        };
        let answered = tokio::select! {
            () = hang_up.cancelled() => Ok(()),
            answered = asked => answered,
        };
        let is_waited_for = self.let_go(&id).is_some();
        if let Err(error) = answered
            && is_waited_for
        {
            let WebError { message, answer, .. } = error;
            self.0.tap.failed(&id, Failed { message: message.clone(), answer });
            self.refuse(&id, &message).await;
        }
    }

    /// Answers in the server's place, which cannot.
    async fn refuse(&self, id: &str, message: &str) {
        const SERVER_ERROR: i32 = -32_000;
        let id: Value = serde_json::from_str(id).unwrap_or_default();
        let answer = json!({"jsonrpc": "2.0", "id": id, "error": {"code": SERVER_ERROR, "message": message}});
        self.pass_on(answer.to_string().as_bytes()).await;
    }

    async fn send(
        &self,
        id: Option<&str>,
        method: &str,
        body: Bytes,
        mut headers: HeaderMap,
    ) -> Result<Sent, WebError> {
        let is_stateless = !headers.is_empty();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let is_in_session = !is_stateless && method != "initialize";
        let session = is_in_session.then(|| self.add_session(&mut headers)).flatten();
        let inner = &self.0;
        let answer = inner.http.send(&inner.target, Method::POST, headers, Some(body)).await?;
        let status = answer.status();
        if status == StatusCode::NOT_FOUND
            && let Some(session) = session
        {
            return Ok(Sent::Forgotten(session));
        }
        if method == "initialize" && status.is_success() {
            self.state().session = answer.headers().get(SESSION).cloned();
        }
        let redirect = answer.redirects_to();
        let is_stream = answer.is("text/event-stream");
        if status.is_success() && is_stream {
            self.pass_stream_on(id, method, answer).await?;
            return Ok(Sent::Done);
        }
        let is_json = answer.is("application/json");
        let Some(id) = id else {
            // There is nobody to tell, but for who has sent several at once.
            if !status.is_success() {
                log::warn!("the server does not accept a message: {status}");
            } else if is_json {
                let body = answer.whole(LARGEST).await?;
                if !body.trim_ascii().is_empty() {
                    self.pass_on(&body).await;
                }
            }
            return Ok(Sent::Done);
        };
        let body = answer.whole(LARGEST).await?;
        let kept = Kept::of(Bytes::from(body.clone()));
        let is_answer =
            is_json && Seen::all_in(&kept).iter().any(|seen| seen.result.is_some() || seen.error.is_some());
        match is_answer.then(|| serde_json::from_slice::<Value>(&body).unwrap_or(Value::Bool(true))) {
            Some(mut message) => {
                self.learn(method, &message);
                // What was refused unread is answered without an id, which nobody on this side waits for.
                if message["id"].is_null() && message.is_object() {
                    message["id"] = serde_json::from_str(id).unwrap_or_default();
                    self.pass_on(message.to_string().as_bytes()).await;
                } else {
                    self.pass_on(&body).await;
                }
                Ok(Sent::Done)
            }
            None => {
                let text = beginning(&body);
                let leads = redirect.map(|to| format!(" (a redirect to {to}, which is not followed)"));
                let message = format!("the server answered {status}{}: {text}", leads.unwrap_or_default());
                Err(WebError::answered(message, status.as_u16(), text))
            }
        }
    }

    /// Learns from an answer what later requests need.
    fn learn(&self, method: &str, message: &Value) {
        match method {
            "initialize" => {
                let version = message["result"]["protocolVersion"].as_str();
                self.state().protocol = version.and_then(|version| HeaderValue::from_str(version).ok());
            }
            "tools/list" => self.0.promoted.learn(message),
            _ => {}
        }
    }

    /// Passes a stream on until the answer was in it, taking it up again where it breaks.
    async fn pass_stream_on(
        &self,
        id: Option<&str>,
        method: &str,
        mut answer: Answer,
    ) -> Result<(), WebError> {
        let mut last_event = None;
        let mut pause = PAUSE;
        let mut failures = 0;
        loop {
            let mut reader = SseReader::default();
            // A stream that breaks ends like any other: what counts is what has come.
            let broke = loop {
                let piece = match answer.piece().await {
                    Ok(Some(piece)) => piece,
                    over => break over.err().map(|error| error.to_string()),
                };
                for event in reader.feed(&piece) {
                    failures = 0;
                    pause = event.retry.map_or(pause, Duration::from_millis);
                    if event.id.is_some() {
                        last_event.clone_from(&event.id);
                    }
                    let Some(message) = event.into_message() else { continue };
                    self.pass_on(&message).await;
                    let kept = Kept::of(message.clone());
                    let answered = Seen::one_in(&kept).filter(|seen| seen.method.is_none());
                    if let (Some(id), Some(answered)) = (id, answered)
                        && may_be(answered.id.as_deref(), id)
                    {
                        self.learn(method, &serde_json::from_slice(&message).unwrap_or_default());
                        return Ok(());
                    }
                }
            };
            let lost = || WebError::new(stream_ended(broke.as_deref()));
            let event = last_event.as_deref().ok_or_else(lost)?;
            loop {
                failures += 1;
                if failures > TRIES {
                    return Err(lost());
                }
                tokio::time::sleep(pause).await;
                match self.open_stream(Some(event)).await {
                    Ok(again) if again.status().is_success() => {
                        answer = again;
                        break;
                    }
                    Ok(refused) if refused.status().is_client_error() => return Err(lost()),
                    Ok(_) | Err(_) => {}
                }
            }
        }
    }

    /// Gives the client a message, as one line.
    async fn pass_on(&self, message: &[u8]) {
        // Outside of texts, where JSON has none, line ends are white space.
        let mut line: Vec<u8> =
            message.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect();
        line.push(b'\n');
        let line = Bytes::from(line);
        // The client may be gone.
        let _ = self.0.out.send(line.clone()).await;
        self.0.tap.server_said(line);
    }

    /// Hangs up on what runs, and ends the session.
    async fn end(&self) {
        self.0.over.cancel();
        self.0.tasks.close();
        let _ = tokio::time::timeout(GRACE, self.0.tasks.wait()).await;
        self.0.tap.client_left();
        let mut headers = HeaderMap::new();
        if self.add_session(&mut headers).is_some() {
            let deleted = self.0.http.send(&self.0.target, Method::DELETE, headers, None);
            if !matches!(tokio::time::timeout(GRACE, deleted).await, Ok(Ok(_))) {
                log::debug!("the session was not ended");
            }
        }
    }
}
