//! The store's logic, in Diesel's typed language. It knows no database: `super::backend` gives it the
//! connection, the column types and the few things that differ.

mod audit;
mod check;
mod damage;
mod executions;
mod flows;
mod migrations;
mod principals;
mod prune;
mod schema;
mod statistics;
mod store;
mod tokens;

pub(crate) use executions::{EndRow, NewExecutionRow, NewPayloadRow};
pub(crate) use migrations::Schema;
pub(crate) use schema::instances;
pub(crate) use statistics::{Slots, StatsRow};
pub use store::DieselStore;
pub(crate) use store::WriteError;

use std::fmt::Display;

use flowtrail_store::StoreError;

use super::backend;

/// A row that does not make sense.
fn corrupt(
    table: &'static str,
    column: &'static str,
    id: impl Display,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Corrupt { table, column, id: id.to_string(), source: Some(source.into()) }
}
