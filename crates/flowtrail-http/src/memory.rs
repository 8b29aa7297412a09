//! The memory budget of the process, and each user's share of it.
//!
//! Request bodies and the trees that are parsed from them reserve memory before they take it. A reservation that holds nothing
//! yet may wait for a moment; one that holds something and cannot grow fails at once, so nobody waits while holding memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flowtrail_types::{Principal, UserId};
use tokio::sync::Notify;

use crate::{ApiError, ErrorCode};

/// Maximum time that a request that holds nothing waits for memory.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The party whose share a reservation counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// A user, also by embed tokens.
    User(UserId),
    /// All callers without a key together.
    Anonymous,
}

impl From<&Principal> for Holder {
    fn from(principal: &Principal) -> Self {
        Self::User(principal.id)
    }
}

/// The budget. Cheap to clone by its `Arc`.
#[derive(Debug)]
pub(crate) struct Memory {
    /// In bytes.
    limit: usize,
    /// Maximum number of bytes for one user.
    share: usize,
    used: Mutex<Used>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Used {
    total: usize,
    by_holder: HashMap<Holder, usize>,
}

/// Reason why a reservation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Full {
    /// It would not fit if nobody else held anything.
    Never,
    Share,
    Process,
}

impl Memory {
    /// A budget of this many bytes, of which each user may have this many percent.
    pub(crate) fn new(limit: usize, user_percent: u8) -> Arc<Self> {
        let share = limit / 100 * usize::from(user_percent.clamp(1, 100));
        Arc::new(Self { limit, share, used: Mutex::default(), freed: Notify::new() })
    }

    /// An empty reservation.
    pub(crate) fn reservation(self: &Arc<Self>, holder: Holder) -> Reserved {
        Reserved { memory: Arc::clone(self), holder, bytes: 0 }
    }

    /// Number of bytes that are reserved.
    pub(crate) fn used(&self) -> usize {
        self.lock().total
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn share_of(&self, holder: Holder) -> usize {
        match holder {
            Holder::User(_) => self.share,
            Holder::Anonymous => self.limit / 10,
        }
    }

    fn take(&self, holder: Holder, held: usize, more: usize) -> Result<(), Full> {
        let share = self.share_of(holder);
        if held.saturating_add(more) > share {
            return Err(Full::Never);
        }
        let mut used = self.lock();
        if used.total.saturating_add(more) > self.limit {
            return Err(Full::Process);
        }
        let holders = used.by_holder.entry(holder).or_default();
        if holders.saturating_add(more) > share {
            return Err(Full::Share);
        }
        *holders += more;
        used.total += more;
        Ok(())
    }

    fn give_back(&self, holder: Holder, bytes: usize) {
        let mut used = self.lock();
        used.total -= bytes;
        if let Some(held) = used.by_holder.get_mut(&holder) {
            *held -= bytes;
            if *held == 0 {
                used.by_holder.remove(&holder);
            }
        }
        drop(used);
        self.freed.notify_waiters();
    }
}

/// Reserved memory, which is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    memory: Arc<Memory>,
    holder: Holder,
    bytes: usize,
}

impl Reserved {
    /// Reserves more, and waits for a moment if nothing is held yet.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::TooLarge`] when it would never fit, [`ErrorCode::ShareUsed`] when the holder's share is used up, and
    /// [`ErrorCode::Busy`] when the budget is.
    pub(crate) async fn grow(&mut self, more: usize) -> Result<(), ApiError> {
        let deadline = tokio::time::Instant::now() + LONGEST_WAIT;
        let memory = Arc::clone(&self.memory);
        loop {
            // Registered before looking: what is freed in between is not missed.
            let freed = memory.freed.notified();
            let full = match self.take(more) {
                Ok(()) => return Ok(()),
                Err(full) => full,
            };
            if full == Full::Never || self.bytes > 0 {
                return Err(self.refusal(full));
            }
            if tokio::time::timeout_at(deadline, freed).await.is_err() {
                return Err(self.refusal(full));
            }
        }
    }

    /// Reserves as much as is missing to this many bytes, and waits for a moment also while something is held: for what is
    /// under way of the same request.
    ///
    /// # Errors
    ///
    /// As [`Self::grow`].
    pub(crate) async fn fill_in_time(&mut self, bytes: usize) -> Result<(), ApiError> {
        let deadline = tokio::time::Instant::now() + LONGEST_WAIT;
        let memory = Arc::clone(&self.memory);
        loop {
            let freed = memory.freed.notified();
            let full = match self.take(bytes.saturating_sub(self.bytes)) {
                Ok(()) => return Ok(()),
                Err(full) => full,
            };
            if full == Full::Never || tokio::time::timeout_at(deadline, freed).await.is_err() {
                return Err(self.refusal(full));
            }
        }
    }

    /// Reserves as much as is missing to this many bytes. As [`Self::grow`] otherwise.
    pub(crate) async fn fill(&mut self, bytes: usize) -> Result<(), ApiError> {
        match bytes.saturating_sub(self.bytes) {
            0 => Ok(()),
            missing => self.grow(missing).await,
        }
    }

    /// Number of bytes that the holder may have at most.
    pub(crate) fn most(&self) -> usize {
        self.memory.share_of(self.holder)
    }

    /// Gives back all but this many bytes.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        self.shrink(self.bytes.saturating_sub(bytes));
    }

    /// An empty reservation of the same holder.
    pub(crate) fn another(&self) -> Self {
        self.memory.reservation(self.holder)
    }

    /// Takes over what another one of the same holder has, and makes it this many bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::try_grow`].
    pub(crate) fn absorb(&mut self, other: &mut Self, bytes: usize) -> Result<(), ApiError> {
        self.bytes += std::mem::take(&mut other.bytes);
        match bytes.checked_sub(self.bytes) {
            None | Some(0) => {
                self.shrink(self.bytes - bytes);
                Ok(())
            }
            Some(missing) => self.try_grow(missing),
        }
    }

    /// Reserves more without waiting.
    ///
    /// # Errors
    ///
    /// As [`Self::grow`].
    pub(crate) fn try_grow(&mut self, more: usize) -> Result<(), ApiError> {
        self.take(more).map_err(|full| self.refusal(full))
    }

    /// Gives some back.
    pub(crate) fn shrink(&mut self, less: usize) {
        let less = less.min(self.bytes);
        self.bytes -= less;
        self.memory.give_back(self.holder, less);
    }

    fn take(&mut self, more: usize) -> Result<(), Full> {
        self.memory.take(self.holder, self.bytes, more)?;
        self.bytes += more;
        Ok(())
    }

    fn refusal(&self, full: Full) -> ApiError {
        let share = mebibytes(self.memory.share_of(self.holder));
        let whose = match self.holder {
            Holder::User(_) => "your share",
            Holder::Anonymous => "the share of callers without a key",
        };
        match full {
            Full::Never => {
                let message =
                    format!("the request needs more memory than {whose} of {share} MiB: send less at once");
                ApiError::new(ErrorCode::TooLarge, message)
            }
            Full::Share => {
                let message = format!("memory: {whose} of {share} MiB is used by other requests; try again");
                ApiError::new(ErrorCode::ShareUsed, message)
            }
            Full::Process => {
                let limit = mebibytes(self.memory.limit);
                let message = format!("all {limit} MiB of memory for requests are in use; try again");
                ApiError::new(ErrorCode::Busy, message)
            }
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.memory.give_back(self.holder, self.bytes);
        }
    }
}

fn mebibytes(bytes: usize) -> usize {
    bytes.div_ceil(1 << 20)
}

/// Upper bound of the memory that a parsed value takes, in bytes, from the JSON that it is parsed from.
///
/// Each comma, bracket and brace outside of strings begins at most one value. A value takes 72 bytes in place, an entry of an
/// object 104 with its key; vectors grow by doubling; keys, numbers and table slots are allocations of their own. Text takes
/// no more than it has bytes of JSON.
pub(crate) fn tree_size(json: &[u8]) -> usize {
    const ELEMENT: usize = 2 * 72 + 16;
    const MEMBER: usize = 2 * 104 + 64;
    let (mut elements, mut members) = (1_usize, 0_usize);
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b',' | b':' | b'[' | b'{')) {
        match rest[at] {
            b'"' => {
                let string = &rest[at + 1..];
                let end = end_of_string(string);
                rest = &string[end..];
                continue;
            }
            b':' => members += 1,
            _ => elements += 1,
        }
        rest = &rest[at + 1..];
    }
    json.len() + elements * ELEMENT + members * MEMBER
}

/// The length of the rest of a string with its closing quote.
fn end_of_string(string: &[u8]) -> usize {
    let mut from = 0;
    while let Some(at) = memchr::memchr2(b'"', b'\\', &string[from..]) {
        if string[from + at] == b'"' {
            return from + at + 1;
        }
        from = (from + at + 2).min(string.len());
    }
    string.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: u128) -> Holder {
        Holder::User(uuid::Uuid::from_u128(number).into())
    }

    fn code(result: Result<(), ApiError>) -> Option<ErrorCode> {
        result.err().map(|error| error.code())
    }

    #[actix_web::test]
    async fn shares_and_the_budget_are_kept() {
        let memory = Memory::new(1_000, 50);
        let (mut a, mut b, mut c) =
            (memory.reservation(user(1)), memory.reservation(user(1)), memory.reservation(user(2)));
        a.grow(400).await.unwrap();
        assert_eq!(code(a.grow(200).await), Some(ErrorCode::TooLarge), "alone it exceeds the share");
        b.grow(100).await.unwrap();
        assert_eq!(code(b.grow(1).await), Some(ErrorCode::ShareUsed));
        c.grow(500).await.unwrap();
        drop(b);
        assert_eq!(memory.used(), 900);
        let mut anonymous = memory.reservation(Holder::Anonymous);
        anonymous.grow(100).await.unwrap();
        assert_eq!(code(a.grow(1).await), Some(ErrorCode::Busy), "who holds something does not wait");
        drop((a, c, anonymous));
        assert_eq!(memory.used(), 0);
        assert!(memory.lock().by_holder.is_empty());
    }

    #[actix_web::test]
    async fn who_holds_nothing_waits_until_something_is_freed() {
        let memory = Memory::new(1_000, 100);
        let mut all = memory.reservation(user(1));
        all.grow(1_000).await.unwrap();
        let mut waiting = memory.reservation(user(2));
        let (got, ()) = futures_util::join!(waiting.grow(10), async { drop(all) });
        got.unwrap();
        assert_eq!(memory.used(), 10);
    }

    #[test]
    fn a_tree_is_never_larger_than_its_estimate() {
        // Measured at the worst: everything is an allocation of its own.
        for (json, least) in [
            ("[0,0,0,0]".to_owned(), 5 * 72),
            (format!("[{}0]", "{},".repeat(1_000)), 1_000 * 72),
            (r#"{"a":{"b":[1,"]],,::{{"]}}"#.to_owned(), 4 * 72),
            (r#"{"a\"":"\\","b":"\"[[[["}"#.to_owned(), 2 * 104),
        ] {
            let estimate = tree_size(json.as_bytes());
            assert!(estimate >= least && estimate < least * 8, "{json}: {estimate}");
        }
        let text = format!("{{\"a\":\"{}\"}}", "[,{".repeat(100_000));
        assert!(tree_size(text.as_bytes()) < text.len() + 2_000, "text counts once");
        assert_eq!(std::mem::size_of::<serde_json::Value>(), 72);
    }
}
