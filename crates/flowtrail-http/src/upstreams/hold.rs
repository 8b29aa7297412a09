//! To a server that is a process: HTTP ends here.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Bytes;
use flowtrail_mcp::proxy::{AskError, Command, Heard, HeldChild, Outgoing, Tap};
use flowtrail_tracker::Tracker;
use futures_util::stream;
use serde_json::Value;

use super::processes::{self, Full};
use super::sessions::{Place, Session};
use super::{Asked, INVALID_REQUEST, SERVER_ERROR, stateless};
use crate::auth;

/// How long an answer may take before it becomes a stream, so that nobody on the way takes the connection for dead.
const SOON: Duration = Duration::from_secs(1);
/// How often a silent stream shows that it is there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
pub(super) async fn post(asked: Asked<'_>, command: &Command) -> HttpResponse {
    if !asked.message.is_object() {
        let message = "expected one message; batches are of an older revision than this transport speaks";
        return asked.refuse(StatusCode::BAD_REQUEST, INVALID_REQUEST, message);
    }
    let has_version = stateless::is_stateless(&asked);
    match (has_version, asked.session()) {
        (true, None) => alone(asked, command).await,
        (_, None) if asked.message["method"] == "initialize" => begin(asked, command).await,
        (_, None) => {
            let message = "expected the header Mcp-Session-Id, as the answer to initialize has it";
            asked.refuse(StatusCode::BAD_REQUEST, INVALID_REQUEST, message)
        }
        (_, Some(session)) => match held(&asked, session) {
            Some(child) => speak(asked, child, None).await,
            None => no_session(&asked),
        },
    }
}

/// What the server says by itself.
pub(super) fn get(asked: &Asked<'_>) -> HttpResponse {
    match asked.session().and_then(|session| held(asked, session)) {
        Some(child) => events(Source::Heard(child.listen(), child), None),
        None => no_session(asked),
    }
}

/// The end of a session.
pub(super) fn delete(asked: &Asked<'_>) -> HttpResponse {
    let is_theirs = asked
        .session()
        .is_some_and(|session| asked.upstreams.sessions.remove(&asked.place(session), asked.principal.id));
    if is_theirs { HttpResponse::NoContent().finish() } else { no_session(asked) }
}

fn held(asked: &Asked<'_>, session: &str) -> Option<HeldChild> {
    match asked.upstreams.sessions.lookup(&asked.place(session), asked.principal.id) {
        Ok(Some(Session::Held(child))) => Some(child),
        _ => None,
    }
}

fn no_session(asked: &Asked<'_>) -> HttpResponse {
    let message = "there is no such session; begin one with initialize";
    asked.refuse(StatusCode::NOT_FOUND, INVALID_REQUEST, message)
}

/// A session begins: it has a process of its own.
async fn begin(asked: Asked<'_>, command: &Command) -> HttpResponse {
    // As hard to guess as a key; it is none, and is not to be taken for one.
    let id = match Tracker::random_key() {
        Ok(random) => random.trim_start_matches("ft_").to_owned(),
        Err(error) => return not_started(&asked, &error.to_string()),
    };
    let place = match room(&asked) {
        Ok(place) => place,
        Err(refused) => return *refused,
    };
    let tap = asked.tap(Some(&id));
    let _runtime = asked.upstreams.runtime.as_ref().map(tokio::runtime::Handle::enter);
    let child = match HeldChild::of_session(command, tap) {
        Ok(child) => child,
        Err(error) => return not_started(&asked, &error.to_string()),
    };
    occupy(&child, place);
    drop(_runtime);
    // Kept once the client was told of it: one that nobody knows would hold its process for nothing.
    speak(asked, child, Some(id)).await
}

/// A place for another process of the user's.
fn room(asked: &Asked<'_>) -> Result<processes::Place, Box<HttpResponse>> {
    let (processes, user) = (&asked.upstreams.processes, asked.principal.id);
    let full = match processes.take(user) {
        Ok(place) => return Ok(place),
        Err(full) => full,
    };
    if full == Full::User && asked.upstreams.sessions.end_idle(user) {
        return Ok(processes.take_over(user));
    }
    let message = match full {
        Full::User => {
            format!("{} processes of other servers run for you, and all are in use", processes.most())
        }
        Full::All => "as many processes of other servers run as this server may have".to_owned(),
    };
    let mut refused = asked.refuse(
        StatusCode::SERVICE_UNAVAILABLE,
        SERVER_ERROR,
        &format!("busy: {message}; end a session, or try again"),
    );
    refused.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    Err(Box::new(refused))
}

/// The process has its place until it is gone. On a runtime.
fn occupy(child: &HeldChild, place: processes::Place) {
    let gone = child.gone();
    drop(tokio::spawn(async move {
        gone.await;
        drop(place);
    }));
}

/// The session ends with the key that began it.
fn end_with_key(asked: &Asked<'_>, place: Place, child: &HeldChild) {
    let (upstreams, user) = (Arc::clone(asked.upstreams), asked.principal.id);
    let (request, gone) = (asked.request.clone(), child.gone());
    drop(actix_web::rt::spawn(async move {
        tokio::select! {
            () = gone => {}
            () = auth::until_refused(request) => drop(upstreams.sessions.remove(&place, user)),
        }
    }));
}

fn not_started(asked: &Asked<'_>, error: &str) -> HttpResponse {
    log::warn!("upstream {}: {error}", asked.name);
    asked.refuse(StatusCode::BAD_GATEWAY, SERVER_ERROR, &format!("{}: {error}", asked.name))
}

/// A request that stands for itself. The user's requests share a process.
async fn alone(asked: Asked<'_>, command: &Command) -> HttpResponse {
    if let Some(refused) = stateless::refusal(&asked) {
        return refused;
    }
    let place = Place::User(asked.name.to_owned(), asked.principal.id);
    let user = asked.principal.id;
    let child = match asked.upstreams.sessions.lookup(&place, user) {
        Ok(Some(Session::Held(child))) => child,
        _ => {
            let room = match room(&asked) {
                Ok(room) => room,
                Err(refused) => return *refused,
            };
            let runtime = asked.upstreams.runtime.as_ref().map(tokio::runtime::Handle::enter);
            let started = HeldChild::shared(command);
            if let Ok(child) = &started {
                occupy(child, room);
            }
            drop(runtime);
            match started {
                Ok(child) => {
                    end_with_key(&asked, place.clone(), &child);
                    asked.upstreams.sessions.add(place, user, Session::Held(child.clone()));
                    child
                }
                Err(error) => return not_started(&asked, &error.to_string()),
            }
        }
    };
    speak(asked, child, None).await
}

/// Passes a message on, and what comes back for it.
async fn speak(asked: Asked<'_>, child: HeldChild, new_session: Option<String>) -> HttpResponse {
    let Some(body) = asked.body.clone() else { return no_session(&asked) };
    let id = asked.message.get("id").filter(|id| id.is_string() || id.is_number());
    let (Some(id), true) = (id, asked.message["method"].is_string()) else {
        // Ids of requests that stand for themselves are others to the process; hanging up cancels those.
        if asked.session().is_none() && asked.message["method"] == "notifications/cancelled" {
            return HttpResponse::Accepted().finish();
        }
        return if child.tell(body).await { HttpResponse::Accepted().finish() } else { no_session(&asked) };
    };
    // What stands for itself is seen by itself: ids of different clients may be the same.
    let tap = (asked.session().is_none() && new_session.is_none()).then(|| asked.tap(None));
    if let Some(tap) = &tap {
        tap.client_said(body.clone());
    }
    let gone = |why: Option<String>| {
        let why = why.unwrap_or_else(|| "the server has closed its output".to_owned());
        if let Some(tap) = &tap {
            tap.server_left(&why);
        }
        asked.refuse(StatusCode::BAD_GATEWAY, SERVER_ERROR, &format!("{}: {why}", asked.name))
    };
    let mut outgoing = match child.ask(body, &id.to_string()).await {
        Ok(outgoing) => outgoing,
        Err(AskError::Gone) => return gone(Some(child.ended().await)),
        Err(AskError::InFlight) => {
            let message = format!("the id {id} is that of another request, which is not answered yet");
            return asked.refuse(StatusCode::BAD_REQUEST, INVALID_REQUEST, &message);
        }
    };
    let first = tokio::time::timeout(SOON, outgoing.next()).await;
    let first = match first {
        Ok(None) => return gone(outgoing.why_ended()),
        Ok(Some(message)) if is_answer(&message) => {
            if let Some(tap) = &tap {
                tap.server_said(message.clone());
            }
            let is_refused = message_has(&message, "error");
            keep(&asked, &child, new_session.as_deref().filter(|_| !is_refused));
            let is_alone = asked.session().is_none() && new_session.is_none();
            let status = if is_alone { stateless::status_of(&message) } else { StatusCode::OK };
            return with_session(HttpResponse::build(status), new_session.as_deref())
                .content_type("application/json")
                .body(message);
        }
        Ok(Some(message)) => Some(message),
        Err(_) => None,
    };
    keep(&asked, &child, new_session.as_deref());
    events_from(Source::Asked(outgoing, tap, id.clone()), first, new_session.as_deref())
}

/// A session of whose id the client is told now.
fn keep(asked: &Asked<'_>, child: &HeldChild, session: Option<&str>) {
    if let Some(session) = session {
        let (place, user) = (asked.place(session), asked.principal.id);
        end_with_key(asked, place.clone(), child);
        asked.upstreams.sessions.add(place, user, Session::Held(child.clone()));
    }
}

fn is_answer(message: &[u8]) -> bool {
    !message_has(message, "method")
}

/// Whether a message has this member. It need not be readable as a whole.
fn message_has(message: &[u8], member: &str) -> bool {
    let members = serde_json::from_slice::<std::collections::HashMap<String, serde::de::IgnoredAny>>(message);
    members.is_ok_and(|members| members.contains_key(member))
}

fn with_session(
    mut response: actix_web::HttpResponseBuilder,
    session: Option<&str>,
) -> actix_web::HttpResponseBuilder {
    if let Some(session) = session {
        response.insert_header(("mcp-session-id", session));
    }
    response
}

/// Where the messages of a stream come from.
enum Source {
    /// A request, until its answer; with the place where it is seen, if it has one, and its id.
    Asked(Outgoing, Option<Tap>, Value),
    /// What the server says by itself; the process is held as long as somebody listens.
    Heard(Heard, HeldChild),
}

impl Source {
    async fn next(&mut self) -> Option<Bytes> {
        match self {
            Self::Asked(outgoing, tap, id) => match outgoing.next().await {
                Some(message) => {
                    if let Some(tap) = tap {
                        tap.server_said(message.clone());
                    }
                    if is_answer(&message) {
                        *id = Value::Null;
                    }
                    Some(message)
                }
                // Whoever waits for an answer is told why none comes.
                None if !id.is_null() => {
                    let why = outgoing.why_ended()?;
                    if let Some(tap) = tap {
                        tap.server_left(&why);
                    }
                    let error = serde_json::json!({"code": SERVER_ERROR, "message": why});
                    let answer = serde_json::json!({"jsonrpc": "2.0", "id": id.take(), "error": error});
                    Some(answer.to_string().into())
                }
                None => None,
            },
            Self::Heard(messages, child) => {
                tokio::select! {
                    biased;
                    message = messages.next() => message,
                    _ = child.ended() => None,
                }
            }
        }
    }
}

fn events(source: Source, first: Option<Bytes>) -> HttpResponse {
    events_from(source, first, None)
}

fn events_from(source: Source, first: Option<Bytes>, session: Option<&str>) -> HttpResponse {
    if let (Source::Asked(_, Some(tap), _), Some(first)) = (&source, &first) {
        tap.server_said(first.clone());
    }
    let begun = first.map(|message| event(&message));
    let body = stream::unfold((begun, source), async |(begun, mut source)| {
        if let Some(begun) = begun {
            return Some((Ok::<_, std::convert::Infallible>(begun), (None, source)));
        }
        match tokio::time::timeout(SIGN_OF_LIFE, source.next()).await {
            Ok(Some(message)) => Some((Ok(event(&message)), (None, source))),
            Ok(None) => None,
            Err(_) => Some((Ok(Bytes::from_static(b":\n\n")), (None, source))),
        }
    });
    with_session(HttpResponse::Ok(), session)
        .content_type("text/event-stream")
        .insert_header(("cache-control", "no-store"))
        .streaming(Box::pin(body))
}

/// A message as an event. It is one line.
fn event(message: &[u8]) -> Bytes {
    [b"event: message\ndata: ", message.trim_ascii(), b"\n\n"].concat().into()
}
