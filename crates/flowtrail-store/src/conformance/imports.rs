//! What is restored from an export: as it was, once, and spared for a while.

use flowtrail_types::UserId;
use flowtrail_types::lifecycle::{Outcome, Told};
use uuid::Uuid;

use super::build::{apply, at, end, execution_id, flow_id, node, read, start};
use crate::{Applied, Command, EndedQuery, Import, ImportedOf, Refusal, Store};

/// An execution that was recorded elsewhere, restored now.
fn restored(number: u64) -> Command {
    let mut start = start(number);
    start.recorded_at = at(-3_600);
    start.import = Some(Import { at: at(0), cancel_requested: true });
    let mut end = end(Told::Inferred, Outcome::Aborted(None));
    end.recorded_at = at(-3_599);
    let mut command = Command::record(start, vec![node(1)], end).unwrap().unwrap();
    command.stamp(at(60));
    command
}

/// Nothing of it is what it would be if it were recorded now, and the same again is one.
pub fn what_is_restored_stays_as_it_was(store: &dyn Store) {
    assert_eq!(apply(store, restored(1)), Ok(Applied::Written));
    let execution = read(store, 1);
    assert_eq!((execution.created_at, execution.updated_at), (at(-3_600), at(-3_599)));
    assert!(execution.cancel_requested && execution.summary.inferred);
    assert_eq!(apply(store, restored(1)), Ok(Applied::Already));
    let mut other = start(1);
    other.digest = flowtrail_types::Digest::of(&[b"other"]);
    let over = end(Told::Reported, Outcome::Fulfilled);
    let other = Command::record(other, Vec::new(), over).unwrap().unwrap();
    assert!(matches!(apply(store, other), Err(Refusal::Conflict { .. })));
    // Lists tell what was recorded until the restoring.
    assert_eq!(store.executions().last_recorded_at().unwrap(), Some(at(60)));
}

/// Retention can leave out what was restored since a time, and knows how much that is.
pub fn what_was_restored_since_can_be_left_out(store: &dyn Store) {
    let executions = store.executions();
    assert_eq!(executions.imported_since(at(0)).unwrap(), []);
    apply(store, restored(1)).unwrap();
    let over = end(Told::Reported, Outcome::Fulfilled);
    apply(store, Command::record(start(2), Vec::new(), over).unwrap().unwrap()).unwrap();
    let found = executions.imported_since(at(60)).unwrap();
    let [ImportedOf { flow, count: 1, bytes: 1.. }] = found[..] else { panic!("{found:?}") };
    assert_eq!(flow, flow_id(1));
    assert_eq!(executions.imported_since(at(61)).unwrap(), []);
    let ids = |since| {
        let query =
            EndedQuery { flow: None, before: None, after: None, spare_imported_since: since, limit: 10 };
        let items = executions.list_ended(&query).unwrap().items;
        items.iter().map(crate::Ended::id).collect::<Vec<_>>()
    };
    let (both, one) = ([execution_id(1), execution_id(2)], [execution_id(2)]);
    assert_eq!(ids(None), both);
    assert_eq!(ids(Some(at(60))), one);
    assert_eq!(ids(Some(at(61))), both);
}

/// Somebody who is no user here has a name all the same, and is none.
pub fn the_names_of_strangers_are_remembered(store: &dyn Store) {
    let stranger = UserId::from_uuid(Uuid::from_u128(0x5));
    store.users().remember(stranger, "Ada of elsewhere", at(0)).unwrap();
    store.users().remember(stranger, "somebody else", at(1)).unwrap();
    assert_eq!(store.users().lookup(stranger).unwrap(), None);
    assert!(store.users().list().unwrap().iter().all(|user| user.id != stranger));
    let mut start = start(1);
    start.user_id = Some(stranger);
    apply(store, Command::Start(Box::new(start))).unwrap();
    assert_eq!(read(store, 1).summary.user_name.as_deref(), Some("Ada of elsewhere"));
}
