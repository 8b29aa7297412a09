//! What a message says of calls that wait: questions, and tasks.

use flowtrail_types::{Digest, json_object};
use serde_json::Value;
use tokio::sync::watch;

use super::{Connection, META_TASK, MOST_WAITING, Noted, OpenCall, end, server_in};
use crate::proxy::call::{Aside, Ended, Step};
use crate::proxy::ids::meant;
use crate::proxy::message::{AsRead, Content, Part, Seen};
use crate::proxy::moment::Moment;
use crate::proxy::rounds::{Open, Task};
use crate::proxy::tasks::{TaskEvent, TaskNews};

impl Connection {
    /// A call was answered: it has ended, or waits for another message.
    pub(super) fn call_answered(
        &mut self,
        call: OpenCall,
        result: Option<&Part<'_>>,
        error: Option<&Part<'_>>,
        at: Moment,
    ) -> Vec<Noted> {
        let ended = Ended::of_answer(result, error);
        let mut noted: Vec<Noted> = ended.server.clone().map(Noted::Server).into_iter().collect();
        let open = error.is_none().then(|| ended.open()).flatten();
        let aside = match open {
            None => {
                end(&call.steps, ended, at);
                return noted;
            }
            Some(Open::Input { state, requests }) => {
                let state = state.map(|state| self.place.of_state(&call.tool, &state));
                let keys = state.into_iter().chain([call.key]).collect();
                Aside { keys, asked: requests, time_to_live: None }
            }
            Some(Open::Task(task)) => {
                let key = self.place.of_task(&task.id);
                let time_to_live = task.time_to_live;
                // One that is over already is told of as if it were asked for.
                if task.is_over() || task.requests.is_some() {
                    let server = ended.server;
                    noted.push(Noted::Task(Box::new(TaskEvent {
                        key,
                        news: TaskNews::Seen(*task),
                        at,
                        server,
                    })));
                }
                Aside { keys: vec![key], asked: None, time_to_live }
            }
        };
        let (settles, settled) = watch::channel(());
        let keys = aside.keys.clone();
        // Whoever records the call may have failed to begin with it; that was counted then.
        let _ = call.steps.send(Step::SetAside { aside, at, settles });
        // Before what is told of it.
        noted.insert(0, Noted::SetAside { keys, settled });
        noted
    }

    pub(super) fn task_of(&self, params: Option<&Part<'_>>) -> Option<Digest> {
        let params = params.map(Part::read).unwrap_or_default().value;
        Some(self.place.of_task(params["taskId"].as_str()?))
    }

    /// What a client tells of a task: that it should stop, or answers to what it asks.
    pub(super) fn task_told(&self, method: &str, params: Option<&Part<'_>>, at: Moment) -> Option<Noted> {
        let key = self.task_of(params)?;
        let Content { value: params, replaced, .. } = params.map(Part::read).unwrap_or_default();
        let news = match method {
            "tasks/cancel" => TaskNews::CancelRequested,
            _ => TaskNews::Answered(AsRead::member(&params, &replaced, "inputResponses")?),
        };
        Some(Noted::Task(Box::new(TaskEvent { key, news, at, server: None })))
    }

    /// A client's answer to what the server has asked on behalf of a task (2025-11-25).
    pub(super) fn client_answered(&mut self, seen: &Seen<'_>, at: Moment) -> Option<Noted> {
        let id = seen.id.as_deref()?;
        let key = meant(id, self.asked.keys())?.clone();
        let task = self.asked.remove(&key)?;
        let answer = seen.result.as_ref().or(seen.error.as_ref()).map(Part::read)?;
        let value = json_object([("request", answer.value)]);
        let news = TaskNews::Answered(AsRead { value, replaced: answer.replaced.is_any() });
        Some(Noted::Task(Box::new(TaskEvent { key: task, news, at, server: None })))
    }

    pub(super) fn task_notified(&self, params: Option<&Part<'_>>, at: Moment) -> Option<Noted> {
        let Content { value: params, replaced, .. } = params.map(Part::read).unwrap_or_default();
        let task = Task::of(&params, &replaced)?;
        let (key, server) = (self.place.of_task(&task.id), server_in(&params));
        Some(Noted::Task(Box::new(TaskEvent { key, news: TaskNews::Seen(task), at, server })))
    }

    /// What the server asks the client on behalf of a task (2025-11-25).
    pub(super) fn client_asked(&mut self, id: String, seen: &Seen<'_>, at: Moment) -> Option<Noted> {
        let Content { value: params, replaced, .. } = seen.params.as_ref().map(Part::read)?;
        let key = self.place.of_task(params["_meta"][META_TASK]["taskId"].as_str()?);
        if self.asked.len() >= MOST_WAITING {
            return None;
        }
        self.asked.insert(id, key);
        let method = Value::from(seen.method.as_deref());
        let value = json_object([("request", json_object([("method", method), ("params", params)]))]);
        let asked = AsRead { value, replaced: replaced.is_any() };
        Some(Noted::Task(Box::new(TaskEvent { key, news: TaskNews::Asked(asked), at, server: None })))
    }
}
