//! `flowtrail executions import`: a file that was exported, back into the history.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flowtrail_http::Import;
use flowtrail_tracker::{ImportCounts, Tracker};
use flowtrail_types::Principal;
use indicatif::{ProgressBar, ProgressStyle};

use crate::Failure;
use crate::failure::Doing;
use crate::terminal::{self, say};

/// How many lines are written together, and how many bytes of them are read for that.
const TOGETHER: usize = 128;
const BYTES_TOGETHER: usize = 8 << 20;
/// How many lines are told of that were not imported.
const MOST_TOLD: usize = 10;

pub(super) fn run(
    tracker: &Tracker,
    me: &Principal,
    file: &Path,
    max_line: usize,
    json: bool,
) -> Result<(), Failure> {
    let import = Import::begin(tracker, me)?;
    let reading = || format!("cannot read {}", file.display());
    let (input, size): (Box<dyn Read>, Option<u64>) = if file == Path::new("-") {
        (Box::new(std::io::stdin()), None)
    } else {
        let opened = File::open(file).doing(reading())?;
        let size = opened.metadata().ok().map(|about| about.len());
        (Box::new(opened), size)
    };
    let bar = size.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    if let Ok(style) =
        ProgressStyle::with_template("{spinner} {binary_bytes}  {binary_bytes_per_sec}  {eta} left")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    let mut counts = ImportCounts::default();
    let read = read_all(&import, BufReader::new(input), max_line, &bar, &mut counts);
    bar.finish_and_clear();
    // What was imported until then stays imported.
    import.note(counts)?;
    let told = read.doing(reading())?;
    if json {
        terminal::json(&counts)?;
    } else {
        let ImportCounts { created, exists, invalid, conflict } = counts;
        say(format_args!(
            "{created} imported, {exists} were here already, {invalid} invalid, {conflict} in conflict"
        ));
    }
    if told.is_empty() {
        return Ok(());
    }
    let more = (counts.invalid + counts.conflict).saturating_sub(told.len() as u64);
    let more = if more > 0 { format!("\nand {more} more") } else { String::new() };
    Err(Failure::new(format!("not all lines were imported:\n{}{more}", told.join("\n"))))
}

/// Imports line by line, and returns the first lines that were not imported, with the reasons.
fn read_all(
    import: &Import,
    mut input: impl BufRead,
    max_line: usize,
    bar: &ProgressBar,
    counts: &mut ImportCounts,
) -> std::io::Result<Vec<String>> {
    const BOM: &[u8] = b"\xef\xbb\xbf";
    let mut told = Vec::new();
    let mut number = 0u64;
    let mut is_over = false;
    while !is_over {
        let (mut numbers, mut lines, mut bytes) = (Vec::new(), Vec::new(), 0);
        while lines.len() < TOGETHER && bytes < BYTES_TOGETHER {
            let mut line = Vec::new();
            let most = max_line as u64 + 2;
            let length = input.by_ref().take(most).read_until(b'\n', &mut line)?;
            if length == 0 {
                is_over = true;
                break;
            }
            number += 1;
            bytes += length;
            bar.inc(length as u64);
            if number == 1 && line.starts_with(BOM) {
                line.drain(..BOM.len());
            }
            if line.len() > max_line && line.last() != Some(&b'\n') {
                counts.invalid += 1;
                bar.inc(skip_line(&mut input)?);
                tell(&mut told, number, &format!("longer than {max_line} bytes"));
            } else if !line.trim_ascii().is_empty() {
                numbers.push(number);
                lines.push(line);
            }
        }
        for (number, became) in numbers.into_iter().zip(import.lines(&lines)) {
            Import::count(counts, &became);
            if let Err(error) = became {
                tell(&mut told, number, &error.to_string());
            }
        }
    }
    Ok(told)
}

/// Reads to the end of a line that is too long, and keeps nothing of it.
fn skip_line(input: &mut impl BufRead) -> std::io::Result<u64> {
    let mut skipped = 0;
    loop {
        let available = input.fill_buf()?;
        if available.is_empty() {
            return Ok(skipped);
        }
        let end = available.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let taken = end.unwrap_or(available.len());
        input.consume(taken);
        skipped += taken as u64;
        if end.is_some() {
            return Ok(skipped);
        }
    }
}

fn tell(told: &mut Vec<String>, number: u64, why: &str) {
    if told.len() < MOST_TOLD {
        told.push(format!("line {number}: {why}"));
    }
}
