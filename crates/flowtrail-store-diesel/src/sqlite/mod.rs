//! SQLite: the shared source, compiled with SQLite's names.

mod backend;
mod backup;
mod broken_header;
mod company;
mod content;
mod counters;
mod ends;
mod inserts;
mod instances;
mod liveness;
mod log;
mod own;
mod pieces;
mod room;
mod rules;
mod salvage;
#[path = "../shared/mod.rs"]
mod shared;
mod upkeep;

pub(crate) use backup::check_file;
pub(crate) use salvage::salvage;
pub use shared::DieselStore as SqliteStore;
pub(crate) use shared::Schema;
