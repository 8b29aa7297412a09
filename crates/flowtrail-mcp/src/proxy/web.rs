//! Servers behind an address: requests of streamable HTTP as they are, and what they need of a message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use flowtrail_runner::{ContentDecoder, ContentError};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;
use url::Url;

/// Where a server is, and what it is sent with every request.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    pub(super) url: Url,
    /// They may be secrets and are not printed.
    pub(super) headers: HeaderMap,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

/// Why a server did not answer at all.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct WebError {
    pub(super) message: String,
    /// The status of an answer that is no message, and the beginning of what it says.
    pub(super) answer: Option<(u16, String)>,
    was_reached: bool,
}

impl WebError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), answer: None, was_reached: false }
    }

    /// The server answered with this status and text, and with no message.
    pub(super) fn answered(message: impl Into<String>, status: u16, text: String) -> Self {
        Self { message: message.into(), answer: Some((status, text)), was_reached: true }
    }

    /// Whether the server was reached, and its answer could not be used.
    #[must_use]
    pub fn was_reached(&self) -> bool {
        self.was_reached
    }
}

impl From<reqwest::Error> for WebError {
    fn from(error: reqwest::Error) -> Self {
        // The address may hold a key.
        let error = error.without_url();
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        Self::new(text)
    }
}

// What is said with a request, beside what is configured.
pub(crate) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
pub(super) const PROTOCOL: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

impl Target {
    /// The name of the machine in its address.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

/// A client for servers. Cheap to clone; all clones share their connections. Redirects are followed as [`redirects`] says.
#[derive(Debug, Clone)]
pub struct WebClient(reqwest::Client);

/// What a server has answered, as soon as the head of it is there. Its body is decoded, whatever its `Content-Encoding`.
/// Dropping it hangs up.
#[derive(Debug)]
pub struct Answer {
    response: reqwest::Response,
    body: Body,
    /// The beginning of the body, when it was read already.
    first: Option<Bytes>,
}

/// How a body is decoded.
#[derive(Debug)]
enum Body {
    /// Not at all.
    Plain,
    /// The decoder, and how many bytes it has given.
    Coded(ContentDecoder, usize),
    /// It has come to its end.
    Over,
}

/// The most bytes that one piece of an encoded body is decoded to.
const MAX_PIECE: usize = 64 << 20;

impl WebClient {
    /// A client.
    ///
    /// # Errors
    ///
    /// When the system lacks what is needed, such as certificates.
    pub fn new() -> Result<Self, WebError> {
        const REACHED_WITHIN: Duration = Duration::from_secs(30);
        // Bodies are decoded here: a client that asks for a coding is not to be answered in another.
        let plain = client_builder().no_brotli().no_deflate().no_gzip().no_zstd();
        Ok(Self(plain.connect_timeout(REACHED_WITHIN).build()?))
    }

    /// Sends a request.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached, or the beginning of its answer cannot be decoded.
    pub async fn send(
        &self,
        target: &Target,
        method: Method,
        mut headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Result<Answer, WebError> {
        // What is configured counts for more than what a client says.
        for name in target.headers.keys() {
            headers.remove(name);
        }
        headers.extend(target.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        let mut request = self.0.request(method, target.url.clone()).headers(headers);
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await?;
        let decoder = ContentDecoder::new(response.headers(), MAX_PIECE).map_err(undecodable)?;
        if decoder.is_identity() {
            return Ok(Answer { response, body: Body::Plain, first: None });
        }
        let mut answer = Answer { response, body: Body::Coded(decoder, 0), first: None };
        // While it can still be said that the answer is none. The first event of a stream may take its time.
        if answer.status().is_success() && !answer.is("text/event-stream") {
            let first = answer.piece().await;
            answer.first = first.map_err(|error| WebError { was_reached: true, ..error })?;
        }
        Ok(answer)
    }
}

/// An answer that cannot be decoded is none.
fn undecodable(error: ContentError) -> WebError {
    let message = format!("the server's answer cannot be decoded: {error}");
    WebError { was_reached: true, ..WebError::new(message) }
}

/// Returns the settings that every HTTP client for MCP servers shares.
pub(crate) fn client_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder().redirect(redirects()).tls_backend_preconfigured(flowtrail_runner::tls_config())
}

/// Follows 307 and 308 on the same host, as frameworks send them from `/mcp` to `/mcp/` or from http to https. They keep
/// method and body. Any other status would lose the message, and another host would be sent the session's id and the
/// configured headers, so these redirects are returned as they are.
fn redirects() -> reqwest::redirect::Policy {
    const MAX_REDIRECTS: usize = 5;
    reqwest::redirect::Policy::custom(|attempt| {
        let keeps_body =
            matches!(attempt.status(), StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
        let stays = attempt.previous().first().is_some_and(|first| is_same_place(first, attempt.url()));
        if keeps_body && stays && attempt.previous().len() <= MAX_REDIRECTS {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}

/// Whether a redirect stays where it was: the same origin, or the same host over TLS.
fn is_same_place(from: &Url, to: &Url) -> bool {
    let is_upgrade = from.scheme() == "http" && to.scheme() == "https" && from.host() == to.host();
    from.origin() == to.origin() || is_upgrade
}

impl Answer {
    /// Returns where a redirect leads that was not followed, without its query, which may hold a key.
    #[must_use]
    pub fn redirects_to(&self) -> Option<String> {
        let location =
            self.headers().get(http::header::LOCATION).filter(|_| self.status().is_redirection())?;
        let mut target = self.response.url().join(location.to_str().ok()?).ok()?;
        target.set_query(None);
        target.set_fragment(None);
        // Neither can fail for an address with a host.
        let _ = target.set_username("");
        let _ = target.set_password(None);
        Some(target.to_string())
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Its headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// Its content type; nothing when it tells none.
    #[must_use]
    pub fn content_type(&self) -> &str {
        self.headers().get(CONTENT_TYPE).and_then(|told| told.to_str().ok()).unwrap_or_default()
    }

    pub(super) fn is(&self, kind: &str) -> bool {
        self.content_type().to_ascii_lowercase().starts_with(kind)
    }

    /// The next piece of its body; none after the last one.
    ///
    /// # Errors
    ///
    /// When the connection breaks, or the body cannot be decoded.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, WebError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        loop {
            let piece = self.response.chunk().await?;
            let (decoder, given) = match &mut self.body {
                Body::Plain => return Ok(piece),
                Body::Over => return Ok(None),
                Body::Coded(decoder, given) => (decoder, given),
            };
            decoder.set_limit(given.saturating_add(MAX_PIECE));
            let decoded = match &piece {
                Some(piece) => decoder.push(piece),
                None => decoder.finish().map(|()| Vec::new()),
            };
            let decoded = decoded.map_err(undecodable)?;
            *given = given.saturating_add(decoded.len());
            if piece.is_none() {
                self.body = Body::Over;
            }
            // A piece may be too little to decode anything from it.
            if !decoded.is_empty() {
                return Ok(Some(decoded.into()));
            }
        }
    }

    /// All of its body, as far as that has no more bytes than this.
    ///
    /// # Errors
    ///
    /// When the connection breaks, or it has more.
    pub async fn whole(mut self, most: usize) -> Result<Vec<u8>, WebError> {
        let mut body = Vec::new();
        while let Some(piece) = self.piece().await? {
            if body.len() + piece.len() > most {
                return Err(WebError::new(format!("the server's answer has more than {most} bytes")));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}

/// The schemas of tools by name, as far as a list of them has passed: the era of 2026-07-28 has arguments that are
/// repeated in headers (its transport page, "Custom headers from tool parameters").
#[derive(Debug, Clone, Default)]
pub(super) struct Promoted(Arc<Mutex<HashMap<String, Vec<Argument>>>>);

/// An argument that is repeated in a header: where it stands, and the end of the header's name.
type Argument = (Vec<String>, String);

impl Promoted {
    /// Learns from the answer to `tools/list`.
    pub(super) fn learn(&self, message: &Value) {
        let Some(tools) = message["result"]["tools"].as_array() else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for tool in tools {
            let Some(name) = tool["name"].as_str() else { continue };
            let mut found = Vec::new();
            annotated(&tool["inputSchema"], &mut Vec::new(), &mut found);
            if found.is_empty() {
                known.remove(name);
            } else {
                known.insert(name.to_owned(), found);
            }
        }
    }

    fn of(&self, tool: &str) -> Vec<Argument> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(tool).cloned().unwrap_or_default()
    }
}

fn annotated(schema: &Value, path: &mut Vec<String>, found: &mut Vec<Argument>) {
    const DEEPEST: usize = 16;
    let Some(properties) = schema["properties"].as_object().filter(|_| path.len() < DEEPEST) else { return };
    for (name, property) in properties {
        path.push(name.clone());
        if let Some(header) = property["x-mcp-header"].as_str().filter(|header| !header.is_empty()) {
            found.push((path.clone(), header.to_owned()));
        }
        annotated(property, path, found);
        path.pop();
    }
}

/// The headers of a message of the era of 2026-07-28, by which others can tell what it is without reading it: method,
/// name, version and arguments. None for messages of older eras.
pub(super) fn standard_headers(message: &Value, promoted: &Promoted) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let params = &message["params"];
    let Some(version) = params["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str() else {
        return headers;
    };
    let mut add = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(&encoded(value)) {
            headers.insert(name, value);
        }
    };
    add(PROTOCOL, version);
    let method = message["method"].as_str().unwrap_or_default();
    add(METHOD, method);
    let name = match method {
        "tools/call" | "prompts/get" => params["name"].as_str(),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => params["uri"].as_str(),
        "tasks/get" | "tasks/update" | "tasks/cancel" => params["taskId"].as_str(),
        _ => None,
    };
    if let Some(name) = name {
        add(NAME, name);
    }
    for (path, header) in
        name.filter(|_| method == "tools/call").map(|tool| promoted.of(tool)).unwrap_or_default()
    {
        let argument = path.iter().try_fold(&params["arguments"], |value, key| value.get(key));
        let text = match argument {
            Some(Value::String(text)) => text.clone(),
            Some(scalar @ (Value::Bool(_) | Value::Number(_))) => scalar.to_string(),
            _ => continue,
        };
        if let Ok(name) = format!("mcp-param-{header}").to_ascii_lowercase().parse() {
            add(name, &text);
        }
    }
    headers
}

/// A value as it may stand in a header.
fn encoded(value: &str) -> String {
    let is_plain = value.chars().all(|c| (' '..='~').contains(&c)) && value.trim() == value;
    let looks_encoded = value.starts_with("=?base64?") && value.ends_with("?=");
    if is_plain && !looks_encoded {
        value.to_owned()
    } else {
        format!("=?base64?{}?=", BASE64_STANDARD.encode(value))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn redirects_stay_on_their_host() {
        let is_followed =
            |from: &str, to: &str| is_same_place(&Url::parse(from).unwrap(), &Url::parse(to).unwrap());
        assert!(is_followed("http://a.example/mcp", "http://a.example/mcp/"));
        assert!(is_followed("http://a.example/mcp", "https://a.example/mcp"));
        assert!(is_followed("http://[::1]:8080/mcp", "http://[::1]:8080/v2?x=1"));
        for to in ["http://b.example/mcp", "http://a.example:81/mcp", "https://a.example.evil/mcp"] {
            assert!(!is_followed("http://a.example/mcp", to), "{to}");
        }
        assert!(!is_followed("https://a.example/mcp", "http://a.example/mcp"), "never out of TLS");
    }

    #[test]
    fn a_message_tells_in_its_headers_what_it_is() {
        let promoted = Promoted::default();
        let schema = json!({"properties": {"region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"properties": {"n": {"type": "integer", "x-mcp-header": "N"}}}}});
        promoted.learn(&json!({"result": {"tools": [{"name": "wörld", "inputSchema": schema}]}}));
        let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28"});
        let message = json!({"method": "tools/call", "params": {
            "name": "wörld", "arguments": {"region": " eu", "deep": {"n": 4}}, "_meta": meta}});
        let headers = standard_headers(&message, &promoted);
        let text = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(text("mcp-method"), "tools/call");
        assert_eq!(text("mcp-name"), "=?base64?d8O2cmxk?=");
        assert_eq!(text("mcp-protocol-version"), "2026-07-28");
        assert_eq!(text("mcp-param-region"), "=?base64?IGV1?=");
        assert_eq!(text("mcp-param-n"), "4");
        let old = json!({"method": "tools/call", "params": {"name": "a"}});
        assert!(standard_headers(&old, &promoted).is_empty());
    }
}
