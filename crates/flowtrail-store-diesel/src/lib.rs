//! Flowtrail's store on SQLite and PostgreSQL, by Diesel.
//!
//! The logic stands once, in `shared/`, written in Diesel's typed language against the names that a database
//! module gives it: its connection, its column types, how it begins a write. `sqlite/` and `postgres/` compile that
//! source with their names (`docs/decisions/0001-one-store-over-two-databases.md` tells why, with figures).
//! [`open_store`] takes the one that an address names.
//!
//! Rows never leave this crate: they are converted, and what does not make sense is an error that names
//! table, column and id.
//!
//! The feature `testing` has a PostgreSQL server for tests.

mod columns;
mod one_of;
#[macro_use]
mod statement;
mod postgres;
pub mod private;
mod repair;
mod schema;
mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;
mod url;

pub use postgres::PostgresStore;
/// How the connections to PostgreSQL are set, for tests that ask the planner.
#[cfg(feature = "testing")]
pub use postgres::SESSION as POSTGRES_SESSION;
pub use repair::{Finding, Salvaged, SalvagedTable, check_database, salvage_database};
pub use schema::{AppliedMigration, MigrationStatus, Schema, open_store};
pub use sqlite::SqliteStore;
pub use url::{DatabaseUrl, InvalidDatabaseUrl};
