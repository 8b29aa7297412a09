//! Who listens is told, and who is too slow is told that, too.

use flowtrail_store::MemoryStore;
use flowtrail_tracker::{EventKind, FinishedExecution, Options, StartExecution, TooSlow, Tracker};
use flowtrail_types::Source;
use flowtrail_types::lifecycle::Outcome;

/// More than are kept.
const MANY: usize = 8_192 + 100;

#[test]
fn who_is_too_slow_loses_events_and_nobody_waits_for_them() {
    let options = Options { housekeeping: None, upkeep: false, ..Options::default() };
    let tracker = Tracker::with_options(MemoryStore::new(), options).unwrap();
    let me = tracker.local_administrator().unwrap();
    let flow = tracker.external_flow(&me, "Import").unwrap();
    assert_eq!(tracker.listeners(), 0);
    let mut slow = tracker.listen(&me, None, None).unwrap();
    let mut quick = tracker.listen(&me, None, None).unwrap();
    assert_eq!(tracker.listeners(), 2);
    let place = slow.position();
    let hearing = std::thread::spawn(move || {
        let mut heard = 0;
        while heard < MANY {
            heard += pollster::block_on(quick.next()).expect("it keeps up").len();
        }
        heard
    });
    let start = StartExecution::of(&flow, Source::Embedded);
    for _ in 0..MANY {
        let finished = FinishedExecution::new(Outcome::Fulfilled, tracker.clock().now());
        tracker.record(&me, &start, &finished).unwrap().wait().unwrap();
    }
    assert_eq!(hearing.join().unwrap(), MANY);
    assert_eq!(pollster::block_on(slow.next()), Err(TooSlow));
    // What it comes back to is the end, with the word to fetch again.
    let mut again = tracker.listen(&me, None, Some(&place)).unwrap();
    let told = pollster::block_on(again.next()).unwrap();
    assert_eq!(told.iter().map(|one| one.event.kind).collect::<Vec<_>>(), [EventKind::Resync]);
    let finished = FinishedExecution::new(Outcome::Fulfilled, tracker.clock().now());
    let (id, _) = tracker.record(&me, &start, &finished).unwrap().wait().unwrap();
    let told = pollster::block_on(again.next()).unwrap();
    assert_eq!(told.iter().map(|one| one.event.execution).collect::<Vec<_>>(), [Some(id)]);
}
