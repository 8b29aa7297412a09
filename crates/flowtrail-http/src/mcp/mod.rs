//! MCP at `/mcp`: the service that `flowtrail-mcp` builds, behind the same keys as everything else.
//!
//! Before the SDK sees a request, it has been checked here: its host and origin (DNS rebinding), its key, the
//! session that it names, the size of its body, and that the body is JSON, which the SDK answers in no form
//! that a client could read.

mod headers;
mod sessions;

use std::borrow::Cow;
use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{HttpServiceFactory, Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::http::{Method, StatusCode, Uri};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Bytes};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};
use flowtrail_mcp::{FlowServer, PlainCall, malformed, read_for_sdk};
use flowtrail_types::{Json, Principal, read_json};
use rmcp_actix_web::transport::{Extensions, LocalSessionManager, StreamableHttpService};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub(crate) use headers::trace_of;
use headers::{accepts_all, call_headers, header_text, is_json};
use sessions::{InUse, Opening, SessionLimits, Sessions};

use crate::app::AppOptions;
use crate::blocking::blocking;
use crate::incoming::Incoming;
use crate::memory::Holder;
use crate::{ApiError, App, Caller, ErrorCode, auth, body, protected};

const SESSION_HEADER: &str = "mcp-session-id";

/// The MCP service.
pub(crate) type McpService = StreamableHttpService<FlowServer, LocalSessionManager>;

/// Builds the service with the checks before it. `hang_up` ends every stream that is open.
pub(crate) fn service(
    server: FlowServer,
    options: &AppOptions,
    hang_up: CancellationToken,
) -> (McpService, Doors) {
    let mut manager = LocalSessionManager::default();
    // The doors end sessions.
    manager.session_config.keep_alive = None;
    let manager = Arc::new(manager);
    let doors = Doors::new(options, Arc::clone(&manager));
    let service = StreamableHttpService::builder()
        .service_factory(Arc::new(move || Ok(server.clone())))
        .session_manager(manager)
        // An answer before which nothing was told needs no stream.
        .json_response(true)
        .max_request_body_bytes(options.max_body)
        .allowed_hosts(options.allowed_hosts.clone())
        .cancellation_token(hang_up)
        .on_request_fn(|request: &actix_web::HttpRequest, extensions: &mut Extensions| {
            if let Some(principal) = request.extensions().get::<Principal>() {
                extensions.insert(principal.clone());
            }
        })
        .build();
    (service, doors)
}

/// The service at its address, with its doors.
pub(crate) fn scope(service: McpService) -> impl HttpServiceFactory {
    web::scope("/mcp").wrap(from_fn(pass)).service(service.scope())
}

/// Who is let in, and to which sessions.
#[derive(Debug)]
pub(crate) struct Doors {
    hosts: Vec<String>,
    origins: Vec<String>,
    sessions: Arc<Sessions>,
    in_flight: Arc<Mutex<HashSet<(String, String)>>>,
}

impl Doors {
    fn new(options: &AppOptions, manager: Arc<LocalSessionManager>) -> Self {
        let limits = SessionLimits::with_idle(options.mcp_session_idle);
        Self {
            hosts: options.allowed_hosts.clone(),
            origins: options.allowed_origins.clone(),
            sessions: Sessions::new(limits, manager, options.runtime.clone()),
            in_flight: Arc::default(),
        }
    }

    /// Number of sessions that the SDK holds; none while it changes.
    pub(crate) fn sessions(&self) -> Option<usize> {
        self.sessions.held()
    }

    /// The host name by which this server was asked, if it answers to it.
    pub(crate) fn check_name<'a>(&self, request: &'a HttpRequest) -> Result<&'a str, ApiError> {
        let refused = |message: &str| Err(ApiError::new(ErrorCode::Forbidden, message));
        let header = request.headers().get(header::HOST).map(|value| value.to_str().unwrap_or("?"));
        let host = header.or(request.uri().authority().map(|authority| authority.as_str()));
        let Some(host) = host else { return refused("the request names no host") };
        if self.hosts.iter().any(|allowed| is_host(allowed, host)) {
            return Ok(host);
        }
        refused("this host name is not allowed; FLOWTRAIL_ALLOWED_HOSTS lists those that are")
    }

    fn check_host(&self, request: &HttpRequest) -> Result<(), ApiError> {
        let refused = |message: &str| Err(ApiError::new(ErrorCode::Forbidden, message));
        let host = self.check_name(request)?;
        let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
        let Some(origin) = header(header::ORIGIN) else { return Ok(()) };
        // A page that this very server has served may call it.
        let is_own = origin.parse::<Uri>().is_ok_and(|uri| {
            uri.scheme().is_some() && uri.authority().is_some_and(|authority| authority.as_str() == host)
        });
        if is_own || self.origins.iter().any(|allowed| allowed.trim_end_matches('/') == origin) {
            Ok(())
        } else {
            refused("this origin is not allowed; FLOWTRAIL_ALLOWED_ORIGINS lists those that are")
        }
    }
}

/// A request of a session that has not been answered, by the session and the request's id.
struct InFlight {
    all: Arc<Mutex<HashSet<(String, String)>>>,
    key: (String, String),
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// Notes that a request of a session is under way, unless one with its id is: of the two answers nobody could tell which is whose.
fn in_flight(
    request: &ServiceRequest,
    rules: Rules,
    doors: &Doors,
    message: &Value,
) -> Result<Option<InFlight>, Box<HttpResponse>> {
    let session = header_text(request.headers().get(SESSION_HEADER)).filter(|_| rules.is_own);
    let id = message.get("id").filter(|_| message["method"].is_string());
    let (Some(session), Some(id)) = (session, id) else { return Ok(None) };
    let key = (session.to_owned(), id.to_string());
    let all = Arc::clone(&doors.in_flight);
    if !all.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone()) {
        let text = "Invalid Request: a request with this `id` has not been answered yet in this session";
        return Err(Box::new(json_rpc_error(-32600, id, text)));
    }
    Ok(Some(InFlight { all, key }))
}

/// Whether a `Host` header is the allowed name: on any port when the name has none.
fn is_host(allowed: &str, host: &str) -> bool {
    let (name, port) = split_port(host);
    let (allowed_name, allowed_port) = split_port(allowed);
    let bare = |name: &str| name.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    bare(name) == bare(allowed_name) && (allowed_port.is_none() || allowed_port == port)
}

fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        // An IPv6 address without brackets has no port.
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    }
}

/// What was posted, as it came, but unpacked.
#[derive(Debug, Clone)]
pub(crate) struct Posted(pub(crate) Bytes);

/// The same as it was read; null when nothing was posted.
#[derive(Debug)]
pub(crate) struct Message(pub(crate) Value);

/// The doors in their order, before Flowtrail's own service.
async fn pass(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    // What is nested too deeply for the SDK is refused here, too.
    let rules = Rules { read: read_for_sdk, why_not: malformed, is_own: true };
    pass_if(rules, request, next).await
}

/// A message, and the bytes from which whoever is asked reads it.
type Readable<'b> = (Json, Cow<'b, [u8]>);

/// What is asked of a request before it is let in.
#[derive(Debug, Clone, Copy)]
struct Rules {
    /// Reads a body, and returns it with the bytes that are passed on.
    read: fn(&[u8]) -> serde_json::Result<Readable<'_>>,
    /// Why a body is not taken; nothing when it is.
    why_not: fn(&Value) -> Option<&'static str>,
    /// Whether this is Flowtrail's own service: then the doors know whose sessions are whose.
    is_own: bool,
}

/// Reads a message that is passed on to another server, byte by byte as it came.
fn read_untouched(body: &[u8]) -> serde_json::Result<Readable<'_>> {
    read_json(body).map(|message| (message, Cow::Borrowed(body)))
}

/// The same before another server, which decides itself what it takes, and whose sessions are looked after elsewhere.
pub(crate) async fn pass_upstream(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let rules = Rules { read: read_untouched, why_not: |_| None, is_own: false };
    pass_if(rules, request, next).await
}

async fn pass_if(
    rules: Rules,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    match admit(&mut request, rules).await {
        Ok(Admitted { doors, principal, message, in_use }) => {
            if rules.is_own
                && let Some(answer) = answered(&request, &principal, &message).await
            {
                return Ok(request.into_response(answer));
            }
            let id = message.value.get("id").cloned().unwrap_or_default();
            let in_flight = match in_flight(&request, rules, &doors, &message.value) {
                Ok(in_flight) => in_flight,
                Err(refusal) => return Ok(request.into_response(*refusal)),
            };
            let opening = rules.is_own && in_use.is_none() && message.value["method"] == "initialize";
            if rules.is_own {
                // It may take many times the memory of what it was read from, and the answer may take its time.
                drop(message);
            } else {
                request.extensions_mut().insert(Message(message.value));
            }
            let is_json = is_json(request.headers());
            let ended = ended_session(&request).filter(|_| in_use.is_some());
            let opening = match opening.then(|| doors.sessions.reserve(&principal)).transpose() {
                Ok(opening) => opening,
                Err(refusal) => return Ok(request.into_response(refusal.error_response())),
            };
            let response = match opening {
                None => next.call(request).await?,
                Some(opening) => open(opening, next.call(request)).await?,
            };
            if let Some(ended) = ended.filter(|_| response.status().is_success()) {
                doors.sessions.remove(&ended);
            }
            if rules.is_own && is_json && response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
                // What the SDK says of a message that it cannot read, in the words of no protocol.
                let text = "Invalid Request: this is no message of MCP; check the types of `params`";
                let refusal = json_rpc_error(-32600, &id, text);
                return Ok(response.into_response(refusal));
            }
            let kind = header_text(response.headers().get(header::CONTENT_TYPE)).unwrap_or_default();
            if !kind.starts_with("text/event-stream") {
                return Ok(response.map_into_boxed_body());
            }
            // A stream ends with the key by which it was opened.
            let asked = response.request().clone();
            Ok(response
                .map_body(|_, body| AsLongAs::new(body, asked, (in_flight, in_use)))
                .map_into_boxed_body())
        }
        Err(refusal) => Ok(request.into_response(refusal).map_into_boxed_body()),
    }
}

/// Has the SDK open a session. A client that hangs up meanwhile does not cancel this: the SDK would keep a session that is in
/// no table, and that nobody ends.
async fn open<B: 'static>(
    opening: Opening,
    answering: impl Future<Output = Result<ServiceResponse<B>, actix_web::Error>> + 'static,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let opened = actix_web::rt::spawn(async move {
        let response = answering.await?;
        if let Some(session) = header_text(response.headers().get(SESSION_HEADER)) {
            opening.opened(session);
        }
        Ok(response)
    });
    opened.await.map_err(|error| actix_web::Error::from(ApiError::internal(error)))?
}

/// Guards of a request: its id in the session, and its use of the session.
type Guards = (Option<InFlight>, Option<InUse>);

/// A body that ends when whoever asked for it may not ask any more.
struct AsLongAs<B> {
    body: Pin<Box<B>>,
    until: Pin<Box<dyn Future<Output = ()>>>,
    /// The request is answered, and its session no longer in use, when it ends.
    _guards: Guards,
}

impl<B> AsLongAs<B> {
    fn new(body: B, request: HttpRequest, guards: Guards) -> Self {
        let app = request.app_data::<web::Data<App>>().cloned();
        let until = async move {
            // A server that stops does not wait for those who listen.
            let hang_up = app.map(|app| app.hang_up().clone()).unwrap_or_default();
            tokio::select! {
                () = auth::until_refused(request) => {}
                () = hang_up.cancelled() => {}
            }
        };
        Self { body: Box::pin(body), until: Box::pin(until), _guards: guards }
    }
}

impl<B: MessageBody> MessageBody for AsLongAs<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        match this.until.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => this.body.as_mut().poll_next(context),
        }
    }
}

/// The answer to a call that needs no more than that.
async fn answered(request: &ServiceRequest, principal: &Principal, message: &Json) -> Option<HttpResponse> {
    let app = request.app_data::<web::Data<App>>()?;
    // Below it there is nothing.
    (request.path().trim_end_matches('/') == "/mcp").then_some(())?;
    let call = PlainCall::of(&call_headers(request.headers())?, &trace_of(request.headers()), message)?;
    let answer = app.flow_server().answer(&call, principal, app.hang_up()).await?;
    Some(HttpResponse::Ok().content_type("application/json").body(answer))
}

/// The session that a request asks to end.
fn ended_session(request: &ServiceRequest) -> Option<String> {
    let session = header_text(request.headers().get(SESSION_HEADER))?;
    (request.method() == Method::DELETE).then(|| session.to_owned())
}

/// A request that was let in.
struct Admitted {
    doors: web::Data<Doors>,
    principal: Principal,
    /// What was posted; null when nothing was.
    message: Json,
    /// The session of which it is.
    in_use: Option<InUse>,
}

async fn admit(request: &mut ServiceRequest, rules: Rules) -> Result<Admitted, HttpResponse> {
    let refuse = |error: ApiError| error.error_response();
    let missing = || refuse(ApiError::internal("MCP without an application"));
    let doors = request.app_data::<web::Data<Doors>>().cloned().ok_or_else(missing)?;
    let app = request.app_data::<web::Data<App>>().cloned().ok_or_else(missing)?;
    doors.check_host(request.request()).map_err(refuse)?;
    if rules.is_own && accepts_all(request.headers()) {
        // The SDK knows no wildcards.
        let kinds = header::HeaderValue::from_static("application/json, text/event-stream");
        request.headers_mut().insert(header::ACCEPT, kinds);
    }
    let Caller(principal) = request.extract::<Caller>().await.map_err(|error| {
        let mut refused = error.error_response();
        if refused.status() == StatusCode::UNAUTHORIZED {
            protected::challenge(request.request(), &doors, &mut refused);
        }
        refused
    })?;
    let session = header_text(request.headers().get(SESSION_HEADER)).filter(|_| rules.is_own);
    let in_use =
        session.map(|session| doors.sessions.enter(session, &principal)).transpose().map_err(refuse)?;
    let mut message = Json::default();
    if request.method() == Method::POST {
        let payload = request.take_payload();
        let incoming = Incoming::new(request.request(), payload).map_err(refuse)?;
        let reserved = app.memory().reservation(Holder::from(&principal));
        let (bytes, reserved) = body::read(incoming, app.max_body(), reserved).await.map_err(refuse)?;
        // Given back when the request has been answered.
        request.extensions_mut().insert(reserved);
        let is_short = bytes.len() <= body::SHORT;
        // What was packed is passed on unpacked.
        request.headers_mut().remove(header::CONTENT_ENCODING);
        let read = move || -> Result<_, ApiError> {
            let read = (rules.read)(&bytes).map(|(message, passed_on)| {
                let rewritten = match passed_on {
                    Cow::Borrowed(_) => None,
                    Cow::Owned(rewritten) => Some(Bytes::from(rewritten)),
                };
                (message, rewritten.unwrap_or_else(|| bytes.clone()))
            });
            Ok(read)
        };
        let read = if is_short { read() } else { blocking(read).await };
        let (read, bytes) = read
            .map_err(refuse)?
            .map_err(|error| json_rpc_error(-32700, &Value::Null, &format!("Parse error: {error}")))?;
        message = read;
        if let Some(reason) = (rules.why_not)(&message.value) {
            return Err(json_rpc_error(-32600, &Value::Null, &format!("Invalid Request: {reason}")));
        }
        request.extensions_mut().insert(Posted(bytes.clone()));
        request.set_payload(payload_of(bytes));
    }
    request.extensions_mut().insert(principal.clone());
    Ok(Admitted { doors, principal, message, in_use })
}

/// A body that is no message that is taken, answered as JSON-RPC 2.0 (section 5.1) wants.
fn json_rpc_error(code: i32, id: &Value, message: &str) -> HttpResponse {
    HttpResponse::build(StatusCode::BAD_REQUEST).json(serde_json::json!({
        "jsonrpc": "2.0",
        "id": id,
        "error": {"code": code, "message": message},
    }))
}

/// A body that has been read, to be read again.
fn payload_of(bytes: Bytes) -> Payload {
    Payload::Stream { payload: Box::pin(futures_util::stream::once(async move { Ok(bytes) })) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_allowed_by_name_and_if_told_by_port() {
        assert!(is_host("localhost", "LOCALHOST:8080"));
        assert!(is_host("::1", "[::1]:8080"));
        assert!(is_host("::1", "::1"));
        assert!(is_host("flows.example:443", "flows.example:443"));
        assert!(!is_host("flows.example:443", "flows.example:80"));
        assert!(!is_host("localhost", "localhost.evil.example"));
        assert!(!is_host("127.0.0.1", "evil.example:127.0.0.1"));
    }
}
