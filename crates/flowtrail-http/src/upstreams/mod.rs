//! Other MCP servers behind `/mcp/{upstream}`: a client that speaks to this address speaks to the server, and every call
//! of a tool that passes is recorded.
//!
//! * `envelope`: what decides about a message says the same to every reader.
//! * `forward`: to a server that is behind an address itself. Requests and answers pass as they are.
//! * `hold`: to a server that is a process. Here HTTP ends: sessions, streams and hanging up are made of what the protocol
//!   says of them (2025-11-25 and 2026-07-28, "Streamable HTTP").

mod envelope;
mod forward;
mod hold;
mod processes;
mod sessions;
mod stateless;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::dev::HttpServiceFactory;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Bytes};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};
use flowtrail_mcp::proxy::{About, Journal, Reach, Tap, Upstream, WebClient, WebError};
use flowtrail_runner::TraceContext;
use flowtrail_tracker::{Tracker, UpstreamTool};
use flowtrail_types::Principal;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::mcp::{Message, Posted, pass_upstream, trace_of};
use crate::{ApiError, App, ErrorCode};

use processes::Processes;
use sessions::{Place, Sessions};

/// The servers, and what is going on with them.
#[derive(Debug)]
pub(crate) struct Upstreams {
    by_name: BTreeMap<String, Reach>,
    tracker: Tracker,
    /// For how long a call may wait for an answer to what it asks.
    input_timeout: Duration,
    /// There when the first client comes.
    journal: OnceLock<Journal>,
    client: OnceLock<Result<WebClient, WebError>>,
    sessions: Sessions,
    processes: Processes,
    /// Fires when the server ends; there once somebody looks after the sessions.
    sweeping: OnceLock<CancellationToken>,
    /// On which processes are looked after: that of a worker would end with it.
    runtime: Option<Handle>,
}

impl Upstreams {
    pub(crate) fn new(
        upstreams: Vec<Upstream>,
        tracker: Tracker,
        input_timeout: Duration,
        max_processes: usize,
        runtime: Option<Handle>,
    ) -> Self {
        let by_name = upstreams.into_iter().map(|upstream| (upstream.name, upstream.reach)).collect();
        let sessions = Sessions::default();
        Self {
            by_name,
            tracker,
            input_timeout,
            journal: OnceLock::new(),
            client: OnceLock::new(),
            sessions,
            processes: Processes::new(max_processes),
            sweeping: OnceLock::new(),
            runtime,
        }
    }

    /// Whether there is a server of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// How many calls have passed without being recorded.
    pub(crate) fn gaps(&self) -> u64 {
        self.journal.get().map_or(0, Journal::gaps)
    }

    /// Ends all sessions with their processes, and writes what has passed. Blocks.
    pub(crate) fn close(&self) {
        if let Some(sweeping) = self.sweeping.get() {
            sweeping.cancel();
        }
        let gone = self.sessions.clear();
        if let Some(runtime) = &self.runtime {
            // What they have said last is recorded, too; and none of their processes outlives this one.
            let _ = runtime.block_on(async { tokio::time::timeout(LAST_WORDS, gone).await });
        }
        if let Some(journal) = self.journal.get() {
            journal.close();
        }
    }

    /// Has sessions end that nobody comes back to, from now on.
    fn look_after_sessions(self: &Arc<Self>) {
        const EVERY: Duration = Duration::from_secs(60);
        self.sweeping.get_or_init(|| {
            let over = CancellationToken::new();
            let (upstreams, stop) = (Arc::downgrade(self), over.clone());
            let sweep = async move {
                loop {
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(EVERY) => {}
                    }
                    let Some(upstreams) = upstreams.upgrade() else { return };
                    upstreams.sessions.sweep();
                }
            };
            match &self.runtime {
                Some(runtime) => drop(runtime.spawn(sweep)),
                None => drop(tokio::spawn(sweep)),
            }
            over
        });
    }

    fn tap(&self, upstream: &str, principal: &Principal, session: Option<&str>, trace: TraceContext) -> Tap {
        let journal = self.journal.get_or_init(|| Journal::over(self.tracker.clone(), self.input_timeout));
        journal.connection(About {
            upstream: upstream.to_owned(),
            principal: Some(principal.clone()),
            transport: "http",
            session: session.map(str::to_owned),
            public: true,
            trace,
        })
    }

    /// The refusal of a message that calls a tool which its sender may not call.
    fn refusal(&self, principal: &Principal, upstream: &str, message: &Value) -> Option<HttpResponse> {
        let messages = message.as_array().map_or(std::slice::from_ref(message), Vec::as_slice);
        for message in messages.iter().filter(|message| message["method"] == "tools/call") {
            let Some(tool) = message["params"]["name"].as_str() else { continue };
            let wanted = UpstreamTool { upstream, tool, description: None, public: true };
            if let Err(error) = self.tracker.may_call_upstream(principal, wanted) {
                let text = format!("{upstream}.{tool}: {error}");
                return Some(json_rpc_error(StatusCode::OK, &message["id"], INVALID_PARAMS, &text));
            }
        }
        None
    }
}

/// How long the servers' processes may take to end, which are asked twice and then stopped.
const LAST_WORDS: Duration = Duration::from_secs(5);

const INVALID_REQUEST: i32 = -32_600;
const INVALID_PARAMS: i32 = -32_602;
/// Where the protocol leaves it to the implementation.
const SERVER_ERROR: i32 = -32_000;

/// The addresses.
pub(crate) fn scope() -> impl HttpServiceFactory {
    web::resource("/mcp/{upstream}").wrap(from_fn(pass_upstream)).to(handle)
}

async fn handle(request: HttpRequest, app: web::Data<App>, name: web::Path<String>) -> HttpResponse {
    let upstreams = app.upstreams();
    let Some((name, reach)) = upstreams.by_name.get_key_value(name.as_str()) else {
        let message =
            format!("there is no upstream {:?}; [upstreams.NAME] in flowtrail.toml makes one", *name);
        return ApiError::new(ErrorCode::NotFound, message).error_response();
    };
    let (principal, posted, message) = {
        let mut extensions = request.extensions_mut();
        let posted = extensions.get::<Posted>().map(|posted| posted.0.clone());
        let message = extensions.remove::<Message>().map(|message| message.0).unwrap_or_default();
        (extensions.get::<Principal>().cloned(), posted, message)
    };
    let Some(principal) = principal else {
        return ApiError::internal("an upstream without a principal").error_response();
    };
    if principal.is_reader() {
        let message = "the token of a page only reads, and may not speak to other servers";
        return ApiError::new(ErrorCode::Forbidden, message).error_response();
    }
    if let Some(body) = &posted
        && let Err(unclear) = envelope::check(body)
    {
        return json_rpc_error(
            StatusCode::BAD_REQUEST,
            &message["id"],
            INVALID_REQUEST,
            &unclear.to_string(),
        );
    }
    upstreams.look_after_sessions();
    if let Some(refused) = upstreams.refusal(&principal, name, &message) {
        return refused;
    }
    let asked = Asked { request: &request, upstreams, name, principal: &principal, body: posted, message };
    match (reach, request.method()) {
        (Reach::Url(target), &Method::POST | &Method::GET | &Method::DELETE) => {
            forward::handle(asked, target).await
        }
        (Reach::Command(command), &Method::POST) => hold::post(asked, command).await,
        (Reach::Command(_), &Method::GET) => hold::get(&asked),
        (Reach::Command(_), &Method::DELETE) => hold::delete(&asked),
        _ => {
            let message = "this address takes POST, GET, DELETE and no other method";
            let mut refused = ApiError::new(ErrorCode::MethodNotAllowed, message).error_response();
            let allowed = actix_web::http::header::HeaderValue::from_static("POST, GET, DELETE");
            refused.headers_mut().insert(actix_web::http::header::ALLOW, allowed);
            refused
        }
    }
}

/// One request to a server, with what is known of it.
struct Asked<'r> {
    request: &'r HttpRequest,
    upstreams: &'r Arc<Upstreams>,
    name: &'r str,
    principal: &'r Principal,
    body: Option<Bytes>,
    /// The body as JSON; null when there is none.
    message: Value,
}

impl Asked<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.request.headers().get(name).and_then(|value| value.to_str().ok())
    }

    fn session(&self) -> Option<&str> {
        self.header("mcp-session-id")
    }

    /// The session that the request names.
    fn place(&self, session: &str) -> Place {
        Place::Session(self.name.to_owned(), session.to_owned())
    }

    /// The request's id as JSON writes it; none when it has none.
    fn id(&self) -> Option<String> {
        self.message.get("id").filter(|id| id.is_string() || id.is_number()).map(Value::to_string)
    }

    fn tap(&self, session: Option<&str>) -> Tap {
        // Of a session the headers of its requests differ.
        let trace = match session {
            Some(_) => TraceContext::default(),
            None => trace_of(self.request.headers()),
        };
        self.upstreams.tap(self.name, self.principal, session, trace)
    }

    /// A refusal in the words of the protocol.
    fn refuse(&self, status: StatusCode, code: i32, message: &str) -> HttpResponse {
        json_rpc_error(status, &self.message["id"], code, message)
    }
}

fn json_rpc_error(status: StatusCode, id: &Value, code: i32, message: &str) -> HttpResponse {
    HttpResponse::build(status)
        .json(json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}))
}
