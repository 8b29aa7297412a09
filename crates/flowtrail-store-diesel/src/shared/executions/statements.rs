//! The statements of a walk. Each reads between two places, or no more rows than it is told.

use diesel::prelude::*;
use diesel::sql_types::Bool;
use flowtrail_store::StoreError;
use flowtrail_types::{ExecutionFilter, ExecutionId, ExecutionStatus, Place, Rank, Source};

use super::super::backend::{self, Conn, Db};
use super::super::prune::{covering, shown};
use super::super::schema::{executions, flows, prunes, users};
use super::conditions::{HasText, along_index, between, wanted};
use super::lookup::{self, Joined, joined};
use super::rows::SummaryRow;
use super::walk::Walk;
use crate::columns::{At, Id};

impl Walk<'_> {
    /// The first rows, at most so many.
    pub(super) fn page(&self, conn: &mut Conn, limit: i64) -> Result<Vec<Joined>, StoreError> {
        if let Some(tag) = &self.filter.tag {
            let places = self.tagged_places(conn, tag, limit)?;
            return lookup::rows_at(conn, &places).map_err(backend::translate);
        }
        let selected = joined()
            .select((SummaryRow::as_select(), flows::id.nullable(), users::name.nullable()))
            .into_boxed::<Db>();
        wanted!(selected, self)
            .order((executions::started_at.desc(), executions::id.desc()))
            .limit(limit)
            .load(conn)
            .map_err(backend::translate)
    }

    /// Their places.
    pub(super) fn wanted_places(&self, conn: &mut Conn, limit: i64) -> Result<Vec<Place>, StoreError> {
        if let Some(tag) = &self.filter.tag {
            return self.tagged_places(conn, tag, limit);
        }
        let selected = executions::table.select((executions::started_at, executions::id)).into_boxed::<Db>();
        let places: Vec<(At, Id)> = wanted!(selected, self)
            .order((executions::started_at.desc(), executions::id.desc()))
            .limit(limit)
            .load(conn)
            .map_err(backend::translate)?;
        Ok(places.into_iter().map(place).collect())
    }

    /// How all rows that are wanted rank by duration. The walk must have two ends.
    pub(super) fn ranks(&self, conn: &mut Conn) -> Result<Vec<Rank>, StoreError> {
        if let Some(tag) = &self.filter.tag {
            return self.tagged_ranks(conn, tag);
        }
        let selected = executions::table.select((executions::duration_us, executions::id)).into_boxed::<Db>();
        let ranks: Vec<(Option<i64>, Id)> = wanted!(selected, self)
            .order((executions::started_at.desc(), executions::id.desc()))
            .load(conn)
            .map_err(backend::translate)?;
        Ok(ranks
            .into_iter()
            .map(|(duration_us, id)| Rank { duration_us, id: ExecutionId::from_uuid(id.0) })
            .collect())
    }

    /// The place of a row of the index, whether it is wanted or not, by its number from 0.
    pub(super) fn place_at(&self, conn: &mut Conn, number: i64) -> Result<Option<Place>, StoreError> {
        if let Some(tag) = &self.filter.tag {
            return self.tagged_place_at(conn, tag, number);
        }
        let selected = executions::table.select((executions::started_at, executions::id)).into_boxed::<Db>();
        let found: Option<(At, Id)> = along_index!(selected, self)
            .order((executions::started_at.desc(), executions::id.desc()))
            .limit(1)
            .offset(number)
            .first(conn)
            .optional()
            .map_err(backend::translate)?;
        Ok(found.map(place))
    }

    /// How many rows are wanted. The walk must have two ends.
    pub(super) fn count_wanted(&self, conn: &mut Conn) -> Result<u64, StoreError> {
        if let Some(tag) = &self.filter.tag {
            return self.count_tagged(conn, tag);
        }
        let selected = executions::table.count().into_boxed::<Db>();
        let count: i64 = wanted!(selected, self).get_result(conn).map_err(backend::translate)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

pub(super) fn place((at, id): (At, Id)) -> Place {
    Place { started_at: at.0, id: ExecutionId::from_uuid(id.0) }
}
