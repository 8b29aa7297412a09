//! What is known of one connection: who speaks, and which answer belongs to which call.

use std::collections::{HashMap, VecDeque};

use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{ErrorInfo, ErrorKind, Principal};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::call::{Ended, Step};
use super::message::{Kept, Part, Seen, id_of};

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
}

/// The requests that wait for an answer are no more than this; beyond it calls are not recorded, which is counted.
const MOST_WAITING: usize = 10_000;

const META_PROTOCOL: &str = "io.modelcontextprotocol/protocolVersion";
const META_CLIENT: &str = "io.modelcontextprotocol/clientInfo";

/// A tool's call, as it begins.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) tool: String,
    pub(super) arguments: Value,
    pub(super) whole_arguments: Option<u64>,
    pub(super) meta: Value,
    pub(super) at: OffsetDateTime,
    /// What happens to it from then on.
    pub(super) steps: mpsc::UnboundedReceiver<Step>,
}

/// What a message brings that is to be recorded.
#[derive(Debug)]
pub(super) enum Noted {
    Begun(Box<Begun>),
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
    Call { steps: mpsc::UnboundedSender<Step>, token: Option<String> },
    Listing,
    Greeting,
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
}

impl Connection {
    pub(super) fn new(about: About) -> Self {
        Self {
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
    pub(super) fn client_said(&mut self, message: &Kept, at: OffsetDateTime) -> Vec<Noted> {
        let mut noted = Vec::new();
        let all = Seen::all_in(message);
        if all.is_empty() && message.may_be_a_call() {
            noted.push(Noted::Lost);
        }
        for seen in all {
            let Some(method) = seen.method.as_deref() else { continue };
            match (method, seen.id) {
                ("tools/call", Some(id)) => noted.push(self.call_begins(id, seen.params.as_ref(), at)),
                ("tools/list", Some(id)) => self.wait(id, Waiting::Listing),
                ("initialize" | "server/discover", Some(id)) => {
                    self.introduce(seen.params.as_ref());
                    self.wait(id, Waiting::Greeting);
                }
                ("notifications/cancelled", None) => self.cancelled(seen.params.as_ref(), at),
                _ => {}
            }
        }
        noted
    }

    /// The server has said something.
    pub(super) fn server_said(&mut self, message: &Kept, at: OffsetDateTime) -> Vec<Noted> {
        let mut noted = Vec::new();
        for seen in Seen::all_in(message) {
            match (&seen.method, seen.id) {
                (Some(method), None) if method == "notifications/progress" => {
                    self.progress(seen.params.as_ref(), at);
                }
                (None, Some(id)) if seen.result.is_some() || seen.error.is_some() => {
                    noted.extend(self.answered(&id, seen.result.as_ref(), seen.error.as_ref(), at));
                }
                _ => {}
            }
        }
        noted
    }

    /// One call's answer will not come: its request was hung up on.
    pub(super) fn hung_up(&mut self, id: &str, at: OffsetDateTime) {
        let reason = ErrorInfo::new(ErrorKind::Cancelled, "the client hung up before the answer");
        self.give_up(id, Outcome::Aborted(Some(reason)), at);
    }

    /// One call's answer will not come: the server could not be asked, or answered with something else.
    pub(super) fn failed(&mut self, id: &str, how: &str, at: OffsetDateTime) {
        self.give_up(id, Outcome::Error(ErrorInfo::new(ErrorKind::Network, how)), at);
    }

    /// No more answers will come.
    pub(super) fn closed(mut self, why: &Outcome, at: OffsetDateTime) {
        for waiting in std::mem::take(&mut self.waiting).into_values().flatten() {
            if let Waiting::Call { steps, .. } = waiting {
                end(&steps, Ended::without_outputs(why.clone()), at);
            }
        }
    }

    fn call_begins(&mut self, id: String, params: Option<&Part<'_>>, at: OffsetDateTime) -> Noted {
        let (params, whole_arguments) = params.map(Part::value).unwrap_or_default();
        let tool = params["name"].as_str().unwrap_or_default().to_owned();
        let meta = self.meta(&id, &params["_meta"]);
        let token = params["_meta"].get("progressToken").and_then(|token| id_of(&token.to_string()));
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
        self.wait(id, Waiting::Call { steps, token });
        Noted::Begun(Box::new(Begun { tool, arguments, whole_arguments, meta, at, steps: told }))
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
        note("traceparent", told.get("traceparent").filter(|trace| trace.is_string()).cloned());
        note("upstream", Some(self.about.upstream.as_str().into()));
        note("server", self.server.clone());
        note("transport", Some(self.about.transport.into()));
        Value::Object(meta)
    }

    fn introduce(&mut self, params: Option<&Part<'_>>) {
        let (params, _) = params.map(Part::value).unwrap_or_default();
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
        let queue = self.waiting.get_mut(id)?;
        let waiting = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(id);
        }
        self.count -= usize::from(waiting.is_some());
        if let Some(Waiting::Call { token: Some(token), .. }) = &waiting {
            self.tokens.remove(token);
        }
        waiting
    }

    fn give_up(&mut self, id: &str, outcome: Outcome, at: OffsetDateTime) {
        if let Some(Waiting::Call { steps, .. }) = self.take(id) {
            end(&steps, Ended::without_outputs(outcome), at);
        }
    }

    fn cancelled(&mut self, params: Option<&Part<'_>>, at: OffsetDateTime) {
        let (params, _) = params.map(Part::value).unwrap_or_default();
        let Some(id) = params.get("requestId").and_then(|id| id_of(&id.to_string())) else { return };
        let message = match params["reason"].as_str().filter(|reason| !reason.is_empty()) {
            Some(reason) => format!("the client cancelled it: {reason}"),
            None => "the client cancelled it".to_owned(),
        };
        self.give_up(&id, Outcome::Aborted(Some(ErrorInfo::new(ErrorKind::Cancelled, message))), at);
    }

    fn progress(&mut self, params: Option<&Part<'_>>, at: OffsetDateTime) {
        let (mut params, _) = params.map(Part::value).unwrap_or_default();
        let token = params.get("progressToken").and_then(|token| id_of(&token.to_string()));
        let Some(steps) = token.and_then(|token| self.tokens.get(&token)) else { return };
        if let Some(params) = params.as_object_mut() {
            params.shift_remove("progressToken");
        }
        // The call may have ended on its side already.
        let _ = steps.send(Step::Progress { params, at });
    }

    fn answered(
        &mut self,
        id: &str,
        result: Option<&Part<'_>>,
        error: Option<&Part<'_>>,
        at: OffsetDateTime,
    ) -> Vec<Noted> {
        match self.take(id) {
            Some(Waiting::Call { steps, .. }) => {
                end(&steps, Ended::of_answer(result, error), at);
                Vec::new()
            }
            Some(Waiting::Greeting) => {
                let (result, _) = result.map(Part::value).unwrap_or_default();
                if let Some(server) = result.get("serverInfo") {
                    self.server = Some(named(server));
                }
                if let Some(version) = result.get("protocolVersion").and_then(Value::as_str) {
                    self.protocol = Some(version.to_owned());
                }
                Vec::new()
            }
            Some(Waiting::Listing) => {
                let (result, _) = result.map(Part::value).unwrap_or_default();
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

fn end(steps: &mpsc::UnboundedSender<Step>, ended: Ended, at: OffsetDateTime) {
    // Whoever records the call may have failed to begin with it; that was counted then.
    let _ = steps.send(Step::End { ended, at });
}

/// A program's name and version, without the rest of what it says of itself.
fn named(info: &Value) -> Value {
    json!({"name": info["name"], "version": info["version"]})
}
