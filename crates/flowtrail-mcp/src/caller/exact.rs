//! Reading what other servers answer as they wrote it, where the SDK would change or refuse it: see [`result_for_sdk`].

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_client::{
    HttpStatusError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
};
use sse_stream::{Error as SseError, Sse};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWriteExt};
use tokio_util::task::AbortOnDropHandle;

use crate::as_sent::result_for_sdk;
use crate::proxy::{SESSION, SseReader};
use crate::stdio::{MAX_LINE, read_line};

/// The most bytes of an answer that is no success.
const MAX_REFUSAL: usize = 64 << 10;
/// The most bytes of any other answer, and of an event of a stream: as of a line of standard output.
const MAX_ANSWER: usize = MAX_LINE;

/// How long the body of an answer that is no success may take.
const REFUSED_WITHIN: Duration = Duration::from_secs(5);

/// The standard output of a server, as the SDK can read it, and the task that reads it: dropped, it ends.
pub(super) fn lines_for_sdk(
    mut output: impl AsyncBufRead + Send + Unpin + 'static,
) -> (impl AsyncRead, AbortOnDropHandle<()>) {
    let (mut to_sdk, sdk_reads) = tokio::io::duplex(64 << 10);
    let reading = tokio::spawn(async move {
        let mut line = Vec::new();
        loop {
            line.clear();
            match read_line(&mut output, &mut line).await {
                Ok(0) => return,
                Ok(length) if length > MAX_LINE => {
                    log::warn!("a server wrote a line of {length} bytes, which is passed over");
                    continue;
                }
                Ok(_) => {}
                Err(error) => {
                    log::debug!("a server's output cannot be read: {error}");
                    return;
                }
            }
            let mut message = result_for_sdk(&line);
            if !message.ends_with(b"\n") {
                message.to_mut().push(b'\n');
            }
            if to_sdk.write_all(&message).await.is_err() {
                return;
            }
        }
    });
    (sdk_reads, AbortOnDropHandle::new(reading))
}

/// The SDK's client, but for the answers that have a tool's result.
#[derive(Debug, Clone)]
pub(super) struct ExactClient(pub(super) reqwest::Client);

type HttpError = StreamableHttpError<reqwest::Error>;
type SseStream = BoxStream<'static, Result<Sse, SseError>>;

impl StreamableHttpClient for ExactClient {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, HttpError> {
        if asks_for_result(&message) {
            return self.ask(&uri, &message, session_id.as_deref(), auth_header, custom_headers).await;
        }
        let answered = self.0.post_message(uri, message, session_id, auth_header, custom_headers).await?;
        Ok(match answered {
            StreamableHttpPostResponse::Sse(events, session) => {
                StreamableHttpPostResponse::Sse(exact(events), session)
            }
            other => other,
        })
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session_id: Arc<str>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), HttpError> {
        self.0.delete_session(uri, session_id, auth_header, custom_headers).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<SseStream, HttpError> {
        self.0.get_stream(uri, session_id, last_event_id, auth_header, custom_headers).await.map(exact)
    }
}

impl ExactClient {
    /// Sends a request whose answer has a tool's result.
    async fn ask(
        &self,
        uri: &str,
        message: &ClientJsonRpcMessage,
        session: Option<&str>,
        auth_header: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, HttpError> {
        let mut request = self.0.post(uri).header(ACCEPT, "text/event-stream, application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(session) = session {
            request = request.header(SESSION, session);
        }
        if let Some(key) = auth_header {
            request = request.bearer_auth(key);
        }
        let mut response = request.json(message).send().await?;
        let status = response.status();
        if matches!(status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
            // The answer comes by the stream that is open beside.
            return Ok(StreamableHttpPostResponse::Accepted);
        }
        if status == StatusCode::NOT_FOUND && session.is_some() {
            return Err(HttpError::SessionExpired);
        }
        let header = |name: HeaderName| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let (kind, session) = (header(CONTENT_TYPE), header(SESSION));
        let is =
            |wanted: &str| kind.as_deref().is_some_and(|kind| kind.to_ascii_lowercase().starts_with(wanted));
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(HttpStatusError::new(status.as_u16(), header(RETRY_AFTER)).into());
        }
        if !status.is_success() {
            let is_json = is("application/json");
            let body = tokio::time::timeout(REFUSED_WITHIN, whole(&mut response, MAX_REFUSAL)).await;
            let body = body.map(Result::unwrap_or_default).unwrap_or_default();
            // Other servers' refusals of who asks keep their status, whatever they say.
            let is_told = is_json && !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            return match serde_json::from_slice::<ServerJsonRpcMessage>(&result_for_sdk(&body)) {
                Ok(JsonRpcMessage::Error(mut error)) if is_told => {
                    // One without an id answers what was asked, and nobody would know.
                    if let JsonRpcMessage::Request(request) = message {
                        error.id.get_or_insert_with(|| request.id.clone());
                    }
                    Ok(StreamableHttpPostResponse::Json(ServerJsonRpcMessage::Error(error), session))
                }
                _ => Err(unexpected(format!("HTTP {status}: {}", String::from_utf8_lossy(&body)))),
            };
        }
        if is("text/event-stream") {
            return Ok(StreamableHttpPostResponse::Sse(exact(events(response)), session));
        }
        if !is("application/json") {
            return Err(HttpError::UnexpectedContentType(kind));
        }
        let body = whole(&mut response, MAX_ANSWER).await?;
        match serde_json::from_slice::<ServerJsonRpcMessage>(&result_for_sdk(&body)) {
            Ok(told) => Ok(StreamableHttpPostResponse::Json(told, session)),
            Err(error) => Err(unexpected(error.to_string())),
        }
    }
}

fn unexpected(what: String) -> HttpError {
    HttpError::UnexpectedServerResponse(Cow::Owned(what))
}

/// Whether the answer to this has a tool's result.
fn asks_for_result(message: &ClientJsonRpcMessage) -> bool {
    let JsonRpcMessage::Request(request) = message else { return false };
    match &request.request {
        ClientRequest::CallToolRequest(_) | ClientRequest::GetTaskRequest(_) => true,
        ClientRequest::CustomRequest(request) => request.method == "tasks/result",
        _ => false,
    }
}

async fn whole(response: &mut reqwest::Response, most: usize) -> Result<Vec<u8>, HttpError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        if body.len() + piece.len() > most {
            return Err(HttpError::ResponseBodyTooLarge { max_size: most });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// The events of a stream, each as long as an answer may be.
fn events(response: reqwest::Response) -> SseStream {
    let mut reader = SseReader::up_to(MAX_ANSWER);
    let read = move |piece: Result<Bytes, reqwest::Error>| {
        let read = match piece {
            Ok(piece) => {
                let mut read: Vec<_> = reader.feed(&piece).into_iter().map(Ok).collect();
                if reader.passed_over() {
                    let why = format!("an event of more than {MAX_ANSWER} bytes");
                    read.push(Err(SseError::Body(why.into())));
                }
                read
            }
            Err(error) => vec![Err(SseError::Body(Box::new(error)))],
        };
        stream::iter(read)
    };
    let events = response.bytes_stream().flat_map(read);
    let of_sdk = |event: Result<crate::proxy::Event, SseError>| {
        event.map(|event| Sse { event: event.kind, data: Some(event.data), id: event.id, retry: event.retry })
    };
    events.map(of_sdk).boxed()
}

/// The same events, as the SDK can read them.
fn exact(events: SseStream) -> SseStream {
    let read = |event: Result<Sse, SseError>| {
        event.map(|mut event| {
            if let Some(data) = &event.data
                && let Cow::Owned(read) = result_for_sdk(data.as_bytes())
            {
                event.data = Some(String::from_utf8_lossy(&read).into_owned());
            }
            event
        })
    };
    events.map(read).boxed()
}
