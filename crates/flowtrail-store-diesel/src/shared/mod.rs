//! The store's logic, in Diesel's typed language. It knows no database: `super::backend` gives it the
//! connection, the column types and the few things that differ.

#[macro_use]
mod statement;

mod executions;
mod flows;
mod principals;
mod schema;
mod store;

pub use store::DieselStore;

use std::fmt::Display;

use flowtrail_store::StoreError;

use super::{Schema, backend};

/// A row that does not make sense.
fn corrupt(
    table: &'static str,
    column: &'static str,
    id: impl Display,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Corrupt { table, column, id: id.to_string(), source: Some(source.into()) }
}
