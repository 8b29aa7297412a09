//! What lists cost: how far they are searched, what is asked for deep pages, and that one answer is of one moment.

mod support;

use std::cell::RefCell;

use diesel::connection::{
    Instrumentation, InstrumentationEvent, SimpleConnection, set_default_instrumentation,
};
use diesel::prelude::*;
use flowtrail_store::{Command, EndedQuery, Found, NewPrune, Store};
use flowtrail_store_diesel::{DatabaseUrl, PostgresStore, SqliteStore, testing};
use flowtrail_types::{
    Cursor, ExecutionFilter, ExecutionId, ExecutionQuery, ExecutionStatus, Place, Source, StatsQuery,
    Visibility,
};
use support::{T0, execution_id, fill, flow_id, record, start};
use time::Duration;

thread_local! {
    /// What this thread has sent: statements, and whether a transaction was open.
    static SENT: RefCell<(Vec<(String, bool)>, bool)> = const { RefCell::new((Vec::new(), false)) };
}

struct Listener;

impl Instrumentation for Listener {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        SENT.with_borrow_mut(|(sent, is_open)| match event {
            InstrumentationEvent::BeginTransaction { .. } => *is_open = true,
            InstrumentationEvent::CommitTransaction { .. }
            | InstrumentationEvent::RollbackTransaction { .. } => *is_open = false,
            InstrumentationEvent::StartQuery { query, .. } => sent.push((query.to_string(), *is_open)),
            _ => {}
        });
    }
}

/// What is sent by a question.
fn sent_by(ask: impl FnOnce()) -> Vec<(String, bool)> {
    SENT.with_borrow_mut(|(sent, _)| sent.clear());
    ask();
    SENT.with_borrow(|(sent, _)| sent.clone())
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

/// All that a list has, by its cursor.
fn whole(store: &dyn Store, filter: &ExecutionFilter) -> Vec<ExecutionId> {
    let mut query = ExecutionQuery { limit: 5_000, ..page(filter.clone(), 0) };
    let mut seen = Vec::new();
    loop {
        let found = find(store, &query);
        let last = found.items.last().map(|last| Place { started_at: last.started_at, id: last.id });
        seen.extend(ids(&found));
        let Some(last) = found.searched_to.or(last) else { return seen };
        query.after = Some(Cursor::below(last, 0));
    }
}

#[test]
fn searches_are_bounded_and_pages_by_number_are_right_or_not_reached() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    fill(&store, 42_000);

    // An anchor before everything leaves all rows out, and only a bounded part of them is looked at.
    let anchored = ExecutionQuery { as_of: Some(T0 - Duration::DAY), ..page(ExecutionFilter::default(), 0) };
    let found = find(&store, &anchored);
    assert!(found.items.is_empty() && found.searched_to.is_some(), "{found:?}");
    // One that is as new as the last record costs no search.
    let latest = store.executions().last_recorded_at().unwrap();
    let newest = ExecutionQuery { as_of: latest, ..page(ExecutionFilter::default(), 0) };
    let sent = sent_by(|| assert_eq!(find(&store, &newest).items.len(), 20));
    assert!(sent.iter().all(|(text, _)| !text.contains("created_at` <=")), "{sent:#?}");

    // A filter without an index: what is found by number is what is found by cursor, or it is not reached.
    let filter = ExecutionFilter { source: Some(Source::Mcp), ..ExecutionFilter::of_flow(flow_id(0)) };
    let all = whole(&store, &filter);
    assert_eq!(all.len(), 85);
    for offset in [20usize, 59, 60, 79] {
        let found = find(&store, &page(filter.clone(), offset as u64));
        assert!(!found.items.is_empty());
        assert_eq!(ids(&found), all.iter().skip(offset).take(found.items.len()).copied().collect::<Vec<_>>());
        assert_eq!(found.searched_to.is_none(), found.items.len() == 20, "from {offset}");
    }
    let found = find(&store, &page(filter, 83));
    assert!(found.items.is_empty() && found.searched_to.is_some(), "{found:?}");

    // A merged list: the same pages as the whole one, down to where it is no longer searched.
    let visibility =
        Visibility::Limited { flows: (0..40).map(flow_id).collect(), user: support::ME, own_in: Vec::new() };
    for offset in [0u64, 31, 1_000, 19_990] {
        let plain = page(ExecutionFilter::default(), offset);
        let merged = ExecutionQuery { visibility: visibility.clone(), ..plain.clone() };
        assert_eq!(find(&store, &merged), find(&store, &plain), "from {offset}");
    }
    let plain = page(ExecutionFilter::default(), u64::MAX);
    let found = find(&store, &ExecutionQuery { visibility, ..plain.clone() });
    assert!(found.items.is_empty() && found.searched_to.is_some(), "{found:?}");
    assert_eq!(find(&store, &plain), Found::default(), "the list is shorter than that");

    // Beside a prune: what stands above its place and what stays below it are one list.
    let below = Place { started_at: start(20_000).started_at, id: execution_id(20_000) };
    store.executions().begin_prune(&NewPrune::of_flow(flow_id(0), Some(below))).unwrap();
    let late = (50_000..50_030).map(|number| {
        let mut late = start(number * 2);
        late.started_at = T0 + Duration::minutes(i64::try_from(number).unwrap() - 50_000);
        Command::Start(Box::new(late))
    });
    store.executions().commit(&late.collect::<Vec<_>>()).unwrap();
    let filter = ExecutionFilter::of_flow(flow_id(0));
    let all = whole(&store, &filter);
    let above = all.len() - 30;
    assert!(above > 10_000);
    for offset in [above - 30, above - 10, above - 1, above, above + 5, above + 29, above + 30, above + 999] {
        let expected: Vec<ExecutionId> = all.iter().skip(offset).take(20).copied().collect();
        assert_eq!(ids(&find(&store, &page(filter.clone(), offset as u64))), expected, "from {offset}");
    }
}

#[test]
fn an_old_anchor_does_not_make_every_hour_be_counted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let batch: Vec<Command> = (0..800u64)
        .map(|number| {
            let mut hourly = start(number);
            hourly.started_at = T0 + Duration::hours(i64::try_from(number).unwrap());
            Command::Start(Box::new(hourly))
        })
        .collect();
    store.executions().commit(&batch).unwrap();
    let query = ExecutionQuery { as_of: Some(T0 - Duration::DAY), ..page(ExecutionFilter::default(), 2_000) };
    let sent = sent_by(|| assert_eq!(find(&store, &query), Found::default()));
    assert!(sent.len() < 600, "{} statements were sent", sent.len());
}

#[test]
fn a_deep_page_joins_nothing_for_what_it_leaves_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    fill(&store, 6_000);
    for status in [None, Some(ExecutionStatus::Fulfilled), Some(ExecutionStatus::Error)] {
        for filter in [ExecutionFilter::default(), ExecutionFilter::of_flow(flow_id(0))] {
            let filter = ExecutionFilter { status, ..filter };
            for offset in [40, 1_100, 2_300] {
                let sent = sent_by(|| drop(find(&store, &page(filter.clone(), offset))));
                let joined = sent.iter().find(|(text, _)| text.contains(" JOIN ") && text.contains("OFFSET"));
                assert_eq!(joined, None, "{filter:?} from {offset}");
            }
        }
    }
}

/// Asks everything that takes more than one statement.
fn one_moment(store: &dyn Store) {
    store.executions().commit(&[record(1), record(2), Command::Start(Box::new(start(3)))]).unwrap();
    let executions = store.executions();
    let query = page(ExecutionFilter::default(), 0);
    let sent = sent_by(|| {
        executions.list(&query).unwrap();
        executions.count(&query, 100).unwrap();
        executions.last_started_at(&StatsQuery::of_all()).unwrap();
        executions
            .list_ended(&EndedQuery {
                flow: None,
                before: None,
                after: None,
                spare_imported_since: None,
                limit: 10,
            })
            .unwrap();
        assert!(executions.lookup(execution_id(3)).unwrap().is_some());
        assert!(executions.lookup_summary(execution_id(3)).unwrap().is_some());
    });
    let rows = sent.iter().filter(|(text, _)| text.contains("executions"));
    let outside: Vec<_> = rows.clone().filter(|(_, is_inside)| !is_inside).collect();
    assert!(rows.count() >= 6 && outside.is_empty(), "{outside:#?}");
}

#[test]
fn an_answer_is_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    one_moment(&open(&folder));
    let Some(database) = testing::test_database() else { return };
    one_moment(&PostgresStore::open(&database.url().parse().unwrap()).unwrap());
}

#[test]
fn an_absurd_page_is_not_walked_to() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let mut raw = SqliteConnection::establish(&folder.path().join("flowtrail.db").to_string_lossy()).unwrap();
    raw.batch_execute(
        "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < 100010) \
         INSERT INTO executions (id, flow_id, flow_name, source, status, inferred, started_at, deadline_at, \
         cancel_requested, capture_policy, digest, created_at, updated_at) \
         SELECT randomblob(16), x'00000000000000000000000000000001', 'Orders', 'mcp', 'pending', 0, number, 1, 0, \
         'full', x'00', 0, 0 FROM numbers",
    )
    .unwrap();
    let filter =
        ExecutionFilter { from: Some(time::OffsetDateTime::UNIX_EPOCH), ..ExecutionFilter::default() };
    let last = find(&store, &page(filter.clone(), 100_000));
    assert_eq!((last.items.len(), last.searched_to), (10, None));
    let deeper = find(&store, &page(filter, 100_001));
    assert!(deeper.items.is_empty() && deeper.searched_to.is_some(), "{:?}", deeper.searched_to);
}
