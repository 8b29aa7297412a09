//! One call that passes, from its request to its answer.

use std::sync::Arc;

use flowtrail_tracker::{Ack, Ending, ExecutionHandle, Happening};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{ErrorInfo, ErrorKind};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::journal::Gaps;
use super::message::Part;

/// What happens to a call after it has begun.
#[derive(Debug)]
pub(super) enum Step {
    Progress { params: Value, at: OffsetDateTime },
    End { ended: Ended, at: OffsetDateTime },
}

/// How a call ended.
#[derive(Debug)]
pub(super) struct Ended {
    outcome: Outcome,
    outputs: Option<Value>,
    whole_size: Option<u64>,
}

/// How many messages about its progress are kept of one call.
const MOST_PROGRESS: i32 = 1_000;
/// The most characters of what a failed tool says that stand in the error.
const MESSAGE: usize = 2_000;
/// What stands for a node that tells of progress: its id and its type.
const PROGRESS: (&str, &str) = ("progress", "Progress");

impl Ended {
    pub(super) fn without_outputs(outcome: Outcome) -> Self {
        Self { outcome, outputs: None, whole_size: None }
    }

    /// What an answer says. A result that says `isError` is a failure, although the request succeeded.
    pub(super) fn of_answer(result: Option<&Part<'_>>, error: Option<&Part<'_>>) -> Self {
        if let Some(error) = error {
            let (error, whole_size) = error.value();
            let kind = match error["code"].as_i64() {
                Some(INVALID_PARAMS | INVALID_REQUEST) => ErrorKind::InvalidInput,
                _ => ErrorKind::Failed,
            };
            let message = cut(error["message"].as_str().unwrap_or("the server answered with an error"));
            return Self {
                outcome: Outcome::Error(ErrorInfo::new(kind, message)),
                outputs: Some(error),
                whole_size,
            };
        }
        let (result, whole_size) = result.map(Part::value).unwrap_or_default();
        let outcome = if result["isError"] == true {
            Outcome::Error(ErrorInfo::new(ErrorKind::Failed, said(&result)))
        } else {
            Outcome::Fulfilled
        };
        Self { outcome, outputs: Some(result), whole_size }
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

/// Records a call that has begun until it ends.
pub(super) async fn follow(
    begun: Ack<ExecutionHandle>,
    mut steps: mpsc::UnboundedReceiver<Step>,
    gaps: Arc<Gaps>,
) {
    let handle = match begun.await {
        Ok(handle) => handle,
        Err(error) => return gaps.add(&error),
    };
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
            Some(Step::Progress { params, at }) if number < MOST_PROGRESS => {
                handle.record_happening(Happening {
                    id: PROGRESS.0,
                    name: &named(&params),
                    kind: PROGRESS.1,
                    number: Some(number),
                    data: &params,
                    at,
                });
                number += 1;
            }
            Some(Step::Progress { .. }) => {}
            Some(Step::End { ended, at }) => {
                let ending = Ending {
                    outcome: ended.outcome,
                    outputs: ended.outputs.as_ref(),
                    whole_size: ended.whole_size,
                    ended_at: Some(at),
                };
                if let Err(error) = handle.end_as(ending).await {
                    gaps.add(&error);
                }
                return;
            }
            None => {
                let reason = ErrorInfo::new(ErrorKind::Shutdown, "the proxy ended before the answer");
                if let Err(error) = handle.abort(Some(reason)).await {
                    gaps.add(&error);
                }
                return;
            }
        }
    }
}
