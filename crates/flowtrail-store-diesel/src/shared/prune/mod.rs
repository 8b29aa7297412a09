//! What is taken away: single executions at once, the older part of a flow or of all flows out of every answer at once
//! and out of the tables step by step.
//!
//! A prune is one row. What it covers (what ended, was last written before it began and stands below its place) is left
//! out of every list; statistics leave out what it has still to delete, which they know from the hours before its place
//! and from what is counted in its row for the hour of the place itself.
//!
//! The prune of all flows stands under the nil id, and its place is the beginning of an hour, so that there is no such
//! hour. Prunes of single flows that are there when it begins are dropped: it covers what they cover. One that begins later
//! has the rows of its flow deleted first that the prune of all covers. So a flow is never covered by both: what its own
//! prune says of it holds, otherwise what the prune of all says.

mod begin;
mod delete;
mod late;
mod rows;
mod settle;
mod steps;

pub(super) use begin::begin;
pub(super) use delete::delete;
pub(super) use late::{Tallies, has_late, late, note_late};
pub(super) use rows::{ActivePrune, active, covering, shares, shown};
pub(super) use settle::Settled;
pub(super) use steps::step;

use super::{DieselStore, backend, schema, statistics, store};
