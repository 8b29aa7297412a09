//! `flowtrail executions export`: the history as a file.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use flowtrail_http::{Export, ExportFormat};
use flowtrail_tracker::Tracker;
use flowtrail_types::{ExecutionFilter, Principal};
use indicatif::{ProgressBar, ProgressStyle};

use crate::Failure;
use crate::failure::Doing;

pub(super) fn run(
    tracker: &Tracker,
    me: &Principal,
    filter: &ExecutionFilter,
    format: ExportFormat,
    output: Option<&Path>,
) -> Result<(), Failure> {
    let mut export = Export::begin(tracker, me, filter, format)?;
    let Some(path) = output else {
        return match write(&mut export, &mut std::io::stdout().lock()) {
            // A reader that has gone away, like `head`, is no failure.
            Err(Broken::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            other => other.doing("cannot write to standard output"),
        };
    };
    let file = File::create_new(path).doing(format_args!("cannot make {}", path.display()))?;
    let mut file = BufWriter::new(file);
    let written = write(&mut export, &mut file)
        .and_then(|()| file.into_inner().map_err(|error| Broken::Output(error.into_error())))
        .and_then(|file| file.sync_all().map_err(Broken::Output));
    if written.is_err() {
        // Nobody takes it for whole.
        drop(std::fs::remove_file(path));
    }
    written.doing(format_args!("cannot write {}", path.display()))
}

/// Why an export broke off.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{0}")]
    Input(#[from] flowtrail_tracker::TrackerError),
    #[error("{0}")]
    Output(#[from] std::io::Error),
}

fn write(export: &mut Export, to: &mut impl Write) -> Result<(), Broken> {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} executions  {per_sec}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    to.write_all(export.head().as_bytes())?;
    while let Some((part, count)) = export.next_part()? {
        to.write_all(&part)?;
        bar.inc(count as u64);
    }
    to.flush()?;
    bar.finish_and_clear();
    Ok(())
}
