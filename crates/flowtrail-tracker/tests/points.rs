//! Points of a plot: all there are, or an even choice.

use std::sync::Arc;

use flowtrail_store::MemoryStore;
use flowtrail_tracker::{FinishedExecution, Options, StartExecution, Tracker};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{Flow, ManualClock, Principal, Source};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const T0: OffsetDateTime = datetime!(2026-01-06 12:00 UTC);

/// So many executions: one every second of the first half hour, and one every two seconds from then on.
fn recorded(count: i64) -> (Tracker, Principal, Arc<Flow>) {
    let clock = Arc::new(ManualClock::new(T0 + Duration::days(1)));
    let options = Options { clock, housekeeping: None, upkeep: false, ..Options::default() };
    let tracker = Tracker::with_options(MemoryStore::new(), options).unwrap();
    let me = tracker.local_administrator().unwrap();
    let flow = tracker.external_flow(&me, "Import").unwrap();
    let acks: Vec<_> = (0..count)
        .map(|second| {
            let at = T0 + Duration::seconds(second.min(1_800) + 2 * (second - 1_800).max(0));
            let start = StartExecution::of(&flow, Source::Embedded).started_at(at);
            let finished = FinishedExecution::new(Outcome::Fulfilled, at + Duration::milliseconds(5));
            tracker.record(&me, &start, &finished).unwrap()
        })
        .collect();
    for ack in acks {
        ack.wait().unwrap();
    }
    (tracker, me, flow)
}

#[test]
fn few_are_all_there_and_many_are_chosen_evenly() {
    let (tracker, me, flow) = recorded(5_200);
    let of = |from, to| tracker.points(&me, flow.id, from, to).unwrap();
    let some = of(Some(T0 + Duration::seconds(10)), Some(T0 + Duration::seconds(610)));
    assert_eq!((some.ids.len(), some.thinned), (600, false), "of an hour with 2,700");
    assert_eq!(some.started_at[0], "2026-01-06T12:00:10.000Z", "oldest first");
    assert_eq!((some.duration[0], some.status.len()), (Some(5.0), 600));

    let all = of(None, None);
    assert!(all.thinned);
    let count = all.ids.len();
    assert!((3_000..=5_000).contains(&count), "{count}");
    assert!(all.started_at.is_sorted());
    // The first hour has about half of them.
    let middle = "2026-01-06T13:00:00.000Z".to_owned();
    let first = all.started_at.partition_point(|at| *at < middle);
    assert!((count * 2 / 5..count * 3 / 5).contains(&first), "{first} of {count}");
    assert_eq!(of(Some(T0 + Duration::hours(5)), None).ids.len(), 0);
}
