//! Lists in the order of durations, and how far a search of several lists goes.
//!
//! No index has that order: the newest executions that are found are sorted here, a bounded number of them.

use std::cmp::Reverse;
use std::collections::HashMap;

use flowtrail_store::{Counted, Damage, Found, MOST_SORTED, StoreError};
use flowtrail_types::{ExecutionId, ExecutionQuery, ExecutionSummary, Place, Rank};

use super::super::backend::{self, Conn};
use super::super::damage::sound;
use super::lookup::{self, into_summary};
use super::merge;
use super::walk::Walk;

/// Where a search ends that looks at no more than so many rows of some lists, leaving out what came after the anchor. It
/// depends on the anchor and not on what came since, so that all pages of one anchor are of the same executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Floor {
    /// There are no more rows than that.
    Bottom,
    /// With this row; there are more below.
    At(Place),
    /// So much came after the anchor that it was not reached; this is how far was looked.
    Unreached(Place),
}

impl Floor {
    pub(super) fn find(conn: &mut Conn, walks: &[Walk<'_>], most: i64) -> Result<Self, StoreError> {
        let last = most - 1;
        let found = match walks {
            [one] => one.bare().found_places(conn, last, 2)?,
            several => merge::merge(conn, several.iter().map(Walk::bare).collect(), last, 2)?,
        };
        Ok(match (&found.rows[..], found.searched_to) {
            ([last, _], _) | ([last], Some(_)) => Self::At(*last),
            ([], Some(place)) => Self::Unreached(place),
            _ => Self::Bottom,
        })
    }

    /// Where the search ends, if there is more below.
    pub(super) fn place(self) -> Option<Place> {
        match self {
            Self::Bottom => None,
            Self::At(place) | Self::Unreached(place) => Some(place),
        }
    }
}

pub(super) fn list(conn: &mut Conn, walks: &[Walk<'_>], query: &ExecutionQuery) -> Result<Found, StoreError> {
    let floor = Floor::find(conn, walks, i64::from(MOST_SORTED))?;
    let mut ranks: Vec<Rank> = Vec::new();
    // What is known of a part only is not sorted: another page would sort another part.
    if !matches!(floor, Floor::Unreached(_)) {
        for walk in walks {
            ranks.extend(walk.down_to(floor.place()).ranks(conn)?);
        }
    }
    ranks.sort_unstable_by_key(|rank| Reverse(*rank));
    let passed = match query.after.and_then(|cursor| cursor.rank()) {
        Some(after) => ranks.partition_point(|rank| *rank >= after),
        None => usize::try_from(query.offset).unwrap_or(usize::MAX),
    };
    let mut ids = ranks.iter().skip(passed).map(|rank| rank.id);
    let sorted = Counted { count: ranks.len() as u64, is_exact: floor == Floor::Bottom };
    let mut found = Vec::new();
    let mut damaged = Vec::new();
    loop {
        // In place of those that are damaged come the next ones.
        let page: Vec<ExecutionId> = ids.by_ref().take(query.limit as usize - found.len()).collect();
        if page.is_empty() {
            break;
        }
        let (sound, broken) = items(conn, &page)?;
        found.extend(sound);
        damaged.extend(broken);
    }
    Ok(Found { items: found, searched_to: floor.place(), sorted: Some(sorted), damaged })
}

/// What lists show of some executions, in this order, and the rows that are damaged.
pub(super) fn items(
    conn: &mut Conn,
    ids: &[ExecutionId],
) -> Result<(Vec<ExecutionSummary>, Vec<Damage>), StoreError> {
    let rows = lookup::rows_of(conn, ids).map_err(backend::translate)?;
    let (summaries, damaged) = sound(rows.into_iter().map(into_summary))?;
    let mut by_id: HashMap<ExecutionId, _> =
        summaries.into_iter().map(|summary| (summary.id, summary)).collect();
    Ok((ids.iter().filter_map(|id| by_id.remove(id)).collect(), damaged))
}
