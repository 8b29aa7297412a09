//! A walk along one index, newest first, that reads a bounded number of rows.

use flowtrail_store::{Counted, StoreError};
use flowtrail_types::{ExecutionFilter, ExecutionId, ExecutionStatus, FlowId, Place, UserId, Visibility};
use time::OffsetDateTime;

use super::super::backend::Conn;
use super::super::prune::ActivePrune;
use super::lookup::Joined;

/// How many rows are looked at for one page when a filter has no index of its own.
pub(super) const MOST: i64 = 20_000;

/// How many rows of an index a page may leave out when no counter tells where it begins.
pub(super) const DEEPEST: u32 = 100_000;

/// How many rows more are looked at, at most, for a page that counters have found.
const FOUND: i64 = 50_000;

/// A place that nothing stands below.
const LOWEST: Place = Place {
    started_at: time::macros::datetime!(0001-01-01 00:00 UTC),
    id: ExecutionId::from_uuid(uuid::Uuid::nil()),
};

/// What is walked: executions that one index has in the order of lists, and what is wanted of them.
#[derive(Debug, Clone)]
pub(super) struct Walk<'a> {
    pub(super) filter: ExecutionFilter,
    /// Of these flows only.
    pub(super) flows: Option<&'a [FlowId]>,
    /// Of this user only, whoever the filter names besides.
    pub(super) only_of: Option<UserId>,
    /// What may be seen, where one walk is of all flows.
    pub(super) visible: Option<&'a Visibility>,
    pub(super) as_of: Option<OffsetDateTime>,
    pub(super) prunes: &'a [ActivePrune],
    /// Below this place.
    pub(super) upper: Option<Place>,
    /// Before this time.
    pub(super) before: Option<OffsetDateTime>,
    /// At this place or above it.
    pub(super) lower: Option<Place>,
}

/// Some rows, and how far was searched when it was not far enough. A search that ends while rows are still to be left out
/// has found none.
pub(super) struct Walked<T> {
    pub(super) rows: Vec<T>,
    pub(super) searched_to: Option<Place>,
}

impl<T> Default for Walked<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), searched_to: None }
    }
}

impl<'a> Walk<'a> {
    /// Whether rows of the index have to be passed over, without a bound to how many.
    pub(super) fn passes_over(&self) -> bool {
        let ExecutionFilter { flow, status, source, user, .. } = &self.filter;
        let by_user = self.only_of.or(*user).is_some();
        // Walked by tag, everything else is passed over.
        let is_narrowed_already = flow.is_some() || self.has_status_index() || self.filter.tag.is_some();
        *status == Some(ExecutionStatus::Fulfilled)
            || self.flows.is_some()
            || self.visible.is_some()
            || self.as_of.is_some()
            || !self.prunes.is_empty()
            || !self.filter.duration.is_any()
            || self.filter.text.is_some()
            || (self.filter.tag.is_some() && (flow.is_some() || status.is_some()))
            || (by_user && is_narrowed_already)
            || (source.is_some() && (is_narrowed_already || by_user))
    }

    /// Whether what has the status is in an index of its own.
    fn has_status_index(&self) -> bool {
        matches!(
            self.filter.status,
            Some(ExecutionStatus::Pending | ExecutionStatus::Error | ExecutionStatus::Aborted)
        )
    }

    /// The same walk without what rows of the index are passed over for, but for the anchor.
    pub(super) fn bare(&self) -> Self {
        let given = &self.filter;
        let mut filter = ExecutionFilter { from: given.from, to: given.to, ..ExecutionFilter::default() };
        let mut only_of = None;
        if given.tag.is_some() {
            filter.tag.clone_from(&given.tag);
        } else {
            filter.flow = given.flow;
            if self.has_status_index() {
                filter.status = given.status;
            } else if given.flow.is_none() {
                only_of = self.only_of.or(given.user);
                filter.source = given.source.filter(|_| only_of.is_none());
            }
        }
        Self { filter, flows: None, only_of, visible: None, prunes: &[], ..self.clone() }
    }

    /// The same walk down to a place, or to the end of the index: a statement that passes over rows has two ends all the same.
    pub(super) fn down_to(&self, place: Option<Place>) -> Self {
        Self { lower: farther(place.or(Some(LOWEST)), self.lower), ..self.clone() }
    }

    /// Where the walk begins: below a place or before a time, whichever is less. Of two conditions a database may walk
    /// from the wrong one.
    pub(super) fn upper_end(&self) -> (Option<Place>, Option<OffsetDateTime>) {
        let before = [self.before, self.filter.to].into_iter().flatten().min();
        match (self.upper, before) {
            (Some(upper), Some(before)) if upper.started_at < before => (Some(upper), None),
            (_, Some(before)) => (None, Some(before)),
            (upper, None) => (upper, None),
        }
    }

    /// Where it ends: with a place or at a time, whichever is greater.
    pub(super) fn lower_end(&self) -> (Option<Place>, Option<OffsetDateTime>) {
        match (self.lower, self.filter.from) {
            (Some(lower), Some(from)) if lower.started_at < from => (None, Some(from)),
            (Some(lower), _) => (Some(lower), None),
            (None, from) => (None, from),
        }
    }

    /// At most so many rows, after so many that are left out.
    pub(super) fn rows(
        &self,
        conn: &mut Conn,
        offset: i64,
        limit: i64,
    ) -> Result<Walked<Joined>, StoreError> {
        self.search(conn, offset, limit, 0, Self::page)
    }

    /// The same where counters tell that so many are there: they may be left out, however many they are.
    pub(super) fn found_rows(
        &self,
        conn: &mut Conn,
        offset: i64,
        limit: i64,
    ) -> Result<Walked<Joined>, StoreError> {
        self.search(conn, offset, limit, offset, Self::page)
    }

    /// The places of some rows, after so many that are left out. What came after the anchor is passed over besides.
    pub(super) fn found_places(
        &self,
        conn: &mut Conn,
        offset: i64,
        limit: i64,
    ) -> Result<Walked<Place>, StoreError> {
        self.search(conn, offset, limit, FOUND, Self::wanted_places)
    }

    /// The places of the first rows, at most so many.
    pub(super) fn places(&self, conn: &mut Conn, limit: i64) -> Result<Walked<Place>, StoreError> {
        self.search(conn, 0, limit, 0, Self::wanted_places)
    }

    fn search<T>(
        &self,
        conn: &mut Conn,
        offset: i64,
        limit: i64,
        more: i64,
        read: fn(&Walk<'a>, &mut Conn, i64) -> Result<Vec<T>, StoreError>,
    ) -> Result<Walked<T>, StoreError> {
        if self.passes_over() {
            self.search_in_parts(conn, offset, limit, MOST + more.min(FOUND), read)
        } else {
            self.search_at_once(conn, offset, limit, more.saturating_add(i64::from(DEEPEST)), read)
        }
    }

    /// Where the index has nothing but what is wanted: what is left out is passed over in the index alone, and costs no
    /// look at other tables.
    fn search_at_once<T>(
        &self,
        conn: &mut Conn,
        offset: i64,
        limit: i64,
        most: i64,
        read: fn(&Walk<'a>, &mut Conn, i64) -> Result<Vec<T>, StoreError>,
    ) -> Result<Walked<T>, StoreError> {
        let mut below = self.clone();
        if offset > 0 {
            let Some(last) = self.place_at(conn, offset.min(most) - 1)? else {
                return Ok(Walked::default());
            };
            if offset > most {
                return Ok(Walked { rows: Vec::new(), searched_to: Some(last) });
            }
            below.upper = Some(last);
        }
        Ok(Walked { rows: read(&below, conn, limit)?, searched_to: None })
    }

    /// In parts of which each is bounded by its two ends, so that no part reads more than its rows.
    fn search_in_parts<T>(
        &self,
        conn: &mut Conn,
        offset: i64,
        limit: i64,
        most: i64,
        read: fn(&Walk<'a>, &mut Conn, i64) -> Result<Vec<T>, StoreError>,
    ) -> Result<Walked<T>, StoreError> {
        let mut part = self.clone();
        let (mut left_out, mut walked, mut step) = (offset, 0, 500);
        let mut found = Walked::default();
        loop {
            // Of the last part only the end was its own.
            part.lower = self.lower;
            let end = part.place_at(conn, step - 1)?;
            part = part.down_to(end);
            if left_out > 0 {
                let skipped = part.wanted_places(conn, left_out.min(step))?;
                left_out -= count_of(&skipped);
                part.upper = skipped.last().copied().or(part.upper);
            }
            if left_out == 0 {
                let wanted = limit - count_of(&found.rows);
                found.rows.extend(read(&part, conn, wanted)?);
                if count_of(&found.rows) >= limit {
                    return Ok(found);
                }
            }
            let Some(end) = end else { return Ok(found) };
            walked += step;
            if walked >= most {
                found.searched_to = Some(end);
                return Ok(found);
            }
            step = (step * 4).min(most - walked);
            part.upper = Some(end);
        }
    }

    /// How many are wanted, looking at no more than so many rows.
    pub(super) fn count(&self, conn: &mut Conn, bound: u32) -> Result<Counted, StoreError> {
        let end = self.place_at(conn, i64::from(bound) - 1)?;
        let has_more = match end {
            None => false,
            Some(end) => Self { upper: Some(end), ..self.clone() }.place_at(conn, 0)?.is_some(),
        };
        Ok(Counted { count: self.down_to(end).count_wanted(conn)?, is_exact: !has_more })
    }
}

fn count_of<T>(rows: &[T]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}

/// The greater of two lower ends.
fn farther(a: Option<Place>, b: Option<Place>) -> Option<Place> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}
