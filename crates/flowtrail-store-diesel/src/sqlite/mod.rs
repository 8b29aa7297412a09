//! SQLite: the shared source, compiled with SQLite's names.

mod backend;
mod liveness;
mod schema;

#[path = "../shared/mod.rs"]
mod shared;

pub use schema::{AppliedMigration, MigrationStatus, Schema};
pub use shared::DieselStore as SqliteStore;
