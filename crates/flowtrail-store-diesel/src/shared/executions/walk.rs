//! A walk along one index, newest first, that reads a bounded number of rows.

use diesel::prelude::*;
use diesel::sql_types::Bool;
use flowtrail_store::{Counted, StoreError};
use flowtrail_types::{ExecutionFilter, ExecutionId, ExecutionStatus, FlowId, Place, Source, UserId};
use time::OffsetDateTime;

use super::super::backend::{self, Conn, Db};
use super::super::prune::{ActivePrune, covering, shown};
use super::super::schema::{executions, flows, prunes, users};
use super::lookup::{Joined, joined};
use super::rows::SummaryRow;
use crate::columns::{At, Id};

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

/// Keeps a boxed statement to the part of an index between two places.
macro_rules! between {
    ($statement:expr, $walk:expr) => {{
        let mut statement = $statement;
        let (upper, before) = $walk.upper_end();
        let (lower, from) = $walk.lower_end();
        // The first condition of each pair bounds the walk of the index, the second breaks ties.
        if let Some(upper) = upper {
            let (at, id) = (At(upper.started_at), Id(*upper.id.as_uuid()));
            statement = statement
                .filter(executions::started_at.le(at))
                .filter(executions::started_at.lt(at).or(executions::id.lt(id)));
        }
        if let Some(lower) = lower {
            let (at, id) = (At(lower.started_at), Id(*lower.id.as_uuid()));
            statement = statement
                .filter(executions::started_at.ge(at))
                .filter(executions::started_at.gt(at).or(executions::id.ge(id)));
        }
        if let Some(before) = before {
            statement = statement.filter(executions::started_at.lt(At(before)));
        }
        if let Some(from) = from {
            statement = statement.filter(executions::started_at.ge(At(from)));
        }
        statement
    }};
}

/// Keeps a boxed statement to what one index has in one piece.
macro_rules! along_index {
    ($statement:expr, $walk:expr) => {{
        let mut statement = between!($statement, $walk);
        let ExecutionFilter { flow, status, source, .. } = &$walk.filter;
        let user = $walk.only_of.or($walk.filter.user);
        if let Some(flow) = flow {
            statement = statement.filter(executions::flow_id.eq(Id(*flow.as_uuid())));
        }
        match status {
            // Each of them has an index of its own: what is pending is little, and most is fulfilled.
            Some(ExecutionStatus::Pending) => {
                statement = statement.filter(executions::deadline_at.is_not_null());
            }
            Some(status @ (ExecutionStatus::Error | ExecutionStatus::Aborted)) => {
                let is_indexed = match flow {
                    Some(_) => backend::IS_INDEXED_BY_FLOW_STATUS,
                    None => backend::IS_INDEXED_BY_STATUS,
                };
                statement = statement
                    .filter(diesel::dsl::sql::<Bool>(is_indexed))
                    .filter(executions::status.eq(status.as_str()));
            }
            Some(ExecutionStatus::Fulfilled) | None => {
                if flow.is_none() {
                    if let Some(user) = user {
                        statement = statement.filter(executions::user_id.eq(Id(*user.as_uuid())));
                    } else if let Some(source) = source {
                        statement = statement.filter(executions::source.eq(Source::as_str(*source)));
                    }
                }
            }
        }
        statement
    }};
}

/// Keeps a boxed statement to all that is wanted.
macro_rules! wanted {
    ($statement:expr, $walk:expr) => {{
        let mut statement = along_index!($statement, $walk);
        let ExecutionFilter { status, source, user, .. } = &$walk.filter;
        if *status == Some(ExecutionStatus::Fulfilled) {
            statement = statement.filter(executions::status.eq("fulfilled"));
        }
        if let Some(source) = source {
            statement = statement.filter(executions::source.eq(Source::as_str(*source)));
        }
        for user in [user.as_ref(), $walk.only_of.as_ref()].into_iter().flatten() {
            statement = statement.filter(executions::user_id.eq(Id(*user.as_uuid())));
        }
        if let Some(flows) = $walk.flows {
            let flows: Vec<Id> = flows.iter().map(|flow| Id(*flow.as_uuid())).collect();
            statement = statement.filter(executions::flow_id.eq_any(flows));
        }
        if let Some(as_of) = $walk.as_of {
            statement = statement.filter(executions::created_at.le(At(as_of)));
        }
        shown!($walk.prunes, statement)
    }};
}

impl<'a> Walk<'a> {
    /// Whether rows of the index have to be passed over, without a bound to how many.
    fn passes_over(&self) -> bool {
        let ExecutionFilter { flow, status, source, user, .. } = &self.filter;
        let has_status_index = matches!(
            status,
            Some(ExecutionStatus::Pending | ExecutionStatus::Error | ExecutionStatus::Aborted)
        );
        let by_user = self.only_of.or(*user).is_some();
        let is_narrowed_already = flow.is_some() || has_status_index;
        *status == Some(ExecutionStatus::Fulfilled)
            || self.flows.is_some()
            || self.as_of.is_some()
            || !self.prunes.is_empty()
            || (by_user && is_narrowed_already)
            || (source.is_some() && (is_narrowed_already || by_user))
    }

    /// Where the walk begins: below a place or before a time, whichever is less. Of two conditions a database may walk
    /// from the wrong one.
    fn upper_end(&self) -> (Option<Place>, Option<OffsetDateTime>) {
        let before = [self.before, self.filter.to].into_iter().flatten().min();
        match (self.upper, before) {
            (Some(upper), Some(before)) if upper.started_at < before => (Some(upper), None),
            (_, Some(before)) => (None, Some(before)),
            (upper, None) => (upper, None),
        }
    }

    /// Where it ends: with a place or at a time, whichever is greater.
    fn lower_end(&self) -> (Option<Place>, Option<OffsetDateTime>) {
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
        read: fn(&Walk<'a>, &mut Conn, i64) -> QueryResult<Vec<T>>,
    ) -> Result<Walked<T>, StoreError> {
        let walked = if self.passes_over() {
            self.search_in_parts(conn, offset, limit, MOST + more.min(FOUND), read)
        } else {
            self.search_at_once(conn, offset, limit, more.saturating_add(i64::from(DEEPEST)), read)
        };
        walked.map_err(backend::translate)
    }

    /// Where the index has nothing but what is wanted: what is left out is passed over in the index alone, and costs no
    /// look at other tables.
    fn search_at_once<T>(
        &self,
        conn: &mut Conn,
        offset: i64,
        limit: i64,
        most: i64,
        read: fn(&Walk<'a>, &mut Conn, i64) -> QueryResult<Vec<T>>,
    ) -> QueryResult<Walked<T>> {
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
        read: fn(&Walk<'a>, &mut Conn, i64) -> QueryResult<Vec<T>>,
    ) -> QueryResult<Walked<T>> {
        let mut part = self.clone();
        let (mut left_out, mut walked, mut step) = (offset, 0, 500);
        let mut found = Walked::default();
        loop {
            // Of the last part only the end was its own.
            part.lower = self.lower;
            let end = part.place_at(conn, step - 1)?;
            // Where the index ends, the last part has an end all the same.
            part.lower = farther(end.or(Some(LOWEST)), self.lower);
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

    fn page(&self, conn: &mut Conn, limit: i64) -> QueryResult<Vec<Joined>> {
        let selected = joined()
            .select((SummaryRow::as_select(), flows::id.nullable(), users::name.nullable()))
            .into_boxed::<Db>();
        wanted!(selected, self)
            .order((executions::started_at.desc(), executions::id.desc()))
            .limit(limit)
            .load(conn)
    }

    fn wanted_places(&self, conn: &mut Conn, limit: i64) -> QueryResult<Vec<Place>> {
        let selected = executions::table.select((executions::started_at, executions::id)).into_boxed::<Db>();
        let places: Vec<(At, Id)> = wanted!(selected, self)
            .order((executions::started_at.desc(), executions::id.desc()))
            .limit(limit)
            .load(conn)?;
        Ok(places.into_iter().map(place).collect())
    }

    /// The place of a row of the index, whether it is wanted or not, by its number from 0.
    pub(super) fn place_at(&self, conn: &mut Conn, number: i64) -> QueryResult<Option<Place>> {
        let selected = executions::table.select((executions::started_at, executions::id)).into_boxed::<Db>();
        let found: Option<(At, Id)> = along_index!(selected, self)
            .order((executions::started_at.desc(), executions::id.desc()))
            .limit(1)
            .offset(number)
            .first(conn)
            .optional()?;
        Ok(found.map(place))
    }

    /// How many are wanted, looking at no more than so many rows.
    pub(super) fn count(&self, conn: &mut Conn, bound: u32) -> Result<Counted, StoreError> {
        let bound = i64::from(bound);
        let mut part = self.clone();
        let end = part.place_at(conn, bound - 1).map_err(backend::translate)?;
        let is_exact = match end {
            None => {
                part.lower = farther(Some(LOWEST), self.lower);
                true
            }
            Some(end) => {
                part.upper = Some(end);
                let has_more = part.place_at(conn, 0).map_err(backend::translate)?.is_some();
                part.upper = self.upper;
                part.lower = farther(Some(end), self.lower);
                !has_more
            }
        };
        let selected = executions::table.count().into_boxed::<Db>();
        let count: i64 = wanted!(selected, part).get_result(conn).map_err(backend::translate)?;
        Ok(Counted { count: u64::try_from(count).unwrap_or(0), is_exact })
    }
}

fn place((at, id): (At, Id)) -> Place {
    Place { started_at: at.0, id: ExecutionId::from_uuid(id.0) }
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
