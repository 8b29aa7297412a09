//! What the binary does, as a library, so that tests and other programs can do the same.
//!
//! [`run`] carries out a [`Cli`]. [`Config`] is what flags, environment and file say, in this order.
//! [`Wiring`] puts the store, the tracker and the runner together; it is the only place that knows all of them.

mod admin_key;
mod cli;
mod commands;
mod config;
mod failure;
mod logging;
mod login;
mod memory;
mod secrets;
mod terminal;
mod tls;
mod upstreams;
mod wiring;

use flowtrail_runner::WorkerProgram;

pub use cli::{Cli, joined_flags};
pub use config::{Config, ConfigError, Settings};
pub use failure::{Failure, without_passwords};
pub use secrets::{SecretSettings, SecretTable};
pub use upstreams::UpstreamSettings;
pub use wiring::{Access, Wiring};

/// Does what the command line says. The scripts of flows run in processes of `worker`; where there is none, in this one.
///
/// # Errors
///
/// A one-line reason, for people.
pub fn run(cli: Cli, worker: Option<WorkerProgram>) -> Result<(), Failure> {
    commands::run(cli, worker)
}
