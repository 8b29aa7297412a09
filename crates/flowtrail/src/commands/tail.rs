//! `flowtrail executions tail`: executions as they begin and end.

use std::collections::HashMap;

use flowtrail_tracker::{EventKind, Listener, Tracker};
use flowtrail_types::{
    ExecutionFilter, ExecutionId, ExecutionStatus, ExecutionSummary, FlowId, PageRequest, Principal,
    timestamp,
};
use time::OffsetDateTime;

use super::serve::stop_signal;
use super::{block_on, executions, runtime};
use crate::Failure;
use crate::failure::Doing;
use crate::terminal;

pub(super) fn run(
    tracker: &Tracker,
    me: &Principal,
    flow: Option<FlowId>,
    last: u32,
    json: bool,
) -> Result<(), Failure> {
    // Before it is looked: what happens in between is shown by both, once.
    let mut listener = tracker.listen(me, flow, None)?;
    let since = (last == 0).then(|| tracker.clock().now());
    let mut shown = Shown { json, statuses: HashMap::new(), since };
    if last > 0 && !shown.newest(tracker, me, flow, last)? {
        return Ok(());
    }
    block_on(runtime()?, async {
        tokio::select! {
            () = stop_signal() => Ok(()),
            ended = follow(tracker, me, flow, &mut listener, &mut shown) => ended,
        }
    })
}

async fn follow(
    tracker: &Tracker,
    me: &Principal,
    flow: Option<FlowId>,
    listener: &mut Listener,
    shown: &mut Shown,
) -> Result<(), Failure> {
    loop {
        let Ok(heard) = listener.next().await else {
            terminal::hint("more happened than could be shown: `flowtrail executions list` has it all");
            *listener = tracker.listen(me, flow, None)?;
            continue;
        };
        for one in heard {
            match (one.event.kind, one.event.execution) {
                (EventKind::ExecutionStarted | EventKind::ExecutionEnded, Some(id)) => {
                    // As it is now: a moment later it may be gone.
                    if let Ok(execution) = tracker.execution_summary(me, id)
                        && !shown.show(&execution)?
                    {
                        return Ok(());
                    }
                }
                // What was missed is among the newest, as far as they go.
                (EventKind::Resync, _) if !shown.newest(tracker, me, flow, PageRequest::MAX_LIMIT)? => {
                    return Ok(());
                }
                _ => {}
            }
        }
    }
}

/// What was shown, so that nothing is shown twice.
struct Shown {
    json: bool,
    statuses: HashMap<ExecutionId, ExecutionStatus>,
    /// When the oldest one began that was shown at first: what is older is not news.
    since: Option<OffsetDateTime>,
}

impl Shown {
    /// Shows the newest executions that were not shown yet, oldest first. False when nobody reads any more.
    fn newest(
        &mut self,
        tracker: &Tracker,
        me: &Principal,
        flow: Option<FlowId>,
        count: u32,
    ) -> Result<bool, Failure> {
        let filter = ExecutionFilter { flow, from: self.since, ..ExecutionFilter::default() };
        let found = tracker.executions(me, &filter, PageRequest::numbered(1, count))?;
        if self.since.is_none() {
            self.since = found.page.items.last().map(|oldest| oldest.started_at);
        }
        for execution in found.page.items.iter().rev() {
            if !self.show(execution)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Shows an execution. False when nobody reads any more.
    fn show(&mut self, execution: &ExecutionSummary) -> Result<bool, Failure> {
        if self.statuses.insert(execution.id, execution.status) == Some(execution.status) {
            return Ok(true);
        }
        // Of what has been missed no more than a page is shown again, so that long ago need not be remembered.
        if self.statuses.len() > 10_000 {
            self.statuses.retain(|_, status| !status.is_final());
            self.since = Some(execution.started_at);
        }
        let line = if self.json {
            serde_json::to_string(execution).doing("the execution cannot be shown")?
        } else {
            let took = execution.duration_ms.map_or_else(|| "…".to_owned(), |ms| format!("{ms} ms"));
            let what = execution.error.as_ref().or(execution.initial_params_preview.as_ref());
            format!(
                "{}  {:<12}  {took:>10}  {}  {}  {}",
                timestamp::format(execution.started_at),
                executions::mark(execution.status, execution.inferred),
                execution.flow_name,
                execution.id,
                what.map_or("", String::as_str),
            )
        };
        Ok(terminal::is_read(line))
    }
}
