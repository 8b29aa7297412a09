//! The last events, for all who listen.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use flowtrail_store::StoreError;
use flowtrail_types::{Access, FlowId, UserId};
use tokio::sync::watch;
use uuid::Uuid;

use super::Event;
use crate::tracker::Inner;

/// How many events are kept for those who are slow or come back.
const MOST: usize = 8_192;
/// And how many bytes of them.
const MOST_BYTES: usize = 8 << 20;
/// How many a listener takes at once.
const AT_ONCE: usize = 64;

/// Who may see what happens in a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guard {
    pub(super) owner: UserId,
    pub(super) access: Access,
}

/// The last events, and who may see them.
#[derive(Debug)]
pub(super) struct EventLog {
    /// Tells this log from those of other processes and earlier times.
    epoch: Uuid,
    state: Mutex<State>,
    guards: RwLock<HashMap<FlowId, Arc<Guard>>>,
    /// The revision of the flows at which the guards were read.
    revision: Mutex<Option<i64>>,
    grown: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Arc<Event>>,
    bytes: usize,
    /// The number of the first one that is kept.
    first: u64,
}

/// What was taken out of the log.
pub(super) enum Taken {
    /// These, perhaps none.
    Events(Vec<Arc<Event>>),
    /// They are not kept any more.
    Gone,
}

impl EventLog {
    pub(super) fn new(epoch: Uuid) -> Self {
        Self {
            epoch,
            state: Mutex::default(),
            guards: RwLock::default(),
            revision: Mutex::default(),
            grown: watch::Sender::default(),
        }
    }

    /// Tells when there is more.
    pub(super) fn grown(&self) -> watch::Receiver<u64> {
        self.grown.subscribe()
    }

    /// The number that the next event will have.
    pub(super) fn end(&self) -> u64 {
        self.lock().end()
    }

    pub(super) fn push(&self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let mut state = self.lock();
        for event in events {
            state.bytes += event.data.len();
            state.events.push_back(Arc::new(event));
        }
        while state.events.len() > MOST || state.bytes > MOST_BYTES {
            let Some(oldest) = state.events.pop_front() else { break };
            state.bytes -= oldest.data.len();
            state.first += 1;
        }
        let end = state.end();
        drop(state);
        self.grown.send_replace(end);
    }

    /// Some events from this number on.
    pub(super) fn take(&self, next: u64) -> Taken {
        let state = self.lock();
        let Some(passed) = next.checked_sub(state.first) else { return Taken::Gone };
        let passed = usize::try_from(passed).unwrap_or(usize::MAX);
        Taken::Events(state.events.iter().skip(passed).take(AT_ONCE).cloned().collect())
    }

    /// A number as those who listen name it.
    pub(super) fn name(&self, next: u64) -> String {
        format!("{}-{next}", self.epoch.simple())
    }

    /// The number that was named, if what comes after is still there.
    pub(super) fn place_after(&self, name: &str) -> Option<u64> {
        let (epoch, next) = name.rsplit_once('-')?;
        let next: u64 = next.parse().ok()?;
        let state = self.lock();
        let is_kept = (state.first..=state.end()).contains(&next);
        (Uuid::parse_str(epoch).ok()? == self.epoch && is_kept).then_some(next)
    }

    pub(super) fn guard(&self, flow: FlowId) -> Option<Arc<Guard>> {
        self.guards.read().unwrap_or_else(PoisonError::into_inner).get(&flow).cloned()
    }

    /// Learns who may see a flow.
    pub(super) fn learn(&self, inner: &Inner, flow: FlowId) -> Result<(), StoreError> {
        if self.guard(flow).is_some() {
            return Ok(());
        }
        // Held to the end: what is learned here must not be taken for what was learned after a change.
        let _revision = self.revision.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(found) = inner.store.flows().lookup(flow)? else { return Ok(()) };
        let guard = Guard { owner: found.owner_id, access: found.access };
        self.guards.write().unwrap_or_else(PoisonError::into_inner).insert(flow, Arc::new(guard));
        Ok(())
    }

    /// Learns anew who may see what, when a flow has changed since it was learned.
    pub(super) fn renew_guards(&self, inner: &Inner) -> Result<(), StoreError> {
        let current = Some(inner.catalog.current().revision());
        let mut revision = self.revision.lock().unwrap_or_else(PoisonError::into_inner);
        if *revision == current {
            return Ok(());
        }
        let known: Vec<FlowId> =
            self.guards.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect();
        let mut guards = HashMap::with_capacity(known.len());
        for flow in known {
            if let Some(found) = inner.store.flows().lookup(flow)? {
                guards.insert(flow, Arc::new(Guard { owner: found.owner_id, access: found.access }));
            }
        }
        *self.guards.write().unwrap_or_else(PoisonError::into_inner) = guards;
        *revision = current;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end(&self) -> u64 {
        self.first + self.events.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_with(count: usize) -> EventLog {
        let log = EventLog::new(Uuid::from_u128(7));
        log.push(vec![Event::resync(); count]);
        log
    }

    #[test]
    fn a_place_is_known_as_long_as_what_comes_after_it_is_kept() {
        let log = log_with(MOST + 10);
        assert_eq!(log.end(), MOST as u64 + 10);
        assert_eq!(log.place_after(&log.name(10)), Some(10));
        assert_eq!(log.place_after(&log.name(log.end())), Some(log.end()));
        for gone in [log.name(9), log.name(log.end() + 1), EventLog::new(Uuid::nil()).name(10)] {
            assert_eq!(log.place_after(&gone), None, "{gone}");
        }
        for nonsense in ["", "-", "10", "x-10", "00000000000000000000000000000007-", "\u{e9}-1"] {
            assert_eq!(log.place_after(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn what_is_not_kept_is_told_as_gone() {
        let log = log_with(MOST + 1);
        assert!(matches!(log.take(0), Taken::Gone));
        assert!(matches!(log.take(1), Taken::Events(events) if events.len() == AT_ONCE));
        assert!(matches!(log.take(log.end()), Taken::Events(events) if events.is_empty()));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let log = EventLog::new(Uuid::nil());
        let large = Event { data: "x".repeat(MOST_BYTES / 4).into(), ..Event::resync() };
        log.push(vec![large; 10]);
        assert!(matches!(log.take(5), Taken::Gone));
        assert!(matches!(log.take(6), Taken::Events(events) if events.len() == 4));
    }
}
