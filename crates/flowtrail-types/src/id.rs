//! Ids: UUIDs that cannot be mistaken for each other, and where new ones come from.

use std::fmt::{self, Debug, Display};
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::{ContextV7, Timestamp, Uuid};

macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The id that this UUID is.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID that this id is.
            #[must_use]
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }

        impl Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Display::fmt(&self.0.hyphenated(), f)
            }
        }

        impl Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }
    };
}

id! {
    /// A flow. Any UUID: a reporter may choose it.
    FlowId
}
id! {
    /// An execution. A UUIDv7 (RFC 9562, section 5.7), so that ids sort by the time they were made.
    ExecutionId
}
id! {
    /// A user.
    UserId
}
id! {
    /// An API key. Not the key itself, which is kept only as a hash.
    KeyId
}
id! {
    /// A process that runs executions. Fresh at every start.
    InstanceId
}

/// How far ahead of the server's clock an id that a reporter chose may be.
const MAX_AHEAD: time::Duration = time::Duration::DAY;

/// Why an id cannot be an execution's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExecutionId {
    /// It is a UUID of another version.
    #[error("an execution id is a UUID of version 7, this one is of version {0}")]
    Version(usize),
    /// Its time lies too far in the future, so it would stand before all others for ever.
    #[error("the time in this execution id is more than a day ahead")]
    Ahead,
}

impl ExecutionId {
    /// Checks an id that a reporter chose: UUIDv7, and no more than a day ahead of `now`.
    ///
    /// # Errors
    ///
    /// [`InvalidExecutionId`] says which of the two it is not.
    pub fn chosen(uuid: Uuid, now: OffsetDateTime) -> Result<Self, InvalidExecutionId> {
        let made = match (uuid.get_version_num(), uuid.get_timestamp()) {
            (7, Some(made)) => made,
            (version, _) => return Err(InvalidExecutionId::Version(version)),
        };
        let latest = (now + MAX_AHEAD).unix_timestamp();
        let (seconds, _) = made.to_unix();
        if i64::try_from(seconds).map_or(true, |seconds| seconds > latest) {
            return Err(InvalidExecutionId::Ahead);
        }
        Ok(Self(uuid))
    }
}

/// A source of new ids.
///
/// Injected, like [`Clock`](crate::Clock), so that a test knows the ids that it will see.
pub trait IdSource: Debug + Send + Sync + 'static {
    /// A new UUIDv7 for the time `at`. Two ids of one source never are the same, and of two ids for the
    /// same time the later one sorts last.
    fn next(&self, at: OffsetDateTime) -> Uuid;
}

/// Ids as RFC 9562 wants them: time, a counter within the millisecond, and random bits.
#[derive(Debug, Default)]
pub struct RandomIds(Mutex<ContextV7>);

impl IdSource for RandomIds {
    fn next(&self, at: OffsetDateTime) -> Uuid {
        let context = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let seconds = u64::try_from(at.unix_timestamp()).unwrap_or(0);
        Uuid::new_v7(Timestamp::from_unix(&*context, seconds, at.nanosecond()))
    }
}

/// Ids that count up from one, for tests.
#[derive(Debug, Default)]
pub struct SequentialIds(AtomicU64);

impl IdSource for SequentialIds {
    fn next(&self, at: OffsetDateTime) -> Uuid {
        let count = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        let millis = u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
        let mut random = [0u8; 10];
        random[2..].copy_from_slice(&count.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-01-06 12:00 UTC);

    #[test]
    fn ids_of_one_source_sort_in_the_order_they_were_made() {
        for source in [&RandomIds::default() as &dyn IdSource, &SequentialIds::default()] {
            let made: Vec<Uuid> = (0..1_000).map(|_| source.next(NOW)).collect();
            let mut sorted = made.clone();
            sorted.sort();
            sorted.dedup();
            assert_eq!(made, sorted, "{source:?}");
        }
    }

    #[test]
    fn a_chosen_id_is_version_7_and_not_from_the_future() {
        let ids = RandomIds::default();
        let now = ids.next(NOW);
        assert_eq!(ExecutionId::chosen(now, NOW), Ok(ExecutionId::from_uuid(now)));
        assert_eq!(ExecutionId::chosen(Uuid::nil(), NOW), Err(InvalidExecutionId::Version(0)));
        let v4 = uuid::uuid!("936da01f-9abd-4d9d-80c7-02af85c822a8");
        assert_eq!(ExecutionId::chosen(v4, NOW), Err(InvalidExecutionId::Version(4)));
        let tomorrow = ids.next(NOW + time::Duration::hours(25));
        assert_eq!(ExecutionId::chosen(tomorrow, NOW), Err(InvalidExecutionId::Ahead));
        let last_year = RandomIds::default().next(NOW - time::Duration::days(365));
        assert!(ExecutionId::chosen(last_year, NOW).is_ok());
    }
}
