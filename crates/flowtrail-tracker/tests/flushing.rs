//! Nobody is told that something was recorded before the disk has it.

use std::sync::{Arc, Condvar, Mutex};

use flowtrail_store::{
    Applied, AuditStore, Command, Counted, EndedPage, EndedQuery, ExecutionStore, FlowStore, ForeignWrites,
    Found, ImportedOf, InstanceStore, KeyStore, MemoryStore, NewPrune, PendingExecution, PruneStep, Refusal,
    StatusCounts, Store, StoreError, TokenStore, Upkeep, UserStore,
};
use flowtrail_tracker::{Ack, FinishedExecution, Options, StartExecution, Tracker, TrackerError};
use flowtrail_types::lifecycle::Outcome;
use flowtrail_types::{
    Digest, Execution, ExecutionId, ExecutionQuery, ExecutionSummary, Flow, FlowId, InstanceId, Principal,
    Source, StatsQuery, StatsScope, Step, Tally,
};
use serde_json::json;
use time::OffsetDateTime;

/// What the disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum DiskIs {
    #[default]
    Quick,
    /// It takes until it is told otherwise.
    Stuck,
    Broken,
}

/// A store whose disk does as it is told.
#[derive(Debug, Default)]
struct Disk {
    store: MemoryStore,
    is: Mutex<DiskIs>,
    told: Condvar,
}

impl Disk {
    fn now(&self, is: DiskIs) {
        *self.is.lock().unwrap() = is;
        self.told.notify_all();
    }
}

#[derive(Debug, Clone)]
struct SlowStore(Arc<Disk>);

/// Passes questions on to the store inside.
macro_rules! passed_on {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        $(fn $name(&self, $($argument: $type),*) -> $answer {
            self.0.store.executions().$name($($argument),*)
        })*
    };
}

impl ExecutionStore for SlowStore {
    fn flush(&self) -> Result<(), StoreError> {
        let is = self.0.is.lock().unwrap();
        let is = self.0.told.wait_while(is, |is| *is == DiskIs::Stuck).unwrap();
        match *is {
            DiskIs::Broken => {
                Err(StoreError::NotWritable { reason: "the disk is broken".to_owned(), source: None })
            }
            _ => Ok(()),
        }
    }

    passed_on! {
        commit(batch: &[Command]) -> Result<Vec<Result<Applied, Refusal>>, StoreError>;
        lookup(id: ExecutionId) -> Result<Option<Execution>, StoreError>;
        lookup_summary(id: ExecutionId) -> Result<Option<ExecutionSummary>, StoreError>;
        list(query: &ExecutionQuery) -> Result<Found, StoreError>;
        list_by_end(flow: FlowId, offset: u64, limit: u32) -> Result<Vec<ExecutionSummary>, StoreError>;
        count(query: &ExecutionQuery, bound: u32) -> Result<Counted, StoreError>;
        status_counts(scope: &StatsScope) -> Result<StatusCounts, StoreError>;
        tally(query: &StatsQuery) -> Result<Tally, StoreError>;
        tally_by(query: &StatsQuery, step: Step) -> Result<Vec<(OffsetDateTime, Tally)>, StoreError>;
        last_started_at(query: &StatsQuery) -> Result<Option<OffsetDateTime>, StoreError>;
        last_started_by(query: &StatsQuery, step: Step) -> Result<Vec<(OffsetDateTime, OffsetDateTime)>, StoreError>;
        last_recorded_at() -> Result<Option<OffsetDateTime>, StoreError>;
        foreign_writes() -> Result<ForeignWrites, StoreError>;
        delete(ids: &[ExecutionId]) -> Result<Vec<ExecutionId>, StoreError>;
        begin_prune(prune: &NewPrune) -> Result<u64, StoreError>;
        continue_prune(limit: u32) -> Result<PruneStep, StoreError>;
        list_ended(query: &EndedQuery) -> Result<EndedPage, StoreError>;
        imported_since(since: OffsetDateTime) -> Result<Vec<ImportedOf>, StoreError>;
        pack(ended_before: OffsetDateTime, limit: u32) -> Result<usize, StoreError>;
        list_pending(instance: InstanceId, limit: u32) -> Result<Vec<PendingExecution>, StoreError>;
        list_overdue(now: OffsetDateTime, limit: u32) -> Result<Vec<PendingExecution>, StoreError>;
        list_waiting(key: &Digest, limit: u32) -> Result<Vec<ExecutionId>, StoreError>;
        list_cancel_requested(instance: InstanceId) -> Result<Vec<ExecutionId>, StoreError>;
    }
}

impl Store for SlowStore {
    fn executions(&self) -> &dyn ExecutionStore {
        self
    }

    fn flows(&self) -> &dyn FlowStore {
        self.0.store.flows()
    }

    fn users(&self) -> &dyn UserStore {
        self.0.store.users()
    }

    fn keys(&self) -> &dyn KeyStore {
        self.0.store.keys()
    }

    fn tokens(&self) -> &dyn TokenStore {
        self.0.store.tokens()
    }

    fn audit(&self) -> &dyn AuditStore {
        self.0.store.audit()
    }

    fn instances(&self) -> &dyn InstanceStore {
        self.0.store.instances()
    }

    fn upkeep(&self) -> &dyn Upkeep {
        self.0.store.upkeep()
    }

    fn check(&self) -> Result<(), StoreError> {
        self.0.store.check()
    }

    fn foreign_changes(&self) -> Result<Option<i64>, StoreError> {
        self.0.store.foreign_changes()
    }

    fn rules_mark(&self) -> Option<u64> {
        None
    }

    fn content_mark(&self) -> Option<u64> {
        None
    }
}

struct Fixture {
    disk: Arc<Disk>,
    tracker: Tracker,
    me: Principal,
    flow: Arc<Flow>,
}

fn fixture() -> Fixture {
    let disk = Arc::new(Disk::default());
    let options = Options { housekeeping: None, ..Options::default() };
    let tracker = Tracker::with_options(SlowStore(Arc::clone(&disk)), options).unwrap();
    let me = tracker.local_administrator().unwrap();
    let flow = tracker.external_flow(&me, "Import").unwrap();
    Fixture { disk, tracker, me, flow }
}

impl Fixture {
    fn record(&self) -> Ack<(ExecutionId, Applied)> {
        let params = json!({"day": "2026-01-06"});
        let start = StartExecution::of(&self.flow, Source::Embedded).params(&params);
        let finished = FinishedExecution::new(Outcome::Fulfilled, self.tracker.clock().now());
        self.tracker.record(&self.me, &start, &finished).unwrap()
    }

    fn total(&self) -> u64 {
        self.disk.store.executions().status_counts(&StatsScope::All).unwrap().total()
    }

    /// Waits until something is written, whether the disk has it or not.
    fn wait_for_the_first(&self) {
        while self.total() == 0 {
            std::thread::yield_now();
        }
    }
}

#[test]
fn nobody_is_answered_before_the_disk_has_what_was_written() {
    let f = fixture();
    f.disk.now(DiskIs::Stuck);
    let (sender, answers) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let (ack, sender) = (f.record(), sender.clone());
            scope.spawn(move || sender.send(ack.wait()).unwrap());
        }
        f.wait_for_the_first();
        assert!(answers.try_recv().is_err(), "somebody was answered");
        f.disk.now(DiskIs::Quick);
    });
    for _ in 0..3 {
        assert!(matches!(answers.recv().unwrap(), Ok((_, Applied::Written))));
    }
    assert_eq!(f.total(), 3);
}

#[test]
fn what_the_disk_refuses_is_not_acknowledged_and_can_be_sent_again() {
    let f = fixture();
    f.disk.now(DiskIs::Broken);
    let refused = f.record().wait().unwrap_err();
    assert!(
        matches!(&refused, TrackerError::Store(error) if matches!(**error, StoreError::NotWritable { .. }))
    );
    assert!(refused.to_string().contains("the disk is broken"), "{refused}");
    f.disk.now(DiskIs::Quick);
    assert!(f.record().wait().is_ok(), "the recorder goes on");
}
