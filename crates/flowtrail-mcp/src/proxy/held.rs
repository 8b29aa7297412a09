//! A server's process behind HTTP: many requests, one pair of pipes.
//!
//! What the process says goes to the request that it answers or tells of the progress of. What it says by itself goes to
//! whoever listens, or else to the request that came last. A process is either one session's, whose ids it is told as
//! they are; or it answers requests that stand for themselves, from anybody, whose ids are exchanged so that they differ.

mod ended;

use std::collections::{HashMap, VecDeque};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::child::{self, ChildError};
use super::ids::{id_of, meant};
use super::journal::Tap;
use super::message::{Kept, Seen};
use super::splice::spliced;
use super::upstream::Command;
use ended::EndOfReading;

/// The largest message that is passed on.
const LARGEST: u64 = 256 << 20;
/// How much may wait to be written to the process.
const TO_WRITE: usize = 256;
/// How many messages are kept for a client that does not listen yet.
const KEPT: usize = 100;
/// How many bytes may wait for a client that reads slowly. A message that is larger by itself is passed on all the same.
const MOST_WAITING: usize = 64 << 20;

const TOKEN: &[&str] = &["params", "_meta", "progressToken"];
const TOKEN_TOLD: &[&str] = &["params", "progressToken"];
const SUBSCRIPTION: &[&str] = &["params", "_meta", "io.modelcontextprotocol/subscriptionId"];
const SUBSCRIPTION_ANSWERED: &[&str] = &["result", "_meta", "io.modelcontextprotocol/subscriptionId"];

/// A server's process, shared by the requests to it. It is stopped when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct HeldChild(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    input: mpsc::Sender<Bytes>,
    routes: Mutex<Routes>,
    tap: Option<Tap>,
    is_shared: bool,
    /// Why it answers no more, once it does not.
    ended: watch::Sender<Option<String>>,
    /// Closed when the process is gone.
    there: watch::Receiver<()>,
    /// Fires when nobody holds it any more.
    _over: DropGuard,
}

#[derive(Debug, Default)]
struct Routes {
    requests: HashMap<String, VecDeque<Route>>,
    /// By progress token, the id of its request.
    tokens: HashMap<String, String>,
    listener: Option<Way>,
    unheard: VecDeque<Bytes>,
    last: Option<String>,
    next: u64,
}

#[derive(Debug)]
struct Route {
    to: Way,
    /// What it is called on the client's side, where that differs.
    own: Option<Own>,
    token: Option<String>,
}

/// The way to whoever reads, who may do that as slowly as they like: only so much waits for them.
#[derive(Debug)]
struct Way {
    to: mpsc::UnboundedSender<Bytes>,
    waiting: Arc<AtomicUsize>,
}

/// Its other end.
#[derive(Debug)]
pub struct Heard {
    messages: mpsc::UnboundedReceiver<Bytes>,
    waiting: Arc<AtomicUsize>,
}

impl Way {
    fn new() -> (Self, Heard) {
        let (to, messages) = mpsc::unbounded_channel();
        let waiting = Arc::<AtomicUsize>::default();
        (Self { to, waiting: Arc::clone(&waiting) }, Heard { messages, waiting })
    }

    /// Passes a message on, or gives it back when nobody is there who takes it.
    fn send(&self, message: Bytes) -> Result<(), Bytes> {
        let waits = self.waiting.load(Ordering::Relaxed);
        if waits > 0 && waits + message.len() > MOST_WAITING {
            log::warn!("a client reads too slowly: a message of {} bytes is not passed on", message.len());
            return Err(message);
        }
        self.send_last(message)
    }

    /// The same for what ends it: that is passed on however much waits.
    fn send_last(&self, message: Bytes) -> Result<(), Bytes> {
        self.waiting.fetch_add(message.len(), Ordering::Relaxed);
        self.to.send(message).map_err(|unsent| unsent.0)
    }

    fn is_closed(&self) -> bool {
        self.to.is_closed()
    }
}

impl Heard {
    /// The next message; none when no more will come.
    pub async fn next(&mut self) -> Option<Bytes> {
        let message = self.messages.recv().await?;
        self.waiting.fetch_sub(message.len(), Ordering::Relaxed);
        Some(message)
    }
}

#[derive(Debug, Clone)]
struct Own {
    id: String,
    token: Option<String>,
}

/// Why a request was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The server is gone.
    #[error("the server is gone")]
    Gone,
    /// Another request has this id, and is not answered.
    #[error("another request has this id, and is not answered")]
    InFlight,
}

/// What comes back for a request: its answer, and before it whatever belongs to it. Dropping it hangs up.
#[derive(Debug)]
pub struct Outgoing {
    messages: Heard,
    child: HeldChild,
    id: String,
}

impl HeldChild {
    /// Starts a server for one session, which begins with `initialize`. What passes is shown to the tap.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn of_session(command: &Command, tap: Tap) -> Result<Self, ChildError> {
        Self::start(command, Some(tap), false)
    }

    /// Starts a server for requests that stand for themselves.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn shared(command: &Command) -> Result<Self, ChildError> {
        Self::start(command, None, true)
    }

    fn start(command: &Command, tap: Option<Tap>, is_shared: bool) -> Result<Self, ChildError> {
        let mut process = child::start_group(command, Stdio::piped(), Stdio::piped())?;
        let missing = || ChildError::new(command, std::io::Error::other("it has no pipes"));
        let stdin = process.stdin.take().ok_or_else(missing)?;
        let stdout = process.stdout.take().ok_or_else(missing)?;
        let (input, to_write) = mpsc::channel(TO_WRITE);
        let over = CancellationToken::new();
        let (is_there, there) = watch::channel(());
        let inner = Inner {
            _over: over.clone().drop_guard(),
            input,
            routes: Mutex::default(),
            tap,
            is_shared,
            ended: watch::Sender::default(),
            there,
        };
        let held = Self(Arc::new(inner));
        tokio::spawn(write(stdin, to_write));
        let reading = read(stdout, process, Arc::downgrade(&held.0), over);
        tokio::spawn(async move {
            reading.await;
            drop(is_there);
        });
        Ok(held)
    }

    /// Whether it still answers.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.0.ended.borrow().is_none()
    }

    /// Done when it answers no more; why not.
    pub async fn ended(&self) -> String {
        let mut ended = self.0.ended.subscribe();
        match ended.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => String::new(),
        }
    }

    /// Sends a request, whose id is given as JSON writes it.
    ///
    /// # Errors
    ///
    /// When the server is gone, or another request of the session has this id and is not answered.
    pub async fn ask(&self, message: Bytes, id: &str) -> Result<Outgoing, AskError> {
        let (to, messages) = Way::new();
        let (message, id) = {
            let mut routes = self.routes();
            if !self.0.is_shared && routes.requests.contains_key(id) {
                return Err(AskError::InFlight);
            }
            if let Some(tap) = &self.0.tap {
                tap.client_said(message.clone());
            }
            let token = text_at(&message, TOKEN);
            let (message, id, token, own) = if self.0.is_shared {
                routes.next += 1;
                let number = routes.next.to_string();
                let own = Own { id: id.to_owned(), token: token.clone() };
                let message = spliced(&message, &[(&["id"], &number), (TOKEN, &number)]);
                (Bytes::from(message), number.clone(), token.map(|_| number), Some(own))
            } else {
                (message, id.to_owned(), token, None)
            };
            if let Some(token) = &token {
                routes.tokens.insert(token.clone(), id.clone());
            }
            routes.requests.entry(id.clone()).or_default().push_back(Route { to, own, token });
            routes.last = Some(id.clone());
            (message, id)
        };
        let outgoing = Outgoing { messages, child: self.clone(), id };
        if self.write(message).await { Ok(outgoing) } else { Err(AskError::Gone) }
    }

    /// Sends what is not answered: a notification, or an answer to what the server has asked. False when it is gone.
    pub async fn tell(&self, message: Bytes) -> bool {
        if let Some(tap) = &self.0.tap {
            tap.client_said(message.clone());
        }
        let kept = Kept::of(message.clone());
        if let Some(seen) =
            Seen::one_in(&kept).filter(|seen| seen.method.as_deref() == Some("notifications/cancelled"))
            && let Some(id) = seen.params.and_then(|params| params.id_at(&["requestId"]))
        {
            // Nobody will answer it: whoever waits for it is let go.
            self.routes().forget(&id);
        }
        self.write(message).await
    }

    /// Whether somebody listens to what the server says by itself.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.routes().listener.as_ref().is_some_and(|listener| !listener.is_closed())
    }

    /// True while a request waits for an answer.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        !self.routes().requests.is_empty()
    }

    /// Done when the process is gone. Holds nothing of it.
    pub fn gone(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut there = self.0.there.clone();
        async move { while there.changed().await.is_ok() {} }
    }

    /// What the server says by itself from now on, and what it has said that nobody was there to hear. Whoever listened
    /// before hears nothing more.
    #[must_use]
    pub fn listen(&self) -> Heard {
        let (to, heard) = Way::new();
        let mut routes = self.routes();
        for message in routes.unheard.drain(..) {
            let _ = to.send(message);
        }
        routes.listener = Some(to);
        heard
    }

    fn routes(&self) -> MutexGuard<'_, Routes> {
        self.0.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(&self, message: Bytes) -> bool {
        self.is_alive() && self.0.input.send(one_line(&message)).await.is_ok()
    }
}

impl Outgoing {
    /// The next message; none when the answer was given, or will not come.
    pub async fn next(&mut self) -> Option<Bytes> {
        self.messages.next().await
    }

    /// Why the answer did not come, if the server is gone.
    #[must_use]
    pub fn why_ended(&self) -> Option<String> {
        self.child.0.ended.borrow().clone()
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        let child = &self.child;
        let mut routes = child.routes();
        let Some(route) = routes.requests.get(&self.id).and_then(VecDeque::front) else { return };
        // A session goes on when a connection breaks; a request that stands for itself ends with it.
        if route.own.is_none() {
            return;
        }
        routes.forget(&self.id);
        drop(routes);
        let cancelled = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{}}}}}"#,
            self.id
        );
        if child.0.input.try_send(one_line(cancelled.as_bytes())).is_err() {
            log::debug!("a server was not told that a request was hung up on");
        }
    }
}

impl Routes {
    fn forget(&mut self, id: &str) -> Option<Route> {
        let queue = self.requests.get_mut(id)?;
        let route = queue.pop_front()?;
        if queue.is_empty() {
            self.requests.remove(id);
        }
        if let Some(token) = &route.token {
            self.tokens.remove(token);
        }
        Some(route)
    }
}

impl Inner {
    /// Passes on what the server has said.
    fn server_said(&self, line: Bytes) {
        if let Some(tap) = &self.tap {
            tap.server_said(line.clone());
        }
        let kept = Kept::of(line.clone());
        let Some(message) = Seen::one_in(&kept) else {
            // HTTP has no place for what is no message.
            return log::debug!("a server has said something that is no message");
        };
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = message.id.filter(|_| message.method.is_none()) {
            let asked = meant(&id, routes.requests.keys()).cloned();
            if let Some((asked, route)) =
                asked.and_then(|asked| Some((asked.clone(), routes.forget(&asked)?)))
            {
                let line = match &route.own {
                    Some(own) => {
                        spliced(&line, &[(&["id"], &own.id), (SUBSCRIPTION_ANSWERED, &own.id)]).into()
                    }
                    // The client is answered with the id that it has sent.
                    None if asked != id => spliced(&line, &[(&["id"], &asked)]).into(),
                    None => line,
                };
                // The last of it, which may not be left out.
                let _ = route.to.send_last(line);
            }
            return;
        }
        let told = |path: &[&str]| message.params.as_ref().and_then(|params| params.id_at(path));
        let by_token = told(&["progressToken"]).and_then(|token| routes.tokens.get(&token).cloned());
        let by_subscription = told(&["_meta", "io.modelcontextprotocol/subscriptionId"]);
        if let Some(id) = by_token.or(by_subscription)
            && let Some(route) = routes.requests.get(&id).and_then(VecDeque::front)
        {
            let line = match &route.own {
                Some(own) => {
                    let token = own.token.as_deref().unwrap_or("null");
                    spliced(&line, &[(TOKEN_TOLD, token), (SUBSCRIPTION, &own.id)]).into()
                }
                None => line,
            };
            let _ = route.to.send(line);
            return;
        }
        routes.say_to_anybody(line, self.is_shared);
    }
}

impl Routes {
    fn say_to_anybody(&mut self, line: Bytes, is_shared: bool) {
        let line = match &self.listener {
            Some(listener) => match listener.send(line) {
                Ok(()) => return,
                Err(unheard) => unheard,
            },
            None => line,
        };
        self.listener = None;
        let count: usize = self.requests.values().map(VecDeque::len).sum();
        // Of requests of several people nobody can tell whom it concerns.
        let last = self.last.as_ref().filter(|_| !is_shared || count == 1);
        let route = last
            .and_then(|id| self.requests.get(id))
            .or_else(|| self.requests.values().next().filter(|_| !is_shared || count == 1));
        let route = route.and_then(VecDeque::back).filter(|route| !route.to.is_closed());
        if let Some(route) = route {
            let _ = route.to.send(line);
        } else if !is_shared && self.unheard.len() < KEPT {
            let kept: usize = self.unheard.iter().map(Bytes::len).sum();
            if kept + line.len() <= MOST_WAITING {
                self.unheard.push_back(line);
            }
        }
    }
}

/// A message as the stdio transport wants it: one line.
fn one_line(message: &[u8]) -> Bytes {
    // Outside of texts, where JSON has none, line ends are white space.
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let mut line: Vec<u8> = message.iter().map(|byte| if is_end(byte) { b' ' } else { *byte }).collect();
    line.push(b'\n');
    line.into()
}

/// The value at a path of a message, as an id.
fn text_at(message: &[u8], path: &[&str]) -> Option<String> {
    let place = super::splice::place_of(message, path)?;
    id_of(std::str::from_utf8(&message[place]).ok()?)
}

async fn write(mut stdin: ChildStdin, mut lines: mpsc::Receiver<Bytes>) {
    while let Some(line) = lines.recv().await {
        if stdin.write_all(&line).await.and(stdin.flush().await).is_err() {
            return;
        }
    }
}

/// Reads what a server says until it ends, and then sees that it is gone.
async fn read(stdout: ChildStdout, mut process: Child, held: Weak<Inner>, over: CancellationToken) {
    let _end = EndOfReading(held.clone());
    let mut stdout = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut stdout).take(LARGEST);
        let read = tokio::select! {
            read = bounded.read_until(b'\n', &mut line) => read,
            () = over.cancelled() => break,
        };
        match (read, held.upgrade()) {
            (Ok(1..), Some(inner)) => {
                if !line.trim_ascii().is_empty() {
                    inner.server_said(line.into());
                }
            }
            _ => break,
        }
    }
    let ended = child::end(&mut process).await.to_string();
    if let Some(inner) = held.upgrade() {
        inner.end(&ended);
    }
}
