//! What clients cost that listen.

use std::borrow::Cow;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use flowtrail_testkit::TestProcess;

use crate::bodies;
use crate::table::Row;

const LISTENERS: usize = 1_000;
/// What they may take, in MiB.
const MOST: f64 = 50.0;
/// How many executions are recorded while they listen.
const RECORDED: usize = 2_000;

/// The resident memory of a process in MiB.
fn resident(process: u32) -> Result<f64, String> {
    let status =
        std::fs::read_to_string(format!("/proc/{process}/status")).map_err(|error| error.to_string())?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no memory is told of")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0.0);
    Ok(kilobytes / 1024.0)
}

/// Reads one answer, to the end of as many bytes as its head says.
fn read_answer<'a>(stream: &mut TcpStream, room: &'a mut [u8]) -> Result<Cow<'a, str>, String> {
    let mut read = 0;
    loop {
        let length = stream.read(&mut room[read..]).map_err(|error| error.to_string())?;
        read += length;
        let text = String::from_utf8_lossy(&room[..read]);
        let whole = text.split_once("\r\n\r\n").and_then(|(head, _)| {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
            Some(head.len() + 4 + length.parse::<usize>().ok()?)
        });
        if length == 0 || whole.is_some_and(|whole| read >= whole) {
            return Ok(String::from_utf8_lossy(&room[..read]));
        }
    }
}

fn record(server: &TestProcess, flow: &str, count: usize) -> Result<(), String> {
    let address = server.base().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    let path = format!("/api/flows/{flow}/executions");
    let request = bodies::request("POST", &path, server.key(), &bodies::execution().to_string());
    let mut answer = vec![0; 64 << 10];
    for _ in 0..count {
        stream.write_all(&request).map_err(|error| error.to_string())?;
        let told = read_answer(&mut stream, &mut answer)?;
        if !told.starts_with("HTTP/1.1 201") {
            return Err(told.into_owned());
        }
    }
    Ok(())
}

/// A thousand that listen to everything, while executions are recorded.
pub(crate) fn measure(server: &TestProcess, flow: &str) -> Result<(), String> {
    // What recording takes is there before and after.
    record(server, flow, RECORDED)?;
    let before = resident(server.id())?;
    let address = server.base().trim_start_matches("http://");
    let request = bodies::request("GET", "/api/events", server.key(), "");
    let mut clients = Vec::new();
    for _ in 0..LISTENERS {
        let mut client = TcpStream::connect(address).map_err(|error| error.to_string())?;
        client.write_all(&request).map_err(|error| error.to_string())?;
        client.set_read_timeout(Some(Duration::from_secs(10))).map_err(|error| error.to_string())?;
        let mut head = [0; 512];
        let length = client.read(&mut head).map_err(|error| error.to_string())?;
        if !head[..length].starts_with(b"HTTP/1.1 200") {
            return Err(String::from_utf8_lossy(&head[..length]).into_owned());
        }
        clients.push(client);
    }
    let idle = resident(server.id())? - before;
    let readers: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            std::thread::Builder::new().stack_size(64 << 10).spawn(move || {
                let mut part = [0; 16 << 10];
                let mut heard = 0;
                while heard < RECORDED {
                    let Ok(length) = client.read(&mut part) else { break };
                    if length == 0 {
                        break;
                    }
                    heard += part[..length].windows(6).filter(|six| *six == b"event:").count();
                }
                heard
            })
        })
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    record(server, flow, RECORDED)?;
    let busy = resident(server.id())? - before;
    let heard: usize = readers.into_iter().filter_map(|reader| reader.join().ok()).sum();
    Row {
        workload: format!("memory of {LISTENERS} listeners, {RECORDED} executions recorded meanwhile"),
        measured: format!("{busy:.1} MiB, {idle:.1} MiB before any event"),
        beside: format!("{heard} events heard"),
        target: "below 50 MiB, all heard",
        is_reached: Some(busy.max(idle) < MOST && heard >= LISTENERS * RECORDED),
        ..Row::default()
    }
    .print();
    Ok(())
}
