//! What HTTP adds to a session: its id, the stream on which the server speaks by itself, beginning anew.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::json;

use super::{Bridge, LARGEST, PAUSE, TRIES};
use crate::proxy::sse::{Event, SseReader};
use crate::proxy::web::{Answer, PROTOCOL, SESSION, WebError};

const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");
/// How long to wait at most before a stream is opened again on which the server said nothing.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a server may take to begin another session.
const BEGUN_WITHIN: Duration = Duration::from_secs(30);

/// What HTTP adds to a session.
#[derive(Default, Clone)]
pub(super) struct State {
    pub(super) session: Option<HeaderValue>,
    pub(super) protocol: Option<HeaderValue>,
    /// What began the session, to begin another when the server has forgotten this one.
    pub(super) initialize: Option<Bytes>,
}

impl Bridge {
    /// Adds what belongs to the session, and returns which it is; nothing when there is none.
    pub(super) fn add_session(&self, headers: &mut HeaderMap) -> Option<HeaderValue> {
        let state = self.state();
        if let Some(protocol) = &state.protocol {
            headers.insert(PROTOCOL, protocol.clone());
        }
        if let Some(session) = &state.session {
            headers.insert(SESSION, session.clone());
        }
        state.session.clone()
    }

    pub(super) async fn open_stream(&self, after: Option<&str>) -> Result<Answer, WebError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        self.add_session(&mut headers);
        if let Some(after) = after.and_then(|after| HeaderValue::from_str(after).ok()) {
            headers.insert(LAST_EVENT, after);
        }
        self.0.http.send(&self.0.target, Method::GET, headers, None).await
    }

    /// Passes on what the server says by itself, as long as the session lasts. A stream that ends is opened again: servers
    /// may close one at any time. It is given up when the server does not let it be opened.
    pub(super) async fn listen(&self) {
        let over = self.0.over.clone();
        let listening = async {
            let session = self.state().session.clone();
            let mut last_event: Option<String> = None;
            let mut failures = 0;
            let mut pause = PAUSE;
            let mut asked_for = None;
            while failures < TRIES && self.state().session == session {
                match self.open_stream(last_event.as_deref()).await {
                    Ok(stream) if stream.status().is_success() && stream.is("text/event-stream") => {
                        failures = 0;
                        // One that ends again and again without a word is opened less and less often.
                        pause = (pause * 2).min(LONGEST_PAUSE);
                        self.hear(stream, |event| {
                            pause = PAUSE;
                            asked_for = event.retry.map(Duration::from_millis).or(asked_for);
                            last_event = event.id.clone().or(last_event.take());
                        })
                        .await;
                    }
                    // The server says nothing by itself.
                    Ok(refused) if !refused.status().is_server_error() => return,
                    Ok(_) | Err(_) => failures += 1,
                }
                tokio::time::sleep(asked_for.unwrap_or(pause)).await;
            }
        };
        tokio::select! {
            () = over.cancelled() => {}
            () = listening => {}
        }
    }

    /// Passes on what comes on a stream, to its end.
    async fn hear(&self, mut stream: Answer, mut note: impl FnMut(&Event)) {
        let mut reader = SseReader::default();
        while let Ok(Some(piece)) = stream.piece().await {
            for event in reader.feed(&piece) {
                note(&event);
                if let Some(message) = event.into_message() {
                    self.pass_on(&message).await;
                }
            }
        }
    }

    /// Begins another session as the client has begun the one that the server has forgotten, unless that was done
    /// meanwhile.
    pub(super) async fn begin_again(&self, forgotten: &HeaderValue) -> Result<(), WebError> {
        let lost = || WebError::new("the server has forgotten its session");
        let _only_one = self.0.renewing.lock().await;
        if self.state().session.as_ref() != Some(forgotten) {
            return Ok(());
        }
        let first = self.state().initialize.clone().ok_or_else(lost)?;
        let session = tokio::time::timeout(BEGUN_WITHIN, self.begin(first)).await.map_err(|_| lost())??;
        // Only now: whoever finds it is let in.
        self.state().session = session;
        let bridge = self.clone();
        self.0.tasks.spawn(async move { bridge.listen().await });
        log::info!("the server had forgotten its session; another one was begun");
        Ok(())
    }

    /// Begins a session by this message, and returns which it is.
    async fn begin(&self, first: Bytes) -> Result<Option<HeaderValue>, WebError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let send = |headers, body| self.0.http.send(&self.0.target, Method::POST, headers, Some(body));
        let answer = send(headers.clone(), first).await?;
        if !answer.status().is_success() {
            return Err(WebError::new(format!(
                "the server has forgotten its session, and refuses another: {}",
                answer.status()
            )));
        }
        let session = answer.headers().get(SESSION).cloned();
        // Its answer is the client's no more; it is read so that the server may go on.
        drop(answer.whole(LARGEST).await?);
        if let Some(protocol) = self.state().protocol.clone() {
            headers.insert(PROTOCOL, protocol);
        }
        if let Some(session) = session.clone() {
            headers.insert(SESSION, session);
        }
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        send(headers, initialized.to_string().into()).await?;
        Ok(session)
    }
}
