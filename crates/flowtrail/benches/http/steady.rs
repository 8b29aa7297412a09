//! A load that does not wait for the server: so many requests a second, whatever happens.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::options::Load;

/// Milliseconds from when a request was due to its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Loads a server from a process of its own.
pub(crate) fn measure(
    base: &str,
    request: &[u8],
    connections: usize,
    rate: f64,
    seconds: u32,
    folder: &Path,
) -> Result<Latency, String> {
    let file = folder.join("request");
    std::fs::write(&file, request).map_err(|error| error.to_string())?;
    let binary = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new(binary)
        .args(["steady", base.trim_start_matches("http://")])
        .arg(&file)
        .args([connections.to_string(), rate.to_string(), seconds.to_string()])
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut figures = text.split_whitespace().map(str::parse);
    match (figures.next(), figures.next()) {
        (Some(Ok(p50)), Some(Ok(p99))) => Ok(Latency { p50, p99 }),
        _ => Err(format!("the steady load failed: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// Is that process: prints the two figures.
pub(crate) fn run(load: &Load) -> Result<(), String> {
    let request = std::fs::read(&load.request).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let mut all = runtime.block_on(send(load, &request)).map_err(|error| error.to_string())?;
    all.sort_unstable();
    let at = |part: f64| {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in a list"
        )]
        let index = ((all.len() as f64 * part) as usize).min(all.len() - 1);
        all[index].as_secs_f64() * 1e3
    };
    println!("{} {}", at(0.5), at(0.99));
    Ok(())
}

async fn send(load: &Load, request: &[u8]) -> io::Result<Vec<Duration>> {
    let request: &'static [u8] = request.to_vec().leak();
    let between = Duration::from_secs_f64(1.0 / load.rate);
    let begin = Instant::now() + Duration::from_millis(200);
    let end = begin + Duration::from_secs(u64::from(load.seconds));
    let mut clients = Vec::new();
    for number in 0..load.connections {
        let stream = connect(&load.address).await?;
        // Those of one client are so far apart that all of them together send at the rate.
        let first = begin + between.mul_f64(f64::from(u32::try_from(number).unwrap_or(0)));
        let apart = between.mul_f64(f64::from(u32::try_from(load.connections).unwrap_or(1)));
        let address = load.address.clone();
        clients.push(tokio::spawn(client(address, stream, request, (first, apart, end))));
    }
    let mut all = Vec::new();
    for client in clients {
        all.extend(client.await.map_err(io::Error::other)??);
    }
    if all.is_empty() {
        return Err(io::Error::other("nothing was due in that time"));
    }
    Ok(all)
}

async fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends from the first time on, so far apart, until the end.
async fn client(
    address: String,
    mut stream: TcpStream,
    request: &[u8],
    (first, apart, end): (Instant, Duration, Instant),
) -> io::Result<Vec<Duration>> {
    let mut took = Vec::new();
    let mut due = first;
    let mut answer = Vec::with_capacity(64 << 10);
    while due < end {
        sleep_until(due).await;
        stream.write_all(request).await?;
        let closes = read_answer(&mut stream, &mut answer).await?;
        took.push(due.elapsed());
        if closes {
            stream = connect(&address).await?;
        }
        due += apart;
    }
    Ok(took)
}

/// Reads one answer to its end: as long as its head says, or in chunks. Whether it is the last one of its connection.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<bool> {
    answer.clear();
    let head = loop {
        if stream.read_buf(answer).await? == 0 {
            return Err(io::Error::other("the server hung up"));
        }
        if let Some(at) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
    if !text.starts_with("http/1.1 2") {
        return Err(io::Error::other(text.lines().next().unwrap_or_default().to_owned()));
    }
    let length =
        text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    loop {
        let is_whole = match length {
            Some(length) => answer.len() >= head + length,
            None => answer.ends_with(b"\r\n0\r\n\r\n"),
        };
        if is_whole {
            return Ok(text.contains("\r\nconnection: close\r\n"));
        }
        if stream.read_buf(answer).await? == 0 {
            return Err(io::Error::other("the server hung up in the middle"));
        }
    }
}
