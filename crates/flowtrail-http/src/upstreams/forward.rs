//! To a server that is behind an address itself.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderName};
use actix_web::http::{Method, StatusCode};
use flowtrail_mcp::proxy::{Answer, Passing, Tap, Target, WebError};
use futures_util::stream;

use super::sessions::{Place, Session};
use super::{Asked, SERVER_ERROR};

/// What of a client's headers is the server's business, beside those that begin with `mcp-`. The key is not.
const PASSED: &[&str] =
    &["accept", "accept-language", "baggage", "content-type", "last-event-id", "traceparent", "tracestate"];
/// What of a server's headers is the client's business, beside those that begin with `mcp-`.
const ANSWERED: &[HeaderName] =
    &[header::CONTENT_TYPE, header::CACHE_CONTROL, header::ALLOW, header::RETRY_AFTER];

pub(super) async fn handle(asked: Asked<'_>, target: &Target) -> HttpResponse {
    let client = match asked.upstreams.client.get_or_init(flowtrail_mcp::proxy::WebClient::new) {
        Ok(client) => client,
        Err(error) => return asked.refuse(StatusCode::BAD_GATEWAY, SERVER_ERROR, &error.to_string()),
    };
    let is_first = asked.message["method"] == "initialize";
    let tap = tap(&asked, is_first);
    if let Some(body) = &asked.body {
        tap.client_said(body.clone());
    }
    let method = match *asked.request.method() {
        Method::POST => http_method("POST"),
        Method::DELETE => http_method("DELETE"),
        _ => http_method("GET"),
    };
    let headers = passed(&asked);
    match client.send(target, method, headers, asked.body.clone()).await {
        Err(error) => {
            log::warn!("upstream {}: {error}", asked.name);
            tap.server_left(&error.to_string());
            let message = format!("{} cannot be reached: {error}", asked.name);
            asked.refuse(StatusCode::BAD_GATEWAY, SERVER_ERROR, &message)
        }
        Ok(answer) if is_ours_to_explain(&answer) => {
            let status = answer.status();
            let message = format!(
                "{} answered {status}: its address or its headers in [upstreams.{}] are not right",
                asked.name, asked.name
            );
            log::warn!("{message}");
            tap.server_left(&message);
            asked.refuse(StatusCode::BAD_GATEWAY, SERVER_ERROR, &message)
        }
        Ok(answer) => {
            let session = answer.headers().get("mcp-session-id").and_then(|id| id.to_str().ok());
            if let Some(session) = session.filter(|_| is_first) {
                let place = Place::Session(asked.name.to_owned(), session.to_owned());
                asked.upstreams.sessions.add(place, Session::Watched(Arc::clone(&tap)));
            }
            if *asked.request.method() == Method::DELETE
                && answer.status().is_success()
                && let Some(session) = asked.session()
            {
                asked.upstreams.sessions.remove(&Place::Session(asked.name.to_owned(), session.to_owned()));
            }
            respond(answer, tap)
        }
    }
}

/// A redirect, or a key of the server's own that is not good: what the client can do nothing about.
fn is_ours_to_explain(answer: &Answer) -> bool {
    let status = answer.status();
    status.is_redirection() || matches!(status.as_u16(), 401 | 403 | 407)
}

/// Where what passes is seen: the session's place, or one of its own.
fn tap(asked: &Asked<'_>, is_first: bool) -> Arc<Tap> {
    let Some(session) = asked.session().filter(|_| !is_first) else { return Arc::new(asked.tap(None)) };
    let place = Place::Session(asked.name.to_owned(), session.to_owned());
    match asked.upstreams.sessions.lookup(&place) {
        Some(Session::Watched(tap)) => tap,
        // One that began before this process did.
        _ => {
            let tap = Arc::new(asked.tap(Some(session)));
            asked.upstreams.sessions.add(place, Session::Watched(Arc::clone(&tap)));
            tap
        }
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
    headers
}

fn respond(answer: Answer, tap: Arc<Tap>) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = HttpResponse::build(status);
    for (name, value) in answer.headers() {
        let is_answered =
            name.as_str().starts_with("mcp-") || ANSWERED.iter().any(|known| known.as_str() == name.as_str());
        if is_answered {
            response.append_header((name.as_str(), value.as_bytes()));
        }
    }
    let passing = Passing::new(tap, answer.content_type());
    response.streaming(stream::try_unfold((answer, passing), async |(mut answer, mut passing)| {
        let piece = answer.piece().await?;
        Ok::<_, WebError>(piece.map(|piece| {
            passing.piece(&piece);
            (piece, (answer, passing))
        }))
    }))
}
