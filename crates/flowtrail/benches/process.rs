//! What the process costs: the size of the binary, the time from its start to its first answer, the memory that it
//! holds when nothing happens. Run by `cargo xtask bench process`.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use flowtrail_testkit::TestProcess;

const ROUNDS: usize = 7;

fn main() {
    let binary = Path::new(env!("CARGO_BIN_EXE_flowtrail"));
    let bytes = std::fs::metadata(binary).expect("the binary").len();
    #[expect(clippy::cast_precision_loss, reason = "a file's size")]
    let megabytes = bytes as f64 / 1e6;
    println!("binary: {megabytes:.1} MB");

    let mut fresh = Vec::new();
    let mut again = Vec::new();
    let mut resident = Vec::new();
    for _ in 0..ROUNDS {
        let folder = tempfile::tempdir().expect("a folder");
        for times in [&mut fresh, &mut again] {
            let begun = Instant::now();
            let process = TestProcess::start(binary, folder.path(), &[]);
            first_answer(process.base());
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            if let Some(kilobytes) = resident_kilobytes(process.id()) {
                resident.push(kilobytes / 1024.0);
            }
            process.kill();
        }
    }
    println!(
        "from start to first answer: {:.0} ms with a new database, {:.0} ms with one",
        median(&mut fresh),
        median(&mut again)
    );
    if resident.is_empty() {
        println!("idle memory: not measured (this system has no /proc)");
    } else {
        println!("idle memory: {:.1} MiB resident", median(&mut resident));
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn first_answer(base: &str) {
    let address = base.strip_prefix("http://").expect("an http address");
    let mut connection = TcpStream::connect(address).expect("it listens");
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// `VmRSS` of a process, from Linux's /proc.
fn resident_kilobytes(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
