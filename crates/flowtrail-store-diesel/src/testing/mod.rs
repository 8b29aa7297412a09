//! A PostgreSQL server of the tests' own.
//!
//! ```no_run
//! use flowtrail_store_diesel::testing::test_database;
//!
//! // Where no PostgreSQL is installed, it says so on standard error.
//! let Some(database) = test_database() else { return };
//! assert!(database.url().starts_with("postgres://"));
//! ```
//!
//! [`test_database`] is what nearly every test needs: an empty database in a server that others share.
//! [`test_server`] is for tests in which the database goes away and comes back: it gives a [`PostgresServer`].
//!
//! No service has to run and nothing stays behind: a server lives in a temporary folder, under a shell that waits
//! for the end of a pipe from this process. When the process ends, in whichever way, the pipe ends, and the shell
//! ends the server and removes the folder. Nothing but the standard library is used, because `xtask` compiles
//! this source too, to start one server for all test processes.

mod database;
mod error;
mod folder;
mod programs;
mod server;
mod supervisor;
#[cfg(test)]
mod tests;
mod user;

pub use database::{TestDatabase, test_database, test_server};
pub use error::PostgresError;
pub use server::{PostgresServer, PostgresServerBuilder};
