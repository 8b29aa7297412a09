//! `flowtrail stats`: statistics at the terminal.

use flowtrail_tracker::StatsRange;
use flowtrail_types::{Counting, Statistics, Step, timestamp};

use super::{find, open};
use crate::terminal::{self, Table, say};
use crate::wiring::Access;
use crate::{Config, Failure};

pub(super) fn run(
    config: &Config,
    flow: Option<&str>,
    by: Option<&str>,
    recorded: bool,
    json: bool,
) -> Result<(), Failure> {
    let (tracker, me) = open(config, Access::Read)?;
    let flow = flow.map(|named| find::flow_id(&tracker, &me, named)).transpose()?;
    let counting = if recorded { Counting::Recorded } else { Counting::Stored };
    let range = StatsRange { counting, ..StatsRange::default() };
    let Some(by) = by else {
        let figures = tracker.statistics(&me, flow, range)?;
        if json {
            return terminal::json(&figures);
        }
        show(&figures);
        return Ok(());
    };
    let step = if by == "hour" { Step::Hour } else { Step::Day };
    let points = tracker.time_series(&me, flow, range, step)?;
    if json {
        return terminal::json(&points);
    }
    let mut table = Table::new(&[
        "FROM",
        "TOTAL",
        "FULFILLED",
        "ERROR",
        "ABORTED",
        "PENDING",
        "REJECTED",
        "P50",
        "P95",
        "P99",
    ]);
    for point in points {
        let Statistics { total, fulfilled, error, aborted, pending, rejected, .. } = point.figures;
        let [p50, p95, p99] =
            [point.figures.p50_duration, point.figures.p95_duration, point.figures.p99_duration].map(millis);
        table.row([
            timestamp::format(point.at),
            total.to_string(),
            fulfilled.to_string(),
            error.to_string(),
            aborted.to_string(),
            pending.to_string(),
            rejected.to_string(),
            p50,
            p95,
            p99,
        ]);
    }
    table.print();
    Ok(())
}

fn millis(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |millis| format!("{millis:.1} ms"))
}

fn show(figures: &Statistics) {
    let rate = figures.success_rate.map_or_else(|| "–".to_owned(), |rate| format!("{:.2}%", rate * 100.0));
    say(format_args!("total      {}", figures.total));
    say(format_args!("fulfilled  {}", figures.fulfilled));
    say(format_args!("error      {}", figures.error));
    say(format_args!("aborted    {}", figures.aborted));
    say(format_args!("pending    {}", figures.pending));
    say(format_args!("rejected   {}", figures.rejected));
    say(format_args!("success    {rate}"));
    say(format_args!("average    {}", millis(figures.avg_duration)));
    say(format_args!("p50        {}", millis(figures.p50_duration)));
    say(format_args!("p95        {}", millis(figures.p95_duration)));
    say(format_args!("p99        {}", millis(figures.p99_duration)));
    let last = figures.last_execution_at.map_or_else(|| "–".to_owned(), timestamp::format);
    say(format_args!("last       {last}"));
}
