//! Who is known by which key, and flows, as they were last looked up: most requests are by the same few keys about the same few
//! flows. What is remembered is used only as long as the store says that no rule has changed, by whatever process, and never
//! for longer than a second.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use flowtrail_store::KeyHash;
use flowtrail_types::{Flow, FlowId, Principal};
use time::OffsetDateTime;

use crate::Tracker;

/// For how long at most: should a process die between a change and the mark that it leaves of it.
const LASTS: Duration = Duration::from_secs(1);

/// How many are remembered; beyond it those are forgotten that are too old to be used, and if that is none, all.
const MOST: usize = 1_000;

/// The state that all rules were in: who may do what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RulesMark(pub(super) u64);

/// The state that all was in that can be read, and who may read it. Answers that were made under one mark may be given again
/// under the same, to the same principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    rules: RulesMark,
    content: u64,
}

impl Mark {
    /// The mark of these numbers of the store's.
    #[must_use]
    pub fn of(rules: u64, content: u64) -> Self {
        Self { rules: RulesMark(rules), content }
    }
}

impl Tracker {
    /// For how long at most an answer may be given again under the same mark. What it was made from may have been remembered
    /// for as long before: should a process die between a change and its mark, it holds for twice as long.
    pub const MARK_LASTS: Duration = LASTS;

    /// The rules as they are now. None where that cannot be told cheaply. Does not block.
    #[must_use]
    pub fn rules_mark(&self) -> Option<RulesMark> {
        self.inner.store.rules_mark().map(RulesMark)
    }

    /// What can be read now, by these rules or later ones: another mark whenever anything was written since, by whatever
    /// process. None where that cannot be told cheaply. Does not block.
    #[must_use]
    pub fn mark(&self, rules: RulesMark) -> Option<Mark> {
        // Rules are remembered under a mark that is left a moment after they were changed: an answer that was made in
        // between must not outlast it.
        Some(Mark { rules, content: self.inner.store.content_mark()? })
    }
}

/// What is remembered.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// With when the key expires.
    pub(super) keys: Memory<KeyHash, (Principal, Option<OffsetDateTime>)>,
    /// Also those that are deleted.
    pub(super) flows: Memory<FlowId, Arc<Flow>>,
}

/// Values by key, each with the store's mark and the time at which it was asked for.
#[derive(Debug)]
pub(super) struct Memory<K, V>(Mutex<HashMap<K, (u64, Instant, V)>>);

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Memory<K, V> {
    /// What is remembered, if it was looked up under this mark and not long ago.
    pub(super) fn get(&self, mark: Option<u64>, key: &K) -> Option<V> {
        let mark = mark?;
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, at, value) = known.get(key)?;
        (*seen == mark && at.elapsed() < LASTS).then(|| value.clone())
    }

    /// Remembers what was looked up. The mark is that from before it was.
    pub(super) fn put(&self, mark: Option<u64>, key: K, value: V) {
        let Some(mark) = mark else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, (_, at, _)| at.elapsed() < LASTS);
            if known.len() >= MOST {
                known.clear();
            }
        }
        known.insert(key, (mark, Instant::now(), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_looked_up_under_another_mark_is_not_used() {
        let memory: Memory<u8, &str> = Memory::default();
        memory.put(Some(1), 7, "seven");
        assert_eq!(memory.get(Some(1), &7), Some("seven"));
        assert_eq!(
            (memory.get(Some(2), &7), memory.get(None, &7), memory.get(Some(1), &8)),
            (None, None, None)
        );
        memory.put(None, 8, "eight");
        assert_eq!(memory.get(Some(1), &8), None);
    }

    #[test]
    fn no_more_is_remembered_than_fits() {
        let memory: Memory<usize, ()> = Memory::default();
        (0..=MOST).for_each(|number| memory.put(Some(1), number, ()));
        assert_eq!((memory.get(Some(1), &0), memory.get(Some(1), &MOST)), (None, Some(())));
    }
}
