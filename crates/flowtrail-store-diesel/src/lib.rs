//! Flowtrail's store on SQLite, by Diesel.
//!
//! The logic stands once, in `shared/`, written in Diesel's typed language against the names that a database
//! module gives it: its connection, its column types, how it begins a write. `sqlite/` compiles that source
//! with SQLite's names; PostgreSQL will compile the same source with its own
//! (`docs/decisions/0001-one-store-over-two-databases.md` tells why, with figures).
//!
//! Rows never leave this crate: they are converted, and what does not make sense is an error that names
//! table, column and id.

mod columns;
mod sqlite;
mod url;

pub use sqlite::{AppliedMigration, MigrationStatus, Schema, SqliteStore};
pub use url::{DatabaseUrl, InvalidDatabaseUrl};
