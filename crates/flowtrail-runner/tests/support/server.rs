//! A small HTTP server, so that no test depends on the network.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Received {
    /// Method, path and query: `GET /a?b=c`.
    pub(crate) line: String,
    /// All headers, in lower case, as they came.
    pub(crate) headers: String,
    pub(crate) body: String,
}

/// What the server answers.
pub(crate) enum Answer {
    /// Status line, headers, body.
    Full(&'static str, String, Vec<u8>),
    /// Headers, and a body that comes in pieces.
    Pieces(&'static str, Vec<String>, End),
    /// The same with pieces that may be cut within a character.
    Bytes(&'static str, Vec<Vec<u8>>, End),
    /// Nothing, ever.
    Never,
    /// Nothing, and the connection is closed.
    HangUp,
}

/// How a body in pieces ends.
pub(crate) enum End {
    /// As it should.
    Done,
    /// The connection is closed in the middle of it.
    Broken,
    /// Never.
    Stalled,
}

impl Answer {
    pub(crate) fn json(body: &str) -> Self {
        Self::with("200 OK", "content-type: application/json", body)
    }

    pub(crate) fn text(body: &str) -> Self {
        Self::with("200 OK", "content-type: text/plain", body)
    }

    pub(crate) fn with(status: &'static str, headers: &str, body: &str) -> Self {
        Self::Full(status, headers.to_owned(), body.as_bytes().to_vec())
    }

    pub(crate) fn redirect(status: &'static str, location: &str) -> Self {
        Self::with(status, &format!("location: {location}"), "")
    }
}

type Handler = dyn Fn(Received) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync;

/// A server on a port of its own, which lives as long as the test's runtime.
pub(crate) struct Server {
    pub(crate) port: u16,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Server {
    /// A server that answers by this function.
    pub(crate) async fn start<F, A>(handler: F) -> Self
    where
        F: Fn(Received) -> A + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        let handler: Arc<Handler> = Arc::new(move |received| Box::pin(handler(received)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&handler), Arc::clone(&log)));
            }
        });
        Self { port, received }
    }

    /// A URL of this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What has been asked so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, handler: Arc<Handler>, log: Arc<Mutex<Vec<Received>>>) -> Option<()> {
    let received = read(&mut stream).await?;
    log.lock().unwrap().push(received.clone());
    let answer = match handler(received).await {
        Answer::Pieces(headers, pieces, end) => {
            Answer::Bytes(headers, pieces.into_iter().map(String::into_bytes).collect(), end)
        }
        other => other,
    };
    match answer {
        Answer::Pieces(..) => unreachable!("it has just been made bytes"),
        Answer::Bytes(headers, pieces, end) => {
            let head = format!(
                "HTTP/1.1 200 OK\r\n{headers}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.ok()?;
            for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
                let length = format!("{:x}\r\n", piece.len());
                let chunk = [length.as_bytes(), piece, b"\r\n"].concat();
                stream.write_all(&chunk).await.ok()?;
            }
            match end {
                End::Done => stream.write_all(b"0\r\n\r\n").await.ok(),
                End::Broken => None,
                End::Stalled => std::future::pending().await,
            }
        }
        Answer::Never => std::future::pending().await,
        Answer::HangUp => None,
        Answer::Full(status, headers, body) => {
            let headers = if headers.is_empty() { String::new() } else { format!("{headers}\r\n") };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.ok()?;
            stream.write_all(&body).await.ok()?;
            stream.shutdown().await.ok()
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let (line, headers) = head.split_once("\r\n").unwrap_or((head, ""));
            let headers = headers.to_lowercase();
            let length = headers.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(0, |length| length.trim().parse().unwrap());
            if body.len() >= length {
                let line = line.trim_end_matches(" HTTP/1.1").to_owned();
                return Some(Received { line, headers, body: body.to_owned() });
            }
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}
