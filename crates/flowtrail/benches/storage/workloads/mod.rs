//! What is measured.

pub(crate) mod places;
pub(crate) mod sizes;

use flowtrail_store_diesel::DatabaseUrl;

/// What kind of database an address names.
pub(crate) fn kind(url: &DatabaseUrl) -> &'static str {
    match url {
        DatabaseUrl::Sqlite(_) => "SQLite",
        DatabaseUrl::Postgres(_) => "PostgreSQL",
    }
}
