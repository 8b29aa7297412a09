//! `flowtrail executions prune`: deletes the older part of the history.

use std::time::{Duration, Instant};

use flowtrail_tracker::{Keep, Tracker};
use flowtrail_types::{Age, Principal};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::find;
use crate::Failure;
use crate::failure::Doing;
use crate::terminal::{self, say};

/// What is asked for.
pub(super) struct Wish {
    pub(super) flow: Option<String>,
    pub(super) keep: Option<u64>,
    pub(super) older_than: Option<Age>,
    pub(super) dry_run: bool,
    pub(super) json: bool,
}

pub(super) fn run(tracker: &Tracker, me: &Principal, wish: &Wish) -> Result<(), Failure> {
    let flow = wish.flow.as_deref().map(|named| find::flow_id(tracker, me, named)).transpose()?;
    let keep = match (wish.keep, wish.older_than) {
        (Some(keep), _) => Keep::Newest(keep),
        (None, Some(age)) => Keep::Since(tracker.clock().now() - age.0),
        (None, None) => return Err(Failure::new("say what goes: --keep NUMBER or --older-than AGE")),
    };
    if wish.dry_run {
        let count = match flow {
            Some(flow) => tracker.count_prunable(me, flow, keep)?,
            None => tracker.count_prunable_of_all(me, keep)?,
        };
        return tell(wish, count, "would be deleted");
    }
    let gone = match flow {
        Some(flow) => tracker.prune(me, flow, keep)?,
        None => tracker.prune_all(me, keep)?,
    };
    if !wish.json {
        let what = if gone == 1 { "execution is" } else { "executions are" };
        say(format_args!("{gone} {what} gone from every answer"));
    }
    delete_rows(tracker, gone)?;
    tell(wish, gone, "deleted")
}

/// Deletes the rows of what is gone here, so that the command ends when all is done.
fn delete_rows(tracker: &Tracker, gone: u64) -> Result<(), Failure> {
    let style =
        ProgressStyle::with_template("{bar:40} {human_pos} of {human_len}  {per_sec}, {eta} left  {msg}")
            .doing("cannot draw")?;
    let bar = ProgressBar::new(gone).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(100));
    let mut done = 0;
    loop {
        let begun = Instant::now();
        let (deleted, is_done) = tracker.continue_prune()?;
        done += deleted;
        bar.set_position(done.min(gone));
        if deleted == 0 {
            bar.set_message("counting what is gone");
        }
        if is_done {
            break;
        }
        // A server on the same database gets its turn.
        std::thread::park_timeout(begun.elapsed());
    }
    bar.finish_and_clear();
    Ok(())
}

fn tell(wish: &Wish, count: u64, what: &str) -> Result<(), Failure> {
    if wish.json {
        return terminal::json(&json!({"deleted": count, "dryRun": wish.dry_run}));
    }
    let executions = if count == 1 { "execution" } else { "executions" };
    say(format_args!("{count} {executions} {what}"));
    Ok(())
}
