//! To a server that is behind an address itself.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderName};
use actix_web::http::{Method, StatusCode};
use flowtrail_mcp::proxy::{Answer, Failed, Passing, Tap, Target, WebError, beginning};
use futures_util::stream;

use super::sessions::{NotTheirs, Session};
use super::{Asked, INVALID_REQUEST, SERVER_ERROR};

/// What of a client's headers is the server's business, beside those that begin with `mcp-`. The key is not.
const PASSED: &[&str] =
    &["accept", "accept-language", "baggage", "last-event-id", "traceparent", "tracestate"];
/// What of a server's headers is the client's business, beside those that begin with `mcp-`.
const ANSWERED: &[HeaderName] =
    &[header::CONTENT_TYPE, header::CACHE_CONTROL, header::ALLOW, header::RETRY_AFTER];

/// How much is read of an answer that is explained here.
const MOST_EXPLAINED: usize = 64 << 10;

pub(super) async fn handle(asked: Asked<'_>, target: &Target) -> HttpResponse {
    let client = match asked.upstreams.client.get_or_init(flowtrail_mcp::proxy::WebClient::new) {
        Ok(client) => client,
        Err(error) => return asked.refuse(StatusCode::BAD_GATEWAY, SERVER_ERROR, &error.to_string()),
    };
    let is_first = asked.message["method"] == "initialize";
    let (tap, is_known) = match tap(&asked, is_first) {
        Ok(found) => found,
        Err(NotTheirs) => {
            return asked.refuse(StatusCode::NOT_FOUND, INVALID_REQUEST, "there is no such session");
        }
    };
    if let Some(body) = &asked.body {
        tap.client_said(body.clone());
    }
    let id = asked.id();
    // Others of the same session go on.
    let failed = |message: &str, answer: Option<(u16, String)>| {
        if let Some(id) = &id {
            tap.failed(id, Failed { message: message.to_owned(), answer });
        }
    };
    let method = match *asked.request.method() {
        Method::POST => http_method("POST"),
        Method::DELETE => http_method("DELETE"),
        _ => http_method("GET"),
    };
    let headers = passed(&asked);
    match client.send(target, method, headers, asked.body.clone()).await {
        Err(error) => {
            log::warn!("upstream {}: {error}", asked.name);
            failed(&error.to_string(), None);
            let what = if error.was_reached() { "gave no answer" } else { "cannot be reached" };
            let message = format!("{} {what}: {error}", asked.name);
            asked.refuse(StatusCode::BAD_GATEWAY, SERVER_ERROR, &message)
        }
        Ok(answer) if is_ours_to_explain(&answer) => {
            let (name, status) = (asked.name, answer.status());
            let leads = answer.redirects_to().map(|to| format!(" (a redirect to {to})")).unwrap_or_default();
            let message = format!(
                "{name} answered {status}{leads}: its address or its headers in [upstreams.{name}] are not right"
            );
            log::warn!("{message}");
            let text = beginning(&answer.whole(MOST_EXPLAINED).await.unwrap_or_default());
            failed(&format!("the server answered {status}{leads}: {text}"), Some((status.as_u16(), text)));
            asked.refuse(StatusCode::BAD_GATEWAY, SERVER_ERROR, &message)
        }
        Ok(answer) => {
            let begun = answer.headers().get("mcp-session-id").and_then(|id| id.to_str().ok());
            let session = if is_first { begun } else { asked.session().filter(|_| !is_known) };
            // One that the server does not know is none.
            if let Some(session) = session.filter(|_| answer.status().is_success()) {
                if is_first {
                    tap.named(session);
                }
                let (place, user) = (asked.place(session), asked.principal.id);
                asked.upstreams.sessions.add(place, user, Session::Watched(Arc::clone(&tap)));
            }
            if *asked.request.method() == Method::DELETE
                && answer.status().is_success()
                && let Some(session) = asked.session()
            {
                asked.upstreams.sessions.remove(&asked.place(session), asked.principal.id);
            }
            respond(answer, tap, id)
        }
    }
}

/// A redirect, or a key of the server's own that is not good: what the client can do nothing about.
fn is_ours_to_explain(answer: &Answer) -> bool {
    let status = answer.status();
    status.is_redirection() || matches!(status.as_u16(), 401 | 403 | 407)
}

/// Where what passes is seen: the session's place, or one of its own; and whether the session was known.
fn tap(asked: &Asked<'_>, is_first: bool) -> Result<(Arc<Tap>, bool), NotTheirs> {
    let Some(session) = asked.session().filter(|_| !is_first) else {
        return Ok((Arc::new(asked.tap(None)), false));
    };
    match asked.upstreams.sessions.lookup(&asked.place(session), asked.principal.id)? {
        Some(Session::Watched(tap)) => Ok((tap, true)),
        // One that began before this process did.
        _ => Ok((Arc::new(asked.tap(Some(session))), false)),
    }
}

fn http_method(name: &str) -> flowtrail_mcp::proxy::Method {
    name.parse().unwrap_or_default()
}

fn passed(asked: &Asked<'_>) -> flowtrail_mcp::proxy::HeaderMap {
    let mut headers = flowtrail_mcp::proxy::HeaderMap::new();
    for (name, value) in asked.request.headers() {
        let is_passed = name.as_str().starts_with("mcp-") || PASSED.contains(&name.as_str());
        if is_passed
            && let Ok(name) = name.as_str().parse::<flowtrail_mcp::proxy::HeaderName>()
            && let Ok(value) = flowtrail_mcp::proxy::HeaderValue::from_bytes(value.as_bytes())
        {
            headers.append(name, value);
        }
    }
    if asked.body.is_some() {
        // As it was read here. With another character set, or as a form, it could say something else to the server.
        let json = flowtrail_mcp::proxy::HeaderValue::from_static("application/json");
        headers.insert(flowtrail_mcp::proxy::HeaderName::from_static("content-type"), json);
    }
    headers
}

fn respond(answer: Answer, tap: Arc<Tap>, id: Option<String>) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = HttpResponse::build(status);
    for (name, value) in answer.headers() {
        let is_answered =
            name.as_str().starts_with("mcp-") || ANSWERED.iter().any(|known| known.as_str() == name.as_str());
        if is_answered {
            response.append_header((name.as_str(), value.as_bytes()));
        }
    }
    let passing = Passing::new(tap, status.as_u16(), answer.content_type(), id);
    response.streaming(stream::try_unfold((answer, passing), async |(mut answer, mut passing)| {
        let piece = match answer.piece().await {
            Ok(Some(piece)) => piece,
            over => {
                passing.end(over.as_ref().err());
                return over.map(|_| None);
            }
        };
        passing.piece(&piece);
        Ok::<_, WebError>(Some((piece, (answer, passing))))
    }))
}
