//! Places in a history, at random.

use flowtrail_store::Store;
use flowtrail_types::{Clock, Cursor, ExecutionFilter, ExecutionId, ExecutionQuery, Place, SystemClock};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::random::Random;

/// A page of all executions that are there.
pub(crate) fn page(filter: ExecutionFilter, limit: u32) -> ExecutionQuery {
    ExecutionQuery::newest(filter, limit)
}

/// Just below a time.
pub(crate) fn cursor_at(started_at: OffsetDateTime) -> Cursor {
    Cursor::below(Place { started_at, id: ExecutionId::from_uuid(Uuid::nil()) }, 0)
}

/// When the oldest execution began.
pub(crate) fn oldest(store: &dyn Store) -> OffsetDateTime {
    let query = flowtrail_store::EndedQuery {
        flow: None,
        before: None,
        after: None,
        spare_imported_since: None,
        limit: 1,
    };
    let page = store.executions().list_ended(&query).expect("it answers");
    page.items.first().map_or_else(|| SystemClock.now(), |ended| ended.place.started_at)
}

/// The ids of executions that began at random times.
pub(crate) fn random_ids(store: &dyn Store, count: usize) -> Vec<ExecutionId> {
    let executions = store.executions();
    let begin = oldest(store);
    let newest = executions.list(&page(ExecutionFilter::default(), 1)).expect("it answers");
    let end = newest.items.first().map_or(begin, |newest| newest.started_at);
    let mut random = Random::of(3, 0);
    (0..count)
        .map(|_| {
            let mut query = page(ExecutionFilter::default(), 1);
            query.after = Some(cursor_at(begin + (end - begin) * (0.001 + 0.998 * random.share())));
            executions.list(&query).expect("it answers").items[0].id
        })
        .collect()
}
