//! What searches cost that no index answers: how far they go, what the answer says of it, and what is found by a key.

mod support;

use std::cell::RefCell;

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use flowtrail_store::{Command, Counted, Found, Store};
use flowtrail_store_diesel::{DatabaseUrl, SqliteStore};
use flowtrail_types::{Cursor, ExecutionFilter, ExecutionId, ExecutionQuery, Place, SortKey, Visibility};
use support::{execution_id, fill, flow_id, start};
use time::Duration;

thread_local! {
    /// The statements that this thread has sent.
    static SENT: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Listener;

impl Instrumentation for Listener {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            SENT.with_borrow_mut(|sent| sent.push(query.to_string()));
        }
    }
}

/// What is sent by a question.
fn sent_by(ask: impl FnOnce()) -> Vec<String> {
    SENT.with_borrow_mut(Vec::clear);
    ask();
    SENT.with_borrow(Vec::clone)
}

fn open(folder: &tempfile::TempDir) -> SqliteStore {
    set_default_instrumentation(|| Some(Box::new(Listener))).expect("nothing else instruments");
    SqliteStore::open(&DatabaseUrl::Sqlite(folder.path().join("flowtrail.db"))).unwrap()
}

fn page(filter: ExecutionFilter, offset: u64) -> ExecutionQuery {
    ExecutionQuery { offset, ..ExecutionQuery::newest(filter, 20) }
}

#[track_caller]
fn find(store: &dyn Store, query: &ExecutionQuery) -> Found {
    store.executions().list(query).unwrap()
}

fn ids(found: &Found) -> Vec<ExecutionId> {
    found.items.iter().map(|item| item.id).collect()
}

fn by_duration(filter: ExecutionFilter, offset: u64) -> ExecutionQuery {
    ExecutionQuery { sort: SortKey::Duration, ..page(filter, offset) }
}

/// A record of a flow's own, which took so long.
fn taking(number: u64, took: Duration) -> Command {
    let mut begun = start(number);
    begun.flow_id = flow_id(77);
    let mut over = support::end(&begun, flowtrail_types::lifecycle::Outcome::Fulfilled);
    over.ended_at = begun.started_at + took;
    Command::record(begun, vec![], over).unwrap().unwrap()
}

#[test]
fn the_newest_are_sorted_by_duration_and_the_answer_tells_how_far_that_goes() {
    const COUNT: u64 = 21_000;
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    // The oldest take longest: sorted by duration alone they would come first.
    let took = |number: u64| Duration::milliseconds(i64::try_from((COUNT - number) % 9_000).unwrap());
    for batch in (0..COUNT).collect::<Vec<_>>().chunks(512) {
        let commands: Vec<Command> = batch.iter().map(|number| taking(*number, took(*number))).collect();
        store.executions().commit(&commands).unwrap();
    }
    let mut expected: Vec<u64> = (COUNT - 20_000..COUNT).collect();
    expected.sort_by_key(|number| std::cmp::Reverse((took(*number), *number)));
    let expected: Vec<ExecutionId> = expected.into_iter().map(execution_id).collect();
    let oldest = Place { started_at: start(COUNT - 20_000).started_at, id: execution_id(COUNT - 20_000) };
    let whole = ExecutionFilter::of_flow(flow_id(77));
    let anchor = store.executions().last_recorded_at().unwrap();
    let visibility = Visibility::Limited {
        flows: vec![flow_id(1), flow_id(77)],
        user: support::ME,
        own_in: vec![flow_id(3)],
    };
    let check = |filter: &ExecutionFilter, offset: u64| {
        for visibility in [Visibility::All, visibility.clone()] {
            let query = ExecutionQuery { as_of: anchor, visibility, ..by_duration(filter.clone(), offset) };
            let found = find(&store, &query);
            let offset = usize::try_from(offset).unwrap();
            let page: Vec<ExecutionId> = expected.iter().skip(offset).take(20).copied().collect();
            assert_eq!(ids(&found), page, "{filter:?} from {offset}");
            assert_eq!(found.sorted, Some(Counted { count: 20_000, is_exact: false }), "{filter:?}");
            assert_eq!(found.searched_to, Some(oldest), "{filter:?}");
        }
    };
    let tagged = ExecutionFilter { tag: Some("shop:north".parse().unwrap()), ..whole.clone() };
    for offset in [0, 20, 10_001, 19_990, 20_000] {
        check(&whole, offset);
    }
    check(&tagged, 19_990);
    // What comes after the anchor, and takes longest, leaves the pages of the anchor as they are.
    for batch in (COUNT..COUNT + 3_000).collect::<Vec<_>>().chunks(512) {
        let late = batch.iter().map(|number| taking(*number, Duration::HOUR)).collect::<Vec<_>>();
        store.executions().commit(&late).unwrap();
    }
    for offset in [0, 10_001, 19_990] {
        check(&whole, offset);
        check(&tagged, offset);
    }
    let narrowed = ExecutionFilter { to: Some(oldest.started_at), ..whole };
    let older = find(&store, &by_duration(narrowed, 990));
    assert_eq!((older.items.len(), older.searched_to), (10, None));
    assert_eq!(older.sorted, Some(Counted { count: 1_000, is_exact: true }));
}

#[test]
fn searches_of_many_flows_are_bounded_together() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    fill(&store, 24_000);
    let visibility =
        Visibility::Limited { flows: (0..40).map(flow_id).collect(), user: support::ME, own_in: Vec::new() };
    let nothing = ExecutionFilter { text: Some("nowhere".parse().unwrap()), ..ExecutionFilter::default() };
    let query = ExecutionQuery { visibility, ..page(nothing, 0) };
    let found = find(&store, &query);
    let searched_to = found.searched_to.expect("it has more than is looked at");
    assert!(found.items.is_empty());
    // The same place at which one walk of all would stop, whatever the flows are.
    assert_eq!(searched_to.started_at, start(24_020 - 20_000).started_at);
    let counted = store.executions().count(&query, 10_000).unwrap();
    assert_eq!(counted, Counted { count: 0, is_exact: false });
    let rest = find(&store, &ExecutionQuery { after: Some(Cursor::below(searched_to, 0)), ..query });
    assert_eq!(rest, Found::default());
}

#[test]
fn a_whole_id_is_found_by_its_key_however_long_the_history_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    fill(&store, 22_000);
    let of =
        |text: String| ExecutionFilter { text: Some(text.parse().unwrap()), ..ExecutionFilter::default() };
    let oldest = execution_id(0);
    let sent = sent_by(|| assert_eq!(ids(&find(&store, &page(of(oldest.to_string()), 0))), [oldest]));
    assert!(sent.iter().all(|text| !text.contains("instr(")), "{sent:#?}");
    // The beginning of an id is searched for as a text is.
    let beginning = &oldest.to_string()[..20];
    let found = find(&store, &page(of(beginning.to_owned()), 0));
    assert!(found.items.is_empty() && found.searched_to.is_some(), "{found:?}");
    let of_flow = find(&store, &page(of(flow_id(5).to_string()), 500));
    let plain = find(&store, &page(ExecutionFilter::of_flow(flow_id(5)), 500));
    assert_eq!((of_flow.items.len(), ids(&of_flow)), (20, ids(&plain)));
}
