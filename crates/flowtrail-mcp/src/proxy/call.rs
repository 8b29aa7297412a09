//! One call that passes, from its request to its answer.

use std::sync::Arc;

use flowtrail_tracker::{
    Answered, Ending, ExecutionHandle, Happening, Question, Sent, Tracker, TrackerError, Waiting,
};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{Digest, ErrorInfo, ErrorKind, ExecutionId, Replaced};
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use super::connection::{Retry, server_in};
use super::journal::Gaps;
use super::message::{AsRead, Content, Part};
use super::moment::Moment;
use super::rounds::Open;
use super::starts::Starts;

/// What happens to a call after it has begun.
#[derive(Debug)]
pub(super) enum Step {
    Progress {
        params: Value,
        replaced: bool,
        at: Moment,
    },
    /// It waits for another message; the sender is dropped when that is written.
    SetAside {
        aside: Aside,
        at: Moment,
        settles: watch::Sender<()>,
    },
    End {
        ended: Ended,
        at: Moment,
    },
}

/// What a call waits for.
#[derive(Debug)]
pub(super) struct Aside {
    /// What it is found by.
    pub(super) keys: Vec<Digest>,
    /// What the client was asked.
    pub(super) asked: Option<AsRead>,
    /// For how long; as configured when nobody says.
    pub(super) time_to_live: Option<std::time::Duration>,
}

/// How a call ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    pub(super) outputs: Option<Value>,
    pub(super) whole_size: Option<u64>,
    /// Where surrogates without a partner were replaced in the outputs.
    pub(super) replaced: Replaced,
    /// The server, where the answer names it.
    pub(super) server: Option<Value>,
    /// Whether that was concluded and not reported.
    pub(super) is_inferred: bool,
}

/// How many messages about its progress are kept of one call.
const MOST_PROGRESS: i32 = 1_000;
/// The most characters of what a failed tool says that stand in the error.
const MESSAGE: usize = 2_000;
/// What stands for a node that tells of progress: its id and its type.
const PROGRESS: (&str, &str) = ("progress", "Progress");

impl Ended {
    /// An end that was reported otherwise than by an answer.
    pub(super) fn reported(outcome: Outcome, outputs: Option<Value>) -> Self {
        let replaced = Replaced::default();
        Self { outcome, outputs, whole_size: None, replaced, server: None, is_inferred: false }
    }

    /// An end that nobody reported.
    pub(super) fn inferred(outcome: Outcome) -> Self {
        Self { is_inferred: true, ..Self::reported(outcome, None) }
    }

    /// What an answer says.
    pub(super) fn of_answer(result: Option<&Part<'_>>, error: Option<&Part<'_>>) -> Self {
        match error {
            Some(error) => {
                let Content { value, replaced, whole_size } = error.read();
                Self { whole_size, replaced, ..Self::of_error(value) }
            }
            None => {
                let Content { value, replaced, whole_size } = result.map(Part::read).unwrap_or_default();
                Self { whole_size, replaced, ..Self::of_result(value) }
            }
        }
    }

    /// An error of the protocol.
    pub(super) fn of_error(error: Value) -> Self {
        let kind = match error["code"].as_i64() {
            Some(INVALID_PARAMS | INVALID_REQUEST) => ErrorKind::InvalidInput,
            _ => ErrorKind::Failed,
        };
        let message = cut(error["message"].as_str().unwrap_or("the server answered with an error"));
        Self::reported(Outcome::Error(ErrorInfo::new(kind, message)), Some(error))
    }

    /// A result. One that says `isError` is a failure, although the request succeeded.
    pub(super) fn of_result(result: Value) -> Self {
        let outcome = if result["isError"] == true {
            Outcome::Error(ErrorInfo::new(ErrorKind::Failed, said(&result)))
        } else {
            Outcome::Fulfilled
        };
        let server = server_in(&result);
        Self { server, ..Self::reported(outcome, Some(result)) }
    }

    /// The same, with a mark if anything was replaced in it.
    pub(super) fn marked(self, replaced: bool) -> Self {
        let replaced = if replaced { Replaced::everywhere() } else { self.replaced };
        Self { replaced, ..self }
    }

    /// What it produced, as it is recorded.
    pub(super) fn sent(&self) -> Option<Sent<'_>> {
        self.outputs.as_ref().map(|value| Sent { value, replaced: self.replaced.is_any() })
    }

    /// What the result leaves open; nothing when the call has ended with it.
    pub(super) fn open(&self) -> Option<Open> {
        Open::of_result(self.outputs.as_ref()?, &self.replaced)
    }
}

/// JSON-RPC 2.0, section 5.1.
const INVALID_PARAMS: i64 = -32_602;
const INVALID_REQUEST: i64 = -32_600;

/// What a failed tool says.
fn said(result: &Value) -> String {
    let blocks = result["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    let texts: Vec<&str> = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
    let text = texts.join("\n");
    if text.trim().is_empty() { "the tool failed and did not say why".to_owned() } else { cut(&text) }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What a message about progress says, or else how far it says that it is.
fn named(params: &Value) -> String {
    match (params["message"].as_str().filter(|text| !text.is_empty()), &params["total"]) {
        (Some(message), _) => cut(message),
        (None, Value::Null) => format!("{} {}", PROGRESS.0, params["progress"]),
        (None, total) => format!("{} {}/{total}", PROGRESS.0, params["progress"]),
    }
}

/// A call as it is recorded: where it begins, or goes on.
pub(super) struct Recorded {
    pub(super) starts: Starts,
    /// The start, which is on its way already unless the call may go on with an earlier one.
    pub(super) retry: Option<Retry>,
    /// What is to be written first.
    pub(super) settling: Vec<watch::Receiver<()>>,
    pub(super) input_timeout: std::time::Duration,
    pub(super) gaps: Arc<Gaps>,
}

impl Recorded {
    /// Records a call until it ends, or waits.
    pub(super) async fn follow(mut self, steps: mpsc::UnboundedReceiver<Step>) {
        let gaps = Arc::clone(&self.gaps);
        if let Err(error) = self.record(steps).await {
            gaps.add(&error);
        }
    }

    async fn record(&mut self, steps: mpsc::UnboundedReceiver<Step>) -> Result<(), TrackerError> {
        for mut settled in std::mem::take(&mut self.settling) {
            // It never changes; the other end is dropped.
            while settled.changed().await.is_ok() {}
        }
        let handle = match self.retry.take() {
            Some(retry) => match self.resume(&retry).await? {
                Some(handle) => handle,
                None => {
                    // It answers a question, and nobody can tell which.
                    self.starts.note("retryOf", "ambiguous".into());
                    self.starts.begin()?.await?
                }
            },
            None => self.starts.begin()?.await?,
        };
        self.follow_steps(handle, steps).await
    }

    /// Goes on with the call that a retry answers, if it is clear which that is.
    async fn resume(&mut self, retry: &Retry) -> Result<Option<ExecutionHandle>, TrackerError> {
        let tracker = self.starts.tracker().clone();
        let Some(found) = earlier(&tracker, retry)? else { return Ok(None) };
        let Some(waiting) = tracker.waiting(found)? else { return Ok(None) };
        let answers = retry.responses.as_ref();
        let answered = answers.map(|answers| Answered {
            answers: answers.sent(),
            is_cancelled: retry.is_dismissed,
            at: self.starts.at().at,
        });
        let meta = waiting.meta();
        match waiting.resume(answered.as_ref()).await {
            Ok(handle) => {
                self.starts.continues(meta);
                Ok(Some(handle))
            }
            // It has ended meanwhile.
            Err(TrackerError::AlreadyEnded { .. } | TrackerError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn follow_steps(
        &mut self,
        handle: ExecutionHandle,
        mut steps: mpsc::UnboundedReceiver<Step>,
    ) -> Result<(), TrackerError> {
        let begun = self.starts.at();
        let stopped = handle.cancelled();
        let mut number = 0;
        // The call is the client's: a person's wish that it stop is kept with it, and it goes on. A process that ends
        // cannot see how it goes on.
        let mut is_wished = false;
        loop {
            let step = tokio::select! {
                biased;
                step = steps.recv() => step,
                () = stopped.cancelled(), if !is_wished => {
                    is_wished = true;
                    if handle.stop_reason() != ErrorKind::Shutdown {
                        continue;
                    }
                    None
                }
            };
            match step {
                Some(Step::Progress { params, replaced, at }) if number < MOST_PROGRESS => {
                    handle.record_happening(Happening {
                        id: PROGRESS.0,
                        name: &named(&params),
                        kind: PROGRESS.1,
                        number: Some(number),
                        data: Sent { value: &params, replaced },
                        at: at.told_from(&begun),
                    });
                    number += 1;
                }
                Some(Step::Progress { .. }) => {}
                Some(Step::SetAside { aside, at, settles }) => {
                    let at = at.told_from(&begun);
                    let question = aside.asked.as_ref().map(|asked| Question { asked: asked.sent(), at });
                    let timeout = aside.time_to_live.unwrap_or(self.input_timeout);
                    let written = handle.set_aside(Waiting { keys: aside.keys, question, timeout }).await;
                    drop(settles);
                    return written;
                }
                Some(Step::End { ended, at }) => {
                    let meta = self.starts.meta_with(ended.server.as_ref());
                    let ending = Ending {
                        outcome: ended.outcome.clone(),
                        outputs: ended.sent(),
                        whole_size: ended.whole_size,
                        meta: meta.as_ref(),
                        ended_at: Some(at.told_from(&begun)),
                    };
                    let written =
                        if ended.is_inferred { handle.infer_end(ending) } else { handle.end_as(ending) };
                    return written.await;
                }
                None => {
                    let reason = ErrorInfo::new(ErrorKind::Shutdown, "the proxy ended before the answer");
                    return handle.infer_end(Ending::now(Outcome::Aborted(Some(reason)))).await;
                }
            }
        }
    }
}

/// What is recorded beside a call, with the server that its answer has named; nothing when that is known already.
pub(super) fn with_server(meta: &Value, server: Option<&Value>) -> Option<Value> {
    let server = server.filter(|server| meta["server"] != **server)?;
    let mut meta = meta.as_object()?.clone();
    meta.insert("server".to_owned(), server.clone());
    Some(Value::Object(meta))
}

/// The execution that a retry goes on with; nothing when there is none, or it could be several.
fn earlier(tracker: &Tracker, retry: &Retry) -> Result<Option<ExecutionId>, TrackerError> {
    // A server may give the same state to many calls, which then differ by what was called.
    const MOST: u32 = 100;
    let by_state = match &retry.state {
        Some(state) => tracker.waiting_under(state, MOST)?,
        None => {
            let by_call = tracker.waiting_under(&retry.call, 2)?;
            let is_clear = by_call.len() == 1 && retry.responses.is_some();
            return Ok(by_call.first().copied().filter(|_| is_clear));
        }
    };
    if let [only] = by_state[..] {
        return Ok(Some(only));
    }
    let by_call = tracker.waiting_under(&retry.call, MOST)?;
    let mut both = by_state.into_iter().filter(|id| by_call.contains(id));
    Ok(both.next().filter(|_| both.next().is_none()))
}
