//! A reader of Server-Sent Events.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::Response;
use serde_json::Value;

use crate::http_client;

/// An event as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct SentEvent {
    /// By which a reader comes back to the place after it.
    pub id: String,
    /// What happened.
    pub kind: String,
    /// To what.
    pub data: Value,
}

/// A stream of events that is being read.
#[derive(Debug)]
pub struct EventStream {
    response: Response,
    bytes: Vec<u8>,
    ready: VecDeque<SentEvent>,
    last_id: String,
}

impl EventStream {
    /// Begins to listen with this key, after an event if there is one.
    ///
    /// # Panics
    ///
    /// When the server does not let it listen.
    pub async fn open(base: &str, key: &str, query: &str, after: Option<&str>) -> Self {
        let mut request = http_client().get(format!("{base}/api/events{query}")).bearer_auth(key);
        if let Some(after) = after {
            request = request.header("Last-Event-ID", after);
        }
        let response = request.send().await.expect("the server answers");
        let status = response.status();
        assert!(status.is_success(), "{status}: {:?}", response.text().await);
        let mut stream = Self { response, bytes: Vec::new(), ready: VecDeque::new(), last_id: String::new() };
        // From here on nothing is missed: the server has told where the stream begins.
        while stream.last_id.is_empty() {
            assert!(stream.read().await, "the stream ended at once");
        }
        stream
    }

    /// The next event, or None when the server has ended the stream.
    ///
    /// # Panics
    ///
    /// When none comes within 30 seconds.
    pub async fn next(&mut self) -> Option<SentEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let read = tokio::time::timeout(Duration::from_secs(30), self.read());
            if !read.await.expect("an event comes in time") {
                return None;
            }
        }
    }

    /// The next event, which must be of this kind.
    ///
    /// # Panics
    ///
    /// When it is another one, or none comes.
    pub async fn expect(&mut self, kind: &str) -> SentEvent {
        let event = self.next().await.expect("the stream goes on");
        assert_eq!(event.kind, kind, "{event:?}");
        event
    }

    /// The id of what was read last, whether an event or only a sign of life.
    #[must_use]
    pub fn last_id(&self) -> &str {
        &self.last_id
    }

    /// Reads a part. False when there is no more.
    async fn read(&mut self) -> bool {
        let Ok(Some(chunk)) = self.response.chunk().await else { return false };
        self.bytes.extend_from_slice(&chunk);
        while let Some(end) = self.bytes.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.bytes.drain(..end + 2).collect();
            let block = String::from_utf8(block).expect("events are UTF-8");
            let field = |name: &str| {
                block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned)
            };
            if let Some(id) = field("id") {
                self.last_id = id;
            }
            if let Some(data) = field("data") {
                self.ready.push_back(SentEvent {
                    id: self.last_id.clone(),
                    kind: field("event").unwrap_or_default(),
                    data: serde_json::from_str(&data).expect("the data of an event is JSON"),
                });
            }
        }
        true
    }
}
