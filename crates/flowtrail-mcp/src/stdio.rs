//! MCP over standard input and output.
//!
//! The SDK drops lines that it cannot read without a word. Here each line passes a check first, so that whoever
//! wrote it is told, as JSON-RPC 2.0 (section 5.1) wants.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use flowtrail_types::{Json, without_byte_order_mark};
use rmcp::ServiceExt;
use rmcp::model::ClientJsonRpcMessage;
use rmcp::service::ServerInitializeError;
use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::as_sent::read_for_sdk;
use crate::{FlowServer, malformed};

/// The longest line that is read.
pub(crate) const MAX_LINE: usize = 16 << 20;
/// Of how many requests it is known that they have not been answered.
const MOST_UNANSWERED: usize = 10_000;

/// Why serving over standard input and output ended early.
#[derive(Debug, thiserror::Error)]
pub enum StdioError {
    /// The client does not speak MCP.
    #[error("the client did not begin as MCP wants: {0}")]
    Initialize(#[source] Box<ServerInitializeError>),
    /// The server's task died.
    #[error("serving ended unexpectedly")]
    Died(#[source] tokio::task::JoinError),
}

/// Serves until the input ends or `shutdown` fires. What runs then is given a few seconds and is aborted.
///
/// # Errors
///
/// [`StdioError`] when the client does not speak MCP.
pub async fn serve_stdio(server: FlowServer, shutdown: CancellationToken) -> Result<(), StdioError> {
    serve(server, BufReader::new(tokio::io::stdin()), tokio::io::stdout(), shutdown).await
}

/// Serves over any pair of streams.
async fn serve(
    server: FlowServer,
    input: impl AsyncBufRead + Send + Unpin + 'static,
    output: impl AsyncWrite + Send + Unpin + 'static,
    shutdown: CancellationToken,
) -> Result<(), StdioError> {
    let (to_sdk, sdk_reads) = tokio::io::duplex(64 << 10);
    let (sdk_writes, from_sdk) = tokio::io::duplex(64 << 10);
    let (refusals, refused) = mpsc::unbounded_channel();
    let unanswered = Unanswered::default();
    let asked = unanswered.clone();
    let reader = tokio::spawn(async move { pass_on(input, to_sdk, refusals, &asked).await });
    let writer = tokio::spawn(async move { write_lines(from_sdk, refused, output, &unanswered).await });
    let ended = match server.serve_with_ct((sdk_reads, sdk_writes), shutdown).await {
        Ok(running) => running.waiting().await.map(|_| ()).map_err(StdioError::Died),
        // A client that leaves before it has said anything is no failure.
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => Ok(()),
        Err(error) => Err(StdioError::Initialize(Box::new(error))),
    };
    reader.abort();
    // The SDK's end is closed: what it has written is passed on, and then the writer ends.
    if let Err(error) = writer.await {
        log::warn!("the last lines may not have been written: {error}");
    }
    ended
}

/// Passes lines on to the SDK, and answers those that are no messages.
async fn pass_on(
    mut input: impl AsyncBufRead + Unpin,
    mut to_sdk: impl AsyncWrite + Unpin,
    refusals: mpsc::UnboundedSender<String>,
    unanswered: &Unanswered,
) {
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = match read_line(&mut input, &mut line).await {
            Ok(0) => return,
            Ok(length) => length,
            Err(error) => {
                log::warn!("standard input cannot be read: {error}");
                return;
            }
        };
        if without_byte_order_mark(&line).trim_ascii().is_empty() {
            continue;
        }
        let checked = if length > MAX_LINE {
            let reason = format!("the line has {length} bytes, the limit is {MAX_LINE}");
            Err(error(&Value::Null, -32700, &format!("Parse error: {reason}")))
        } else {
            checked(&line, unanswered)
        };
        let refusal = match checked {
            Ok(None) => continue,
            Ok(Some(mut message)) => {
                if !message.ends_with(b"\n") {
                    message.to_mut().push(b'\n');
                }
                if to_sdk.write_all(&message).await.is_err() {
                    return;
                }
                continue;
            }
            Err(refusal) => refusal,
        };
        if refusals.send(format!("{refusal}\n")).is_err() {
            return;
        }
    }
}

/// A line as the SDK can read it; nothing when it is to be dropped. Otherwise the answer to one that the SDK would drop, or
/// whose answer could not be told from another's.
fn checked<'l>(line: &'l [u8], unanswered: &Unanswered) -> Result<Option<Cow<'l, [u8]>>, Value> {
    // What is nested too deeply for the SDK is answered here.
    let (Json { value: message, .. }, passed_on) = read_for_sdk(line)
        .map_err(|reason| error(&Value::Null, -32700, &format!("Parse error: {reason}")))?;
    let invalid = |id: &Value, why: &str| error(id, -32600, &format!("Invalid Request: {why}"));
    if let Some(why) = malformed(&message) {
        return Err(invalid(&Value::Null, why));
    }
    let id = message.get("id").filter(|_| message["method"].is_string());
    if let Err(reason) = serde_json::from_slice::<ClientJsonRpcMessage>(&passed_on) {
        log::debug!("a message could not be read: {reason}");
        return match id {
            Some(id) => Err(invalid(id, "this is no message of MCP; check the types of `params`")),
            // A notification is answered by nobody.
            None => Ok(None),
        };
    }
    if let Some(id) = id
        && !unanswered.begin(id)
    {
        return Err(invalid(id, "a request with this `id` has not been answered yet"));
    }
    if message["method"] == "notifications/cancelled" {
        // It gets no answer any more.
        unanswered.end(&message["params"]["requestId"]);
    }
    Ok(Some(passed_on))
}

fn error(id: &Value, code: i32, message: &str) -> Value {
    serde_json::json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
}

/// The ids of the requests that have not been answered.
#[derive(Debug, Clone, Default)]
struct Unanswered(Arc<Mutex<HashSet<String>>>);

impl Unanswered {
    /// Notes a request; false when one with its id is noted.
    fn begin(&self, id: &Value) -> bool {
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Beyond that many nothing is noted, rather than refused.
        ids.len() >= MOST_UNANSWERED || ids.insert(id.to_string())
    }

    fn end(&self, id: &Value) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id.to_string());
    }

    /// Notes that a line answers a request, if it does.
    fn answered_by(&self, line: &[u8]) {
        #[derive(serde::Deserialize)]
        struct Answer {
            id: Value,
            method: Option<serde::de::IgnoredAny>,
        }
        if let Ok(Answer { id, method: None }) = serde_json::from_slice(line) {
            self.end(&id);
        }
    }
}

/// Reads a line, keeps no more of it than may be read, and gives its whole length.
pub(crate) async fn read_line(
    input: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
) -> std::io::Result<usize> {
    let mut length = 0;
    loop {
        let available = input.fill_buf().await?;
        if available.is_empty() {
            // The last line may lack its end.
            if length > 0 {
                line.push(b'\n');
            }
            return Ok(length);
        }
        let end = available.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let taken = end.unwrap_or(available.len());
        if line.len() + taken <= MAX_LINE + 1 {
            line.extend_from_slice(&available[..taken]);
        }
        length += taken;
        input.consume(taken);
        if end.is_some() {
            return Ok(length);
        }
    }
}

/// Writes what the SDK says, line by line, and in between what was refused.
async fn write_lines(
    from_sdk: impl AsyncRead + Unpin,
    mut refused: mpsc::UnboundedReceiver<String>,
    mut output: impl AsyncWrite + Unpin,
    unanswered: &Unanswered,
) {
    let mut from_sdk = BufReader::new(from_sdk);
    let mut line = Vec::new();
    loop {
        let written = tokio::select! {
            read = from_sdk.read_until(b'\n', &mut line) => {
                if !matches!(read, Ok(1..)) {
                    break;
                }
                unanswered.answered_by(&line);
                let written = output.write_all(&line).await;
                line.clear();
                written
            }
            Some(refusal) = refused.recv() => output.write_all(refusal.as_bytes()).await,
        };
        if written.is_err() || output.flush().await.is_err() {
            return;
        }
    }
    // The SDK is done. What was refused meanwhile is answered all the same.
    while let Ok(refusal) = refused.try_recv() {
        if output.write_all(refusal.as_bytes()).await.is_err() {
            return;
        }
    }
    if let Err(error) = output.flush().await {
        log::debug!("the last lines were not read: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the SDK is given of these bytes, and what is refused.
    async fn passed(input: &[u8]) -> (String, Vec<String>) {
        let (to_sdk, mut sdk_reads) = tokio::io::duplex(1 << 20);
        let (refusals, mut refused) = mpsc::unbounded_channel();
        pass_on(input, to_sdk, refusals, &Unanswered::default()).await;
        let mut read = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut sdk_reads, &mut read).await.unwrap();
        let mut all = Vec::new();
        while let Ok(refusal) = refused.try_recv() {
            all.push(refusal);
        }
        (read, all)
    }

    #[tokio::test]
    async fn lines_reach_the_sdk_in_a_form_that_it_can_read() {
        let line =
            |params: &str| format!(r#"{{"jsonrpc":"2.0","id":"a","method":"b","params":{{{params}}}}}"#);
        let notice = r#"{"jsonrpc":"2.0","method":"a"}"#;
        let sent =
            format!("\u{feff}{notice}\n\n{}\r\n{{\n{{\"n\": 1.10}}\n{notice}", line(r#""x":"\ud83d""#));
        let (read, refused) = passed(sent.as_bytes()).await;
        assert_eq!(read, format!("{notice}\n{}\n{notice}\n", line("\"x\":\"\u{fffd}\"")));
        assert_eq!(refused.len(), 2, "{refused:?}");
        assert!(refused[1].contains("-32600"), "{refused:?}");
        assert!(refused[0].contains("-32700"), "{refused:?}");
    }
}
