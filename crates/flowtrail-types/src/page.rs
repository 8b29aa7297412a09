//! Pages by number, for people, and cursors, for programs.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{ExecutionId, SortKey, timestamp};

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// The number of the page, from 1. Not looked at when there is a cursor.
    pub page: u32,
    /// How many items a page has, 1 to 100.
    pub limit: u32,
    /// Where the page before ended.
    pub after: Option<Cursor>,
    /// The anchor that the first page returned: what was recorded later is left out.
    pub as_of: Option<OffsetDateTime>,
    /// What a list of executions is sorted by. Other lists have one order.
    pub sort: SortKey,
}

impl PageRequest {
    /// The most items that a page may have.
    pub const MAX_LIMIT: u32 = 100;

    /// The page of that number, with that many items.
    #[must_use]
    pub fn numbered(page: u32, limit: u32) -> Self {
        Self { page, limit, after: None, as_of: None, sort: SortKey::default() }
    }

    /// How many items stand before the page.
    #[must_use]
    pub fn offset(&self) -> u64 {
        u64::from(self.page.saturating_sub(1)) * u64::from(self.limit)
    }
}

impl Default for PageRequest {
    fn default() -> Self {
        Self::numbered(1, 20)
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// How many there are in all, or, where that is not known, at least.
    pub total: u64,
    /// Whether `total` is exact.
    pub total_is_exact: bool,
    /// The number of this page, from 1.
    pub page: u32,
    /// How many items a page has.
    pub limit: u32,
    /// How many pages there are in all, at least 1.
    pub total_pages: u64,
    /// The anchor for further pages.
    #[serde(serialize_with = "write_anchor", skip_serializing_if = "Option::is_none")]
    pub as_of: Option<OffsetDateTime>,
    /// Where this page ended; null on the last one.
    pub after: Option<String>,
}

impl<T> Page<T> {
    /// A page whose list has an exact total.
    #[must_use]
    pub fn exact(items: Vec<T>, total: u64, request: &PageRequest) -> Self {
        Self {
            items,
            total,
            total_is_exact: true,
            page: request.page,
            limit: request.limit,
            total_pages: total.div_ceil(u64::from(request.limit.max(1))).max(1),
            as_of: None,
            after: None,
        }
    }
}

/// An anchor is written exactly, unlike other times: cut to milliseconds it would leave out what was recorded within
/// its own millisecond.
#[expect(clippy::ref_option, reason = "the signature that serde wants")]
fn write_anchor<S: Serializer>(at: &Option<OffsetDateTime>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(timestamp::format_exact).serialize(serializer)
}

/// Where an execution stands in a list. Lists go from the greatest place, the newest, to the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When it began.
    pub started_at: OffsetDateTime,
    /// Its id, which breaks ties.
    pub id: ExecutionId,
}

/// Where an execution stands in a list that is sorted by duration. Lists go from the greatest rank, the longest duration,
/// to the least; what has not ended has none, and stands last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// How long it took, in microseconds.
    pub duration_us: Option<i64>,
    /// Its id, which breaks ties.
    pub id: ExecutionId,
}

/// A place between two executions of a list, which stays where it is while new ones arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Where the last execution before this place stands.
    pub position: Position,
    /// What the list was filtered and sorted by, as a number.
    pub filter: u32,
}

/// Where an execution stands, as a cursor carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// In a list sorted by start.
    Start(Place),
    /// In a list sorted by duration.
    Duration {
        /// Where it stands.
        rank: Rank,
        /// The anchor of the list: which executions are sorted depends on it.
        as_of: OffsetDateTime,
    },
}

/// A text that is no cursor, or the cursor of another list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCursor {
    /// It was not made by a list.
    #[error("not a cursor: take the value of `after` from an earlier page as it is")]
    Malformed,
    /// It was made by a list with other filters, or in another order.
    #[error("this cursor belongs to a list with other filters or in another order")]
    OtherFilter,
}

/// What stands in a cursor for the duration of an execution that has not ended.
const NO_DURATION: i64 = -1;

impl Cursor {
    /// A place in a list that is sorted by start.
    #[must_use]
    pub fn below(place: Place, filter: u32) -> Self {
        Self { position: Position::Start(place), filter }
    }

    /// The place, in a list that is sorted by start.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        match self.position {
            Position::Start(place) => Some(place),
            Position::Duration { .. } => None,
        }
    }

    /// The rank, in a list that is sorted by duration.
    #[must_use]
    pub fn rank(&self) -> Option<Rank> {
        match self.position {
            Position::Start(_) => None,
            Position::Duration { rank, .. } => Some(rank),
        }
    }

    /// The anchor that it carries, if the list depends on one.
    #[must_use]
    pub fn as_of(&self) -> Option<OffsetDateTime> {
        match self.position {
            Position::Start(_) => None,
            Position::Duration { as_of, .. } => Some(as_of),
        }
    }

    /// The cursor as text for URLs.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(36);
        match self.position {
            Position::Start(Place { started_at, id }) => {
                bytes.extend(timestamp::unix_micros(started_at).to_be_bytes());
                bytes.extend(id.as_uuid().as_bytes());
            }
            Position::Duration { rank, as_of } => {
                bytes.extend(rank.duration_us.unwrap_or(NO_DURATION).to_be_bytes());
                bytes.extend(rank.id.as_uuid().as_bytes());
                bytes.extend(timestamp::unix_micros(as_of).to_be_bytes());
            }
        }
        bytes.extend(self.filter.to_be_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor and checks that it belongs to a list with this filter.
    ///
    /// # Errors
    ///
    /// When the text is no cursor, or one of another list.
    pub fn decode(text: &str, filter: u32) -> Result<Self, InvalidCursor> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor::Malformed)?;
        let (position, made_with) = read(&bytes).ok_or(InvalidCursor::Malformed)?;
        if made_with != filter {
            return Err(InvalidCursor::OtherFilter);
        }
        Ok(Self { position, filter })
    }
}

/// A position, and what its list was filtered and sorted by.
fn read(bytes: &[u8]) -> Option<(Position, u32)> {
    let (number, rest) = bytes.split_first_chunk()?;
    let (id, rest) = rest.split_first_chunk()?;
    let (number, id) = (i64::from_be_bytes(*number), ExecutionId::from_uuid(Uuid::from_bytes(*id)));
    // The two kinds differ in their length.
    let (position, made_with) = match rest.len() {
        4 => (Position::Start(Place { started_at: timestamp::from_unix_micros(number)?, id }), rest),
        12 => {
            let (as_of, made_with) = rest.split_first_chunk()?;
            let as_of = timestamp::from_unix_micros(i64::from_be_bytes(*as_of))?;
            let rank = Rank { duration_us: (number >= 0).then_some(number), id };
            (Position::Duration { rank, as_of }, made_with)
        }
        _ => return None,
    };
    Some((position, u32::from_be_bytes(made_with.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_goes_there_and_back_and_knows_its_list() {
        let at = time::macros::datetime!(2026-01-06 12:00:00.000001 UTC);
        let id = ExecutionId::from_uuid(uuid::uuid!("019b9335-4200-7000-8000-000000000001"));
        let by_duration = |duration_us| {
            let position = Position::Duration { rank: Rank { duration_us, id }, as_of: at };
            Cursor { position, filter: 7 }
        };
        for cursor in [
            Cursor::below(Place { started_at: at, id }, 7),
            by_duration(Some(0)),
            by_duration(Some(i64::MAX)),
            by_duration(None),
        ] {
            let text = cursor.encode();
            assert_eq!(Cursor::decode(&text, 7), Ok(cursor));
            assert_eq!(Cursor::decode(&text, 8), Err(InvalidCursor::OtherFilter));
            assert_eq!(Cursor::decode(&text[1..], 7), Err(InvalidCursor::Malformed));
        }
        for garbage in ["", "x", "////", "🙂"] {
            assert_eq!(Cursor::decode(garbage, 7), Err(InvalidCursor::Malformed), "{garbage}");
        }
    }

    #[test]
    fn what_took_longest_ranks_first_and_what_has_not_ended_last() {
        let rank =
            |duration_us, number| Rank { duration_us, id: ExecutionId::from_uuid(Uuid::from_u128(number)) };
        let ranks = [rank(Some(9), 1), rank(Some(5), 3), rank(Some(5), 2), rank(Some(0), 9), rank(None, 7)];
        assert!(ranks.is_sorted_by(|a, b| a > b));
    }

    #[test]
    fn an_empty_list_has_one_page() {
        let page = Page::<u8>::exact(vec![], 0, &PageRequest::default());
        assert_eq!(page.total_pages, 1);
        assert_eq!(PageRequest::numbered(u32::MAX, 100).offset(), 429_496_729_400);
    }
}
