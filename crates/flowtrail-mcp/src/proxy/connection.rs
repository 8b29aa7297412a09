//! What is known of one connection: who speaks, and which answer belongs to which call.

mod open;

use std::collections::{HashMap, VecDeque};

use flowtrail_runner::TraceContext;
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{Digest, ErrorInfo, ErrorKind, Principal};
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, watch};

use super::call::{Ended, Step};
use super::ids::{id_of, meant};
use super::message::{AsRead, Content, Kept, Part, Seen};
use super::moment::Moment;
use super::rounds::{Place, Task, is_dismissed};
use super::tasks::{TaskEvent, TaskNews};
use crate::trace;

/// Whose connection it is, and to what.
#[derive(Debug, Clone)]
pub struct About {
    /// The server's name here.
    pub upstream: String,
    /// Who calls; the local administrator when nobody else is named.
    pub principal: Option<Principal>,
    /// How the client is connected: `stdio` or `http`.
    pub transport: &'static str,
    /// By what its calls are known to belong together.
    pub session: Option<String>,
    /// Whether the flows that it makes are everybody's.
    pub public: bool,
    /// The trace context of the request's headers, which counts where the message has none.
    pub trace: TraceContext,
}

/// The requests that wait for an answer are no more than this; beyond it calls are not recorded, which is counted.
const MOST_WAITING: usize = 10_000;

const META_PROTOCOL: &str = "io.modelcontextprotocol/protocolVersion";
const META_CLIENT: &str = "io.modelcontextprotocol/clientInfo";
const META_SERVER: &str = "io.modelcontextprotocol/serverInfo";
const META_TASK: &str = "io.modelcontextprotocol/related-task";

/// A tool's call, as it begins.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) tool: String,
    pub(super) arguments: Value,
    /// Whether a surrogate without a partner was replaced in them.
    pub(super) arguments_replaced: bool,
    pub(super) whole_arguments: Option<u64>,
    pub(super) meta: Value,
    pub(super) at: Moment,
    /// The earlier call that it goes on with, if it says so.
    pub(super) retry: Option<Retry>,
    /// What happens to it from then on.
    pub(super) steps: mpsc::UnboundedReceiver<Step>,
}

/// What a call says of an earlier one that it answers a question of.
#[derive(Debug)]
pub(super) struct Retry {
    /// The key by the state that the server has given; absent when there was none.
    pub(super) state: Option<Digest>,
    /// The key by what is called.
    pub(super) call: Digest,
    /// The answers.
    pub(super) responses: Option<AsRead>,
    /// Whether the question was dismissed.
    pub(super) is_dismissed: bool,
}

/// What a message brings that is to be recorded.
#[derive(Debug)]
pub(super) enum Noted {
    Begun(Box<Begun>),
    /// A call waits from now on under these keys, once the other end of the channel is gone.
    SetAside {
        keys: Vec<Digest>,
        settled: watch::Receiver<()>,
    },
    /// Something about a task.
    Task(Box<TaskEvent>),
    /// What the server says of itself.
    Server(Value),
    /// A tool that there is, and what it does.
    Tool {
        name: String,
        description: Option<String>,
    },
    /// A call that could not be read, or kept in mind.
    Lost,
}

/// A request that waits for its answer.
#[derive(Debug)]
enum Waiting {
    Call(OpenCall),
    Listing,
    Greeting,
    /// How a task stands, or what it has come to.
    Task {
        key: Digest,
        asks_for_result: bool,
    },
}

/// A call that was not answered.
#[derive(Debug)]
struct OpenCall {
    steps: mpsc::UnboundedSender<Step>,
    token: Option<String>,
    tool: String,
    /// The key by which a retry without a state finds it.
    key: Digest,
}

/// One connection between a client and a server.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) about: About,
    client: Option<Value>,
    protocol: Option<String>,
    server: Option<Value>,
    /// By id. A client that uses an id again before it was answered gets its answers in the order of its requests.
    waiting: HashMap<String, VecDeque<Waiting>>,
    count: usize,
    /// Which call a progress token belongs to.
    tokens: HashMap<String, mpsc::UnboundedSender<Step>>,
    /// What the server has asked the client on behalf of a task, by its id.
    asked: HashMap<String, Digest>,
    /// Part of all keys.
    place: Place,
}

impl Connection {
    pub(super) fn new(about: About) -> Self {
        Self {
            place: Place::new(&about.upstream, about.principal.as_ref()),
            asked: HashMap::new(),
            about,
            client: None,
            protocol: None,
            server: None,
            waiting: HashMap::new(),
            count: 0,
            tokens: HashMap::new(),
        }
    }

    /// The client has said something.
    pub(super) fn client_said(&mut self, message: &Kept, at: Moment) -> Vec<Noted> {
        let mut noted = Vec::new();
        let all = Seen::all_in(message);
        if all.is_empty() && message.may_be_a_call() {
            noted.push(Noted::Lost);
        }
        for seen in all {
            let Some(method) = seen.method.as_deref() else {
                noted.extend(self.client_answered(&seen, at));
                continue;
            };
            match (method, seen.id) {
                ("tools/call", Some(id)) => noted.push(self.call_begins(id, seen.params.as_ref(), at)),
                ("tools/list", Some(id)) => self.wait(id, Waiting::Listing),
                ("initialize" | "server/discover", Some(id)) => {
                    self.introduce(seen.params.as_ref());
                    self.wait(id, Waiting::Greeting);
                }
                ("tasks/get" | "tasks/result", Some(id)) => {
                    if let Some(key) = self.task_of(seen.params.as_ref()) {
                        self.wait(id, Waiting::Task { key, asks_for_result: method == "tasks/result" });
                    }
                }
                ("tasks/cancel" | "tasks/update", Some(_)) => {
                    noted.extend(self.task_told(method, seen.params.as_ref(), at));
                }
                ("notifications/cancelled", None) => self.cancelled(seen.params.as_ref(), at),
                _ => {}
            }
        }
        noted
    }

    /// The server has said something.
    pub(super) fn server_said(&mut self, message: &Kept, at: Moment) -> Vec<Noted> {
        let mut noted = Vec::new();
        for seen in Seen::all_in(message) {
            match (&seen.method, seen.id.clone()) {
                (Some(method), None) if method == "notifications/progress" => {
                    self.progress(seen.params.as_ref(), at);
                }
                (Some(method), None) if method.starts_with("notifications/tasks") => {
                    noted.extend(self.task_notified(seen.params.as_ref(), at));
                }
                (Some(_), Some(id)) => noted.extend(self.client_asked(id, &seen, at)),
                (None, Some(id)) if seen.result.is_some() || seen.error.is_some() => {
                    noted.extend(self.answered(&id, seen.result.as_ref(), seen.error.as_ref(), at));
                }
                _ => {}
            }
        }
        noted
    }

    /// One call's answer will not come: its request was hung up on.
    pub(super) fn hung_up(&mut self, id: &str, at: Moment) {
        let reason = ErrorInfo::new(ErrorKind::Cancelled, "the client hung up before the answer");
        self.give_up(id, Outcome::Aborted(Some(reason)), at);
    }

    /// One call's answer will not come: the server could not be asked, or answered with something else.
    pub(super) fn failed(&mut self, id: &str, how: &Failed, at: Moment) {
        if let Some(Waiting::Call(call)) = self.take(id) {
            let outcome = Outcome::Error(ErrorInfo::new(ErrorKind::Network, &how.message));
            end(&call.steps, Ended::reported(outcome, how.outputs()), at);
        }
    }

    /// No more answers will come. That the calls failed is concluded: nobody has reported it.
    pub(super) fn closed(mut self, why: &Outcome, at: Moment) {
        for waiting in std::mem::take(&mut self.waiting).into_values().flatten() {
            if let Waiting::Call(call) = waiting {
                end(&call.steps, Ended::inferred(why.clone()), at);
            }
        }
    }

    fn call_begins(&mut self, id: String, params: Option<&Part<'_>>, at: Moment) -> Noted {
        let Content { value: params, replaced, whole_size: whole_arguments } =
            params.map(Part::read).unwrap_or_default();
        let arguments_replaced = replaced.at("arguments").is_any();
        let tool = params["name"].as_str().unwrap_or_default().to_owned();
        let meta = self.meta(&id, &params["_meta"]);
        let token = params["_meta"].get("progressToken").and_then(|token| id_of(&token.to_string()));
        let text = |name: &str| params[name].as_str().map(str::to_owned);
        let (state, responses) = (text("requestState"), AsRead::member(&params, &replaced, "inputResponses"));
        let arguments = match params {
            Value::Object(mut params) => params.shift_remove("arguments").unwrap_or_else(|| json!({})),
            _ => Value::Null,
        };
        if self.count >= MOST_WAITING {
            return Noted::Lost;
        }
        let (steps, told) = mpsc::unbounded_channel();
        if let Some(token) = &token {
            self.tokens.insert(token.clone(), steps.clone());
        }
        let key = self.place.of_call(&tool, &arguments, &meta["client"]);
        let is_retry = state.is_some() || responses.is_some();
        let retry = is_retry.then(|| Retry {
            state: state.map(|state| self.place.of_state(&tool, &state)),
            call: key,
            is_dismissed: responses.as_ref().is_some_and(|given| is_dismissed(&given.value)),
            responses,
        });
        self.wait(id, Waiting::Call(OpenCall { steps, token, tool: tool.clone(), key }));
        Noted::Begun(Box::new(Begun {
            tool,
            arguments,
            arguments_replaced,
            whole_arguments,
            meta,
            at,
            retry,
            steps: told,
        }))
    }

    /// What is recorded of the connection beside a call.
    fn meta(&self, id: &str, told: &Value) -> Value {
        let mut meta = Map::new();
        let mut note = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                meta.insert(name.to_owned(), value);
            }
        };
        // What a request says of itself counts for more than what was said at the beginning.
        note("client", told.get(META_CLIENT).map(named).or_else(|| self.client.clone()));
        let protocol = told.get(META_PROTOCOL).and_then(Value::as_str).map(Value::from);
        note("protocol", protocol.or_else(|| self.protocol.clone().map(Value::from)));
        note("requestId", Some(serde_json::from_str(id).unwrap_or_default()));
        note("session", self.about.session.clone().map(Value::from));
        for (name, value) in trace::of_request(told, &self.about.trace).fields() {
            note(name, Some(value.into()));
        }
        note("upstream", Some(self.about.upstream.as_str().into()));
        note("server", self.server.clone());
        note("transport", Some(self.about.transport.into()));
        Value::Object(meta)
    }

    fn introduce(&mut self, params: Option<&Part<'_>>) {
        let params = params.map(Part::read).unwrap_or_default().value;
        if let Some(client) = params.get("clientInfo").or_else(|| params["_meta"].get(META_CLIENT)) {
            self.client = Some(named(client));
        }
        let version = params.get("protocolVersion").or_else(|| params["_meta"].get(META_PROTOCOL));
        self.protocol = version.and_then(Value::as_str).map(str::to_owned);
    }

    fn wait(&mut self, id: String, waiting: Waiting) {
        if self.count < MOST_WAITING {
            self.count += 1;
            self.waiting.entry(id).or_default().push_back(waiting);
        }
    }

    /// What an answer belongs to: the oldest request with its id.
    fn take(&mut self, id: &str) -> Option<Waiting> {
        let id = match self.waiting.contains_key(id) {
            true => id.to_owned(),
            false => meant(id, self.waiting.keys())?.clone(),
        };
        let queue = self.waiting.get_mut(&id)?;
        let waiting = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&id);
        }
        self.count -= usize::from(waiting.is_some());
        if let Some(Waiting::Call(OpenCall { token: Some(token), .. })) = &waiting {
            self.tokens.remove(token);
        }
        waiting
    }

    fn give_up(&mut self, id: &str, outcome: Outcome, at: Moment) {
        if let Some(Waiting::Call(call)) = self.take(id) {
            end(&call.steps, Ended::reported(outcome, None), at);
        }
    }

    fn cancelled(&mut self, params: Option<&Part<'_>>, at: Moment) {
        let params = params.map(Part::read).unwrap_or_default().value;
        let Some(id) = params.get("requestId").and_then(|id| id_of(&id.to_string())) else { return };
        let message = match params["reason"].as_str().filter(|reason| !reason.is_empty()) {
            Some(reason) => format!("the client cancelled it: {reason}"),
            None => "the client cancelled it".to_owned(),
        };
        self.give_up(&id, Outcome::Aborted(Some(ErrorInfo::new(ErrorKind::Cancelled, message))), at);
    }

    fn progress(&mut self, params: Option<&Part<'_>>, at: Moment) {
        let Content { value: mut params, replaced, .. } = params.map(Part::read).unwrap_or_default();
        let token = params.get("progressToken").and_then(|token| id_of(&token.to_string()));
        let Some(steps) = token.and_then(|token| self.tokens.get(&token)) else { return };
        if let Some(params) = params.as_object_mut() {
            params.shift_remove("progressToken");
        }
        // The call may have ended on its side already.
        let _ = steps.send(Step::Progress { params, replaced: replaced.is_any(), at });
    }

    fn answered(
        &mut self,
        id: &str,
        result: Option<&Part<'_>>,
        error: Option<&Part<'_>>,
        at: Moment,
    ) -> Vec<Noted> {
        match self.take(id) {
            Some(Waiting::Call(call)) => self.call_answered(call, result, error, at),
            Some(Waiting::Task { key, asks_for_result }) => {
                let news = match (result.map(Part::read), error.map(Part::read)) {
                    (Some(Content { value: result, replaced, .. }), None) if !asks_for_result => {
                        // What was asked for decides: a wrong type of result is none the less how the task stands.
                        let task = Task::within(&result, &replaced);
                        task.map(|task| (TaskNews::Seen(task), server_in(&result)))
                    }
                    (None, Some(Content { value: error, .. })) if !asks_for_result => {
                        is_unknown_task(&error).then(|| (TaskNews::Unknown(error), None))
                    }
                    _ => {
                        let ended = Ended::of_answer(result, error);
                        let server = ended.server.clone();
                        Some((TaskNews::Result(ended), server))
                    }
                };
                let event = news.map(|(news, server)| TaskEvent { key, news, at, server });
                event.map(|event| Noted::Task(Box::new(event))).into_iter().collect()
            }
            Some(Waiting::Greeting) => {
                let result = result.map(Part::read).unwrap_or_default().value;
                let server = result.get("serverInfo").map(named).or_else(|| server_in(&result));
                if server.is_some() {
                    self.server = server;
                }
                if let Some(version) = result.get("protocolVersion").and_then(Value::as_str) {
                    self.protocol = Some(version.to_owned());
                }
                Vec::new()
            }
            Some(Waiting::Listing) => {
                let result = result.map(Part::read).unwrap_or_default().value;
                let tools = result["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
                let noted = tools.iter().filter_map(|tool| {
                    Some(Noted::Tool {
                        name: tool["name"].as_str()?.to_owned(),
                        description: tool["description"].as_str().map(str::to_owned),
                    })
                });
                noted.collect()
            }
            // Nobody has asked, or it was answered before.
            None => Vec::new(),
        }
    }
}

/// Why a request will not be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// For people.
    pub message: String,
    /// The status of an HTTP answer that is no message, and the beginning of what it says.
    pub answer: Option<(u16, String)>,
}

impl Failed {
    fn outputs(&self) -> Option<Value> {
        self.answer.as_ref().map(|(status, text)| json!({"httpStatus": status, "text": text}))
    }
}

/// What a result says of the server (2026-07-28, where there is no handshake).
pub(super) fn server_in(result: &Value) -> Option<Value> {
    result["_meta"].get(META_SERVER).filter(|server| server.is_object()).map(named)
}

/// Whether a server knows nothing of a task, or nothing any more.
fn is_unknown_task(error: &Value) -> bool {
    const INVALID_PARAMS: i64 = -32_602;
    error["code"].as_i64() == Some(INVALID_PARAMS)
}

fn end(steps: &mpsc::UnboundedSender<Step>, ended: Ended, at: Moment) {
    // Whoever records the call may have failed to begin with it; that was counted then.
    let _ = steps.send(Step::End { ended, at });
}

/// A program's name and version, without the rest of what it says of itself.
fn named(info: &Value) -> Value {
    json!({"name": info["name"], "version": info["version"]})
}
