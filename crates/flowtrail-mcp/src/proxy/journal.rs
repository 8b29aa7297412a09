//! The thread that records what passes, and the queue before it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flowtrail_tracker::{Tracker, UpstreamTool};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{Digest, ErrorInfo, ErrorKind, Principal};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::call::{Recorded, with_server};
use super::connection::{About, Connection, Failed, Noted};
use super::message::Kept;
use super::moment::Moment;
use super::starts::{Known, OTHERS, Starts, Tools, tool_of};
use super::tasks::{AfterOthers, Follower, MOST_EVENTS};

/// How many bytes of messages may wait to be looked at. Beyond it only what matters of a message is kept.
const MOST_BYTES: usize = 64 << 20;
/// How many messages may wait. Beyond it they are not looked at, which is counted.
const MOST_MESSAGES: usize = 200_000;
/// How long to wait before a database is opened again that could not be opened.
const RETRY: Duration = Duration::from_secs(5);
/// How long calls that have ended may take to be written when the journal is closed.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What opens a tracker. It runs in the journal's thread, and again after it has failed.
type Open = Box<dyn FnMut() -> Result<Tracker, String> + Send>;

/// Records what passes, in a thread of its own. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: mpsc::UnboundedSender<Entry>,
    next: AtomicU64,
    waiting: Arc<Waiting>,
    gaps: Arc<Gaps>,
    thread: std::sync::Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: AtomicUsize,
    messages: AtomicUsize,
}

/// What could not be recorded.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    count: AtomicU64,
    last_told: std::sync::Mutex<Option<Instant>>,
}

impl Gaps {
    /// Counts one, and logs it unless that was done a moment ago.
    pub(super) fn add(&self, why: &dyn std::fmt::Display) {
        const MOMENT: Duration = Duration::from_secs(10);
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let mut last = self.last_told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= MOMENT) {
            *last = Some(Instant::now());
            log::warn!("a call passed and was not recorded ({count} so far): {why}");
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

#[derive(Debug)]
enum Entry {
    Opened { connection: u64, about: Box<About> },
    Named { connection: u64, session: String },
    Passed { connection: u64, from: Side, message: Kept, at: Moment },
    HungUp { connection: u64, id: String, at: Moment },
    Failed { connection: u64, id: String, how: Box<Failed>, at: Moment },
    Closed { connection: u64, why: Box<Outcome>, at: Moment },
    End,
}

impl Journal {
    /// A journal over a tracker that is there. A call that waits for an answer does so for `input_timeout` at most.
    #[must_use]
    pub fn over(tracker: Tracker, input_timeout: Duration) -> Self {
        Self::opening(input_timeout, move || Ok(tracker.clone()))
    }

    /// A journal that opens its tracker itself, while messages pass already, and again later when that fails.
    ///
    /// # Panics
    ///
    /// When the system has no thread left.
    #[must_use]
    pub fn opening(
        input_timeout: Duration,
        open: impl FnMut() -> Result<Tracker, String> + Send + 'static,
    ) -> Self {
        let (queue, entries) = mpsc::unbounded_channel();
        let gaps = Arc::new(Gaps::default());
        let waiting = Arc::new(Waiting::default());
        let writer = Writer {
            open: Box::new(open),
            tracker: None,
            owner: None,
            next_try: None,
            connections: HashMap::new(),
            tools: Tools::default(),
            calls: JoinSet::new(),
            input_timeout,
            settling: HashMap::new(),
            servers: HashMap::new(),
            tasks: None,
            waiting: Arc::clone(&waiting),
            gaps: Arc::clone(&gaps),
        };
        let thread = std::thread::Builder::new()
            .name("flowtrail-journal".to_owned())
            .spawn(move || writer.run(entries))
            .unwrap_or_else(|error| panic!("the journal's thread cannot be started: {error}"));
        let thread = std::sync::Mutex::new(Some(thread));
        Self(Arc::new(Shared { queue, next: AtomicU64::new(0), waiting, gaps, thread }))
    }

    /// A new connection.
    #[must_use]
    pub fn connection(&self, about: About) -> Tap {
        let connection = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.push(Entry::Opened { connection, about: Box::new(about) });
        Tap { journal: self.clone(), connection, is_closed: AtomicBool::new(false) }
    }

    /// How many calls have passed without being recorded, or without their end being.
    #[must_use]
    pub fn gaps(&self) -> u64 {
        self.0.gaps.count.load(Ordering::Relaxed)
    }

    /// Writes what has passed so far and stops. Blocks, a few seconds at most.
    pub fn close(&self) {
        self.push(Entry::End);
        let thread = self.0.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            log::error!("the journal's thread panicked");
        }
    }

    fn push(&self, entry: Entry) {
        // After the end nothing is recorded any more.
        if let Err(unsent) = self.0.queue.send(entry)
            && matches!(unsent.0, Entry::Passed { from: Side::Client, .. })
        {
            self.0.gaps.add(&"the journal has ended");
        }
    }
}

/// Where a relay puts what has passed on one connection. Nothing here blocks. When it is dropped, what has not been
/// answered is recorded as aborted.
#[derive(Debug)]
pub struct Tap {
    journal: Journal,
    connection: u64,
    is_closed: AtomicBool,
}

impl Tap {
    /// The session has got its name only now.
    pub fn named(&self, session: &str) {
        let (connection, session) = (self.connection, session.to_owned());
        self.journal.push(Entry::Named { connection, session });
    }

    /// The client has said this.
    pub fn client_said(&self, message: impl Into<bytes::Bytes>) {
        self.passed(Side::Client, Kept::of(message.into()), Moment::now());
    }

    /// The server has said this.
    pub fn server_said(&self, message: impl Into<bytes::Bytes>) {
        self.passed(Side::Server, Kept::of(message.into()), Moment::now());
    }

    pub(super) fn client_passed(&self, message: Kept, at: Moment) {
        self.passed(Side::Client, message, at);
    }

    pub(super) fn server_passed(&self, message: Kept, at: Moment) {
        self.passed(Side::Server, message, at);
    }

    fn passed(&self, from: Side, message: Kept, at: Moment) {
        let waiting = &self.journal.0.waiting;
        if waiting.messages.fetch_add(1, Ordering::Relaxed) >= MOST_MESSAGES {
            waiting.messages.fetch_sub(1, Ordering::Relaxed);
            return self.journal.0.gaps.add(&"more passes than can be looked at");
        }
        let message =
            if waiting.bytes.load(Ordering::Relaxed) > MOST_BYTES { message.thin() } else { message };
        waiting.bytes.fetch_add(message.size(), Ordering::Relaxed);
        self.journal.push(Entry::Passed { connection: self.connection, from, message, at });
    }

    /// The request with this id (as JSON writes it) was hung up on.
    pub fn hung_up(&self, id: &str) {
        let (connection, id) = (self.connection, id.to_owned());
        self.journal.push(Entry::HungUp { connection, id, at: Moment::now() });
    }

    /// The request with this id (as JSON writes it) will not be answered, and why; others go on.
    pub fn failed(&self, id: &str, how: Failed) {
        let (connection, id, how) = (self.connection, id.to_owned(), Box::new(how));
        self.journal.push(Entry::Failed { connection, id, how, at: Moment::now() });
    }

    /// The client is gone: what it has asked for is recorded as aborted.
    pub fn client_left(&self) {
        let reason = ErrorInfo::new(ErrorKind::Cancelled, "the client went away before the answer");
        self.close(Outcome::Aborted(Some(reason)));
    }

    /// The server is gone: what it was asked for is recorded as failed.
    pub fn server_left(&self, how: &str) {
        self.close(Outcome::Error(ErrorInfo::new(ErrorKind::Network, how)));
    }

    fn close(&self, why: Outcome) {
        if self.is_closed.swap(true, Ordering::Relaxed) {
            return;
        }
        let connection = self.connection;
        self.journal.push(Entry::Closed { connection, why: Box::new(why), at: Moment::now() });
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let reason = ErrorInfo::new(ErrorKind::Cancelled, "the connection ended before the answer");
        self.close(Outcome::Aborted(Some(reason)));
    }
}

/// The thread's own side.
struct Writer {
    open: Open,
    tracker: Option<Tracker>,
    owner: Option<Principal>,
    next_try: Option<Instant>,
    connections: HashMap<u64, Connection>,
    tools: Tools,
    calls: JoinSet<()>,
    input_timeout: Duration,
    /// Calls that are about to wait, by what they will be found by.
    settling: HashMap<Digest, Vec<watch::Receiver<()>>>,
    /// What servers have last said of themselves, by their names here.
    servers: HashMap<String, Value>,
    /// To whoever records what is told of tasks, once something is.
    tasks: Option<mpsc::Sender<AfterOthers>>,
    waiting: Arc<Waiting>,
    gaps: Arc<Gaps>,
}

impl Writer {
    fn run(mut self, mut entries: mpsc::UnboundedReceiver<Entry>) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime,
            Err(error) => return log::error!("nothing is recorded: {error}"),
        };
        runtime.block_on(async {
            // Before the first message: opening takes longest, and nobody waits for it.
            self.open();
            loop {
                tokio::select! {
                    biased;
                    entry = entries.recv() => match entry {
                        None | Some(Entry::End) => break,
                        Some(entry) => self.take(entry),
                    },
                    Some(ended) = self.calls.join_next() => {
                        if ended.is_err() {
                            self.gaps.add(&"recording it went wrong");
                        }
                    }
                }
            }
            let leaving = Outcome::Aborted(Some(ErrorInfo::new(
                ErrorKind::Shutdown,
                "the proxy ended before the answer",
            )));
            for (_, connection) in self.connections.drain() {
                connection.closed(&leaving, Moment::now());
            }
            self.tasks = None;
            let all_written = async { while self.calls.join_next().await.is_some() {} };
            if tokio::time::timeout(LAST_WORDS, all_written).await.is_err() {
                self.gaps.add(&"the database did not take the last calls in time");
            }
        });
    }

    /// Opens the tracker, unless it was tried a moment ago.
    fn open(&mut self) {
        if self.tracker.is_some() || self.next_try.is_some_and(|at| Instant::now() < at) {
            return;
        }
        let opened = (self.open)().and_then(|tracker| {
            let owner = tracker.local_administrator().map_err(|error| error.to_string())?;
            Ok((tracker, owner))
        });
        match opened {
            Ok((tracker, owner)) => (self.tracker, self.owner) = (Some(tracker), Some(owner)),
            Err(error) => {
                log::error!("calls pass without being recorded: {error}");
                self.next_try = Some(Instant::now() + RETRY);
            }
        }
    }

    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Opened { connection, about } => {
                self.connections.insert(connection, Connection::new(*about));
            }
            Entry::Named { connection, session } => {
                if let Some(known) = self.connections.get_mut(&connection) {
                    known.about.session = Some(session);
                }
            }
            Entry::Passed { connection, from, message, at } => {
                self.waiting.messages.fetch_sub(1, Ordering::Relaxed);
                self.waiting.bytes.fetch_sub(message.size(), Ordering::Relaxed);
                let Some(known) = self.connections.get_mut(&connection) else { return };
                let noted = match from {
                    Side::Client => known.client_said(&message, at),
                    Side::Server => known.server_said(&message, at),
                };
                if !noted.is_empty() {
                    let about = known.about.clone();
                    noted.into_iter().for_each(|noted| self.note(&about, noted));
                }
            }
            Entry::HungUp { connection, id, at } => {
                if let Some(known) = self.connections.get_mut(&connection) {
                    known.hung_up(&id, at);
                }
            }
            Entry::Failed { connection, id, how, at } => {
                if let Some(known) = self.connections.get_mut(&connection) {
                    known.failed(&id, &how, at);
                }
            }
            Entry::Closed { connection, why, at } => {
                if let Some(known) = self.connections.remove(&connection) {
                    known.closed(&why, at);
                }
            }
            Entry::End => {}
        }
    }

    fn note(&mut self, about: &About, noted: Noted) {
        self.open();
        let (Some(tracker), Some(owner)) = (&self.tracker, &self.owner) else {
            if matches!(noted, Noted::Begun(_) | Noted::Lost) {
                self.gaps.add(&"the database is not open");
            }
            return;
        };
        match noted {
            Noted::Lost => self.gaps.add(&"it could not be read, or too many wait for an answer"),
            Noted::Tool { name, description } => {
                let description = Some(description.as_deref().unwrap_or_default());
                let tool = UpstreamTool { description, ..tool_of(about, &name) };
                if self.tools.has_room(tracker, owner, tool, Known::Listed)
                    && let Err(error) = tracker.upstream_flow(owner, tool)
                {
                    log::warn!("the tool {name} of {} is not listed: {error}", about.upstream);
                }
            }
            Noted::Begun(mut begun) => {
                let tool = tool_of(about, &begun.tool);
                if !self.tools.has_room(tracker, owner, tool, Known::Called) {
                    begun.meta["tool"] = std::mem::replace(&mut begun.tool, OTHERS.to_owned()).into();
                }
                if let Some(meta) = with_server(&begun.meta, self.servers.get(&about.upstream))
                    && begun.meta.get("server").is_none()
                {
                    begun.meta = meta;
                }
                let settling = begun.retry.as_ref().map(|retry| {
                    let keys = retry.state.iter().chain([&retry.call]);
                    keys.flat_map(|key| self.settling.get(key).cloned().unwrap_or_default()).collect()
                });
                match Starts::new(tracker, owner, about, &mut begun) {
                    Ok(starts) => {
                        let recorded = Recorded {
                            starts,
                            retry: begun.retry.take(),
                            settling: settling.unwrap_or_default(),
                            input_timeout: self.input_timeout,
                            gaps: Arc::clone(&self.gaps),
                        };
                        self.calls.spawn(recorded.follow(begun.steps));
                    }
                    Err(error) => self.gaps.add(&error),
                }
            }
            Noted::SetAside { keys, settled } => {
                // Those that are written are found in the database.
                self.settling.retain(|_, settling| {
                    settling.retain(|settled| settled.has_changed().is_ok());
                    !settling.is_empty()
                });
                for key in keys {
                    self.settling.entry(key).or_default().push(settled.clone());
                }
            }
            Noted::Task(event) => {
                let settling = self.settling.get(&event.key).cloned().unwrap_or_default();
                let tasks = self.tasks.get_or_insert_with(|| {
                    let (tasks, events) = mpsc::channel(MOST_EVENTS);
                    let gaps = Arc::clone(&self.gaps);
                    let follower = Follower::new(tracker.clone(), owner.clone(), self.input_timeout, gaps);
                    self.calls.spawn(follower.run(events));
                    tasks
                });
                if tasks.try_send((event, settling)).is_err() {
                    self.gaps.add(&"more is told of tasks than can be recorded");
                }
            }
            Noted::Server(server) => {
                self.servers.insert(about.upstream.clone(), server);
            }
        }
    }
}
