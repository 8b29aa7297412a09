//! Calls that go on as tasks, followed to their end: what a flow gets is the tool's result, never the task.

use std::time::Duration;

use flowtrail_runner::{UpstreamAnswer, UpstreamError};
use flowtrail_types::{ErrorKind, Replaced};
use rmcp::model::{
    CallToolResult, CancelTaskParams, CancelTaskRequest, ClientRequest, CustomRequest, ErrorData,
    GetTaskParams, GetTaskRequest, ServerResult,
};
use rmcp::service::PeerRequestOptions;
use rmcp::{Peer, RoleClient};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::proxy::{Open, Task, TaskStatus};
use crate::{as_sent, unanswered};

/// How long to wait before asking again, when the server does not say.
const INTERVAL: Duration = Duration::from_secs(1);
/// The bounds of what it may say: often enough to notice an end, and not so often that it is a load.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(30));
/// How long past its time to live a task is asked for: what it came to may just have been written down.
const GRACE: Duration = Duration::from_secs(5);

/// The result of a call whose first answer is this: at once, or when the task that it goes on as has ended.
pub(super) async fn result_of(
    peer: &Peer<RoleClient>,
    answer: ServerResult,
) -> Result<UpstreamAnswer, UpstreamError> {
    let answer = Answer::of(answer)?;
    match Open::of_result(&answer.value, Replaced::nowhere()) {
        None => result(answer),
        Some(Open::Input { .. }) => Err(asks_for_input()),
        Some(Open::Task(task)) => {
            let (answer, replaced) = (&answer.value, answer.replaced);
            let interval = interval_of(if answer["task"].is_object() { &answer["task"] } else { answer });
            let mut cancelled = WhenDropped { peer, task: Some(task.id.clone()) };
            let ended = follow(peer, *task, interval, replaced).await;
            // Whatever is known of it now, there is nothing to cancel, or nobody who knows it.
            cancelled.task = None;
            ended
        }
    }
}

/// What a server told, as it wrote it.
struct Answer {
    value: Value,
    /// Whether a surrogate without a partner was replaced in it.
    replaced: bool,
}

impl Answer {
    fn of(told: ServerResult) -> Result<Self, UpstreamError> {
        let value = serde_json::to_value(told)
            .map_err(|_| broken("the server's answer cannot be read as an answer of MCP"))?;
        let carried = as_sent::result(value["_meta"].as_object());
        Ok(match carried {
            Some((value, replaced)) => Self { value, replaced },
            None => Self { value, replaced: false },
        })
    }
}

/// Asks how a task stands, again and again, until it is over.
async fn follow(
    peer: &Peer<RoleClient>,
    mut task: Task,
    mut interval: Duration,
    mut replaced: bool,
) -> Result<UpstreamAnswer, UpstreamError> {
    let began = Instant::now();
    let id = task.id.clone();
    let mut is_old = task.is_old;
    loop {
        match task.status {
            TaskStatus::Working => {}
            TaskStatus::InputRequired => {
                cancel(peer, &id).await;
                return Err(asks_for_input());
            }
            TaskStatus::Completed | TaskStatus::Failed if is_old => {
                let params = json!({"taskId": id});
                let request = CustomRequest::new("tasks/result", Some(params));
                return result(ask(peer, ClientRequest::CustomRequest(request)).await?);
            }
            TaskStatus::Completed => {
                return result(Answer { value: task.result.unwrap_or_default().value, replaced });
            }
            TaskStatus::Failed => return Err(failed(&task)),
            TaskStatus::Cancelled => {
                let said = task.message.map(|message| format!(": {message}")).unwrap_or_default();
                return Err(broken(format!("the server cancelled the task of the call{said}")));
            }
        }
        if task.time_to_live.is_some_and(|most| began.elapsed() > most.saturating_add(GRACE)) {
            return Err(broken("the task of the call did not end within its time to live"));
        }
        tokio::time::sleep(interval).await;
        let request = ClientRequest::GetTaskRequest(GetTaskRequest::new(GetTaskParams::new(id.clone())));
        let told = ask(peer, request).await?;
        interval = interval_of(&told.value);
        replaced = told.replaced;
        task = Task::of(&told.value, Replaced::nowhere())
            .filter(|told| told.id == id)
            .ok_or_else(|| broken("the server does not tell how the task of the call stands"))?;
        is_old |= task.is_old;
    }
}

async fn ask(peer: &Peer<RoleClient>, request: ClientRequest) -> Result<Answer, UpstreamError> {
    let sent = peer.send_cancellable_request(request, PeerRequestOptions::no_options()).await;
    let handle = sent.map_err(|error| unanswered::refused(&error))?;
    let told = handle.await_response().await.map_err(|error| unanswered::refused(&error))?;
    Answer::of(told)
}

/// When to ask next, of a task as its server tells of it.
fn interval_of(task: &Value) -> Duration {
    let millis = ["pollIntervalMs", "pollInterval"].into_iter().find_map(|name| task[name].as_u64());
    let (shortest, longest) = INTERVALS;
    millis.map_or(INTERVAL, Duration::from_millis).clamp(shortest, longest)
}

/// A tool's result.
fn result(Answer { value: result, replaced }: Answer) -> Result<UpstreamAnswer, UpstreamError> {
    let is_one = result.get("content").is_some() || result.get("structuredContent").is_some();
    // The SDK knows what a result must be. It would write numbers anew, so that nothing is taken from its reading.
    if !is_one || CallToolResult::deserialize(&result).is_err() {
        return Err(broken("the server answered with something that is no tool's result"));
    }
    let Value::Object(mut result) = result else { return Ok(UpstreamAnswer::default()) };
    let content = match result.remove("content") {
        Some(Value::Array(blocks)) => blocks,
        _ => Vec::new(),
    };
    let is_error = result.get("isError") == Some(&Value::Bool(true));
    Ok(UpstreamAnswer { content, structured: result.remove("structuredContent"), is_error, replaced })
}

fn failed(task: &Task) -> UpstreamError {
    let error = task.error.as_ref().and_then(|error| ErrorData::deserialize(&error.value).ok());
    match (error, &task.message) {
        (Some(error), _) => unanswered::by_server(&error, "the task of the call failed"),
        (None, Some(message)) => broken(format!("the task of the call failed: {message}")),
        (None, None) => broken("the task of the call failed, and the server does not say why"),
    }
}

fn asks_for_input() -> UpstreamError {
    broken("the tool asks for input, which a flow has nobody to give")
}

fn broken(message: impl Into<String>) -> UpstreamError {
    UpstreamError { kind: ErrorKind::Failed, message: message.into(), is_transient: false }
}

/// A task that somebody waits for: dropped before its end, it is cancelled.
struct WhenDropped<'p> {
    peer: &'p Peer<RoleClient>,
    task: Option<String>,
}

impl Drop for WhenDropped<'_> {
    fn drop(&mut self) {
        let Some(task) = self.task.take() else { return };
        let peer = self.peer.clone();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move { cancel(&peer, &task).await });
    }
}

/// Tells the server that nobody waits for a task any more. It need not stop it.
async fn cancel(peer: &Peer<RoleClient>, task: &str) {
    const WITHIN: Duration = Duration::from_secs(10);
    let request = ClientRequest::CancelTaskRequest(CancelTaskRequest::new(CancelTaskParams::new(task)));
    match tokio::time::timeout(WITHIN, ask(peer, request)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => log::debug!("a server did not cancel a task: {error}"),
        Err(_) => log::debug!("a server did not answer that it cancels a task"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_asked_as_often_as_they_say_within_bounds() {
        for (said, expected) in [
            (json!({"pollIntervalMs": 200}), 200),
            (json!({"pollInterval": 2_000}), 2_000),
            (json!({"pollIntervalMs": 0}), 50),
            (json!({"pollIntervalMs": 86_400_000_u64}), 30_000),
            (json!({"pollIntervalMs": -1}), 1_000),
            (json!({}), 1_000),
        ] {
            assert_eq!(interval_of(&said), Duration::from_millis(expected), "{said}");
        }
    }

    #[test]
    fn a_failed_task_is_told_in_the_servers_words() {
        let task = |more: Value| {
            let mut task = json!({"taskId": "t", "status": "failed", "ttlMs": null});
            task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            failed(&Task::of(&task, Replaced::nowhere()).unwrap()).message
        };
        let error = json!({"error": {"code": -32000, "message": "no paper"}, "statusMessage": "over"});
        assert_eq!(task(error), "the task of the call failed: no paper (code -32000)");
        assert_eq!(task(json!({"statusMessage": "over"})), "the task of the call failed: over");
        assert!(task(json!({})).contains("does not say why"));
    }
}
