//! Pages by number, for people, and cursors, for programs.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{ExecutionId, timestamp};

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
}

impl PageRequest {
    /// The most items that a page may have.
    pub const MAX_LIMIT: u32 = 100;

    /// The page of that number, with that many items.
    #[must_use]
    pub fn numbered(page: u32, limit: u32) -> Self {
        Self { page, limit, after: None, as_of: None }
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

/// A place between two executions of a list, which stays where it is while new ones arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The start of the last execution before this place.
    pub started_at: OffsetDateTime,
    /// Its id.
    pub id: ExecutionId,
    /// What the list was filtered and sorted by, as a number.
    pub filter: u32,
}

/// A text that is no cursor, or the cursor of another list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCursor {
    /// It was not made by a list.
    #[error("not a cursor: take the value of `after` from an earlier page as it is")]
    Malformed,
    /// It was made by a list with other filters.
    #[error("this cursor belongs to a list with other filters")]
    OtherFilter,
}

impl Cursor {
    /// The place.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { started_at: self.started_at, id: self.id }
    }

    /// The cursor as text for URLs.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = [0; 28];
        bytes[..8].copy_from_slice(&timestamp::unix_micros(self.started_at).to_be_bytes());
        bytes[8..24].copy_from_slice(self.id.as_uuid().as_bytes());
        bytes[24..].copy_from_slice(&self.filter.to_be_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor and checks that it belongs to a list with this filter.
    ///
    /// # Errors
    ///
    /// When the text is no cursor, or one of another list.
    pub fn decode(text: &str, filter: u32) -> Result<Self, InvalidCursor> {
        let bytes: [u8; 28] = BASE64_URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(InvalidCursor::Malformed)?;
        let (micros, rest) = bytes.split_at(8);
        let (id, made_with) = rest.split_at(16);
        let micros = i64::from_be_bytes(micros.try_into().map_err(|_| InvalidCursor::Malformed)?);
        let made_with = u32::from_be_bytes(made_with.try_into().map_err(|_| InvalidCursor::Malformed)?);
        if made_with != filter {
            return Err(InvalidCursor::OtherFilter);
        }
        let id = Uuid::from_slice(id).map_err(|_| InvalidCursor::Malformed)?;
        Ok(Self {
            started_at: timestamp::from_unix_micros(micros).ok_or(InvalidCursor::Malformed)?,
            id: ExecutionId::from_uuid(id),
            filter,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_goes_there_and_back_and_knows_its_list() {
        let cursor = Cursor {
            started_at: time::macros::datetime!(2026-01-06 12:00:00.000001 UTC),
            id: ExecutionId::from_uuid(uuid::uuid!("019b9335-4200-7000-8000-000000000001")),
            filter: 7,
        };
        let text = cursor.encode();
        assert_eq!(Cursor::decode(&text, 7), Ok(cursor));
        assert_eq!(Cursor::decode(&text, 8), Err(InvalidCursor::OtherFilter));
        for garbage in ["", "x", "////", &text[1..], "🙂"] {
            assert_eq!(Cursor::decode(garbage, 7), Err(InvalidCursor::Malformed), "{garbage}");
        }
    }

    #[test]
    fn an_empty_list_has_one_page() {
        let page = Page::<u8>::exact(vec![], 0, &PageRequest::default());
        assert_eq!(page.total_pages, 1);
        assert_eq!(PageRequest::numbered(u32::MAX, 100).offset(), 429_496_729_400);
    }
}
