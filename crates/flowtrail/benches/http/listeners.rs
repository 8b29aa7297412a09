//! What clients cost that listen.

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

fn record(server: &TestProcess, flow: &str, count: usize) -> Result<(), String> {
    let address = server.base().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    let path = format!("/api/flows/{flow}/executions");
    let request = bodies::request("POST", &path, server.key(), &bodies::execution().to_string());
    let mut answer = vec![0; 64 << 10];
    for _ in 0..count {
        stream.write_all(&request).map_err(|error| error.to_string())?;
        // Its head is enough to know that the next one may come; what is left is read with the next answer.
        let length = stream.read(&mut answer).map_err(|error| error.to_string())?;
        if !answer[..length].starts_with(b"HTTP/1.1 201") && length < 4_000 {
            return Err(String::from_utf8_lossy(&answer[..length]).into_owned());
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
        target: "below 50 MiB",
        is_reached: Some(busy.max(idle) < MOST),
        ..Row::default()
    }
    .print();
    Ok(())
}
