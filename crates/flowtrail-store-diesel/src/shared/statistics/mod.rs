//! Statistics: [`write`] keeps them in the transactions that change the rows they count, [`read`] adds them up.

mod read;
mod recount;
mod rows;
mod write;

pub(crate) use read::{
    Hours, ended_before, going, going_by_hour, last_recorded_at, runs_since, status_counts, tally, tally_by,
};
pub(crate) use recount::recount_if_wanted;
pub(crate) use rows::{CountedRow, StatsRow, decode, ended_part};
pub(crate) use write::{Slots, StatsWriter};

use super::super::backend;
use super::schema;
use crate::columns::Id;

/// The statistics of all flows together stand under the nil id.
pub(super) const ALL_FLOWS: Id = Id(uuid::Uuid::nil());

/// What a row tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Period {
    All,
    Day,
    Hour,
}

impl Period {
    const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Day => "day",
            Self::Hour => "hour",
        }
    }
}
