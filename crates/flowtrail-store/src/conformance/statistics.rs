//! What a store must count: after anything that can happen, the stored statistics equal a recount, and the recorded
//! ones a log of what happened.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use flowtrail_types::lifecycle::{Outcome, Told};
use flowtrail_types::{
    Counting, ErrorInfo, ErrorKind, ExecutionFilter, ExecutionId, ExecutionQuery, ExecutionStatus,
    ExecutionSummary, FlowId, Place, StatsQuery, StatsScope, Step, Tally, Visibility,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::build::{T0, end, node, start};
use crate::{Applied, Command, EndedQuery, NewPrune, Store};

/// Something that can happen to the history of two flows.
#[derive(Debug, Clone)]
enum Operation {
    Start { flow: usize, minute: i64 },
    Record { flow: usize, minute: i64, millis: i64, outcome: u8 },
    Reject { flow: usize, minute: i64 },
    CountRejected { flow: usize, minute: i64 },
    End { which: usize, millis: i64, outcome: u8, is_inferred: bool },
    Delete { which: usize },
    Prune { flow: usize, below: Option<usize> },
    PruneAll { hours: i64 },
    ContinuePrune { limit: u32 },
    Pack,
}

fn operation() -> impl Strategy<Value = Operation> {
    // Four days, so that hours and days at the edges and in between are met.
    let minute = 0..4 * 24 * 60i64;
    let of_flow = (0..2usize, minute.clone());
    let millis = prop_oneof![0..5i64, 0..100_000i64];
    prop_oneof![
        3 => of_flow.clone().prop_map(|(flow, minute)| Operation::Start { flow, minute }),
        2 => of_flow.clone().prop_map(|(flow, minute)| Operation::Reject { flow, minute }),
        1 => of_flow.prop_map(|(flow, minute)| Operation::CountRejected { flow, minute }),
        6 => (0..2usize, minute, millis.clone(), 0..3u8).prop_map(|(flow, minute, millis, outcome)| {
            Operation::Record { flow, minute, millis, outcome }
        }),
        4 => (any::<prop::sample::Index>(), millis, 0..3u8, any::<bool>()).prop_map(
            |(which, millis, outcome, is_inferred)| Operation::End {
                which: which.index(1 << 16), millis, outcome, is_inferred
            }
        ),
        2 => any::<prop::sample::Index>().prop_map(|which| Operation::Delete { which: which.index(1 << 16) }),
        1 => (0..2usize, proptest::option::of(any::<prop::sample::Index>())).prop_map(|(flow, below)| {
            Operation::Prune { flow, below: below.map(|index| index.index(1 << 16)) }
        }),
        1 => (0..5 * 24i64).prop_map(|hours| Operation::PruneAll { hours }),
        1 => (1..4u32).prop_map(|limit| Operation::ContinuePrune { limit }),
        1 => Just(Operation::Pack),
    ]
}

fn outcome(number: u8) -> Outcome {
    match number {
        0 => Outcome::Fulfilled,
        1 => Outcome::Error(ErrorInfo::new(ErrorKind::Failed, "it failed")),
        _ => Outcome::Aborted(None),
    }
}

/// What is known here of an execution.
#[derive(Debug, Clone)]
struct Known {
    id: ExecutionId,
    flow: usize,
    started_at: OffsetDateTime,
    status: ExecutionStatus,
    is_inferred: bool,
    duration_us: Option<i64>,
    is_rejected: bool,
    is_gone: bool,
}

/// What was counted by hour without being recorded.
type Unrecorded = BTreeMap<OffsetDateTime, i64>;

/// Numbers are never used twice, so that every case has flows and executions of its own.
static CASE: AtomicU64 = AtomicU64::new(1);

struct Case<'a> {
    store: &'a dyn Store,
    flows: [FlowId; 2],
    next: u64,
    known: Vec<Known>,
    unrecorded: [Unrecorded; 2],
    /// What earlier cases have counted: nothing takes that away.
    unrecorded_before: Unrecorded,
    clock: OffsetDateTime,
}

/// After any sequence of records, ends, corrections, deletions and prunes.
pub fn statistics_equal_a_recount_and_a_log(store: &dyn Store) {
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&prop::collection::vec(operation(), 1..40), |operations| {
        let case = CASE.fetch_add(1, Ordering::Relaxed);
        let flow =
            |number: u64| FlowId::from_uuid(Uuid::from_u128(u128::from(0xCA5E_0000 + case * 2 + number)));
        let unrecorded_before = empty(store);
        let mut case = Case {
            store,
            flows: [flow(0), flow(1)],
            next: case << 20,
            known: Vec::new(),
            unrecorded: Default::default(),
            unrecorded_before,
            clock: T0,
        };
        for operation in &operations {
            case.apply(operation);
            case.check()?;
        }
        while !store.executions().continue_prune(100).expect("the store answers").is_done {}
        case.check()
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

/// Takes away what an earlier case has left: what is said of all flows is said of this case's alone. Gives what cannot be taken
/// away.
fn empty(store: &dyn Store) -> Unrecorded {
    let executions = store.executions();
    for item in listed(store, ExecutionFilter::default()) {
        let command = Command::End { execution: item.id, end: Box::new(end(Told::Reported, outcome(0))) };
        executions.commit(&[command]).expect("the batch is written");
    }
    executions.begin_prune(&NewPrune::of_all(T0 + Duration::days(99))).expect("the store answers");
    while !executions.continue_prune(100).expect("the store answers").is_done {}
    let left = executions.tally_by(&StatsQuery::of_all(), Step::Hour).expect("the store answers");
    left.into_iter()
        .map(|(hour, tally)| {
            let unrecorded = tally.unrecorded;
            assert_eq!(tally, Tally { unrecorded, ..Tally::default() });
            (hour, unrecorded)
        })
        .collect()
}

fn listed(store: &dyn Store, filter: ExecutionFilter) -> Vec<ExecutionSummary> {
    let visibility = Visibility::All;
    let query = ExecutionQuery { visibility, ..ExecutionQuery::newest(filter, 1_000) };
    let found = store.executions().list(&query).expect("the store answers");
    assert_eq!(found.searched_to, None);
    found.items
}

impl Case<'_> {
    fn apply(&mut self, operation: &Operation) {
        self.clock += Duration::SECOND;
        match operation {
            Operation::Start { flow, minute } => {
                let command = Command::Start(Box::new(self.new_execution(*flow, *minute)));
                self.commit(command);
            }
            Operation::Record { flow, minute, millis, outcome: number } => {
                let begun = self.new_execution(*flow, *minute);
                let mut over = end(Told::Reported, outcome(*number));
                over.ended_at = begun.started_at + Duration::milliseconds(*millis);
                over.recorded_at = self.clock;
                let known = self.known.last_mut().expect("it was added");
                known.status = over.outcome.status();
                known.duration_us = Some(millis * 1_000);
                let command = Command::record(begun, vec![node(1)], over).expect("memory").expect("one node");
                self.commit(command);
            }
            Operation::Reject { flow, minute } => {
                let mut begun = self.new_execution(*flow, *minute);
                begun.is_rejected = true;
                let mut over = end(Told::Reported, outcome(1));
                over.ended_at = begun.started_at;
                over.recorded_at = self.clock;
                let known = self.known.last_mut().expect("it was added");
                known.status = ExecutionStatus::Error;
                known.is_rejected = true;
                self.commit(Command::record(begun, Vec::new(), over).expect("memory").expect("no nodes"));
            }
            Operation::CountRejected { flow, minute } => {
                let at = T0 + Duration::minutes(*minute);
                *self.unrecorded[*flow].entry(Step::Hour.begin(at)).or_default() += 1;
                self.commit(Command::CountRejected { flow: self.flows[*flow], at });
            }
            Operation::End { which, millis, outcome: number, is_inferred } => {
                let Some(index) = self.pick(*which) else { return };
                let known = &mut self.known[index];
                let is_final = known.status.is_final();
                if is_final && (*is_inferred || !known.is_inferred) {
                    return;
                }
                let told = if *is_inferred { Told::Inferred } else { Told::Reported };
                let mut over = end(told, outcome(*number));
                over.ended_at = known.started_at + Duration::milliseconds(*millis);
                over.recorded_at = self.clock;
                // An end that says the same again is no other one.
                over.digest = flowtrail_types::Digest::of(&[&self.next.to_le_bytes(), &[u8::from(is_final)]]);
                self.next += 1;
                known.status = over.outcome.status();
                known.is_inferred = *is_inferred;
                known.duration_us = Some(millis * 1_000);
                let command = Command::End { execution: known.id, end: Box::new(over) };
                self.commit(command);
            }
            Operation::Delete { which } => {
                let Some(index) = self.pick(*which) else { return };
                let id = self.known[index].id;
                let deleted = self.store.executions().delete(&[id]).expect("the store answers");
                let is_final = self.known[index].status.is_final();
                assert_eq!(deleted, if is_final { vec![id] } else { vec![] });
                self.known[index].is_gone = is_final;
            }
            Operation::Prune { flow, below } => {
                let below = below.and_then(|which| self.pick(which)).map(|index| self.known[index].place());
                let gone = self
                    .store
                    .executions()
                    .begin_prune(&NewPrune::of_flow(self.flows[*flow], below))
                    .expect("the store answers");
                let expected = self.take_away(|known| {
                    known.flow == *flow && below.is_none_or(|below| known.place() < below)
                });
                assert_eq!(gone, expected, "as many as were there");
            }
            Operation::PruneAll { hours } => {
                let wish = NewPrune::of_all(T0 + Duration::hours(*hours));
                let gone = self.store.executions().begin_prune(&wish).expect("the store answers");
                let expected = self.take_away(|known| wish.below.is_some_and(|below| known.place() < below));
                assert_eq!(gone, expected, "as many as were there");
            }
            Operation::ContinuePrune { limit } => {
                self.store.executions().continue_prune(*limit).expect("the store answers");
            }
            Operation::Pack => {
                self.store.executions().pack(self.clock, 3).expect("the store answers");
            }
        }
    }

    /// Notes that those are gone that ended, and tells how many.
    fn take_away(&mut self, is_meant: impl Fn(&Known) -> bool) -> u64 {
        let mut count = 0;
        for known in self.known.iter_mut().filter(|known| !known.is_gone && known.status.is_final()) {
            known.is_gone = is_meant(known);
            count += u64::from(known.is_gone);
        }
        count
    }

    fn new_execution(&mut self, flow: usize, minute: i64) -> crate::NewExecution {
        let mut begun = start(self.next);
        self.next += 1;
        begun.flow_id = self.flows[flow];
        begun.started_at = T0 + Duration::minutes(minute);
        begun.recorded_at = self.clock;
        self.known.push(Known {
            id: begun.id,
            flow,
            started_at: begun.started_at,
            status: ExecutionStatus::Pending,
            is_inferred: false,
            duration_us: None,
            is_rejected: false,
            is_gone: false,
        });
        begun
    }

    #[track_caller]
    fn commit(&self, command: Command) {
        let outcomes = self.store.executions().commit(&[command]).expect("the batch is written");
        assert!(matches!(outcomes[..], [Ok(Applied::Written | Applied::Corrected)]), "{outcomes:?}");
    }

    /// One of those that are there still.
    fn pick(&self, which: usize) -> Option<usize> {
        let there: Vec<usize> = (0..self.known.len()).filter(|index| !self.known[*index].is_gone).collect();
        (!there.is_empty()).then(|| there[which % there.len()])
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let mut whole: BTreeMap<OffsetDateTime, Tally> = BTreeMap::new();
        let mut of_both: BTreeMap<OffsetDateTime, Tally> = BTreeMap::new();
        for (number, flow) in self.flows.into_iter().enumerate() {
            let mut recount = self.check_shown(Some(flow), |known| known.flow == number)?;
            for (hour, tally) in &recount {
                whole.entry(*hour).or_default().merge(tally, 1);
            }
            count_unrecorded(&mut recount, &self.unrecorded[number]);
            let scope = StatsScope::Flows(vec![flow]);
            self.compare(&scope, Counting::Stored, &recount)?;
            for (hour, tally) in recount {
                of_both.entry(hour).or_default().merge(&tally, 1);
            }

            // A log of what happened. What data takes is not part of it: packing changes that later.
            let mut log: BTreeMap<OffsetDateTime, Tally> = BTreeMap::new();
            for known in self.known.iter().filter(|known| known.flow == number) {
                let hour = log.entry(Step::Hour.begin(known.started_at)).or_default();
                known.count_in(hour, known.duration_us, 0);
            }
            count_unrecorded(&mut log, &self.unrecorded[number]);
            self.compare(&scope, Counting::Recorded, &log)?;
        }
        prop_assert_eq!(&self.check_shown(None, |_| true)?, &whole);
        self.compare(&StatsScope::Flows(self.flows.to_vec()), Counting::Stored, &of_both)?;
        count_unrecorded(&mut of_both, &self.unrecorded_before);
        self.compare(&StatsScope::All, Counting::Stored, &of_both)
    }

    /// The lists of a flow or of all have what is there and nothing else. Gives a recount of what they show, by hour.
    fn check_shown(
        &self,
        flow: Option<FlowId>,
        is_meant: impl Fn(&Known) -> bool,
    ) -> Result<BTreeMap<OffsetDateTime, Tally>, TestCaseError> {
        let executions = self.store.executions();
        let filter = flow.map_or_else(ExecutionFilter::default, ExecutionFilter::of_flow);
        let items = listed(self.store, filter);
        let ended = EndedQuery { flow, before: None, after: None, spare_imported_since: None, limit: 1_000 };
        let bytes: BTreeMap<ExecutionId, i64> = executions
            .list_ended(&ended)
            .expect("the store answers")
            .items
            .into_iter()
            .map(|ended| (ended.id(), ended.bytes))
            .collect();
        prop_assert_eq!(bytes.len(), items.iter().filter(|item| item.status.is_final()).count());
        let mut recount: BTreeMap<OffsetDateTime, Tally> = BTreeMap::new();
        for item in &items {
            let duration = item.ended_at.map(|at| i64::try_from((at - item.started_at).whole_microseconds()));
            let duration = duration.map(|micros| micros.expect("a short duration"));
            let bytes = bytes.get(&item.id).copied().unwrap_or_default();
            let hour = recount.entry(Step::Hour.begin(item.started_at)).or_default();
            let known = self.known.iter().find(|known| known.id == item.id).expect("it was recorded here");
            prop_assert_eq!(known.status, item.status);
            known.count_in(hour, duration, bytes);
        }
        let there: Vec<ExecutionId> = items.iter().map(|item| item.id).collect();
        let meant = || self.known.iter().filter(|known| is_meant(known));
        let mut expected: Vec<&Known> = meant().filter(|known| !known.is_gone).collect();
        expected.sort_by_key(|known| std::cmp::Reverse(known.place()));
        prop_assert_eq!(&there, &expected.iter().map(|known| known.id).collect::<Vec<_>>());
        for known in meant().filter(|known| known.is_gone) {
            prop_assert!(executions.lookup_summary(known.id).expect("the store answers").is_none());
        }
        let scope = flow.map_or(StatsScope::All, |flow| StatsScope::Flows(vec![flow]));
        let newest = items.iter().map(|item| item.started_at).max();
        let query = StatsQuery { scope, ..StatsQuery::of_all() };
        prop_assert_eq!(executions.last_started_at(&query).expect("the store answers"), newest);
        for step in [Step::Hour, Step::Day] {
            let mut last: BTreeMap<OffsetDateTime, OffsetDateTime> = BTreeMap::new();
            for item in &items {
                let newest = last.entry(step.begin(item.started_at)).or_insert(item.started_at);
                *newest = item.started_at.max(*newest);
            }
            let last: Vec<_> = last.into_iter().collect();
            prop_assert_eq!(executions.last_started_by(&query, step).expect("the store answers"), last);
        }
        // Of some hours, those that lie outside do not count.
        if let Some(newest) = newest {
            let hour = Step::Hour.begin(newest);
            let before = StatsQuery { to: Some(hour), ..query };
            let expected = items.iter().map(|item| item.started_at).filter(|at| *at < hour).max();
            prop_assert_eq!(executions.last_started_at(&before).expect("the store answers"), expected);
            let series = executions.last_started_by(&before, Step::Day).expect("the store answers");
            prop_assert_eq!(series.last().map(|(_, last)| *last), expected);
        }
        Ok(recount)
    }

    /// The statistics by hour, by day, of all time and of some hours in the middle equal what was counted by hour.
    fn compare(
        &self,
        scope: &StatsScope,
        counting: Counting,
        by_hour: &BTreeMap<OffsetDateTime, Tally>,
    ) -> Result<(), TestCaseError> {
        let executions = self.store.executions();
        let plain = |mut tally: Tally| {
            if counting == Counting::Recorded {
                tally.bytes = 0;
            }
            tally
        };
        let begin = T0 + Duration::hours(7);
        for (from, to) in
            [(None, None), (Some(begin), None), (Some(begin), Some(begin + Duration::hours(50)))]
        {
            let query = StatsQuery { scope: scope.clone(), from, to, counting };
            let (first, after) = query.hours();
            let within = |hour: &OffsetDateTime| {
                first.is_none_or(|first| *hour >= first) && after.is_none_or(|after| *hour < after)
            };
            let mut total = Tally::default();
            let mut by_day: BTreeMap<OffsetDateTime, Tally> = BTreeMap::new();
            let mut hours = Vec::new();
            for (hour, tally) in
                by_hour.iter().filter(|(hour, tally)| within(hour) && **tally != Tally::default())
            {
                total.merge(tally, 1);
                by_day.entry(Step::Day.begin(*hour)).or_default().merge(tally, 1);
                hours.push((*hour, tally.clone()));
            }
            prop_assert_eq!(plain(executions.tally(&query).expect("the store answers")), total.clone());
            let series = |step| {
                let series = executions.tally_by(&query, step).expect("the store answers");
                series.into_iter().map(|(at, tally)| (at, plain(tally))).collect::<Vec<_>>()
            };
            prop_assert_eq!(series(Step::Hour), hours);
            prop_assert_eq!(series(Step::Day), by_day.into_iter().collect::<Vec<_>>());
            if from.is_none() && counting == Counting::Stored {
                let counts = executions.status_counts(scope).expect("the store answers");
                prop_assert_eq!(i64::try_from(counts.total()), Ok(total.total()));
                prop_assert_eq!(i64::try_from(counts.pending), Ok(total.pending));
                prop_assert_eq!(i64::try_from(counts.rejected), Ok(total.rejected));
            }
        }
        Ok(())
    }
}

fn count_unrecorded(by_hour: &mut BTreeMap<OffsetDateTime, Tally>, unrecorded: &Unrecorded) {
    for (hour, count) in unrecorded {
        by_hour.entry(*hour).or_default().unrecorded += count;
    }
}

impl Known {
    fn count_in(&self, tally: &mut Tally, duration_us: Option<i64>, bytes: i64) {
        if self.is_rejected {
            tally.add_rejected(bytes, 1);
        } else {
            tally.add(self.status, duration_us, bytes, 1);
        }
    }

    fn place(&self) -> Place {
        Place { started_at: self.started_at, id: self.id }
    }
}
