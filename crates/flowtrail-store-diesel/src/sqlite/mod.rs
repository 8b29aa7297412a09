//! SQLite: the shared source, compiled with SQLite's names.

mod backend;
mod backup;
mod company;
mod content;
mod counters;
mod ends;
mod inserts;
mod instances;
mod liveness;
mod log;
mod own;
mod room;
mod rules;
#[path = "../shared/mod.rs"]
mod shared;
mod upkeep;

pub use shared::DieselStore as SqliteStore;
pub(crate) use shared::Schema;
