//! Calls of several messages: a question to the client and its retry (2026-07-28, "Multi-round requests"), and tasks (2025-11-25,
//! and the tasks extension).
//!
//! Here stands what such messages say, and the keys under which a call that waits is found again.

use std::time::Duration;

use flowtrail_types::{Digest, Principal, Replaced};
use serde_json::Value;

use super::message::AsRead;

/// What the first answer to a call leaves open.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Open {
    /// The client is asked something, and calls again.
    Input { state: Option<String>, requests: Option<AsRead> },
    /// It goes on as a task.
    Task(Box<Task>),
}

/// A task as a message tells of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) status: TaskStatus,
    pub(crate) message: Option<String>,
    /// For how long the server keeps it; absent when it does not say, or for ever.
    pub(crate) time_to_live: Option<Duration>,
    /// What it came to, where the form of the extension tells it at once.
    pub(crate) result: Option<AsRead>,
    pub(crate) error: Option<AsRead>,
    /// What the client is asked.
    pub(crate) requests: Option<AsRead>,
    /// Whether it is of the form of 2025-11-25, which tells its result in another message.
    pub(crate) is_old: bool,
}

/// How a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskStatus {
    Working,
    InputRequired,
    Completed,
    Failed,
    Cancelled,
}

impl Open {
    /// What a result leaves open; nothing when the call has ended with it.
    pub(crate) fn of_result(result: &Value, replaced: &Replaced) -> Option<Self> {
        match result["resultType"].as_str() {
            Some("input_required") => Some(Self::Input {
                state: result["requestState"].as_str().map(str::to_owned),
                requests: AsRead::member(result, replaced, "inputRequests"),
            }),
            Some("task") => Task::within(result, replaced).map(Box::new).map(Self::Task),
            // The form of 2025-11-25 has no type of result, and nothing beside the task.
            None if result["task"].is_object() && result.get("content").is_none() => {
                Task::within(result, replaced).map(Box::new).map(Self::Task)
            }
            _ => None,
        }
    }
}

impl Task {
    /// The task that a result is, or has under `task`; nothing when there is none.
    pub(crate) fn within(result: &Value, replaced: &Replaced) -> Option<Self> {
        match &result["task"] {
            task @ Value::Object(_) => Self::of(task, replaced.at("task")),
            _ => Self::of(result, replaced),
        }
    }

    /// A task in either form; nothing when it is none.
    pub(crate) fn of(task: &Value, replaced: &Replaced) -> Option<Self> {
        let status = match task["status"].as_str()? {
            "working" | "submitted" => TaskStatus::Working,
            "input_required" => TaskStatus::InputRequired,
            "completed" => TaskStatus::Completed,
            "failed" => TaskStatus::Failed,
            "cancelled" => TaskStatus::Cancelled,
            _ => return None,
        };
        let some = |name: &str| task.get(name).filter(|value| !value.is_null()).cloned();
        let millis = some("ttlMs").or_else(|| some("ttl"));
        Some(Self {
            id: task["taskId"].as_str()?.to_owned(),
            status,
            message: task["statusMessage"].as_str().filter(|text| !text.is_empty()).map(str::to_owned),
            time_to_live: millis.and_then(|millis| millis.as_f64()).and_then(time_to_live),
            result: AsRead::member(task, replaced, "result"),
            error: AsRead::member(task, replaced, "error"),
            requests: AsRead::member(task, replaced, "inputRequests"),
            is_old: task.get("ttlMs").is_none() && task.get("ttl").is_some(),
        })
    }

    /// Whether it has ended.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.status, TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Cancelled)
    }
}

/// A time to live that is one. Whatever a server writes, it lies within bounds.
fn time_to_live(millis: f64) -> Option<Duration> {
    const LONGEST: f64 = 366.0 * 24.0 * 3_600.0;
    let seconds = millis / 1_000.0;
    (seconds > 0.0).then(|| Duration::from_secs_f64(seconds.min(LONGEST)))
}

/// Whether all answers to a question were dismissals: to decline is an answer.
pub(super) fn is_dismissed(responses: &Value) -> bool {
    let is_cancel = |response: &Value| response["action"] == "cancel";
    responses.as_object().is_some_and(|all| !all.is_empty() && all.values().all(is_cancel))
}

/// Whose call it is, and to what: part of every key, so that nobody goes on with somebody else's call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    upstream: String,
    user: String,
}

impl Place {
    pub(super) fn new(upstream: &str, principal: Option<&Principal>) -> Self {
        let user = principal.map(|principal| principal.id.to_string()).unwrap_or_default();
        Self { upstream: upstream.to_owned(), user }
    }

    fn key(&self, kind: &str, parts: &[&str]) -> Digest {
        let mut all = vec![kind.as_bytes(), self.upstream.as_bytes(), self.user.as_bytes()];
        all.extend(parts.iter().map(|part| part.as_bytes()));
        Digest::of(&all)
    }

    /// The key of a call that waits for a retry with this state. The state itself is not kept: it may be a secret.
    pub(super) fn of_state(&self, tool: &str, state: &str) -> Digest {
        self.key("state", &[tool, state])
    }

    /// The key of a call that waits for a retry without a state.
    pub(super) fn of_call(&self, tool: &str, arguments: &Value, client: &Value) -> Digest {
        self.key("call", &[tool, &sorted(arguments), client["name"].as_str().unwrap_or_default()])
    }

    /// The key of a call that goes on as a task.
    pub(super) fn of_task(&self, id: &str) -> Digest {
        self.key("task", &[id])
    }
}

/// JSON whose objects have their entries in order: clients may write the same arguments in another one.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<(&String, &Value)> = object.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let entries: Vec<String> =
                entries.iter().map(|(key, value)| format!("{key:?}:{}", sorted(value))).collect();
            format!("{{{}}}", entries.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(sorted).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tasks_are_read_in_all_their_forms() {
        let flat = json!({"resultType": "task", "taskId": "t", "status": "working", "ttlMs": 60_000});
        let nested =
            json!({"resultType": "task", "task": {"taskId": "t", "status": "working", "ttlMs": 60_000}});
        let old = json!({"task": {"taskId": "t", "status": "working", "ttl": 60_000, "pollInterval": 5}});
        for (form, is_old) in [(flat, false), (nested, false), (old, true)] {
            let Some(Open::Task(task)) = Open::of_result(&form, Replaced::nowhere()) else {
                panic!("a task: {form}")
            };
            assert_eq!((task.id.as_str(), task.status, task.is_old), ("t", TaskStatus::Working, is_old));
            assert_eq!(task.time_to_live, Some(Duration::from_secs(60)));
        }
        for ttl in [json!(null), json!(0), json!(-1), json!("long")] {
            let task =
                Task::of(&json!({"taskId": "t", "status": "working", "ttlMs": ttl}), Replaced::nowhere())
                    .unwrap();
            assert_eq!(task.time_to_live, None, "{ttl}");
        }
    }

    #[test]
    fn a_result_that_is_whole_leaves_nothing_open() {
        for result in [
            json!({"content": []}),
            json!({"resultType": "complete", "content": [], "structuredContent": {"task": {"taskId": "t"}}}),
            json!({"content": [], "task": {"taskId": "t", "status": "working"}}),
            json!({"resultType": "task", "task": {"taskId": "t", "status": "unheard of"}}),
            json!(null),
        ] {
            assert_eq!(Open::of_result(&result, Replaced::nowhere()), None, "{result}");
        }
    }

    #[test]
    fn keys_differ_by_whatever_tells_calls_apart() {
        let place = Place::new("a", None);
        let client = json!({"name": "c", "version": "1"});
        let key = place.of_call("t", &json!({"x": 1, "y": [{"b": 2, "a": 1}]}), &client);
        assert_eq!(key, place.of_call("t", &json!({"y": [{"a": 1, "b": 2}], "x": 1}), &client));
        assert_ne!(key, place.of_call("u", &json!({"x": 1, "y": [{"b": 2, "a": 1}]}), &client));
        assert_ne!(key, place.of_call("t", &json!({"x": 1}), &client));
        assert_ne!(key, Place::new("b", None).of_call("t", &json!({"x": 1}), &client));
        assert_ne!(place.of_state("t", "s"), place.of_task("s"));
    }

    #[test]
    fn declining_is_an_answer_and_dismissing_is_none() {
        assert!(is_dismissed(&json!({"sure": {"action": "cancel"}})));
        assert!(!is_dismissed(&json!({"sure": {"action": "decline"}})));
        assert!(!is_dismissed(&json!({"a": {"action": "cancel"}, "b": {"action": "accept"}})));
        assert!(!is_dismissed(&json!({})) && !is_dismissed(&json!(null)));
    }
}
