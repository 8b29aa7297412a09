//! What is measured.

pub(crate) mod lists;
mod load;
pub(crate) mod memory;
pub(crate) mod overhead;
mod places;
pub(crate) mod prune;
pub(crate) mod record;
pub(crate) mod sizes;
pub(crate) mod statistics;

use flowtrail_store_diesel::DatabaseUrl;

/// What kind of database an address names.
fn kind(url: &DatabaseUrl) -> &'static str {
    match url {
        DatabaseUrl::Sqlite(_) => "SQLite",
        DatabaseUrl::Postgres(_) => "PostgreSQL",
    }
}
