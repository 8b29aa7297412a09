//! PostgreSQL: the shared source, compiled with PostgreSQL's names.

mod backend;
mod company;
mod confirm;
mod counters;
mod ends;
mod errors;
mod inserts;
mod instances;
mod lease;
mod line;
mod own;
#[path = "../shared/mod.rs"]
#[allow(clippy::duplicate_mod, reason = "one source, compiled with the names of each database")]
mod shared;
mod upkeep;

#[cfg(feature = "testing")]
pub use backend::SESSION;
pub use shared::DieselStore as PostgresStore;
pub(crate) use shared::Schema;
