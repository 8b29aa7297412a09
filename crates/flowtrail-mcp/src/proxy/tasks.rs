//! Calls that go on as tasks: what is told of a task, by whichever connection, is recorded with the call that began it.
//!
//! One follower sees all of it in the order in which it passed. It holds no call: those that wait are found in the database, so
//! that a task that outlives a proxy is followed by the next one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowtrail_tracker::{Answered, Ending, Question, Tracker, TrackerError, Waiting, WaitingExecution};
use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{Digest, ErrorInfo, ErrorKind, Principal};
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use super::call::{Ended, with_server};
use super::journal::Gaps;
use super::message::AsRead;
use super::moment::Moment;
use super::rounds::{Task, TaskStatus, is_dismissed};

/// How long a client may take to fetch the result of a task that is over, in the form that tells it in another message.
const FETCHED_WITHIN: Duration = Duration::from_secs(5);
/// How many events may wait to be recorded.
pub(super) const MOST_EVENTS: usize = 10_000;
/// Of how many tasks it is kept in mind when they were last given more time.
const MOST_RENEWED: usize = 10_000;

/// Something that is told of a task.
#[derive(Debug)]
pub(super) struct TaskEvent {
    pub(super) key: Digest,
    pub(super) news: TaskNews,
    pub(super) at: Moment,
    /// The server, where the message names it.
    pub(super) server: Option<Value>,
}

/// An event that is recorded when the calls that began before it have settled.
pub(super) type AfterOthers = (Box<TaskEvent>, Vec<watch::Receiver<()>>);

/// What is told.
#[derive(Debug)]
pub(super) enum TaskNews {
    /// How it stands.
    Seen(Task),
    /// What it has come to, told by itself.
    Result(Ended),
    /// The server knows nothing of it.
    Unknown(Value),
    /// The client is asked something.
    Asked(AsRead),
    /// The client has answered.
    Answered(AsRead),
    /// The client wants it to stop, which it need not do.
    CancelRequested,
}

/// A task that is over, whose result may still be told.
struct Over {
    ended: Ended,
    at: Moment,
    due: Instant,
}

/// Records what is told of tasks.
pub(super) struct Follower {
    pub(super) tracker: Tracker,
    pub(super) owner: Principal,
    pub(super) input_timeout: Duration,
    pub(super) gaps: Arc<Gaps>,
    over: HashMap<Digest, Over>,
    renewed: HashMap<Digest, Instant>,
}

impl Follower {
    pub(super) fn new(tracker: Tracker, owner: Principal, input_timeout: Duration, gaps: Arc<Gaps>) -> Self {
        Self { tracker, owner, input_timeout, gaps, over: HashMap::new(), renewed: HashMap::new() }
    }

    /// Follows until nothing more can be told.
    pub(super) async fn run(mut self, mut events: mpsc::Receiver<AfterOthers>) {
        loop {
            let due = self.over.values().map(|over| over.due).min();
            let pause = due.map_or(Duration::MAX, |due| due.saturating_duration_since(Instant::now()));
            tokio::select! {
                biased;
                event = events.recv() => {
                    let Some((event, settling)) = event else { break };
                    for mut settled in settling {
                        // It never changes; the other end is dropped.
                        while settled.changed().await.is_ok() {}
                    }
                    if let Err(error) = self.take(*event).await {
                        self.gaps.add(&error);
                    }
                }
                () = tokio::time::sleep(pause), if due.is_some() => {
                    self.end_those_that_are_over(|over| over.due <= Instant::now()).await;
                }
            }
        }
        self.end_those_that_are_over(|_| true).await;
    }

    async fn end_those_that_are_over(&mut self, which: impl Fn(&Over) -> bool) {
        let due: Vec<Digest> =
            self.over.iter().filter(|(_, over)| which(over)).map(|(key, _)| *key).collect();
        for key in due {
            let Some(Over { ended, at, .. }) = self.over.remove(&key) else { continue };
            if let Err(error) = self.end(&key, ended, at, None).await {
                self.gaps.add(&error);
            }
        }
    }

    /// The call that waits for a task.
    fn find(&self, key: &Digest) -> Result<Option<WaitingExecution>, TrackerError> {
        match self.tracker.waiting_under(key, 1)?.first() {
            Some(id) => self.tracker.waiting(*id),
            None => Ok(None),
        }
    }

    async fn take(&mut self, event: TaskEvent) -> Result<(), TrackerError> {
        let TaskEvent { key, news, at, server } = event;
        match news {
            TaskNews::Seen(task) => self.seen(&key, task, at, server).await,
            TaskNews::Result(ended) => {
                let at = self.over.remove(&key).map_or(at, |over| over.at);
                self.end(&key, ended, at, server).await
            }
            TaskNews::Unknown(error) => {
                let said = error["message"].as_str().unwrap_or("it is unknown");
                let message = format!("the server knows nothing of the task any more: {said}");
                let outcome = Outcome::Error(ErrorInfo::new(ErrorKind::Interrupted, message));
                self.end(&key, Ended::inferred(outcome), at, None).await
            }
            TaskNews::Asked(asked) => {
                self.wait_on(&key, None, Some(&Question { asked: asked.sent(), at: at.at }), None).await
            }
            TaskNews::Answered(answers) => {
                let is_cancelled = is_dismissed(&answers.value);
                let answered = Answered { answers: answers.sent(), is_cancelled, at: at.at };
                self.wait_on(&key, Some(&answered), None, None).await
            }
            TaskNews::CancelRequested => {
                let Some(waiting) = self.find(&key)? else { return Ok(()) };
                self.tracker.cancel(&self.owner, waiting.id())?.await
            }
        }
    }

    async fn seen(
        &mut self,
        key: &Digest,
        task: Task,
        at: Moment,
        server: Option<Value>,
    ) -> Result<(), TrackerError> {
        match task.status {
            TaskStatus::Working => {
                let Some(time_to_live) = task.time_to_live else { return Ok(()) };
                // Whoever asks again and again need not be written down each time.
                let is_fresh =
                    self.renewed.get(key).is_some_and(|renewed| renewed.elapsed() < time_to_live / 4);
                if is_fresh {
                    return Ok(());
                }
                if self.renewed.len() >= MOST_RENEWED {
                    self.renewed.clear();
                }
                self.renewed.insert(*key, Instant::now());
                self.wait_on(key, None, None, Some(time_to_live)).await
            }
            TaskStatus::InputRequired => {
                let Some(asked) = task.requests else { return Ok(()) };
                let question = Question { asked: asked.sent(), at: at.at };
                self.wait_on(key, None, Some(&question), task.time_to_live).await
            }
            TaskStatus::Cancelled => {
                let message = task.message.unwrap_or_else(|| "the task was cancelled".to_owned());
                let outcome = Outcome::Aborted(Some(ErrorInfo::new(ErrorKind::Cancelled, message)));
                self.end(key, Ended::reported(outcome, None), at, server).await
            }
            TaskStatus::Completed | TaskStatus::Failed => {
                let ended = match (task.result, task.error) {
                    (_, Some(error)) => Ended::of_error(error.value).marked(error.replaced),
                    (Some(result), None) => Ended::of_result(result.value).marked(result.replaced),
                    (None, None) => {
                        let outcome = match task.status {
                            TaskStatus::Completed => Outcome::Fulfilled,
                            _ => {
                                let message = task.message.unwrap_or_else(|| "the task failed".to_owned());
                                Outcome::Error(ErrorInfo::new(ErrorKind::Failed, message))
                            }
                        };
                        let ended = Ended::reported(outcome, None);
                        if task.is_old && self.over.len() < MOST_EVENTS {
                            // Its result comes in a message of its own, if the client asks for it.
                            let due = Instant::now() + FETCHED_WITHIN;
                            self.over.entry(*key).or_insert(Over { ended, at, due });
                            return Ok(());
                        }
                        ended
                    }
                };
                self.end(key, ended, at, server).await
            }
        }
    }

    async fn wait_on(
        &self,
        key: &Digest,
        answered: Option<&Answered<'_>>,
        question: Option<&Question<'_>>,
        time_to_live: Option<Duration>,
    ) -> Result<(), TrackerError> {
        let Some(waiting) = self.find(key)? else { return Ok(()) };
        let timeout = time_to_live.unwrap_or(self.input_timeout);
        let on = Waiting { keys: vec![*key], question: question.copied(), timeout };
        expected(waiting.wait_on(answered, on).await)
    }

    async fn end(
        &self,
        key: &Digest,
        ended: Ended,
        at: Moment,
        server: Option<Value>,
    ) -> Result<(), TrackerError> {
        let Some(waiting) = self.find(key)? else { return Ok(()) };
        let server = ended.server.as_ref().or(server.as_ref());
        let meta = waiting.meta().and_then(|meta| with_server(&meta, server));
        let told = if ended.is_inferred { Told::Inferred } else { Told::Reported };
        let ending = Ending {
            outcome: ended.outcome.clone(),
            outputs: ended.sent(),
            whole_size: ended.whole_size,
            meta: meta.as_ref(),
            ended_at: Some(at.at),
        };
        expected(waiting.end(told, ending).await.map(drop))
    }
}

/// A call that has ended meanwhile needs nothing more.
fn expected(written: Result<(), TrackerError>) -> Result<(), TrackerError> {
    match written {
        Err(TrackerError::AlreadyEnded { .. } | TrackerError::NotFound(_)) => Ok(()),
        other => other,
    }
}
