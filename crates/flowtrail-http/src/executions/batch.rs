//! `POST /api/executions/batch`: executions as lines of JSON, answered line by line.
//!
//! Both ways are streamed: a batch may be of any length. A few hundred lines are under way at once; so many share a commit,
//! and no more of the body is read than that. Answers wait in memory for a client that sends all before it reads: many
//! do, and would otherwise wait for the server that waits for them.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::web::{self, Bytes, Payload};
use actix_web::{HttpRequest, HttpResponse};
use flowtrail_tracker::{Ack, Applied, Tracker, TrackerError};
use flowtrail_types::{ExecutionId, Flow, FlowId, Json, Principal, read_json};
use futures_util::stream::{self, Stream, StreamExt};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};

use super::import::Importing;
use super::report::Report;
use crate::blocking::blocking;
use crate::body::invalid_json;
use crate::error::ErrorBody;
use crate::import::HandedLine;
use crate::incoming::Incoming;
use crate::lines::{Line, Lines};
use crate::memory::{Holder, Reserved, tree_size};
use crate::query::Query;
use crate::turns::Asking;
use crate::{ApiError, App, Caller, ErrorCode};

/// How many lines are handed over together, at most.
const TOGETHER: usize = 128;
/// How many bytes of lines are handed over together, besides those of the last one.
const BYTES_TOGETHER: usize = 256 << 10;
/// How many of such handfuls are under way at once: while one is being written, the next one is read.
const UNDER_WAY: usize = 8;
/// How many bytes of answers wait for a client that does not read yet: those to a million lines.
const MOST_WAITING: usize = 96 << 20;

pub(super) async fn handle(
    app: web::Data<App>,
    request: HttpRequest,
    Caller(principal): Caller,
    query: Query,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    query.only(&[])?;
    answer(&app, &request, principal, None, payload)
}

/// The answer to lines that are recorded, or restored.
pub(super) fn answer(
    app: &App,
    request: &HttpRequest,
    principal: Principal,
    importing: Option<Importing>,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let limit = app.max_body();
    let memory = app.memory().reservation(Holder::from(&principal));
    let lines = Lines::new(Incoming::new(request, payload.into_inner())?, limit, memory.another());
    let answered = memory.another();
    let batch = Arc::new(Batch { tracker: app.tracker().clone(), principal, memory, limit, importing });
    let handfuls = stream::unfold((lines, 1_u64, false), |(mut lines, number, is_over)| async move {
        if is_over {
            return None;
        }
        match lines.next_some(TOGETHER, BYTES_TOGETHER).await {
            Ok(some) if some.is_empty() => None,
            Ok(some) => {
                let next = number + some.len() as u64;
                Some(((number, Ok(some)), (lines, next, false)))
            }
            Err(error) => Some(((number, Err(error)), (lines, number, true))),
        }
    });
    let over = Arc::clone(&batch);
    let noted = stream::once(async move {
        let noted = blocking(move || {
            if let Some(importing) = &over.importing {
                importing.note();
            }
            Ok::<_, ApiError>(())
        });
        // It is logged where it could not be.
        let _ = noted.await;
        Bytes::new()
    });
    let answers =
        outcomes(batch, handfuls).chain(noted).filter(|answer| std::future::ready(!answer.is_empty()));
    let answers = waiting(answers, answered);
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").streaming(answers))
}

/// Answers that wait for their reader, and the memory that they take.
struct Unread(Bytes, #[expect(dead_code, reason = "it is given back with the answers")] Reserved);

impl AsRef<[u8]> for Unread {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The same answers, worked for also while nobody reads them. When there is no memory for those that nobody reads, the answer
/// breaks off.
fn waiting(
    answers: impl Stream<Item = Bytes> + 'static,
    memory: Reserved,
) -> impl Stream<Item = Result<Bytes, ApiError>> {
    let room = Arc::new(Semaphore::new(MOST_WAITING));
    let (sender, receiver) = mpsc::unbounded_channel::<Result<Bytes, ApiError>>();
    let there = Arc::clone(&room);
    let work = async move {
        let mut answers = std::pin::pin!(answers);
        while let Some(answer) = answers.next().await {
            let size = u32::try_from(answer.len().min(MOST_WAITING)).unwrap_or(u32::MAX);
            let permit = tokio::select! {
                permit = there.acquire_many(size) => permit,
                // Nobody makes room any more.
                () = sender.closed() => return,
            };
            if let Ok(permit) = permit {
                permit.forget();
            }
            let mut reserved = memory.another();
            let answer = match reserved.grow(answer.len()).await {
                Ok(()) => Ok(Bytes::from_owner(Unread(answer, reserved))),
                Err(error) => Err(error),
            };
            let is_broken = answer.is_err();
            // Whoever asked has gone: what comes still is not theirs to know of.
            if sender.send(answer).is_err() || is_broken {
                return;
            }
        }
    };
    actix_web::rt::spawn(Asking::current().scope(work));
    stream::unfold((receiver, room), |(mut receiver, room)| async move {
        let answer = receiver.recv().await?;
        room.add_permits(answer.as_ref().map_or(0, Bytes::len).min(MOST_WAITING));
        Some((answer, (receiver, room)))
    })
}

/// The answers to handfuls of lines, in their order. One handful after the other is handed over, so that of two lines with
/// one id the first is the one that counts; their answers are waited for together.
fn outcomes(
    batch: Arc<Batch>,
    handfuls: impl Stream<Item = (u64, Result<Vec<Line>, ApiError>)> + 'static,
) -> impl Stream<Item = Bytes> {
    let handing = Arc::clone(&batch);
    handfuls
        .then(move |(first, lines)| {
            let batch = Arc::clone(&handing);
            async move {
                let refused = |line, error| Submitted { line, result: Err((None, error)) };
                let mut held = batch.memory.another();
                let lines = match lines {
                    Ok(lines) => said(first, lines),
                    Err(error) => return (vec![refused(first, error)], held),
                };
                let numbers: Vec<u64> = lines.iter().map(|(number, _)| *number).collect();
                let submitted = match held.grow(weight(&lines, most(&held)).min(most(&held))).await {
                    Ok(()) => blocking(move || Ok::<_, ApiError>(batch.submit(&lines))).await,
                    Err(error) => Err(error),
                };
                let submitted = submitted.unwrap_or_else(|error| {
                    numbers.into_iter().map(|number| refused(number, error.clone())).collect()
                });
                (submitted, held)
            }
        })
        .map(move |(submitted, held)| {
            let batch = Arc::clone(&batch);
            async move {
                let answer = Bytes::from(batch.answer(submitted).await);
                drop(held);
                answer
            }
        })
        .buffered(UNDER_WAY)
}

/// The memory that the lines of a handful may take: what comes meanwhile takes some, too.
fn most(memory: &Reserved) -> usize {
    memory.most() / 4 * 3
}

/// The memory that lines take with what is parsed from them. Those that would take more than anybody may have are refused by
/// themselves, and not parsed.
fn weight(lines: &[(u64, Line)], most: usize) -> usize {
    let weights = lines.iter().filter_map(|(_, line)| line.as_ref().ok()).map(weight_of);
    weights.filter(|weight| *weight <= most).sum()
}

fn weight_of(line: &Bytes) -> usize {
    line.len() + tree_size(line)
}

/// The lines that say something, with their numbers.
fn said(first: u64, lines: Vec<Line>) -> Vec<(u64, Line)> {
    let is_said = |line: &Line| line.as_ref().map_or(true, |line| !line.trim_ascii().is_empty());
    (first..).zip(lines).filter(|(_, line)| is_said(line)).collect()
}

struct Batch {
    tracker: Tracker,
    principal: Principal,
    /// The memory of its user.
    memory: Reserved,
    limit: usize,
    /// The import whose lines they are, if it is one.
    importing: Option<Importing>,
}

/// What became of a line before it was written.
struct Submitted {
    line: u64,
    result: Result<Handed, (Option<ExecutionId>, ApiError)>,
}

/// What was handed to the recorder, and what is needed should that refuse it.
struct Handed {
    ack: Ack<(ExecutionId, Applied)>,
    json: Json,
    /// The flow into which it is recorded, unless it is restored.
    flow: Option<Arc<Flow>>,
}

/// What became of a line.
#[derive(Debug, Serialize)]
struct Outcome<'a> {
    line: u64,
    id: Option<ExecutionId>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorBody<'a>>,
}

impl<'a> Outcome<'a> {
    fn refused(line: u64, id: Option<ExecutionId>, error: &'a ApiError) -> Self {
        let status = if error.code() == ErrorCode::Conflict { "conflict" } else { "invalid" };
        Self { line, id, status, error: Some(error.body()) }
    }
}

fn write(outcomes: &[Outcome<'_>]) -> Vec<u8> {
    let mut written = Vec::new();
    for outcome in outcomes {
        // Writing to memory has nothing to fail.
        let _ = serde_json::to_writer(&mut written, outcome);
        written.push(b'\n');
    }
    written
}

impl Batch {
    /// Waits until a handful of lines is written, and answers them.
    async fn answer(self: &Arc<Self>, submitted: Vec<Submitted>) -> Vec<u8> {
        let mut written = Vec::new();
        for Submitted { line, result } in submitted {
            let (id, result) = match result {
                Ok(Handed { ack, json, flow }) => match ack.await {
                    Ok((id, applied)) => (Some(id), Ok(applied)),
                    Err(TrackerError::Conflict { .. }) => self.conflict(json, flow).await,
                    Err(error) => (None, Err(error.into())),
                },
                Err((id, error)) => (id, Err(error)),
            };
            if let Some(importing) = &self.importing {
                importing.count(&result);
            }
            let outcome = match &result {
                Ok(Applied::Already) => Outcome { line, id, status: "exists", error: None },
                Ok(_) => Outcome { line, id, status: "created", error: None },
                Err(error) => Outcome::refused(line, id, error),
            };
            written.extend(write(&[outcome]));
        }
        written
    }

    async fn conflict(
        self: &Arc<Self>,
        json: Json,
        flow: Option<Arc<Flow>>,
    ) -> (Option<ExecutionId>, Result<Applied, ApiError>) {
        let batch = Arc::clone(self);
        let id = given_id(&json.value);
        let settled = blocking(move || match (&batch.importing, flow) {
            (Some(importing), _) => importing.import.settle(&json.value),
            (None, Some(flow)) => Err(Report::read(&json)?.conflict(&batch.tracker, &batch.principal, &flow)),
            (None, None) => Err(ApiError::internal("a line without a flow")),
        });
        (id, settled.await)
    }

    /// Hands lines to the recorder. Blocks.
    fn submit(&self, lines: &[(u64, Line)]) -> Vec<Submitted> {
        let mut flows: HashMap<FlowId, Arc<Flow>> = HashMap::new();
        let submit =
            |(line, text): &(u64, Line)| Submitted { line: *line, result: self.submit_one(text, &mut flows) };
        lines.iter().map(submit).collect()
    }

    fn submit_one(
        &self,
        line: &Line,
        flows: &mut HashMap<FlowId, Arc<Flow>>,
    ) -> Result<Handed, (Option<ExecutionId>, ApiError)> {
        let too_long =
            |_| ApiError::new(ErrorCode::TooLarge, format!("the line is longer than {} bytes", self.limit));
        let text = line.as_ref().map_err(|long| (None, too_long(long)))?;
        if weight_of(text) > most(&self.memory) {
            let share = self.memory.most() >> 20;
            let message = format!("the line needs more memory than your share of {share} MiB");
            return Err((None, ApiError::new(ErrorCode::TooLarge, message)));
        }
        if let Some(importing) = &self.importing {
            let HandedLine { ack, value } = importing.import.submit(text)?;
            return Ok(Handed { ack, json: Json { value, ..Json::default() }, flow: None });
        }
        let json = read_json(text).map_err(|error| (None, invalid_json(&error)))?;
        let mut submit = || {
            let report = Report::read(&json)?;
            let id = report
                .flow_id
                .ok_or_else(|| ApiError::invalid("flowId", "expected the id of the flow, got nothing"))?;
            let flow = match flows.get(&id) {
                Some(flow) => Arc::clone(flow),
                None => {
                    let flow = self.tracker.flow(&self.principal, id)?;
                    flows.insert(id, Arc::clone(&flow));
                    flow
                }
            };
            let ack = report.submit(&self.tracker, &self.principal, &flow)?;
            Ok((ack, flow))
        };
        match submit() {
            Ok((ack, flow)) => Ok(Handed { ack, json, flow: Some(flow) }),
            Err(error) => Err((given_id(&json.value), error)),
        }
    }
}

/// The id that a line gives, if it is one.
fn given_id(value: &Value) -> Option<ExecutionId> {
    value["id"].as_str().and_then(|text| text.parse().ok())
}
