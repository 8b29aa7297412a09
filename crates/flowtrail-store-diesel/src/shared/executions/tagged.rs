//! The statements of a walk along the index of tags.
//!
//! Only places are read from it. Whether an execution is wanted besides its tag is decided here and not by the database:
//! asked for both at once, that may as well walk by the other condition, and sort.

use std::collections::HashMap;

use diesel::prelude::*;
use flowtrail_store::StoreError;
use flowtrail_types::{ExecutionSummary, Place, Rank, Tag};

use super::super::backend::{self, Conn, Db};
use super::super::damage::left_out;
use super::super::schema::{execution_tags, executions};
use super::conditions::between;
use super::rows::SummaryRow;
use super::statements::place;
use super::walk::Walk;
use crate::columns::{At, Id};

/// How many rows are read together.
const AT_ONCE: i64 = 500;

/// The part of the index that has a tag.
macro_rules! along_tag {
    ($statement:expr, $walk:expr, $tag:expr) => {{
        let of_tag = $statement
            .filter(execution_tags::key.eq(backend::text($tag.key()).into_owned()))
            .filter(execution_tags::value.eq(backend::text($tag.value()).into_owned()))
            .into_boxed::<Db>();
        between!(of_tag, $walk, execution_tags::started_at, execution_tags::execution_id)
    }};
}

impl Walk<'_> {
    /// The places of the first rows that are wanted, at most so many.
    pub(super) fn tagged_places(
        &self,
        conn: &mut Conn,
        tag: &Tag,
        limit: i64,
    ) -> Result<Vec<Place>, StoreError> {
        if !self.passes_over() {
            return self.read_places(conn, tag, (0, limit));
        }
        let mut places = Vec::new();
        self.look_at_each(conn, tag, |summary| {
            places.push(Place { started_at: summary.started_at, id: summary.id });
            (places.len() as i64) < limit
        })?;
        Ok(places)
    }

    /// How all rows that are wanted rank by duration.
    pub(super) fn tagged_ranks(&self, conn: &mut Conn, tag: &Tag) -> Result<Vec<Rank>, StoreError> {
        let mut ranks = Vec::new();
        self.look_at_each(conn, tag, |summary| {
            ranks.push(Rank { duration_us: summary.duration_us(), id: summary.id });
            true
        })?;
        Ok(ranks)
    }

    /// The place of a row of the index, whether it is wanted or not, by its number from 0.
    pub(super) fn tagged_place_at(
        &self,
        conn: &mut Conn,
        tag: &Tag,
        number: i64,
    ) -> Result<Option<Place>, StoreError> {
        Ok(self.read_places(conn, tag, (number, 1))?.pop())
    }

    /// How many rows are wanted.
    pub(super) fn count_tagged(&self, conn: &mut Conn, tag: &Tag) -> Result<u64, StoreError> {
        let mut count = 0;
        if self.passes_over() {
            self.look_at_each(conn, tag, |_| {
                count += 1;
                true
            })?;
            return Ok(count);
        }
        let count: i64 = along_tag!(execution_tags::table.count(), self, tag)
            .get_result(conn)
            .map_err(backend::translate)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    fn read_places(
        &self,
        conn: &mut Conn,
        tag: &Tag,
        (offset, limit): (i64, i64),
    ) -> Result<Vec<Place>, StoreError> {
        let selected =
            execution_tags::table.select((execution_tags::started_at, execution_tags::execution_id));
        let places: Vec<(At, Id)> = along_tag!(selected, self, tag)
            .order((execution_tags::started_at.desc(), execution_tags::execution_id.desc()))
            .limit(limit)
            .offset(offset)
            .load(conn)
            .map_err(backend::translate)?;
        Ok(places.into_iter().map(place).collect())
    }

    /// Shows each row that is wanted, newest first, until told to stop.
    fn look_at_each(
        &self,
        conn: &mut Conn,
        tag: &Tag,
        mut goes_on: impl FnMut(&ExecutionSummary) -> bool,
    ) -> Result<(), StoreError> {
        let mut below = self.clone();
        loop {
            let places = below.read_places(conn, tag, (0, AT_ONCE))?;
            let mut rows = read_rows(conn, &places)?;
            for place in &places {
                let Some((row, created_at)) = rows.remove(&Id(*place.id.as_uuid())) else { continue };
                if let Some(summary) = self.wanted_summary(row, created_at)?
                    && !goes_on(&summary)
                {
                    return Ok(());
                }
            }
            if (places.len() as i64) < AT_ONCE {
                return Ok(());
            }
            below.upper = places.last().copied();
        }
    }

    /// What lists show of a row, if it is wanted.
    fn wanted_summary(
        &self,
        row: SummaryRow,
        created_at: At,
    ) -> Result<Option<ExecutionSummary>, StoreError> {
        let (flow, written, is_final) = (row.flow_id, row.written, row.ended_at.is_some());
        let summary = match row.into_summary(true, None) {
            Ok(summary) => summary,
            Err(error) => {
                left_out(error)?;
                return Ok(None);
            }
        };
        let place = Place { started_at: summary.started_at, id: summary.id };
        let is_wanted = self.filter.matches(&summary)
            && self.visible.is_none_or(|visible| visible.shows(&summary))
            && self.as_of.is_none_or(|as_of| created_at.0 <= as_of)
            && !self.prunes.iter().any(|prune| prune.covers(flow, place, is_final, written));
        Ok(is_wanted.then_some(summary))
    }
}

fn read_rows(conn: &mut Conn, places: &[Place]) -> Result<HashMap<Id, (SummaryRow, At)>, StoreError> {
    if places.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Id> = places.iter().map(|place| Id(*place.id.as_uuid())).collect();
    let rows: Vec<(SummaryRow, At)> = executions::table
        .filter(executions::id.eq_any(ids))
        .select((SummaryRow::as_select(), executions::created_at))
        .load(conn)
        .map_err(backend::translate)?;
    Ok(rows.into_iter().map(|row| (row.0.id, row)).collect())
}
