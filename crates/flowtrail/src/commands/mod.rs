//! One file for each command.

mod backup;
mod db;
mod demo;
mod executions;
mod export;
mod find;
mod flow;
mod import;
mod key;
mod login_link;
mod mcp;
mod migrate;
mod openapi;
mod proxy;
mod prune;
mod serve;
mod stats;
mod tail;
mod user;

use std::future::Future;

use flowtrail_runner::WorkerProgram;
use flowtrail_tracker::Tracker;
use flowtrail_types::Principal;
use tokio::runtime::Runtime;

use crate::cli::{Cli, Command, Serve};
use crate::failure::Doing;
use crate::wiring::{Access, open_tracker};
use crate::{Config, Failure, logging};

pub(crate) fn run(cli: Cli, worker: Option<WorkerProgram>) -> Result<(), Failure> {
    logging::begin();
    // Before any command: which of them makes an HTTP client, and through which library, is nobody's to remember.
    crate::tls::use_ring_for_tls();
    let config = || {
        let config = Config::decide(cli.settings.clone(), cli.config.as_deref())?;
        Ok::<_, Failure>(Config { script_worker: worker.clone(), ..config })
    };
    match cli.command.unwrap_or(Command::Serve(Serve::default())) {
        Command::Serve(options) => serve::run(&config()?, &options),
        Command::Demo => demo::run(config()?),
        Command::Mcp => mcp::run(&config()?),
        Command::Proxy(options) => proxy::run(config()?, options),
        Command::Flow(command) => flow::run(&config()?, command),
        Command::Executions(command) => executions::run(&config()?, command),
        Command::LoginLink { url } => login_link::run(&config()?, url.as_deref()),
        Command::Key(command) => key::run(&config()?, command),
        Command::User(command) => user::run(&config()?, command),
        Command::Stats { flow, by, recorded, json } => {
            stats::run(&config()?, flow.as_deref(), by.as_deref(), recorded, json)
        }
        Command::Migrate(command) => migrate::run(&config()?, &command),
        Command::Db(command) => db::run(&config()?, &command),
        Command::Backup { file } => backup::run(&config()?, &file),
        Command::Openapi => openapi::run(),
    }
}

/// Opens the database for a command at the terminal, which acts as the local administrator.
fn open(config: &Config, access: Access) -> Result<(Tracker, Principal), Failure> {
    let is_read = matches!(access, Access::Read | Access::Watch);
    let (tracker, _) = open_tracker(config, &access)?;
    let me = if is_read { tracker.local_reader()? } else { tracker.local_administrator()? };
    Ok((tracker, me))
}

/// The runtime on which flows run.
fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, usize::from).min(4))
        .thread_name("flowtrail")
        .enable_all()
        .build()
        .doing("cannot start")
}

/// Runs asynchronous work to its end.
fn block_on<T>(runtime: Runtime, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let result = runtime.block_on(work);
    // A thread may be reading standard input for ever; it is not waited for.
    runtime.shutdown_background();
    result
}
